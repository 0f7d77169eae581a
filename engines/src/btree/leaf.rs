//! A leaf: a page of records, and the values that are too long for it.
//!
//! # Thread safety / Invariants
//! Plain data behind its node's latch. Each reference in the page names a value in `large`, and each value in `large`
//! is named once.
#![expect(clippy::indexing_slicing, reason = "references in the page name values of this leaf")]

use super::limits::Limits;
use super::page::{LARGE_HEAP_BYTES, Page, RECORD_OVERHEAD_BYTES, SLOT_BYTES, Value};
use super::records::{Moved, Records};
use super::write::Write;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Leaf {
    page: Page,
    large: Vec<Option<Box<[u8]>>>,
}

/// What came of a write that may not change the shape of the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Attempt {
    /// Done; the key was there before.
    Done(bool),
    /// Nothing changed: the record does not fit, the leaf must be split.
    Overflow,
    /// Nothing changed: too little would be left, the leaf must be joined with a neighbour.
    Underflow,
}

impl Leaf {
    /// An empty leaf.
    pub(super) fn new(limits: &Limits) -> Self {
        Self::from_parts(Page::new(limits.buffer_floor()), Vec::new())
    }

    /// A leaf of a page and the values it refers to.
    pub(super) const fn from_parts(page: Page, large: Vec<Option<Box<[u8]>>>) -> Self {
        Self { page, large }
    }

    /// Its page.
    #[inline]
    pub(super) const fn page(&self) -> &Page {
        &self.page
    }

    /// Number of records.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.page.len()
    }

    /// The value at `index`.
    #[inline]
    pub(super) fn value(&self, index: usize) -> &[u8] {
        match self.page.value(index) {
            Value::Inline(bytes) => bytes,
            Value::Large(number) => self.large[number as usize].as_deref().unwrap_or_default(),
        }
    }

    /// The value of the key.
    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.page.search(key).ok().map(|index| self.value(index))
    }

    /// Applies a write if the leaf stays within its limits. A leaf that is the whole tree (`alone`) cannot underflow.
    pub(super) fn attempt(&mut self, write: &Write<'_>, limits: &Limits, alone: bool) -> Attempt {
        let position = self.page.search(write.key);
        let (len, used) = (self.len(), self.page.used());
        let underflows = |records, used| !alone && limits.leaf_is_underfull(records, used);
        match (position, write.value) {
            (Err(_), None) => Attempt::Done(false),
            (Err(_), Some(_)) if write.only_existing => Attempt::Done(false),
            (Err(index), Some(value)) => {
                let value_bytes = heap_bytes(value, limits);
                if !limits.leaf_fits(len + 1, self.page.used_with(write.key, value_bytes)) {
                    // A leaf that was filled record by record may not have truncated its prefix yet.
                    let used = self.page.used_with_longest_prefix(write.key, value_bytes);
                    if !limits.leaf_fits(len + 1, used) {
                        return Attempt::Overflow;
                    }
                    self.page.lengthen_prefix(limits.buffer_floor());
                }
                self.insert(index, write.key, value, limits);
                Attempt::Done(false)
            }
            (Ok(index), None) => {
                if underflows(len - 1, used - SLOT_BYTES - self.page.record_bytes(index)) {
                    return Attempt::Underflow;
                }
                self.remove(index, limits);
                Attempt::Done(true)
            }
            (Ok(index), Some(value)) => {
                let (old, new) = (self.page.value(index).heap_bytes(), heap_bytes(value, limits));
                let used = used - old + new;
                if new > old && !limits.leaf_fits(len, used) {
                    return Attempt::Overflow;
                }
                if new < old && underflows(len, used) {
                    return Attempt::Underflow;
                }
                self.replace(index, write.key, value, limits);
                Attempt::Done(true)
            }
        }
    }

    /// Applies a write that makes the leaf smaller, whatever is left then.
    pub(super) fn shrink(&mut self, write: &Write<'_>, limits: &Limits) {
        match (self.page.search(write.key), write.value) {
            (Ok(index), None) => self.remove(index, limits),
            (Ok(index), Some(value)) => self.replace(index, write.key, value, limits),
            (Err(_), _) => {}
        }
    }

    fn insert(&mut self, index: usize, key: &[u8], value: &[u8], limits: &Limits) {
        let Self { page, large } = self;
        page.insert(index, key, store(large, value, limits), limits.buffer_floor());
    }

    fn replace(&mut self, index: usize, key: &[u8], value: &[u8], limits: &Limits) {
        if let Value::Large(number) = self.page.value(index) {
            self.large[number as usize] = None;
        }
        let Self { page, large } = self;
        page.replace(index, key, store(large, value, limits), limits.buffer_floor());
        page.trim(limits.buffer_floor());
    }

    fn remove(&mut self, index: usize, limits: &Limits) {
        if let Value::Large(number) = self.page.value(index) {
            self.large[number as usize] = None;
        }
        self.page.remove(index);
        self.page.trim(limits.buffer_floor());
    }

    /// Moves all records out, with the set of `write` applied if there is one. Tells where the written record is now.
    pub(super) fn drain_into(
        &mut self,
        records: &mut Records,
        write: Option<(&[u8], &[u8])>,
        limits: &Limits,
    ) -> Option<usize> {
        let position = write.map(|(key, value)| (self.page.search(key), key, value));
        let mut written = None;
        for index in 0..=self.len() {
            let mut replaced = false;
            if let Some((at, key, value)) = position
                && (at == Ok(index) || at == Err(index))
            {
                written = Some(records.len());
                replaced = at.is_ok();
                records.push(&[], key, Moved::new(value, limits));
            }
            if index == self.len() || replaced {
                continue;
            }
            let (suffix, value) = self.page.record(index);
            let value = match value {
                Value::Inline(bytes) => Moved::Inline(bytes),
                Value::Large(number) => Moved::Large(self.large[number as usize].take().unwrap_or_default()),
            };
            records.push(self.page.prefix(), suffix, value);
        }
        written
    }

    /// Key and value bytes of the records.
    pub(super) fn live_bytes(&self) -> usize {
        let large = self.large.iter().flatten();
        let overhead = self.len() * RECORD_OVERHEAD_BYTES + large.clone().count() * LARGE_HEAP_BYTES;
        self.page.untruncated() - overhead + large.map(|value| value.len()).sum::<usize>()
    }

    /// Bytes of memory outside of the node itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let values: usize = self.large.iter().flatten().map(|value| value.len()).sum();
        self.page.capacity() + self.large.capacity() * size_of::<Option<Box<[u8]>>>() + values
    }

    /// Checks the leaf's own invariants.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), String> {
        self.page.check()?;
        let mut named = vec![false; self.large.len()];
        for index in 0..self.len() {
            match self.page.value(index) {
                Value::Inline(bytes) if bytes.len() > limits.inline_value_bytes() => {
                    return Err(format!("the value of record {index} is too long to be in the page"));
                }
                Value::Inline(_) => {}
                Value::Large(number) => {
                    match (named.get_mut(number as usize), self.large.get(number as usize)) {
                        (Some(named), Some(Some(_))) if !*named => *named = true,
                        _ => return Err(format!("record {index} has no value of its own")),
                    }
                }
            }
        }
        match self.large.iter().zip(named).position(|(value, named)| value.is_some() && !named) {
            Some(number) => Err(format!("value {number} belongs to no record")),
            None => Ok(()),
        }
    }
}

/// What a value will take in the page.
fn heap_bytes(value: &[u8], limits: &Limits) -> usize {
    if value.len() > limits.inline_value_bytes() { LARGE_HEAP_BYTES } else { value.len() }
}

/// Puts a value apart if it is long.
fn store<'a>(large: &mut Vec<Option<Box<[u8]>>>, value: &'a [u8], limits: &Limits) -> Value<'a> {
    match Moved::new(value, limits) {
        Moved::Inline(bytes) => Value::Inline(bytes),
        Moved::Large(bytes) => {
            let number = large.iter().position(Option::is_none).unwrap_or_else(|| {
                large.push(None);
                large.len() - 1
            });
            large[number] = Some(bytes);
            Value::Large(number as u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_kept_apart_and_their_places_reused() {
        let limits = Limits::new(None, 512);
        let mut leaf = Leaf::new(&limits);
        let (long, short) = (vec![1; 200], vec![2; 100]);
        for round in 0..10 {
            for key in [b"a", b"b"] {
                assert_eq!(leaf.attempt(&Write::set(key, &long), &limits, true), Attempt::Done(round > 0));
                assert_eq!(leaf.get(key), Some(&long[..]));
            }
            assert_eq!(leaf.attempt(&Write::set(b"b", &short), &limits, true), Attempt::Done(true));
            assert_eq!(leaf.get(b"b"), Some(&short[..]));
            assert_eq!(leaf.live_bytes(), 302);
            leaf.check(&limits).unwrap();
        }
        assert_eq!(leaf.large.len(), 2);
        leaf.large[1] = Some(Box::new([]));
        assert!(leaf.check(&limits).unwrap_err().contains("belongs to no record"));
        leaf.large.clear();
        assert!(leaf.check(&limits).unwrap_err().contains("no value of its own"));
    }
}
