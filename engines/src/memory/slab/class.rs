//! The list of a class's pages with room.
//!
//! Thread safety: as in [`super`]: whoever holds the stripe's mutex holds its classes and pages.
#![expect(unsafe_code, reason = "the links of the list are pointers to pages")]

use super::{Class, Page};
use std::ptr;

impl Class {
    /// More than an eighth of its blocks, and two pages' worth of them, are free.
    pub(super) fn is_sparse(&self) -> bool {
        let free = self.blocks - self.used;
        self.pages > 2 && free * 8 > self.blocks && free * u64::from(self.pages) > self.blocks * 2
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
