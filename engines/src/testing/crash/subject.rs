//! A durable engine on a simulated file system.

use crate::engine::{Durability, Engine};
use crate::env::sim::SimFileSystem;
use crate::error::Result;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How an engine is opened on a file system.
type Open = dyn Fn(&SimFileSystem, &Path) -> Result<Box<dyn Engine>> + Send + Sync;

/// A durable engine in one class. It must do nothing on its own: no thread behind may touch the file system.
#[derive(Clone)]
pub struct CrashSubject {
    name: String,
    class: Durability,
    open: Arc<Open>,
}

impl CrashSubject {
    /// A subject that `open` opens in a directory whose parent is there.
    pub fn new(
        name: impl Into<String>,
        class: Durability,
        open: impl Fn(&SimFileSystem, &Path) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), class, open: Arc::new(open) }
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its class.
    pub const fn class(&self) -> Durability {
        self.class
    }

    /// Where its store is.
    pub fn directory() -> PathBuf {
        PathBuf::from("/store")
    }

    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// Of the engine.
    pub fn open(&self, system: &SimFileSystem) -> Result<Box<dyn Engine>> {
        (self.open)(system, &Self::directory())
    }

    /// Opens what a cut has left, and tells what is in it.
    ///
    /// # Panics
    /// If it does not open, or is not sound.
    pub(super) fn state_of(&self, system: &SimFileSystem, what: &str) -> u64 {
        let engine = self.open(system).unwrap_or_else(|error| panic!("{}: {what}: does not open: {error}", self.name));
        engine.validate().unwrap_or_else(|error| panic!("{}: {what}: {error}", self.name));
        state(&*engine)
    }
}

/// All records of an engine.
pub(super) fn records(engine: &dyn Engine) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut records = BTreeMap::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        assert!(records.insert(key.to_vec(), value.to_vec()).is_none(), "a record is visited twice");
        ControlFlow::Continue(())
    };
    engine.for_each(&mut visit).expect("visited");
    records
}

/// A number that stands for all records of an engine.
pub(super) fn state(engine: &dyn Engine) -> u64 {
    digest(&records(engine))
}

/// A number that stands for some records.
pub(super) fn digest(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> u64 {
    foldhash::quality::FixedState::with_seed(1).hash_one(records)
}
