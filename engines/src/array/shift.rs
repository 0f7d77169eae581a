//! Moving bytes by any number of bytes within words that readers may look at.
//!
//! Thread safety: relaxed atomic accesses, one writer; readers find out by the version of the segment that what they
//! read meant nothing.

use crate::memory::words::{WORD_BYTES, Word};
use crate::sync::Ordering;

#[inline]
fn load(words: &[Word], index: usize) -> u64 {
    words.get(index).map_or(0, |word| word.load(Ordering::Relaxed))
}

/// The eight bytes from any byte on.
#[inline]
fn eight_at(words: &[Word], byte: usize) -> u64 {
    let (index, shift) = (byte / WORD_BYTES, (byte % WORD_BYTES * 8) as u32);
    let low = load(words, index);
    if shift == 0 { low } else { (low >> shift) | (load(words, index + 1) << (64 - shift)) }
}

/// Writes those bytes of a word that lie in `from..to`.
#[inline]
fn store_within(words: &[Word], index: usize, value: u64, from: usize, to: usize) {
    let Some(word) = words.get(index) else { return };
    let start = index * WORD_BYTES;
    let mut mask = u64::MAX;
    if from > start {
        mask &= u64::MAX << ((from - start) * 8);
    }
    if to < start + WORD_BYTES {
        mask &= u64::MAX >> ((start + WORD_BYTES - to) * 8);
    }
    let value =
        if mask == u64::MAX { value } else { (word.load(Ordering::Relaxed) & !mask) | (value & mask) };
    word.store(value, Ordering::Relaxed);
}

/// Moves the bytes `from..to` towards the start by `by` bytes, at most `from`.
pub(super) fn down(words: &[Word], from: usize, to: usize, by: usize) {
    if from >= to || by == 0 || by > from {
        return;
    }
    let (start, end) = (from - by, to - by);
    // A word is read before a word behind it is written, and what is written was read.
    for index in start / WORD_BYTES..end.div_ceil(WORD_BYTES) {
        store_within(words, index, eight_at(words, index * WORD_BYTES + by), start, end);
    }
}

/// Moves the bytes `from..to` towards the end by `by` bytes. `from` is at least a word.
pub(super) fn up(words: &[Word], from: usize, to: usize, by: usize) {
    if from >= to || by == 0 || from < WORD_BYTES {
        return;
    }
    let (start, end) = (from + by, to + by);
    for index in (start / WORD_BYTES..end.div_ceil(WORD_BYTES)).rev() {
        // The first word may begin up to seven bytes before `start`, and `from` is at least eight.
        let source = (index * WORD_BYTES).saturating_sub(by);
        store_within(words, index, eight_at(words, source), start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::words;

    #[test]
    fn bytes_move_as_in_a_slice() {
        let step = if cfg!(miri) { 7 } else { 1 };
        let bytes: Vec<u8> = (0..64).collect();
        for from in (8..40).step_by(step) {
            for to in (from..56).step_by(step) {
                for by in 1..24 {
                    let memory: Vec<Word> = (0..8).map(|_| Word::new(0)).collect();
                    let read = |memory: &[Word]| {
                        let mut out = Vec::new();
                        words::append(memory, 64, &mut out).unwrap();
                        out
                    };
                    words::store(&memory, &bytes);
                    if by <= from {
                        down(&memory, from, to, by);
                        let mut expected = bytes.clone();
                        expected.copy_within(from..to, from - by);
                        assert_eq!(read(&memory), expected, "{from}..{to} down by {by}");
                    }
                    if to + by <= 64 {
                        words::store(&memory, &bytes);
                        up(&memory, from, to, by);
                        let mut expected = bytes.clone();
                        expected.copy_within(from..to, from + by);
                        assert_eq!(read(&memory), expected, "{from}..{to} up by {by}");
                    }
                }
            }
        }
    }
}
