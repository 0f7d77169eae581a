//! `scc-treeindex`: the B+ tree of `scc`, made for reading.
//!
//! Thread safety: the crate's own. Readers take no latch; a record never changes, a write marks it removed and adds another, and what
//! is removed is freed when no guard can hold it. A guard is no latch, so scans visit records where they lie.

use super::peer::entry;
use super::store::{Store, visit_in_place};
use crate::chunk::Chunk;
use crate::engine::{Capabilities, GetBuffer, KnownFault, ScanRange, Visitor};
use crate::entry::Entry;
use scc::{Guard, TreeIndex};
use std::sync::Arc;

pub(super) static ENTRY: Entry = entry::<SccTreeIndex>(
    "scc::TreeIndex: B+ tree whose readers take no latch, records are replaced whole, ordered",
);

/// Keys and values are copied when leaves split: with a count of owners that is cheap.
type Bytes = Arc<[u8]>;

#[derive(Default)]
pub(super) struct SccTreeIndex {
    tree: TreeIndex<Bytes, Bytes>,
}

impl Store for SccTreeIndex {
    const NAME: &'static str = "scc-treeindex";
    const CAPABILITIES: Capabilities = Capabilities {
        reverse_scan: false,
        known_faults: &[
            KnownFault {
                check: "an update does not bring back a deleted record",
                reason: "the crate has no replace-if-there; a record deleted between look-up and upsert comes back",
                rare: false,
            },
            KnownFault {
                check: "histories of few keys among waves of neighbours are linearizable",
                reason: "a removal may find nothing while another thread is replacing the record",
                rare: false,
            },
            KnownFault {
                check: "a key never goes back to an older value",
                reason: "while a leaf is split, scans see a new value before look-ups do",
                rare: true,
            },
        ],
        ..Capabilities::IN_MEMORY_ORDERED
    };

    #[inline]
    fn read(&self, key: &[u8], mut see: impl FnMut(&[u8])) -> bool {
        self.tree.peek_with(key, |_, value| see(value)).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.tree.upsert_sync(key.into(), value.into());
    }

    /// The crate replaces or inserts, whichever it must, but cannot replace only: between the look-up and the write a record
    /// may be deleted.
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let Some(key) = self.tree.peek_with(key, |key, _| Arc::clone(key)) else { return false };
        self.tree.upsert_sync(key, value.into());
        true
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.tree.remove_sync(key)
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let guard = Guard::new();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = self.tree.peek(*key, &guard) {
                values.put(index, value);
            }
        }
    }

    /// Upwards only: from the upper end down, the crate's iterator stops at the first leaf whose records are all removed.
    fn scan(&self, range: &ScanRange<'_>, _: &mut Chunk, visit: Visitor<'_>) -> Option<u64> {
        let guard = Guard::new();
        let records = self.tree.range::<[u8], _>((range.lower(), range.upper()), &guard);
        Some(visit_in_place(range, visit, records.map(|(key, value)| (key.as_ref(), value.as_ref()))))
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        let guard = Guard::new();
        self.tree.iter(&guard).for_each(|(key, value)| see(key, value));
    }

    /// Leaves hold fourteen records, in the mean two thirds of that; the counts of owners take two words each.
    fn structure_bytes(&self, records: usize) -> usize {
        records * (size_of::<(Bytes, Bytes)>() * 3 / 2 + 4 * size_of::<usize>())
    }
}
