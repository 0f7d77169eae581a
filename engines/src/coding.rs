//! Numbers in bytes, as every file format has them: little-endian, at fixed places.
//!
//! Reading is total: what is not there reads as zero, and its checksum will not fit.

use crate::checksum::crc32c;
use crate::error::Error;
use std::path::Path;

/// The number in four bytes at a position; 0 where there are fewer.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// The number in eight bytes at a position; 0 where there are fewer.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// The number in sixteen bytes at a position; 0 where there are fewer.
pub(crate) fn u128_at(bytes: &[u8], at: usize) -> u128 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |chunk| u128::from_le_bytes(*chunk))
}

/// Puts bytes at a position of a buffer that is known to be long enough.
#[inline]
pub(crate) fn put(buffer: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = buffer.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// The checksum of all bytes but the four at a position, where it is kept.
pub(crate) fn crc_around(bytes: &[u8], at: usize) -> u32 {
    let (before, rest) = bytes.split_at(at.min(bytes.len()));
    crc32c(crc32c(0, before), rest.get(size_of::<u32>()..).unwrap_or_default())
}

/// Why the head or the end of a file cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// It is whole, and of a version that this program does not know.
    Version(u32),
    /// It is not what was written.
    Damaged(&'static str),
}

impl Unreadable {
    /// As an error about a place in a file.
    pub(crate) fn at(self, path: &Path, position: u64) -> Error {
        match self {
            Self::Damaged(message) => Error::damaged(path, position, message),
            Self::Version(version) => Error::UnknownVersion { path: path.to_path_buf(), version },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_where_they_were_put() {
        let mut bytes = [0; 30];
        put(&mut bytes, 1, &0x0102_0304_u32.to_le_bytes());
        put(&mut bytes, 5, &u64::MAX.to_le_bytes());
        put(&mut bytes, 13, &(1_u128 << 100).to_le_bytes());
        assert_eq!(
            (u32_at(&bytes, 1), u64_at(&bytes, 5), u128_at(&bytes, 13)),
            (0x0102_0304, u64::MAX, 1 << 100)
        );
        assert_eq!(bytes.get(1), Some(&4), "the least byte first");
        assert_eq!((u32_at(&bytes, 27), u64_at(&bytes, 23), u128_at(&bytes, usize::MAX)), (0, 0, 0));
    }

    #[test]
    fn a_checksum_is_of_everything_but_its_place() {
        let bytes = *b"abcd____efgh";
        assert_eq!(crc_around(&bytes, 4), crc32c(0, b"abcdefgh"));
    }
}
