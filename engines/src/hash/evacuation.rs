//! Evacuation: records of sparse pages are moved to other pages, some with each write that freed a block, so that memory
//! follows what is stored also when the sizes of values change.
//!
//! The slab names a page and lends a look at it; address and hash of its records are noted, and every freeing write
//! moves up to [`RECORDS_MOVED_MOST`] of those that the table still leads to.
//!
//! Thread safety: a mutex around the notes, which nobody waits for and under which no other latch is taken but the slab's. A note
//! is only compared with what the table leads to, never followed, so that it may be out of date.

use super::hasher::KeyHash;
use super::map::Hash;
use crossbeam::epoch::Guard;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Records that one operation moves at most.
pub(super) const RECORDS_MOVED_MOST: usize = 32;

/// The records to move.
#[derive(Debug, Default)]
pub(super) struct Evacuation {
    noted: Mutex<Vec<(u64, KeyHash)>>,
    any_noted: AtomicBool,
}

impl Evacuation {
    /// Bytes of the notes.
    pub(super) fn bytes(&self) -> usize {
        self.noted.lock().capacity() * size_of::<(u64, KeyHash)>()
    }
}

impl Hash {
    /// Called after a write that freed a block, with no latch held.
    #[inline]
    pub(super) fn tidy(&self, pin: &Guard) {
        if self.common().arena.is_sparse() || self.evacuation().any_noted.load(Ordering::Relaxed) {
            self.evacuate_some(pin);
        }
    }

    /// Notes a sparse page, or moves some of the records that were noted. Whether there was something to do.
    #[cold]
    pub(super) fn evacuate_some(&self, pin: &Guard) -> bool {
        let mut chosen = [None; RECORDS_MOVED_MOST];
        {
            let Some(mut noted) = self.evacuation().noted.try_lock() else { return true };
            if noted.is_empty() {
                let hasher = &self.common().hasher;
                let found = self.common().arena.visit_sparse_page(pin, |address, key| {
                    noted.push((address, hasher.hash(key)));
                });
                self.evacuation().any_noted.store(!noted.is_empty(), Ordering::Relaxed);
                return found;
            }
            for place in &mut chosen {
                *place = noted.pop();
            }
            if noted.is_empty() {
                // Pages of the smallest blocks have many; what they took is not kept.
                *noted = Vec::new();
                self.evacuation().any_noted.store(false, Ordering::Relaxed);
            }
        }
        for (_, hash) in chosen.iter().flatten() {
            let segment = self.shard(*hash).and_then(|shard| shard.segment(self.common(), *hash, pin));
            if let Some(segment) = segment {
                segment.prefetch(*hash);
            }
        }
        for (address, hash) in chosen.into_iter().flatten() {
            if let Some(shard) = self.shard(hash) {
                shard.latch(self.common(), pin).relocate(hash, address);
            }
        }
        true
    }
}
