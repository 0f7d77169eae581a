//! `ferntree`: a B+ tree with optimistic latch coupling, from the authors of SurrealDB.
//!
//! Thread safety: the crate's own. Point reads are optimistic and take a value with a count of owners; writers latch one leaf;
//! scans hold the shared latch of the leaf they are at, so they copy a chunk of records and visit it without.

use super::peer::entry;
use super::store::Store;
use crate::chunk::{Chunk, scan_in_chunks};
use crate::engine::{Capabilities, KnownFault, ScanRange, Visitor};
use crate::entry::Entry;
use ferntree::Tree;
use std::cell::RefCell;
use std::ops::Bound;
use std::sync::Arc;

pub(super) static ENTRY: Entry = entry::<FernTree>(
    "ferntree: B+ tree with optimistic latch coupling, values with a count of owners, ordered",
);

const GAPS: &str =
    "the crate's iterators may end early when others insert or delete: some records are not visited";

/// The tree copies a value out before it shows it: with a count of owners that costs no allocation.
type Bytes = Arc<[u8]>;

pub(super) struct FernTree {
    tree: Tree<Bytes, Bytes>,
}

impl Default for FernTree {
    fn default() -> Self {
        Self { tree: Tree::new() }
    }
}

impl FernTree {
    /// Pushes the first records of a range, in its direction, until the chunk is full.
    fn fill(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        let mut at = self.tree.raw_iter();
        let (start, reverse) = if range.reverse { (range.upper(), true) } else { (range.lower(), false) };
        match start {
            Bound::Included(key) | Bound::Excluded(key) if reverse => at.seek_for_prev(key),
            Bound::Included(key) | Bound::Excluded(key) => at.seek(key),
            Bound::Unbounded if reverse => at.seek_to_last(),
            Bound::Unbounded => at.seek_to_first(),
        }
        let excluded = match start {
            Bound::Excluded(key) => Some(key),
            _ => None,
        };
        while !chunk.is_full() {
            let Some((key, value)) = (if reverse { at.prev() } else { at.next() }) else { return };
            if excluded.is_some_and(|excluded| excluded == &**key) {
                continue;
            }
            let inside = if reverse { range.reaches_down_to(key) } else { range.reaches_up_to(key) };
            if !inside {
                return;
            }
            chunk.push(key, if range.keys_only { &[] } else { value });
        }
    }
}

impl Store for FernTree {
    const NAME: &'static str = "ferntree";
    const CAPABILITIES: Capabilities = Capabilities {
        known_faults: &[
            KnownFault {
                check: "a scan among writes is sorted, without duplicates, inventions and gaps",
                reason: GAPS,
                rare: false,
            },
            KnownFault {
                check: "for_each among writes visits what was there throughout, once",
                reason: GAPS,
                rare: false,
            },
        ],
        ..Capabilities::IN_MEMORY_ORDERED
    };

    #[inline]
    fn read(&self, key: &[u8], see: impl FnMut(&[u8])) -> bool {
        let see = RefCell::new(see);
        self.tree.lookup_optimistic(key, |value| (see.borrow_mut())(value)).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.tree.insert_defer(key.into(), value.into());
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let mut leaf = self.tree.raw_iter_mut();
        if !leaf.seek_exact(key) {
            return false;
        }
        leaf.next().map(|(_, place)| *place = value.into()).is_some()
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.tree.remove_defer(key)
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Option<u64> {
        let fill_from = |rest: &ScanRange<'_>, chunk: &mut Chunk| {
            self.fill(rest, chunk);
            Ok(())
        };
        scan_in_chunks(range, chunk, visit, fill_from).ok()
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        let mut at = self.tree.raw_iter();
        at.seek_to_first();
        while let Some((key, value)) = at.next() {
            see(key, value);
        }
    }

    /// Leaves hold 64 pairs of pointers, in the mean two thirds of that, to boxes of pointers to bytes with two counts.
    fn structure_bytes(&self, records: usize) -> usize {
        records * 2 * (size_of::<usize>() * 3 / 2 + size_of::<Bytes>() + 2 * size_of::<usize>())
    }
}
