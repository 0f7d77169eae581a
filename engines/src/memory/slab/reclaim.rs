//! Waiting for the epoch.
//!
//! Thread safety: a flag of its own for each wait; nothing else is shared.

use super::Slab;
use crossbeam::epoch;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Times that the processor is given to others before a pinned thread is waited for no longer.
const YIELDS_MOST: usize = 20_000;

impl Slab {
    /// Waits until what was retired before is free, unless a thread stays pinned for very long. The caller is not pinned, because
    /// it would wait for itself.
    pub(crate) fn reclaim(self: &Arc<Self>) {
        let passed = Arc::new(AtomicBool::new(false));
        self.flush_retired(&epoch::pin());
        {
            let (guard, passed) = (epoch::pin(), Arc::clone(&passed));
            guard.defer(move || passed.store(true, Ordering::Relaxed));
        }
        for _ in 0..YIELDS_MOST {
            // What waits is freed in the order in which it was flushed, so this flag comes last.
            epoch::pin().flush();
            if passed.load(Ordering::Relaxed) {
                break;
            }
            std::thread::yield_now();
        }
    }
}
