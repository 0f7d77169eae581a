//! Sorted records copied out of pages, to be dealt out to new ones: the workshop of splits, merges and bulk loads.
//!
//! # Invariants
//! Keys are pushed in strictly ascending order. `untruncated` has one more element than there are records; its
//! differences are the bytes of a record in a page without prefix truncation. A value kept apart is taken out at most once.
#![expect(
    clippy::indexing_slicing,
    reason = "ranges are within the number of records; a record's bytes lie where push put them"
)]

use super::leaf::Leaf;
use super::limits::Limits;
use super::page::{Page, RECORD_OVERHEAD_BYTES, Value, common_prefix_len};
use std::ops::Range;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Records {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    untruncated: Vec<usize>,
    large: Vec<Option<Box<[u8]>>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    key_len: usize,
    value: EntryValue,
}

#[derive(Clone, Copy, Debug)]
enum EntryValue {
    Inline(usize),
    Large(u32),
}

/// A value on its way between pages.
pub(super) enum Moved<'a> {
    /// The bytes, for the page.
    Inline(&'a [u8]),
    /// The bytes, kept apart.
    Large(Box<[u8]>),
}

impl<'a> Moved<'a> {
    /// A new value, apart if it is long.
    pub(super) fn new(value: &'a [u8], limits: &Limits) -> Self {
        if value.len() > limits.inline_value_bytes() {
            Self::Large(value.into())
        } else {
            Self::Inline(value)
        }
    }
}

impl Records {
    /// No records.
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new(), untruncated: vec![0], large: Vec::new() }
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets the records and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.untruncated.truncate(1);
        self.large.clear();
    }

    /// Appends a record whose key comes in two parts.
    pub(super) fn push(&mut self, prefix: &[u8], suffix: &[u8], value: Moved<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(prefix);
        self.bytes.extend_from_slice(suffix);
        let key_len = prefix.len() + suffix.len();
        let value = match value {
            Moved::Inline(bytes) => {
                self.bytes.extend_from_slice(bytes);
                EntryValue::Inline(bytes.len())
            }
            Moved::Large(bytes) => {
                self.large.push(Some(bytes));
                EntryValue::Large(self.large.len() as u32 - 1)
            }
        };
        self.entries.push(Entry { start, key_len, value });
        let cost = RECORD_OVERHEAD_BYTES + key_len + self.value(self.len() - 1).heap_bytes();
        self.untruncated.push(self.untruncated[self.len() - 1] + cost);
    }

    /// Takes the last record back.
    pub(super) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.untruncated.pop();
            self.bytes.truncate(entry.start);
            if matches!(entry.value, EntryValue::Large(_)) {
                self.large.pop();
            }
        }
    }

    /// The key at `index`.
    pub(super) fn key(&self, index: usize) -> &[u8] {
        let Entry { start, key_len, .. } = self.entries[index];
        &self.bytes[start..start + key_len]
    }

    fn value(&self, index: usize) -> Value<'_> {
        let Entry { start, key_len, value } = self.entries[index];
        match value {
            EntryValue::Inline(len) => Value::Inline(&self.bytes[start + key_len..start + key_len + len]),
            EntryValue::Large(number) => Value::Large(number),
        }
    }

    /// The shortest key that separates the records below `index` from those at and above it.
    pub(super) fn separator(&self, index: usize) -> Vec<u8> {
        separator(self.key(index - 1), self.key(index)).to_vec()
    }

    fn prefix_len(&self, range: &Range<usize>) -> usize {
        if range.len() < 2 { 0 } else { common_prefix_len(self.key(range.start), self.key(range.end - 1)) }
    }

    /// What [`Page::used`] will say of a page of these records.
    pub(super) fn used(&self, range: Range<usize>) -> usize {
        let prefix_len = self.prefix_len(&range);
        let bytes = self.untruncated[range.end] - self.untruncated[range.start];
        bytes + prefix_len - prefix_len * range.len()
    }

    /// The number `i` from 1 to `len - 1` for which the greater of `used(0..i)` and `used(i + gap..)` is least.
    /// The first grows and the second shrinks with `i`, so a binary search finds it. O(log n) comparisons of keys.
    pub(super) fn even_split(&self, gap: usize) -> usize {
        let (mut low, mut high) = (1, self.len() - gap - 1);
        let larger = |at: usize| self.used(0..at).max(self.used(at + gap..self.len()));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.used(0..middle) < self.used(middle + gap..self.len()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low > 1 && larger(low - 1) < larger(low) { low - 1 } else { low }
    }

    /// A page of the records of a range; values kept apart become the references that `number` gives.
    fn page(&self, range: Range<usize>, limits: &Limits, numbers: &[u32]) -> Page {
        let prefix_len = self.prefix_len(&range);
        let records = range.map(|index| {
            let value = match self.value(index) {
                Value::Large(number) => Value::Large(numbers[number as usize]),
                inline => inline,
            };
            (self.key(index), value)
        });
        Page::build(records, prefix_len, limits.buffer_floor())
    }

    /// A page of the keys of a range.
    pub(super) fn branch_page(&self, range: Range<usize>, limits: &Limits) -> Page {
        self.page(range, limits, &[])
    }

    /// A leaf of the records of a range; takes the values kept apart.
    pub(super) fn leaf(&mut self, range: Range<usize>, limits: &Limits) -> Leaf {
        let mut large = Vec::new();
        let mut numbers = vec![0; self.large.len()];
        for entry in &self.entries[range.clone()] {
            if let EntryValue::Large(number) = entry.value {
                numbers[number as usize] = large.len() as u32;
                large.push(self.large[number as usize].take());
            }
        }
        Leaf::from_parts(self.page(range, limits, &numbers), large)
    }
}

/// The shortest key that is greater than `left` and not greater than `right`, if `left < right`: the suffix truncation of
/// R. Bayer and K. Unterauer, *Prefix B-Trees* (1977).
pub(super) fn separator<'a>(left: &[u8], right: &'a [u8]) -> &'a [u8] {
    right.get(..=common_prefix_len(left, right)).unwrap_or(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_short_and_separate() {
        assert_eq!(separator(b"", b"abc"), b"a");
        assert_eq!(separator(b"abc", b"abd"), b"abd");
        assert_eq!(separator(b"abcdef", b"abx"), b"abx");
        assert_eq!(separator(b"ab", b"abcd"), b"abc");
    }

    #[test]
    fn an_even_split_is_the_best_one() {
        let limits = Limits::new(None, 4096);
        for seed in 0..50_usize {
            let mut records = Records::new();
            for n in 0..3 + seed % 20 {
                let key = format!("{:03}{}", n, "k".repeat((n * seed * 7919) % 300));
                records.push(b"common", key.as_bytes(), Moved::new(&[0; 30], &limits));
            }
            for gap in [0, 1] {
                let larger = |at: usize| records.used(0..at).max(records.used(at + gap..records.len()));
                let best = (1..records.len() - gap).map(larger).min();
                assert_eq!(best, Some(larger(records.even_split(gap))), "seed {seed}");
            }
        }
    }

    #[test]
    fn pages_use_what_was_foretold() {
        let limits = Limits::new(None, 512);
        let mut records = Records::new();
        for n in 0..20_u32 {
            records.push(b"key", &n.to_be_bytes(), Moved::new(&vec![1; n as usize * 10], &limits));
        }
        let foretold = [records.used(0..9), records.used(9..20)];
        let leaves = [records.leaf(0..9, &limits), records.leaf(9..20, &limits)];
        assert_eq!(leaves.map(|leaf| leaf.page().used()), foretold);
    }
}
