//! Whole histograms as text: base64 of HdrHistogram's V2 encoding under zlib, as its own tools read and write it.
//!
//! Layout, big-endian: cookie `1c849314`, length of the zlib stream (4 bytes each), then the stream. Inside it: cookie
//! `1c849313`, length of the counts, normalizing offset, significant digits (4 each), lowest and highest value (8 each), ratio
//! (8), then the counts as zigzag varints. Every length is bounded before anything is allocated for it.

use super::inflate::inflate_zlib;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
const HEADER_BYTES: usize = 40;
/// Base64 characters of one histogram. A histogram of 3 digits over 64 bits with every bucket used stays below.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Bytes of one histogram after inflating: 9 for each of at most 55,296 counts, and the header.
const MAX_ENCODED_BYTES: usize = 9 * 55_296 + HEADER_BYTES;
const MAX_SIGNIFICANT_DIGITS: u32 = 3;
/// Memory of all histograms of one file together.
const MAX_TOTAL_BYTES: usize = 2 << 30;

/// Memory that the histograms of one file may still take.
#[derive(Debug)]
pub struct Budget {
    bytes_left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes_left: MAX_TOTAL_BYTES }
    }
}

/// The histogram as text. Its range is cut to the highest recorded value, which makes neither it nor its reader any poorer.
pub fn encode(histogram: &Histogram<u64>) -> String {
    let compact = Histogram::new_with_bounds(1, histogram.max().max(2), histogram.sigfig()).ok();
    let compact = compact.and_then(|mut compact| compact.add(histogram).is_ok().then_some(compact));
    let source = compact.as_ref().unwrap_or(histogram);
    let mut bytes = Vec::new();
    // Writing to memory fails only where counts exceed 63 bits. Empty text is refused by every reader.
    match V2DeflateSerializer::new().serialize(source, &mut bytes) {
        Ok(_) => STANDARD.encode(&bytes),
        Err(_) => String::new(),
    }
}

/// The histogram in a text made by [`encode`], or by another HdrHistogram.
///
/// # Errors
/// Why the text is no histogram, or too large a one.
pub fn decode(text: &str, budget: &mut Budget) -> Result<Histogram<u64>, String> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!("histogram of {} characters; at most {MAX_TEXT_BYTES} are read", text.len()));
    }
    let bytes = STANDARD.decode(text).map_err(|error| format!("not base64: {error}"))?;
    let (cookie, rest) = split_u32(&bytes).ok_or("histogram ends early")?;
    if cookie != COMPRESSED_COOKIE {
        return Err(format!("{cookie:08x} does not begin a compressed V2 histogram"));
    }
    let (length, stream) = split_u32(rest).ok_or("histogram ends early")?;
    if length as usize != stream.len() {
        return Err(format!("histogram says {length} bytes and has {}", stream.len()));
    }
    let encoded = inflate_zlib(stream, MAX_ENCODED_BYTES)?;
    let (lowest, highest, digits) = bounds(&encoded)?;
    let array_bytes = array_bytes(lowest, highest, digits)?;
    budget.bytes_left = budget
        .bytes_left
        .checked_sub(array_bytes)
        .ok_or_else(|| format!("the histograms of this file take more than {MAX_TOTAL_BYTES} bytes"))?;
    let mut cursor = encoded.as_slice();
    let histogram =
        Deserializer::new().deserialize::<u64, _>(&mut cursor).map_err(|error| error.to_string())?;
    if cursor.is_empty() { Ok(histogram) } else { Err("bytes after the histogram".to_owned()) }
}

/// Lowest and highest value and the digits, after checking that the header fits the bytes.
fn bounds(encoded: &[u8]) -> Result<(u64, u64, u32), String> {
    let short = || "histogram ends early".to_owned();
    let (_cookie, rest) = split_u32(encoded).ok_or_else(short)?;
    let (counts_bytes, rest) = split_u32(rest).ok_or_else(short)?;
    let (_offset, rest) = split_u32(rest).ok_or_else(short)?;
    let (digits, rest) = split_u32(rest).ok_or_else(short)?;
    let (lowest, rest) = split_u64(rest).ok_or_else(short)?;
    let (highest, _) = split_u64(rest).ok_or_else(short)?;
    if counts_bytes as usize != encoded.len().saturating_sub(HEADER_BYTES) {
        return Err(format!("histogram says {counts_bytes} bytes of counts and has {}", encoded.len()));
    }
    Ok((lowest, highest, digits))
}

/// Memory of the counts: 2·10^digits rounded up to a power of two, halved, for each power of two of the range.
fn array_bytes(lowest: u64, highest: u64, digits: u32) -> Result<usize, String> {
    if digits > MAX_SIGNIFICANT_DIGITS {
        return Err(format!(
            "histogram of {digits} significant digits; at most {MAX_SIGNIFICANT_DIGITS} are read"
        ));
    }
    if lowest == 0 || highest < lowest.saturating_mul(2) {
        return Err(format!("histogram from {lowest} to {highest}"));
    }
    let half_bucket = (2 * 10_usize.pow(digits)).next_power_of_two() / 2;
    Ok((highest / lowest).ilog2() as usize * half_bucket * size_of::<u64>()
        + 2 * half_bucket * size_of::<u64>())
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (u32::from_be_bytes(*head), rest))
}

fn split_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk().map(|(head, rest)| (u64::from_be_bytes(*head), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::V2Serializer;

    fn sample() -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for step in 0..20_000_u64 {
            histogram.record(100 + step * step % 7_919 * (step % 97)).unwrap();
        }
        histogram
    }

    fn counts(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
        histogram.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }

    #[test]
    fn a_histogram_survives_and_keeps_every_count() {
        let before = sample();
        let after = decode(&encode(&before), &mut Budget::default()).unwrap();
        assert_eq!(after.len(), 20_000);
        assert!(counts(&before) == counts(&after));
        assert!(after.distinct_values() < before.distinct_values(), "the range was not cut");
        let empty = Histogram::new(3).unwrap();
        assert_eq!(decode(&encode(&empty), &mut Budget::default()).unwrap().len(), 0);
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_an_error_or_a_histogram() {
        let bytes = STANDARD.decode(encode(&sample())).unwrap();
        for end in 0..bytes.len() {
            assert!(decode(&STANDARD.encode(&bytes[..end]), &mut Budget::default()).is_err(), "cut at {end}");
        }
        let mut refused = 0;
        for place in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[place] ^= 0x41;
            refused += usize::from(decode(&STANDARD.encode(&bad), &mut Budget::default()).is_err());
        }
        assert_eq!(refused, bytes.len(), "the checksum of the stream finds every flip");
    }

    #[test]
    fn what_would_take_too_much_memory_is_refused() {
        let mut fine = Histogram::<u64>::new_with_bounds(1, u64::MAX, 5).unwrap();
        fine.record(u64::MAX).unwrap();
        assert!(decode(&encode(&fine), &mut Budget::default()).unwrap_err().contains("significant digits"));
        let text = encode(&sample());
        let mut little = Budget { bytes_left: 1_000 };
        assert!(decode(&text, &mut little).unwrap_err().contains("take more than"));
        assert!(
            decode(&"A".repeat(MAX_TEXT_BYTES + 1), &mut Budget::default()).unwrap_err().contains("at most")
        );
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&sample(), &mut plain).unwrap();
        assert!(decode(&STANDARD.encode(&plain), &mut Budget::default()).unwrap_err().contains("1c849313"));
    }
}
