//! The memory of an extent: words side by side, on huge pages where it is large enough.
//!
//! From 128 KiB on it comes from the kernel and not from the allocator: what is given back leaves the process at once, where an
//! allocator keeps as much as a rebuild gave back for later; and from 2 MiB on, an allocator that has written so much as one word
//! into a stretch has got a small page there, and then the kernel gives no huge page any more, whatever it was advised.
//!
//! Invariants
//! - `len` words from `start` on are one allocation or mapping of this stretch alone, all zero before anyone could read them.
//! - `held` counts the bytes of all stretches of one array that have not been dropped.
//!
//! Thread safety: the words are atomics, shared by whoever can reach the stretch; it is freed by whoever drops it last,
//! which the owner of the [`super::extent::Extent`] defers until no reader is pinned that could have found it.
#![expect(unsafe_code, reason = "a slice of words in memory of its own")]

use crate::memory::huge;
use crate::memory::prefetch::LINE_BYTES;
use crate::memory::words::Word;
use crate::sync::Ordering;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Bytes of the least stretch that comes from the kernel: many enough that a mapping and its page faults cost little beside
/// filling it.
const MAPPED_BYTES_LEAST: usize = 128 << 10;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Stretch {
    start: NonNull<Word>,
    len: usize,
    layout: Layout,
    is_mapped: bool,
    held: Arc<AtomicU64>,
}

// SAFETY: a stretch owns its words, which are atomics; there is nothing of one thread in it.
unsafe impl Send for Stretch {}
// SAFETY: as above; all it hands out is a shared slice of atomics.
unsafe impl Sync for Stretch {}

impl Stretch {
    /// `len` words, all zero; at least one. From 2 MiB on aligned to huge pages, which are asked for.
    pub(super) fn new(len: usize, held: &Arc<AtomicU64>) -> Self {
        let len = len.max(1);
        let bytes = len * size_of::<Word>();
        let layout = Layout::from_size_align(bytes, LINE_BYTES).unwrap_or(Layout::new::<Word>());
        assert!(layout.size() == bytes, "an extent within the limits of its options");
        held.fetch_add(bytes as u64, Ordering::Relaxed);
        let held = Arc::clone(held);
        if bytes >= MAPPED_BYTES_LEAST
            && let Some(start) = huge::map(bytes)
        {
            // To the end of the mapping, so that the last huge page is one too.
            // SAFETY: so many bytes from `start` on are mapped, zero, and ours.
            huge::advise(unsafe { slice::from_raw_parts(start.as_ptr(), huge::mapped_len(bytes)) });
            let start = start.cast();
            return Self { start, len, layout, is_mapped: true, held };
        }
        // SAFETY: the layout has a size, because `len` is at least one.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }.cast::<Word>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the allocation has `len` words; zero is a word.
        unsafe { start.as_ptr().write_bytes(0, len) };
        Self { start, len, layout, is_mapped: false, held }
    }

    /// All its words.
    #[inline]
    pub(super) fn words(&self) -> &[Word] {
        // SAFETY: `len` words from `start` on were written when they were allocated, and live as long as the stretch.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        self.held.fetch_sub(self.layout.size() as u64, Ordering::Relaxed);
        if self.is_mapped {
            // SAFETY: mapped for this stretch with so many bytes; nobody else has it, because references to the words borrow it.
            unsafe { huge::unmap(self.start.cast(), self.layout.size()) };
        } else {
            // SAFETY: allocated with this layout; nobody else has it, because references to the words borrow the stretch.
            unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
        }
    }
}
