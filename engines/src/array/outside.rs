//! Records too long for a segment: each in a block of its own, whose address stands in the segment.
//!
//! Invariants
//! - An address stands in one segment at most, and the block is in the slab's hands only after it stands in none.
//! - A block is never changed after its address was written into a segment: an update makes a new one. So its lengths
//!   are constant for whoever can reach it.
//!
//! Thread safety: the address is read from a segment, and then the segment's version is checked, or its lock is held: so
//! the block was reachable while the reader was pinned, and it is freed only after the reader is unpinned. No lock is
//! needed to read it.
#![expect(unsafe_code, reason = "an address that stands in a segment is followed to its block")]

use super::look::Look;
use super::segment::Place;
use crate::memory::record::{self, Record};
use crate::memory::slab::{Block, SMALL_WORDS_MOST, Slab};
use crate::memory::words::WORD_BYTES;
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// All records outside of one array.
#[derive(Debug)]
pub(super) struct Outside {
    slab: Arc<Slab>,
    /// Key and value bytes of the records that stand in segments.
    live_bytes: AtomicU64,
    /// Bytes of long records that wait for readers.
    retired_bytes: Arc<AtomicU64>,
}

/// A record that was taken out of its segment, and must be retired.
#[derive(Debug)]
#[must_use]
pub(super) struct Orphan(u64);

/// The record at an address.
///
/// # Safety
/// The address was read from a segment, where it stood at a time when the guard was pinned already.
unsafe fn record_at(address: u64, _guard: &Guard) -> Option<Record<'_>> {
    let block = Block::at(address)?;
    // SAFETY: the block was reachable while the guard was pinned, so it stays with us as long as the guard; every block
    // has a header, and its lengths are constant.
    unsafe {
        let header = block.words(record::HEADER_WORDS).first()?.load(Ordering::Relaxed);
        Some(Record::of(block.words(Record::words_of(header))))
    }
}

/// The record of an entry that is outside; `None` if the segment was changed since the look began.
pub(super) fn record<'g>(look: &Look<'_, 'g>, address: u64) -> Option<Record<'g>> {
    if !look.holds() {
        return None;
    }
    // SAFETY: the only addresses that anyone can have from a look are those that `Segment::place` read there, and the look
    // holds: so it stood in the segment while the look's guard was pinned.
    unsafe { record_at(address, look.guard()) }
}

/// The record of an entry, gathered from segments whose locks are held since, or newly stored.
pub(super) fn gathered(address: u64, guard: &Guard) -> Option<Record<'_>> {
    // SAFETY: gathered entries come from segments that stay locked until the entries stand in others, or from `store`;
    // either way the block cannot have been retired.
    unsafe { record_at(address, guard) }
}

impl Outside {
    /// No records.
    pub(super) fn new() -> Self {
        Self { slab: Slab::new(), live_bytes: AtomicU64::new(0), retired_bytes: Arc::default() }
    }

    /// Stores a record in a block; its address, to be written into a segment.
    pub(super) fn store(&self, stripe: usize, key: &[u8], value: &[u8]) -> u64 {
        let words = record::record_words(key.len(), value.len());
        let block = self.slab.allocate(stripe, words);
        // SAFETY: the block is new and ours, and has at least these words; nobody else can reach it yet.
        Record::create(unsafe { block.words(words) }, key, value);
        self.live_bytes.fetch_add((key.len() + value.len()) as u64, Ordering::Relaxed);
        block.address()
    }

    /// The record of an entry that the caller, who holds the lock of the segment, removes or replaces before unlocking.
    pub(super) fn orphan(look: &Look<'_, '_>, index: usize) -> Option<Orphan> {
        debug_assert!(look.segment().latch().is_locked());
        match look.segment().place(index, look.segment().header().count)? {
            Place::Outside(address) => Some(Orphan(address)),
            Place::Inside { .. } => None,
        }
    }

    /// A record that [`Outside::store`] made, and that after all stands in no segment and never did.
    pub(super) fn unused(address: u64) -> Orphan {
        Orphan(address)
    }

    /// Frees a record when nobody can look at it any more.
    pub(super) fn retire(&self, orphan: Orphan, guard: &Guard) {
        // SAFETY: an orphan's block was not retired before: it is made when the address is taken out of its one segment.
        let Some(record) = (unsafe { record_at(orphan.0, guard) }) else { return };
        let (words, bytes) = (record.used_words(), record.key_len() + record.value_len());
        self.live_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        let Some(block) = Block::at(orphan.0) else { return };
        // SAFETY: it was allocated here, and taken out of its only segment; an orphan is retired once, since it is moved here.
        unsafe { self.slab.retire(guard, orphan.0 as usize / 64, block, words) };
        if words > SMALL_WORDS_MOST {
            let bytes = (words * WORD_BYTES) as u64;
            self.retired_bytes.fetch_add(bytes, Ordering::Relaxed);
            let retired = Arc::clone(&self.retired_bytes);
            // The slab frees first what it hands to the epoch first.
            self.slab.flush_retired(guard);
            guard.defer(move || retired.fetch_sub(bytes, Ordering::Relaxed));
            guard.flush();
        }
    }

    /// Hands everything retired to the epoch.
    pub(super) fn flush(&self, guard: &Guard) {
        self.slab.flush_retired(guard);
    }

    /// Key and value bytes.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of long records that wait for readers.
    pub(super) fn retired_bytes(&self) -> u64 {
        self.retired_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.slab.held_bytes()
    }
}
