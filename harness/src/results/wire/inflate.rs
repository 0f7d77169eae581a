//! Decompression of a zlib stream with a limit on what comes out.
//!
//! HdrHistogram's own reader takes the length of its buffer from the stream, so a file of a hundred bytes could ask it for
//! 4 GiB. Here the output is bounded first.

use flate2::read::ZlibDecoder;
use std::io::Read;

/// The content of a zlib stream that is at most `limit` bytes long. The buffer grows with what really comes out.
///
/// # Errors
/// What is wrong with the stream.
pub fn inflate_zlib(stream: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let mut decoder = ZlibDecoder::new(stream);
    let mut output = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(most).read_to_end(&mut output).map_err(|error| format!("zlib stream: {error}"))?;
    if output.len() > limit {
        return Err(format!("zlib stream holds more than {limit} bytes"));
    }
    if decoder.total_in() != stream.len() as u64 {
        return Err("zlib stream is followed by other bytes".to_owned());
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn what_comes_out_is_bounded_and_checked() {
        assert_eq!(inflate_zlib(&bytes(STORED), 100).unwrap(), b"abc");
        assert_eq!(inflate_zlib(&bytes(FIXED), 19).unwrap(), b"abcabcabcabcabcabc!");
        assert!(inflate_zlib(&bytes(FIXED), 18).unwrap_err().contains("more than 18"));
        let mut other = bytes(STORED);
        *other.last_mut().unwrap() ^= 1;
        assert!(inflate_zlib(&other, 100).is_err(), "the checksum differs");
        let longer = [bytes(STORED), vec![0]].concat();
        assert!(inflate_zlib(&longer, 100).unwrap_err().contains("followed"));
    }

    const STORED: &str = "7801010300fcff616263024d0127";
    const FIXED: &str = "78014b4c4a4e44458a0048820706";
}
