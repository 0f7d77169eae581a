//! Huge pages: a hint to the kernel that a stretch of memory is large and hot.
//!
//! A random access into memory on 4 KiB pages misses the TLB as well as the caches; on 2 MiB pages it seldom does. Kernels
//! that follow `madvise` only give huge pages to who asks.
//!
//! A huge page comes at the first touch only, and only if nothing of it was touched before: an allocator that writes into its
//! blocks before it hands them out, as mimalloc does, gets small pages for ever. So [`map`] takes memory from the kernel itself.
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
fn count_unmapped(bytes: usize) {
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

/// Mappings are so many bytes or a multiple: whole pages on every machine.
#[cfg(all(target_os = "linux", not(miri)))]
const GRANULE_BYTES: usize = 64 << 10;

/// Bytes that a mapping of so many bytes really has.
pub(crate) const fn mapped_len(bytes: usize) -> usize {
    #[cfg(all(target_os = "linux", not(miri)))]
    let granule = GRANULE_BYTES;
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let granule = 1;
    bytes.next_multiple_of(granule)
}

/// So many bytes of memory, all zero and not touched yet; from [`HUGE_PAGE_BYTES`] on aligned to huge pages, which are not asked
/// for. `None` if there is no more.
pub(crate) fn map(bytes: usize) -> Option<NonNull<u8>> {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
        let (access, kind) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        let len = bytes.checked_next_multiple_of(GRANULE_BYTES)?;
        let slack = if bytes < HUGE_PAGE_BYTES { 0 } else { HUGE_PAGE_BYTES };
        let whole_len = len.checked_add(slack)?;
        // SAFETY: the kernel chooses the address, so nothing that is mapped is replaced; the ends which are unmapped are
        // parts of the new mapping that nobody else knows. One that the kernel refuses to take back is address space only.
        unsafe {
            let whole = mmap_anonymous(std::ptr::null_mut(), whole_len, access, kind).ok()?;
            let before = if slack == 0 { 0 } else { whole.align_offset(HUGE_PAGE_BYTES) };
            let start = whole.byte_add(before);
            if before > 0 {
                let _refused = munmap(whole, before);
            }
            if slack > before {
                let _refused = munmap(start.byte_add(len), slack - before);
            }
            count_mapped(bytes);
            NonNull::new(start.cast())
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    // SAFETY: the layout has a size.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout(bytes)?) })
}

/// Gives back what [`map`] gave for so many bytes.
///
/// # Safety
/// It was given by [`map`], nobody uses it any more, and nobody gives it back again.
pub(crate) unsafe fn unmap(memory: NonNull<u8>, bytes: usize) {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: by the caller; the kernel refuses only where it would have to split a mapping and has too many.
    if unsafe { rustix::mm::munmap(memory.as_ptr().cast(), mapped_len(bytes)) }.is_ok() {
        count_unmapped(bytes);
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    if let Some(layout) = layout(bytes) {
        // SAFETY: by the caller; it was allocated with this layout.
        unsafe { std::alloc::dealloc(memory.as_ptr(), layout) };
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
fn layout(bytes: usize) -> Option<std::alloc::Layout> {
    let align = if bytes < HUGE_PAGE_BYTES { crate::memory::prefetch::LINE_BYTES } else { HUGE_PAGE_BYTES };
    std::alloc::Layout::from_size_align(bytes, align).ok().filter(|layout| layout.size() > 0)
}
