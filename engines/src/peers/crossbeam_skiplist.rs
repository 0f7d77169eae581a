//! `crossbeam-skiplist`: the lock-free skip list of `crossbeam`.
//!
//! Thread safety: the list is the crate's own. Inserting over a record would remove it first, so that a reader could miss it;
//! instead each value lies in a latch, as the crate's documentation advises for values that change, and is replaced there. A
//! write that has found a record just before it is deleted goes to the deleted one: it came before the delete.

use super::peer::entry;
use super::store::{Store, replace};
use crate::chunk::Chunk;
use crate::engine::{Capabilities, GetBuffer, ScanRange, Visitor};
use crate::entry::Entry;
use crossbeam::epoch::{default_collector, pin};
use crossbeam_skiplist::SkipList;
use parking_lot::RwLock;
use std::cell::Cell;
use std::ops::ControlFlow;

pub(super) static ENTRY: Entry =
    entry::<Skip>("crossbeam_skiplist::SkipList with a latch a value: lock-free skip list, ordered");

type Bytes = Box<[u8]>;

/// Records copied before they are visited.
const CHUNK_RECORDS: usize = 64;

pub(super) struct Skip {
    list: SkipList<Bytes, RwLock<Bytes>>,
}

impl Default for Skip {
    fn default() -> Self {
        Self { list: SkipList::new(default_collector().clone()) }
    }
}

impl Store for Skip {
    const NAME: &'static str = "crossbeam-skiplist";
    const CAPABILITIES: Capabilities = Capabilities::IN_MEMORY_ORDERED;

    #[inline]
    fn read(&self, key: &[u8], mut see: impl FnMut(&[u8])) -> bool {
        self.list.get(key, &pin()).map(|found| see(&found.value().read())).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        let guard = &pin();
        let boxed: Bytes = key.into();
        let ours = boxed.as_ptr();
        let found = Cell::new(false);
        let leave = |_: &RwLock<Bytes>| {
            found.set(true);
            false
        };
        let entry = self.list.compare_insert(boxed, RwLock::new(value.into()), leave, guard);
        // A record that was found may have been removed since, and ours inserted after all: then its key is our key (keys without
        // bytes have no address of their own). Others may have replaced the value of ours already, so it is left alone.
        if found.get() && (key.is_empty() || entry.key().as_ptr() != ours) {
            replace(&mut entry.value().write(), value);
        }
        entry.release(guard);
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.list.get(key, &pin()).map(|found| replace(&mut found.value().write(), value)).is_some()
    }

    /// By way of the entry, since `SkipList::remove` may return a record that another thread has removed.
    fn delete(&self, key: &[u8]) -> bool {
        self.list.get(key, &pin()).is_some_and(|found| found.remove())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let guard = pin();
        for (index, key) in keys.iter().enumerate() {
            if let Some(found) = self.list.get(*key, &guard) {
                values.put(index, &found.value().read());
            }
        }
    }

    /// Copies some records, each value under its latch, and visits them when that is released; a pin lets the iterator go on where it was.
    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Option<u64> {
        let guard = pin();
        let mut visited = 0;
        let mut records = self.list.range::<[u8], _>((range.lower(), range.upper()), &guard);
        while visited < range.limit {
            chunk.reset(CHUNK_RECORDS.min(range.limit - visited));
            while !chunk.is_full()
                && let Some(found) = if range.reverse { records.next_back() } else { records.next() }
            {
                if range.keys_only {
                    chunk.push(found.key(), &[]);
                } else {
                    chunk.push(found.key(), &found.value().read());
                }
            }
            for (key, value) in chunk.iter() {
                visited += 1;
                if visit(key, value) == ControlFlow::Break(()) {
                    return Some(visited as u64);
                }
            }
            if !chunk.is_full() {
                break;
            }
        }
        Some(visited as u64)
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        self.list.iter(&pin()).for_each(|found| see(found.key(), &found.value().read()));
    }

    /// A tower of two links in the mean, with a count and the value's latch.
    fn structure_bytes(&self, records: usize) -> usize {
        records * (size_of::<(Bytes, RwLock<Bytes>)>() + 3 * size_of::<usize>())
    }
}
