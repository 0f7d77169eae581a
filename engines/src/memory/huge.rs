//! Huge pages: a hint to the kernel that a stretch of memory is large and hot.
//!
//! A random access into memory on 4 KiB pages misses the TLB as well as the caches; on 2 MiB pages it seldom does. Kernels
//! that follow `madvise` only give huge pages to who asks.
//!
//! Thread safety: the hint changes no byte and may be given at any time.
#![expect(unsafe_code, reason = "one call of madvise")]

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
