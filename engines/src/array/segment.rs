//! A segment: entries packed in key order, behind a directory of slots, all in words that readers look at while they change.
//!
//! Layout, in bytes from its start: the latch (8); the header (8): from the least significant bit 16 bits each for the
//! number of entries, where the entries start, how many bytes of a key its head skips, and how many entries are outside;
//! the hot word (8): where the last insert went and how many in a row went next to the one before; the directory: a
//! slot of 4 bytes for each entry, its head in the upper and its offset in the lower half; free room; the entries side
//! by side, the last one ending with the segment. An entry is a byte with the length of the key, the key and the value; or
//! the byte [`OUTSIDE`] and the address of a block with both, where they are too long.
//!
//! Because the entries are one run of bytes in key order, a scan copies any stretch of them as it lies. Heads are two
//! bytes of the key behind what all keys of the segment have in common: a look-up searches in the directory, which
//! is a few lines, and touches one entry as a rule.
//!
//! Thread safety: the latch is the segment's. Whoever changes anything holds its lock; readers check its version, and
//! everything here is total for them: offsets read in the middle of a change lead to `None` or to garbage, never out of
//! bounds.

use super::shift;
use crate::memory::latch::VersionLatch;
use crate::memory::words::{self, WORD_BYTES, Word};
use crate::sync::Ordering;

const LATCH_WORD: usize = 0;
const HEADER_WORD: usize = 1;
const HOT_WORD: usize = 2;
const HEADER_WORDS: usize = 3;
/// Bytes before the directory.
pub(super) const HEADER_BYTES: usize = HEADER_WORDS * WORD_BYTES;
/// Bytes of a slot of the directory.
pub(super) const SLOT_BYTES: usize = 4;
/// The first byte of an entry whose key and value lie outside.
pub(super) const OUTSIDE: u8 = 0xFF;
/// The longest key within a segment.
pub(super) const KEY_BYTES_MOST: usize = OUTSIDE as usize - 1;
/// Bytes of an entry that is outside: the mark and the address.
pub(super) const OUTSIDE_BYTES: usize = 1 + WORD_BYTES;

/// The header word of a segment, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Entries.
    pub(super) count: usize,
    /// Where the first entry starts, bytes.
    pub(super) start: usize,
    /// Bytes of a key that heads skip.
    pub(super) skip: usize,
    /// Entries that are outside.
    pub(super) outside: usize,
}

impl Header {
    #[inline]
    const fn of(word: u64) -> Self {
        Self {
            count: (word & 0xFFFF) as usize,
            start: (word >> 16 & 0xFFFF) as usize,
            skip: (word >> 32 & 0xFFFF) as usize,
            outside: (word >> 48) as usize,
        }
    }

    #[inline]
    const fn word(self) -> u64 {
        self.count as u64 | (self.start as u64) << 16 | (self.skip as u64) << 32 | (self.outside as u64) << 48
    }
}

/// An entry that is written: its first byte and what follows in two pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    mark: u8,
    first: &'a [u8],
    second: &'a [u8],
}

impl<'a> Entry<'a> {
    /// A record within a segment; the key has at most [`KEY_BYTES_MOST`].
    pub(super) fn inside(key: &'a [u8], value: &'a [u8]) -> Self {
        debug_assert!(key.len() <= KEY_BYTES_MOST);
        Self { mark: key.len() as u8, first: key, second: value }
    }

    /// A record in a block of its own, by the bytes of its address.
    pub(super) const fn outside(address: &'a [u8; WORD_BYTES]) -> Self {
        Self { mark: OUTSIDE, first: address, second: &[] }
    }

    /// The address, if it is outside.
    pub(super) fn address(&self) -> Option<u64> {
        let bytes = self.first.first_chunk().filter(|_| self.mark == OUTSIDE)?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Bytes of the entry.
    pub(super) const fn len(&self) -> usize {
        1 + self.first.len() + self.second.len()
    }

    /// Appends its bytes.
    pub(super) fn append(&self, out: &mut Vec<u8>) {
        out.push(self.mark);
        out.extend_from_slice(self.first);
        out.extend_from_slice(self.second);
    }
}

/// Where key and value of an entry are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In the segment, at these bytes.
    Inside {
        /// Where the key starts.
        key: usize,
        /// Bytes of the key.
        key_len: usize,
        /// Bytes of the value, which follows the key.
        value_len: usize,
    },
    /// In the block with this address.
    Outside(u64),
}

/// The head of a key: two bytes behind those skipped.
#[inline]
pub(super) fn head(key: &[u8], skip: usize) -> u16 {
    let rest = key.get(skip..).unwrap_or_default();
    match *rest {
        [] => 0,
        [one] => u16::from(one) << 8,
        [one, two, ..] => u16::from(one) << 8 | u16::from(two),
    }
}

/// How many bytes two keys have in common, as far as a header can say it.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    common_whole(a, b).min(usize::from(u16::MAX))
}

/// How many bytes two keys have in common.
pub(super) fn common_whole(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// A look at a segment: all its words. Copying it copies the reference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    latch: &'a Word,
    words: &'a [Word],
}

impl<'a> Segment<'a> {
    /// The segment in these words.
    #[inline]
    pub(super) fn of(words: &'a [Word]) -> Option<Self> {
        Some(Self { latch: words.get(LATCH_WORD)?, words })
    }

    /// Makes zero words a segment without entries.
    pub(super) fn clear(&self) {
        self.set_header(Header { count: 0, start: self.size(), skip: 0, outside: 0 });
        self.set_hot(0, 0);
    }

    /// Its latch.
    #[inline]
    pub(super) fn latch(&self) -> &'a VersionLatch {
        VersionLatch::of(self.latch)
    }

    /// All its words.
    #[inline]
    pub(super) fn words(&self) -> &'a [Word] {
        self.words
    }

    /// Its bytes.
    #[inline]
    pub(super) fn size(&self) -> usize {
        size_of_val(self.words)
    }

    /// Its header at this moment.
    #[inline]
    pub(super) fn header(&self) -> Header {
        Header::of(self.words.get(HEADER_WORD).map_or(0, |word| word.load(Ordering::Relaxed)))
    }

    pub(super) fn set_header(&self, header: Header) {
        if let Some(word) = self.words.get(HEADER_WORD) {
            word.store(header.word(), Ordering::Relaxed);
        }
    }

    /// Where the last insert went, and how many in a row went next to the one before.
    pub(super) fn hot(&self) -> (usize, usize) {
        let word = self.words.get(HOT_WORD).map_or(0, |word| word.load(Ordering::Relaxed));
        ((word & 0xFFFF_FFFF) as usize, (word >> 32) as usize)
    }

    /// Notes where inserts go on.
    pub(super) fn set_hot(&self, last: usize, run: usize) {
        if let Some(word) = self.words.get(HOT_WORD) {
            word.store(last as u64 | (run as u64) << 32, Ordering::Relaxed);
        }
    }

    /// The run of inserts that one at this index goes on with.
    pub(super) fn run_at(&self, index: usize) -> usize {
        let (last, run) = self.hot();
        if index == last || index == last + 1 { run + 1 } else { 0 }
    }

    /// A slot: head and offset.
    #[inline]
    fn slot(&self, index: usize) -> u32 {
        let word = self.words.get(HEADER_WORDS + index / 2).map_or(0, |word| word.load(Ordering::Relaxed));
        (word >> (index % 2 * 32)) as u32
    }

    fn set_slot(&self, index: usize, slot: u32) {
        if let Some(word) = self.words.get(HEADER_WORDS + index / 2) {
            let shift = index % 2 * 32;
            let kept = word.load(Ordering::Relaxed) & !(0xFFFF_FFFF << shift);
            word.store(kept | u64::from(slot) << shift, Ordering::Relaxed);
        }
    }

    /// The head of an entry.
    #[inline]
    pub(super) fn head(&self, index: usize) -> u16 {
        (self.slot(index) >> 16) as u16
    }

    /// Where an entry starts; for the index behind the last one, where the last one ends.
    #[inline]
    pub(super) fn offset(&self, index: usize, count: usize) -> usize {
        if index < count { (self.slot(index) & 0xFFFF) as usize } else { self.size() }
    }

    /// The words that hold the slots `from..to`, and how many slots before `from` are in them.
    #[inline]
    pub(super) fn slot_words(&self, from: usize, to: usize) -> (&'a [Word], usize) {
        let words = self.words.get(HEADER_WORDS + from / 2..HEADER_WORDS + to.div_ceil(2));
        (words.unwrap_or_default(), from % 2)
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        let word = self.words.get(at / WORD_BYTES)?.load(Ordering::Relaxed);
        Some((word >> (at % WORD_BYTES * 8)) as u8)
    }

    /// Where key and value of an entry are; `None` if it was read in the middle of a change.
    #[inline]
    pub(super) fn place(&self, index: usize, count: usize) -> Option<Place> {
        let (start, end) = (self.offset(index, count), self.offset(index + 1, count));
        let mark = self.byte(start)?;
        if mark == OUTSIDE {
            return Some(Place::Outside(self.address(start + 1)?));
        }
        let (key, key_len) = (start + 1, usize::from(mark));
        Some(Place::Inside { key, key_len, value_len: end.checked_sub(key + key_len)? })
    }

    fn address(&self, at: usize) -> Option<u64> {
        let (low, shift) = (self.words.get(at / WORD_BYTES)?, at % WORD_BYTES * 8);
        let low = low.load(Ordering::Relaxed) >> shift;
        if shift == 0 {
            return Some(low);
        }
        let high = self.words.get(at / WORD_BYTES + 1)?.load(Ordering::Relaxed);
        Some(low | high << (WORD_BYTES * 8 - shift))
    }

    /// The range of the entries with this head; empty, where they would be, if there are none.
    #[inline]
    pub(super) fn equal_heads(&self, count: usize, head: u16) -> (usize, usize) {
        let start = self.partition(count, |other| other < head);
        let mut end = start;
        // Few entries share a head as a rule.
        while end < count && self.head(end) == head {
            end += 1;
        }
        (start, end)
    }

    /// The first index whose head does not fulfil a condition that none fulfils behind it.
    #[inline]
    fn partition(&self, count: usize, before: impl Fn(u16) -> bool) -> usize {
        let (mut start, mut len) = (0, count);
        while len > 1 {
            let half = len / 2;
            // Without a branch, because it would be guessed wrong every other time.
            start += usize::from(before(self.head(start + half - 1))) * half;
            len -= half;
        }
        start + usize::from(len == 1 && before(self.head(start)))
    }

    /// Bytes that entries and slots take.
    pub(super) fn used(&self) -> usize {
        let header = self.header();
        self.size().saturating_sub(header.start) + header.count * SLOT_BYTES
    }

    /// Bytes that are free.
    fn free(&self, header: Header) -> usize {
        header.start.saturating_sub(HEADER_BYTES + header.count * SLOT_BYTES)
    }

    fn store_entry(&self, at: usize, entry: &Entry<'_>) {
        let stored = words::store_at(self.words, at, &[entry.mark])
            && words::store_at(self.words, at + 1, entry.first)
            && words::store_at(self.words, at + 1 + entry.first.len(), entry.second);
        debug_assert!(stored, "an entry beyond its segment");
    }

    /// Moves the offsets of the first entries by so many bytes towards the start, or away from it.
    fn move_offsets(&self, entries: usize, by: usize, down: bool) {
        for index in 0..entries {
            let slot = self.slot(index);
            self.set_slot(
                index,
                if down { slot.wrapping_sub(by as u32) } else { slot.wrapping_add(by as u32) },
            );
        }
    }

    /// Inserts an entry at an index. `false`, and nothing is changed, if there is no room.
    pub(super) fn insert(&self, index: usize, entry: &Entry<'_>, head: u16) -> bool {
        let header = self.header();
        let len = entry.len();
        if self.free(header) < len + SLOT_BYTES {
            return false;
        }
        let end = self.offset(index, header.count);
        shift::down(self.words, header.start, end, len);
        for slot in (index..header.count).rev() {
            self.set_slot(slot + 1, self.slot(slot));
        }
        self.move_offsets(index, len, true);
        self.set_slot(index, u32::from(head) << 16 | (end - len) as u32);
        self.store_entry(end - len, entry);
        let outside = header.outside + usize::from(entry.mark == OUTSIDE);
        self.set_header(Header { count: header.count + 1, start: header.start - len, outside, ..header });
        true
    }

    /// Puts another entry in the place of one with the same key. `false`, and nothing is changed, if there is no room.
    pub(super) fn replace(&self, index: usize, entry: &Entry<'_>) -> bool {
        let header = self.header();
        let (start, end) = (self.offset(index, header.count), self.offset(index + 1, header.count));
        let (old, new) = (end - start, entry.len());
        if new > old + self.free(header) {
            return false;
        }
        let was_outside = self.byte(start) == Some(OUTSIDE);
        if new > old {
            shift::down(self.words, header.start, start, new - old);
            self.move_offsets(index + 1, new - old, true);
        } else if new < old {
            shift::up(self.words, header.start, start, old - new);
            self.move_offsets(index + 1, old - new, false);
        }
        self.store_entry(end - new, entry);
        let outside = header.outside + usize::from(entry.mark == OUTSIDE) - usize::from(was_outside);
        self.set_header(Header { start: header.start + old - new, outside, ..header });
        true
    }

    /// Writes a value of the same length over the one at these bytes.
    #[inline]
    pub(super) fn overwrite(&self, at: usize, value: &[u8]) {
        let stored = words::store_at(self.words, at, value);
        debug_assert!(stored, "a value beyond its segment");
    }

    /// Removes an entry.
    pub(super) fn remove(&self, index: usize) {
        let header = self.header();
        let (start, end) = (self.offset(index, header.count), self.offset(index + 1, header.count));
        let was_outside = self.byte(start) == Some(OUTSIDE);
        let len = end - start;
        shift::up(self.words, header.start, start, len);
        self.move_offsets(index, len, false);
        for slot in index + 1..header.count {
            self.set_slot(slot - 1, self.slot(slot));
        }
        let outside = header.outside - usize::from(was_outside);
        self.set_header(Header { count: header.count - 1, start: header.start + len, outside, ..header });
    }

    /// Fills the segment with entries: their bytes side by side, and for each its length and head.
    pub(super) fn fill(
        &self,
        bytes: &[u8],
        skip: usize,
        outside: usize,
        slots: impl Iterator<Item = (usize, u16)>,
    ) {
        let start = self.size() - bytes.len();
        let (mut at, mut count) = (start, 0);
        for (len, head) in slots {
            self.set_slot(count, u32::from(head) << 16 | at as u32);
            at += len;
            count += 1;
        }
        debug_assert!(
            at == self.size() && HEADER_BYTES + count * SLOT_BYTES <= start,
            "a segment filled too far"
        );
        let stored = words::store_at(self.words, start, bytes);
        debug_assert!(stored, "entries beyond their segment");
        self.set_header(Header { count, start, skip, outside });
        self.set_hot(0, 0);
    }

    /// Gives all entries new heads.
    pub(super) fn set_heads(&self, skip: usize, heads: impl Iterator<Item = u16>) {
        for (index, head) in heads.enumerate() {
            self.set_slot(index, self.slot(index) & 0xFFFF | u32::from(head) << 16);
        }
        self.set_header(Header { skip, ..self.header() });
    }
}
