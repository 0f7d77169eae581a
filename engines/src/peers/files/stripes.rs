//! Latches by key, for stores that cannot replace a record only if it is there.
//!
//! An update looks up and then writes; between the two, nobody may delete the record, or the update would bring it back. So updates,
//! deletes and batches that delete hold the latch of each key they are about. A set needs none: one that comes in between counts
//! as earlier than the update.
//!
//! Thread safety: 64 latches on cache lines of their own; a batch takes its latches in ascending order, so there is no cycle of
//! waiting. They are released before a sync that others can share.

use crate::engine::{WriteBatch, WriteOp};
use crossbeam::utils::CachePadded;
use foldhash::fast::FixedState;
use parking_lot::{Mutex, MutexGuard};
use std::array::from_fn;
use std::hash::BuildHasher;

const STRIPES: u64 = 64;

/// See the module.
pub(super) struct Stripes {
    hasher: FixedState,
    latches: [CachePadded<Mutex<()>>; STRIPES as usize],
}

impl Default for Stripes {
    fn default() -> Self {
        Self { hasher: FixedState::default(), latches: from_fn(|_| CachePadded::default()) }
    }
}

impl Stripes {
    fn bit(&self, key: &[u8]) -> u64 {
        1 << (self.hasher.hash_one(key) % STRIPES)
    }

    fn take(&self, bits: u64) -> Vec<MutexGuard<'_, ()>> {
        let chosen = self.latches.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        chosen.map(|(_, latch)| latch.lock()).collect()
    }

    /// The latch of a key.
    pub(super) fn of_key(&self, key: &[u8]) -> Option<MutexGuard<'_, ()>> {
        let index = self.bit(key).trailing_zeros() as usize;
        self.latches.get(index).map(|latch| latch.lock())
    }

    /// The latches of all keys that a batch deletes.
    pub(super) fn of_batch(&self, batch: &WriteBatch) -> Vec<MutexGuard<'_, ()>> {
        let bits = batch.iter().fold(0, |bits, operation| match operation {
            WriteOp::Set { .. } => bits,
            WriteOp::Delete { key } => bits | self.bit(key),
        });
        self.take(bits)
    }
}
