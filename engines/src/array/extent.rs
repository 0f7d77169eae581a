//! An extent: segments side by side in one stretch of memory, and the heads by which one of them is found.
//!
//! Invariants
//! - Its keys are not below `lower`, and below the lower end of the extent behind it.
//! - `heads` ascend, the first is 0. A key belongs to the last segment whose head is below its own; among segments whose
//!   heads equal its own, to the last whose first key is not above it, or else to the one before them all.
//! - A segment is empty only if it is the only one of its extent.
//! - A version of the latch stands for the heads: they are changed under its lock only, and those of a window while all
//!   segments of the window are locked too. The first head of a window stays, so that a key's segment changes only if the
//!   segments before and after are both in the window.
//!
//! Thread safety: readers take the extent's version, find a segment, take its version, and check that the extent's holds:
//! then the segment was the key's at a time when it had that version. As long as *that* holds it still is. Among equal
//! heads this needs one thing more: that the first key behind, once seen to be above a key, stays above it. It does,
//! because a key is inserted into a segment only if its head is above the segment's, or it is not below its first key.

use super::geometry::Geometry;
use super::look::Look;
use super::segment::Segment;
use super::stretch::Stretch;
use crate::head::HeadMap;
use crate::memory::latch::{Version, VersionLatch};
use crate::memory::words::{WORD_BYTES, Word};
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::cmp;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Extent {
    latch: VersionLatch,
    map: HeadMap,
    heads: Box<[Word]>,
    segment_words: usize,
    lower: Box<[u8]>,
    stretch: Stretch,
}

impl Extent {
    /// An extent of empty segments, for keys from `lower` on, which are expected between `first` and `last`.
    pub(super) fn new(
        geometry: &Geometry,
        segments: usize,
        lower: &[u8],
        first: &[u8],
        last: &[u8],
        held: &Arc<AtomicU64>,
    ) -> Self {
        let segment_words = geometry.segment_bytes() / WORD_BYTES;
        let extent = Self {
            latch: VersionLatch::new(),
            map: HeadMap::between(first, last),
            heads: (0..segments).map(|_| Word::new(0)).collect(),
            segment_words,
            lower: lower.into(),
            stretch: Stretch::new(segments * segment_words, held),
        };
        extent.iter().for_each(|segment| segment.clear());
        extent
    }

    /// The latch of its heads.
    #[inline]
    pub(super) fn latch(&self) -> &VersionLatch {
        &self.latch
    }

    /// The least key that may be in it.
    pub(super) fn lower(&self) -> &[u8] {
        &self.lower
    }

    /// Number of segments.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// A segment.
    #[inline]
    pub(super) fn segment(&self, index: usize) -> Option<Segment<'_>> {
        // Before the first segment there is none either.
        let start = index.checked_mul(self.segment_words)?;
        Segment::of(self.stretch.words().get(start..start.checked_add(self.segment_words)?)?)
    }

    /// All segments.
    pub(super) fn iter(&self) -> impl Iterator<Item = Segment<'_>> {
        self.stretch.words().chunks_exact(self.segment_words.max(1)).filter_map(Segment::of)
    }

    /// The head of a segment.
    pub(super) fn head(&self, index: usize) -> u64 {
        self.heads.get(index).map_or(0, |head| head.load(Ordering::Relaxed))
    }

    /// Makes a key the first of a segment's. The first segment's head stays 0.
    pub(super) fn set_first_key(&self, index: usize, key: &[u8]) {
        if index > 0
            && let Some(head) = self.heads.get(index)
        {
            head.store(self.map.head(key), Ordering::Relaxed);
        }
    }

    /// The number of heads that fulfil a condition which none fulfils behind one that does not.
    #[inline]
    fn partition(&self, before: impl Fn(u64) -> bool) -> usize {
        let (mut start, mut len) = (0, self.heads.len());
        while len > 1 {
            let half = len / 2;
            start += usize::from(before(self.head(start + half - 1))) * half;
            len -= half;
        }
        start + usize::from(before(self.head(start)))
    }

    /// The segment of a key, with a version at which it was that; `None` if the extent is being changed, or was
    /// replaced. O(log segments). The caller has checked nothing yet: this checks the extent's version.
    #[inline]
    pub(super) fn find<'a, 'g>(&'a self, key: &[u8], guard: &'g Guard) -> Option<(usize, Look<'a, 'g>)> {
        let version = self.latch.read()?;
        let found = self.find_among_heads(key, guard)?;
        self.latch.holds(version).then_some(found)
    }

    /// The same for who holds the lock of the extent, or checks its version.
    #[inline]
    pub(super) fn find_among_heads<'a, 'g>(
        &'a self,
        key: &[u8],
        guard: &'g Guard,
    ) -> Option<(usize, Look<'a, 'g>)> {
        let head = self.map.head(key);
        let above = self.partition(|other| other <= head);
        let last = above.saturating_sub(1);
        if last > 0 && self.head(last) == head {
            return self.find_tied(key, head, last, guard);
        }
        let segment = self.segment(last)?;
        Some((last, Look::at(segment, segment.latch().read()?, guard)))
    }

    /// A segment in which a key is likely to be, to be asked for before it is looked for.
    #[inline]
    pub(super) fn guess(&self, key: &[u8]) -> Option<Segment<'_>> {
        let head = self.map.head(key);
        self.segment(self.partition(|other| other <= head).saturating_sub(1))
    }

    /// Among segments of equal heads, up to `last`, the first keys decide.
    #[cold]
    fn find_tied<'a, 'g>(
        &'a self,
        key: &[u8],
        head: u64,
        last: usize,
        guard: &'g Guard,
    ) -> Option<(usize, Look<'a, 'g>)> {
        let look_at = |index| {
            let segment = self.segment(index)?;
            Some(Look::at(segment, segment.latch().read()?, guard))
        };
        let mut low = self.partition(|other| other < head).max(1);
        let mut high = last + 1;
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let look = look_at(middle)?;
            let order = look.compare(0, look.segment().header(), key);
            if !look.holds() {
                return None;
            }
            if order? == cmp::Ordering::Greater {
                high = middle;
            } else {
                found = Some((middle, look));
                low = middle + 1;
            }
        }
        found.or_else(|| Some((low - 1, look_at(low - 1)?)))
    }

    /// A version of its latch that holds at this moment, for a look at the segment with an index.
    pub(super) fn look<'a, 'g>(&'a self, index: usize, guard: &'g Guard) -> Option<Look<'a, 'g>> {
        let segment = self.segment(index)?;
        Some(Look::at(segment, segment.latch().read()?, guard))
    }

    /// Begins to read: see [`VersionLatch::read`].
    #[inline]
    pub(super) fn version(&self) -> Option<Version> {
        self.latch.read()
    }

    /// Bytes of the stretch.
    pub(super) fn stretch_bytes(&self) -> u64 {
        size_of_val(self.stretch.words()) as u64
    }

    /// Bytes of memory held beside the stretch.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.map.memory_bytes() + self.heads.len() * size_of::<Word>() + self.lower.len()
    }
}
