//! A record in one block of words: key and value, the value replaced in place under a version of its own.
//!
//! Layout: one header word, the key (padded to a word), the value (padded to a word). The header holds, from the least
//! significant bit: 17 bits key length, 27 bits value length, 17 bits version, then DEAD, LOCKED and, for the slab,
//! FREE. A reader that has followed the one pointer finds lengths, version and the start of the key on one line.
//!
//! Invariants
//! - Key and key length never change while the record can be reached.
//! - The version is raised with every replaced value. It does not wrap: when it is used up, `Record::replace` says
//!   [`Replaced::NoRoom`], and the writer exchanges the record for a new block. Readers are pinned, so the block cannot
//!   have become another record while they look at it.
//! - The header is stored last when a record is made, with release order, so that who loads it with acquire order finds
//!   key and value whole, however it got the address.
//! - A DEAD record was taken out of the structure, or is about to be by who killed it; its value stays as it is.
//!
//! Thread safety: any number of readers, which write nothing unless writers disturbed them often; writers of one record exclude
//! each other by the LOCKED bit, so that none needs the latch of the structure to replace a value. The fences are those of [`crate::memory::latch`].

use crate::memory::SMALL_WORDS_MOST;
use crate::memory::words::{self, Word, words_for};
use crate::sync::{Ordering, Wait, fence};
use std::cmp;

const KEY_BITS: u32 = 17;
const VALUE_BITS: u32 = 27;
const VERSION_BITS: u32 = 17;
const VALUE_SHIFT: u32 = KEY_BITS;
const VERSION_SHIFT: u32 = KEY_BITS + VALUE_BITS;
const VERSION_ONE: u64 = 1 << VERSION_SHIFT;
const VERSION_MOST: u64 = ((1 << VERSION_BITS) - 1) << VERSION_SHIFT;
const DEAD: u64 = 1 << 61;
const LOCKED: u64 = 1 << 62;

/// After so many passes that a writer disturbed, a reader takes the lock: a long value that is replaced all the time would
/// hold it, and its pin, for ever.
const TORN_MOST: u32 = if cfg!(loom) { 1 } else { 8 };

/// Words before the key.
pub(crate) const HEADER_WORDS: usize = 1;

/// Words of a record with so long a key and value.
#[inline]
pub(crate) const fn record_words(key_len: usize, value_len: usize) -> usize {
    HEADER_WORDS + words_for(key_len) + words_for(value_len)
}

/// What became of a value that should be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Replaced {
    /// It was replaced in place.
    Done,
    /// The value does not fit, or the versions are used up: a new record must take the place of this one.
    NoRoom,
    /// The record was taken out meanwhile; look the key up again.
    Dead,
}

#[inline]
const fn key_len(header: u64) -> usize {
    (header & ((1 << KEY_BITS) - 1)) as usize
}

#[inline]
const fn value_len(header: u64) -> usize {
    ((header >> VALUE_SHIFT) & ((1 << VALUE_BITS) - 1)) as usize
}

/// What became of reading the value of a key in one pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Pass {
    /// It is the record of another key.
    OtherKey,
    /// It is the key's, and its value was appended.
    Whole,
    /// It is the key's, but its value was being replaced: use [`Record::append_value`].
    Torn,
}

/// What became of a value that should be replaced by one of as many words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Alike {
    /// It was replaced.
    Done,
    /// Nothing was changed: it has another number of words, or others were at it, or it was not allowed. Use
    /// [`Record::replace_if`].
    Otherwise,
}

/// A look at a record, of all the words of its block. Copying it copies the reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    words: &'a [Word],
}

impl<'a> Record<'a> {
    /// Writes a record into a block that nobody else can reach yet, and that has at least [`record_words`].
    /// The lengths are within the limits of the interface, which the engines check.
    pub(crate) fn create(block: &'a [Word], key: &[u8], value: &[u8]) -> Self {
        debug_assert!(block.len() >= record_words(key.len(), value.len()));
        let (header, rest) = block.split_at(block.len().min(HEADER_WORDS));
        let (key_words, value_words) = rest.split_at(rest.len().min(words_for(key.len())));
        let stored = words::store(key_words, key) && words::store(value_words, value);
        debug_assert!(stored, "a block too small for its record");
        if let Some(word) = header.first() {
            word.store(key.len() as u64 | ((value.len() as u64) << VALUE_SHIFT), Ordering::Release);
        }
        Self { words: block }
    }

    /// The record in a block that [`Record::create`] filled: at least its header, key and value; all of the block if the
    /// value shall be replaced.
    #[inline]
    pub(crate) fn of(block: &'a [Word]) -> Self {
        Self { words: block }
    }

    /// Whether a block that begins with this header surely holds a record that was not taken out. If so, the block is not
    /// freed as long as the thread which loaded the header stays pinned. Zero may be that of a record not yet written,
    /// or of one without any bytes, of which nothing is sure.
    #[inline]
    pub(crate) const fn is_live(header: u64) -> bool {
        header != 0 && header & (DEAD | 1 << 63) == 0
    }

    /// Words of the record whose block begins with this header.
    #[inline]
    pub(crate) const fn words_of(header: u64) -> usize {
        record_words(key_len(header), value_len(header))
    }

    #[inline]
    fn header(&self) -> u64 {
        self.words.first().map_or(0, |word| word.load(Ordering::Acquire))
    }

    #[inline]
    fn set_header(&self, header: u64, order: Ordering) {
        if let Some(word) = self.words.first() {
            word.store(header, order);
        }
    }

    #[inline]
    fn key_words(&self) -> &'a [Word] {
        self.words.get(HEADER_WORDS..).unwrap_or_default()
    }

    #[inline]
    fn value_words(&self, header: u64) -> &'a [Word] {
        self.words.get(HEADER_WORDS + words_for(key_len(header))..).unwrap_or_default()
    }

    /// Bytes of the key.
    #[inline]
    pub(crate) fn key_len(&self) -> usize {
        key_len(self.header())
    }

    /// Bytes of the value at this moment.
    #[inline]
    pub(crate) fn value_len(&self) -> usize {
        value_len(self.header())
    }

    /// Words that it would need with so long a value.
    #[inline]
    pub(crate) fn words_with(&self, value_len: usize) -> usize {
        record_words(self.key_len(), value_len)
    }

    /// Words that the record needs at this moment.
    #[inline]
    pub(crate) fn used_words(&self) -> usize {
        Self::words_of(self.header())
    }

    /// Whether it was taken out of the structure.
    #[inline]
    pub(crate) fn is_dead(&self) -> bool {
        self.header() & DEAD != 0
    }

    /// Whether this is the record of `key`.
    #[inline]
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        self.key_len() == key.len() && words::equal(self.key_words(), key)
    }

    /// How its key compares with `key`.
    #[inline]
    pub(crate) fn compare(&self, key: &[u8]) -> cmp::Ordering {
        words::compare_at(self.key_words(), 0, self.key_len(), key).unwrap_or(cmp::Ordering::Less)
    }

    /// Appends the key.
    #[inline]
    pub(crate) fn append_key(&self, out: &mut Vec<u8>) {
        let appended = words::append(self.key_words(), self.key_len(), out);
        debug_assert!(appended.is_some(), "a key beyond its block");
    }

    /// Appends the value: one that it had as a whole at some moment between call and return. Waits only for a writer
    /// in the middle of a replacement; if writers came in between too often, it keeps them out. `false`, and nothing is appended, if the value has meanwhile grown beyond the words
    /// of this look, which then did not have all of the block: look anew.
    #[inline]
    #[must_use]
    pub(crate) fn append_value(&self, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        let wait = Wait::new();
        let mut torn = 0;
        while torn < TORN_MOST {
            let header = self.header();
            if header & LOCKED == 0 {
                let whole = words::append(self.value_words(header), value_len(header), out).is_some();
                fence(Ordering::Acquire);
                let after = self.words.first().map_or(0, |word| word.load(Ordering::Relaxed));
                // Death changes no value.
                if after | DEAD == header | DEAD {
                    return whole;
                }
                out.truncate(before);
                torn += 1;
            }
            wait.once();
        }
        let header = self.lock();
        let whole = words::append(self.value_words(header), value_len(header), out).is_some();
        self.set_header(header, Ordering::Release);
        whole
    }

    /// [`Record::has_key`] and [`Record::append_value`] in one pass, which never waits. `header` is the first word as it
    /// was loaded when the look was made.
    #[inline(always)]
    pub(crate) fn read(&self, header: u64, key: &[u8], out: &mut Vec<u8>) -> Pass {
        let Some((first, rest)) = self.words.split_first() else { return Pass::OtherKey };
        let Some((key_words, value_words)) = rest.split_at_checked(words_for(key.len())) else {
            return Pass::OtherKey;
        };
        if key_len(header) != key.len() || !words::equal(key_words, key) {
            return Pass::OtherKey;
        }
        let before = out.len();
        let appended = words::append(value_words, value_len(header), out);
        fence(Ordering::Acquire);
        // Death changes no value.
        let same = (first.load(Ordering::Relaxed) ^ header) & !DEAD == 0;
        if appended.is_some() && same && header & LOCKED == 0 {
            return Pass::Whole;
        }
        out.truncate(before);
        Pass::Torn
    }

    /// [`Record::has_key`] and [`Record::replace_if`] in one pass, for a value of as many words as the old one: `None` if
    /// it is the record of another key. `header` is as in [`Record::read`]; the look need not have all words of the block.
    #[inline(always)]
    pub(crate) fn replace_alike(
        &self,
        header: u64,
        key: &[u8],
        value: &[u8],
        allowed: impl FnOnce(usize) -> bool,
    ) -> Option<Alike> {
        let (first, rest) = self.words.split_first()?;
        let (key_words, value_words) = rest.split_at_checked(words_for(key.len()))?;
        if key_len(header) != key.len() || !words::equal(key_words, key) {
            return None;
        }
        let alike = words_for(value_len(header)) == words_for(value.len());
        if !alike || header & VERSION_MOST == VERSION_MOST || header & (DEAD | LOCKED) != 0 {
            return Some(Alike::Otherwise);
        }
        if first.compare_exchange(header, header | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Some(Alike::Otherwise);
        }
        fence(Ordering::Release);
        if !allowed(value_len(header)) {
            first.store(header, Ordering::Release);
            return Some(Alike::Otherwise);
        }
        let stored = words::store(value_words, value);
        debug_assert!(stored, "as many words as before");
        let lengths = key.len() as u64 | ((value.len() as u64) << VALUE_SHIFT);
        first.store(lengths | ((header & VERSION_MOST) + VERSION_ONE), Ordering::Release);
        Some(Alike::Done)
    }

    /// Takes the lock of the record; the header as it was.
    #[inline]
    fn lock(&self) -> u64 {
        let Some(word) = self.words.first() else { return DEAD };
        let header = word.load(Ordering::Relaxed);
        if header & LOCKED == 0
            && word.compare_exchange(header, header | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            fence(Ordering::Release);
            return header;
        }
        self.lock_slowly(word)
    }

    #[cold]
    fn lock_slowly(&self, word: &Word) -> u64 {
        let wait = Wait::new();
        loop {
            wait.once();
            let header = word.load(Ordering::Relaxed);
            if header & LOCKED == 0
                && word
                    .compare_exchange_weak(header, header | LOCKED, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                fence(Ordering::Release);
                return header;
            }
        }
    }

    /// Replaces the value in place, if it fits into the block and leaves no more than an eighth of the words the
    /// record then needs, and two, unused; in a large block, if it needs as many as the old one. The look must have all words of the block. Waits for other writers of this
    /// record only.
    #[cfg(test)]
    pub(crate) fn replace(&self, value: &[u8]) -> Replaced {
        self.replace_if(value, |_| true)
    }

    /// The same, with the bytes of the value that was replaced, so that a sum over all values stays exact; 0 if none was.
    pub(crate) fn replace_measured(&self, value: &[u8]) -> (Replaced, usize) {
        let mut replaced_len = 0;
        let replaced = self.replace_if(value, |len| {
            replaced_len = len;
            true
        });
        (replaced, replaced_len)
    }

    /// As `Record::replace`, if `allowed`, which is asked under the lock and told the bytes of the old value, says so;
    /// otherwise nothing is changed and [`Replaced::Dead`] is the answer. It must not wait.
    #[inline]
    pub(crate) fn replace_if(&self, value: &[u8], allowed: impl FnOnce(usize) -> bool) -> Replaced {
        let needed = record_words(self.key_len(), value.len());
        let wasteful = self.words.len() > needed + needed / 8 + 2;
        // The look has the words that a large block's record needs now, not those of the block: what becomes a little
        // shorter each time would hold all of the block for ever.
        let shorter = self.words.len() > SMALL_WORDS_MOST && needed != self.words.len();
        if needed > self.words.len() || wasteful || shorter {
            return if self.is_dead() { Replaced::Dead } else { Replaced::NoRoom };
        }
        let header = self.lock();
        if header & DEAD != 0 || header & VERSION_MOST == VERSION_MOST {
            self.set_header(header, Ordering::Release);
            return if header & DEAD != 0 { Replaced::Dead } else { Replaced::NoRoom };
        }
        if !allowed(value_len(header)) {
            self.set_header(header, Ordering::Release);
            return Replaced::Dead;
        }
        let stored = words::store(self.value_words(header), value);
        debug_assert!(stored, "the room was checked");
        let lengths = key_len(header) as u64 | ((value.len() as u64) << VALUE_SHIFT);
        self.set_header(lengths | ((header & VERSION_MOST) + VERSION_ONE), Ordering::Release);
        Replaced::Done
    }

    /// Marks the record dead, so that nobody replaces its value any more; `false` if it was dead already. After this the
    /// caller takes it out of the structure, or puts another record in its place.
    pub(crate) fn kill(&self) -> bool {
        let header = self.lock();
        self.set_header(header | DEAD, Ordering::Release);
        header & DEAD == 0
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
