//! From addresses to references: the one place of the memtable that trusts a link.
//!
//! Invariants
//! - A link is a word of the tree (the root, a cell of a branch, an entry of a leaf, the `older` word of a record) that
//!   holds the address of a block allocated by the same table's [`Blocks`], published by a release store.
//! - The first words of a block tell how many it has. Blocks are retired only by who took the last link away, after
//!   that, and only once.
//! - What [`bytes`] shows, keys, values, heads and separators, is written before the block is published and never again.
//!
//! Thread safety: a reader gets an address by an acquire load from a link while it is pinned, and what it reaches lives
//! as long as its guard (epoch-based reclamation; K. Fraser, *Practical lock-freedom*, 2004).
#![expect(unsafe_code, reason = "links are addresses; this file turns them into references bound to a guard")]

use crate::memory::slab::{Block, Slab};
use crate::memory::words::{WORD_BYTES, Word, words_for};
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::sync::Arc;

/// A block that was allocated and that nobody else can reach yet.
pub(super) struct Fresh {
    block: Block,
    words: usize,
}

impl Fresh {
    /// Its words. What they hold says nothing until it is stored.
    #[inline]
    pub(super) fn words(&self) -> &[Word] {
        // SAFETY: the block was allocated with so many words and is the caller's alone.
        unsafe { self.block.words(self.words) }
    }

    /// The address under which it may be linked.
    #[inline]
    pub(super) fn address(&self) -> u64 {
        self.block.address()
    }

    /// It is linked, or will be: no longer the caller's. Its address.
    #[inline]
    pub(super) fn publish(self) -> u64 {
        self.address()
    }
}

/// Blocks of one kind, from a slab of their own.
pub(super) struct Blocks {
    slab: Arc<Slab>,
}

impl Blocks {
    /// No blocks.
    pub(super) fn new() -> Self {
        Self { slab: Slab::new() }
    }

    /// A block of so many words.
    #[inline]
    pub(super) fn allocate(&self, stripe: usize, words: usize) -> Fresh {
        Fresh { block: self.slab.allocate(stripe, words), words }
    }

    /// Gives back a block that was never linked.
    pub(super) fn discard(&self, fresh: Fresh) {
        // SAFETY: it was allocated here, and nobody else ever knew of it.
        unsafe { self.slab.free(fresh.block, fresh.words) };
    }

    /// Retires a block of `words` words whose last link the caller has just taken away.
    #[inline]
    pub(super) fn retire(&self, stripe: usize, address: u64, words: usize, guard: &Guard) {
        if let Some(block) = Block::at(address) {
            // SAFETY: by the invariants of links, only who took the last one away comes here.
            unsafe { self.slab.retire(guard, stripe, block, words) };
        }
    }

    /// Bytes of memory held.
    pub(super) fn held_bytes(&self) -> u64 {
        self.slab.held_bytes()
    }

    /// Whether moving blocks would give memory back.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        self.slab.is_sparse()
    }

    /// Blocks of one sparse page, each with as many words as it can have; see [`Slab::sparse_page`]. They may have been
    /// retired: only their words may be looked at, not their [`bytes`], until the tree leads to them.
    pub(super) fn sparse_page<'g>(&self, guard: &'g Guard) -> Option<Vec<(u64, &'g [Word])>> {
        let mut blocks = Vec::new();
        self.slab.sparse_page(guard, &mut blocks).then(|| {
            blocks
                .iter()
                .map(|block| {
                    // SAFETY: the page hands out nothing while it is emptied, and its blocks were out when it was
                    // listed, so that none can be freed and become another before the guard ends, but for those that had
                    // been retired before; their memory stays part of a region, of which only atomic words are read.
                    let words = unsafe { Slab::capacity_of(*block, 2) };
                    // SAFETY: as above.
                    (block.address(), unsafe { block.words(words) })
                })
                .collect()
        })
    }

    /// Lets pages that were not emptied be chosen again; see [`Slab::retry_stuck_pages`].
    pub(super) fn retry_stuck_pages(&self) {
        self.slab.retry_stuck_pages();
    }

    /// Waits until what was retired before is free, unless a thread stays pinned for very long. The caller is not pinned.
    pub(super) fn reclaim(&self) {
        self.slab.reclaim();
    }
}

/// The first `count` words of the block that a link leads to; none for 0.
#[inline]
pub(super) fn words(address: u64, count: usize, _guard: &Guard) -> &[Word] {
    match Block::at(address) {
        // SAFETY: the address comes from a link that was read under this guard, and `count` is what the block says.
        Some(block) => unsafe { block.words(count) },
        None => &[],
    }
}

/// The `len` bytes from the start of these words, none if there are not so many. For what never changes once its block is
/// published.
#[inline]
pub(super) fn bytes(words: &[Word], len: usize) -> &[u8] {
    let Some(words) = words.get(..words_for(len)) else { return &[] };
    // SAFETY: the words hold at least `len` bytes, which were stored before the block was published and are not written
    // while anybody can reach it; the lifetime is that of the words.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), len) }
}

/// Stores bytes as [`bytes`] reads them, the rest of the last word zero.
#[inline]
pub(super) fn store_bytes(words: &[Word], bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks::<WORD_BYTES>();
    let mut words = words.iter();
    for (chunk, word) in whole.iter().zip(&mut words) {
        word.store(u64::from_le_bytes(*chunk).to_le(), Ordering::Relaxed);
    }
    if !rest.is_empty()
        && let Some(word) = words.next()
    {
        let last = rest.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        word.store(last.to_le(), Ordering::Relaxed);
    }
}
