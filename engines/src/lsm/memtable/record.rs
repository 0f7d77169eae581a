//! A record: one version of one key, in one block.
//!
//! Layout: header, stamp, older, key (padded to a word), value (padded to a word). The header holds, from the least
//! significant bit, 17 bits key length, 27 bits value length and whether it is a tombstone. Header, key and value never
//! change.
//!
//! Invariants
//! - The stamp is 0 until the write has a sequence number, which then stays; or it says [`PENDING`], with the index of the
//!   operation and the address of the batch, until the batch has its numbers. See `sequence`.
//! - `older` leads to the version that this one hid, or to an older one, or is 0. Once [`MARK`] is set in it, it never
//!   changes again, and the record is about to be unlinked or has been. See `chain`.
//!
//! Thread safety: any number of readers, who are pinned; stamp and older are atomic.

use super::reach::{Blocks, Fresh, bytes, store_bytes, words};
use crate::memory::prefetch;
use crate::memory::slab::Slab;
use crate::memory::words::{WORD_BYTES, Word, words_for};
use crate::sync::Ordering;
use crossbeam::epoch::Guard;

const KEY_BITS: u32 = 17;
const VALUE_BITS: u32 = 27;
const TOMBSTONE: u64 = 1 << (KEY_BITS + VALUE_BITS);
const HEADER_WORDS: usize = 3;
/// What an entry of a leaf takes for a record.
const ENTRY_BYTES: usize = 16;

/// In a stamp: the number is that of the batch whose address is in the lower 48 bits.
pub(super) const PENDING: u64 = 1 << 63;
/// In `older`: the record is no longer part of the chain, or will not be in a moment.
pub(super) const MARK: u64 = 1;
/// A record that is unstamped.
pub(super) const UNSTAMPED: u64 = 0;

/// A version as its readers see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The number of the write that left it.
    pub sequence: u64,
    /// The value, or `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

const fn record_words(key_len: usize, value_len: usize) -> usize {
    HEADER_WORDS + words_for(key_len) + words_for(value_len)
}

/// Bytes that a record takes of a limit: its block, and its share of a leaf.
pub(super) fn cost(key_len: usize, value_len: usize) -> u64 {
    (Slab::capacity(record_words(key_len, value_len)) * WORD_BYTES + ENTRY_BYTES) as u64
}

const fn key_len(header: u64) -> usize {
    (header & ((1 << KEY_BITS) - 1)) as usize
}

const fn value_len(header: u64) -> usize {
    ((header >> KEY_BITS) & ((1 << VALUE_BITS) - 1)) as usize
}

/// A new record that nobody can reach yet. Lengths are within the limits of the interface.
pub(super) fn create(
    blocks: &Blocks,
    stripe: usize,
    key: &[u8],
    value: Option<&[u8]>,
    stamp: u64,
    older: u64,
) -> Fresh {
    let data = value.unwrap_or_default();
    let fresh = blocks.allocate(stripe, record_words(key.len(), data.len()));
    let header =
        key.len() as u64 | ((data.len() as u64) << KEY_BITS) | if value.is_none() { TOMBSTONE } else { 0 };
    for (word, content) in fresh.words().iter().zip([header, stamp, older]) {
        word.store(content, Ordering::Relaxed);
    }
    let rest = fresh.words().get(HEADER_WORDS..).unwrap_or_default();
    store_bytes(rest, key);
    store_bytes(rest.get(words_for(key.len())..).unwrap_or_default(), data);
    fresh
}

/// Sets what a record that nobody can reach yet will hide.
pub(super) fn set_older(fresh: &Fresh, older: u64) {
    if let Some(word) = fresh.words().get(2) {
        word.store(older, Ordering::Relaxed);
    }
}

/// The key of a block of a sparse page, if it looks like a record: what it says may mean nothing.
pub(super) fn key_of_unknown(block: &[Word]) -> Option<Vec<u8>> {
    let header = block.first()?.load(Ordering::Acquire);
    let mut key = Vec::new();
    for word in block.get(HEADER_WORDS..)?.get(..words_for(key_len(header)))? {
        key.extend_from_slice(&u64::from_le(word.load(Ordering::Relaxed)).to_le_bytes());
    }
    key.truncate(key_len(header));
    Some(key)
}

/// See the head of this file. Copying it copies the reference.
#[derive(Clone, Copy)]
pub(super) struct Record<'g> {
    address: u64,
    header: u64,
    words: &'g [Word],
}

impl<'g> Record<'g> {
    /// The record that a link leads to.
    #[inline]
    pub(super) fn at(address: u64, guard: &'g Guard) -> Option<Self> {
        let header = words(address, 1, guard).first()?.load(Ordering::Relaxed);
        Some(Self {
            address,
            header,
            words: words(address, record_words(key_len(header), value_len(header)), guard),
        })
    }

    /// Asks for the lines of a record that will be read soon.
    #[inline]
    pub(super) fn prefetch(address: u64) {
        prefetch::lines(std::ptr::without_provenance::<Word>(address as usize), 3);
    }

    /// Its address.
    #[inline]
    pub(super) const fn address(&self) -> u64 {
        self.address
    }

    /// Words of its block.
    pub(super) const fn block_words(&self) -> usize {
        record_words(key_len(self.header), value_len(self.header))
    }

    /// The key.
    #[inline]
    pub(super) fn key(&self) -> &'g [u8] {
        bytes(self.words.get(HEADER_WORDS..).unwrap_or_default(), key_len(self.header))
    }

    /// The value, unless it is a tombstone.
    #[inline]
    pub(super) fn value(&self) -> Option<&'g [u8]> {
        let at = HEADER_WORDS + words_for(key_len(self.header));
        self.is_live().then(|| bytes(self.words.get(at..).unwrap_or_default(), value_len(self.header)))
    }

    /// Whether it is a value, not a tombstone.
    #[inline]
    pub(super) const fn is_live(&self) -> bool {
        self.header & TOMBSTONE == 0
    }

    /// Bytes of key and value.
    pub(super) const fn data_len(&self) -> usize {
        key_len(self.header) + value_len(self.header)
    }

    /// What it takes of a limit.
    pub(super) fn cost(&self) -> u64 {
        cost(key_len(self.header), value_len(self.header))
    }

    /// The word of the stamp.
    #[inline]
    pub(super) fn stamp(&self) -> Option<&'g Word> {
        self.words.get(1)
    }

    /// The word that leads to the older version.
    #[inline]
    pub(super) fn older(&self) -> Option<&'g Word> {
        self.words.get(2)
    }

    /// Where `older` leads, the mark left away.
    #[inline]
    pub(super) fn older_address(&self) -> u64 {
        self.older().map_or(0, |word| word.load(Ordering::Acquire)) & !MARK
    }
}
