//! Lanes: what every writer counts, spread so that two seldom write the same line, and the gate that `freeze` closes.
//!
//! Invariants: the sums over all lanes are exact when no write is under way. A writer enters before it looks whether the gate is
//! closed; who closes it waits until no writer is inside, so that none is from then on.
//!
//! Thread safety: figures are relaxed counters; the gate is sequentially consistent, so that of a writer that enters and a
//! thread that closes at least one sees the other.

use crate::sync::{AtomicU64, Ordering, Wait};
use crossbeam::utils::CachePadded;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize};

const LANES: usize = 8;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LANE: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed) % LANES);
}

/// The lane of this thread; its stripe of the slabs too.
#[inline]
pub(super) fn lane() -> usize {
    LANE.try_with(Cell::get).unwrap_or(0)
}

/// What a write changes in the figures.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Change {
    /// Live records.
    pub(super) records: i64,
    /// Their bytes.
    pub(super) live_bytes: i64,
    /// Versions, tombstones included.
    pub(super) versions: i64,
    /// Tombstones.
    pub(super) tombstones: i64,
    /// Bytes of a limit.
    pub(super) used_bytes: i64,
}

#[derive(Default)]
struct Lane {
    inside: AtomicU64,
    figures: [AtomicU64; 5],
    /// Writes that found pages sparse.
    sparse: AtomicU64,
}

impl Change {
    /// Adds another change.
    pub(super) fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.live_bytes += other.live_bytes;
        self.versions += other.versions;
        self.tombstones += other.tombstones;
        self.used_bytes += other.used_bytes;
    }

    const fn parts(&self) -> [i64; 5] {
        [self.records, self.live_bytes, self.versions, self.tombstones, self.used_bytes]
    }
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: [CachePadded<Lane>; LANES],
    closed: CachePadded<AtomicBool>,
}

/// A write under way.
pub(super) struct Inside<'a> {
    lane: Option<&'a Lane>,
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lane) = self.lane {
            lane.inside.fetch_sub(1, Ordering::Release);
        }
    }
}

impl Lanes {
    /// Begins a write; `None` if the gate is closed.
    #[inline]
    pub(super) fn enter(&self, lane: usize) -> Option<Inside<'_>> {
        let lane = self.lanes.get(lane).map(|lane| &**lane);
        if let Some(lane) = lane {
            lane.inside.fetch_add(1, Ordering::SeqCst);
        }
        let inside = Inside { lane };
        (!self.closed.load(Ordering::SeqCst)).then_some(inside)
    }

    /// Closes the gate; returns when no write is under way, and from then on none is.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for lane in &self.lanes {
            let wait = Wait::new();
            while lane.inside.load(Ordering::SeqCst) != 0 {
                wait.once();
            }
        }
    }

    /// Whether the gate is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Counts a change.
    #[inline]
    pub(super) fn count(&self, lane: usize, change: &Change) {
        if let Some(lane) = self.lanes.get(lane) {
            for (figure, part) in lane.figures.iter().zip(change.parts()) {
                if part != 0 {
                    figure.fetch_add(part as u64, Ordering::Relaxed);
                }
            }
        }
    }

    /// Whether this write, of all that find pages sparse, is the one to do something about it.
    pub(super) fn takes_turn(&self, lane: usize, every: u64) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.sparse.fetch_add(1, Ordering::Relaxed) % every == 0)
    }

    /// All changes together.
    pub(super) fn total(&self) -> Change {
        let sum = |index: usize| {
            let parts = self.lanes.iter().filter_map(|lane| lane.figures.get(index));
            parts.fold(0_u64, |sum, figure| sum.wrapping_add(figure.load(Ordering::Relaxed))) as i64
        };
        Change {
            records: sum(0),
            live_bytes: sum(1),
            versions: sum(2),
            tombstones: sum(3),
            used_bytes: sum(4),
        }
    }
}
