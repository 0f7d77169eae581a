//! Opening a log that is there.
//!
//! Frames are read from the first that is needed on, as long as they are whole and their numbers go on. Where that ends is either the log's
//! end, behind which a crash may have left anything, or damage. They are told apart by what frames further behind knew: if any of
//! them was written when the frame that is missing was known to be durable, the frame was there and is damaged: opening fails, and
//! nothing is changed. Otherwise no acknowledged write can be lost by ending there, even if whole frames follow, as they do where a
//! system has written later pages and not earlier ones: these are erased, durably, before anything is appended.
//!
//! Thread safety: one thread opens a log; the outcomes of a segment may be visited by several.

use super::appender::{Appender, Former};
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId};
use super::frames::{Frames, Outcome, highest_synced};
use super::segment::{self, Named, Segment, named};
use super::{Log, LogOptions};
use crate::env::{Access, FileSystem};
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where reading starts, and how far it must come at least.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Start {
    /// Frames up to this number are not replayed.
    pub after: u64,
    /// Frames up to this number are not needed, by older snapshots neither; segments with no others are removed. At most `after`.
    pub keep_after: u64,
    /// Frames up to this number are known to be durable from elsewhere.
    pub at_least: u64,
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Frames that were visited.
    pub frames: u64,
    /// The number of the last frame.
    pub last: u64,
    /// Bytes of all frames that were read.
    pub bytes: u64,
    /// Bytes behind the last frame that were not zero and were erased.
    pub erased_bytes: u64,
}

/// The frames of a segment that are to be replayed.
#[derive(Clone, Debug)]
pub struct Outcomes<'a> {
    frames: Frames<'a>,
    first: u64,
    after: u64,
    end: u64,
}

impl Outcomes<'_> {
    /// How many frames these are.
    pub const fn frames(&self) -> u64 {
        let first = if self.after < self.first { self.first } else { self.after + 1 };
        self.end.saturating_sub(first)
    }

    /// Visits what the frames say, in their order.
    pub fn for_each(&self, mut visit: impl FnMut(Outcome<'_>)) {
        for frame in self.frames.clone() {
            if frame.header.sequence >= self.end {
                break;
            }
            if frame.header.sequence > self.after {
                // It is: whoever made this has looked.
                let _is_well_formed = frame.outcomes(&mut visit);
            }
        }
    }
}

/// Who is shown the frames, segment by segment.
pub type Replay<'a> = &'a mut dyn FnMut(&Outcomes<'_>) -> Result<()>;

/// Segments as they are found, from the first that is needed on.
struct Found {
    /// Numbers without a gap, and paths.
    segments: Vec<(u64, PathBuf)>,
    /// Files that nobody needs.
    leftovers: Vec<PathBuf>,
    spares: Vec<PathBuf>,
}

/// Where reading has ended.
struct End {
    /// The index of the segment.
    index: usize,
    position: usize,
    /// The number of the frame that is not there.
    next: u64,
    /// Frames up to this number are durable, by what later ones or a snapshot say.
    proven: u64,
}

struct Opening<'a> {
    system: &'a dyn FileSystem,
    directory: &'a Path,
    store: u128,
}

impl Log {
    /// Opens a log. `replay` is shown every frame behind `start.after`, in order, a segment at a time.
    ///
    /// # Errors
    /// [`Error::Damaged`] where a frame, a header or a segment is not what it was, or missing; of the file system; or of `replay`.
    pub fn open(
        system: Arc<dyn FileSystem>,
        directory: &Path,
        store: u128,
        options: LogOptions,
        start: Start,
        replay: Replay<'_>,
    ) -> Result<(Self, Recovered)> {
        let opening = Opening { system: &*system, directory, store };
        let found = opening.find(start, &options)?;
        let (end, recovered, former, bytes) = opening.read(&found, start, replay)?;
        let (appender, erased_bytes) = opening.resume(&found, &end, former, &bytes)?;
        let appender = appender.with_bytes(recovered.bytes);
        let log = Self::at(Arc::clone(&system), directory, options, appender);
        Ok((log, Recovered { erased_bytes, ..recovered }))
    }
}

impl Opening<'_> {
    fn bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.system.open(path, Access::Read).map_err(Error::io("open", path))?;
        segment::read(&*file, path)
    }

    /// The header of a segment that is known to be there.
    fn header(&self, path: &Path) -> Result<Option<SegmentHeader>> {
        let file = self.system.open(path, Access::Read).map_err(Error::io("open", path))?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(SegmentHeader::decode(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    fn find(&self, start: Start, options: &LogOptions) -> Result<Found> {
        let names = self.system.list(self.directory).map_err(Error::io("list", self.directory))?;
        let (mut numbers, mut leftovers, mut spares) = (Vec::new(), Vec::new(), Vec::new());
        for name in &names {
            match named(name) {
                Named::Segment(number) => numbers.push(number),
                Named::Spare(_) if spares.len() < options.spare_segments => {
                    spares.push(self.directory.join(name))
                }
                Named::Spare(_) | Named::Unfinished => leftovers.push(self.directory.join(name)),
                Named::Foreign => {}
            }
        }
        // Names are sorted, but not numbers of more digits than names have.
        numbers.sort_unstable();
        // The last segment that begins early enough for what is kept; what is before it was to be removed. If there is none, the first must do
        // for what is replayed.
        let mut first = None;
        for (index, number) in numbers.iter().enumerate().rev() {
            let path = segment::segment_path(self.directory, *number);
            let id = SegmentId { store: self.store, number: *number };
            let begins = self.header(&path)?.filter(|header| header.id == id).map(|header| header.first);
            let enough = if index == 0 { start.after } else { start.keep_after.min(start.after) };
            if begins.is_some_and(|begins| begins <= enough + 1) || (index == 0 && begins.is_none()) {
                first = Some(index);
                break;
            }
        }
        let Some(first) = first else {
            let message = format!("the log's frame {} is missing: no segment holds it", start.after + 1);
            return Err(Error::damaged(self.directory, 0, message));
        };
        let (removed, kept) = numbers.split_at(first);
        leftovers.extend(removed.iter().map(|number| segment::segment_path(self.directory, *number)));
        let mut pairs = kept.iter().zip(kept.iter().skip(1));
        if let Some((before, _)) = pairs.find(|(before, next)| **next != **before + 1) {
            let missing = segment::segment_path(self.directory, before + 1);
            return Err(Error::damaged(&missing, 0, "this segment of the log is missing"));
        }
        let segments = kept.iter().map(|number| (*number, segment::segment_path(self.directory, *number)));
        Ok(Found { segments: segments.collect(), leftovers, spares })
    }

    /// Reads and replays all frames; tells where they end, what segments were before, and the bytes of the one they end in.
    fn read(
        &self,
        found: &Found,
        start: Start,
        replay: Replay<'_>,
    ) -> Result<(End, Recovered, VecDeque<Former>, Vec<u8>)> {
        let mut former = VecDeque::new();
        let mut recovered = Recovered::default();
        let mut expected = None;
        let mut proven = start.at_least.max(start.after);
        for (index, (number, path)) in found.segments.iter().enumerate() {
            let bytes = self.bytes(path)?;
            let id = SegmentId { store: self.store, number: *number };
            let first = match segment::header_of(&bytes) {
                Ok(header) if header.id != id => {
                    return Err(Error::damaged(path, 0, "this segment belongs to another log or place"));
                }
                Ok(header) if expected.is_some_and(|expected| header.first != expected) => {
                    let message =
                        format!("begins with frame {}, not {}", header.first, expected.unwrap_or_default());
                    return Err(Error::damaged(path, 0, message));
                }
                Ok(header) => header.first,
                // A segment's header was durable before the segment had its name: no crash explains this.
                Err(why) => return Err(why.at(path, 0)),
            };
            let mut frames = Frames::new(&bytes, id.seed(), first);
            let outcomes = frames.clone();
            let mut counted = 0;
            for frame in frames.by_ref() {
                if !frame.outcomes(&mut |_| {}) {
                    let message =
                        format!("frame {} is malformed, though its checksum is right", frame.header.sequence);
                    return Err(Error::damaged(path, 0, message));
                }
                counted += u64::from(frame.header.sequence > start.after);
                proven = proven.max(frame.header.synced);
            }
            let is_sealed = frames.is_sealed();
            let (position, next) = (frames.position(), frames.expected());
            let end = End { index, position, next, proven };
            replay(&Outcomes { frames: outcomes, first, after: start.after, end: end.next })?;
            recovered.frames += counted;
            recovered.bytes += (end.position - SEGMENT_HEADER_BYTES) as u64;
            if is_sealed {
                former.push_back(Former { number: *number, next_first: end.next });
                expected = Some(end.next);
                if index + 1 == found.segments.len() {
                    let missing = segment::segment_path(self.directory, number + 1);
                    return Err(Error::damaged(&missing, 0, "this segment of the log is missing"));
                }
                continue;
            }
            self.judge(found, &end, &bytes, start)?;
            recovered.last = end.next - 1;
            return Ok((end, recovered, former, bytes));
        }
        Err(Error::damaged(self.directory, 0, "the log has no segment"))
    }

    /// Whether the place where reading has ended is the log's end.
    fn judge(&self, found: &Found, end: &End, bytes: &[u8], start: Start) -> Result<()> {
        let mut highest = Some(start.at_least.max(start.after));
        for (index, (number, path)) in found.segments.iter().enumerate().skip(end.index) {
            let id = SegmentId { store: self.store, number: *number };
            let seed = id.seed();
            let known = if index == end.index {
                highest_synced(bytes, end.position, seed)
            } else {
                let later = self.bytes(path)?;
                // A crash leaves only what was made as a segment of this log.
                if !segment::header_of(&later).is_ok_and(|header| header.id == id) {
                    return Err(Error::damaged(path, 0, "this is no segment of this log"));
                }
                highest_synced(&later, SEGMENT_HEADER_BYTES, seed)
            };
            highest = highest.max(known);
        }
        if highest.is_some_and(|highest| highest >= end.next)
            && let Some((_, path)) = found.segments.get(end.index)
        {
            let message = format!("this is not what was written: frame {} was known to be durable", end.next);
            return Err(Error::damaged(path, end.position as u64, message));
        }
        Ok(())
    }

    /// Erases what is behind the end, and makes the log ready to go on there.
    fn resume(
        &self,
        found: &Found,
        end: &End,
        former: VecDeque<Former>,
        bytes: &[u8],
    ) -> Result<(Appender, u64)> {
        let (system, directory) = (self.system, self.directory);
        let remove = |path: &Path| system.remove(path).map_err(Error::io("remove", path));
        let Some((_, path)) = found.segments.get(end.index) else {
            return Err(Error::damaged(directory, 0, "the log has no segment"));
        };
        // The snapshot that this starts from has its name for certain before what it stands for is removed.
        system.sync_directory(directory).map_err(Error::io("sync", directory))?;
        // All that was read is durable from here on: a process that was killed may have left what no sync has covered, and one whose
        // sync has failed what the system takes for written and is not. So it is written again before it is synced.
        for ((_, path), segment) in found.segments.iter().zip(&former) {
            if segment.next_first > end.proven + 1 {
                let file = system.open(path, Access::ReadWrite).map_err(Error::io("open", path))?;
                let bytes = segment::read(&*file, path)?;
                file.write_all_at(&bytes, 0).map_err(Error::io("write", path))?;
                file.sync().map_err(Error::io("sync", path))?;
            }
        }
        let header =
            segment::header_of(bytes).map_err(|_| Error::damaged(path, 0, "its header has changed"))?;
        let file = system.open(path, Access::ReadWrite).map_err(Error::io("open", path))?;
        let (frames, tail) = bytes.split_at(end.position.min(bytes.len()));
        let erased = tail.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        file.allocate(header.capacity).map_err(Error::io("allocate", path))?;
        file.write_all_at(frames, 0).map_err(Error::io("write", path))?;
        // Also where it reads as zeros: an opening before may have written them, and failed to sync them.
        segment::fill(&*file, path, end.position as u64, header.capacity)?;
        file.sync().map_err(Error::io("sync", path))?;
        let mapping = segment::map(&*file, path, header.capacity)?;
        let segment = Segment { header, file: Arc::from(file), mapping };
        // Only now, when the tail no longer leads to them; and the last one first, so that none is missing in between.
        for (_, later) in found.segments.iter().skip(end.index + 1).rev() {
            remove(later)?;
            system.sync_directory(directory).map_err(Error::io("sync", directory))?;
        }
        found.leftovers.iter().try_for_each(|path| remove(path))?;
        system.sync_directory(directory).map_err(Error::io("sync", directory))?;
        Ok((Appender::new(segment, end.position, end.next, former, found.spares.clone()), erased))
    }
}
