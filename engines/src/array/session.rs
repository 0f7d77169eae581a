//! A thread's session of the array: the engine and a page for scans.

use super::Array;
use super::page::Page;
use crate::direct::Direct;
use crate::engine::{Existence, GetBuffer, ScanRange, Session, Visitor, WriteBatch};
use crate::error::Result;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct ArraySession<'a> {
    array: &'a Array,
    page: Page,
}

impl<'a> ArraySession<'a> {
    /// A session of an array.
    pub(super) fn new(array: &'a Array) -> Self {
        Self { array, page: Page::default() }
    }
}

impl Session for ArraySession<'_> {
    #[inline]
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.array.get(key, value)
    }

    #[inline]
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.array.set(key, value)
    }

    #[inline]
    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.array.update(key, value)
    }

    #[inline]
    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.array.delete(key)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        self.array.batch(batch)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        self.array.get_many(keys, values)
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        Ok(self.array.scan_pages(range, &mut self.page, visit))
    }
}
