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

/// What a name in a log's directory stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Named {
    Segment(u64),
    /// A former segment.
    Spare(u64),
    /// What a creation that was interrupted has left.
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
    } else if number(UNFINISHED_ENDING).is_some() {
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

/// A segment that is written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn File>,
    pub(super) mapping: Box<dyn Mapping>,
}

/// Makes a segment, out of a spare if there is one, and makes it and its name durable.
///
/// # Errors
/// Of the file system; a full disk among them. Nothing of the log has changed then.
pub(super) fn create(
    system: &dyn FileSystem,
    directory: &Path,
    header: SegmentHeader,
    spare: Option<&Path>,
) -> Result<Segment> {
    let path = segment_path(directory, header.id.number);
    let unfinished = directory.join(file_name(header.id.number, UNFINISHED_ENDING));
    let made = (|| {
        let file = match spare {
            Some(spare) => {
                system.rename(spare, &unfinished).map_err(Error::io("rename", spare))?;
                system.open(&unfinished, Access::ReadWrite).map_err(Error::io("open", &unfinished))?
            }
            None => system.create(&unfinished).map_err(Error::io("create", &unfinished))?,
        };
        file.allocate(header.capacity).map_err(Error::io("allocate", &unfinished))?;
        file.write_all_at(&header.encode(), 0).map_err(Error::io("write", &unfinished))?;
        file.sync().map_err(Error::io("sync", &unfinished))?;
        let mapping = map(&*file, &path, header.capacity)?;
        system.rename(&unfinished, &path).map_err(Error::io("rename", &unfinished))?;
        Ok(Segment { header, file: Arc::from(file), mapping })
    })();
    match made {
        Ok(segment) => {
            system.sync_directory(directory).map_err(Error::io("sync", directory))?;
            Ok(segment)
        }
        Err(error) => {
            // If that fails as well, the next opening removes it.
            let _left = system.remove(&unfinished);
            Err(error)
        }
    }
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
