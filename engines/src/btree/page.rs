//! The layout of a node: sorted entries in one block of words.
//!
//! ```text
//! word 0      latch and version            (memory::latch)
//! word 1      meta: entries, level, prefix length, start of the heap, garbage
//! word 2, 3   next and previous leaf
//! …           prefix that all keys of the node have in common, stored once
//! …           heads: the eight bytes of each key behind the prefix, as big-endian integers
//! …           slots: for each entry where its record lies, and its lengths, 32 bits
//! …           room
//! …           heap of records: what the head does not hold of the key, then the value; each begins at a word
//! ```
//! A slotted page with prefix truncation and integer heads (G. Graefe, *Modern B-Tree Techniques*, 2011); what the head
//! holds is not stored again. All that a search looks at lies together at the front, so that one round of prefetches covers it.
//! In a leaf an entry is a record. In a branch it is a separator with its child; entry 0 is a child without a
//! separator: its key counts as less than every other.
//!
//! Lengths beyond 510 (key behind the prefix) or 2,046 (value) do not fit a slot: such a key has its length in a word of the
//! heap before it, such a value lies in a block of its own, named by two words. Offsets count units of a word, in blocks of
//! more than 32 KiB of as many words as it takes to number them with 12 bits. A short key with an empty value has a record of no
//! words, whose offset says nothing.
//!
//! # Thread safety / Invariants
//! All words are atomics, read and written relaxed. Only the holder of the node's latch changes words 1 and 4 onwards. A
//! reader without the latch may see any mixture of old and new words: every reading function is total, and what it
//! returned means something only if the node's version still holds afterwards.

mod change;
mod check;
mod compose;

use super::link::{Large, Link};
use crate::memory::words::{self, WORD_BYTES, Word, words_for};
use crate::sync::Ordering::Relaxed;
use std::cmp::Ordering;
use std::hint::select_unpredictable;

/// Words before the prefix.
pub(super) const HEADER_WORDS: usize = 4;
/// Entries that a node can number.
pub(super) const ENTRIES_MOST: usize = (1 << 14) - 1;
/// The longest value that lies in the page.
pub(super) const INLINE_BYTES_MOST: usize = 2046;
/// Key bytes in a head.
const HEAD_BYTES: usize = 8;
const LONG_KEY: usize = 511;
const LARGE_VALUE: usize = 2047;
const OFFSET_BITS: u32 = 12;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;
const LOW_SLOT: u64 = u32::MAX as u64;

/// What the second word of a node says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Meta {
    count: usize,
    level: usize,
    prefix_len: usize,
    /// Where the heap starts, units.
    heap: usize,
    /// Units of the heap that no slot names.
    garbage: usize,
}

impl Meta {
    #[inline]
    const fn decode(word: u64) -> Self {
        const fn bits(word: u64, from: u32, count: u32) -> usize {
            (word >> from & ((1 << count) - 1)) as usize
        }
        Self {
            count: bits(word, 0, 14),
            level: bits(word, 14, 6),
            prefix_len: bits(word, 20, 17),
            heap: bits(word, 37, 13),
            garbage: bits(word, 50, 13),
        }
    }

    const fn encode(self) -> u64 {
        self.count as u64
            | (self.level as u64) << 14
            | (self.prefix_len as u64) << 20
            | (self.heap as u64) << 37
            | (self.garbage as u64) << 50
    }
}

/// What an entry leads to, on its way into a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    /// Bytes, at most [`INLINE_BYTES_MOST`].
    Bytes(&'a [u8]),
    /// As it lies in another page.
    Words(&'a [Word], usize),
    /// In a block of its own.
    Large(Large),
    /// The child of a branch.
    Child(Link),
}

impl Value<'_> {
    fn code(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Words(_, code) => *code,
            Self::Large(_) => LARGE_VALUE,
            Self::Child(_) => WORD_BYTES,
        }
    }

    fn store(&self, to: &[Word]) {
        match self {
            Self::Bytes(bytes) => {
                let stored = words::store(to, bytes);
                debug_assert!(stored, "a value beyond its page");
            }
            Self::Words(from, _) => copy_words(from, to),
            Self::Large(large) => {
                for (word, part) in to.iter().zip(large.parts()) {
                    word.store(part, Relaxed);
                }
            }
            Self::Child(link) => {
                if let Some(word) = to.first() {
                    word.store(link.raw(), Relaxed);
                }
            }
        }
    }
}

/// A value as it was found in a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// So many bytes from the first word on.
    Inline(&'a [Word], usize),
    /// In a block of its own, which may be looked at only once the version has been checked.
    Large(Large),
}

/// Where an entry's record lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Length of the key behind the prefix.
    pub(super) suffix_len: usize,
    /// Word at which the key goes on behind the head.
    rest_at: usize,
    value_at: usize,
    code: usize,
}

impl Record {
    /// Words of the value in the heap.
    #[inline]
    pub(super) const fn value_words(&self) -> usize {
        value_words(self.code)
    }

    const fn words(&self) -> usize {
        record_words(self.suffix_len, self.code)
    }
}

#[inline]
const fn value_words(code: usize) -> usize {
    if code == LARGE_VALUE { 2 } else { words_for(code) }
}

const fn record_words(suffix_len: usize, code: usize) -> usize {
    (suffix_len >= LONG_KEY) as usize + words_for(suffix_len.saturating_sub(HEAD_BYTES)) + value_words(code)
}

/// Words that an entry takes in the heap of a node of `node_words`.
pub(super) fn heap_words(node_words: usize, suffix_len: usize, value: &Value<'_>) -> usize {
    record_words(suffix_len, value.code()).next_multiple_of(1 << unit_shift(node_words))
}

/// Words at the front of a node with so many entries.
#[inline]
pub(super) const fn front_words(prefix_len: usize, count: usize) -> usize {
    HEADER_WORDS + words_for(prefix_len) + count + count.div_ceil(2)
}

/// Words of a unit of offsets, as a power of two.
#[inline]
const fn unit_shift(node_words: usize) -> u32 {
    if node_words <= 1 << OFFSET_BITS { 0 } else { (node_words - 1).ilog2() + 1 - OFFSET_BITS }
}

/// Stores words as bytes; those that do not fit are left out.
#[inline]
pub(super) fn store_bytes(words: &[Word], out: &mut [u8]) {
    let (chunks, _) = out.as_chunks_mut::<WORD_BYTES>();
    let count = words.len().min(chunks.len());
    let (Some(words), Some(chunks)) = (words.get(..count), chunks.get_mut(..count)) else { return };
    // Four at a time, since most of what a scan does is this.
    let (word_blocks, words) = words.as_chunks::<4>();
    let (chunk_blocks, chunks) = chunks.as_chunks_mut::<4>();
    for (words, chunks) in word_blocks.iter().zip(chunk_blocks) {
        *chunks = words.each_ref().map(|word| word.load(Relaxed).to_le_bytes());
    }
    for (word, chunk) in words.iter().zip(chunks) {
        *chunk = word.load(Relaxed).to_le_bytes();
    }
}

fn copy_words(from: &[Word], to: &[Word]) {
    for (from, to) in from.iter().zip(to) {
        to.store(from.load(Relaxed), Relaxed);
    }
}

/// The first eight bytes as a big-endian integer, zeros behind shorter ones.
#[inline]
pub(super) fn head(suffix: &[u8]) -> u64 {
    if let Some(bytes) = suffix.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    if let (Some(first), Some(last)) = (suffix.first_chunk(), suffix.last_chunk()) {
        // Two halves that overlap where there are fewer than eight bytes.
        let below = (HEAD_BYTES - suffix.len()) * 8;
        return u64::from(u32::from_be_bytes(*first)) << 32 | u64::from(u32::from_be_bytes(*last)) << below;
    }
    match *suffix {
        [a, b, c] => u64::from_be_bytes([a, b, c, 0, 0, 0, 0, 0]),
        [a, b] => u64::from_be_bytes([a, b, 0, 0, 0, 0, 0, 0]),
        [a] => u64::from(a) << 56,
        _ => 0,
    }
}

/// Length of the common prefix.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Heads less than `head`, by a search whose steps depend on data but not on branches.
#[inline]
fn lower_bound(heads: &[Word], head: u64) -> usize {
    let is_less = |index: usize| heads.get(index).is_some_and(|word| word.load(Relaxed) < head);
    let (mut base, mut len) = (0, heads.len());
    while len > 1 {
        let half = len / 2;
        base = select_unpredictable(is_less(base + half - 1), base + half, base);
        len -= half;
    }
    base + usize::from(is_less(base))
}

/// A look at a node's entries, of one moment if the version holds or the latch is held. Copying it copies references.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    words: &'a [Word],
    meta: Meta,
    heads: &'a [Word],
    slots: &'a [Word],
}

impl<'a> Page<'a> {
    /// The entries of a node of these words. O(1).
    #[inline]
    pub(super) fn of(words: &'a [Word]) -> Self {
        let mut meta = Meta::decode(words.get(1).map_or(0, |word| word.load(Relaxed)));
        let heads_at = HEADER_WORDS + words_for(meta.prefix_len);
        let slots_at = heads_at + meta.count;
        match (words.get(heads_at..slots_at), words.get(slots_at..slots_at + meta.count.div_ceil(2))) {
            (Some(heads), Some(slots)) => Self { words, meta, heads, slots },
            _ => {
                meta.count = 0;
                meta.prefix_len = 0;
                Self { words, meta, heads: &[], slots: &[] }
            }
        }
    }

    /// Number of entries.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.meta.count
    }

    /// Height over the leaves.
    #[inline]
    pub(super) const fn level(&self) -> usize {
        self.meta.level
    }

    /// Length of the prefix.
    #[inline]
    pub(super) const fn prefix_len(&self) -> usize {
        self.meta.prefix_len
    }

    /// The words of the prefix.
    #[inline]
    pub(super) fn prefix(&self) -> &'a [Word] {
        self.words.get(HEADER_WORDS..HEADER_WORDS + words_for(self.meta.prefix_len)).unwrap_or_default()
    }

    fn shift(&self) -> u32 {
        unit_shift(self.words.len())
    }

    /// Words in use: front, and records named by slots.
    pub(super) fn used_words(&self) -> usize {
        let heap_end = self.words.len() >> self.shift();
        let used = heap_end.saturating_sub(self.meta.heap).saturating_sub(self.meta.garbage);
        front_words(self.meta.prefix_len, self.meta.count) + (used << self.shift())
    }

    /// Words of the front with so many entries.
    pub(super) fn front_words(&self, count: usize) -> usize {
        front_words(self.meta.prefix_len, count)
    }

    /// Words between the front and the heap.
    pub(super) fn free_words(&self) -> usize {
        (self.meta.heap << self.shift()).saturating_sub(front_words(self.meta.prefix_len, self.meta.count))
    }

    /// Words of the node.
    pub(super) const fn capacity(&self) -> usize {
        self.words.len()
    }

    /// The head of an entry.
    #[inline]
    pub(super) fn head(&self, index: usize) -> u64 {
        self.heads.get(index).map_or(0, |word| word.load(Relaxed))
    }

    #[inline]
    fn slot(&self, index: usize) -> u32 {
        let word = self.slots.get(index / 2).map_or(0, |word| word.load(Relaxed));
        (word >> (index % 2 * 32)) as u32
    }

    fn set_slot(&self, index: usize, slot: u32) {
        if let Some(word) = self.slots.get(index / 2) {
            let shift = index % 2 * 32;
            let kept = word.load(Relaxed) & !(u64::from(u32::MAX) << shift);
            word.store(kept | u64::from(slot) << shift, Relaxed);
        }
    }

    /// A record of no words may lie at the very end of the heap, which 12 bits do not number in blocks of 2^12 units; as there is
    /// nothing of it to be found, any offset within the block will do.
    fn encode_slot(&self, at: usize, suffix_len: usize, code: usize) -> u32 {
        let unit = (at >> self.shift()).min(OFFSET_MASK as usize);
        (unit | suffix_len.min(LONG_KEY) << OFFSET_BITS | code << (OFFSET_BITS + 9)) as u32
    }

    /// Where the record of an entry lies.
    #[inline]
    pub(super) fn record(&self, index: usize) -> Record {
        let slot = self.slot(index) as usize;
        let mut rest_at = (slot & OFFSET_MASK as usize) << self.shift();
        let mut suffix_len = slot >> OFFSET_BITS & LONG_KEY;
        let code = slot >> (OFFSET_BITS + 9);
        if suffix_len == LONG_KEY {
            suffix_len = self.words.get(rest_at).map_or(0, |word| word.load(Relaxed) as usize & 0x1_FFFF);
            rest_at += 1;
        }
        let value_at = rest_at + words_for(suffix_len.saturating_sub(HEAD_BYTES));
        Record { suffix_len, rest_at, value_at, code }
    }

    /// The first word of a record, to be prefetched.
    #[inline]
    pub(super) fn record_pointer(&self, index: usize) -> *const Word {
        let slot = self.slot(index) as usize;
        self.words.as_ptr().wrapping_add((slot & OFFSET_MASK as usize) << self.shift())
    }

    /// The words of the key behind the head; `None` if torn.
    #[inline]
    pub(super) fn rest(&self, record: &Record) -> Option<&'a [Word]> {
        self.words.get(record.rest_at..record.value_at)
    }

    /// The words of the value; `None` if torn.
    #[inline]
    pub(super) fn value_slice(&self, record: &Record) -> Option<&'a [Word]> {
        self.words.get(record.value_at..record.value_at + record.value_words())
    }

    /// The value of a record of a leaf; `None` if torn.
    #[inline]
    pub(super) fn value(&self, record: &Record) -> Option<Found<'a>> {
        let words = self.value_slice(record)?;
        if record.code != LARGE_VALUE {
            return Some(Found::Inline(words, record.code));
        }
        let [address, len] = words else { return None };
        Some(Found::Large(Large::from_parts([address.load(Relaxed), len.load(Relaxed)])))
    }

    /// The value as it can be put into another page.
    pub(super) fn moved(&self, record: &Record) -> Value<'a> {
        Value::Words(self.value_slice(record).unwrap_or_default(), record.code)
    }

    /// The word of a branch's child.
    #[inline]
    pub(super) fn child_word(&self, index: usize) -> Option<&'a Word> {
        self.words.get(self.record(index).value_at)
    }

    /// Words that an entry takes in all.
    pub(super) fn entry_words(&self, index: usize) -> usize {
        2 + self.record(index).words().next_multiple_of(1 << self.shift())
    }

    /// Bytes of key and value.
    pub(super) fn live_bytes(&self, index: usize) -> usize {
        let record = self.record(index);
        let value = match self.value(&record) {
            Some(Found::Inline(_, len)) => len,
            Some(Found::Large(large)) => large.len(),
            None => 0,
        };
        self.meta.prefix_len + record.suffix_len + value
    }

    /// Writes the key of an entry to the front of `out`, in whole words. `None` if torn, or if there is not room for the key
    /// and three words more.
    #[inline]
    pub(super) fn copy_key(&self, index: usize, record: &Record, out: &mut [u8]) -> Option<()> {
        let (_, behind) = out.split_at_mut_checked(self.meta.prefix_len)?;
        let (head, behind) = behind.split_first_chunk_mut()?;
        *head = self.head(index).to_be_bytes();
        store_bytes(self.rest(record)?, behind);
        // The last word of the prefix may reach into the head.
        let kept = *head;
        store_bytes(self.prefix(), out);
        *out.get_mut(self.meta.prefix_len..)?.first_chunk_mut()? = kept;
        Some(())
    }

    /// Appends the key of an entry; in a branch, that of entry 0 is empty. `None` if torn.
    pub(super) fn append_key(&self, index: usize, out: &mut Vec<u8>) -> Option<()> {
        if self.meta.level > 0 && index == 0 {
            return Some(());
        }
        let record = self.record(index);
        words::append(self.prefix(), self.meta.prefix_len, out)?;
        let head = self.head(index).to_be_bytes();
        out.extend_from_slice(head.get(..record.suffix_len.min(HEAD_BYTES))?);
        words::append(self.rest(&record)?, record.suffix_len.saturating_sub(HEAD_BYTES), out)
    }

    /// The key of an entry.
    pub(super) fn key(&self, index: usize) -> Vec<u8> {
        let mut key = Vec::new();
        if self.append_key(index, &mut key).is_none() {
            key.clear();
        }
        key
    }

    /// The key behind the prefix, if it has that.
    #[inline]
    pub(super) fn suffix<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let (prefix, suffix) = key.split_at_checked(self.meta.prefix_len)?;
        words::equal(self.prefix(), prefix).then_some(suffix)
    }

    /// Where the key lies in a leaf, or would have to lie. O(log entries).
    #[inline]
    pub(super) fn locate(&self, key: &[u8]) -> Result<usize, usize> {
        self.locate_from(0, key)
    }

    /// The first entry whose head is not below the key's: where the key lies, unless others have the same head. Looks at no
    /// record. O(log entries).
    #[inline]
    pub(super) fn locate_head(&self, key: &[u8]) -> usize {
        self.suffix(key).map_or(0, |suffix| lower_bound(self.heads, head(suffix)))
    }

    /// Which child of a branch the key belongs to. O(log entries).
    #[inline]
    pub(super) fn child_of(&self, key: &[u8]) -> usize {
        match self.locate_from(1, key) {
            Ok(index) => index,
            Err(index) => index.saturating_sub(1),
        }
    }

    #[inline]
    fn locate_from(&self, first: usize, key: &[u8]) -> Result<usize, usize> {
        let Some(suffix) = self.suffix(key) else { return Err(self.outside(first, key)) };
        let head = head(suffix);
        let at = first + lower_bound(self.heads.get(first..).unwrap_or_default(), head);
        if at >= self.meta.count || self.head(at) != head {
            return Err(at);
        }
        let record = self.record(at);
        if record.suffix_len == suffix.len()
            && (suffix.len() <= HEAD_BYTES || self.rest_equals(&record, suffix))
        {
            return Ok(at);
        }
        self.among_equal_heads(at, head, suffix)
    }

    #[inline]
    fn rest_equals(&self, record: &Record, suffix: &[u8]) -> bool {
        let rest = suffix.get(HEAD_BYTES..).unwrap_or_default();
        self.rest(record).is_some_and(|words| words::equal(words, rest))
    }

    /// Where a key without the prefix would have to lie.
    #[cold]
    fn outside(&self, first: usize, key: &[u8]) -> usize {
        match words::compare_at(self.prefix(), 0, self.meta.prefix_len, key) {
            Some(Ordering::Less) => self.meta.count.max(first),
            _ => first,
        }
    }

    #[inline(never)]
    fn among_equal_heads(&self, first: usize, head: u64, suffix: &[u8]) -> Result<usize, usize> {
        let equal = |index: usize| self.heads.get(index).is_some_and(|word| word.load(Relaxed) == head);
        let (mut low, mut high) = (first, self.meta.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let order = if equal(middle) { self.compare_suffix(middle, suffix) } else { Ordering::Greater };
            match order {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// How an entry compares with a suffix that has the same head.
    fn compare_suffix(&self, index: usize, suffix: &[u8]) -> Ordering {
        let record = self.record(index);
        if record.suffix_len <= HEAD_BYTES || suffix.len() <= HEAD_BYTES {
            // The bytes both have are equal, and what the longer one has beyond them within the head are zeros.
            return record.suffix_len.cmp(&suffix.len());
        }
        let (words, rest) = (self.rest(&record), suffix.get(HEAD_BYTES..).unwrap_or_default());
        words
            .and_then(|words| words::compare_at(words, 0, record.suffix_len - HEAD_BYTES, rest))
            .unwrap_or(Ordering::Greater)
    }
}
