//! How much was tried: a wrapper that counts operations.
//!
//! Thread safety: each session counts for itself and adds its sum to the shared figure when it is dropped.

use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::error::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Figures of what was tried.
#[derive(Debug, Default)]
pub struct Tally {
    /// Engines opened.
    pub engines: AtomicU64,
    /// Random sequences of operations run to the end.
    pub cases: AtomicU64,
    /// Operations of sessions.
    pub operations: AtomicU64,
}

impl Tally {
    /// The figures in words.
    pub fn summary(&self) -> String {
        let (engines, cases) = (self.engines.load(Relaxed), self.cases.load(Relaxed));
        format!("{} operations on {engines} engines, {cases} random cases", self.operations.load(Relaxed))
    }
}

/// An engine whose operations are counted.
pub(super) struct Counted {
    inner: Box<dyn Engine>,
    tally: Arc<Tally>,
}

impl Counted {
    pub(super) fn new(inner: Box<dyn Engine>, tally: Arc<Tally>) -> Self {
        tally.engines.fetch_add(1, Relaxed);
        Self { inner, tally }
    }
}

impl Engine for Counted {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(CountedSession { inner: self.inner.session()?, tally: &self.tally, operations: 0 }))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.inner.for_each(visit)
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }

    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        self.inner.bulk_load(records)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn compact(&self) -> Result<()> {
        self.inner.compact()
    }

    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        self.inner.wait_idle(limit)
    }

    fn validate(&self) -> Result<()> {
        self.inner.validate()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.inner.close()
    }
}

struct CountedSession<'a> {
    inner: Box<dyn Session + 'a>,
    tally: &'a Tally,
    operations: u64,
}

impl Drop for CountedSession<'_> {
    fn drop(&mut self) {
        self.tally.operations.fetch_add(self.operations, Relaxed);
    }
}

impl Session for CountedSession<'_> {
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.operations += 1;
        self.inner.get(key, value)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.operations += 1;
        self.inner.set(key, value)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.operations += 1;
        self.inner.update(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.operations += 1;
        self.inner.delete(key)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        self.operations += 1;
        self.inner.batch(batch)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        self.operations += 1;
        self.inner.get_many(keys, values)
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        self.operations += 1;
        self.inner.scan(range, visit)
    }
}
