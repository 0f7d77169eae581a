//! Records copied out from under a latch, so that a scan's visitor never runs under one.
//!
//! A scan proceeds in chunks: the engine fills a [`Chunk`] while it holds its latch, the chunk is visited after the latch
//! is released, and the next chunk starts behind the last key. What is written meanwhile behind the cursor is
//! not seen, what is written before it is: each record is seen at some time during the scan, in order and at most once.

use crate::engine::{ScanRange, Visitor};
use crate::error::Result;
use std::borrow::Cow;
use std::ops::{Bound, ControlFlow};

/// The first chunk of a scan that may end anywhere is small, so that a short one copies little more than it visits; then they
/// double. A scan with a limit that one chunk can hold is copied at once: whoever gives a limit means to see all of it.
const FIRST_RECORDS: usize = 32;
const MOST_RECORDS: usize = 1024;
/// A chunk is full when it holds this many bytes, whatever the number of records.
const MOST_BYTES: usize = 256 << 10;
/// A chunk keeps no more memory than this when it is emptied.
const KEPT_BYTES: usize = 1 << 20;

/// A reusable buffer of records in scan order.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    /// For each record where its key ends and where its value ends; it starts where the one before ends.
    ends: Vec<(usize, usize)>,
    capacity: usize,
}

impl Chunk {
    /// An empty chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no further record should be pushed.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.ends.len() >= self.capacity || self.bytes.len() >= MOST_BYTES
    }

    /// Appends a record. A chunk takes a record of any size, also when it is full.
    #[inline]
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key_end, self.bytes.len()));
    }

    /// Empties the chunk and lets it take `capacity` records. Gives the memory of very long records back, which a session
    /// would hold to its end otherwise.
    pub fn reset(&mut self, capacity: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.ends.clear();
        self.capacity = capacity;
    }

    /// Forgets all records but the first so many.
    pub fn truncate(&mut self, records: usize) {
        self.ends.truncate(records);
        self.bytes.truncate(self.ends.last().map_or(0, |&(_, end)| end));
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The records in the order they were pushed.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(key_end, end)| {
            let key = self.bytes.get(start..key_end).unwrap_or_default();
            start = end;
            (key, self.bytes.get(key_end..end).unwrap_or_default())
        })
    }

    /// The key pushed last.
    pub fn last_key(&self) -> Option<&[u8]> {
        let (key_end, _) = *self.ends.last()?;
        let start = self.ends.len().checked_sub(2).and_then(|i| self.ends.get(i)).map_or(0, |&(_, end)| end);
        self.bytes.get(start..key_end)
    }
}

/// Runs a scan in chunks. `fill` gets what is left of the range and pushes its first records, in scan order, until
/// [`Chunk::is_full`] or the range is exhausted; it takes and releases the engine's latches itself. Empty ranges
/// never reach it. Returns the number of records visited.
///
/// # Errors
/// Whatever `fill` returns.
pub fn scan_in_chunks(
    range: &ScanRange<'_>,
    chunk: &mut Chunk,
    visit: Visitor<'_>,
    mut fill: impl FnMut(&ScanRange<'_>, &mut Chunk) -> Result<()>,
) -> Result<u64> {
    if range.is_empty() {
        return Ok(0);
    }
    let mut rest = range.clone();
    let mut capacity = if rest.limit <= MOST_RECORDS { MOST_RECORDS } else { FIRST_RECORDS };
    let mut visited = 0;
    loop {
        chunk.reset(capacity.min(rest.limit));
        fill(&rest, chunk)?;
        for (key, value) in chunk.iter() {
            visited += 1;
            if visit(key, value) == ControlFlow::Break(()) {
                return Ok(visited);
            }
        }
        rest.limit -= chunk.len().min(rest.limit);
        if rest.limit == 0 || !chunk.is_full() {
            return Ok(visited);
        }
        let Some(last) = chunk.last_key() else { return Ok(visited) };
        let cursor = Bound::Excluded(Cow::Owned(last.to_vec()));
        if rest.reverse {
            rest.upper = cursor;
        } else {
            rest.lower = cursor;
        }
        if rest.is_empty() {
            return Ok(visited);
        }
        capacity = (capacity * 2).min(MOST_RECORDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_does_not_hold_its_memory_for_ever() {
        let mut chunk = Chunk::new();
        chunk.reset(32);
        chunk.push(b"key", &vec![0; 16 << 20]);
        assert!(chunk.is_full());
        chunk.reset(32);
        assert!(chunk.bytes.capacity() < 2 * KEPT_BYTES, "{}", chunk.bytes.capacity());
        chunk.push(b"key", &[1; 100]);
        let held = chunk.bytes.as_ptr();
        chunk.reset(32);
        assert_eq!(chunk.bytes.as_ptr(), held, "what is usual is kept");
    }

    #[test]
    fn chunks_join_without_a_seam() {
        let records: Vec<_> = (0..5_000u32).map(|n| (n.to_be_bytes(), n.to_le_bytes())).collect();
        for reverse in [false, true] {
            for limit in [0, 1, 31, 32, 33, 4_999, usize::MAX] {
                let mut range = ScanRange::all().limit(limit);
                range.reverse = reverse;
                let mut seen = Vec::new();
                let visited = scan_in_chunks(
                    &range,
                    &mut Chunk::new(),
                    &mut |key, value| {
                        seen.push((key.to_vec(), value.to_vec()));
                        ControlFlow::Continue(())
                    },
                    |rest, chunk| {
                        let mut push = |(key, value): &([u8; 4], [u8; 4])| {
                            if rest.contains(key) && !chunk.is_full() {
                                chunk.push(key, value);
                            }
                        };
                        if reverse {
                            records.iter().rev().for_each(&mut push)
                        } else {
                            records.iter().for_each(&mut push)
                        }
                        Ok(())
                    },
                );
                assert_eq!(visited.expect("no error"), seen.len() as u64);
                let mut expected: Vec<_> = records.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
                if reverse {
                    expected.reverse();
                }
                expected.truncate(limit);
                assert_eq!(seen, expected);
            }
        }
    }
}
