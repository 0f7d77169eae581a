//! Latches of keys, striped: whoever holds the latch of a key is the only one who decides about it, appends, and applies.
//!
//! Invariants
//! - What is appended to the log about a key, and what is applied to the engine, have the same order.
//! - Nobody waits for a sync, or calls a visitor, while he holds one; but for who takes back what the engine inside has refused, and for
//!   `bulk_load`, whose records are drawn under all of them.
//!
//! Thread safety: a mutex a stripe. Order of locks: stripes in ascending order; the log's end is taken below them, never above.

use crate::engine::{WriteBatch, WriteOp};
use crossbeam::utils::CachePadded;
use foldhash::fast::FixedState;
use parking_lot::{Mutex, MutexGuard};
use std::hash::BuildHasher;

/// A power of two. With sixteen threads two of them meet in one of forty operations, for a fraction of a microsecond.
const STRIPES: usize = 512;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Latches {
    stripes: Box<[CachePadded<Mutex<()>>]>,
}

/// The latches of some keys; given back when dropped.
pub(super) type Held<'a> = Vec<MutexGuard<'a, ()>>;

/// A hash of a key, the same at all times.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(key)
}

impl Latches {
    pub(super) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| CachePadded::new(Mutex::new(()))).collect() }
    }

    /// The latch of a key. `None` never comes: there is a stripe for every hash.
    #[inline]
    pub(super) fn of(&self, key: &[u8]) -> Option<MutexGuard<'_, ()>> {
        self.stripes.get(hash(key) as usize % STRIPES).map(|stripe| stripe.lock())
    }

    /// The latches of all keys of a batch.
    pub(super) fn of_batch(&self, batch: &WriteBatch) -> Held<'_> {
        let mut numbers: Vec<_> =
            batch.iter().map(|operation: WriteOp<'_>| hash(operation.key()) as usize % STRIPES).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.iter().filter_map(|number| self.stripes.get(*number)).map(|stripe| stripe.lock()).collect()
    }

    /// All of them: nobody writes meanwhile.
    pub(super) fn all(&self) -> Held<'_> {
        self.stripes.iter().map(|stripe| stripe.lock()).collect()
    }

    /// Returns when everybody who holds one now has given it back.
    pub(super) fn pass_through(&self) {
        self.stripes.iter().for_each(|stripe| drop(stripe.lock()));
    }

    /// Bytes of memory.
    pub(super) const fn memory_bytes() -> usize {
        STRIPES * size_of::<CachePadded<Mutex<()>>>()
    }
}
