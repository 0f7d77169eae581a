//! Everything that touches files goes through a [`FileSystem`]: the operating system's ([`OsFileSystem`]), or a simulated one that
//! can lose power at any moment and fail at any call (`SimFileSystem`, feature `testing`).
//!
//! What a caller may rely on, and the simulator takes apart as far as it is allowed to:
//! - Bytes that were written, or stored to a [`Mapping`], are durable after [`File::sync`] or [`File::sync_data`] returned `Ok`, not
//!   earlier. Until then each sector of 512 bytes may have arrived or not, at the state of any moment, in any order.
//! - A name that was created, renamed or removed is durable after [`FileSystem::sync_directory`] of its directory. A rename
//!   happens as a whole or not at all.
//! - After a sync that failed, nothing is known about what was written since the last one that did not: trying again proves nothing.
//! - A process that is killed loses nothing that was written or stored.
//!
//! Thread safety: a file system and its files are shared by all threads; writes to overlapping ranges at the same time have no
//! order. A mapping has one owner.

mod os;
#[cfg(any(test, feature = "testing"))]
pub mod sim;

pub use os::OsFileSystem;

use std::fmt::Debug;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// What an existing file is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// Files by their paths.
pub trait FileSystem: Send + Sync + Debug {
    /// Creates a new, empty file for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists`, or of the system.
    fn create(&self, path: &Path) -> Result<Box<dyn File>>;

    /// Opens a file that is there.
    ///
    /// # Errors
    /// `NotFound`, or of the system.
    fn open(&self, path: &Path, access: Access) -> Result<Box<dyn File>>;

    /// Gives a file another name in its directory, in the place of whatever had that name.
    ///
    /// # Errors
    /// Of the system.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`, or of the system.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Creates a directory in one that is there.
    ///
    /// # Errors
    /// `AlreadyExists`, or of the system.
    fn create_directory(&self, path: &Path) -> Result<()>;

    /// The names in a directory, sorted. Names that are not Unicode are not ours and appear with replacement characters.
    ///
    /// # Errors
    /// `NotFound`, or of the system.
    fn list(&self, directory: &Path) -> Result<Vec<String>>;

    /// Makes all names of a directory durable.
    ///
    /// # Errors
    /// Of the system.
    fn sync_directory(&self, directory: &Path) -> Result<()>;

    /// Takes the lock of a file, which is created if need be; it is free again when the answer is dropped, or its process ends.
    ///
    /// # Errors
    /// `WouldBlock` if somebody has it, at once; or of the system.
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>>;

    /// A number that no other store has.
    ///
    /// # Errors
    /// Of the system's source of randomness.
    fn unique_id(&self) -> Result<u128>;
}

/// An open file. Positions are bytes from its start.
pub trait File: Send + Sync + Debug {
    /// Reads bytes from a position on; fewer than asked for at the end, and whenever the system feels like it.
    ///
    /// # Errors
    /// Of the system, `Interrupted` included.
    fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<usize>;

    /// Writes bytes from a position on; tells how many, which may be fewer.
    ///
    /// # Errors
    /// Of the system, `Interrupted` included.
    fn write_at(&self, bytes: &[u8], position: u64) -> Result<usize>;

    /// Its length, bytes.
    ///
    /// # Errors
    /// Of the system.
    fn len(&self) -> Result<u64>;

    /// Makes the file so long, if it is shorter, with zeros, and reserves room for all of it: what is written there, or stored to a
    /// mapping of it, will not meet a full disk.
    ///
    /// # Errors
    /// `StorageFull`, or of the system.
    fn allocate(&self, len: u64) -> Result<()>;

    /// Cuts the file off, or extends it with zeros for which no room is reserved.
    ///
    /// # Errors
    /// Of the system.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Makes data and metadata durable.
    ///
    /// # Errors
    /// Of the system. What was written is not to be relied on then.
    fn sync(&self) -> Result<()>;

    /// Makes data durable, and of the metadata what is needed to read it.
    ///
    /// # Errors
    /// As [`File::sync`].
    fn sync_data(&self) -> Result<()>;

    /// Writes bytes and makes these durable, whatever else of the file is not yet, within the length that is allocated.
    ///
    /// # Errors
    /// As [`File::sync`].
    fn write_durably_at(&self, bytes: &[u8], position: u64) -> Result<()>;

    /// The first bytes of the file as memory. What is stored there is written to the file, as if by [`File::write_at`], without
    /// a call of the system; so it outlives the process, and is made durable by [`File::sync_data`].
    ///
    /// # Errors
    /// Of the system; `InvalidInput` if the file is shorter.
    fn map(&self, len: usize) -> Result<Box<dyn Mapping>>;

    /// Whether the file is empty.
    ///
    /// # Errors
    /// Of the system.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads as many bytes as there is room for.
    ///
    /// # Errors
    /// `UnexpectedEof`, or of the system.
    fn read_exact_at(&self, mut bytes: &mut [u8], mut position: u64) -> Result<()> {
        while !bytes.is_empty() {
            match self.read_at(bytes, position) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    bytes = bytes.get_mut(count..).ok_or(ErrorKind::InvalidData)?;
                    position += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// `WriteZero`, or of the system. How much was written is not known then.
    fn write_all_at(&self, mut bytes: &[u8], mut position: u64) -> Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, position) {
                Ok(0) => return Err(Error::new(ErrorKind::WriteZero, "nothing of it was written")),
                Ok(count) => {
                    bytes = bytes.get(count..).ok_or(ErrorKind::InvalidData)?;
                    position += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Memory that is a part of a file. See [`File::map`].
pub trait Mapping: Send + Sync + Debug {
    /// Stores bytes. Nothing is stored, and the answer is `false`, if they do not fit.
    #[must_use]
    fn store(&mut self, position: usize, bytes: &[u8]) -> bool;

    /// Makes its pages present, so that stores need not wait for the system to bring them one by one. A hint.
    fn touch(&self) {}
}

/// A lock that is held as long as this lives. See [`FileSystem::lock`].
pub trait Lock: Send + Sync + Debug {}

#[cfg(test)]
mod tests;
