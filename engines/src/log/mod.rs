//! The log: an append-only file of frames, in segments, that is written before anything else is.
//!
//! A frame holds what an operation did: a record that was set, one that was replaced if it was there, a key that was removed, or a batch of these. It has a
//! number, one more than the frame before, and under its checksum the number up to which all frames were known to be durable when
//! it was written. By that a reader tells what a crash has left unfinished from what was damaged later: see `recovery`, and
//! docs/wal.md for the format.
//!
//! Appending is a store into a mapping of the segment, whose blocks are allocated when it is made: it calls nothing, cannot meet a full disk, and
//! survives the process. [`Log::commit`] makes it survive the machine, together with whatever others have appended.
//!
//! Invariants
//! - A frame is in the file, whole, before any frame with a higher number is begun: so what a killed process leaves is a prefix.
//! - After a write or sync that failed, nothing is appended any more, and nothing that was not durable before is ever called so.
//!
//! Thread safety: one mutex around the end of the log, held while a frame is copied there, and while a new segment is made. Syncs run
//! under no lock. Order of locks: the state of the group commit, never held while the end of the log is taken; then that.

mod appender;
mod commit;
mod format;
mod frames;
mod options;
mod recovery;
mod salvage;
mod segment;

pub use frames::Outcome;
pub use options::LogOptions;
pub use recovery::{Outcomes, Recovered, Start};
pub use salvage::SalvagedLog;

use crate::engine::{WriteBatch, WriteOp};
use crate::env::FileSystem;
use crate::error::{Error, Result};
use appender::{Appender, Payload, Place};
use commit::{Failed, GroupCommit};
use format::{FrameKind, KEY_BYTES_MOST, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId};
use parking_lot::Mutex;
use segment::Named;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most bytes of a frame, but for its key: far beyond what engines take, and what a length on disk can say.
const PAYLOAD_BYTES_MOST: usize = 1 << 30;

/// See the head of this file.
#[derive(Debug)]
pub struct Log {
    system: Arc<dyn FileSystem>,
    directory: PathBuf,
    options: LogOptions,
    end: Mutex<Appender>,
    /// The number of the last frame, for who wants to know without the lock.
    last: AtomicU64,
    commits: GroupCommit,
    /// What has failed, if anything has.
    poison: OnceLock<String>,
}

impl Log {
    /// A new log in a directory that is there and has none. The log and its name are durable when this returns.
    ///
    /// # Errors
    /// Of the file system.
    pub fn create(
        system: Arc<dyn FileSystem>,
        directory: &Path,
        store: u128,
        options: LogOptions,
    ) -> Result<Self> {
        let names = system.list(directory).map_err(Error::io("list", directory))?;
        for name in &names {
            let path = directory.join(name);
            match segment::named(name) {
                Named::Segment(_) | Named::Spare(_) => {
                    return Err(Error::Io {
                        operation: "create",
                        path,
                        source: ErrorKind::AlreadyExists.into(),
                    });
                }
                // Of a creation that was interrupted.
                Named::Unfinished => system.remove(&path).map_err(Error::io("remove", &path))?,
                Named::Foreign => {}
            }
        }
        let id = SegmentId { store, number: 1 };
        let capacity = options.capacity(id.number);
        let unfinished = segment::unfinished_path(directory, id.number);
        let blank = segment::blank(&*system, unfinished, capacity, None, options.fills_segments, false)?;
        let header = SegmentHeader { id, first: 1, capacity };
        let segment = segment::begin(&*system, directory, header, blank)?;
        let end = Appender::new(segment, SEGMENT_HEADER_BYTES, 1, VecDeque::new(), Vec::new());
        Ok(Self::at(system, directory, options, end))
    }

    /// Whether a log that is being made may have a file of this name.
    pub fn may_be_new(name: &str) -> bool {
        match segment::named(name) {
            Named::Segment(number) => number == 1,
            Named::Unfinished => true,
            Named::Spare(_) | Named::Foreign => false,
        }
    }

    /// Whether this is the name of a log's first segment, which is there as soon as the log is made.
    pub fn is_first(name: &str) -> bool {
        segment::named(name) == Named::Segment(1)
    }

    /// A log that ends there, all of it durable.
    fn at(system: Arc<dyn FileSystem>, directory: &Path, options: LogOptions, end: Appender) -> Self {
        let last = end.last();
        Self {
            system,
            directory: directory.to_path_buf(),
            options,
            end: Mutex::new(end),
            last: AtomicU64::new(last),
            commits: GroupCommit::new(last),
            poison: OnceLock::new(),
        }
    }

    /// Appends that a record was inserted or replaced. Returns the frame's number.
    ///
    /// # Errors
    /// [`Error::Poisoned`], or of the file system if a new segment is needed; nothing was appended then.
    #[inline]
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<u64> {
        self.append(FrameKind::Set, key, value)
    }

    /// Appends that a record was replaced if it was there.
    ///
    /// # Errors
    /// As [`Log::set`].
    #[inline]
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<u64> {
        self.append(FrameKind::Update, key, value)
    }

    /// Appends that a record was removed.
    ///
    /// # Errors
    /// As [`Log::set`].
    #[inline]
    pub fn delete(&self, key: &[u8]) -> Result<u64> {
        self.append(FrameKind::Delete, key, &[])
    }

    /// Appends sets and removals that are all there after a crash, or none of them. `scratch` is overwritten.
    ///
    /// # Errors
    /// As [`Log::set`].
    pub fn batch(&self, batch: &WriteBatch, scratch: &mut Vec<u8>) -> Result<u64> {
        scratch.clear();
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => format::put_operation(scratch, key, Some(value)),
                WriteOp::Delete { key } => format::put_operation(scratch, key, None),
            }
        }
        self.append(FrameKind::Batch, &[], scratch)
    }

    #[inline]
    fn append(&self, kind: FrameKind, key: &[u8], rest: &[u8]) -> Result<u64> {
        if key.len() > KEY_BYTES_MOST {
            return Err(Error::KeyTooLong { len: key.len(), limit: KEY_BYTES_MOST });
        }
        if rest.len() > PAYLOAD_BYTES_MOST {
            return Err(Error::ValueTooLong { len: rest.len(), limit: PAYLOAD_BYTES_MOST });
        }
        // What takes time is done before the lock.
        let payload = Payload::new(kind, key, rest);
        let mut end = self.end.lock();
        self.health()?;
        let place = self.place();
        let sequence = end
            .append(&payload, self.commits.synced(), &place)
            .inspect_err(|error| self.poison_after(error))?;
        // Relaxed: only the group commit looks, for how many frames it may wait for.
        self.last.store(sequence, Ordering::Relaxed);
        Ok(sequence)
    }

    fn place(&self) -> Place<'_> {
        Place { system: &*self.system, directory: &self.directory, options: &self.options }
    }

    /// Whether frames may be appended.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if not.
    pub fn health(&self) -> Result<()> {
        match self.poison.get() {
            None => Ok(()),
            Some(reason) => Err(Error::Poisoned { reason: reason.clone() }),
        }
    }

    /// A sync that failed is not tried again, whatever it was of.
    fn poison_after(&self, error: &Error) {
        if matches!(error, Error::Io { operation: "sync", .. } | Error::Damaged { .. }) {
            self.poison.get_or_init(|| error.to_string().trim_start_matches("cannot ").to_owned());
        }
    }

    /// Makes a file for the next segment, if there is none yet and the current one is half full: so whoever appends does not
    /// wait for that.
    ///
    /// # Errors
    /// Of the file system. The log goes on; who needs the segment makes it.
    pub fn prepare(&self) -> Result<()> {
        let Some(next) = self.end.lock().wants_next(&self.options) else { return Ok(()) };
        let path = segment::ahead_path(&self.directory, next.number);
        let spare = next.spare.as_deref();
        let is_filled = self.options.fills_segments;
        let blank = segment::blank(&*self.system, path, next.capacity, spare, is_filled, true);
        self.end.lock().put_next(blank)
    }

    /// Waits until a frame and all before it survive a power cut.
    ///
    /// # Errors
    /// Of the file system, if the sync failed; [`Error::Poisoned`] if one had failed before. The frame may be durable or not then.
    #[inline]
    pub fn commit(&self, sequence: u64) -> Result<()> {
        if self.commits.synced() >= sequence {
            return Ok(());
        }
        self.wait_for(sequence)
    }

    fn wait_for(&self, sequence: u64) -> Result<()> {
        let waited = self.commits.wait_for(
            sequence,
            || self.last.load(Ordering::Relaxed),
            || self.sync_files(),
            || self.poison.get().is_some(),
        );
        match waited {
            Ok(()) => Ok(()),
            Err(Failed::Now(error)) => Err(error),
            Err(Failed::Before) => self.health(),
        }
    }

    /// Syncs all frames there are; tells the number of the last of them. Poisons the log if that fails: what was written since the last
    /// sync may be lost though the system no longer thinks so, and a second sync would tell nothing.
    fn sync_files(&self) -> Result<u64> {
        let (files, last) = self.end.lock().to_sync();
        for file in &files {
            if let Err(source) = file.sync_data() {
                let error = Error::Io { operation: "sync", path: self.directory.clone(), source };
                self.poison_after(&error);
                return Err(error);
            }
        }
        self.end.lock().synced(&files);
        Ok(last)
    }

    /// Makes all frames that were appended before survive a power cut.
    ///
    /// # Errors
    /// As [`Log::commit`].
    pub fn sync(&self) -> Result<()> {
        let last = self.end.lock().last();
        self.commit(last)
    }

    /// Makes everything durable, and then a frame that says so: from then on any damage can be told from a crash.
    ///
    /// # Errors
    /// As [`Log::commit`].
    pub fn mark(&self) -> Result<()> {
        self.sync()?;
        let sequence = self.append(FrameKind::Mark, &[], &[])?;
        self.commit(sequence)
    }

    /// Bytes that were appended since the log was opened, and those of the segments that were read then.
    pub fn bytes(&self) -> u64 {
        self.end.lock().bytes()
    }

    /// Takes no more frames, for this reason.
    pub fn poison(&self, reason: &str) {
        self.poison.get_or_init(|| reason.to_owned());
    }

    /// The number of the last frame; 0 if there is none.
    pub fn last(&self) -> u64 {
        self.end.lock().last()
    }

    /// The number up to which frames are durable.
    pub fn synced(&self) -> u64 {
        self.commits.synced()
    }

    /// Syncs so far: each made a group of frames durable.
    pub fn syncs(&self) -> u64 {
        self.commits.syncs()
    }

    /// Segments there are.
    pub fn segments(&self) -> usize {
        self.end.lock().segments()
    }

    /// Gives up the segments that hold no frame behind number `upto`: some are kept to be used again, the others removed. Whoever opens the log
    /// later must say that he needs no frame up to there; that he can must be durable by now.
    ///
    /// # Errors
    /// Of the file system. What was not removed is removed when the log is opened.
    pub fn release(&self, upto: u64) -> Result<()> {
        let numbers = self.end.lock().release(upto);
        let is_empty = numbers.is_empty();
        for number in numbers {
            let path = segment::segment_path(&self.directory, number);
            if self.end.lock().wants_spare(&self.options) {
                let spare = segment::spare_path(&self.directory, number);
                self.system.rename(&path, &spare).map_err(Error::io("rename", &path))?;
                self.end.lock().add_spare(spare);
            } else {
                self.system.remove(&path).map_err(Error::io("remove", &path))?;
            }
        }
        if is_empty {
            return Ok(());
        }
        let synced = self.system.sync_directory(&self.directory);
        synced.map_err(Error::io("sync", &self.directory)).inspect_err(|error| self.poison_after(error))
    }
}

#[cfg(test)]
mod tests;
