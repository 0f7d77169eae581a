//! The slotted page: sorted records of key and small value in one byte buffer, for leaves and branches alike.
//!
//! ```text
//! | prefix | slot 0 | slot 1 | … | slot n-1 |   gap   | heap of records, in any order, with holes |
//! ```
//!
//! The prefix is shared by all keys and stored once. A slot is 8 bytes: the *head*, the first four bytes of the key behind the
//! prefix as a big-endian number (short keys padded with zeros), and the record's place in the heap. A binary search
//! compares heads and touches the heap only where heads are equal. A record in the heap is a header of 4 bytes (17 bits of key
//! length, 15 bits of value length), the key behind the prefix, and the value, or a reference to a value kept apart.
//!
//! Prefix truncation and heads ("poor man's normalized keys") are described in G. Graefe, *Modern B-Tree
//! Techniques* (2011), section 3.
//!
//! # Thread safety / Invariants
//! A page is plain data behind its node's latch. Slots are sorted by strictly ascending key; every key starts with the prefix;
//! `prefix + 8 × count ≤ heap_start ≤ buffer length`; `heap_live` is the sum of the record lengths. A page never refuses a
//! record: the buffer grows, and who calls decides beforehand by [`Page::used_with`] whether it should.
#![expect(
    clippy::indexing_slicing,
    reason = "offsets come from the page's own slots, whose bounds are the invariants above; indices are below count"
)]

use std::cmp::Ordering;

/// Bytes of a slot.
pub(super) const SLOT_BYTES: usize = 8;
/// Bytes of a record's header in the heap.
pub(super) const HEADER_BYTES: usize = 4;
/// What a record costs beyond key and value.
pub(super) const RECORD_OVERHEAD_BYTES: usize = SLOT_BYTES + HEADER_BYTES;
/// The longest value that the header can describe, and so the most an inline threshold may be.
pub(super) const INLINE_LIMIT_BYTES: usize = 16 << 10;

const VALUE_BITS: u32 = 15;
/// The value length that stands for "a reference to a value kept apart".
const LARGE: u32 = (1 << VALUE_BITS) - 1;
const REFERENCE_BYTES: usize = 4;

/// A value as the page stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// The bytes themselves.
    Inline(&'a [u8]),
    /// The number of a value that the leaf keeps apart.
    Large(u32),
}

impl Value<'_> {
    /// What the value takes in the heap.
    pub(super) const fn heap_bytes(self) -> usize {
        match self {
            Self::Inline(bytes) => bytes.len(),
            Self::Large(_) => REFERENCE_BYTES,
        }
    }
}

/// What a value kept apart takes in the heap.
pub(super) const LARGE_HEAP_BYTES: usize = REFERENCE_BYTES;

/// Length of the longest common prefix.
pub(super) fn common_prefix_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// The first four bytes as a number that orders like the bytes: `head(a) < head(b)` implies `a < b`.
#[inline]
fn head(suffix: &[u8]) -> u32 {
    match suffix.first_chunk::<4>() {
        Some(bytes) => u32::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 4];
            bytes[..suffix.len()].copy_from_slice(suffix);
            u32::from_be_bytes(bytes)
        }
    }
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Page {
    buffer: Box<[u8]>,
    prefix_len: u32,
    count: u32,
    heap_start: u32,
    heap_live: u32,
}

impl Page {
    /// An empty page with a buffer of `floor` bytes.
    pub(super) fn new(floor: usize) -> Self {
        Self::with_prefix(&[], floor)
    }

    /// A page of sorted records whose keys share `prefix_len` bytes. Its first record lies first in the heap.
    pub(super) fn build<'a, I>(records: I, prefix_len: usize, floor: usize) -> Self
    where
        I: DoubleEndedIterator<Item = (&'a [u8], Value<'a>)> + ExactSizeIterator + Clone,
    {
        let bytes: usize = records
            .clone()
            .map(|(key, value)| RECORD_OVERHEAD_BYTES + key.len() - prefix_len + value.heap_bytes())
            .sum();
        let prefix = records.clone().next().map_or(&[][..], |(key, _)| &key[..prefix_len]);
        let mut page = Self::with_prefix(prefix, capacity(prefix_len + bytes, floor));
        page.count = records.len() as u32;
        for (index, (key, value)) in records.enumerate().rev() {
            page.place(index, &[], &key[prefix_len..], value);
        }
        page
    }

    fn with_prefix(prefix: &[u8], capacity: usize) -> Self {
        let mut buffer = vec![0; capacity].into_boxed_slice();
        buffer[..prefix.len()].copy_from_slice(prefix);
        Self {
            prefix_len: prefix.len() as u32,
            count: 0,
            heap_start: buffer.len() as u32,
            heap_live: 0,
            buffer,
        }
    }

    /// Number of records.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    /// Bytes in use: prefix, slots and live records.
    pub(super) fn used(&self) -> usize {
        self.prefix_len as usize + self.len() * SLOT_BYTES + self.heap_live as usize
    }

    /// Bytes the records would use if no prefix were truncated.
    pub(super) fn untruncated(&self) -> usize {
        self.len() * (SLOT_BYTES + self.prefix_len as usize) + self.heap_live as usize
    }

    /// Bytes in use after an insert of a key that is not there, with a value of `value_bytes` in the heap. An upper bound:
    /// the insert may find a longer prefix.
    pub(super) fn used_with(&self, key: &[u8], value_bytes: usize) -> usize {
        if self.count == 0 {
            return RECORD_OVERHEAD_BYTES + key.len() + value_bytes;
        }
        let shared = common_prefix_len(self.prefix(), key);
        let lost = self.prefix_len as usize - shared;
        self.used() - lost + lost * self.len() + RECORD_OVERHEAD_BYTES + key.len() - shared + value_bytes
    }

    /// Bytes in use after the same insert, if the prefix is made as long as the keys allow before.
    pub(super) fn used_with_longest_prefix(&self, key: &[u8], value_bytes: usize) -> usize {
        let prefix_len = match self.count {
            0 => 0,
            _ => self.content_prefix_len().min(common_prefix_len(&self.key(0), key)),
        };
        let untruncated = self.untruncated() + RECORD_OVERHEAD_BYTES + key.len() + value_bytes;
        untruncated - prefix_len * self.len()
    }

    /// Length of the buffer.
    pub(super) fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes that all keys start with.
    #[inline]
    pub(super) fn prefix(&self) -> &[u8] {
        &self.buffer[..self.prefix_len as usize]
    }

    /// Where the key is, or where it would be inserted.
    #[inline]
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let prefix = self.prefix();
        let Some(suffix) = key.strip_prefix(prefix) else {
            return Err(if key < prefix { 0 } else { self.len() });
        };
        let head = u64::from(head(suffix));
        let slots = self.slots();
        let mut low = slots.partition_point(|slot| u64::from_le_bytes(*slot) < head << 32);
        let is_candidate = |slot: &[u8; SLOT_BYTES]| u64::from_le_bytes(*slot) >> 32 == head;
        if !slots.get(low).is_some_and(is_candidate) {
            return Err(low);
        }
        match self.suffix(low).cmp(suffix) {
            Ordering::Equal => return Ok(low),
            Ordering::Greater => return Err(low),
            Ordering::Less => low += 1,
        }
        let mut high = low + slots[low..].partition_point(is_candidate);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.suffix(middle).cmp(suffix) {
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
                Ordering::Less => low = middle + 1,
            }
        }
        Err(low)
    }

    /// The key at `index`, without the prefix.
    #[inline]
    pub(super) fn suffix(&self, index: usize) -> &[u8] {
        self.record(index).0
    }

    /// The key at `index` without the prefix, and the value.
    #[inline]
    pub(super) fn record(&self, index: usize) -> (&[u8], Value<'_>) {
        let offset = self.offset(index);
        let (key_len, field) = self.header(offset);
        let body = &self.buffer[offset + HEADER_BYTES..];
        let (suffix, rest) = body.split_at(key_len);
        let value = if field == LARGE {
            Value::Large(rest.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
        } else {
            Value::Inline(&rest[..field as usize])
        };
        (suffix, value)
    }

    /// The value at `index`.
    #[inline]
    pub(super) fn value(&self, index: usize) -> Value<'_> {
        self.record(index).1
    }

    /// The whole key at `index`.
    pub(super) fn key(&self, index: usize) -> Vec<u8> {
        [self.prefix(), self.suffix(index)].concat()
    }

    /// What the record at `index` takes in the heap.
    pub(super) fn record_bytes(&self, index: usize) -> usize {
        let (suffix, value) = self.record(index);
        HEADER_BYTES + suffix.len() + value.heap_bytes()
    }

    /// Inserts a record at the place that [`Page::search`] named. The buffer grows or is rebuilt if it must; a buffer is
    /// never shorter than `floor`.
    pub(super) fn insert(&mut self, index: usize, key: &[u8], value: Value<'_>, floor: usize) {
        if self.count == 0 {
            self.prefix_len = 0;
            self.heap_start = self.buffer.len() as u32;
        }
        if !key.starts_with(self.prefix()) {
            let shared = common_prefix_len(self.prefix(), key);
            self.rebuild(shared, RECORD_OVERHEAD_BYTES + key.len() - shared + value.heap_bytes(), floor);
        }
        let need = RECORD_OVERHEAD_BYTES + key.len() - self.prefix_len as usize + value.heap_bytes();
        if self.slots_end() + need > self.heap_start as usize {
            let shared = if self.count == 0 { 0 } else { common_prefix_len(&self.key(0), key) };
            self.rebuild(self.content_prefix_len().min(shared), need, floor);
        }
        let (from, to) = (self.slot_start(index), self.slots_end());
        self.buffer.copy_within(from..to, from + SLOT_BYTES);
        self.count += 1;
        self.place(index, &[], &key[self.prefix_len as usize..], value);
    }

    /// Replaces the value of the record at `index`, whose whole key is `key`; in place if it is not longer.
    pub(super) fn replace(&mut self, index: usize, key: &[u8], value: Value<'_>, floor: usize) {
        let old = self.record_bytes(index);
        let suffix_len = key.len() - self.prefix_len as usize;
        let new = HEADER_BYTES + suffix_len + value.heap_bytes();
        if new > old {
            self.remove(index);
            self.insert(index, key, value, floor);
        } else {
            let offset = self.offset(index);
            self.write_header(offset, suffix_len, value);
            self.write_value(offset + HEADER_BYTES + suffix_len, value);
            self.heap_live -= (old - new) as u32;
        }
    }

    /// Removes the record at `index`.
    pub(super) fn remove(&mut self, index: usize) {
        let (offset, bytes) = (self.offset(index), self.record_bytes(index));
        if offset == self.heap_start as usize {
            self.heap_start += bytes as u32;
        }
        self.heap_live -= bytes as u32;
        let (from, to) = (self.slot_start(index + 1), self.slots_end());
        self.buffer.copy_within(from..to, from - SLOT_BYTES);
        self.count -= 1;
    }

    /// Makes a buffer that is mostly empty smaller, as after the removal of a very large record.
    pub(super) fn trim(&mut self, floor: usize) {
        if self.buffer.len() > floor && self.used() < self.buffer.len() / 4 {
            self.rebuild(self.prefix_len as usize, 0, floor);
        }
    }

    /// Truncates a longer prefix if all keys share one.
    pub(super) fn lengthen_prefix(&mut self, floor: usize) {
        let shared = self.content_prefix_len();
        if shared > self.prefix_len as usize {
            self.rebuild(shared, 0, floor);
        }
    }

    /// Length of the prefix that all keys share; the present one if there are fewer than two keys.
    fn content_prefix_len(&self) -> usize {
        let shared = match self.len() {
            0 | 1 => 0,
            count => common_prefix_len(self.suffix(0), self.suffix(count - 1)),
        };
        self.prefix_len as usize + shared
    }

    /// Copies the records into a new buffer without holes, with another prefix length and room for `extra` bytes.
    fn rebuild(&mut self, prefix_len: usize, extra: usize, floor: usize) {
        let old_prefix_len = self.prefix_len as usize;
        let bytes = self.untruncated() - self.len() * prefix_len + prefix_len + extra;
        let head_of_key = if self.count == 0 { self.prefix().to_vec() } else { self.key(0) };
        let mut fresh = Self::with_prefix(&head_of_key[..prefix_len], capacity(bytes, floor));
        fresh.count = self.count;
        // Where the prefix becomes shorter, its end moves into the records; where it becomes longer, their start goes.
        let restored = &head_of_key[prefix_len.min(old_prefix_len)..old_prefix_len];
        let dropped = prefix_len.saturating_sub(old_prefix_len);
        for index in (0..self.len()).rev() {
            let (suffix, value) = self.record(index);
            fresh.place(index, restored, &suffix[dropped..], value);
        }
        *self = fresh;
    }

    /// Writes a record with the key `lead + tail` behind the prefix to the lower end of the heap, and its slot.
    fn place(&mut self, index: usize, lead: &[u8], tail: &[u8], value: Value<'_>) {
        let suffix_len = lead.len() + tail.len();
        let bytes = HEADER_BYTES + suffix_len + value.heap_bytes();
        let offset = self.heap_start as usize - bytes;
        self.heap_start = offset as u32;
        self.heap_live += bytes as u32;
        self.write_header(offset, suffix_len, value);
        let body = &mut self.buffer[offset + HEADER_BYTES..];
        body[..lead.len()].copy_from_slice(lead);
        body[lead.len()..suffix_len].copy_from_slice(tail);
        let head = u64::from(head(&body[..suffix_len]));
        self.write_value(offset + HEADER_BYTES + suffix_len, value);
        let slot = self.slot_start(index);
        self.buffer[slot..slot + SLOT_BYTES].copy_from_slice(&(head << 32 | offset as u64).to_le_bytes());
    }

    fn write_header(&mut self, offset: usize, suffix_len: usize, value: Value<'_>) {
        let field = match value {
            Value::Inline(bytes) => bytes.len() as u32,
            Value::Large(_) => LARGE,
        };
        let header = (suffix_len as u32) << VALUE_BITS | field;
        self.buffer[offset..offset + HEADER_BYTES].copy_from_slice(&header.to_le_bytes());
    }

    fn write_value(&mut self, offset: usize, value: Value<'_>) {
        match value {
            Value::Inline(bytes) => self.buffer[offset..offset + bytes.len()].copy_from_slice(bytes),
            Value::Large(number) => {
                self.buffer[offset..offset + REFERENCE_BYTES].copy_from_slice(&number.to_le_bytes())
            }
        }
    }

    #[inline]
    fn header(&self, offset: usize) -> (usize, u32) {
        let header =
            self.buffer[offset..].first_chunk::<HEADER_BYTES>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        ((header >> VALUE_BITS) as usize, header & LARGE)
    }

    #[inline]
    fn slots(&self) -> &[[u8; SLOT_BYTES]] {
        self.buffer[self.prefix_len as usize..self.slots_end()].as_chunks().0
    }

    #[inline]
    fn offset(&self, index: usize) -> usize {
        u64::from_le_bytes(self.slots()[index]) as u32 as usize
    }

    #[inline]
    fn slot_start(&self, index: usize) -> usize {
        self.prefix_len as usize + index * SLOT_BYTES
    }

    #[inline]
    fn slots_end(&self) -> usize {
        self.slot_start(self.len())
    }

    /// Checks the page's own invariants. O(n log n).
    pub(super) fn check(&self) -> Result<(), String> {
        if self.slots_end() > self.heap_start as usize || self.heap_start as usize > self.buffer.len() {
            return Err(format!("slots end at {}, heap starts at {}", self.slots_end(), self.heap_start));
        }
        let mut extents = Vec::with_capacity(self.len());
        for index in 0..self.len() {
            let offset = self.offset(index);
            if offset < self.heap_start as usize || offset + HEADER_BYTES > self.buffer.len() {
                return Err(format!("record {index} is outside of the heap"));
            }
            let (key_len, field) = self.header(offset);
            let value_bytes = if field == LARGE { REFERENCE_BYTES } else { field as usize };
            let end = offset + HEADER_BYTES + key_len + value_bytes;
            if end > self.buffer.len() {
                return Err(format!("record {index} runs over the end of the buffer"));
            }
            extents.push((offset, end));
            if u64::from_le_bytes(self.slots()[index]) >> 32 != u64::from(head(self.suffix(index))) {
                return Err(format!("head of record {index} is not that of its key"));
            }
            if index > 0 && self.suffix(index - 1) >= self.suffix(index) {
                return Err(format!("keys {} and {index} are not in ascending order", index - 1));
            }
        }
        let live: usize = extents.iter().map(|(start, end)| end - start).sum();
        if live != self.heap_live as usize {
            return Err(format!("{live} live heap bytes, {} accounted for", self.heap_live));
        }
        extents.sort_unstable();
        if extents.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err("two records overlap".to_owned());
        }
        Ok(())
    }
}

/// A buffer length for `bytes`: `floor` if that is enough, else a quarter more than needed, so that growth is amortised.
fn capacity(bytes: usize, floor: usize) -> usize {
    if bytes <= floor { floor } else { (bytes + bytes / 4).next_multiple_of(64) }
}

#[cfg(test)]
mod tests;
