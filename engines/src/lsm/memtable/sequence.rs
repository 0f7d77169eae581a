//! Sequence numbers: who writes when, as every reader will agree.
//!
//! What is promised
//! - Every write has a sequence number. Numbers of the writes of one key ascend in the order in which they took effect;
//!   numbers of two writes of which one ended before the other began ascend as well. A number may go unused.
//! - A read view at `s` sees of each key the newest version whose number is at most `s`, and never anything else.
//!   It sees every write that returned before it was opened. A batch has consecutive numbers, all at most `s` or all above.
//!
//! How: a record is linked first, unstamped, and stamped afterwards: the number is drawn from the clock by an atomic
//! addition and set by compare-exchange from "unstamped". Whoever comes across an unstamped record stamps it in the
//! same way before judging it, so that nobody waits (Y. Wei et al., *Constant-Time Snapshots with Applications to Concurrent
//! Data Structures*, PPoPP 2021; here the number is drawn, not read, which makes numbers unique). A view reads the clock.
//!
//! Proof. (1) A stamp is set once. (2) The number of a record was drawn after the record was linked, because who draws
//! has seen it linked; so a record linked after the view read the clock is above `s`, and one that was stamped before is not.
//! One linked before and not yet stamped is stamped by the first reader at the latest, for ever; from then on all agree.
//! (3) A write returns after its record is stamped, so a view opened later reads a clock at least as high. (4) Before a
//! record is put over another, that one is stamped, so that its number was drawn earlier and is lower.
//!
//! Batches: the stamps of a batch's records name its descriptor, whose state goes from *installing* to *ready*, when all
//! records are linked, to the first number, drawn and set as above by the batch or by any reader that finds it ready. A
//! reader that finds it installing passes the record by, rightly, because the numbers will be drawn later than now. A writer
//! that comes upon a record of a batch which is still installing waits for it: the only wait there is.
//!
//! Thread safety: all of this. The clock and the count of views are sequentially consistent, because a view must not be
//! overlooked by a writer whose number it does not see; see `views`.

use super::pause::pause;
use super::reach::{Blocks, words};
use super::record::{PENDING, Record, UNSTAMPED};
use crate::memory::words::Word;
use crate::sync::{AtomicU64, Ordering};
use crossbeam::epoch::Guard;
use crossbeam::utils::CachePadded;

const INSTALLING: u64 = 0;
const READY: u64 = u64::MAX;
const ADDRESS: u64 = (1 << 48) - 1;
const DESCRIPTOR_WORDS: usize = 2;

/// The source of sequence numbers: the one that was drawn last.
pub(super) struct Clock {
    last: CachePadded<AtomicU64>,
}

impl Clock {
    /// A clock whose next number follows `last`.
    pub(super) fn after(last: u64) -> Self {
        Self { last: CachePadded::new(AtomicU64::new(last)) }
    }

    /// The number that was drawn last.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// Draws `count` numbers; the first of them.
    #[inline]
    fn draw(&self, count: u64) -> u64 {
        self.last.fetch_add(count, Ordering::SeqCst) + 1
    }

    /// Passes over numbers that were given from outside.
    pub(super) fn raise(&self, to: u64) {
        self.last.fetch_max(to, Ordering::SeqCst);
    }

    /// The sequence number of a record, which gets one if it has none; `None` while its batch is not yet linked as a whole.
    #[inline]
    pub(super) fn stamp(&self, record: &Record<'_>, guard: &Guard) -> Option<u64> {
        let word = record.stamp()?;
        let stamp = word.load(Ordering::Acquire);
        if stamp != UNSTAMPED && stamp & PENDING == 0 { Some(stamp) } else { self.settle(word, stamp, guard) }
    }

    #[cold]
    fn settle(&self, word: &Word, mut stamp: u64, guard: &Guard) -> Option<u64> {
        if stamp == UNSTAMPED {
            let number = self.draw(1);
            pause();
            match word.compare_exchange(UNSTAMPED, number, Ordering::SeqCst, Ordering::Acquire) {
                Ok(_) => return Some(number),
                Err(other) => stamp = other,
            }
        }
        if stamp & PENDING == 0 {
            return Some(stamp);
        }
        let index = (stamp & !PENDING) >> 48;
        Some(self.first_of(stamp & ADDRESS, guard)? + index)
    }

    /// The first number of a batch, if all its records are linked.
    fn first_of(&self, descriptor: u64, guard: &Guard) -> Option<u64> {
        let [count, state] = words(descriptor, DESCRIPTOR_WORDS, guard) else { return None };
        let mut seen = state.load(Ordering::Acquire);
        if seen == READY {
            let first = self.draw(count.load(Ordering::Relaxed));
            pause();
            seen = match state.compare_exchange(READY, first, Ordering::SeqCst, Ordering::Acquire) {
                Ok(_) => first,
                Err(other) => other,
            };
        }
        (seen != INSTALLING).then_some(seen)
    }
}

/// A batch on its way: the stamp of its records until they have numbers.
pub(super) struct Descriptor {
    address: u64,
}

impl Descriptor {
    /// A batch of so many operations, not yet installed.
    pub(super) fn new(blocks: &Blocks, stripe: usize, operations: usize) -> Self {
        let fresh = blocks.allocate(stripe, DESCRIPTOR_WORDS);
        for (word, content) in fresh.words().iter().zip([operations as u64, INSTALLING]) {
            word.store(content, Ordering::Relaxed);
        }
        Self { address: fresh.publish() }
    }

    /// The stamp of the operation with this index.
    pub(super) const fn stamp(&self, index: usize) -> u64 {
        PENDING | ((index as u64) << 48) | self.address
    }

    /// All records are linked: the batch takes effect. Its first number.
    pub(super) fn commit(&self, clock: &Clock, guard: &Guard) -> u64 {
        if let [_, state] = words(self.address, DESCRIPTOR_WORDS, guard) {
            state.store(READY, Ordering::SeqCst);
        }
        pause();
        clock.first_of(self.address, guard).unwrap_or_default()
    }

    /// Ends the descriptor, when no record of the batch names it any more.
    pub(super) fn retire(self, blocks: &Blocks, stripe: usize, guard: &Guard) {
        blocks.retire(stripe, self.address, DESCRIPTOR_WORDS, guard);
    }
}
