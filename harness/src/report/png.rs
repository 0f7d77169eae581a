//! Pixels as a PNG file, marked as ours by a text chunk (PNG specification, third edition, 11.3.3) so that a later report may replace it.

use super::paint::Pixels;
use crate::exit::{Exit, Failure};
use plotters::prelude::{BitMapBackend, DrawingBackend};
use std::path::Path;

/// Length of the signature and of the header chunk, after which a text chunk may stand.
const HEADER_BYTES: usize = 8 + 25;
const SOFTWARE: &[u8] = b"Software\0harness";

/// The file's bytes. The encoder writes to a path only, so a scratch file is made in `directory` and removed.
///
/// # Errors
/// When the scratch file cannot be written or read.
pub fn encode(pixels: &Pixels, directory: &Path) -> Result<Vec<u8>, Failure> {
    let doing = || format!("making a PNG in {}", directory.display());
    let failed = |error| Failure::io(doing(), &error);
    let scratch =
        tempfile::Builder::new().prefix(".harness-").suffix(".png").tempfile_in(directory).map_err(failed)?;
    let size = (pixels.width as u32, pixels.height as u32);
    let drawn = |error: &dyn std::fmt::Display| Failure::new(Exit::Io, format!("{}: {error}", doing()));
    {
        let mut backend = BitMapBackend::new(scratch.path(), size);
        backend.blit_bitmap((0, 0), size, &pixels.rgb).map_err(|error| drawn(&error))?;
        backend.present().map_err(|error| drawn(&error))?;
    }
    let encoded = std::fs::read(scratch.path()).map_err(failed)?;
    let (header, rest) = encoded.split_at_checked(HEADER_BYTES).ok_or_else(|| drawn(&"no header"))?;
    let mut chunk = b"tEXt".to_vec();
    chunk.extend_from_slice(SOFTWARE);
    let mut marked = header.to_vec();
    marked.extend_from_slice(&(SOFTWARE.len() as u32).to_be_bytes());
    marked.extend_from_slice(&chunk);
    marked.extend_from_slice(&crc32(&chunk).to_be_bytes());
    marked.extend_from_slice(rest);
    Ok(marked)
}

/// Whether a file that begins so was made by [`encode`].
pub fn is_ours(beginning: &[u8]) -> bool {
    beginning.starts_with(b"\x89PNG\r\n\x1a\n")
        && beginning.get(HEADER_BYTES + 8..).is_some_and(|chunk| chunk.starts_with(SOFTWARE))
}

/// The checksum of PNG's chunks: the reflected polynomial 0xedb88320, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::results::wire::inflate_zlib;

    /// Width, height and the unfiltered first column of filter types and bytes of a PNG of 8-bit RGB, checksums compared.
    pub fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        let (mut at, mut data, mut kinds) = (8, Vec::new(), Vec::new());
        while at < file.len() {
            let length = number(at) as usize;
            assert_eq!(number(at + 8 + length), crc32(&file[at + 4..at + 8 + length]), "checksum of a chunk");
            kinds.push(file[at + 4..at + 8].to_vec());
            if &file[at + 4..at + 8] == b"IDAT" {
                data.extend_from_slice(&file[at + 8..at + 8 + length]);
            }
            at += 12 + length;
        }
        assert_eq!(
            (kinds[0].as_slice(), kinds[1].as_slice(), kinds.last().unwrap().as_slice()),
            (&b"IHDR"[..], &b"tEXt"[..], &b"IEND"[..])
        );
        let (width, height) = (number(16), number(20));
        assert_eq!(file[24..29], [8, 2, 0, 0, 0], "8-bit RGB, not interlaced");
        let expected = (width as usize * 3 + 1) * height as usize;
        let raw = inflate_zlib(&data, expected).unwrap();
        assert_eq!(raw.len(), expected);
        (width, height, raw)
    }

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn pixels_become_a_file_that_is_known_again() {
        let directory = tempfile::tempdir().unwrap();
        let rgb = (0..12 * 5 * 3).map(|part| part as u8).collect();
        let file = encode(&Pixels { width: 12, height: 5, rgb }, directory.path()).unwrap();
        let (width, height, raw) = decode(&file);
        assert_eq!((width, height), (12, 5));
        assert_eq!(raw[1..4], [0, 1, 2]);
        assert!(is_ours(&file) && !is_ours(&file[..30]) && !is_ours(b"\x89PNG\r\n\x1a\n") && !is_ours(b""));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "the scratch file is gone");
    }
}
