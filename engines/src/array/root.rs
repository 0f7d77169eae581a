//! The one pointer through which everybody finds the extents.
//!
//! Invariants: the pointer is never null, and what it points to is never changed, only exchanged. A [`Top`] that was
//! exchanged is dropped, and with it the extents that only it held, when no thread is pinned any more that could have read
//! the pointer before (epoch-based reclamation; K. Fraser, *Practical lock-freedom*, 2004).
//!
//! Thread safety: readers load the pointer while pinned and write nothing; the lock of the structure is held by who
//! exchanges it.
#![expect(unsafe_code, reason = "the pointer is followed under the protection of an epoch")]

use super::top::Top;
use crate::sync::Ordering;
use crossbeam::epoch::{Atomic, Guard, Owned};
use std::mem;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Root {
    top: Atomic<Top>,
}

impl Root {
    /// The root of these extents.
    pub(super) fn new(top: Top) -> Self {
        Self { top: Atomic::new(top) }
    }

    /// The extents at this moment. They stay in memory as long as the guard.
    #[inline]
    pub(super) fn load<'g>(&self, guard: &'g Guard) -> &'g Top {
        // SAFETY: never null. What the pointer led to while this thread was pinned is dropped only after it is unpinned,
        // and the reference does not outlive the guard.
        unsafe { self.top.load(Ordering::Acquire, guard).deref() }
    }

    /// Exchanges the extents.
    pub(super) fn replace(&self, top: Top, guard: &Guard) {
        let old = self.top.swap(Owned::new(top), Ordering::AcqRel, guard);
        // SAFETY: the pointer was taken out just now and by nobody else, so it is dropped once, and after everybody who
        // could have read it is unpinned.
        unsafe { guard.defer_destroy(old) };
        // What is retired here is large, and should not wait until this thread has retired many more.
        guard.flush();
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // SAFETY: nobody else has the root, and its pointer is never null.
        drop(unsafe { mem::replace(&mut self.top, Atomic::null()).into_owned() });
    }
}
