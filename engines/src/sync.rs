//! Atomics and hints of the protocols in [`crate::memory`], exchangeable for those of the model checker `loom`.
//!
//! Under `--cfg loom` every load and store becomes a step of the model, so that a test explores all their orders.
//!
//! Thread safety: nothing but names.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Waiting for another thread to finish a few instructions: spins at first, then lets others run, so that a holder
/// that lost its processor gets it back.
pub(crate) struct Wait {
    #[cfg(not(loom))]
    backoff: crossbeam::utils::Backoff,
}

impl Wait {
    /// Nothing waited for yet.
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(not(loom))]
            backoff: crossbeam::utils::Backoff::new(),
        }
    }

    /// Waits a little, longer each time.
    #[inline]
    pub(crate) fn once(&self) {
        #[cfg(loom)]
        loom::thread::yield_now();
        #[cfg(not(loom))]
        self.backoff.snooze();
    }
}
