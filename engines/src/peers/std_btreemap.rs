//! `std-btreemap`: the standard library's B-tree behind one latch, what most programs that need order start with.
//!
//! Thread safety: one readers–writer latch around the whole map. A set allocates before it takes the latch and frees
//! after it has released it; scans copy a chunk of records under it.

use super::peer::entry;
use super::store::{Store, fill, replace};
use crate::chunk::{Chunk, scan_in_chunks};
use crate::engine::{Capabilities, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp};
use crate::entry::Entry;
use parking_lot::RwLock;
use std::collections::BTreeMap;

pub(super) static ENTRY: Entry =
    entry::<LatchedBTreeMap>("std::collections::BTreeMap behind a readers–writer latch: ordered");

type Bytes = Box<[u8]>;

#[derive(Default)]
pub(super) struct LatchedBTreeMap {
    map: RwLock<BTreeMap<Bytes, Bytes>>,
}

impl Store for LatchedBTreeMap {
    const NAME: &'static str = "std-btreemap";
    const CAPABILITIES: Capabilities =
        Capabilities { batch_atomic_visibility: true, ..Capabilities::IN_MEMORY_ORDERED };

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

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Option<u64> {
        let fill_from = |rest: &ScanRange<'_>, chunk: &mut Chunk| {
            let map = self.map.read();
            let records = map.range::<[u8], _>((rest.lower(), rest.upper()));
            let records = records.map(|(key, value)| (key.as_ref(), value.as_ref()));
            if rest.reverse {
                fill(chunk, rest.keys_only, records.rev());
            } else {
                fill(chunk, rest.keys_only, records);
            }
            Ok(())
        };
        scan_in_chunks(range, chunk, visit, fill_from).ok()
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        self.map.read().iter().for_each(|(key, value)| see(key, value));
    }

    /// Nodes hold up to eleven records; in the mean two thirds of that are in use.
    fn structure_bytes(&self, records: usize) -> usize {
        records * size_of::<(Bytes, Bytes)>() * 3 / 2
    }
}
