//! Checks of every invariant of the array.
//!
//! Thread safety: meant for an array at rest; it takes no lock.

use super::Array;
use super::extent::Extent;
use super::look::Look;
use super::segment::{self, HEADER_BYTES, OUTSIDE_BYTES, Place, SLOT_BYTES};
use super::top::Top;
use crossbeam::epoch::{self, Guard};

/// What has been seen so far.
#[derive(Debug, Default)]
struct Seen {
    before: Option<Vec<u8>>,
    outside_bytes: usize,
}

impl Array {
    /// Checks order, fences, heads, the layout of segments and the totals. O(n).
    ///
    /// # Errors
    /// The first violation, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        let guard = &epoch::pin();
        let top = self.root.load(guard);
        let mut seen = Seen::default();
        let mut below: Option<&[u8]> = None;
        for (index, extent) in top.extents().iter().enumerate() {
            let lower = extent.lower();
            if below.is_none_or(|below| below >= lower) && (index > 0 || !lower.is_empty()) {
                return Err(format!("the lower end of extent {index} is out of order"));
            }
            below = Some(lower);
            check_extent(top, index, extent, &mut seen, guard)
                .map_err(|what| format!("extent {index}, {what}"))?;
        }
        let counted = self.outside.live_bytes();
        if counted != seen.outside_bytes as u64 {
            return Err(format!("{counted} bytes are counted outside, {} are there", seen.outside_bytes));
        }
        Ok(())
    }
}

fn check_extent(
    top: &Top,
    extent_index: usize,
    extent: &Extent,
    seen: &mut Seen,
    guard: &Guard,
) -> Result<(), String> {
    if extent.latch().is_locked() || extent.latch().read().is_none() {
        return Err("its latch is not free".to_owned());
    }
    let mut head_before = 0;
    for index in 0..extent.len() {
        let within = |what: String| format!("segment {index}: {what}");
        let head = extent.head(index);
        if head < head_before || (index == 0 && head != 0) {
            return Err(within("its head is out of order".to_owned()));
        }
        head_before = head;
        let latch_is_free = |segment: segment::Segment<'_>| !segment.latch().is_locked();
        if !extent.segment(index).is_some_and(latch_is_free) {
            return Err(within("its latch is not free".to_owned()));
        }
        let look = extent.look(index, guard).ok_or_else(|| within("it is obsolete".to_owned()))?;
        check_segment(&look, extent.len() == 1, seen, |key| {
            let found = extent.find(key, guard).map(|(found, _)| found);
            let is_found = top.find(key) == extent_index && found == Some(index);
            if is_found { Ok(()) } else { Err("a key is not found where it is".to_owned()) }
        })
        .map_err(within)?;
    }
    Ok(())
}

fn check_segment(
    look: &Look<'_, '_>,
    is_alone: bool,
    seen: &mut Seen,
    find: impl Fn(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let segment = look.segment();
    let header = segment.header();
    if header.count == 0 && !is_alone {
        return Err("it is empty".to_owned());
    }
    if segment.offset(0, header.count) != header.start {
        return Err("its entries do not start where it says".to_owned());
    }
    if HEADER_BYTES + header.count * SLOT_BYTES > header.start {
        return Err("its directory reaches into its entries".to_owned());
    }
    let (mut prefix, mut outside, mut head_before): (Option<Vec<u8>>, _, _) = (None, 0, 0);
    for index in 0..header.count {
        let (start, end) = (segment.offset(index, header.count), segment.offset(index + 1, header.count));
        let Some(place) = segment.place(index, header.count).filter(|_| start < end && end <= segment.size())
        else {
            return Err(format!("entry {index} is not within its bounds"));
        };
        let (mut key, mut value) = (Vec::new(), Vec::new());
        look.append_key(index, header, &mut key).ok_or("a key cannot be read")?;
        if let Place::Outside(_) = place {
            outside += 1;
            look.append_value(index, header, &mut value).ok_or("a value cannot be read")?;
            seen.outside_bytes += key.len() + value.len();
            if end - start != OUTSIDE_BYTES {
                return Err(format!("entry {index} is outside, but of {} bytes", end - start));
            }
        }
        if seen.before.as_ref().is_some_and(|before| *before >= key) {
            return Err(format!("entry {index} is out of order"));
        }
        let own = key.get(..header.skip).map(<[u8]>::to_vec);
        if own.is_none() || prefix.as_ref().is_some_and(|prefix| Some(prefix) != own.as_ref()) {
            return Err(format!("entry {index} does not begin with what heads skip"));
        }
        prefix = own;
        let head = segment::head(&key, header.skip);
        if head != segment.head(index) || head < head_before {
            return Err(format!("entry {index} has a wrong head"));
        }
        head_before = head;
        find(&key)?;
        seen.before = Some(key);
    }
    if outside != header.outside {
        return Err(format!("{outside} entries are outside, {} are counted", header.outside));
    }
    Ok(())
}
