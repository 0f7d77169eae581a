//! Prefetch: a hint to the processor that a cache line will be read soon, so that several misses overlap.
//!
//! Thread safety: the hint reads and writes nothing a program can see, and never faults, whatever the address.
#![expect(unsafe_code, reason = "a processor instruction")]

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

/// Asks for `count` lines from this address on, into the second-level cache. Many more of these can be under way than of
/// lines for the first level, and they do not stall what comes behind them: for blocks that are copied as a whole, and for
/// what is looked at only after much else was asked for.
#[inline(always)]
pub(crate) fn lines_nearby<T>(address: *const T, count: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for index in 0..count {
        // SAFETY: as above.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(
                address.cast::<u8>().wrapping_add(index * LINE_BYTES).cast(),
            );
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (address, count);
}

/// Lines of a block that are asked for a few at a time, while something else is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead {
    next: *const u8,
    left: usize,
}

impl Ahead {
    /// Nothing to ask for.
    pub(crate) const NOTHING: Self = Self { next: std::ptr::null(), left: 0 };

    /// The lines in which a slice lies.
    pub(crate) fn of<T>(slice: &[T]) -> Self {
        Self { next: slice.as_ptr().cast(), left: size_of_val(slice).div_ceil(LINE_BYTES) }
    }

    /// Lines that have not been asked for.
    pub(crate) const fn left(&self) -> usize {
        self.left
    }

    /// Asks for the next lines, so many at the most.
    #[inline(always)]
    pub(crate) fn ask(&mut self, count: usize) {
        let count = count.min(self.left);
        lines_nearby(self.next, count);
        self.next = self.next.wrapping_add(count * LINE_BYTES);
        self.left -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_ahead_are_asked_for_once_and_no_further() {
        let block = vec![0_u64; 5 * LINE_BYTES / size_of::<u64>() + 1];
        let mut ahead = Ahead::of(&block);
        let mut left = vec![ahead.left()];
        for _ in 0..4 {
            ahead.ask(2);
            left.push(ahead.left());
        }
        assert_eq!(left, [6, 4, 2, 0, 0]);
        assert_eq!(ahead.next as usize - block.as_ptr() as usize, 6 * LINE_BYTES);
        assert_eq!(Ahead::NOTHING.left(), 0);
    }
}
