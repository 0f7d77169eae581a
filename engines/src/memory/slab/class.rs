//! The list of a class's pages with room, and its account.
//!
//! Thread safety: as in [`super`]: whoever holds the stripe's mutex holds its classes and pages.
#![expect(unsafe_code, reason = "the links of the list are pointers to pages")]

use super::drain::{STUCK_SHARE, Standing};
use super::{Class, Page};
use std::ptr;

impl Class {
    /// More than a sixteenth of its blocks, and two pages' worth of them, are free.
    pub(super) fn is_sparse(&self) -> bool {
        let free = self.blocks - self.used;
        self.pages > 2 && free * 16 > self.blocks && free * u64::from(self.pages) > self.blocks * 2
    }

    /// Takes a page into the account.
    ///
    /// # Safety
    /// It is of this class and not in the account, and the stripe is held.
    pub(super) unsafe fn count(&mut self, page: *mut Page) {
        // SAFETY: by the caller.
        let (blocks, used) = unsafe {
            (*page).standing = Standing::Counted;
            ((*page).blocks, (*page).used)
        };
        self.pages += 1;
        self.blocks += u64::from(blocks);
        self.used += u64::from(used);
    }

    /// Takes a page out of the account; the caller says how it stands from now on.
    ///
    /// # Safety
    /// It is of this class and in the account, and the stripe is held.
    pub(super) unsafe fn discount(&mut self, page: *mut Page) {
        // SAFETY: by the caller.
        let (blocks, used) = unsafe { ((*page).blocks, (*page).used) };
        self.pages -= 1;
        self.blocks -= u64::from(blocks);
        self.used -= u64::from(used);
    }

    /// Lets a page that was drained in vain hand out again.
    ///
    /// # Safety
    /// It is of this class, draining, and not held, and the stripe is held.
    pub(super) unsafe fn readmit(&mut self, page: *mut Page) {
        // SAFETY: by the caller; it is in no list, and has room, because it had some when it was chosen and handed out nothing since.
        unsafe {
            (*page).standing = Standing::Stuck;
            (*page).freed = 0;
            self.push_back(page);
        }
    }

    /// Notes that a block of a stuck page was freed: when there were enough, draining it again is worth while.
    ///
    /// # Safety
    /// The page is of this class and stuck, and the stripe is held.
    pub(super) unsafe fn freed_of_stuck(&mut self, page: *mut Page) {
        // SAFETY: by the caller.
        unsafe {
            (*page).freed += 1;
            if (*page).freed * STUCK_SHARE >= (*page).blocks {
                self.count(page);
            }
        }
    }

    /// # Safety
    /// The page is of this class, in no list, and the stripe is held. So for the others.
    pub(super) unsafe fn push_front(&mut self, page: *mut Page) {
        // SAFETY: by the caller; neighbours in the list are live pages of the same stripe.
        unsafe {
            (*page).listed = true;
            (*page).previous = ptr::null_mut();
            (*page).next = self.first;
            if self.first.is_null() {
                self.last = page;
            } else {
                (*self.first).previous = page;
            }
        }
        self.first = page;
    }

    pub(super) unsafe fn push_back(&mut self, page: *mut Page) {
        // SAFETY: as in `push_front`.
        unsafe {
            (*page).listed = true;
            (*page).next = ptr::null_mut();
            (*page).previous = self.last;
            if self.last.is_null() {
                self.first = page;
            } else {
                (*self.last).next = page;
            }
        }
        self.last = page;
    }

    pub(super) unsafe fn unlink(&mut self, page: *mut Page) {
        // SAFETY: the page is in this list; its neighbours are live pages of the same stripe.
        unsafe {
            (*page).listed = false;
            if (*page).previous.is_null() {
                self.first = (*page).next;
            } else {
                (*(*page).previous).next = (*page).next;
            }
            if (*page).next.is_null() {
                self.last = (*page).previous;
            } else {
                (*(*page).next).previous = (*page).previous;
            }
        }
    }
}
