//! A shared mapping of a file.
//!
//! A store may fault where the file is no longer as long as it was, or its device fails while the page is read: the process then
//! gets `SIGBUS`, as with every mapping. The caller allocates files before it maps them and never shortens them; nobody
//! else may, which is what the directory's lock is for.
//!
//! Thread safety: a mapping has one owner, who alone stores; what other processes or calls of the system read meanwhile is
//! theirs to check.
#![expect(unsafe_code, reason = "calls of mmap, madvise and munmap, and stores to what they map")]

use super::Mapping;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::io::Result;
use std::ptr::{self, NonNull};

/// Invariant: `len` bytes from `start` on are a shared, writable mapping of this owner alone.
#[derive(Debug)]
pub(super) struct OsMapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and to this owner alone.
unsafe impl Send for OsMapping {}
// SAFETY: a shared reference can do nothing with it.
unsafe impl Sync for OsMapping {}

impl OsMapping {
    pub(super) fn new(file: &File, len: usize) -> Result<Self> {
        let (access, kind) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: the kernel chooses the address, so nothing that is mapped is replaced.
        let start = unsafe { mmap(ptr::null_mut(), len, access, kind, file, 0) }?;
        NonNull::new(start.cast())
            .map(|start| Self { start, len })
            .ok_or(std::io::ErrorKind::OutOfMemory.into())
    }
}

/// Who stores goes on behind: these lines are asked for that far ahead, so that the next stores find them in the cache.
const AHEAD_BYTES: usize = 512;
#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;

impl OsMapping {
    /// Asks the processor for the lines of some bytes, if the mapping has them.
    #[inline]
    fn ask_for(&self, position: usize, len: usize) {
        #[cfg(target_arch = "x86_64")]
        for at in (position..position + len).step_by(LINE_BYTES) {
            if at < self.len {
                use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                // SAFETY: a hint, which reads nothing and cannot fault; the address lies within the mapping all the same.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(self.start.as_ptr().add(at).cast()) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (position, len);
    }
}

impl Mapping for OsMapping {
    #[inline]
    fn store(&mut self, position: usize, bytes: &[u8]) -> bool {
        if position.checked_add(bytes.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        // SAFETY: `bytes.len()` bytes from `position` on lie within the mapping, by the check above; nobody else in this process
        // has a reference to them, since the mapping gives none away, and `bytes` cannot lie there for the same reason.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr().add(position), bytes.len()) };
        self.ask_for(position + bytes.len() + AHEAD_BYTES, bytes.len());
        true
    }

    fn touch(&self) {
        #[cfg(target_os = "linux")]
        {
            use rustix::mm::{Advice, madvise};
            // SAFETY: the range is the mapping; its pages are brought into memory, none changes. Systems that do not know the advice refuse it.
            let _refused =
                unsafe { madvise(self.start.as_ptr().cast(), self.len, Advice::LinuxPopulateWrite) };
        }
    }
}

impl Drop for OsMapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and used by nobody any more. The kernel refuses only where it would have to split a mapping.
        let _refused = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}
