//! The memory of an extent: words side by side, on huge pages where it is large enough.
//!
//! Invariants
//! - `len` words from `start` on are one allocation of this stretch alone, each of them written before anyone could read it.
//! - `held` counts the bytes of all stretches of one array that have not been dropped.
//!
//! Thread safety: the words are atomics, shared by whoever can reach the stretch; it is freed by whoever drops it last,
//! which the owner of the [`super::extent::Extent`] defers until no reader is pinned that could have found it.
#![expect(unsafe_code, reason = "memory aligned to huge pages, which must be advised before it is first touched")]

use crate::memory::huge::{self, HUGE_PAGE_BYTES};
use crate::memory::prefetch::LINE_BYTES;
use crate::memory::words::Word;
use crate::sync::Ordering;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Stretch {
    start: NonNull<Word>,
    len: usize,
    layout: Layout,
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
        let align = if bytes >= HUGE_PAGE_BYTES { HUGE_PAGE_BYTES } else { LINE_BYTES };
        let layout = Layout::from_size_align(bytes, align).unwrap_or(Layout::new::<Word>());
        assert!(layout.size() == bytes, "an extent within the limits of its options");
        // SAFETY: the layout has a size, because `len` is at least one.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }.cast::<Word>()) else { handle_alloc_error(layout) };
        // SAFETY: the allocation has `len` words of the right alignment, and uninitialised words may be anything.
        huge::advise(unsafe { slice::from_raw_parts(start.as_ptr().cast::<MaybeUninit<Word>>(), len) });
        // SAFETY: the allocation has `len` words; zero is a word.
        unsafe { start.as_ptr().write_bytes(0, len) };
        held.fetch_add(bytes as u64, Ordering::Relaxed);
        Self { start, len, layout, held: Arc::clone(held) }
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
        // SAFETY: allocated with this layout; nobody else has it, because references to the words borrow the stretch.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
    }
}
