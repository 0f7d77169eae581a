//! An open file of the simulator, and a mapping of one.

use super::fault::FaultKind;
use super::inode::Inode;
use super::{InodeId, SimFileSystem};
use crate::env::{Access, File, Mapping};
use std::io::{Error, ErrorKind, Result};

/// A file stays what it is when its name is removed or given to another.
#[derive(Debug)]
pub(super) struct SimFile {
    system: SimFileSystem,
    inode: InodeId,
    access: Access,
}

impl SimFile {
    pub(super) const fn new(system: SimFileSystem, inode: InodeId, access: Access) -> Self {
        Self { system, inode, access }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inode) -> T) -> Result<T> {
        self.system.state.lock().inodes.get_mut(self.inode).map(act).ok_or(ErrorKind::NotFound.into())
    }

    fn check_writable(&self) -> Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::Read => Err(ErrorKind::PermissionDenied.into()),
        }
    }
}

fn index(position: u64) -> Result<usize> {
    usize::try_from(position)
        .map_err(|_| Error::new(ErrorKind::FileTooLarge, "beyond the simulator's memory"))
}

/// How many bytes of so many a call may do.
fn part(len: usize, fault: Option<FaultKind>) -> usize {
    if fault == Some(FaultKind::Short) { len.div_ceil(2) } else { len }
}

impl File for SimFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<usize> {
        let fault = self.system.call()?;
        let position = index(position)?;
        self.with(|inode| {
            let there = inode.bytes().get(position..).unwrap_or_default();
            let count = part(there.len().min(bytes.len()), fault);
            for (byte, found) in bytes.iter_mut().zip(there.iter().take(count)) {
                *byte = *found;
            }
            count
        })
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<usize> {
        let fault = self.system.call()?;
        self.check_writable()?;
        self.system.change("write");
        let bytes = bytes.get(..part(bytes.len(), fault)).unwrap_or_default();
        let position = index(position)?;
        self.with(|inode| inode.write(position, bytes))?;
        Ok(bytes.len())
    }

    fn len(&self) -> Result<u64> {
        self.system.call()?;
        self.with(|inode| inode.bytes().len() as u64)
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.system.call()?;
        self.check_writable()?;
        self.system.change("allocate");
        let len = index(len)?;
        self.with(|inode| inode.resize(len.max(inode.bytes().len())))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.system.call()?;
        self.check_writable()?;
        self.system.change("set_len");
        let len = index(len)?;
        self.with(|inode| inode.resize(len))
    }

    fn sync(&self) -> Result<()> {
        self.sync_data()
    }

    fn sync_data(&self) -> Result<()> {
        if let Err(error) = self.system.call() {
            self.with(Inode::fail_sync)?;
            return Err(error);
        }
        self.system.change("sync");
        self.with(Inode::sync)?;
        self.system.state.lock().syncs += 1;
        Ok(())
    }

    fn write_durably_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        self.system.call()?;
        self.check_writable()?;
        self.system.change("write_durably");
        let position = index(position)?;
        self.with(|inode| inode.write_durably(position, bytes))?;
        self.system.state.lock().syncs += 1;
        Ok(())
    }

    fn map(&self, len: usize) -> Result<Box<dyn Mapping>> {
        self.system.call()?;
        self.check_writable()?;
        if self.with(|inode| inode.bytes().len() < len)? {
            return Err(Error::new(ErrorKind::InvalidInput, "a mapping beyond the end of its file"));
        }
        let file = Self::new(self.system.clone(), self.inode, self.access);
        Ok(Box::new(SimMapping { file, len }))
    }
}

/// A store changes the file at once, and is durable sector by sector, whenever the system writes the page back.
#[derive(Debug)]
struct SimMapping {
    file: SimFile,
    len: usize,
}

impl Mapping for SimMapping {
    fn store(&mut self, position: usize, bytes: &[u8]) -> bool {
        if position.checked_add(bytes.len()).is_none_or(|end| end > self.len) || !self.file.system.lives() {
            return false;
        }
        self.file.system.change("store");
        self.file.with(|inode| inode.write(position, bytes)).is_ok()
    }
}
