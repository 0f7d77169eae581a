//! Changes of a page's entries in place.
//!
//! Thread safety: for the holder of the node's latch only.

use super::{
    ENTRIES_MOST, LOW_SLOT, Meta, OFFSET_MASK, Page, Value, copy_words, front_words, head, record_words,
};
use super::{HEAD_BYTES, LONG_KEY};
use crate::memory::words::{self, Word, words_for};
use crate::sync::Ordering::Relaxed;

/// Changes, for the holder of the latch. Each leaves `self`, a look at the page as it was, behind; look anew.
impl Page<'_> {
    pub(super) fn store_meta(&self, meta: Meta) {
        if let Some(word) = self.words.get(1) {
            word.store(meta.encode(), Relaxed);
        }
    }

    /// Takes a record's room from the heap and fills it. `None` if there is not enough between the heap and `front` words.
    fn store_record(&self, front: usize, suffix: &[u8], value: &Value<'_>) -> Option<(Meta, u32)> {
        let units = record_words(suffix.len(), value.code()).div_ceil(1 << self.shift());
        let heap = self.meta.heap.checked_sub(units)?;
        let at = heap << self.shift();
        if at < front {
            return None;
        }
        self.fill_record(at, suffix, value);
        Some((Meta { heap, ..self.meta }, self.encode_slot(at, suffix.len(), value.code())))
    }

    pub(super) fn fill_record(&self, at: usize, suffix: &[u8], value: &Value<'_>) {
        let mut to = self.words.get(at..).unwrap_or_default();
        if suffix.len() >= LONG_KEY
            && let Some((word, behind)) = to.split_first()
        {
            word.store(suffix.len() as u64, Relaxed);
            to = behind;
        }
        if let Some(rest) = suffix.get(HEAD_BYTES..) {
            let stored = words::store(to, rest);
            debug_assert!(stored, "a key beyond its page");
            to = to.get(words_for(rest.len())..).unwrap_or_default();
        }
        value.store(to);
    }

    /// Adds an entry whose key goes on with `suffix` behind the prefix. `false`, and nothing is changed, without room.
    pub(in crate::btree) fn insert(&self, index: usize, suffix: &[u8], value: &Value<'_>) -> bool {
        let count = self.meta.count;
        let front = front_words(self.meta.prefix_len, count + 1);
        if count >= ENTRIES_MOST {
            return false;
        }
        let Some((meta, slot)) = self.store_record(front, suffix, value) else { return false };
        let slots_at = front - (count + 1).div_ceil(2);
        // The slots move up by the word that the heads grow by, those behind the new one by a half more.
        let middle = index / 2;
        for word in (middle + 1..(count + 1).div_ceil(2)).rev() {
            self.set_word(slots_at + word, self.slot_pair(word - 1) >> 32 | self.slot_pair(word) << 32);
        }
        let (old, slot) = (self.slot_pair(middle), u64::from(slot));
        let pair = if index.is_multiple_of(2) { slot | old << 32 } else { old & LOW_SLOT | slot << 32 };
        self.set_word(slots_at + middle, pair);
        for word in (0..middle).rev() {
            self.set_word(slots_at + word, self.slot_pair(word));
        }
        let heads_at = slots_at - count - 1;
        let heads = self.words.get(heads_at..slots_at).unwrap_or_default();
        shift_up(heads, index);
        if let Some(word) = heads.get(index) {
            word.store(head(suffix), Relaxed);
        }
        self.store_meta(Meta { count: count + 1, ..meta });
        true
    }

    /// Two slots; zeros for those that are not there.
    fn slot_pair(&self, word: usize) -> u64 {
        self.slots.get(word).map_or(0, |word| word.load(Relaxed))
    }

    pub(super) fn set_pair(&self, index: usize, pair: u64) {
        if let Some(word) = self.slots.get(index) {
            word.store(pair, Relaxed);
        }
    }

    pub(super) fn set_head(&self, index: usize, head: u64) {
        if let Some(word) = self.heads.get(index) {
            word.store(head, Relaxed);
        }
    }

    fn set_word(&self, at: usize, word: u64) {
        if let Some(to) = self.words.get(at) {
            to.store(word, Relaxed);
        }
    }

    /// Removes an entry.
    pub(in crate::btree) fn remove(&self, index: usize) {
        let count = self.meta.count;
        let units = self.record(index).words().div_ceil(1 << self.shift());
        let slots_at = front_words(self.meta.prefix_len, count) - count.div_ceil(2);
        for (to, from) in
            self.heads.get(index..).unwrap_or_default().windows(2).map(|pair| (pair.first(), pair.last()))
        {
            if let (Some(to), Some(from)) = (to, from) {
                to.store(from.load(Relaxed), Relaxed);
            }
        }
        let middle = index / 2;
        for word in 0..middle {
            self.set_word(slots_at - 1 + word, self.slot_pair(word));
        }
        let (old, next) = (self.slot_pair(middle), self.slot_pair(middle + 1));
        let kept = if index.is_multiple_of(2) { old >> 32 } else { old & LOW_SLOT };
        self.set_word(slots_at - 1 + middle, kept | next << 32);
        for word in middle + 1..(count - 1).div_ceil(2) {
            self.set_word(slots_at - 1 + word, self.slot_pair(word) >> 32 | self.slot_pair(word + 1) << 32);
        }
        self.store_meta(Meta { count: count - 1, garbage: self.meta.garbage + units, ..self.meta });
    }

    /// Replaces a value by one of the same length in place. `false`, and nothing is changed, if the length differs.
    #[inline]
    pub(in crate::btree) fn overwrite(&self, index: usize, value: &[u8]) -> bool {
        let record = self.record(index);
        record.code == value.len()
            && self.words.get(record.value_at..).is_some_and(|words| words::store(words, value))
    }

    /// Replaces the value of an entry, in place if it is no longer than before, elsewhere in the heap otherwise. `false`,
    /// and nothing is changed, without room.
    pub(in crate::btree) fn replace(&self, index: usize, value: &Value<'_>) -> bool {
        let old = self.record(index);
        let old_units = old.words().div_ceil(1 << self.shift());
        let units = record_words(old.suffix_len, value.code()).div_ceil(1 << self.shift());
        if units <= old_units {
            value.store(self.words.get(old.value_at..).unwrap_or_default());
            let at = self.slot(index) as usize & OFFSET_MASK as usize;
            self.set_slot(index, self.encode_slot(at << self.shift(), old.suffix_len, value.code()));
            if units < old_units {
                self.store_meta(Meta { garbage: self.meta.garbage + old_units - units, ..self.meta });
            }
            return true;
        }
        let front = front_words(self.meta.prefix_len, self.meta.count);
        let Some(heap) = self.meta.heap.checked_sub(units).filter(|heap| heap << self.shift() >= front)
        else {
            return false;
        };
        let at = heap << self.shift();
        let rest_words = old.words() - old.value_words();
        let from = old.value_at - rest_words;
        if let (Some(from), Some(to)) = (self.words.get(from..old.value_at), self.words.get(at..)) {
            copy_words(from, to);
            value.store(to.get(rest_words..).unwrap_or_default());
        }
        self.set_slot(index, self.encode_slot(at, old.suffix_len, value.code()));
        self.store_meta(Meta { heap, garbage: self.meta.garbage + old_units, ..self.meta });
        true
    }
}

/// Moves the words from `index` on up by one; the last one is lost.
fn shift_up(words: &[Word], index: usize) {
    for pair in words.get(index..).unwrap_or_default().windows(2).rev() {
        if let [from, to] = pair {
            to.store(from.load(Relaxed), Relaxed);
        }
    }
}
