//! Reading a snapshot, block by block.

use super::files;
use super::format::{
    BlockHandle, FOOTER_BYTES, Footer, HEADER_BYTES, INDEX_ENTRY_BYTES, SnapshotId, take_record,
};
use crate::checksum::crc32c;
use crate::env::{Access, File, FileSystem};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A snapshot that was opened: its header, index and footer are right. Blocks are checked when they are read.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
    file: Box<dyn File>,
    id: SnapshotId,
    footer: Footer,
    handles: Vec<BlockHandle>,
}

impl Snapshot {
    /// Opens the snapshot of a store that holds everything up to a frame of its log.
    ///
    /// # Errors
    /// [`Error::Damaged`], or of the file system.
    pub fn open(system: &dyn FileSystem, directory: &Path, store: u128, after: u64) -> Result<Self> {
        let path = files::path(directory, after);
        let file = system.open(&path, Access::Read).map_err(Error::io("open", &path))?;
        let len = file.len().map_err(Error::io("look at", &path))?;
        let damaged = |position: u64, message: &str| Error::damaged(&path, position, message);
        let footer_at = len.checked_sub(FOOTER_BYTES as u64).filter(|at| *at >= HEADER_BYTES as u64);
        let footer_at = footer_at.ok_or_else(|| damaged(len, "it is shorter than a snapshot"))?;
        let read = |bytes: &mut [u8], position: u64| {
            file.read_exact_at(bytes, position).map_err(Error::io("read", &path))
        };
        let mut header = [0; HEADER_BYTES];
        read(&mut header, 0)?;
        let id = SnapshotId { store, after };
        if SnapshotId::decode(&header).map_err(|why| why.at(&path, 0))? != id {
            return Err(damaged(0, "it is a snapshot of another store or moment"));
        }
        let mut footer = [0; FOOTER_BYTES];
        read(&mut footer, footer_at)?;
        let footer = Footer::decode(&footer, id.seed()).map_err(|why| why.at(&path, footer_at))?;
        let index_bytes = footer_at.checked_sub(footer.index_at);
        let index_bytes = index_bytes
            .filter(|bytes| Some(*bytes) == footer.blocks.checked_mul(INDEX_ENTRY_BYTES as u64))
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or_else(|| damaged(footer_at, "its index is not where its footer says"))?;
        let mut index = vec![0; index_bytes];
        read(&mut index, footer.index_at)?;
        if crc32c(id.seed(), &index) != footer.index_crc {
            return Err(damaged(footer.index_at, "the checksum of its index is wrong"));
        }
        let handles: Vec<_> = index.as_chunks().0.iter().map(BlockHandle::decode).collect();
        let mut end = HEADER_BYTES as u64;
        for handle in &handles {
            if handle.offset != end {
                return Err(damaged(footer.index_at, "its blocks do not lie side by side"));
            }
            end += u64::from(handle.len);
        }
        let records: u64 = handles.iter().map(|handle| u64::from(handle.records)).sum();
        if end != footer.index_at || records != footer.records {
            return Err(damaged(footer.index_at, "its index is not of its blocks"));
        }
        Ok(Self { path, file, id, footer, handles })
    }

    /// Records in it.
    pub const fn records(&self) -> u64 {
        self.footer.records
    }

    /// Everything that the log's frames up to this number say is in it.
    pub const fn after(&self) -> u64 {
        self.id.after
    }

    /// The log was durable up to this frame, whose effects may be in it.
    pub const fn at_least(&self) -> u64 {
        self.footer.at_least
    }

    /// Whether its records ascend by key, block after block.
    pub const fn is_sorted(&self) -> bool {
        self.footer.is_sorted
    }

    /// Bytes of all blocks.
    pub const fn bytes(&self) -> u64 {
        self.footer.index_at
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.handles.len()
    }

    /// Reads a block, into the memory of `buffer`.
    ///
    /// # Errors
    /// [`Error::Damaged`], or of the file system.
    pub fn block(&self, number: usize, mut buffer: Vec<u8>) -> Result<Block> {
        let Some(handle) = self.handles.get(number) else {
            return Ok(Block::default());
        };
        // The index was checked to lie within the file.
        buffer.resize(handle.len as usize, 0);
        self.file.read_exact_at(&mut buffer, handle.offset).map_err(Error::io("read", &self.path))?;
        let damaged = |message| Err(Error::damaged(&self.path, handle.offset, message));
        if BlockHandle::crc_of(self.id.seed(), number as u64, &buffer) != handle.crc {
            return damaged("the checksum of a block is wrong");
        }
        let mut rest = buffer.as_slice();
        for _ in 0..handle.records {
            let Some((.., behind)) = take_record(rest) else {
                return damaged("a block holds fewer records than it should");
            };
            rest = behind;
        }
        if !rest.is_empty() {
            return damaged("a block holds more than its records");
        }
        Ok(Block { bytes: buffer })
    }
}

/// A block that was read and checked.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
}

impl Block {
    /// Key and value of its records, in their order.
    pub fn records(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (key, value, behind) = take_record(rest)?;
            rest = behind;
            Some((key, value))
        })
    }

    /// Its memory, to read another one into.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}
