//! Reading a log that does not open: every frame that is whole, in order, and how often some are missing in between.
//!
//! A place where frames end is the log's end, as for an opening, unless a frame behind it says that more was durable; then reading goes on at
//! the next frame that is whole.
//!
//! Thread safety: reads only; the caller keeps others out.

use super::Log;
use super::format::{FRAME_ALIGN, SEGMENT_HEADER_BYTES, SegmentId};
use super::frames::{Frames, Outcome, highest_synced};
use super::segment::{self, Named, named};
use crate::env::{Access, FileSystem};
use crate::error::{Error, Result};
use std::path::Path;

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SalvagedLog {
    /// Frames that were visited.
    pub frames: u64,
    /// How often frames that were durable are missing.
    pub gaps: u64,
}

/// Who is shown what was found.
type Visit<'a> = &'a mut dyn FnMut(Outcome<'_>) -> Result<()>;

/// A segment whose bytes could be read.
struct Readable {
    seed: u32,
    bytes: Vec<u8>,
}

impl Log {
    /// Visits what the whole frames behind number `after`, or from the first that is there on, say, in their order.
    ///
    /// # Errors
    /// Of listing the directory, or of `visit`.
    pub fn salvage(
        system: &dyn FileSystem,
        directory: &Path,
        store: u128,
        after: Option<u64>,
        visit: Visit<'_>,
    ) -> Result<SalvagedLog> {
        let mut numbers: Vec<_> = system
            .list(directory)
            .map_err(Error::io("list", directory))?
            .iter()
            .filter_map(|name| match named(name) {
                Named::Segment(number) => Some(number),
                _ => None,
            })
            .collect();
        numbers.sort_unstable();
        let mut known = Vec::new();
        // The highest number that is known to be durable by a segment or one behind it.
        for number in &numbers {
            let bytes = read(system, &segment::segment_path(directory, *number));
            let seed = SegmentId { store, number: *number }.seed();
            known.push(
                bytes.and_then(|bytes| highest_synced(&bytes, SEGMENT_HEADER_BYTES, seed)).unwrap_or(0),
            );
        }
        for index in (0..known.len().saturating_sub(1)).rev() {
            let behind = known.get(index + 1).copied().unwrap_or(0);
            if let Some(here) = known.get_mut(index) {
                *here = behind.max(*here);
            }
        }
        let mut found = SalvagedLog::default();
        let mut next = None;
        for (number, known) in numbers.iter().zip(known) {
            let seed = SegmentId { store, number: *number }.seed();
            // A header that cannot be read is no reason to leave out the frames: their checksums know which segment they are of.
            let Some(bytes) = read(system, &segment::segment_path(directory, *number)) else { continue };
            let readable = Readable { seed, bytes };
            if !readable.visit(after, &mut next, known, &mut found, visit)? {
                return Ok(found);
            }
        }
        Ok(found)
    }
}

fn read(system: &dyn FileSystem, path: &Path) -> Option<Vec<u8>> {
    let file = system.open(path, Access::Read).ok()?;
    segment::read(&*file, path).ok()
}

impl Readable {
    /// Visits the whole frames; `next` is the number of the frame that is to come. `false`: here is the log's end.
    fn visit(
        &self,
        after: Option<u64>,
        next: &mut Option<u64>,
        known: u64,
        found: &mut SalvagedLog,
        visit: Visit<'_>,
    ) -> Result<bool> {
        let mut at = SEGMENT_HEADER_BYTES;
        loop {
            let Some(first) = Frames::first_behind(&self.bytes, self.seed, at, next.unwrap_or(0)) else {
                // What was known to be durable and is not in this segment may be in the next.
                return Ok(known >= next.unwrap_or(0));
            };
            let expected = next.or(after.map(|after| after + 1)).unwrap_or(first.expected());
            if first.expected() > expected {
                if known < expected {
                    return Ok(false);
                }
                found.gaps += 1;
            }
            let mut frames = first;
            for frame in frames.by_ref() {
                if Some(frame.header.sequence) <= after {
                    continue;
                }
                let mut failed = None;
                let mut outcome = |outcome: Outcome<'_>| {
                    if failed.is_none() {
                        failed = visit(outcome).err();
                    }
                };
                // If it is malformed, though its checksum is right, what could be read of it was visited.
                let _is_well_formed = frame.outcomes(&mut outcome);
                failed.map_or(Ok(()), Err)?;
                found.frames += 1;
            }
            *next = Some(frames.expected());
            if frames.is_sealed() {
                return Ok(true);
            }
            at = frames.position().next_multiple_of(FRAME_ALIGN).max(at + FRAME_ALIGN);
        }
    }
}
