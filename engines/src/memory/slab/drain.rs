//! Draining: sparse pages are emptied by moving their blocks, so that they can be given back.
//!
//! The slab chooses a page and lists its blocks; its user moves those that it can. Some cannot be moved at that moment, and nobody
//! asks for them again, so a page may stay drained in vain. Such a page hands out again after a while. It is not drained again until
//! something has happened to it, so that a user who drains pages until there is none comes to an end, and a block that cannot
//! be moved for a long time does not cost a look with each attempt.
//!
//! Invariants
//! - A page that stands as [`Standing::Counted`] is in the account of its class, the others are not. A draining page is in no list
//!   of pages with room; the others are when they have room. A stuck page has room: when it is full, it is counted.
//! - A draining page is held, or it is in the queue of its stripe and has blocks that are out. The queue is [`DRAINING_MOST`]
//!   long at the most: this is the memory that can neither be used nor given back when nobody is pinned for long.
//! - A page is held by who drains it until all who are pinned then have been unpinned, so that it is not given back, nor its
//!   region, and hands out nothing, while they look at its blocks.
//!
//! Thread safety: as in [`super`]: whoever holds the stripe's mutex holds its classes, its pages and its queue.
#![expect(unsafe_code, reason = "pages are reached by pointers")]

use super::{Block, CLASS_WORDS, Class, FREE, Page, STRIPES, Slab, Stripe, page_blocks};
use crate::memory::words::WORD_BYTES;
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::collections::VecDeque;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Pages looked at, at most, to find a sparse one, stuck ones not counted…
const PAGES_LOOKED_AT: usize = 16;
/// …and with stuck ones.
const PAGES_PASSED: usize = 128;
/// Pages of a stripe that are drained at the same time, without those that are held. Its user has so many pages of time to
/// move the blocks of one.
pub(super) const DRAINING_MOST: usize = 8;
/// A stuck page may be drained again when one in so many of its blocks was freed.
pub(super) const STUCK_SHARE: u32 = 8;

/// How a page stands with its class.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It hands out and is in the account.
    Counted,
    /// It is being emptied and hands out nothing.
    Draining,
    /// It was drained in vain: it hands out, but is not in the account, so that it does not make its class look sparse.
    Stuck,
}

/// The draining pages of a stripe that are not held, those that became so first in front.
#[derive(Default)]
pub(super) struct Draining {
    pages: VecDeque<*mut Page>,
}

impl Draining {
    /// Adds a page. One that was there for too long, if there is one, leaves.
    fn push(&mut self, page: *mut Page) -> Option<*mut Page> {
        self.pages.push_back(page);
        if self.pages.len() > DRAINING_MOST { self.pages.pop_front() } else { None }
    }

    /// Pages in it.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// Takes a page out that is given back.
    pub(super) fn forget(&mut self, page: *mut Page) {
        self.pages.retain(|other| *other != page);
    }
}

impl Slab {
    /// Whether some class has so many free blocks that moving those in use would give pages back. One relaxed load.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        self.sparse.load(Ordering::Relaxed) != 0
    }

    /// Chooses a sparse page, never one of [`super::UNMOVED`], which hands out nothing from now on, and appends the blocks of
    /// it that are not free, retired ones included: the caller moves those that its structure still reaches to new blocks, and
    /// the page goes back when the last one is freed. Returns whether there was such a page.
    ///
    /// The caller may leave blocks where they are: when some more pages were chosen, the page hands out again. It can be chosen
    /// again after an eighth of its blocks were freed, or it was full, or by [`Slab::retry_stuck_pages`]; so choosing
    /// pages until there is none comes to an end.
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

    /// Makes all pages that were drained in vain ordinary ones, which are drained again if their class is sparse: for a user who
    /// can move now what it could not before. O(pages with room).
    pub(crate) fn retry_stuck_pages(&self) {
        for (index, shelf) in self.shelves.iter().enumerate().take(STRIPES) {
            let stripe = &mut *shelf.stripe.lock();
            while let Some(page) = stripe.draining.pages.pop_front() {
                // SAFETY: pages in the queue are live, of this stripe, which is held, draining and not held.
                unsafe { stripe.readmit(page) };
            }
            for class in stripe.classes.iter_mut() {
                let mut page = class.first;
                while !page.is_null() {
                    // SAFETY: the stripe is held, and the list consists of its pages; a stuck one is not in the account.
                    unsafe {
                        if (*page).standing == Standing::Stuck {
                            class.count(page);
                        }
                        page = (*page).next;
                    }
                }
                if class.is_sparse() {
                    self.sparse.fetch_or(1 << index, Ordering::Relaxed);
                }
            }
        }
    }

    /// # Safety
    /// [`Slab::drain_page`] gave the page, and this is called once for that.
    unsafe fn let_page_go(&self, page: *mut Page) {
        // SAFETY: a page that is held is in use, so that it lies in a live region and `owner` is constant.
        let owner = unsafe { (*page).owner.load(Ordering::Relaxed) };
        if let Some(shelf) = self.shelves.get((owner & 0xff) as usize) {
            let stripe = &mut *shelf.stripe.lock();
            // SAFETY: its stripe is held, it is in no list, and with `used` at 0 no block of it is out; pages in the queue are
            // live, draining and not held.
            unsafe {
                (*page).used -= 1;
                if (*page).used == 0 {
                    self.give_page_back(page);
                } else if let Some(stuck) = stripe.draining.push(page) {
                    stripe.readmit(stuck);
                }
            }
        }
    }

    /// Makes a sparse page of any stripe a draining one, holds it, and lists its blocks.
    fn drain_page(&self, blocks: &mut Vec<Block>) -> Option<*mut Page> {
        // Users take what they find in a page for blocks that they can move.
        let mut flagged = self.sparse.load(Ordering::Relaxed) & ((1 << STRIPES) - 1);
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

impl Stripe {
    /// # Safety
    /// The page is of this stripe, which is held, draining, not held, and was taken from the queue.
    unsafe fn readmit(&mut self, page: *mut Page) {
        // SAFETY: by the caller: the page lies in a live region.
        let owner = unsafe { (*page).owner.load(Ordering::Relaxed) };
        if let Some(class) = self.classes.get_mut((owner >> 8) as usize) {
            // SAFETY: by the caller, and it is of that class.
            unsafe { class.readmit(page) };
        }
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
        // SAFETY: the list consists of live pages of the stripe; blocks below `touched` have a first word that was stored.
        unsafe {
            let page = self.sparsest()?;
            self.unlink(page);
            self.discount(page);
            (*page).standing = Standing::Draining;
            (*page).used += 1;
            let start = page_blocks(page);
            for index in 0..(*page).touched as usize {
                let word = start.byte_add(index * words * WORD_BYTES);
                if (*word).load(Ordering::Relaxed) & FREE == 0 {
                    blocks.push(Block(NonNull::new_unchecked(word)));
                }
            }
            Some(page)
        }
    }

    /// The emptiest of some pages with room, if it is empty enough. The pages looked at move to the end of the list.
    ///
    /// # Safety
    /// The stripe is held.
    unsafe fn sparsest(&mut self) -> Option<*mut Page> {
        let (mut best, mut looked_at) = (None::<*mut Page>, 0);
        let last = self.last;
        // SAFETY: the list consists of live pages of the stripe.
        unsafe {
            for _ in 0..PAGES_PASSED {
                let page = self.first;
                if page.is_null() {
                    break;
                }
                self.unlink(page);
                self.push_back(page);
                if (*page).standing == Standing::Counted {
                    if best.is_none_or(|best| (*page).used < (*best).used) {
                        best = Some(page);
                    }
                    looked_at += 1;
                }
                if looked_at == PAGES_LOOKED_AT || page == last {
                    break;
                }
            }
            best.filter(|best| (**best).used * 16 <= (**best).blocks * 15)
        }
    }
}
