//! The records of the tree: from the addresses in nodes to safe references, and back to the slab.
//!
//! Invariants
//! - The address in a node that can be reached is that of a block of this slab with a record in it ([`Record::create`]).
//! - A block leaves a node only in two ways: another one takes its place in the node, or the node leaves the tree. After
//!   that, and not before, the writer who did it retires the block, once. Whoever was pinned and found the address may
//!   therefore look at the block until it is unpinned.
//!
//! Thread safety: anybody who is pinned looks; only the holder of the writers' mutex exchanges and retires. Blocks are
//! allocated from a stripe of the calling thread, so that threads seldom wait for each other.
#![expect(unsafe_code, reason = "turns addresses in nodes into references that live as long as the guard")]

use super::node::Node;
use crate::memory::prefetch;
use crate::memory::record::{HEADER_WORDS, Record, record_words};
use crate::memory::slab::{Block, SMALL_WORDS_MOST, Slab};
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Lines that hold a record of usual size.
const RECORD_LINES: usize = 3;

/// The stripe of the calling thread.
pub(super) fn stripe() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: usize = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    STRIPE.with(|stripe| *stripe)
}

/// A record that is not in the tree yet; given back by [`Records::discard`] or put into a node.
#[must_use]
pub(super) struct Fresh {
    pub(super) block: Block,
    words: usize,
}

/// See the head of this file.
pub(super) struct Records {
    slab: Arc<Slab>,
}

impl Records {
    /// No records.
    pub(super) fn new() -> Self {
        Self { slab: Slab::new() }
    }

    /// Writes a record into a new block.
    pub(super) fn create(&self, key: &[u8], value: &[u8]) -> Fresh {
        let words = record_words(key.len(), value.len());
        let block = self.slab.allocate(stripe(), words);
        // SAFETY: the block has so many words and is ours alone until it is put into a node.
        Record::create(unsafe { block.words(words) }, key, value);
        Fresh { block, words }
    }

    /// Gives a record back that was never put into a node. Whoever lists the records of a sparse page may be looking at it.
    pub(super) fn discard(&self, fresh: Fresh, guard: &Guard) {
        // SAFETY: no node ever led to the block, and a fresh record is given back once.
        unsafe { self.slab.retire(guard, stripe(), fresh.block, fresh.words) };
    }

    /// Asks for the lines of a node's record.
    #[inline]
    pub(super) fn prefetch(node: &Node) {
        prefetch::lines(node.address() as *const u64, RECORD_LINES);
    }

    /// The record of a node in the tree, of the words it needs at this moment: to be read, not replaced. `None` for a
    /// free node.
    #[inline]
    pub(super) fn of<'g>(node: &Node, guard: &'g Guard) -> Option<Record<'g>> {
        Self::at(node.address(), guard)
    }

    /// The record at an address that was found in a node of the tree since the guard was made.
    #[inline]
    pub(super) fn at(address: u64, _guard: &Guard) -> Option<Record<'_>> {
        let block = Block::at(address)?;
        // SAFETY: by the invariants there is a record, whose first word is its header, and it stays while the caller is pinned.
        let header = unsafe { block.words(HEADER_WORDS) }.first()?.load(Ordering::Acquire);
        // SAFETY: a record's block has the words that its header speaks of.
        Some(Record::of(unsafe { block.words(Record::words_of(header)) }))
    }

    /// The same with all the words of its block, so that its value may be replaced.
    #[inline]
    pub(super) fn whole<'g>(&self, node: &Node, guard: &'g Guard) -> Option<Record<'g>> {
        let address = node.address();
        let block = Block::at(address)?;
        let used = Self::at(address, guard)?.used_words();
        // SAFETY: the block was reachable while the caller is pinned; a large one never gets a value that needs fewer
        // words than `SMALL_WORDS_MOST` in place.
        let words = unsafe { Slab::capacity_of(block, used) };
        // SAFETY: the block has so many words.
        Some(Record::of(unsafe { block.words(words) }))
    }

    /// Appends the value of the record at an address; see [`Record::append_value`].
    #[inline]
    pub(super) fn append_value(address: u64, guard: &Guard, out: &mut Vec<u8>) {
        while let Some(record) = Self::at(address, guard) {
            if record.append_value(out) {
                return;
            }
        }
    }

    /// Takes back a block that was put into a node and is out of reach now.
    pub(super) fn retire(&self, address: u64, guard: &Guard) {
        let (Some(block), Some(record)) = (Block::at(address), Self::at(address, guard)) else { return };
        // SAFETY: by the second invariant: the caller took it out of the tree, and does this once.
        unsafe { self.slab.retire(guard, stripe(), block, record.used_words()) };
    }

    /// Whether moving records would give pages back.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        self.slab.is_sparse()
    }

    /// Lists the keys and addresses of the records on a sparse page, which is emptied by moving them. Some may have left
    /// the tree: look each key up and compare the address. `false` if there is no such page.
    pub(super) fn sparse_page(&self, guard: &Guard, mut list: impl FnMut(u64, &Record<'_>)) -> bool {
        let mut blocks = Vec::new();
        if !self.slab.sparse_page(guard, &mut blocks) {
            return false;
        }
        for block in &blocks {
            prefetch::line(block.as_ptr());
        }
        for block in blocks {
            // SAFETY: blocks on a page that was listed for us stay until the guard is gone, and their first word may be read.
            let header =
                unsafe { block.words(HEADER_WORDS) }.first().map_or(0, |word| word.load(Ordering::Acquire));
            // One that was taken out already is freed whenever those leave who were pinned before us.
            if !Record::is_live(header) {
                continue;
            }
            let words = Record::words_of(header);
            if words <= SMALL_WORDS_MOST {
                // SAFETY: the header was stored after the words it speaks of, which the block has.
                list(block.address(), &Record::of(unsafe { block.words(words) }));
            }
        }
        true
    }

    /// Lets pages that were not emptied be chosen again.
    pub(super) fn retry_stuck_pages(&self) {
        self.slab.retry_stuck_pages();
    }

    /// Hands all that was retired to the epoch.
    pub(super) fn flush(&self, guard: &Guard) {
        self.slab.flush_retired(guard);
    }

    /// Waits until what was retired before is free, unless a thread stays pinned for very long. The caller is not pinned.
    pub(super) fn reclaim(&self) {
        self.slab.reclaim();
    }

    /// Bytes of memory held.
    pub(super) fn held_bytes(&self) -> u64 {
        self.slab.held_bytes()
    }
}
