//! A file system in memory that can lose power before any of its operations, and fail at any of its calls.
//!
//! It keeps two images: the live one, which is what its users read, and the durable one, which is what is left after a power cut at
//! the worst: bytes as of the last sync of their file, names as of the last sync of their directory. In between lie the changes
//! that no sync has covered. [`SimFileSystem::image`] makes the file system that a machine may find after a cut, by choosing
//! among these changes; what may be chosen is said in `image`.
//!
//! Calls are counted. A [`Fault`] makes the n-th call fail. An observer is called before each change (a write, a store, a sync, a new
//! size, name or directory), which is where a cut makes a difference. There is no time and no thread in here, so one sequence of calls
//! and one seed give one result.
//!
//! Thread safety: one mutex around everything. An observer runs without it and may use the file system, but not write to it.

mod fault;
mod file;
mod image;
mod inode;
mod names;
mod random;

pub use fault::{Fault, FaultKind};
pub use image::Persistence;
pub use random::SimRandom;

use super::{Access, File, FileSystem, Lock};
use fault::Faults;
use file::SimFile;
use inode::Inode;
use names::Names;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The number of an inode.
type InodeId = usize;

/// What is called before a change: the file system as it is, and what is about to change it.
pub type Observer = Box<dyn FnMut(&SimFileSystem, &'static str) + Send>;

/// See the head of this file. A clone is the same file system.
#[derive(Clone, Default)]
pub struct SimFileSystem {
    state: Arc<Mutex<State>>,
    /// Which process this is: handles of one that was killed do nothing any more.
    process: u64,
}

#[derive(Default)]
struct State {
    inodes: Vec<Inode>,
    names: Names,
    locked: BTreeSet<PathBuf>,
    faults: Faults,
    observer: Option<Observer>,
    process: u64,
    calls: u64,
    changes: u64,
    syncs: u64,
    ids: u64,
}

impl fmt::Debug for SimFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFileSystem").finish_non_exhaustive()
    }
}

impl SimFileSystem {
    /// An empty file system, with a root directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// One with a directory that is durable.
    pub fn with_directory(path: &Path) -> Self {
        let system = Self::new();
        system.state.lock().names.plant_directory(path);
        system
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// Changes so far.
    pub fn changes(&self) -> u64 {
        self.state.lock().changes
    }

    /// Syncs of files and directories that succeeded so far.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// From now on this is called before each change; `None`: nothing is.
    pub fn observe(&self, observer: Option<Observer>) {
        self.state.lock().observer = observer;
    }

    /// Lets a call fail. Calls are counted from 0, from the beginning of the file system.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().faults.add(fault);
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.state.lock().faults = Faults::default();
    }

    /// The paths of all files.
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.state.lock();
        state.names.files().map(|(path, _)| path.to_path_buf()).collect()
    }

    /// The bytes of a file, if it is there.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let inode = state.names.file(path).ok()?;
        Some(state.inodes.get(inode)?.bytes().to_vec())
    }

    /// Puts a durable file with these bytes there, as if by somebody else.
    pub fn plant(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state.lock();
        let inode = state.inodes.len();
        state.inodes.push(Inode::durable(bytes.to_vec()));
        state.names.plant(path, inode);
    }

    /// A copy in which everything is durable and nobody has a lock.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.state.lock();
        let inodes = state.inodes.iter().map(|inode| Inode::durable(inode.bytes().to_vec())).collect();
        let copy = State { inodes, names: state.names.all_durable(), ids: state.ids, ..State::default() };
        Self { state: Arc::new(Mutex::new(copy)), process: 0 }
    }

    /// What a machine may find after the power was cut now.
    #[must_use]
    pub fn image(&self, persistence: Persistence, random: &mut SimRandom) -> Self {
        let state = self.state.lock();
        let inodes = state.inodes.iter().map(|inode| Inode::durable(inode.image(persistence, random)));
        let copy = State {
            inodes: inodes.collect(),
            names: state.names.image(persistence, random),
            ids: state.ids + 1_000,
            ..State::default()
        };
        Self { state: Arc::new(Mutex::new(copy)), process: 0 }
    }

    /// Kills the process whose file system this is: its locks are free, and what it still does has no effect. What it has written stays, and
    /// is no more durable than before. Returns the file system of the next one.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut state = self.state.lock();
        state.process += 1;
        state.locked.clear();
        Self { state: Arc::clone(&self.state), process: state.process }
    }

    /// Whether this process lives.
    fn lives(&self) -> bool {
        self.state.lock().process == self.process
    }

    /// Counts a call, and lets it fail if it is to. `None`: it may go on; a number of bytes: only so far.
    fn call(&self) -> Result<Option<FaultKind>> {
        let mut state = self.state.lock();
        if state.process != self.process {
            return Err(Error::other("this process was killed"));
        }
        let call = state.calls;
        state.calls += 1;
        match state.faults.at(call) {
            Some(FaultKind::Error(kind)) => Err(Error::new(kind, "injected")),
            other => Ok(other),
        }
    }

    /// Counts a change, and tells the observer of it before it is made.
    fn change(&self, what: &'static str) {
        let observer = {
            let mut state = self.state.lock();
            state.changes += 1;
            state.observer.take()
        };
        if let Some(mut observer) = observer {
            observer(self, what);
            self.state.lock().observer.get_or_insert(observer);
        }
    }
}

impl FileSystem for SimFileSystem {
    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        self.call()?;
        self.change("create");
        let mut state = self.state.lock();
        let inode = state.inodes.len();
        state.names.link(path, inode)?;
        state.inodes.push(Inode::default());
        Ok(Box::new(SimFile::new(self.clone(), inode, Access::ReadWrite)))
    }

    fn open(&self, path: &Path, access: Access) -> Result<Box<dyn File>> {
        self.call()?;
        let inode = self.state.lock().names.file(path)?;
        Ok(Box::new(SimFile::new(self.clone(), inode, access)))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call()?;
        self.change("rename");
        self.state.lock().names.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.call()?;
        self.change("remove");
        self.state.lock().names.unlink(path)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.call()?;
        self.change("create_directory");
        self.state.lock().names.create_directory(path)
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        self.call()?;
        self.state.lock().names.list(directory)
    }

    fn sync_directory(&self, directory: &Path) -> Result<()> {
        self.call()?;
        self.change("sync_directory");
        let mut state = self.state.lock();
        state.syncs += 1;
        state.names.sync(directory)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>> {
        self.call()?;
        let mut state = self.state.lock();
        if !state.locked.insert(path.to_path_buf()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        if state.names.file(path).is_err() {
            let inode = state.inodes.len();
            state.inodes.push(Inode::default());
            state.names.link(path, inode)?;
        }
        drop(state);
        Ok(Box::new(SimLock { system: self.clone(), path: path.to_path_buf() }))
    }

    fn unique_id(&self) -> Result<u128> {
        self.call()?;
        let mut state = self.state.lock();
        state.ids += 1;
        let mut random = SimRandom::new(state.ids);
        Ok(u128::from(random.next()) << 64 | u128::from(random.next()))
    }
}

#[derive(Debug)]
struct SimLock {
    system: SimFileSystem,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.system.state.lock();
        if state.process == self.system.process {
            state.locked.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
