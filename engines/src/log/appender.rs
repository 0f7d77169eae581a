//! The end of the log: where the next frame goes.
//!
//! Invariants
//! - Frames lie side by side from the first segment on, numbered without a gap; a segment always has room for the frame that seals it.
//! - `unsynced` are the files of former segments with frames that no sync has covered, oldest first; the current one may
//!   have such too.
//!
//! Thread safety: data of one thread; the log keeps it behind a mutex.

use super::format::{
    FRAME_HEADER_BYTES, FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentId, frame_len,
};
use super::options::LogOptions;
use super::segment::{self, Blank, Segment};
use crate::checksum::crc32c;
use crate::env::{File, FileSystem};
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A former segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Former {
    pub(super) number: u64,
    /// The number of the first frame behind it.
    pub(super) next_first: u64,
}

/// What is appended: the payload in two pieces, and its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload<'a> {
    kind: FrameKind,
    key: &'a [u8],
    rest: &'a [u8],
    crc: u32,
}

impl<'a> Payload<'a> {
    /// The key's length is kept in the frame's header, so that the two can be told apart.
    pub(super) fn new(kind: FrameKind, key: &'a [u8], rest: &'a [u8]) -> Self {
        Self { kind, key, rest, crc: crc32c(crc32c(0, key), rest) }
    }

    const fn len(&self) -> usize {
        self.key.len() + self.rest.len()
    }
}

/// Former segments that may be open because no sync has covered them.
const UNSYNCED_MOST: usize = 64;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Appender {
    current: Segment,
    position: usize,
    seed: u32,
    /// The number of the next frame.
    next: u64,
    unsynced: Vec<Arc<dyn File>>,
    former: VecDeque<Former>,
    spares: Vec<PathBuf>,
    next_file: NextFile,
    bytes: u64,
}

/// What will become the next segment.
#[derive(Debug, Default)]
enum NextFile {
    #[default]
    None,
    /// Somebody is making it.
    InMaking,
    Made(Blank),
}

/// A file that is to be made for the next segment.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) number: u64,
    pub(super) capacity: u64,
    pub(super) spare: Option<PathBuf>,
}

impl Appender {
    /// Goes on at a position of a segment; `next` is the number of the frame that will be there. All frames before are durable.
    pub(super) fn new(
        current: Segment,
        position: usize,
        next: u64,
        former: VecDeque<Former>,
        spares: Vec<PathBuf>,
    ) -> Self {
        let seed = current.header.id.seed();
        let next_file = NextFile::None;
        let (unsynced, bytes) = (Vec::new(), 0);
        Self { current, position, seed, next, unsynced, former, spares, next_file, bytes }
    }

    /// The same with so many bytes before.
    pub(super) const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Bytes of frames, those before included.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of the last frame.
    pub(super) const fn last(&self) -> u64 {
        self.next - 1
    }

    /// Number of segments, the current one included.
    pub(super) fn segments(&self) -> usize {
        self.former.len() + 1
    }

    /// Whether a frame with so long a payload finds room in the current segment.
    fn has_room(&self, payload_len: usize) -> bool {
        let end = self.position + frame_len(payload_len) + SEAL_BYTES;
        end as u64 <= self.current.header.capacity
    }

    /// Appends a frame; `synced` is the number up to which all are known to be durable. Returns its own.
    ///
    /// # Errors
    /// If it needs a new segment and there is none to be had. Nothing has changed then.
    #[inline]
    pub(super) fn append(&mut self, payload: &Payload<'_>, synced: u64, place: &Place<'_>) -> Result<u64> {
        if !self.has_room(payload.len()) {
            self.rotate(payload.len(), synced, place)?;
        }
        self.put(payload, synced, place)
    }

    /// Stores a frame for which there is room.
    #[inline]
    fn put(&mut self, payload: &Payload<'_>, synced: u64, place: &Place<'_>) -> Result<u64> {
        let sequence = self.next;
        let header = FrameHeader {
            payload_crc: payload.crc,
            sequence,
            synced,
            payload_len: payload.len() as u32,
            kind: payload.kind,
            key_len: payload.key.len() as u32,
        };
        let at = self.position + FRAME_HEADER_BYTES;
        let mapping = &mut self.current.mapping;
        let is_stored = mapping.store(at, payload.key)
            && (payload.rest.is_empty() || mapping.store(at + payload.key.len(), payload.rest))
            && mapping.store(self.position, &header.encode(self.seed));
        if !is_stored {
            let path = segment::segment_path(place.directory, self.current.header.id.number);
            return Err(Error::damaged(&path, self.position as u64, "the segment is shorter than it was"));
        }
        self.position += header.frame_len();
        self.bytes += header.frame_len() as u64;
        self.next += 1;
        Ok(sequence)
    }

    /// Seals the current segment and goes on in a new one that has room for such a payload.
    fn rotate(&mut self, payload_len: usize, synced: u64, place: &Place<'_>) -> Result<()> {
        if self.unsynced.len() >= UNSYNCED_MOST {
            for file in &self.unsynced {
                file.sync_data().map_err(Error::io("sync", place.directory))?;
            }
            self.unsynced.clear();
        }
        let least = (SEGMENT_HEADER_BYTES + frame_len(payload_len) + SEAL_BYTES) as u64;
        let id = SegmentId { number: self.current.header.id.number + 1, ..self.current.header.id };
        // Behind the frame that seals.
        let first = self.next + 1;
        let capacity = least.max(place.options.capacity(id.number));
        let blank = match std::mem::take(&mut self.next_file) {
            NextFile::Made(blank) if blank.capacity >= least => blank,
            other => {
                self.next_file = other;
                let unfinished = segment::unfinished_path(place.directory, id.number);
                let spare = self.spares.pop();
                segment::blank(
                    place.system,
                    unfinished,
                    capacity,
                    spare.as_deref(),
                    place.options.fills_segments,
                    false,
                )?
            }
        };
        let header = SegmentHeader { id, first, capacity: blank.capacity };
        let segment = segment::begin(place.system, place.directory, header, blank)?;
        self.put(&Payload::new(FrameKind::Seal, &[], &[]), synced, place)?;
        self.former.push_back(Former { number: self.current.header.id.number, next_first: first });
        let former = std::mem::replace(&mut self.current, segment);
        self.unsynced.push(former.file);
        self.seed = id.seed();
        self.position = SEGMENT_HEADER_BYTES;
        Ok(())
    }

    /// What is to be made ahead, if anything is; whoever is told so must call [`Appender::put_next`].
    pub(super) fn wants_next(&mut self, options: &LogOptions) -> Option<Wanted> {
        let is_due = (self.position as u64).saturating_mul(2) >= self.current.header.capacity;
        if !is_due || !matches!(self.next_file, NextFile::None) {
            return None;
        }
        self.next_file = NextFile::InMaking;
        let number = self.current.header.id.number + 1;
        Some(Wanted { number, capacity: options.capacity(number), spare: self.spares.pop() })
    }

    /// Keeps what was made ahead.
    pub(super) fn put_next(&mut self, made: Result<Blank>) -> Result<()> {
        match made {
            Ok(blank) => {
                self.next_file = NextFile::Made(blank);
                Ok(())
            }
            Err(error) => {
                self.next_file = NextFile::None;
                Err(error)
            }
        }
    }

    /// The files that must be synced for all frames to be durable, oldest first, and the number of the last of these.
    pub(super) fn to_sync(&self) -> (Vec<Arc<dyn File>>, u64) {
        let files = self.unsynced.iter().chain([&self.current.file]).map(Arc::clone).collect();
        (files, self.last())
    }

    /// Notes that these files were synced, the last of which may have got frames since.
    pub(super) fn synced(&mut self, files: &[Arc<dyn File>]) {
        let Some((_, former)) = files.split_last() else { return };
        self.unsynced.retain(|file| !former.iter().any(|synced| Arc::ptr_eq(file, synced)));
    }

    /// Takes out the segments with no frame behind number `upto`, oldest first.
    pub(super) fn release(&mut self, upto: u64) -> Vec<u64> {
        let count =
            self.former.iter().take_while(|former| former.next_first <= upto.saturating_add(1)).count();
        self.former.drain(..count).map(|former| former.number).collect()
    }

    /// Adds a spare, if there are not enough.
    pub(super) fn wants_spare(&self, options: &LogOptions) -> bool {
        self.spares.len() < options.spare_segments
    }

    /// Notes a spare.
    pub(super) fn add_spare(&mut self, path: PathBuf) {
        self.spares.push(path);
    }
}

/// Room for the frame that seals a segment.
const SEAL_BYTES: usize = FRAME_HEADER_BYTES;

/// Where segments are made, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) system: &'a dyn FileSystem,
    pub(super) directory: &'a Path,
    pub(super) options: &'a LogOptions,
}
