//! Changes that concern more than one segment: rebalances of windows.
//!
//! Costs, in records moved: see [`super::geometry`] for the amortised bound. The worst single write rebuilds four extents as
//! five ([`super::rebuild`]).
//!
//! Thread safety: one thread at a time restructures; it holds the lock of the structure throughout. It locks the extent,
//! then segment after segment as the window widens: nobody else holds one segment and waits for another, so the order does
//! not matter. Who looks a key of the extent up meanwhile waits; who had found a segment outside the window before reads on.

use super::Array;
use super::extent::Extent;
use super::gathered::Gathered;
use super::geometry::Geometry;
use super::look::Position;
use super::outside::Outside;
use super::plan::{self, Hot};
use super::segment::{Entry, SLOT_BYTES, Segment};
use super::write::{Outcome, Write};
use crossbeam::epoch::Guard;
use std::ops::Range;

/// What the array has done since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// Windows that were rebalanced within an extent.
    pub(super) rebalances: u64,
    /// Times that extents were rebuilt.
    pub(super) rebuilds: u64,
    /// Records moved by both.
    pub(super) moved: u64,
    /// The most records moved by one write.
    pub(super) moved_most: u64,
}

impl Counters {
    pub(super) fn moved(&mut self, records: usize) {
        self.moved += records as u64;
        self.moved_most = self.moved_most.max(records as u64);
    }
}

/// A change of one segment, to be made while its entries are gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edit<'a> {
    /// The extent and the segment.
    pub(super) extent_index: usize,
    pub(super) segment_index: usize,
    /// The entry before which it is made, or which is replaced or removed.
    pub(super) at: Position,
    /// What is inserted or takes its place; nothing if it is removed.
    pub(super) entry: Option<Entry<'a>>,
    /// Inserts in a row next to each other.
    pub(super) run: usize,
    /// Whether segments are too empty rather than too full.
    pub(super) is_shrinking: bool,
}

impl Edit<'_> {
    /// Gathers the segment as it is after the edit; tells where the edit stands among all that is gathered.
    pub(super) fn gather(&self, segment: Segment<'_>, entries: &mut Gathered) -> Hot {
        let count = segment.header().count;
        entries.take(segment, 0, self.at.index);
        let index = entries.len();
        if let Some(entry) = &self.entry {
            entries.push(entry);
        }
        entries.take(segment, self.at.index + usize::from(self.at.found), count);
        Hot { index, run: self.run }
    }
}

impl Array {
    /// Applies a write that its segment alone cannot take. [`Outcome::Stale`]: look again.
    pub(super) fn restructure(&self, write: &Write<'_>, guard: &Guard) -> Outcome {
        let mut counters = self.structure.lock();
        // Under the lock the list of extents stays as it is.
        let top = self.root.load(guard);
        let extent_index = top.find(write.key);
        let Some(extent) = top.extent(extent_index) else { return Outcome::Stale };
        if !extent.latch().lock() {
            return Outcome::Stale;
        }
        let Some((segment_index, mut look)) = extent.find_among_heads(write.key, guard) else {
            extent.latch().unlock_unchanged();
            return Outcome::Stale;
        };
        if !look.lock() {
            extent.latch().unlock_unchanged();
            return Outcome::Stale;
        }
        let segment = look.segment();
        let is_alone = extent.len() == 1 && top.extents().len() == 1;
        let header = segment.header();
        // A locked look holds, so there is a position.
        let at = look.position(header, write.key);
        // Another thread may have made room meanwhile.
        let outcome = at.map_or(Outcome::Stale, |at| self.apply(&look, at, write, is_alone, guard));
        let Some(at) = at.filter(|_| outcome == Outcome::NoRoom) else {
            if outcome == Outcome::Stale {
                segment.latch().unlock_unchanged()
            } else {
                segment.latch().unlock()
            }
            extent.latch().unlock_unchanged();
            return outcome;
        };
        let old = segment.offset(at.index + 1, header.count) - segment.offset(at.index, header.count);
        let cost = segment.used() + write.entry.map_or(0, |entry| entry.len() + SLOT_BYTES)
            - if at.found { old + SLOT_BYTES } else { 0 };
        let run = if at.found { 0 } else { segment.run_at(at.index) };
        let is_shrinking = cost < self.geometry.leaf_fewest();
        let edit = Edit { extent_index, segment_index, at, entry: write.entry, run, is_shrinking };
        let orphan = if at.found { Outside::orphan(&look, at.index) } else { None };
        let window = match self.rebalance(extent, &edit, cost, guard) {
            Ok(moved) => {
                counters.rebalances += 1;
                counters.moved(moved);
                None
            }
            Err(window) => Some(window),
        };
        if let Some(locked) = window {
            self.rebuild(top, &edit, locked, &mut counters, guard);
        }
        if let Some(orphan) = orphan {
            self.outside.retire(orphan, guard);
        }
        if at.found { Outcome::Found } else { Outcome::NotFound }
    }

    /// Rebalances the smallest window around the edit that is within its densities and can be spread over its segments,
    /// and unlocks everything. Returns the number of records moved; if there is no such window, the segments that are
    /// locked now, together with the extent.
    fn rebalance(
        &self,
        extent: &Extent,
        edit: &Edit<'_>,
        cost: usize,
        guard: &Guard,
    ) -> Result<usize, Range<usize>> {
        let height = Geometry::height(extent.len());
        let mut window = edit.segment_index..edit.segment_index + 1;
        let mut bytes = cost;
        for level in 1..=height {
            let width = 1 << level;
            let start = window.start & !(width - 1);
            let end = (start + width).min(extent.len());
            for index in (start..window.start).chain(window.end..end) {
                let Some(segment) = extent.segment(index) else { continue };
                segment.latch().lock();
                bytes += segment.used();
            }
            window = start..end;
            let is_within = bytes <= self.geometry.most(level, height, window.len())
                && (!edit.is_shrinking || bytes >= self.geometry.fewest(level, height, window.len()));
            if !is_within {
                continue;
            }
            let mut entries = Gathered::with_capacity(bytes);
            let mut hot = None;
            for index in window.clone() {
                let Some(segment) = extent.segment(index) else { continue };
                if index == edit.segment_index {
                    hot = Some(edit.gather(segment, &mut entries));
                } else {
                    entries.take(segment, 0, segment.header().count);
                }
            }
            let hot = hot.filter(|_| edit.entry.is_some());
            let Some(plan) = plan::spread(&self.geometry, &entries, window.len(), hot, level, height) else {
                continue;
            };
            fill(extent, window.clone(), &entries, &plan, hot, guard);
            window.filter_map(|index| extent.segment(index)).for_each(|segment| segment.latch().unlock());
            extent.latch().unlock();
            return Ok(entries.len());
        }
        Err(window)
    }
}

/// Fills the segments of a window as planned. The head of the first one stays. Whoever can be reached is locked.
pub(super) fn fill(
    extent: &Extent,
    window: Range<usize>,
    entries: &Gathered,
    plan: &[usize],
    hot: Option<Hot>,
    guard: &Guard,
) {
    let mut buffer = Vec::new();
    let first = window.start;
    for (index, part) in window.zip(plan.array_windows()) {
        let [from, to] = *part;
        let Some(segment) = extent.segment(index) else { continue };
        entries.fill(segment, from, to, guard);
        if index > first {
            extent.set_first_key(index, entries.key(from, &mut buffer, guard));
        }
        if let Some(hot) = hot.filter(|hot| (from..to).contains(&hot.index)) {
            segment.set_hot(hot.index - from, hot.run);
        }
    }
}
