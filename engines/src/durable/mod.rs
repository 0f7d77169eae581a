//! Durability for engines that live in memory: a log that is written before the engine is, and snapshots from which it starts again.
//!
//! [`Durable`] is an engine around an engine. A write takes the latch of its key, is appended to the log, applied, and
//! acknowledged as its class says; reads go straight to the engine inside and may see what is not durable yet. Replaying the
//! log over an image that was written among writers gives what was there, since each key's last frame has the last word (`recovery`).
//! (Write-ahead logging with fuzzy checkpoints: C. Mohan et al., *ARIES*, 1992, without its undo, since nothing is logged that does not happen.)
//!
//! From the outside in: `session`, `store` (what is shared, and checkpoints), `latches`, `recovery`, `upkeep` (the thread behind), `directory` and
//! `marker` (whose files these are), `salvage` (what a damaged store still holds).
//!
//! Costs beside those of the engine: a write is a latch, a checksum, a copy into a mapping of the log under one mutex, and with `sync` a share
//! of a sync. A read costs one call more.
//!
//! # Thread safety / Invariants
//! See `store`.

mod directory;
mod latches;
mod marker;
mod options;
mod recovery;
mod salvage;
mod session;
mod store;
mod upkeep;

#[cfg(test)]
mod tests;

pub use crate::log::Outcome;
pub use options::{DurableOptions, KEY, OPTIONS};
pub use recovery::Recovery;
pub use salvage::{Salvaged, salvage};

use crate::engine::{Capabilities, Durability, Engine, Session, Stats, Visitor};
use crate::env::FileSystem;
use crate::error::Result;
use directory::Directory;
use session::DurableSession;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use upkeep::Upkeep;

/// How long [`Engine::wait_idle`] sleeps between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// An engine whose writes survive. See the head of this module.
pub struct Durable {
    // First, so that its thread has ended before the store goes.
    upkeep: Option<Upkeep>,
    store: Arc<Store>,
    is_closed: bool,
}

impl Durable {
    /// Opens the store in a directory, or makes one where nothing is, and fills the engine, which must be empty, with what is there.
    ///
    /// # Errors
    /// [`Error::InUse`](crate::Error::InUse), [`Error::NotAStore`](crate::Error::NotAStore), [`Error::OtherEngine`](crate::Error::OtherEngine), [`Error::UnknownVersion`](crate::Error::UnknownVersion), [`Error::Damaged`](crate::Error::Damaged), of the file
    /// system, or of the engine.
    pub fn open(
        engine: Box<dyn Engine>,
        system: Arc<dyn FileSystem>,
        directory: &Path,
        class: Durability,
        options: DurableOptions,
    ) -> Result<Self> {
        let mut durable = Self::open_without_upkeep(engine, system, directory, class, options)?;
        let every = if class == Durability::Buffered { options.sync_every_ms } else { None };
        durable.upkeep = Some(Upkeep::start(Arc::clone(&durable.store), every)?);
        Ok(durable)
    }

    /// The same without the thread behind: snapshots are written only on demand, and nothing is synced but by writers.
    ///
    /// # Errors
    /// As [`Durable::open`].
    pub fn open_without_upkeep(
        engine: Box<dyn Engine>,
        system: Arc<dyn FileSystem>,
        directory: &Path,
        class: Durability,
        options: DurableOptions,
    ) -> Result<Self> {
        if !Store::is_empty(&*engine)? {
            return Err(Store::not_empty(&*engine));
        }
        let (directory, log) = Directory::open(system, directory, engine.name(), options.log(class))?;
        let (log, recovery) = match log {
            Some(log) => (log, Recovery::default()),
            None => recovery::recover(&*engine, &directory, class, &options)?,
        };
        let store = Store::new(engine, directory, log, class, options, recovery);
        // What a process that was killed has left.
        store.give_up()?;
        Ok(Self { upkeep: None, store: Arc::new(store), is_closed: false })
    }

    /// What opening it has read.
    pub fn recovery(&self) -> Recovery {
        self.store.recovery
    }

    /// Groups of writes that were synced so far.
    pub fn syncs(&self) -> u64 {
        self.store.log.syncs()
    }

    /// Ends the thread behind, and says in the log that all of it is durable.
    fn shut(&mut self) -> Result<()> {
        let failed = self.upkeep.take().and_then(Upkeep::end);
        self.is_closed = true;
        self.store.log.mark()?;
        failed.map_or(Ok(()), Err)
    }
}

impl Engine for Durable {
    fn name(&self) -> &'static str {
        self.store.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(DurableSession::new(&self.store)?))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.store.inner.for_each(visit)
    }

    /// As the engine inside; waits for nothing.
    fn stats(&self) -> Stats {
        let mut stats = self.store.inner.stats();
        stats.memory_bytes += latches::Latches::memory_bytes() as u64;
        let log = &self.store.log;
        let recovery = self.store.recovery;
        let mut detail = |name: &str, value: f64| stats.details.push((name.to_owned(), value));
        detail("log_last", log.last() as f64);
        detail("log_synced", log.synced() as f64);
        detail("log_syncs", log.syncs() as f64);
        detail("log_segments", log.segments() as f64);
        let checkpoints = self.store.checkpoints();
        detail("log_bytes", log.bytes().saturating_sub(checkpoints.log_bytes) as f64);
        detail("snapshots_written", checkpoints.count as f64);
        detail("snapshot_bytes", checkpoints.snapshot_bytes as f64);
        detail("recovered_snapshot_records", recovery.snapshot_records as f64);
        detail("recovered_snapshot_seconds", recovery.snapshot_seconds);
        detail("recovered_frames", recovery.frames as f64);
        detail("recovered_log_seconds", recovery.log_seconds);
        stats
    }

    /// Each record is appended before the engine inside takes it; all are acknowledged together. No other write is taken meanwhile, so the
    /// iterator must not wait for one, nor for a snapshot.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let store = &self.store;
        let latches = store.latches.all();
        let (mut failed, mut refused) = (None, None);
        // Fused: an engine may ask again after the end.
        let logged = records.map_while(|(key, value)| {
            // What the engine would refuse ends the load here, so that the log does not hold it.
            if let Err(error) = store.capabilities.check_record(key, value) {
                refused = Some(error);
                return None;
            }
            match store.log.set(key, value) {
                Ok(_) => Some((key, value)),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        });
        let loaded = store.inner.bulk_load(&mut logged.fuse());
        if loaded.is_err() {
            // Which of them it holds, it knows alone.
            store.log.poison("load what the engine refused");
        }
        drop(latches);
        let loaded = loaded?;
        store.acknowledge(store.log.last())?;
        failed.or(refused).map_or(Ok(loaded), Err)
    }

    fn flush(&self) -> Result<()> {
        self.store.inner.flush()
    }

    fn sync(&self) -> Result<()> {
        self.store.log.sync()
    }

    fn snapshot(&self) -> Result<()> {
        self.store.checkpoint(&mut || Ok(()))
    }

    fn compact(&self) -> Result<()> {
        self.store.inner.compact()
    }

    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(error) = self.upkeep.as_ref().and_then(Upkeep::error) {
                return Err(error);
            }
            let is_due = self.upkeep.is_some() && self.store.is_checkpoint_due();
            if !is_due && !self.store.is_writing() {
                return self.store.inner.wait_idle(limit.saturating_sub(waited));
            }
            if waited >= limit {
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY);
            waited += LOOK_EVERY;
        }
    }

    fn validate(&self) -> Result<()> {
        self.store.inner.validate()
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.shut()
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if !self.is_closed {
            // Who wants to know calls `close`.
            let _swallowed = self.shut();
        }
    }
}
