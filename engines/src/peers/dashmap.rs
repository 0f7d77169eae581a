//! `dashmap`: the concurrent map most programs reach for.
//!
//! Thread safety: the crate's own, four shards a processor (to a power of two), a readers–writer latch each. Guards are held as
//! long as it takes to copy a value.

use super::peer::entry;
use super::store::{Store, replace};
use crate::chunk::Chunk;
use crate::engine::{Capabilities, ScanRange, Visitor};
use crate::entry::Entry;
use dashmap::DashMap;
use foldhash::fast::FixedState;

pub(super) static ENTRY: Entry =
    entry::<Dash>("dashmap with foldhash: sharded hash map, a readers–writer latch a shard, no order");

type Bytes = Box<[u8]>;

#[derive(Default)]
pub(super) struct Dash {
    map: DashMap<Bytes, Bytes, FixedState>,
}

impl Store for Dash {
    const NAME: &'static str = "dashmap";
    const CAPABILITIES: Capabilities =
        Capabilities { ordered_scan: false, reverse_scan: false, ..Capabilities::IN_MEMORY_ORDERED };

    #[inline]
    fn read(&self, key: &[u8], mut see: impl FnMut(&[u8])) -> bool {
        self.map.get(key).map(|found| see(found.value())).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.map.insert(key.into(), value.into());
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.map.get_mut(key).map(|mut place| replace(place.value_mut(), value)).is_some()
    }

    fn delete(&self, key: &[u8]) -> bool {
        self.map.remove(key).is_some()
    }

    fn scan(&self, _: &ScanRange<'_>, _: &mut Chunk, _: Visitor<'_>) -> Option<u64> {
        None
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        self.map.iter().for_each(|record| see(record.key(), record.value()));
    }

    /// A slot and a control byte for each bucket, of which seven in eight may be used.
    fn structure_bytes(&self, _: usize) -> usize {
        self.map.capacity() * 8 / 7 * (size_of::<(Bytes, Bytes)>() + 1)
    }

    fn compact(&self) {
        self.map.shrink_to_fit();
    }
}
