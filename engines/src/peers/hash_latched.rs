//! `std-hashmap`: the standard library's hash map behind one latch, with a fast hash function.
//!
//! Thread safety: one readers–writer latch around the whole map. A set allocates before it takes the latch and frees
//! after it has released it.

use super::peer::entry;
use super::store::{Store, replace};
use crate::chunk::Chunk;
use crate::engine::{Capabilities, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp};
use crate::entry::Entry;
use foldhash::fast::FixedState;
use parking_lot::RwLock;
use std::collections::HashMap;

pub(super) static ENTRY: Entry = entry::<LatchedHashMap>(
    "std::collections::HashMap with foldhash behind a readers–writer latch: no order",
);

type Bytes = Box<[u8]>;

#[derive(Default)]
pub(super) struct LatchedHashMap {
    map: RwLock<HashMap<Bytes, Bytes, FixedState>>,
}

impl Store for LatchedHashMap {
    const NAME: &'static str = "std-hashmap";
    const CAPABILITIES: Capabilities = Capabilities {
        ordered_scan: false,
        reverse_scan: false,
        batch_atomic_visibility: true,
        ..Capabilities::IN_MEMORY_ORDERED
    };

    #[inline]
    fn read(&self, key: &[u8], see: impl FnMut(&[u8])) -> bool {
        self.map.read().get(key).map(AsRef::as_ref).map(see).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        let (key, value) = (key.into(), value.into());
        let displaced = self.map.write().insert(key, value);
        drop(displaced);
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.map.write().get_mut(key).map(|place| replace(place, value)).is_some()
    }

    fn delete(&self, key: &[u8]) -> bool {
        let removed = self.map.write().remove_entry(key);
        removed.is_some()
    }

    fn batch(&self, batch: &WriteBatch) {
        let mut map = self.map.write();
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => drop(map.insert(key.into(), value.into())),
                WriteOp::Delete { key } => drop(map.remove(key)),
            }
        }
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let map = self.map.read();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = map.get(*key) {
                values.put(index, value);
            }
        }
    }

    fn scan(&self, _: &ScanRange<'_>, _: &mut Chunk, _: Visitor<'_>) -> Option<u64> {
        None
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        self.map.read().iter().for_each(|(key, value)| see(key, value));
    }

    /// A slot and a control byte for each bucket, of which seven in eight may be used.
    fn structure_bytes(&self, _: usize) -> usize {
        self.map.read().capacity() * 8 / 7 * (size_of::<(Bytes, Bytes)>() + 1)
    }

    fn compact(&self) {
        self.map.write().shrink_to_fit();
    }
}
