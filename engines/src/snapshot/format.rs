//! Constants and codecs of a snapshot's format, shared by writer and reader. The document is docs/snapshot.md.
//!
//! All numbers are little-endian. Lengths that are read are checked against the file's before anything is allocated.

use crate::checksum::crc32c;
use crate::coding::{Unreadable, crc_around, put, u32_at, u64_at, u128_at};

/// The version of the format that is written.
pub(super) const FORMAT_VERSION: u32 = 1;
/// How a snapshot begins.
const MAGIC: [u8; 8] = *b"ENGSNAP\n";
/// How its last bytes end.
const END_MAGIC: [u8; 8] = *b"\nPANSGNE";

const VERSION_AT: usize = MAGIC.len();
const HEADER_CRC_AT: usize = VERSION_AT + size_of::<u32>();
const STORE_AT: usize = HEADER_CRC_AT + size_of::<u32>();
const AFTER_AT: usize = STORE_AT + size_of::<u128>();
/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = AFTER_AT + size_of::<u64>();

const OFFSET_AT: usize = 0;
const LEN_AT: usize = OFFSET_AT + size_of::<u64>();
const RECORDS_AT: usize = LEN_AT + size_of::<u32>();
const BLOCK_CRC_AT: usize = RECORDS_AT + size_of::<u32>();
/// Bytes of an entry of the index.
pub(super) const INDEX_ENTRY_BYTES: usize = BLOCK_CRC_AT + size_of::<u32>();

const INDEX_AT: usize = 0;
const BLOCKS_AT: usize = INDEX_AT + size_of::<u64>();
const TOTAL_AT: usize = BLOCKS_AT + size_of::<u64>();
const AT_LEAST_AT: usize = TOTAL_AT + size_of::<u64>();
const SORTED_AT: usize = AT_LEAST_AT + size_of::<u64>();
const INDEX_CRC_AT: usize = SORTED_AT + size_of::<u32>();
const FOOTER_CRC_AT: usize = INDEX_CRC_AT + size_of::<u32>();
const END_AT: usize = FOOTER_CRC_AT + size_of::<u32>();
/// Bytes of the footer.
pub(super) const FOOTER_BYTES: usize = END_AT + END_MAGIC.len();

/// Bytes before key and value of a record: their lengths.
const RECORD_HEADER_BYTES: usize = 2 * size_of::<u32>();

/// Which snapshot of which store: what all checksums in it begin with, so that no part of another one counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SnapshotId {
    pub(super) store: u128,
    /// The number of the last frame of the log that is in it for certain.
    pub(super) after: u64,
}

impl SnapshotId {
    /// What checksums begin with.
    pub(super) fn seed(self) -> u32 {
        crc32c(crc32c(0, &self.store.to_le_bytes()), &self.after.to_le_bytes())
    }

    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, VERSION_AT, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, STORE_AT, &self.store.to_le_bytes());
        put(&mut bytes, AFTER_AT, &self.after.to_le_bytes());
        let crc = crc_around(&bytes, HEADER_CRC_AT);
        put(&mut bytes, HEADER_CRC_AT, &crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Unreadable> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Unreadable::Damaged("it does not begin as a snapshot does"));
        }
        if u32_at(bytes, HEADER_CRC_AT) != crc_around(bytes, HEADER_CRC_AT) {
            return Err(Unreadable::Damaged("the checksum of its header is wrong"));
        }
        // Only behind the checksum: a version that is wrong by a flipped bit is damage, not a newer one.
        match u32_at(bytes, VERSION_AT) {
            FORMAT_VERSION => Ok(Self { store: u128_at(bytes, STORE_AT), after: u64_at(bytes, AFTER_AT) }),
            version => Err(Unreadable::Version(version)),
        }
    }
}

/// A block as the index has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BlockHandle {
    /// Where it starts, bytes from the start of the file.
    pub(super) offset: u64,
    pub(super) len: u32,
    pub(super) records: u32,
    /// The checksum of its bytes, behind the seed and its number.
    pub(super) crc: u32,
}

impl BlockHandle {
    /// The checksum of a block's bytes.
    pub(super) fn crc_of(seed: u32, number: u64, bytes: &[u8]) -> u32 {
        crc32c(crc32c(seed, &number.to_le_bytes()), bytes)
    }

    pub(super) fn encode(&self) -> [u8; INDEX_ENTRY_BYTES] {
        let mut bytes = [0; INDEX_ENTRY_BYTES];
        put(&mut bytes, OFFSET_AT, &self.offset.to_le_bytes());
        put(&mut bytes, LEN_AT, &self.len.to_le_bytes());
        put(&mut bytes, RECORDS_AT, &self.records.to_le_bytes());
        put(&mut bytes, BLOCK_CRC_AT, &self.crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; INDEX_ENTRY_BYTES]) -> Self {
        Self {
            offset: u64_at(bytes, OFFSET_AT),
            len: u32_at(bytes, LEN_AT),
            records: u32_at(bytes, RECORDS_AT),
            crc: u32_at(bytes, BLOCK_CRC_AT),
        }
    }
}

/// How a snapshot ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Footer {
    /// Where the index starts, right behind the last block.
    pub(super) index_at: u64,
    pub(super) blocks: u64,
    pub(super) records: u64,
    /// Effects of frames up to this number may be in it: the log was durable up to there before the snapshot got its name.
    pub(super) at_least: u64,
    /// Whether records ascend by key, without a key twice.
    pub(super) is_sorted: bool,
    pub(super) index_crc: u32,
}

impl Footer {
    pub(super) fn encode(&self, seed: u32) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        put(&mut bytes, INDEX_AT, &self.index_at.to_le_bytes());
        put(&mut bytes, BLOCKS_AT, &self.blocks.to_le_bytes());
        put(&mut bytes, TOTAL_AT, &self.records.to_le_bytes());
        put(&mut bytes, AT_LEAST_AT, &self.at_least.to_le_bytes());
        put(&mut bytes, SORTED_AT, &u32::from(self.is_sorted).to_le_bytes());
        put(&mut bytes, INDEX_CRC_AT, &self.index_crc.to_le_bytes());
        let crc = crc32c(seed, bytes.get(..FOOTER_CRC_AT).unwrap_or_default());
        put(&mut bytes, FOOTER_CRC_AT, &crc.to_le_bytes());
        put(&mut bytes, END_AT, &END_MAGIC);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; FOOTER_BYTES], seed: u32) -> Result<Self, Unreadable> {
        if !bytes.ends_with(&END_MAGIC) {
            return Err(Unreadable::Damaged("it does not end as a snapshot does"));
        }
        if u32_at(bytes, FOOTER_CRC_AT) != crc32c(seed, bytes.get(..FOOTER_CRC_AT).unwrap_or_default()) {
            return Err(Unreadable::Damaged("the checksum of its footer is wrong"));
        }
        Ok(Self {
            index_at: u64_at(bytes, INDEX_AT),
            blocks: u64_at(bytes, BLOCKS_AT),
            records: u64_at(bytes, TOTAL_AT),
            at_least: u64_at(bytes, AT_LEAST_AT),
            is_sorted: u32_at(bytes, SORTED_AT) == 1,
            index_crc: u32_at(bytes, INDEX_CRC_AT),
        })
    }
}

/// Appends a record to a block.
pub(super) fn put_record(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    block.extend_from_slice(&(key.len() as u32).to_le_bytes());
    block.extend_from_slice(&(value.len() as u32).to_le_bytes());
    block.extend_from_slice(key);
    block.extend_from_slice(value);
}

/// The first record of a block's rest, and what is behind it. `None` if it is malformed.
pub(super) fn take_record(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (lens, rest) = rest.split_at_checked(RECORD_HEADER_BYTES)?;
    let (key, rest) = rest.split_at_checked(u32_at(lens, 0) as usize)?;
    let (value, rest) = rest.split_at_checked(u32_at(lens, size_of::<u32>()) as usize)?;
    Some((key, value, rest))
}
