//! Huge pages: a hint to the kernel that a stretch of memory is large and hot.
//!
//! A random access into memory on 4 KiB pages misses the TLB as well as the caches; on 2 MiB pages it seldom does. Kernels
//! that follow `madvise` only give huge pages to who asks.
//!
//! A huge page comes at the first touch only, and only if nothing of it was touched before: an allocator that writes into its
//! blocks before it hands them out, as mimalloc does, gets small pages for ever. So a [`map`] takes them from the kernel itself.
//!
//! Thread safety: the hint changes no byte and may be given at any time; what is mapped belongs to the caller.
#![expect(unsafe_code, reason = "calls of mmap, munmap and madvise")]

use std::ptr::NonNull;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of all mappings.
#[cfg(not(loom))]
static MAPPED: AtomicU64 = AtomicU64::new(0);
#[cfg(not(loom))]
static MAPPED_PEAK: AtomicU64 = AtomicU64::new(0);

/// Bytes that engines of this process hold from the kernel directly, beside what they asked of the allocator: who counts the
/// allocator's bytes adds these.
#[cfg(not(loom))]
pub fn mapped_bytes() -> u64 {
    MAPPED.load(Ordering::Relaxed)
}

/// The most there were since the process began or [`restart_mapped_peak`].
#[cfg(not(loom))]
pub fn mapped_peak_bytes() -> u64 {
    MAPPED_PEAK.load(Ordering::Relaxed)
}

/// Forgets the peak: it is what is mapped now.
#[cfg(not(loom))]
pub fn restart_mapped_peak() {
    MAPPED_PEAK.store(mapped_bytes(), Ordering::Relaxed);
}

/// Notes a mapping.
#[cfg(not(loom))]
pub(crate) fn count_mapped(bytes: usize) {
    let now = MAPPED.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
    MAPPED_PEAK.fetch_max(now, Ordering::Relaxed);
}

/// Notes that a mapping is gone.
#[cfg(not(loom))]
pub(crate) fn count_unmapped(bytes: usize) {
    MAPPED.fetch_sub(bytes as u64, Ordering::Relaxed);
}

/// Bytes of a huge page on x86-64, and on AArch64 with 4 KiB pages.
pub(crate) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Asks for huge pages under the aligned part of a slice. Does nothing where the system has none, and if the kernel
/// refuses, because it is a hint.
pub(crate) fn advise<T>(slice: &[T]) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use rustix::mm::{Advice, madvise};
        let start = slice.as_ptr().addr().next_multiple_of(HUGE_PAGE_BYTES);
        let end = (slice.as_ptr().addr() + size_of_val(slice)) & !(HUGE_PAGE_BYTES - 1);
        if start < end {
            let pointer = slice.as_ptr().with_addr(start).cast_mut().cast();
            // SAFETY: the range lies within the slice, which is mapped memory of ours; MADV_HUGEPAGE neither unmaps nor
            // changes anything that a program can read.
            let _refused = unsafe { madvise(pointer, end - start, Advice::LinuxHugepage) };
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = slice;
}

/// Memory of [`HUGE_PAGE_BYTES`], aligned to that, all zero and not touched yet. `None` if there is no more.
pub(crate) fn map() -> Option<NonNull<u8>> {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
        let (access, kind) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: the kernel chooses the address, so nothing that is mapped is replaced; the ends which are unmapped are
        // parts of the new mapping that nobody else knows.
        unsafe {
            let whole = mmap_anonymous(std::ptr::null_mut(), 2 * HUGE_PAGE_BYTES, access, kind).ok()?;
            let before = whole.align_offset(HUGE_PAGE_BYTES);
            let start = whole.byte_add(before);
            if before > 0 {
                munmap(whole, before).ok()?;
            }
            munmap(start.byte_add(HUGE_PAGE_BYTES), HUGE_PAGE_BYTES - before).ok()?;
            count_mapped(HUGE_PAGE_BYTES);
            NonNull::new(start.cast())
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    // SAFETY: the layout has a size.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(LAYOUT) })
}

/// Gives back what [`map`] gave.
///
/// # Safety
/// It was given by [`map`], nobody uses it any more, and nobody gives it back again.
pub(crate) unsafe fn unmap(memory: NonNull<u8>) {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: by the caller; the kernel refuses only what is not page-aligned.
    let unmapped = unsafe { rustix::mm::munmap(memory.as_ptr().cast(), HUGE_PAGE_BYTES) };
    #[cfg(all(target_os = "linux", not(miri)))]
    if unmapped.is_ok() {
        count_unmapped(HUGE_PAGE_BYTES);
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    // SAFETY: by the caller; it was allocated with this layout.
    unsafe {
        std::alloc::dealloc(memory.as_ptr(), LAYOUT);
    }
}

/// Gives the memory of some whole small pages back, and takes it out of the account; whether it is gone. It is all zero when
/// it is touched again, which the caller counts.
///
/// # Safety
/// It lies in a mapping of [`map`], begins where a small page begins, and nobody uses it.
pub(crate) unsafe fn discard(start: *mut u8, bytes: usize) -> bool {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: by the caller.
    if unsafe { rustix::mm::madvise(start.cast(), bytes, rustix::mm::Advice::LinuxDontNeed) }.is_ok() {
        count_unmapped(bytes);
        return true;
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (start, bytes);
    false
}

#[cfg(not(all(target_os = "linux", not(miri))))]
const LAYOUT: std::alloc::Layout = match std::alloc::Layout::from_size_align(HUGE_PAGE_BYTES, HUGE_PAGE_BYTES)
{
    Ok(layout) => layout,
    Err(_) => panic!("the size is a power of two"),
};
