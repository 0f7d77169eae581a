//! Scans: segment after segment is copied into a page of the session's, and visited from there.
//!
//! Each segment is seen as it was at one time. A scan remembers where the segment was that it copied last: if neither the
//! list of extents nor the heads of the extent have changed, the next one lies behind it in memory. Otherwise it looks
//! for the last key it visited. So it sees each record at some time during the scan, in order and at most once.
//!
//! Thread safety: optimistic reads under a guard that is given back before the visitor is called.

use super::Array;
use super::look::Look;
use super::page::Page;
use super::segment::Segment;
use super::top::Top;
use crate::engine::{ScanRange, Visitor};
use crate::memory::latch::Version;
use crate::memory::prefetch::{self, Ahead};
use crate::memory::words::WORD_BYTES;
use crate::sync::Wait;
use crossbeam::epoch::{self, Guard};
use std::ops::{Bound, Range};

/// The lines of the next segment to ask for at once: its header and most of its directory.
const DIRECTORY_LINES: usize = 4;

/// The lines of the entries of a segment, or of so many bytes of them, as the header has them now. To be asked for only.
fn entries_ahead(segment: Segment<'_>, bytes: usize, reverse: bool) -> Ahead {
    let (start, end) = (segment.header().start, segment.size());
    let (start, end) = if reverse {
        (start.max(end.saturating_sub(bytes)), end)
    } else {
        (start, end.min(start.saturating_add(bytes)))
    };
    let words = segment.words().get(start / WORD_BYTES..end.div_ceil(WORD_BYTES));
    Ahead::of(words.unwrap_or_default())
}

/// Where a segment was found.
#[derive(Clone, Copy, Debug)]
struct Spot {
    serial: u64,
    extent: usize,
    version: Version,
    segment: usize,
}

impl Spot {
    /// The segment behind this one, or before it, if nothing has moved since; and whether there is none.
    fn next<'g>(self, top: &'g Top, reverse: bool, guard: &'g Guard) -> Option<Option<(Self, Look<'g, 'g>)>> {
        let extent = top.extent(self.extent).filter(|_| top.serial() == self.serial)?;
        let inside = if reverse { self.segment.checked_sub(1) } else { Some(self.segment + 1) };
        if let Some(segment) = inside.filter(|segment| *segment < extent.len()) {
            let look = extent.look(segment, guard)?;
            return extent.latch().holds(self.version).then_some(Some((Self { segment, ..self }, look)));
        }
        if !extent.latch().holds(self.version) {
            return None;
        }
        let next = if reverse { self.extent.checked_sub(1) } else { Some(self.extent + 1) };
        let Some(extent_index) = next.filter(|index| *index < top.extents().len()) else { return Some(None) };
        Self::enter(top, extent_index, reverse, guard).map(Some)
    }

    /// The first or last segment of an extent.
    fn enter<'g>(
        top: &'g Top,
        extent_index: usize,
        reverse: bool,
        guard: &'g Guard,
    ) -> Option<(Self, Look<'g, 'g>)> {
        let extent = top.extent(extent_index)?;
        let version = extent.version()?;
        let segment = if reverse { extent.len() - 1 } else { 0 };
        let look = extent.look(segment, guard)?;
        let spot = Self { serial: top.serial(), extent: extent_index, version, segment };
        extent.latch().holds(version).then_some((spot, look))
    }

    /// The segment to be copied next, unless it is in another extent. To be asked for only.
    fn neighbour(self, top: &Top, reverse: bool) -> Option<Segment<'_>> {
        let next = if reverse { self.segment.checked_sub(1)? } else { self.segment + 1 };
        top.extent(self.extent)?.segment(next)
    }

    /// The segment of a key.
    fn seek<'g>(top: &'g Top, key: &[u8], guard: &'g Guard) -> Option<(Self, Look<'g, 'g>)> {
        let extent_index = top.find(key);
        let extent = top.extent(extent_index)?;
        let version = extent.version()?;
        let (segment, look) = extent.find_among_heads(key, guard)?;
        let spot = Self { serial: top.serial(), extent: extent_index, version, segment };
        extent.latch().holds(version).then_some((spot, look))
    }
}

/// Where a scan is.
#[derive(Debug, Default)]
struct Cursor {
    /// The last key that was copied, if any was.
    key: Option<Vec<u8>>,
    /// The segment behind which it goes on, if that was copied to its end.
    behind: Option<Spot>,
    /// Whether there is nothing left.
    is_done: bool,
}

/// The part of the page that lies in the range, and whether the range ends in it.
fn within(page: &Page, range: &ScanRange<'_>) -> (Range<usize>, bool) {
    let len = page.len();
    let Some(last) = len.checked_sub(1) else { return (0..0, false) };
    if range.reverse {
        if matches!(range.lower, Bound::Unbounded) || range.reaches_down_to(page.record(0).0) {
            return (0..len, false);
        }
        (partition(len, |index| !range.reaches_down_to(page.record(index).0))..len, true)
    } else {
        if matches!(range.upper, Bound::Unbounded) || range.reaches_up_to(page.record(last).0) {
            return (0..len, false);
        }
        (0..partition(len, |index| range.reaches_up_to(page.record(index).0)), true)
    }
}

/// The number of indexes below `len` that fulfil a condition which none fulfils behind one that does not.
fn partition(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl Array {
    /// Scans with the page of a session. See [`crate::engine::Session::scan`].
    pub(super) fn scan_pages(&self, range: &ScanRange<'_>, page: &mut Page, visit: Visitor<'_>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let (mut left, mut visited, mut cursor) = (range.limit, 0, Cursor::default());
        loop {
            let ahead = self.next_page(range, left, &mut cursor, page);
            let (within, is_end) = within(page, range);
            left -= within.len().min(left);
            // Where the range ends, nothing comes behind.
            let ahead = if is_end { Ahead::NOTHING } else { ahead };
            let (count, flow) = page.visit(within, range.reverse, range.keys_only, ahead, visit);
            visited += count;
            if is_end || cursor.is_done || left == 0 || flow.is_break() {
                return visited;
            }
        }
    }

    /// Copies the next entries, `left` at the most, into the page, and moves the cursor behind them; tells what to ask for
    /// while they are visited.
    fn next_page(&self, range: &ScanRange<'_>, left: usize, cursor: &mut Cursor, page: &mut Page) -> Ahead {
        let wait = Wait::new();
        loop {
            self.wait_for_batches();
            let guard = &epoch::pin();
            let top = self.root.load(guard);
            let mut is_whole = true;
            let found = match cursor.behind.and_then(|spot| spot.next(top, range.reverse, guard)) {
                Some(None) => {
                    page.clear();
                    cursor.is_done = true;
                    return Ahead::NOTHING;
                }
                Some(found) => found,
                None => {
                    is_whole = false;
                    seek(top, range, cursor, guard)
                }
            };
            let Some((spot, look)) = found else {
                wait.once();
                continue;
            };
            let header = look.segment().header();
            // Downwards the neighbour may have got a key above the last one: see `part`.
            let is_whole = is_whole && !range.reverse;
            let entries = if is_whole { Some(0..header.count) } else { part(&look, range, cursor) };
            let Some(entries) = entries else {
                wait.once();
                continue;
            };
            let wanted = if range.reverse {
                entries.start.max(entries.end.saturating_sub(left))..entries.end
            } else {
                entries.start..entries.end.min(entries.start.saturating_add(left))
            };
            // The next segment's directory comes while this one is copied, its entries while these are visited.
            let neighbour = if wanted.len() < left { spot.neighbour(top, range.reverse) } else { None };
            if let Some(next) = neighbour {
                prefetch::lines(next.words().as_ptr(), DIRECTORY_LINES);
            }
            if page.copy(&look, header, wanted.clone(), range.reverse, range.keys_only).is_none() {
                wait.once();
                continue;
            }
            let is_cut = page.len() < entries.len();
            cursor.behind = (!is_cut).then_some(spot);
            let Some(last) = page.len().checked_sub(1) else { continue };
            let mut ahead = Ahead::NOTHING;
            if left > page.len() {
                if let Some(next) = neighbour {
                    let bytes = page.bytes_for(left - page.len());
                    ahead = entries_ahead(next, bytes, range.reverse);
                }
                let key = cursor.key.get_or_insert_default();
                key.clear();
                key.extend_from_slice(page.record(if range.reverse { 0 } else { last }).0);
            }
            return ahead;
        }
    }
}

/// The segment in which a scan begins, or goes on behind its last key.
fn seek<'g>(
    top: &'g Top,
    range: &ScanRange<'_>,
    cursor: &Cursor,
    guard: &'g Guard,
) -> Option<(Spot, Look<'g, 'g>)> {
    match start(range, cursor) {
        Bound::Included(key) | Bound::Excluded(key) => Spot::seek(top, key, guard),
        Bound::Unbounded if range.reverse => Spot::enter(top, top.extents().len() - 1, true, guard),
        Bound::Unbounded => Spot::enter(top, 0, false, guard),
    }
}

/// The bound at which a scan begins or goes on.
fn start<'a>(range: &'a ScanRange<'_>, cursor: &'a Cursor) -> Bound<&'a [u8]> {
    match &cursor.key {
        Some(key) => Bound::Excluded(key),
        None if range.reverse => range.upper(),
        None => range.lower(),
    }
}

/// The entries of the segment in which a scan begins or goes on, from its bound on. `None` if the look does not hold.
///
/// A segment before the one that was copied may have entries beyond the bound: among keys whose head is that of the segment
/// behind, its first key decides, and when that is deleted, keys above it belong to the segment before. Upwards this cannot
/// matter, since the border between two segments moves in that direction only, as long as their heads stay.
fn part(look: &Look<'_, '_>, range: &ScanRange<'_>, cursor: &Cursor) -> Option<Range<usize>> {
    let header = look.segment().header();
    let (key, is_included) = match start(range, cursor) {
        Bound::Unbounded => return Some(0..header.count),
        Bound::Included(key) => (key, true),
        Bound::Excluded(key) => (key, false),
    };
    if range.reverse
        && let Some(last) = header.count.checked_sub(1)
        && look.compare(last, header, key)?.is_lt()
    {
        return Some(0..header.count);
    }
    // A key that is there is found without a look at what the segment's keys have in common.
    let (index, found) = match look.find(header, key) {
        Ok(Some(index)) => (index, true),
        _ => look.position(header, key).map(|position| (position.index, position.found))?,
    };
    let index = index + usize::from(found && is_included == range.reverse);
    Some(if range.reverse { 0..index } else { index..header.count })
}
