//! The engine inside, its log and its snapshots: what sessions, checkpoints and the upkeep share.
//!
//! Invariants
//! - A write is appended to the log before it is applied to the engine inside, under the latch of its key: nothing is ever seen that the
//!   log does not hold, and of two writes of one key the log and the engine have the same one last.
//! - It is acknowledged when its class says so: `buffered` when it is appended and applied, `sync` when the log is durable up to it.
//! - The log gives up nothing that the oldest snapshot needs.
//!
//! Thread safety: order of locks: `writing`, held while a snapshot is written; latches, in ascending order; those of the log. `checkpoints` is held
//! for a moment only, with nothing below it. Reads take none of them.

use super::directory::Directory;
use super::latches::Latches;
use super::options::DurableOptions;
use super::recovery::Recovery;
use crate::engine::{Capabilities, Durability, Engine, ScanRange, WriteBatch};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::snapshot::{self, SnapshotWriter};
use parking_lot::Mutex;
use std::ops::ControlFlow;
use std::sync::Arc;

/// While an image is written, others are thought of so often.
const MEANWHILE_BYTES: usize = 1 << 20;

/// See the head of this file.
pub(super) struct Store {
    pub(super) inner: Box<dyn Engine>,
    pub(super) capabilities: Capabilities,
    pub(super) log: Log,
    pub(super) latches: Latches,
    pub(super) options: DurableOptions,
    /// How many writes may be acknowledged and not be synced.
    unsynced_most: u64,
    /// One snapshot at a time.
    writing: Mutex<()>,
    checkpoints: Mutex<Checkpoints>,
    pub(super) recovery: Recovery,
    // Last: the directory is others' only when the log is no longer open.
    directory: Directory,
}

/// What was done about snapshots.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checkpoints {
    /// Since the store was opened.
    pub(super) count: u64,
    /// Up to this frame everything is in the newest snapshot; `None` if there is none.
    pub(super) after: Option<u64>,
    /// Bytes of the newest snapshot.
    pub(super) snapshot_bytes: u64,
    /// Bytes of the log when it was begun.
    pub(super) log_bytes: u64,
}

impl Store {
    /// Puts the parts of a store together.
    pub(super) fn new(
        inner: Box<dyn Engine>,
        directory: Directory,
        log: Log,
        class: Durability,
        options: DurableOptions,
        recovery: Recovery,
    ) -> Self {
        let checkpoints = Checkpoints {
            after: recovery.snapshot,
            snapshot_bytes: recovery.snapshot_bytes,
            ..Checkpoints::default()
        };
        Self {
            capabilities: inner.capabilities(),
            inner,
            log,
            latches: Latches::new(),
            options,
            unsynced_most: options.unsynced_most(class),
            writing: Mutex::new(()),
            checkpoints: Mutex::new(checkpoints),
            recovery,
            directory,
        }
    }

    /// Waits until the write of this frame may be acknowledged.
    #[inline]
    pub(super) fn acknowledge(&self, sequence: u64) -> Result<()> {
        match sequence.checked_sub(self.unsynced_most) {
            None | Some(0) => Ok(()),
            Some(upto) => self.log.commit(upto),
        }
    }

    /// What was done about snapshots.
    pub(super) fn checkpoints(&self) -> Checkpoints {
        *self.checkpoints.lock()
    }

    /// Whether a snapshot is being written.
    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_locked()
    }

    /// Whether so much was logged that a snapshot is due: then recovery reads at most twice the snapshot, or twice the bytes of the option, and
    /// snapshots cost no more than the log.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let checkpoints = self.checkpoints();
        let least = self.options.checkpoint_bytes.bytes().max(checkpoints.snapshot_bytes);
        self.log.bytes().saturating_sub(checkpoints.log_bytes) >= least
    }

    /// Writes a snapshot, and gives up what is no longer needed. Writers go on meanwhile; `meanwhile` is called now and then.
    pub(super) fn checkpoint(&self, meanwhile: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let _one_at_a_time = self.writing.lock();
        let (after, log_bytes) = (self.log.last(), self.log.bytes());
        let before = self.checkpoints();
        if before.after == Some(after) {
            return Ok(());
        }
        // Whoever has appended one of these frames holds its latch until it is applied.
        self.latches.pass_through();
        let Directory { system, path, store, .. } = &self.directory;
        let mut writer = SnapshotWriter::begin(Arc::clone(system), path, *store, after)?;
        self.add_all(&mut writer, meanwhile)?;
        let snapshot_bytes = writer.bytes();
        // What is in the image was appended before it was applied, so it has a number by now.
        let at_least = self.log.last();
        self.log.commit(at_least)?;
        writer.finish(at_least)?;
        let count = before.count + 1;
        *self.checkpoints.lock() = Checkpoints { count, after: Some(after), snapshot_bytes, log_bytes };
        tracing::debug!(after, snapshot_bytes, "snapshot written");
        self.give_up()
    }

    fn add_all(&self, writer: &mut SnapshotWriter, meanwhile: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let (mut failed, mut since) = (None, 0_usize);
        let mut visit = |key: &[u8], value: &[u8]| {
            let mut added = writer.add(key, value);
            since += key.len() + value.len();
            if since >= MEANWHILE_BYTES {
                since = 0;
                added = added.and_then(|()| meanwhile());
            }
            match added {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        if self.capabilities.ordered_scan {
            self.inner.session()?.scan(&ScanRange::all(), &mut visit)?;
        } else {
            self.inner.for_each(&mut visit)?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Removes snapshots that are not to be kept, and the log before the oldest one.
    pub(super) fn give_up(&self) -> Result<()> {
        let Directory { system, path, .. } = &self.directory;
        snapshot::prune(&**system, path, self.options.keep_snapshots as usize)?;
        match snapshot::list(&**system, path)?.last() {
            Some(oldest) => self.log.release(*oldest),
            None => Ok(()),
        }
    }

    /// After the engine inside has refused what the log holds already: appends what these keys hold instead, and makes that as durable as the
    /// class asks before anybody is told of the refusal. The caller holds their latches. The log takes nothing more if that fails.
    pub(super) fn take_back<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let undone = (|| {
            let (mut session, mut value) = (self.inner.session()?, Vec::new());
            let mut held = WriteBatch::new();
            for key in keys {
                if session.get(key, &mut value)? { held.set(key, &value) } else { held.delete(key) }
            }
            let sequence = self.log.batch(&held, &mut Vec::new())?;
            self.acknowledge(sequence)
        })();
        if let Err(error) = undone {
            self.log.poison(&format!("take back a write that the engine refused: {error}"));
        }
    }

    /// Applies a write to the engine inside, which the log holds already.
    #[inline]
    pub(super) fn applied<'k, T>(
        &self,
        answer: Result<T>,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Result<T> {
        if answer.is_err() {
            self.take_back(keys);
        }
        answer
    }

    /// Whether the engine inside holds no record.
    pub(super) fn is_empty(engine: &dyn Engine) -> Result<bool> {
        let mut is_empty = true;
        engine.for_each(&mut |_, _| {
            is_empty = false;
            ControlFlow::Break(())
        })?;
        Ok(is_empty)
    }

    /// An error that says that the engine inside was not empty.
    pub(super) fn not_empty(engine: &dyn Engine) -> Error {
        Error::Unsupported {
            engine: engine.name(),
            operation: "durability around records that are there already",
        }
    }
}
