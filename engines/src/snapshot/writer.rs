//! Writing a snapshot: beside, block by block; then its index and footer; then it is synced, and gets its name.

use super::files::{path, unfinished_path};
use super::format::{
    BlockHandle, FOOTER_BYTES, Footer, HEADER_BYTES, INDEX_ENTRY_BYTES, SnapshotId, put_record,
};
use crate::checksum::crc32c;
use crate::env::{File, FileSystem};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A block ends with the record that makes it so long.
const BLOCK_BYTES: usize = 256 << 10;
/// So many bytes are synced at a time: whoever syncs another file meanwhile waits for few of them.
const SYNC_BYTES: u64 = 8 << 20;

/// See the head of this file. Memory: a block and 20 bytes for each that was written.
#[derive(Debug)]
pub struct SnapshotWriter {
    system: Arc<dyn FileSystem>,
    directory: PathBuf,
    id: SnapshotId,
    unfinished: PathBuf,
    file: Box<dyn File>,
    position: u64,
    synced: u64,
    block: Vec<u8>,
    block_records: u32,
    block_bytes: usize,
    handles: Vec<BlockHandle>,
    records: u64,
    last_key: Vec<u8>,
    is_sorted: bool,
    is_finished: bool,
}

impl SnapshotWriter {
    /// Begins a snapshot of a store. Everything that the log's frames up to number `after` say must have been done by now.
    ///
    /// # Errors
    /// Of the file system.
    pub fn begin(system: Arc<dyn FileSystem>, directory: &Path, store: u128, after: u64) -> Result<Self> {
        let unfinished = unfinished_path(directory, after);
        let file = match system.create(&unfinished) {
            // Of a writer that failed, or was killed.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                system.remove(&unfinished).map_err(Error::io("remove", &unfinished))?;
                system.create(&unfinished)
            }
            other => other,
        };
        let file = file.map_err(Error::io("create", &unfinished))?;
        let id = SnapshotId { store, after };
        let writer = Self {
            system,
            directory: directory.to_path_buf(),
            id,
            unfinished,
            file,
            position: HEADER_BYTES as u64,
            synced: 0,
            block: Vec::with_capacity(BLOCK_BYTES),
            block_records: 0,
            block_bytes: BLOCK_BYTES,
            handles: Vec::new(),
            records: 0,
            last_key: Vec::new(),
            is_sorted: true,
            is_finished: false,
        };
        writer.write(&id.encode(), 0)?;
        Ok(writer)
    }

    /// The same, with blocks of another size.
    #[cfg(test)]
    pub(super) fn with_block_bytes(mut self, bytes: usize) -> Self {
        self.block_bytes = bytes;
        self
    }

    fn write(&self, bytes: &[u8], position: u64) -> Result<()> {
        self.file.write_all_at(bytes, position).map_err(Error::io("write", &self.unfinished))
    }

    /// Adds a record. Whether records come in the order of their keys is found out here.
    ///
    /// # Errors
    /// Of the file system; a full disk among them. The writer is of no use then.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.is_sorted &= self.records == 0 || *self.last_key < *key;
        if self.is_sorted {
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
        }
        put_record(&mut self.block, key, value);
        self.block_records += 1;
        self.records += 1;
        if self.block.len() >= self.block_bytes { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<()> {
        if self.block_records == 0 {
            return Ok(());
        }
        let crc = BlockHandle::crc_of(self.id.seed(), self.handles.len() as u64, &self.block);
        let len = self.block.len() as u32;
        self.write(&self.block, self.position)?;
        self.handles.push(BlockHandle { offset: self.position, len, records: self.block_records, crc });
        self.position += u64::from(len);
        self.block.clear();
        self.block_records = 0;
        if self.position - self.synced >= SYNC_BYTES {
            self.file.sync_data().map_err(Error::io("sync", &self.unfinished))?;
            self.synced = self.position;
        }
        Ok(())
    }

    /// Bytes of all blocks so far.
    pub const fn bytes(&self) -> u64 {
        self.position
    }

    /// Ends the snapshot, makes it durable and gives it its name. The log must be durable up to frame `at_least`, which is the last one
    /// whose effects may be in the snapshot. Returns its path.
    ///
    /// # Errors
    /// Of the file system. There is no such snapshot then, or one that a power cut may take back.
    pub fn finish(mut self, at_least: u64) -> Result<PathBuf> {
        self.end_block()?;
        let mut tail = Vec::with_capacity(self.handles.len() * INDEX_ENTRY_BYTES + FOOTER_BYTES);
        for handle in &self.handles {
            tail.extend_from_slice(&handle.encode());
        }
        let seed = self.id.seed();
        let footer = Footer {
            index_at: self.position,
            blocks: self.handles.len() as u64,
            records: self.records,
            at_least,
            is_sorted: self.is_sorted,
            index_crc: crc32c(seed, &tail),
        };
        tail.extend_from_slice(&footer.encode(seed));
        self.write(&tail, self.position)?;
        self.file.sync().map_err(Error::io("sync", &self.unfinished))?;
        let path = path(&self.directory, self.id.after);
        self.system.rename(&self.unfinished, &path).map_err(Error::io("rename", &self.unfinished))?;
        self.is_finished = true;
        self.system.sync_directory(&self.directory).map_err(Error::io("sync", &self.directory))?;
        Ok(path)
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // If that fails, `prune` does it.
            let _left = self.system.remove(&self.unfinished);
        }
    }
}
