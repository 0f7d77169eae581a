//! `papaya`: a hash map whose readers write no shared memory.
//!
//! Thread safety: the crate's own. A record never changes: a write puts a new one in its place and the old one is freed
//! when no pinned thread can hold it. Each operation pins for itself; a pin is no latch, so visitors may run under one.

use super::peer::entry;
use super::store::Store;
use crate::chunk::Chunk;
use crate::engine::{Capabilities, GetBuffer, ScanRange, Visitor};
use crate::entry::Entry;
use foldhash::fast::FixedState;
use papaya::HashMap;

pub(super) static ENTRY: Entry = entry::<Papaya>(
    "papaya with foldhash: lock-free hash map for many readers, records are replaced whole, no order",
);

type Bytes = Box<[u8]>;

#[derive(Default)]
pub(super) struct Papaya {
    map: HashMap<Bytes, Bytes, FixedState>,
}

impl Store for Papaya {
    const NAME: &'static str = "papaya";
    const CAPABILITIES: Capabilities =
        Capabilities { ordered_scan: false, reverse_scan: false, ..Capabilities::IN_MEMORY_ORDERED };

    #[inline]
    fn read(&self, key: &[u8], see: impl FnMut(&[u8])) -> bool {
        self.map.get(key, &self.map.guard()).map(AsRef::as_ref).map(see).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.map.insert(key.into(), value.into(), &self.map.guard());
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.map.update(key.into(), |_| value.into(), &self.map.guard()).is_some()
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.map.remove(key, &self.map.guard()).is_some()
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let guard = self.map.guard();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = self.map.get(*key, &guard) {
                values.put(index, value);
            }
        }
    }

    fn scan(&self, _: &ScanRange<'_>, _: &mut Chunk, _: Visitor<'_>) -> Option<u64> {
        None
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        self.map.pin().iter().for_each(|(key, value)| see(key, value));
    }

    /// A bucket is a pointer and a byte, of which about half are used; a record is an allocation of two boxes.
    fn structure_bytes(&self, records: usize) -> usize {
        records * (size_of::<(Bytes, Bytes)>() + 2 * (size_of::<usize>() + 1))
    }
}
