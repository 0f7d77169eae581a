//! The thread that looks after a store: it makes the log's next file, syncs a buffered log now and then, and writes snapshots when they are due.
//!
//! Thread safety: it shares what sessions share, and ends before the store does. An error it meets is kept for [`Upkeep::error`]; what
//! matters to writers they are told by the log itself, which takes no more frames after a sync has failed.

use super::store::Store;
use crate::clock::{Clock, Ticks};
use crate::error::{Error, Result};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it looks while there is something to do, and while there is not.
const BUSY: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_millis(200);
const NANOSECONDS_PER_MS: u64 = 1_000_000;

#[derive(Debug, Default)]
struct State {
    is_closing: bool,
    error: Option<Error>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// See the head of this file. Ends the thread when dropped.
#[derive(Debug)]
pub(super) struct Upkeep {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    /// Starts the thread.
    pub(super) fn start(store: Arc<Store>, sync_every_ms: Option<u64>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let run = move || {
            let clock = Clock::system();
            let mut rounds = Rounds { store: &store, sync_every_ms, clock, synced_at: clock.now(), last: 0 };
            let most = sync_every_ms.map_or(Duration::MAX, Duration::from_millis);
            let mut pause = BUSY;
            loop {
                let mut state = of_thread.state.lock();
                if !state.is_closing {
                    of_thread.changed.wait_for(&mut state, pause.min(most));
                }
                if state.is_closing {
                    return;
                }
                drop(state);
                match rounds.round() {
                    Ok(is_busy) => pause = if is_busy { BUSY } else { IDLE },
                    Err(error) => {
                        tracing::warn!(%error, "upkeep of a store failed");
                        of_thread.state.lock().error.get_or_insert(error);
                        // A full disk may have room again later.
                        pause = IDLE;
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("store-upkeep".to_owned()).spawn(run);
        let thread = thread.map_err(|source| Error::Io {
            operation: "start a thread for",
            path: "upkeep".into(),
            source,
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The first error since this was last asked.
    pub(super) fn error(&self) -> Option<Error> {
        self.shared.state.lock().error.take()
    }

    /// Ends the thread; tells the first error that nobody was told of.
    pub(super) fn end(mut self) -> Option<Error> {
        self.join();
        self.error()
    }

    fn join(&mut self) {
        self.shared.state.lock().is_closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It catches nothing and panics nowhere that is known; if it has, there is nothing left to be done here.
            let _ended = thread.join();
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.join();
    }
}

/// What one look after another does.
struct Rounds<'s> {
    store: &'s Store,
    sync_every_ms: Option<u64>,
    clock: Clock,
    synced_at: Ticks,
    last: u64,
}

impl Rounds<'_> {
    /// Does what is due; tells whether anybody has written since the last time.
    fn round(&mut self) -> Result<bool> {
        let log = &self.store.log;
        log.health()?;
        let last = log.last();
        let is_busy = last != self.last;
        self.last = last;
        // Each is tried whatever comes of the others: a full disk must not keep the log from being synced.
        let synced = self.sync_if_due(last);
        let prepared = if is_busy { log.prepare() } else { Ok(()) };
        let store = self.store;
        let written = if store.is_checkpoint_due() {
            // A large image takes long, and the log is synced meanwhile too.
            store.checkpoint(&mut || self.sync_if_due(store.log.last()))
        } else {
            Ok(())
        };
        synced.and(prepared).and(written)?;
        Ok(is_busy)
    }

    /// Syncs a buffered log if that is long ago.
    fn sync_if_due(&mut self, last: u64) -> Result<()> {
        let now = self.clock.now();
        let waited = self.clock.nanoseconds(self.synced_at, now) / NANOSECONDS_PER_MS;
        if self.sync_every_ms.is_some_and(|every| waited >= every) {
            self.store.log.commit(last)?;
            self.synced_at = now;
        }
        Ok(())
    }
}
