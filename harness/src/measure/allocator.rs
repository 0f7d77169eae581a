//! The program's allocator: mimalloc, for every engine alike, with a counter that only memory trials switch on.
//!
//! While it is off (in every timed trial), an allocation or a release costs one load of a flag that nobody writes, and a branch
//! that always goes the same way. While it is on, the bytes that were asked for and the blocks that are live are counted in
//! shared atomics, which is slow with many threads and exact.
//!
//! Thread safety: each counter is an atomic of its own. A figure read while other threads allocate is one they passed through;
//! the peak may miss bytes that are released at the same moment by another thread. At rest the figures are exact.
#![expect(unsafe_code, reason = "a global allocator, and two calls of mimalloc")]

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// mimalloc behind a counter.
struct Allocator;

/// Whether allocations are counted.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: Live = Live::new();

unsafe extern "C" {
    // SAFETY: part of the library that the crate `mimalloc` links; it takes nothing and reads a constant.
    safe fn mi_version() -> c_int;
    // SAFETY: part of the same library; it may be called by any thread at any time and touches free memory only.
    safe fn mi_collect(force: bool);
}

// SAFETY: every call goes to mimalloc with the arguments it came with, and what mimalloc returns is returned; counting
// touches no memory but the counters and does not allocate.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_COUNTING.load(Relaxed) {
            LIVE.grow(layout.size());
        }
        // SAFETY: the caller's promises about the layout are passed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if IS_COUNTING.load(Relaxed) {
            LIVE.grow(layout.size());
        }
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if IS_COUNTING.load(Relaxed) {
            LIVE.shrink(layout.size());
        }
        // SAFETY: the block came from mimalloc with this layout, as the caller promises.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if IS_COUNTING.load(Relaxed) {
            LIVE.resize(layout.size(), new_size);
        }
        // SAFETY: as above, and the new size is the caller's.
        unsafe { MiMalloc.realloc(block, layout, new_size) }
    }
}

/// What is counted. An allocation that fails is counted all the same: the program ends then.
struct Live {
    bytes: AtomicI64,
    blocks: AtomicI64,
    peak_bytes: AtomicI64,
}

impl Live {
    const fn new() -> Self {
        Self { bytes: AtomicI64::new(0), blocks: AtomicI64::new(0), peak_bytes: AtomicI64::new(0) }
    }

    #[cold]
    fn grow(&self, size: usize) {
        self.blocks.fetch_add(1, Relaxed);
        self.add(size.cast_signed() as i64);
    }

    #[cold]
    fn shrink(&self, size: usize) {
        self.blocks.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(size.cast_signed() as i64, Relaxed);
    }

    #[cold]
    fn resize(&self, old: usize, new: usize) {
        self.add(new.cast_signed() as i64 - old.cast_signed() as i64);
    }

    fn add(&self, bytes: i64) {
        let now = self.bytes.fetch_add(bytes, Relaxed) + bytes;
        self.peak_bytes.fetch_max(now, Relaxed);
    }

    fn counted(&self) -> Counted {
        Counted {
            bytes: self.bytes.load(Relaxed),
            blocks: self.blocks.load(Relaxed),
            peak_bytes: self.peak_bytes.load(Relaxed),
        }
    }
}

/// What is live since counting began. What was there before is not in it, and negative once it is released.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Bytes that were asked for and not released; what the allocator rounds up to is not in it.
    pub bytes: i64,
    /// Allocations that were not released.
    pub blocks: i64,
    /// The most `bytes` there were since counting or [`restart_peak`].
    pub peak_bytes: i64,
}

/// Counts from now on, in this process, for good.
pub fn start_counting() {
    IS_COUNTING.store(true, Relaxed);
}

/// What is live now, with what engines mapped from the kernel themselves; nothing of the allocator's unless counting was started.
pub fn counted() -> Counted {
    let live = LIVE.counted();
    Counted {
        bytes: live.bytes + engines::mapped_bytes().cast_signed(),
        // Both peaks need not have been at the same time: this is a bound from above.
        peak_bytes: live.peak_bytes + engines::mapped_peak_bytes().cast_signed(),
        ..live
    }
}

/// Forgets the peak: it is what is live now.
pub fn restart_peak() {
    LIVE.peak_bytes.store(LIVE.bytes.load(Relaxed), Relaxed);
    engines::restart_mapped_peak();
}

/// Makes the allocator give free memory back to the system: the calling thread's, and that of threads that have ended.
pub fn collect() {
    mi_collect(true);
}

/// Name and version, as results have them.
pub fn describe() -> String {
    // Major, two digits of the minor version and two of the patch.
    let version = mi_version();
    format!("mimalloc {}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_grow_and_shrink_is_counted() {
        let live = Live::new();
        live.grow(100);
        live.grow(50);
        live.resize(50, 80);
        assert_eq!(live.counted(), Counted { bytes: 180, blocks: 2, peak_bytes: 180 });
        live.resize(80, 10);
        live.shrink(100);
        assert_eq!(live.counted(), Counted { bytes: 10, blocks: 1, peak_bytes: 180 });
        live.shrink(30);
        assert_eq!(live.counted().bytes, -20, "what was there before is released");
    }

    #[test]
    fn blocks_of_this_program_are_counted_once_it_was_started() {
        // Other tests allocate meanwhile, but never so much; the block is not touched and takes no memory.
        const SIZE: usize = 1 << 30;
        let near = |difference: i64, expected: i64| (difference - expected).abs() < 1 << 28;
        drop(Vec::<u8>::with_capacity(SIZE));
        start_counting();
        let before = counted().bytes;
        let block = Vec::<u8>::with_capacity(SIZE);
        assert!(near(counted().bytes - before, SIZE as i64), "{before} and {:?}", counted());
        assert!(counted().peak_bytes - before > (SIZE as i64) / 2);
        assert!(block.capacity() >= SIZE);
        drop(block);
        assert!(near(counted().bytes - before, 0), "{before} and {:?}", counted());
        restart_peak();
        assert!(counted().peak_bytes - before < (SIZE as i64) / 2);
        collect();
    }

    #[test]
    fn the_allocator_tells_its_version() {
        let text = describe();
        let version = text.strip_prefix("mimalloc ").unwrap_or_default();
        let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
        assert!(numbers.len() == 3 && numbers.first().is_some_and(|major| *major >= 2), "{text}");
    }
}
