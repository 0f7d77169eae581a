//! One record on the heap: key and value in a single allocation.
//!
//! Layout of the allocation: key length (4 bytes), value length (4 bytes), key, value, slack. A reader that has
//! followed the one pointer finds the lengths and the start of the key on one cache line. A value is replaced in
//! place when it fits, so that an update in the common case of equal lengths costs neither an allocation nor a
//! changed pointer.
//!
//! Thread safety: plain data without interior mutability; whoever holds it guards it.
#![expect(
    clippy::indexing_slicing,
    reason = "every record is built by `Record::new`, which makes the allocation hold its header, key and value"
)]

/// Two lengths of four bytes.
const HEADER_BYTES: usize = 8;
/// A replaced value may leave this much slack, bytes, beyond as much again as the record needs.
const SLACK_BYTES: usize = 64;

/// A key and its value. Sixteen bytes where it is held, the rest in one allocation; `Option<Record>` is no larger.
#[derive(Debug)]
pub(crate) struct Record {
    bytes: Box<[u8]>,
}

/// The size to allocate for so many bytes in use: one that leaves no gap in the 16-byte classes that common
/// allocators serve behind a word of their own.
const fn allocation_bytes(used: usize) -> usize {
    ((used + 23) & !15) - 8
}

impl Record {
    /// A record of its own memory. Both lengths are below 4 GiB, which every engine's limits guarantee.
    pub(crate) fn new(key: &[u8], value: &[u8]) -> Self {
        let used = HEADER_BYTES + key.len() + value.len();
        debug_assert!(u32::try_from(used).is_ok());
        let total = allocation_bytes(used);
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        bytes.resize(total, 0);
        Self { bytes: bytes.into_boxed_slice() }
    }

    #[inline]
    fn len_at(&self, at: usize) -> usize {
        let b = &self.bytes;
        u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]) as usize
    }

    /// The key.
    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..HEADER_BYTES + self.len_at(0)]
    }

    /// The value.
    #[inline]
    pub(crate) fn value(&self) -> &[u8] {
        let start = HEADER_BYTES + self.len_at(0);
        &self.bytes[start..start + self.len_at(4)]
    }

    /// Replaces the value: in place if it fits and does not leave most of the allocation unused, else in a new
    /// allocation.
    pub(crate) fn set_value(&mut self, value: &[u8]) {
        let start = HEADER_BYTES + self.len_at(0);
        let used = start + value.len();
        if used <= self.bytes.len() && self.bytes.len() <= 2 * used + SLACK_BYTES {
            self.bytes[4..HEADER_BYTES].copy_from_slice(&(value.len() as u32).to_le_bytes());
            self.bytes[start..used].copy_from_slice(value);
        } else {
            *self = Self::new(self.key(), value);
        }
    }

    /// Gives slack back by a new allocation, if there is any to give.
    pub(crate) fn trim(&mut self) {
        let used = HEADER_BYTES + self.live_bytes();
        if allocation_bytes(used) < self.bytes.len() {
            *self = Self::new(self.key(), self.value());
        }
    }

    /// Length of key and value, bytes.
    #[inline]
    pub(crate) fn live_bytes(&self) -> usize {
        self.len_at(0) + self.len_at(4)
    }

    /// Size of the allocation as asked for, bytes; the allocator's own overhead is not in it.
    #[inline]
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// Running totals over the records of an engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    /// Number of records.
    pub(crate) records: usize,
    /// Their key and value bytes.
    pub(crate) live_bytes: usize,
    /// Their allocations, bytes.
    pub(crate) memory_bytes: usize,
}

impl Tally {
    /// Counts a record in.
    pub(crate) fn add(&mut self, record: &Record) {
        self.records += 1;
        self.live_bytes += record.live_bytes();
        self.memory_bytes += record.memory_bytes();
    }

    /// Counts a record out.
    pub(crate) fn subtract(&mut self, record: &Record) {
        self.records -= 1;
        self.live_bytes -= record.live_bytes();
        self.memory_bytes -= record.memory_bytes();
    }

    /// Replaces the value of a record that is counted in.
    pub(crate) fn set_value(&mut self, record: &mut Record, value: &[u8]) {
        self.subtract(record);
        record.set_value(value);
        self.add(record);
    }

    /// Trims a record that is counted in.
    pub(crate) fn trim(&mut self, record: &mut Record) {
        self.subtract(record);
        record.trim();
        self.add(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_value_come_back() {
        for (key, value) in [(0, 0), (1, 0), (0, 1), (24, 100), (64 << 10, 3), (5, 1 << 20)] {
            let (key, value) = (vec![0xAB; key], vec![0xCD; value]);
            let record = Record::new(&key, &value);
            assert_eq!((record.key(), record.value()), (key.as_slice(), value.as_slice()));
            assert_eq!(record.live_bytes(), key.len() + value.len());
            assert!(record.memory_bytes() >= record.live_bytes());
            assert!(record.memory_bytes() <= record.live_bytes() + 24);
        }
        assert_eq!((size_of::<Record>(), size_of::<Option<Record>>()), (16, 16));
    }

    #[test]
    fn a_value_that_fits_is_replaced_in_place() {
        let mut record = Record::new(b"key", &[1; 100]);
        let (address, memory) = (record.bytes.as_ptr(), record.memory_bytes());
        for len in [100, 40, 20, 99] {
            record.set_value(&vec![len as u8; len]);
            assert_eq!((record.key(), record.value()), (b"key".as_slice(), vec![len as u8; len].as_slice()));
            assert_eq!((record.bytes.as_ptr(), record.memory_bytes()), (address, memory), "{len} bytes");
        }
        record.set_value(&[7; 10_000]);
        assert_eq!((record.key(), record.value()), (b"key".as_slice(), [7; 10_000].as_slice()));
        record.set_value(b"short");
        assert!(record.memory_bytes() < 100, "a long value's memory is given back");
        assert_eq!((record.key(), record.value()), (b"key".as_slice(), b"short".as_slice()));
    }

    #[test]
    fn totals_follow_every_change() {
        let mut tally = Tally::default();
        let mut record = Record::new(b"key", &[1; 100]);
        tally.add(&record);
        tally.set_value(&mut record, &[2; 60]);
        assert_eq!((tally.records, tally.live_bytes, tally.memory_bytes), (1, 63, record.memory_bytes()));
        let before = tally.memory_bytes;
        tally.trim(&mut record);
        assert!(tally.memory_bytes < before);
        assert_eq!(
            (record.key(), record.value(), tally.live_bytes),
            (b"key".as_slice(), [2; 60].as_slice(), 63)
        );
        tally.subtract(&record);
        assert_eq!(tally, Tally::default());
    }
}
