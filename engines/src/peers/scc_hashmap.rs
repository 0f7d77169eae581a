//! `scc-hashmap`: the hash map of `scc`, latched by the bucket.
//!
//! Thread safety: the crate's own, a readers–writer latch a bucket of 32 records; it grows and shrinks by itself, a few buckets with
//! each operation. Values are replaced in place under the bucket's latch.

use super::peer::entry;
use super::store::{Store, replace};
use crate::chunk::Chunk;
use crate::engine::{Capabilities, ScanRange, Visitor};
use crate::entry::Entry;
use foldhash::fast::FixedState;
use scc::HashMap;

pub(super) static ENTRY: Entry = entry::<SccHashMap>(
    "scc::HashMap with foldhash: hash map latched by the bucket, resizes in steps, no order",
);

type Bytes = Box<[u8]>;

#[derive(Default)]
pub(super) struct SccHashMap {
    map: HashMap<Bytes, Bytes, FixedState>,
}

impl Store for SccHashMap {
    const NAME: &'static str = "scc-hashmap";
    const CAPABILITIES: Capabilities =
        Capabilities { ordered_scan: false, reverse_scan: false, ..Capabilities::IN_MEMORY_ORDERED };

    #[inline]
    fn read(&self, key: &[u8], mut see: impl FnMut(&[u8])) -> bool {
        self.map.read_sync(key, |_, value| see(value)).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.map.upsert_sync(key.into(), value.into());
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.map.update_sync(key, |_, place| replace(place, value)).is_some()
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.map.remove_sync(key).is_some()
    }

    fn scan(&self, _: &ScanRange<'_>, _: &mut Chunk, _: Visitor<'_>) -> Option<u64> {
        None
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        self.map.iter_sync(|key, value| {
            see(key, value);
            true
        });
    }

    /// A slot and a byte of its hash for each place, and 64 bytes for each bucket of 32.
    fn structure_bytes(&self, _: usize) -> usize {
        self.map.capacity() * (size_of::<(Bytes, Bytes)>() + 1 + 64 / 32)
    }
}
