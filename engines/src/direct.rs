//! The session of an engine that needs no state of its own per thread but a buffer for scans.

use crate::chunk::Chunk;
use crate::engine::{Existence, GetBuffer, ScanRange, Session, Visitor, WriteBatch};
use crate::error::Result;

/// An engine whose operations take `&self`; [`DirectSession`] makes a [`Session`] of it. The operations mean what
/// [`Session`] says.
pub trait Direct: Sync {
    /// See [`Session::get`].
    ///
    /// # Errors
    /// As there.
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool>;
    /// See [`Session::set`].
    ///
    /// # Errors
    /// As there.
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()>;
    /// See [`Session::update`].
    ///
    /// # Errors
    /// As there.
    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool>;
    /// See [`Session::delete`].
    ///
    /// # Errors
    /// As there.
    fn delete(&self, key: &[u8]) -> Result<Existence>;
    /// See [`Session::batch`].
    ///
    /// # Errors
    /// As there.
    fn batch(&self, batch: &WriteBatch) -> Result<()>;
    /// See [`Session::get_many`].
    ///
    /// # Errors
    /// As there.
    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()>;
    /// See [`Session::prefetch`].
    fn prefetch(&self, key: &[u8]) {
        let _ = key;
    }
    /// See [`Session::scan`]; `chunk` is the session's buffer.
    ///
    /// # Errors
    /// As there.
    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64>;
}

/// A session that passes everything on.
pub struct DirectSession<'a, E> {
    engine: &'a E,
    chunk: Chunk,
}

impl<'a, E: Direct> DirectSession<'a, E> {
    /// A session of `engine`.
    pub fn new(engine: &'a E) -> Self {
        Self { engine, chunk: Chunk::new() }
    }
}

impl<E: Direct> Session for DirectSession<'_, E> {
    #[inline]
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.engine.get(key, value)
    }

    #[inline]
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.engine.set(key, value)
    }

    #[inline]
    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.engine.update(key, value)
    }

    #[inline]
    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.engine.delete(key)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        self.engine.batch(batch)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        self.engine.get_many(keys, values)
    }

    #[inline]
    fn prefetch(&mut self, key: &[u8]) {
        self.engine.prefetch(key);
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        self.engine.scan(range, &mut self.chunk, visit)
    }
}
