//! Group commit: threads that wait for their frames to become durable share one sync.
//!
//! The first who finds no sync under way leads: it takes the files and the number of the last frame, syncs without any lock, and wakes all
//! who waited. Whoever appended meanwhile waits for the next one, led by one of them. A leader first waits a little for those who are
//! likely to come: the threads of the last group, which have just been woken, and those who waited then. Otherwise two threads would
//! take turns, each with a sync of its own, and get no more done than one. It waits for a part of the time that a sync takes at most.
//! (Source of the scheme: P. Helland et al., *Group Commit Timers and High Volume Transaction Systems*, 1987, whose timer is replaced by a count.)
//!
//! Invariants
//! - `synced` never falls; all frames up to it were covered by a sync that succeeded.
//! - After a sync has failed, `synced` stays, and every wait for a later frame ends with the error: the sync is never tried again.
//!
//! Thread safety: `synced` is stored by the leader, after its sync, with release, and read with acquire by who relies on it. Order of
//! locks: the state here is never held while the appender's is taken.

use crate::clock::Clock;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A leader waits for others for this part of what a sync takes, at the most.
const GATHER_PART: u64 = 2;

#[derive(Debug, Default)]
struct State {
    is_syncing: bool,
    /// Threads that have begun to wait since the last sync began.
    waiting: u64,
    /// Frames that the next sync is likely to be for, one a thread.
    expected: u64,
    /// Nanoseconds that a sync takes, smoothed.
    sync_nanoseconds: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct GroupCommit {
    synced: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
    clock: Clock,
    syncs: AtomicU64,
}

/// What a wait ends with, other than success.
#[derive(Debug)]
pub(super) enum Failed<E> {
    /// This thread's sync failed.
    Now(E),
    /// Another one's has.
    Before,
}

impl GroupCommit {
    /// All frames up to this number are durable.
    pub(super) fn new(synced: u64) -> Self {
        Self {
            synced: AtomicU64::new(synced),
            state: Mutex::default(),
            changed: Condvar::new(),
            clock: Clock::system(),
            syncs: AtomicU64::new(0),
        }
    }

    /// The number up to which all frames are durable.
    #[inline]
    pub(super) fn synced(&self) -> u64 {
        // Pairs with the store after a sync.
        self.synced.load(Ordering::Acquire)
    }

    /// Groups that were synced.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Waits until a frame is durable. `appended` tells the number of the last frame; `sync` makes all frames durable that were
    /// appended before it was called, and tells the number of the last of them; `has_failed` tells whether a sync has failed.
    pub(super) fn wait_for<E>(
        &self,
        sequence: u64,
        appended: impl Fn() -> u64,
        sync: impl Fn() -> Result<u64, E>,
        has_failed: impl Fn() -> bool,
    ) -> Result<(), Failed<E>> {
        let mut state = self.state.lock();
        loop {
            if self.synced() >= sequence {
                return Ok(());
            }
            if has_failed() {
                return Err(Failed::Before);
            }
            if !state.is_syncing {
                break;
            }
            state.waiting += 1;
            self.changed.wait(&mut state);
        }
        state.is_syncing = true;
        let (expected, most) = (state.expected, state.sync_nanoseconds / GATHER_PART);
        state.waiting = 0;
        drop(state);
        self.gather(expected, most, appended);
        let before = self.clock.now();
        let answer = sync();
        let took = self.clock.nanoseconds(before, self.clock.now());
        let mut state = self.state.lock();
        if let Ok(last) = &answer {
            // Pairs with the load in `synced`.
            self.synced.store(*last, Ordering::Release);
            self.syncs.fetch_add(1, Ordering::Relaxed);
            state.sync_nanoseconds =
                if state.sync_nanoseconds == 0 { took } else { (state.sync_nanoseconds * 7 + took) / 8 };
            // Those who are woken now will come again, and those who were too late for this sync are there.
            state.expected = state.waiting + 1;
        }
        state.is_syncing = false;
        self.changed.notify_all();
        answer.map(drop).map_err(Failed::Now)
    }

    /// Waits for so many frames that are not durable, for so long at the most.
    fn gather(&self, expected: u64, most_nanoseconds: u64, appended: impl Fn() -> u64) {
        let start = self.clock.now();
        while appended().saturating_sub(self.synced()) < expected
            && self.clock.nanoseconds(start, self.clock.now()) < most_nanoseconds
        {
            thread::yield_now();
        }
    }
}
