//! Draining: sparse pages are emptied by moving their blocks, so that they can be given back.
//!
//! Thread safety: as in [`super`]: whoever holds the stripe's mutex holds its classes and pages.
#![expect(unsafe_code, reason = "pages are reached by pointers")]

use super::{Block, CLASS_WORDS, Class, FREE, Page, Slab, page_blocks};
use crate::memory::words::WORD_BYTES;
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Pages looked at, at most, to find a sparse one.
const PAGES_LOOKED_AT: usize = 16;

impl Slab {
    /// Whether some class has so many free blocks that moving those in use would give pages back. One relaxed load.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        self.sparse.load(Ordering::Relaxed) != 0
    }

    /// Chooses a sparse page, which hands out nothing from now on, and appends the blocks of it that are not free,
    /// retired ones included: the caller moves those that its structure still reaches to new blocks, and the page goes
    /// back when the last one is freed. Returns whether there was such a page.
    ///
    /// As long as the guard lives, the blocks stay where they are and become nobody else's, so that all their words may
    /// be looked at that their users have written: the first always. One that is freed meanwhile has [`FREE`] in its first word.
    /// One that was just allocated has zero there, or is being written: the caller finds a block in its structure, by what it
    /// holds, before it moves it.
    pub(crate) fn sparse_page(self: &Arc<Self>, guard: &Guard, blocks: &mut Vec<Block>) -> bool {
        let Some(page) = self.drain_page(blocks) else { return false };
        let slab = Arc::downgrade(self);
        let page = page.expose_provenance();
        guard.defer(move || {
            if let Some(slab) = slab.upgrade() {
                // SAFETY: the page was held by `drain_page` for this, and only this lets it go.
                unsafe { slab.let_page_go(ptr::with_exposed_provenance_mut(page)) };
            }
        });
        true
    }

    /// # Safety
    /// [`Slab::drain_page`] gave the page, and this is called once for that.
    unsafe fn let_page_go(&self, page: *mut Page) {
        // SAFETY: a page that is held is in use, so that it lies in a live region and `owner` is constant.
        let owner = unsafe { (*page).owner.load(Ordering::Relaxed) };
        if let Some(shelf) = self.shelves.get((owner & 0xff) as usize) {
            let _stripe = shelf.stripe.lock();
            // SAFETY: its stripe is held, it is in no list, and with `used` at 0 no block of it is out.
            unsafe {
                (*page).used -= 1;
                if (*page).used == 0 {
                    self.give_page_back(page);
                }
            }
        }
    }

    /// Makes a sparse page of any stripe a draining one, holds it, and lists its blocks.
    fn drain_page(&self, blocks: &mut Vec<Block>) -> Option<*mut Page> {
        let mut flagged = self.sparse.load(Ordering::Relaxed);
        while flagged != 0 {
            let index = flagged.trailing_zeros() as usize;
            flagged &= flagged - 1;
            let mut stripe = self.shelves.get(index)?.stripe.lock();
            let found = stripe.classes.iter_mut().zip(CLASS_WORDS).find_map(|(class, words)| {
                // SAFETY: the stripe is held.
                unsafe { class.drain_page(words as usize, blocks) }
            });
            if found.is_some() {
                return found;
            }
            self.sparse.fetch_and(!(1 << index), Ordering::Relaxed);
        }
        None
    }
}

impl Class {
    /// Makes a sparse page of the class a draining one, if there is one, holds it, and lists its blocks.
    ///
    /// # Safety
    /// The class is that of so many words, and its stripe is held.
    unsafe fn drain_page(&mut self, words: usize, blocks: &mut Vec<Block>) -> Option<*mut Page> {
        if !self.is_sparse() {
            return None;
        }
        // SAFETY: the stripe is held, and the list consists of its pages.
        unsafe {
            let mut best = self.first;
            for _ in 0..PAGES_LOOKED_AT {
                let page = self.first;
                if page.is_null() || self.first == self.last {
                    break;
                }
                self.unlink(page);
                self.push_back(page);
                if (*page).used < (*best).used {
                    best = page;
                }
            }
            if best.is_null() || (*best).used * 8 > (*best).blocks * 7 {
                return None;
            }
            self.unlink(best);
            self.pages -= 1;
            self.blocks -= u64::from((*best).blocks);
            self.used -= u64::from((*best).used);
            (*best).draining = true;
            (*best).used += 1;
            let start = page_blocks(best);
            for index in 0..(*best).touched as usize {
                let word = start.byte_add(index * words * WORD_BYTES);
                if (*word).load(Ordering::Relaxed) & FREE == 0 {
                    blocks.push(Block(NonNull::new_unchecked(word)));
                }
            }
            Some(best)
        }
    }
}
