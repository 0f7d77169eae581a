//! One thread's access to a durable engine.
//!
//! Thread safety: a session belongs to one thread; see [`super::store`] for what it shares. No latch is held while it waits for a sync.

use super::store::Store;
use crate::engine::{Existence, GetBuffer, ScanRange, Session, Visitor, WriteBatch};
use crate::error::Result;

/// A session of the engine inside, and what makes its writes durable.
pub(super) struct DurableSession<'s> {
    store: &'s Store,
    inner: Box<dyn Session + 's>,
    /// Encoded batches.
    scratch: Vec<u8>,
}

/// A session keeps no more scratch memory than this.
const KEPT_BYTES: usize = 1 << 20;

impl<'s> DurableSession<'s> {
    pub(super) fn new(store: &'s Store) -> Result<Self> {
        Ok(Self { store, inner: store.inner.session()?, scratch: Vec::new() })
    }

    fn trim(&mut self) {
        if self.scratch.capacity() > KEPT_BYTES {
            self.scratch = Vec::new();
        }
    }
}

impl Session for DurableSession<'_> {
    #[inline]
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.inner.get(key, value)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let store = self.store;
        store.capabilities.check_record(key, value)?;
        // While the log is written, the engine's memory comes.
        self.inner.prefetch(key);
        let latch = store.latches.of(key);
        let sequence = store.log.set(key, value)?;
        store.applied(self.inner.set(key, value), [key].into_iter())?;
        drop(latch);
        store.acknowledge(sequence)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        let store = self.store;
        store.capabilities.check_record(key, value)?;
        // While the log is written, the engine's memory comes.
        self.inner.prefetch(key);
        let latch = store.latches.of(key);
        let sequence = store.log.update(key, value)?;
        let is_there = store.applied(self.inner.update(key, value), [key].into_iter())?;
        drop(latch);
        if is_there {
            // Otherwise nothing was written that could be lost.
            store.acknowledge(sequence)?;
        }
        Ok(is_there)
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        let store = self.store;
        store.capabilities.check_key(key)?;
        // While the log is written, the engine's memory comes.
        self.inner.prefetch(key);
        let latch = store.latches.of(key);
        let sequence = store.log.delete(key)?;
        let existence = store.applied(self.inner.delete(key), [key].into_iter())?;
        drop(latch);
        store.acknowledge(sequence)?;
        Ok(existence)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        let store = self.store;
        store.capabilities.check_batch(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        let latches = store.latches.of_batch(batch);
        let sequence = store.log.batch(batch, &mut self.scratch)?;
        store.applied(self.inner.batch(batch), batch.iter().map(|operation| operation.key()))?;
        drop(latches);
        self.trim();
        store.acknowledge(sequence)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        self.inner.get_many(keys, values)
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        self.inner.scan(range, visit)
    }
}
