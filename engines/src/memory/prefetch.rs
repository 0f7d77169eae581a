//! Prefetch: a hint to the processor that a cache line will be read soon, so that several misses overlap.
//!
//! Thread safety: the hint reads and writes nothing a program can see, and never faults, whatever the address.
#![expect(unsafe_code, reason = "one processor instruction")]

/// Bytes of a cache line.
pub(crate) const LINE_BYTES: usize = 64;

/// Asks for the line of this address.
#[inline(always)]
pub(crate) fn line<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch has no effect but on caches, and does not fault on any address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Asks for `count` lines from this address on.
#[inline(always)]
pub(crate) fn lines<T>(address: *const T, count: usize) {
    for index in 0..count {
        line(address.cast::<u8>().wrapping_add(index * LINE_BYTES));
    }
}
