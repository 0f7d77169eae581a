//! What a peer has to offer: the operations of its crate on bytes. [`super::peer::Peer`] makes an engine of it.

use crate::chunk::Chunk;
use crate::engine::{Capabilities, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp};
use std::ops::ControlFlow;

/// A store of somebody else. Keys, values and batches have been checked against the limits before they get here.
pub(super) trait Store: Default + Send + Sync + 'static {
    /// Its name in the registry.
    const NAME: &'static str;
    /// What it can do.
    const CAPABILITIES: Capabilities;

    /// Shows the value of `key` to `see`; tells whether there is one. A store may show it more than once: the last
    /// time counts.
    fn read(&self, key: &[u8], see: impl FnMut(&[u8])) -> bool;

    /// Inserts or replaces.
    fn set(&self, key: &[u8], value: &[u8]);

    /// Replaces the value if the key is there; tells whether it was.
    fn update(&self, key: &[u8], value: &[u8]) -> bool;

    /// Removes; tells whether the key was there.
    fn delete(&self, key: &[u8]) -> bool;

    /// Applies the operations in order. Stores with one latch override this, so that all become visible at once.
    fn batch(&self, batch: &WriteBatch) {
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => self.set(key, value),
                WriteOp::Delete { key } => _ = self.delete(key),
            }
        }
    }

    /// Reads many keys into a buffer that has been reset. Overridden where one latch or guard serves all of them.
    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        for (index, key) in keys.iter().enumerate() {
            self.read(key, |value| values.put(index, value));
        }
    }

    /// Visits a range in order, as [`crate::Session::scan`] says; `None` by stores without order.
    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Option<u64>;

    /// Shows every record, under whatever latch or guard the crate takes: `see` must not use the store.
    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8]));

    /// Bytes of memory that so many records take beside their own bytes: an estimate from the layout of the crate.
    fn structure_bytes(&self, records: usize) -> usize;

    /// Gives memory back, where the crate has a call for it.
    fn compact(&self) {}
}

/// Pushes records until the chunk is full. The record behind the last one is not touched.
pub(super) fn fill<'a>(
    chunk: &mut Chunk,
    keys_only: bool,
    records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) {
    for (key, value) in records {
        chunk.push(key, if keys_only { &[] } else { value });
        if chunk.is_full() {
            return;
        }
    }
}

/// Visits records where they lie: for crates whose guard is no latch, so that a visitor may use the engine meanwhile.
pub(super) fn visit_in_place<'a>(
    range: &ScanRange<'_>,
    visit: Visitor<'_>,
    records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> u64 {
    let mut visited = 0;
    for (key, value) in records {
        visited += 1;
        if visit(key, if range.keys_only { &[] } else { value }) == ControlFlow::Break(())
            || visited as usize == range.limit
        {
            break;
        }
    }
    visited
}

/// Replaces a value in place if the new one is as long, else with a new allocation.
#[inline]
pub(super) fn replace(place: &mut Box<[u8]>, value: &[u8]) {
    if place.len() == value.len() {
        place.copy_from_slice(value);
    } else {
        *place = value.into();
    }
}
