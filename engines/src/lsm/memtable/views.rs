//! The read views there are.
//!
//! Invariants: a view is counted, and its slot says [`CLAIMED`], before it reads the clock; then the slot says its number.
//! Hence a writer that finds no view, or none in a range, after it has stamped its record at `b`, can be sure that every view it
//! overlooked reads the clock later and is at `b` or above: it sees the new record and needs nothing that this one hides.
//!
//! Thread safety: lock-free, all of it sequentially consistent; slots are in segments that are never given back before the
//! table is.

use super::pause::pause;
use super::sequence::Clock;
use crate::sync::{AtomicU64, Ordering};
use crossbeam::utils::CachePadded;
use std::sync::OnceLock;

const SLOTS: usize = 16;
const UNUSED: u64 = 0;
/// A view that does not know its number yet: it may need anything.
const CLAIMED: u64 = 1;
/// Numbers in slots are higher by so much.
const NUMBERS: u64 = 2;

#[derive(Default)]
struct Segment {
    slots: [CachePadded<AtomicU64>; SLOTS],
    next: OnceLock<Box<Self>>,
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct Views {
    count: CachePadded<AtomicU64>,
    first: Segment,
}

/// The views that were there at one moment.
pub(super) struct Seen {
    /// Ascending.
    numbers: Vec<u64>,
    claimed: bool,
}

impl Seen {
    /// Whether a view needs a version that was written at `written` and hidden at `hidden`.
    #[inline]
    pub(super) fn need(&self, written: u64, hidden: u64) -> bool {
        self.claimed
            || self
                .numbers
                .get(self.numbers.partition_point(|at| *at < written))
                .is_some_and(|at| *at < hidden)
    }

    /// The lowest number of a view; `u64::MAX` without one.
    pub(super) fn oldest(&self) -> u64 {
        if self.claimed { 0 } else { self.numbers.first().copied().unwrap_or(u64::MAX) }
    }
}

impl Views {
    fn slot(&self, index: usize) -> Option<&AtomicU64> {
        let mut segment = &self.first;
        for _ in 0..index / SLOTS {
            segment = segment.next.get()?;
        }
        segment.slots.get(index % SLOTS).map(|slot| &**slot)
    }

    /// Opens a view: its slot and its number.
    pub(super) fn open(&self, clock: &Clock) -> (usize, u64) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let (mut segment, mut base) = (&self.first, 0);
        loop {
            for (index, slot) in segment.slots.iter().enumerate() {
                if slot.load(Ordering::Relaxed) == UNUSED
                    && slot.compare_exchange(UNUSED, CLAIMED, Ordering::SeqCst, Ordering::Relaxed).is_ok()
                {
                    pause();
                    let number = clock.now();
                    pause();
                    slot.store(number + NUMBERS, Ordering::SeqCst);
                    return (base + index, number);
                }
            }
            segment = segment.next.get_or_init(Box::default);
            base += SLOTS;
        }
    }

    /// Ends a view.
    pub(super) fn close(&self, slot: usize) {
        if let Some(slot) = self.slot(slot) {
            slot.store(UNUSED, Ordering::SeqCst);
        }
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    /// Number of views.
    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// The views there are. One load if there are none.
    #[inline]
    pub(super) fn seen(&self) -> Seen {
        if self.len() == 0 { Seen { numbers: Vec::new(), claimed: false } } else { self.look() }
    }

    #[cold]
    fn look(&self) -> Seen {
        let mut seen = Seen { numbers: Vec::new(), claimed: false };
        let mut segment = Some(&self.first);
        while let Some(this) = segment {
            for slot in &this.slots {
                match slot.load(Ordering::SeqCst) {
                    UNUSED => continue,
                    CLAIMED => seen.claimed = true,
                    number => seen.numbers.push(number - NUMBERS),
                }
            }
            segment = this.next.get().map(|next| &**next);
        }
        // One that is counted and was in no slot yet reads the clock later than now, and needs nothing hidden before.
        seen.numbers.sort_unstable();
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_needed_from_its_writing_until_it_is_hidden() {
        let (views, clock) = (Views::default(), Clock::after(5));
        assert!(!views.seen().need(0, u64::MAX));
        let (first, again) = (views.open(&clock), views.open(&clock));
        clock.raise(9);
        let last = views.open(&clock);
        assert_eq!((first.1, again.1, last.1), (5, 5, 9));
        let seen = views.seen();
        assert!(seen.need(5, 6) && seen.need(1, 8) && seen.need(9, 10));
        assert!(!seen.need(1, 5) && !seen.need(6, 9) && !seen.need(10, 99) && !seen.need(5, 5));
        views.close(first.0);
        assert!(views.seen().need(5, 6));
        assert_eq!((views.seen().oldest(), views.len()), (5, 2));
        views.close(again.0);
        assert!(!views.seen().need(5, 6));
        assert_eq!((views.seen().oldest(), views.len()), (9, 1));
    }

    #[test]
    fn there_is_room_for_any_number_of_views() {
        let (views, clock) = (Views::default(), Clock::after(0));
        let open: Vec<_> = (0..100)
            .map(|n| {
                clock.raise(n);
                views.open(&clock)
            })
            .collect();
        for (slot, number) in open.iter().rev() {
            assert_eq!(views.seen().numbers, (0..=*number).collect::<Vec<_>>());
            views.close(*slot);
        }
        assert_eq!((views.len(), views.seen().oldest()), (0, u64::MAX));
    }
}
