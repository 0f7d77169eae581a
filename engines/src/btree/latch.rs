//! The latch of a node: many readers or one writer.
//!
//! # Thread safety / Invariants
//! A node's children are owned by its content, so they can only be reached through a guard of the parent that is still
//! held: a thread holds the latches of the whole path down to where it works. From this follow, checked by the compiler
//! and not by review,
//! - the order: latches are taken strictly from the root downwards, at most one a level, so no cycle of waiting threads
//!   can exist (deadlock freedom);
//! - the reach: an exclusive guard of a node excludes every other thread from its whole subtree, whose nodes are then
//!   accessible by [`Latch::get_mut`] without any latch;
//! - the life time: a node is freed by whoever holds its parent exclusively, when nobody else can hold it.
//!
//! Latch coupling and the optimistic first try of writers are solutions 1 and 2 of R. Bayer and M. Schkolnick,
//! *Concurrency of Operations on B-Trees* (1977). Unlike there, the latches above are kept to the end of the operation. Shared ones
//! keep nobody waiting but a writer who must change the shape of just that branch.

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A value under a latch.
#[derive(Debug)]
pub(super) struct Latch<T>(RwLock<T>);

impl<T> Latch<T> {
    /// An open latch.
    pub(super) const fn new(content: T) -> Self {
        Self(RwLock::new(content))
    }

    /// Waits until no writer holds the latch.
    #[inline]
    pub(super) fn shared(&self) -> RwLockReadGuard<'_, T> {
        self.0.read()
    }

    /// Waits until nobody holds the latch.
    #[inline]
    pub(super) fn exclusive(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write()
    }

    /// The content, for whoever holds the owner of the latch exclusively.
    #[inline]
    pub(super) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// The content without the latch.
    pub(super) fn into_inner(self) -> T {
        self.0.into_inner()
    }
}
