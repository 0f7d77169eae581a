//! The file that makes a directory a store: which engine's, which version, which one. docs/store.md has the format.

use crate::coding::{Unreadable, crc_around, put, u32_at, u128_at};

/// Its name.
pub(super) const NAME: &str = "STORE";
/// Its name while the store is made.
pub(super) const UNFINISHED_NAME: &str = "STORE.new";
/// The version of the format that is written.
const FORMAT_VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"ENGSTOR\n";
const VERSION_AT: usize = MAGIC.len();
const CRC_AT: usize = VERSION_AT + size_of::<u32>();
const STORE_AT: usize = CRC_AT + size_of::<u32>();
const ENGINE_AT: usize = STORE_AT + size_of::<u128>();
const ENGINE_BYTES: usize = 32;
/// Its length.
pub(super) const MARKER_BYTES: usize = ENGINE_AT + ENGINE_BYTES;

/// What the file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Marker {
    /// A number that no other store has.
    pub(super) store: u128,
    /// The engine's name, at most 32 bytes.
    pub(super) engine: String,
}

impl Marker {
    pub(super) fn encode(&self) -> [u8; MARKER_BYTES] {
        let mut bytes = [0; MARKER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, VERSION_AT, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, STORE_AT, &self.store.to_le_bytes());
        let name = self.engine.as_bytes();
        put(&mut bytes, ENGINE_AT, name.get(..ENGINE_BYTES).unwrap_or(name));
        let crc = crc_around(&bytes, CRC_AT);
        put(&mut bytes, CRC_AT, &crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() != MARKER_BYTES || !bytes.starts_with(&MAGIC) {
            return Err(Unreadable::Damaged("it is no marker of a store"));
        }
        if u32_at(bytes, CRC_AT) != crc_around(bytes, CRC_AT) {
            return Err(Unreadable::Damaged("its checksum is wrong"));
        }
        let version = u32_at(bytes, VERSION_AT);
        if version != FORMAT_VERSION {
            return Err(Unreadable::Version(version));
        }
        let name = bytes.get(ENGINE_AT..).unwrap_or_default();
        let len = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let engine = String::from_utf8_lossy(name.get(..len).unwrap_or_default()).into_owned();
        Ok(Self { store: u128_at(bytes, STORE_AT), engine })
    }

    /// Whether a power cut in the middle of writing a marker can have left these bytes.
    pub(super) fn may_be_torn(bytes: &[u8]) -> bool {
        bytes.len() <= MARKER_BYTES
            && bytes.iter().zip(&MAGIC).all(|(byte, magic)| *byte == 0 || byte == magic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_was_written() {
        let marker = Marker { store: 1 << 99 | 7, engine: "lsm-memtable".to_owned() };
        let bytes = marker.encode();
        assert_eq!(Marker::decode(&bytes), Ok(marker));
        for at in 0..bytes.len() {
            let mut flipped = bytes;
            flipped[at] ^= 1 << (at % 8);
            assert!(matches!(Marker::decode(&flipped), Err(Unreadable::Damaged(_))), "byte {at}");
            assert!(Marker::decode(&bytes[..at]).is_err());
            assert!(Marker::may_be_torn(&bytes[..at]));
        }
        let mut newer = bytes;
        put(&mut newer, VERSION_AT, &2_u32.to_le_bytes());
        let crc = crc_around(&newer, CRC_AT);
        put(&mut newer, CRC_AT, &crc.to_le_bytes());
        assert_eq!(Marker::decode(&newer), Err(Unreadable::Version(2)));
        assert!(Marker::may_be_torn(&[0; MARKER_BYTES]) && !Marker::may_be_torn(b"somebody else's"));
    }
}
