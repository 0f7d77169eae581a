//! Segments as files: their names, how one comes to be, and how one is used again.
//!
//! A segment that has its final name is complete: allocated, its header durable, its name durable. It is made under another name
//! until then, so that no moment of a power cut leaves a segment without a header. A spare is a former segment under a name of
//! its own; its old frames lie in it still, and do not count, since their checksums begin with another number.

use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::coding::Unreadable;
use crate::env::{Access, File, FileSystem, Mapping};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ENDING: &str = ".log";
const SPARE_ENDING: &str = ".spare";
const UNFINISHED_ENDING: &str = ".new";
const AHEAD_ENDING: &str = ".next";
/// Zeros that are written at a time: a page. A cache that holds pages in larger pieces would have all of a piece written by each sync of a store.
const ZEROS_BYTES: usize = 4 << 10;

/// What a name in a log's directory stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Named {
    Segment(u64),
    /// A former segment.
    Spare(u64),
    /// What is to become a segment, or was when its process ended.
    Unfinished,
    /// Nothing of ours.
    Foreign,
}

/// What a name stands for. Only what [`file_name`] would give counts.
pub(super) fn named(name: &str) -> Named {
    let number = |ending: &str| {
        let number: u64 = name.strip_suffix(ending)?.parse().ok()?;
        (name == file_name(number, ending)).then_some(number)
    };
    if let Some(number) = number(ENDING) {
        Named::Segment(number)
    } else if let Some(number) = number(SPARE_ENDING) {
        Named::Spare(number)
    } else if number(UNFINISHED_ENDING).or_else(|| number(AHEAD_ENDING)).is_some() {
        Named::Unfinished
    } else {
        Named::Foreign
    }
}

fn file_name(number: u64, ending: &str) -> String {
    format!("{number:010}{ending}")
}

/// The path of a segment.
pub(super) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(file_name(number, ENDING))
}

/// The path of a segment that has become a spare.
pub(super) fn spare_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(file_name(number, SPARE_ENDING))
}

/// The path of a segment until it is one.
pub(super) fn unfinished_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(file_name(number, UNFINISHED_ENDING))
}

/// The path of a file that was made before a segment is needed; the number tells it from others only.
pub(super) fn ahead_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(file_name(number, AHEAD_ENDING))
}

/// A segment that is written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn File>,
    pub(super) mapping: Box<dyn Mapping>,
}

/// A file with room for a segment, and with nothing in it that counts.
#[derive(Debug)]
pub(super) struct Blank {
    path: PathBuf,
    file: Box<dyn File>,
    mapping: Box<dyn Mapping>,
    pub(super) capacity: u64,
}

/// Makes a file with room for a segment, out of a spare if there is one; fills it if it is to be, and brings its pages if there is time.
///
/// # Errors
/// Of the file system; a full disk among them. Nothing of the log has changed then.
pub(super) fn blank(
    system: &dyn FileSystem,
    path: PathBuf,
    capacity: u64,
    spare: Option<&Path>,
    is_filled: bool,
    is_ahead: bool,
) -> Result<Blank> {
    let made = (|| {
        let file = match spare {
            Some(spare) => {
                system.rename(spare, &path).map_err(Error::io("rename", spare))?;
                system.open(&path, Access::ReadWrite).map_err(Error::io("open", &path))?
            }
            None => system.create(&path).map_err(Error::io("create", &path))?,
        };
        let written = file.len().map_err(Error::io("look at", &path))?;
        file.allocate(capacity).map_err(Error::io("allocate", &path))?;
        if is_filled {
            fill(&*file, &path, written, capacity)?;
        }
        // No frame is in doubt if this fails, as one is when a sync of the log fails.
        file.sync().map_err(Error::io("reserve", &path))?;
        let mapping = map(&*file, &path, capacity)?;
        // What was filled is there, and clean: to touch it would have it written again.
        if is_ahead && !is_filled {
            mapping.touch();
        }
        Ok((file, mapping))
    })();
    match made {
        Ok((file, mapping)) => Ok(Blank { path, file, mapping, capacity }),
        Err(error) => {
            // If that fails as well, the next opening removes it.
            let _left = system.remove(&path);
            Err(error)
        }
    }
}

/// Writes zeros from one position to another.
pub(super) fn fill(file: &dyn File, path: &Path, from: u64, to: u64) -> Result<()> {
    let zeros = vec![0; ZEROS_BYTES.min(usize::try_from(to.saturating_sub(from)).unwrap_or(ZEROS_BYTES))];
    let mut position = from;
    while position < to {
        let count = zeros.len().min(usize::try_from(to - position).unwrap_or(ZEROS_BYTES));
        let piece = zeros.get(..count).unwrap_or_default();
        file.write_all_at(piece, position).map_err(Error::io("write", path))?;
        position += count as u64;
    }
    Ok(())
}

/// Makes a blank file a segment: its header and its name are durable when this returns.
///
/// # Errors
/// Of the file system. Nothing of the log has changed then.
pub(super) fn begin(
    system: &dyn FileSystem,
    directory: &Path,
    header: SegmentHeader,
    blank: Blank,
) -> Result<Segment> {
    let Blank { path: unfinished, file, mapping, .. } = blank;
    let path = segment_path(directory, header.id.number);
    let named = (|| {
        // Only the header: to sync the file would write all the pages that were brought for what is to come.
        file.write_durably_at(&header.encode(), 0).map_err(Error::io("sync", &unfinished))?;
        system.rename(&unfinished, &path).map_err(Error::io("rename", &unfinished))
    })();
    if let Err(error) = named {
        // As above.
        let _left = system.remove(&unfinished);
        return Err(error);
    }
    system.sync_directory(directory).map_err(Error::io("sync", directory))?;
    Ok(Segment { header, file: Arc::from(file), mapping })
}

/// The whole of a segment as memory.
pub(super) fn map(file: &dyn File, path: &Path, capacity: u64) -> Result<Box<dyn Mapping>> {
    let len = usize::try_from(capacity)
        .map_err(|_| Error::damaged(path, 0, "larger than this machine's memory"))?;
    file.map(len).map_err(Error::io("map", path))
}

/// Reads a segment whole.
///
/// # Errors
/// Of the file system.
pub(super) fn read(file: &dyn File, path: &Path) -> Result<Vec<u8>> {
    let len = file.len().map_err(Error::io("look at", path))?;
    let len =
        usize::try_from(len).map_err(|_| Error::damaged(path, 0, "larger than this machine's memory"))?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Error::damaged(path, 0, "larger than this machine's memory"))?;
    bytes.resize(len, 0);
    file.read_exact_at(&mut bytes, 0).map_err(Error::io("read", path))?;
    Ok(bytes)
}

/// The header with which the bytes of a segment begin.
pub(super) fn header_of(bytes: &[u8]) -> std::result::Result<SegmentHeader, Unreadable> {
    let Some(header) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else {
        return Err(Unreadable::Damaged("it is shorter than its header"));
    };
    SegmentHeader::decode(header)
}
