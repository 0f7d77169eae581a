//! A latch for optimistic reading: lock bit, obsolete bit and version in one word.
//!
//! A reader takes the version ([`VersionLatch::read`]), reads what the latch protects, and then asks whether the
//! version still holds ([`VersionLatch::holds`]); if not, what it read means nothing and it begins anew. It writes no
//! shared line. A writer locks, which either waits ([`VersionLatch::lock`]) or turns a version that was read
//! into the lock ([`VersionLatch::upgrade`]), and ends by [`VersionLatch::unlock`], which raises the version.
//!
//! Invariants
//! - The version is raised by every unlock after a change and never falls; 62 bits do not wrap.
//! - An obsolete latch stays so: what it protected was taken out of the structure and may only be retired.
//!
//! Thread safety: any number of readers beside at most one writer. What the latch protects must be read and written
//! through atomics (relaxed ones suffice): the fences here order them. After the lock is taken, a release fence
//! comes before any change; before the check of the version, an acquire fence comes after all reads. A reader that saw a
//! change therefore sees the lock or a later version too (H.-J. Boehm, *Can Seqlocks Get Along With Programming
//! Language Memory Models?*, 2012). The tests under `--cfg loom` explore every order.

#![expect(unsafe_code, reason = "a word that lies in a block is looked at as the latch that it is")]

use crate::memory::words::Word;
use crate::sync::{AtomicU64, Ordering, Wait, fence};
use std::ptr;

const LOCKED: u64 = 1;
const OBSOLETE: u64 = 2;
const STEP: u64 = 4;

/// A version that was read while nobody held the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Version(u64);

/// See the head of this file.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct VersionLatch {
    word: AtomicU64,
}

impl VersionLatch {
    /// A free latch.
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    /// The latch that a word of a block is; a zero word is a free latch. It leaves bit 63 clear, so that it may be the
    /// first word of a slab's block.
    #[inline]
    pub(crate) fn of(word: &Word) -> &Self {
        // SAFETY: a latch is transparent over one word, and all it does is atomic.
        unsafe { &*ptr::from_ref(word).cast() }
    }

    /// Begins to read: the version, once nobody holds the lock; `None` if the latch is obsolete.
    #[inline]
    pub(crate) fn read(&self) -> Option<Version> {
        let word = self.word.load(Ordering::Acquire);
        if word & (LOCKED | OBSOLETE) == 0 { Some(Version(word)) } else { self.read_slowly() }
    }

    #[cold]
    fn read_slowly(&self) -> Option<Version> {
        let wait = Wait::new();
        loop {
            let word = self.word.load(Ordering::Acquire);
            if word & OBSOLETE != 0 {
                return None;
            }
            if word & LOCKED == 0 {
                return Some(Version(word));
            }
            wait.once();
        }
    }

    /// Whether nothing was changed since the version was read, so that all that was read since is one state.
    #[inline]
    pub(crate) fn holds(&self, version: Version) -> bool {
        fence(Ordering::Acquire);
        self.word.load(Ordering::Relaxed) == version.0
    }

    /// Takes the lock if nothing was changed since the version was read. Never waits.
    #[inline]
    pub(crate) fn upgrade(&self, version: Version) -> bool {
        let taken = self
            .word
            .compare_exchange(version.0, version.0 | LOCKED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok();
        fence(Ordering::Release);
        taken
    }

    /// Takes the lock, waiting for it; `false`, without the lock, if the latch is obsolete.
    pub(crate) fn lock(&self) -> bool {
        let wait = Wait::new();
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if word & OBSOLETE != 0 {
                return false;
            }
            if word & LOCKED == 0 && self.upgrade(Version(word)) {
                return true;
            }
            wait.once();
        }
    }

    /// Whether somebody holds the lock at this moment.
    pub(crate) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) & LOCKED != 0
    }

    /// Gives the lock back after a change. Only its holder may call this.
    #[inline]
    pub(crate) fn unlock(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert!(word & LOCKED != 0, "unlocked without the lock");
        self.word.store((word & !LOCKED) + STEP, Ordering::Release);
    }

    /// Gives the lock back when nothing was changed; readers need not begin anew.
    #[inline]
    pub(crate) fn unlock_unchanged(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert!(word & LOCKED != 0, "unlocked without the lock");
        self.word.store(word & !LOCKED, Ordering::Release);
    }

    /// Gives the lock back and makes the latch obsolete for ever.
    #[inline]
    pub(crate) fn unlock_obsolete(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert!(word & LOCKED != 0, "unlocked without the lock");
        self.word.store(((word & !LOCKED) + STEP) | OBSOLETE, Ordering::Release);
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
