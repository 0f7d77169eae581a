//! One thread's access to the tree: its operations, and the buffer of its scans.
//!
//! Thread safety: a session belongs to one thread; the tree is shared.

use super::BTree;

use super::buffer::Buffer;
use crate::direct::Direct;
use crate::engine::{Existence, GetBuffer, ScanRange, Session, Visitor, WriteBatch};
use crate::error::Result;

/// A session of [`BTree`].
#[derive(Debug)]
pub(super) struct BTreeSession<'t> {
    tree: &'t BTree,
    buffer: Buffer,
}

impl<'t> BTreeSession<'t> {
    /// With an empty buffer.
    pub(super) fn new(tree: &'t BTree) -> Self {
        Self { tree, buffer: Buffer::default() }
    }
}

impl Session for BTreeSession<'_> {
    #[inline]
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.tree.get(key, value)
    }

    #[inline]
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.tree.set(key, value)
    }

    #[inline]
    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.tree.update(key, value)
    }

    #[inline]
    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.tree.delete(key)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        self.tree.batch(batch)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        self.tree.get_many(keys, values)
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        Ok(self.tree.scan_range(range, &mut self.buffer, visit))
    }
}
