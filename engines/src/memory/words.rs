//! Bytes in runs of atomic words.
//!
//! Bytes lie in a word from its least significant byte up, so that on a little-endian machine they lie in memory as
//! they are. All functions are total: offsets and lengths that a reader got while a writer was at work may be
//! anything, and then the answer is `None` or `false`, never a panic. The caller finds out by the version that what
//! it read meant nothing.
//!
//! Thread safety: every access is a relaxed atomic one, or as good as one ([`copy_block`]); order comes from the latch around it. Two writers of one
//! word must exclude each other, because a part of a word is written as load, change and store.
#![expect(
    unsafe_code,
    reason = "bytes are written into the spare room of a vector, checked once instead of at each word, long runs of them by \
              an instruction of the processor"
)]

use crate::sync::{AtomicU64, Ordering};
use std::cmp;
use std::mem::MaybeUninit;

/// Eight shared bytes.
pub(crate) type Word = AtomicU64;

/// Bytes of a word.
pub(crate) const WORD_BYTES: usize = 8;

/// Words that hold so many bytes.
#[inline]
pub(crate) const fn words_for(bytes: usize) -> usize {
    bytes.div_ceil(WORD_BYTES)
}

/// The last word of some bytes: fewer than eight, the rest zero.
#[inline]
fn partial(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // Two halves that overlap where there are fewer than eight bytes.
        let above = (bytes.len() - size_of::<u32>()) * 8;
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << above;
    }
    match *bytes {
        [a, b, c] => u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]),
        [a, b] => u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]),
        [a] => u64::from(a),
        _ => 0,
    }
}

/// The lowest `bytes` bytes of a word.
#[inline]
const fn mask(bytes: usize) -> u64 {
    if bytes >= WORD_BYTES { u64::MAX } else { (1 << (bytes * 8)) - 1 }
}

/// Stores bytes from the start of the first word on; the rest of the last word becomes zero. `false`, and nothing is
/// stored, if they do not fit.
#[inline]
pub(crate) fn store(words: &[Word], bytes: &[u8]) -> bool {
    let Some(words) = words.get(..words_for(bytes.len())) else { return false };
    let (whole, rest) = bytes.as_chunks::<WORD_BYTES>();
    let Some((words, last)) = words.split_at_checked(whole.len()) else { return false };
    // Two slices of one length: a loop that the compiler unrolls.
    for (chunk, word) in whole.iter().zip(words) {
        word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
    }
    if let Some(word) = last.first() {
        word.store(partial(rest), Ordering::Relaxed);
    }
    true
}

/// Stores bytes from any byte on, leaving the bytes around them. `false`, and nothing is stored, if they do not fit.
#[inline]
pub(crate) fn store_at(words: &[Word], at: usize, bytes: &[u8]) -> bool {
    let Some(end) = at.checked_add(bytes.len()) else { return false };
    let Some(words) = words.get(at / WORD_BYTES..words_for(end)) else { return false };
    let skip = at % WORD_BYTES;
    let lead = cmp::min((WORD_BYTES - skip) % WORD_BYTES, bytes.len());
    let (lead, rest) = bytes.split_at(lead);
    let mut words = words.iter();
    if !lead.is_empty()
        && let Some(word) = words.next()
    {
        let kept = word.load(Ordering::Relaxed) & !(mask(lead.len()) << (skip * 8));
        word.store(kept | (partial(lead) << (skip * 8)), Ordering::Relaxed);
    }
    let (whole, rest) = rest.as_chunks::<WORD_BYTES>();
    for (chunk, word) in whole.iter().zip(&mut words) {
        word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
    }
    if !rest.is_empty()
        && let Some(word) = words.next()
    {
        let kept = word.load(Ordering::Relaxed) & !mask(rest.len());
        word.store(kept | partial(rest), Ordering::Relaxed);
    }
    true
}

/// The words that lie from a byte on, each built of the two it straddles. The caller has checked that `words` reaches
/// to the last byte.
#[inline]
fn straddling(words: &[Word], skip: usize) -> impl Iterator<Item = u64> + '_ {
    let shift = (skip * 8) as u32;
    let mut words = words.iter();
    let mut low = words.next().map_or(0, |word| word.load(Ordering::Relaxed));
    std::iter::from_fn(move || {
        if shift == 0 {
            let word = low;
            low = words.next().map_or(0, |word| word.load(Ordering::Relaxed));
            return Some(word);
        }
        let high = words.next().map_or(0, |word| word.load(Ordering::Relaxed));
        let word = (low >> shift) | (high << (64 - shift));
        low = high;
        Some(word)
    })
}

/// From so many words on, a copy goes through the processor's own instruction, which moves whole lines.
const BLOCK_WORDS: usize = 64;

/// Copies as many words as there are in both: 32 bytes a cycle and more where the compiler, for atomic loads, makes 8.
#[inline]
fn copy_block(words: &[Word], out: &mut [[MaybeUninit<u8>; WORD_BYTES]]) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(loom), not(tsan)))]
    // SAFETY: both hold so many words, and do not overlap, since `out` is borrowed alone; the direction flag is clear by the
    // calling convention. Other threads may store to `words` meanwhile: the language has no copy for that, so this relies on an
    // assembly block being opaque to the compiler, no plain read, and on the processor, where it is a row of loads, each of
    // which sees every byte either before or after a store to it, and which later loads do not overtake. The version
    // tells afterwards whether they belong together.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") words.len().min(out.len()) * WORD_BYTES => _,
            inout("rsi") words.as_ptr() => _,
            inout("rdi") out.as_mut_ptr() => _,
            options(nostack, preserves_flags)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri), not(loom), not(tsan))))]
    copy_words(words, out);
}

/// The same, word by word.
#[inline]
fn copy_words(words: &[Word], out: &mut [[MaybeUninit<u8>; WORD_BYTES]]) {
    for (word, chunk) in words.iter().zip(out) {
        chunk.write_copy_of_slice(&word.load(Ordering::Relaxed).to_le_bytes());
    }
}

/// Appends `len` bytes from the start of the first word. `None`, and nothing is appended, if there are not so many.
#[inline]
pub(crate) fn append(words: &[Word], len: usize, out: &mut Vec<u8>) -> Option<()> {
    let count = words_for(len);
    let words = words.get(..count)?;
    out.reserve(count * WORD_BYTES);
    let room = out.spare_capacity_mut().get_mut(..count * WORD_BYTES)?;
    let (chunks, _) = room.as_chunks_mut::<WORD_BYTES>();
    if count >= BLOCK_WORDS {
        copy_block(words, chunks);
    } else {
        copy_words(words, chunks);
    }
    // SAFETY: `len` is at most `count` words, all of which were reserved and written just above.
    unsafe { out.set_len(out.len() + len) };
    Some(())
}

/// Appends `len` bytes from any byte on. `None`, and nothing is appended, if there are not so many.
#[inline]
pub(crate) fn append_at(words: &[Word], at: usize, len: usize, out: &mut Vec<u8>) -> Option<()> {
    let end = at.checked_add(len)?;
    let words = words.get(at / WORD_BYTES..words_for(end))?;
    let skip = at % WORD_BYTES;
    if skip == 0 {
        return append(words, len, out);
    }
    let count = words_for(len);
    out.reserve(count * WORD_BYTES);
    let room = out.spare_capacity_mut().get_mut(..count * WORD_BYTES)?;
    let (chunks, _) = room.as_chunks_mut::<WORD_BYTES>();
    for (word, chunk) in straddling(words, skip).zip(chunks) {
        chunk.write_copy_of_slice(&word.to_le_bytes());
    }
    // SAFETY: `len` is at most `count` words, all of which were reserved and written just above: `straddling` never ends.
    unsafe { out.set_len(out.len() + len) };
    Some(())
}

/// Whether these bytes lie from the start of the first word on.
#[inline]
pub(crate) fn equal(words: &[Word], bytes: &[u8]) -> bool {
    let Some(words) = words.get(..words_for(bytes.len())) else { return false };
    let (whole, rest) = bytes.as_chunks::<WORD_BYTES>();
    let Some((words, last)) = words.split_at_checked(whole.len()) else { return false };
    for (chunk, word) in whole.iter().zip(words) {
        if word.load(Ordering::Relaxed) != u64::from_le_bytes(*chunk) {
            return false;
        }
    }
    last.first().is_none_or(|word| word.load(Ordering::Relaxed) & mask(rest.len()) == partial(rest))
}

/// How the `len` bytes from any byte on compare with `key`. `None` if there are not so many.
#[inline]
pub(crate) fn compare_at(words: &[Word], at: usize, len: usize, key: &[u8]) -> Option<cmp::Ordering> {
    let end = at.checked_add(len)?;
    let words = words.get(at / WORD_BYTES..words_for(end))?;
    let mut ours = straddling(words, at % WORD_BYTES);
    let common = cmp::min(len, key.len());
    let (whole, rest) = key.get(..common)?.as_chunks::<WORD_BYTES>();
    for chunk in whole {
        let (a, b) = (ours.next()?.swap_bytes(), u64::from_be_bytes(*chunk));
        if a != b {
            return Some(a.cmp(&b));
        }
    }
    if !rest.is_empty() {
        let (a, b) = ((ours.next()? & mask(rest.len())).swap_bytes(), partial(rest).swap_bytes());
        if a != b {
            return Some(a.cmp(&b));
        }
    }
    Some(len.cmp(&key.len()))
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
