//! Extents built anew: when a whole extent is too full or too empty, on compaction, and on a bulk load.
//!
//! A small extent is rebuilt alone with a quarter more segments. A full one takes its neighbours in: four full extents
//! become five, so that memory grows by little and no extent is ever less than two thirds full from inserts (as
//! the B*-tree does with pages; D. Knuth, *The Art of Computer Programming* 3, 6.2.4). Where a run of inserts goes on, the
//! records on both sides of it are packed, and the run gets a small extent of its own, which then grows.
//!
//! Invariants: extents are replaced by others for the same range of keys. The new list is published before the locks of
//! the old ones are given back as obsolete, so that who waited for them finds the new ones.
//!
//! Thread safety: as in [`super::restructure`]. The old extents stay in memory until no reader is pinned that knew them.

use super::Array;
use super::extent::Extent;
use super::gathered::Gathered;
use super::geometry::Geometry;
use super::look::Look;
use super::outside::Outside;
use super::plan::{self, Hot};
use super::restructure::{Counters, Edit, fill};
use super::segment;
use super::top::Top;
use super::write::Kind;
use crossbeam::epoch::Guard;
use std::ops::Range;
use std::sync::Arc;

/// Full extents that are rebuilt together.
const NEIGHBOURS: usize = 4;

/// A stretch of the gathered entries that makes an extent, and how they lie in its segments.
#[derive(Debug)]
struct Part {
    /// The indexes at which segments begin, and the end.
    plan: Vec<usize>,
    hot: Option<Hot>,
}

impl Array {
    /// Rebuilds the extent of an edit, with neighbours where that helps. The extent is locked, and its segments in
    /// `locked` are.
    pub(super) fn rebuild(
        &self,
        top: &Top,
        edit: &Edit<'_>,
        locked: Range<usize>,
        counters: &mut Counters,
        guard: &Guard,
    ) {
        let here = edit.extent_index;
        let (extents, len) = (top.extents(), top.extents().len());
        let is_full = extents.get(here).is_some_and(|extent| self.geometry.is_nearly_full(extent.len()));
        let is_hot = Hot { index: 0, run: edit.run }.is_hot() && edit.entry.is_some();
        let range = if edit.is_shrinking {
            here.saturating_sub(1)..(here + 2).min(len)
        } else if is_full && !is_hot {
            let end = (here.saturating_sub(NEIGHBOURS / 2) + NEIGHBOURS).min(len);
            end.saturating_sub(NEIGHBOURS)..end
        } else {
            here..here + 1
        };
        let (mut entries, mut hot) = (self.room_for(extents.get(range.clone()).unwrap_or_default()), None);
        for (index, extent) in extents.iter().enumerate().skip(range.start).take(range.len()) {
            if index != here {
                extent.latch().lock();
            }
            for (segment_index, segment) in extent.iter().enumerate() {
                if index != here || !locked.contains(&segment_index) {
                    segment.latch().lock();
                }
                if index == here && segment_index == edit.segment_index {
                    hot = Some(edit.gather(segment, &mut entries));
                } else {
                    entries.take(segment, 0, segment.header().count);
                }
            }
        }
        let hot = hot.filter(|_| is_hot);
        let parts = match hot {
            Some(hot) if is_full && range.len() == 1 => self.parts_around(&entries, hot),
            _ => {
                let segments = self.geometry.rebuilt_segments(entries.cost());
                // One extent stays one until it is full.
                let is_alone = range.len() == 1 && !is_full;
                let segments =
                    if is_alone { segments.min(self.geometry.extent_segments()) } else { segments };
                self.even_parts(&entries, segments, hot)
            }
        };
        counters.rebuilds += 1;
        counters.moved(entries.len());
        self.exchange(top, range, &entries, &parts, guard);
    }

    /// Room for what some extents hold: asked for at once, because what grows step by step leaves an allocator with memory of
    /// each step.
    fn room_for(&self, extents: &[Arc<Extent>]) -> Gathered {
        let segments: usize = extents.iter().map(|extent| extent.len()).sum();
        Gathered::with_capacity(segments * self.geometry.segment_bytes())
    }

    /// Builds the parts, puts them in the place of extents that are locked, and makes those obsolete.
    fn exchange(&self, top: &Top, range: Range<usize>, entries: &Gathered, parts: &[Part], guard: &Guard) {
        let (before, rest) = top.extents().split_at(range.start.min(top.extents().len()));
        let (replaced, behind) = rest.split_at(range.len().min(rest.len()));
        let lower = replaced.first().map_or(&[][..], |extent| extent.lower());
        let mut extents = before.to_vec();
        extents.extend(
            parts.iter().enumerate().map(|(index, part)| {
                Arc::new(self.build(entries, part, (index == 0).then_some(lower), guard))
            }),
        );
        extents.extend_from_slice(behind);
        self.root.replace(Top::new(top.serial() + 1, extents), guard);
        for extent in replaced {
            extent.iter().for_each(|segment| segment.latch().unlock_obsolete());
            extent.latch().unlock_obsolete();
        }
    }

    /// An extent of its own memory, which nobody can reach yet. Without a lower end, it gets the shortest that tells its
    /// first key from the key before it.
    fn build(&self, entries: &Gathered, part: &Part, lower: Option<&[u8]>, guard: &Guard) -> Extent {
        let (mut before, mut first, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let (from, to) = (part.plan.first().copied().unwrap_or(0), part.plan.last().copied().unwrap_or(0));
        let (first, last) = if from < to {
            (entries.key(from, &mut first, guard), entries.key(to - 1, &mut last, guard))
        } else {
            (&[][..], &[][..])
        };
        let lower = lower.unwrap_or_else(|| match from.checked_sub(1) {
            Some(index) => {
                let before = entries.key(index, &mut before, guard);
                // Keys ascend, so that the first one is longer than what it has in common with the one before.
                first.get(..=segment::common_whole(before, first)).unwrap_or(first)
            }
            None => first,
        });
        let segments = part.plan.len().saturating_sub(1).max(1);
        let extent = Extent::new(&self.geometry, segments, lower, first, last, &self.held);
        fill(&extent, 0..segments, entries, &part.plan, part.hot, guard);
        extent
    }

    /// As many extents as are needed, all equally full.
    fn even_parts(&self, entries: &Gathered, segments: usize, hot: Option<Hot>) -> Vec<Part> {
        let full = self.geometry.extent_segments();
        let count = segments.div_ceil(full);
        let mut each = segments.div_ceil(count);
        if self.geometry.is_nearly_full(each) {
            // It may as well lie on a huge page.
            each = full;
        }
        let (mut parts, mut from) = (Vec::new(), 0);
        for part in 1..=count {
            let target = entries.cost() * part / count;
            let mut to = from;
            while to < entries.len() && (part == count || entries.cost_before(to + 1) <= target) {
                to += 1;
            }
            parts.push(self.spread(entries, from..to, each, hot));
            from = to;
        }
        parts
    }

    /// Packs the records before and behind the spot of a run, and gives the spot an extent of its own.
    fn parts_around(&self, entries: &Gathered, hot: Hot) -> Vec<Part> {
        let (total, near) = (entries.cost(), self.geometry.room() / 4);
        let (mut from, mut to) = (hot.index, hot.index + 1);
        while from > 0 && entries.cost_before(hot.index) - entries.cost_before(from - 1) <= near {
            from -= 1;
        }
        while to < entries.len() && entries.cost_before(to + 1) - entries.cost_before(hot.index) <= near {
            to += 1;
        }
        // A side that is short goes with the run.
        if entries.cost_before(from) < total / 16 {
            from = 0;
        }
        if total - entries.cost_before(to) < total / 16 {
            to = entries.len();
        }
        let cost = |range: &Range<usize>| entries.cost_before(range.end) - entries.cost_before(range.start);
        let full = self.geometry.extent_segments();
        let cold = |range: Range<usize>| {
            let segments = self.geometry.cold_segments(cost(&range));
            self.spread(entries, range, segments.min(full), None)
        };
        let mut parts = Vec::new();
        if from > 0 {
            parts.push(cold(0..from));
        }
        let segments = self.geometry.rebuilt_segments(cost(&(from..to)));
        parts.push(self.spread(entries, from..to, segments, Some(hot)));
        if to < entries.len() {
            parts.push(cold(to..entries.len()));
        }
        parts
    }

    /// Spreads a range of entries over so many segments, or a few more if entries of very different lengths need them.
    fn spread(&self, entries: &Gathered, range: Range<usize>, segments: usize, hot: Option<Hot>) -> Part {
        let part = entries.range(&range);
        let hot = hot.filter(|hot| range.contains(&hot.index));
        let inner = hot.map(|hot| Hot { index: hot.index - range.start, ..hot });
        let mut segments = segments.clamp(1, range.len().max(1));
        loop {
            let height = Geometry::height(segments);
            if let Some(mut plan) = plan::spread(&self.geometry, &part, segments, inner, height, height) {
                plan.iter_mut().for_each(|index| *index += range.start);
                return Part { plan, hot };
            }
            if segments >= range.len() {
                // One entry a segment always fits; packing does too, and wastes less.
                let mut plan = plan::pack(&part, self.geometry.room());
                plan.iter_mut().for_each(|index| *index += range.start);
                return Part { plan, hot };
            }
            segments = (segments + segments / 8 + 1).min(range.len());
        }
    }

    /// Packs the entries into extents that are as full as they get; the last one has no more segments than it needs.
    fn packed_parts(&self, entries: &Gathered) -> Vec<Part> {
        let plan = plan::pack(entries, self.geometry.room());
        let full = self.geometry.extent_segments();
        let segments = plan.len() - 1;
        (0..segments.div_ceil(full))
            .map(|part| {
                let end = ((part + 1) * full).min(segments);
                Part { plan: plan.get(part * full..=end).unwrap_or_default().to_vec(), hot: None }
            })
            .collect()
    }

    /// Packs the extents from an index on, as many as are rebuilt together, under the lock of the structure. Returns the
    /// index of the first that may be packed further, or `None` when there is none behind.
    pub(super) fn pack_from(&self, index: usize, counters: &mut Counters, guard: &Guard) -> Option<usize> {
        let top = self.root.load(guard);
        let end = (index + NEIGHBOURS).min(top.extents().len());
        let extents = top.extents().get(index..end).unwrap_or_default();
        let mut entries = self.room_for(extents);
        for extent in extents {
            extent.latch().lock();
            for segment in extent.iter() {
                segment.latch().lock();
                entries.take(segment, 0, segment.header().count);
            }
        }
        let parts = self.packed_parts(&entries);
        counters.rebuilds += 1;
        counters.moved(entries.len());
        let is_last = end == top.extents().len();
        self.exchange(top, index..end, &entries, &parts, guard);
        (!is_last).then(|| index + parts.len() - 1)
    }
}

/// Extents that are built one after the other from records in order.
#[derive(Debug, Default)]
pub(super) struct Loading {
    entries: Gathered,
    extents: Vec<Arc<Extent>>,
    /// The last key of the last extent.
    before: Vec<u8>,
}

impl Loading {
    /// The records that are not in an extent yet.
    pub(super) fn entries(&mut self) -> &mut Gathered {
        &mut self.entries
    }

    /// Builds an extent when there are enough records for one, or of all that is left.
    pub(super) fn build(&mut self, array: &Array, is_last: bool, guard: &Guard) {
        let full = array.geometry.extent_segments();
        // Packing leaves up to a quarter of a segment free, where long records are.
        if !is_last && self.entries.cost() < full * array.geometry.room() * 5 / 4 {
            return;
        }
        let parts = array.packed_parts(&self.entries);
        let mut done = 0;
        for (index, part) in parts.iter().enumerate() {
            if !is_last && index > 0 {
                break;
            }
            let (mut first, mut last) = (Vec::new(), Vec::new());
            let (from, to) =
                (part.plan.first().copied().unwrap_or(0), part.plan.last().copied().unwrap_or(0));
            let lower = if self.extents.is_empty() || from == to {
                Vec::new()
            } else {
                let key = self.entries.key(from, &mut first, guard);
                key.get(..=segment::common_whole(&self.before, key)).unwrap_or(key).to_vec()
            };
            self.extents.push(Arc::new(array.build(&self.entries, part, Some(&lower), guard)));
            if from < to {
                self.before = self.entries.key(to - 1, &mut last, guard).to_vec();
            }
            done = to;
        }
        self.entries.forget(done);
    }

    /// All extents.
    pub(super) fn into_extents(self) -> Vec<Arc<Extent>> {
        self.extents
    }
}

impl Array {
    /// Puts loaded extents in the place of all there are, if these are empty; gives them back otherwise.
    pub(super) fn publish(&self, extents: Vec<Arc<Extent>>, guard: &Guard) -> Result<(), Vec<Arc<Extent>>> {
        let _structure = self.structure.lock();
        let top = self.root.load(guard);
        let mut records = 0;
        for extent in top.extents() {
            extent.latch().lock();
            for segment in extent.iter() {
                segment.latch().lock();
                records += segment.header().count;
            }
        }
        if records > 0 {
            for extent in top.extents() {
                extent.iter().for_each(|segment| segment.latch().unlock_unchanged());
                extent.latch().unlock_unchanged();
            }
            return Err(extents);
        }
        self.root.replace(Top::new(top.serial() + 1, extents), guard);
        for extent in top.extents() {
            extent.iter().for_each(|segment| segment.latch().unlock_obsolete());
            extent.latch().unlock_obsolete();
        }
        Ok(())
    }

    /// Sets the records of extents that nobody else has ever seen.
    pub(super) fn set_all(&self, extents: Vec<Arc<Extent>>, guard: &Guard) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for segment in extents.iter().flat_map(|extent| extent.iter()) {
            segment.latch().lock();
            let (look, header) = (Look::locked(segment, guard), segment.header());
            for index in 0..header.count {
                key.clear();
                value.clear();
                if look.append_key(index, header, &mut key).is_some()
                    && look.append_value(index, header, &mut value).is_some()
                {
                    self.write(Kind::Set, &key, &value);
                }
                if let Some(orphan) = Outside::orphan(&look, index) {
                    self.outside.retire(orphan, guard);
                }
            }
        }
    }
}
