//! Constants and codecs of the log's format, shared by whoever writes and whoever reads it. The document is docs/wal.md.
//!
//! All numbers are little-endian. Lengths that are read are checked against what is there before anything is allocated.

use crate::checksum::crc32c;
use crate::coding::{Unreadable, crc_around, put, u32_at, u64_at, u128_at};

/// The version of the format that is written.
pub(super) const FORMAT_VERSION: u32 = 1;
/// How a segment begins.
pub(super) const MAGIC: [u8; 8] = *b"ENGLOG\r\n";
/// Bytes of the header of a segment.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of the header of a frame.
pub(super) const FRAME_HEADER_BYTES: usize = 32;
/// Frames start at multiples of so many bytes.
pub(super) const FRAME_ALIGN: usize = 8;

const VERSION_AT: usize = MAGIC.len();
const HEADER_CRC_AT: usize = VERSION_AT + size_of::<u32>();
const STORE_AT: usize = HEADER_CRC_AT + size_of::<u32>();
const NUMBER_AT: usize = STORE_AT + size_of::<u128>();
const FIRST_AT: usize = NUMBER_AT + size_of::<u64>();
const CAPACITY_AT: usize = FIRST_AT + size_of::<u64>();
const RESERVED_AT: usize = CAPACITY_AT + size_of::<u64>();
const _: () = assert!(RESERVED_AT + size_of::<u64>() == SEGMENT_HEADER_BYTES, "the header is full");

/// Which segment of which log: what every checksum in it begins with, so that a frame of another one never counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentId {
    pub(super) store: u128,
    /// Segments are numbered from 1.
    pub(super) number: u64,
}

impl SegmentId {
    /// What the checksums of its frames begin with.
    pub(super) fn seed(self) -> u32 {
        crc32c(crc32c(0, &self.store.to_le_bytes()), &self.number.to_le_bytes())
    }
}

/// The header of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) id: SegmentId,
    /// The sequence number of its first frame.
    pub(super) first: u64,
    /// Bytes of the whole segment.
    pub(super) capacity: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, VERSION_AT, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, STORE_AT, &self.id.store.to_le_bytes());
        put(&mut bytes, NUMBER_AT, &self.id.number.to_le_bytes());
        put(&mut bytes, FIRST_AT, &self.first.to_le_bytes());
        put(&mut bytes, CAPACITY_AT, &self.capacity.to_le_bytes());
        let crc = crc_around(&bytes, HEADER_CRC_AT);
        put(&mut bytes, HEADER_CRC_AT, &crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> Result<Self, Unreadable> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Unreadable::Damaged("it does not begin as a segment of a log does"));
        }
        if u32_at(bytes, HEADER_CRC_AT) != crc_around(bytes, HEADER_CRC_AT) {
            return Err(Unreadable::Damaged("the checksum of its header is wrong"));
        }
        // Only behind the checksum: a version that is wrong by a flipped bit is damage, not a newer one.
        let version = u32_at(bytes, VERSION_AT);
        if version != FORMAT_VERSION {
            return Err(Unreadable::Version(version));
        }
        let id = SegmentId { store: u128_at(bytes, STORE_AT), number: u64_at(bytes, NUMBER_AT) };
        Ok(Self { id, first: u64_at(bytes, FIRST_AT), capacity: u64_at(bytes, CAPACITY_AT) })
    }
}

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FrameKind {
    /// Key and value of a record that was inserted or replaced.
    Set = 1,
    /// The key of a record that was removed.
    Delete = 2,
    /// Key and value of a record that was there and was replaced.
    Update = 3,
    /// Sets and deletes that belong together.
    Batch = 4,
    /// Nothing: it says that what is before it is durable.
    Mark = 5,
    /// Nothing: the log goes on in the next segment.
    Seal = 6,
}

impl FrameKind {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Set,
            2 => Self::Delete,
            3 => Self::Update,
            4 => Self::Batch,
            5 => Self::Mark,
            6 => Self::Seal,
            _ => return None,
        })
    }
}

const PAYLOAD_CRC_AT: usize = size_of::<u32>();
const SEQUENCE_AT: usize = PAYLOAD_CRC_AT + size_of::<u32>();
const SYNCED_AT: usize = SEQUENCE_AT + size_of::<u64>();
const PAYLOAD_LEN_AT: usize = SYNCED_AT + size_of::<u64>();
const KIND_AT: usize = PAYLOAD_LEN_AT + size_of::<u32>();
const _: () = assert!(KIND_AT + size_of::<u32>() == FRAME_HEADER_BYTES, "kind and key length share a word");

/// The most bytes of a key, by the three bytes of its length.
pub(super) const KEY_BYTES_MOST: usize = (1 << 24) - 1;

/// The header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    pub(super) payload_crc: u32,
    /// Frames are numbered from 1, without a gap, through all segments.
    pub(super) sequence: u64,
    /// All frames up to this one were known to be durable when this one was written.
    pub(super) synced: u64,
    pub(super) payload_len: u32,
    pub(super) kind: FrameKind,
    /// Bytes of the key, with which the payload begins; 0 if there is none.
    pub(super) key_len: u32,
}

impl FrameHeader {
    #[inline]
    pub(super) fn encode(&self, seed: u32) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        put(&mut bytes, PAYLOAD_CRC_AT, &self.payload_crc.to_le_bytes());
        put(&mut bytes, SEQUENCE_AT, &self.sequence.to_le_bytes());
        put(&mut bytes, SYNCED_AT, &self.synced.to_le_bytes());
        put(&mut bytes, PAYLOAD_LEN_AT, &self.payload_len.to_le_bytes());
        put(&mut bytes, KIND_AT, &(self.kind as u32 | self.key_len << 8).to_le_bytes());
        let crc = Self::crc(&bytes, seed);
        put(&mut bytes, 0, &crc.to_le_bytes());
        bytes
    }

    fn crc(bytes: &[u8; FRAME_HEADER_BYTES], seed: u32) -> u32 {
        crc32c(seed, bytes.get(PAYLOAD_CRC_AT..).unwrap_or_default())
    }

    /// `None` if this is no header of a frame of the segment with this seed.
    #[inline]
    pub(super) fn decode(bytes: &[u8; FRAME_HEADER_BYTES], seed: u32) -> Option<Self> {
        if u32_at(bytes, 0) != Self::crc(bytes, seed) {
            return None;
        }
        let kind_and_key = u32_at(bytes, KIND_AT);
        let header = Self {
            payload_crc: u32_at(bytes, PAYLOAD_CRC_AT),
            sequence: u64_at(bytes, SEQUENCE_AT),
            synced: u64_at(bytes, SYNCED_AT),
            payload_len: u32_at(bytes, PAYLOAD_LEN_AT),
            kind: FrameKind::of(kind_and_key as u8)?,
            key_len: kind_and_key >> 8,
        };
        (header.key_len <= header.payload_len).then_some(header)
    }

    /// Bytes of the frame, from its header to where the next one may start.
    #[inline]
    pub(super) const fn frame_len(&self) -> usize {
        frame_len(self.payload_len as usize)
    }
}

/// Bytes of a frame with such a payload.
#[inline]
pub(super) const fn frame_len(payload_len: usize) -> usize {
    FRAME_HEADER_BYTES + payload_len.next_multiple_of(FRAME_ALIGN)
}

/// Bytes before key and value of an operation of a batch: their lengths.
const OPERATION_HEADER_BYTES: usize = 2 * size_of::<u32>();
/// The length of the value of a removal.
const NO_VALUE: u32 = u32::MAX;

/// Appends an operation to the payload of a batch; without a value it is a removal.
pub(super) fn put_operation(payload: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    payload.extend_from_slice(&(key.len() as u32).to_le_bytes());
    payload.extend_from_slice(&value.map_or(NO_VALUE, |value| value.len() as u32).to_le_bytes());
    payload.extend_from_slice(key);
    payload.extend_from_slice(value.unwrap_or_default());
}

/// An operation of a batch: its key, its value unless it is a removal, and the payload behind it.
pub(super) type TakenOperation<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// The first operation of a payload. `None` if it is malformed.
pub(super) fn take_operation(payload: &[u8]) -> Option<TakenOperation<'_>> {
    let (lens, rest) = payload.split_at_checked(OPERATION_HEADER_BYTES)?;
    let (key_len, value_len) = (u32_at(lens, 0), u32_at(lens, size_of::<u32>()));
    let (key, rest) = rest.split_at_checked(key_len as usize)?;
    if value_len == NO_VALUE {
        return Some((key, None, rest));
    }
    let (value, rest) = rest.split_at_checked(value_len as usize)?;
    Some((key, Some(value), rest))
}
