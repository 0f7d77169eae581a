//! The file system of the operating system.
//!
//! Thread safety: calls of the system, which orders them; nothing is kept here but open files.

mod mapping;

use super::{Access, File, FileSystem, Lock, Mapping};
use mapping::OsMapping;
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Files of the operating system, by calls of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFileSystem;

/// Zeros that are written at a time where the file system cannot allocate.
const ZEROS_BYTES: usize = 1 << 20;

impl FileSystem for OsFileSystem {
    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(OsFile(file)))
    }

    fn open(&self, path: &Path, access: Access) -> Result<Box<dyn File>> {
        let file = OpenOptions::new().read(true).write(access == Access::ReadWrite).open(path)?;
        Ok(Box::new(OsFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        fs::create_dir(path)
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_directory(&self, directory: &Path) -> Result<()> {
        fs::File::open(directory)?.sync_all()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(OsLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn unique_id(&self) -> Result<u128> {
        let mut bytes = [0; 16];
        OsFile(fs::File::open("/dev/urandom")?).0.read_exact_at(&mut bytes, 0)?;
        Ok(u128::from_le_bytes(bytes))
    }
}

#[derive(Debug)]
struct OsFile(fs::File);

impl File for OsFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<usize> {
        self.0.read_at(bytes, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<usize> {
        self.0.write_at(bytes, position)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn allocate(&self, len: u64) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            use rustix::io::Errno;
            match fallocate(&self.0, FallocateFlags::empty(), 0, len) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
                answer => return answer.map_err(Error::from),
            }
        }
        // A hole would meet a full disk later: what is missing is written.
        let zeros = vec![0; ZEROS_BYTES];
        let mut position = self.len()?;
        while position < len {
            let count = zeros.len().min(usize::try_from(len - position).unwrap_or(usize::MAX));
            self.write_all_at(zeros.get(..count).unwrap_or_default(), position)?;
            position += count as u64;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> Result<()> {
        self.0.sync_all()
    }

    fn sync_data(&self) -> Result<()> {
        self.0.sync_data()
    }

    fn write_durably_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::io::{Errno, ReadWriteFlags, pwritev2};
            let slice = [std::io::IoSlice::new(bytes)];
            match pwritev2(&self.0, &slice, position, ReadWriteFlags::DSYNC) {
                Ok(count) if count == bytes.len() => return Ok(()),
                // The rest, and systems that do not know the flag, the long way.
                Ok(_) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.write_all_at(bytes, position)?;
        self.sync_data()
    }

    fn map(&self, len: usize) -> Result<Box<dyn Mapping>> {
        if (len as u64) > self.len()? {
            return Err(Error::new(ErrorKind::InvalidInput, "a mapping beyond the end of its file"));
        }
        Ok(Box::new(OsMapping::new(&self.0, len)?))
    }
}

/// The lock goes with the open file.
#[derive(Debug)]
struct OsLock {
    _file: fs::File,
}

impl Lock for OsLock {}
