//! Point reads: down to the leaf without a latch.
//!
//! # Thread safety / Invariants
//! The range of keys that a node is responsible for never changes: whatever would change it makes new nodes and leaves the old
//! ones obsolete (`reshape`). So a node that was reached for a key, and is not obsolete when its version is taken,
//! is the one responsible, and only two checks a level are needed: the parent's version after the child's link was read,
//! before it is followed, and that the child is not obsolete. (Optimistic lock coupling: V. Leis, F. Scheibner, A. Kemper,
//! T. Neumann, *The ART of Practical Synchronization*, 2016, which checks the parent once more, since there ranges change in place.)
//! A read takes effect when the leaf's version is checked for the last time.

use super::BTree;
use super::link::Node;
use super::page::{Found, Page};
use crate::engine::GetBuffer;
use crate::memory::latch::Version;
use crate::memory::prefetch;
use crate::memory::words::{self, Word};
use crate::sync::Wait;
use crossbeam::epoch::Guard;

/// Lines at the front of a node that a search may look at.
const LEAF_LINES: usize = 8;
const BRANCH_LINES: usize = 4;
/// Look-ups that go down together.
const GROUP: usize = 16;

/// A node and the version under which it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit<'g> {
    pub(super) node: Node<'g>,
    pub(super) version: Version,
}

impl<'g> Visit<'g> {
    /// Begins to read a node; `None` if it is obsolete.
    #[inline]
    pub(super) fn of(node: Node<'g>) -> Option<Self> {
        Some(Self { node, version: node.latch().read()? })
    }

    /// Whether what was read is one state.
    #[inline]
    pub(super) fn holds(&self) -> bool {
        self.node.latch().holds(self.version)
    }
}

/// Asks for what a search in a node of this level looks at.
#[inline]
fn prefetch_front(node: Node<'_>, level: usize) {
    node.prefetch(if level == 0 { LEAF_LINES } else { BRANCH_LINES });
}

impl BTree {
    /// The leaf that `choose` leads to, a child of each branch at a time.
    #[inline]
    pub(super) fn leaf_by<'g>(&self, guard: &'g Guard, choose: impl Fn(&Page<'g>) -> usize) -> Visit<'g> {
        let wait = Wait::new();
        loop {
            if let Some(visit) = self.try_leaf_by(guard, &choose) {
                return visit;
            }
            wait.once();
        }
    }

    #[inline]
    fn try_leaf_by<'g>(&self, guard: &'g Guard, choose: &impl Fn(&Page<'g>) -> usize) -> Option<Visit<'g>> {
        let mut visit = Visit::of(self.root.node(guard))?;
        loop {
            let page = visit.node.page();
            if page.level() == 0 {
                return Some(visit);
            }
            let child = visit.node.child(&page, choose(&page), visit.version)?;
            prefetch_front(child, page.level() - 1);
            visit = Visit::of(child)?;
        }
    }

    /// The leaf responsible for a key.
    #[inline]
    pub(super) fn leaf_of<'g>(&self, guard: &'g Guard, key: &[u8]) -> Visit<'g> {
        self.leaf_by(guard, |page| page.child_of(key))
    }

    /// Replaces `value` by the value of a key; whether there is one.
    #[inline]
    pub(super) fn read(&self, guard: &Guard, key: &[u8], value: &mut Vec<u8>) -> bool {
        let wait = Wait::new();
        loop {
            value.clear();
            if let Some(found) = look_up(&self.leaf_of(guard, key), key, value) {
                return found;
            }
            wait.once();
        }
    }

    /// Reads keys in groups that go down level by level, so that their cache misses overlap.
    pub(super) fn read_many(&self, guard: &Guard, keys: &[&[u8]], values: &mut GetBuffer) {
        let mut value = Vec::new();
        for (group, keys) in keys.chunks(GROUP).enumerate() {
            let found = self.leaves_of(guard, keys);
            for (index, (key, leaf)) in keys.iter().zip(found).enumerate() {
                value.clear();
                let answer = leaf.and_then(|leaf| look_up(&leaf, key, &mut value));
                if answer.unwrap_or_else(|| self.read(guard, key, &mut value)) {
                    values.put(group * GROUP + index, &value);
                }
            }
        }
    }

    /// The leaves of up to [`GROUP`] keys, where no writer interfered, with their records on the way to the cache.
    fn leaves_of<'g>(&self, guard: &'g Guard, keys: &[&[u8]]) -> [Option<Visit<'g>>; GROUP] {
        let mut visits = [Visit::of(self.root.node(guard)); GROUP];
        loop {
            let mut descended = false;
            for (key, slot) in keys.iter().zip(&mut visits) {
                let Some(visit) = slot else { continue };
                let page = visit.node.page();
                if page.level() > 0 {
                    descended = true;
                    let child = visit.node.child(&page, page.child_of(key), visit.version);
                    if let Some(child) = child {
                        prefetch_front(child, page.level() - 1);
                    }
                    // The version of the child is taken in the next round, when its line has arrived.
                    *slot = child.map(|node| Visit { node, version: visit.version });
                }
            }
            if !descended {
                break;
            }
            for slot in visits.iter_mut().take(keys.len()) {
                *slot = slot.and_then(|visit| Visit::of(visit.node));
            }
        }
        for (key, visit) in keys.iter().zip(visits.iter().flatten()) {
            let page = visit.node.page();
            if let Ok(index) | Err(index) = page.locate(key) {
                prefetch::lines(page.record_pointer(index), 2);
            }
        }
        visits
    }
}

/// Appends the value of a key in a leaf; whether there is one, or `None` if the leaf changed.
#[inline]
fn look_up(leaf: &Visit<'_>, key: &[u8], value: &mut Vec<u8>) -> Option<bool> {
    let page = leaf.node.page();
    let Ok(index) = page.locate(key) else { return leaf.holds().then_some(false) };
    match page.value(&page.record(index))? {
        Found::Inline(words, len) => {
            copy(words, len, value)?;
            leaf.holds().then_some(true)
        }
        Found::Large(large) => large.append(leaf.node, leaf.version, value).map(|()| true),
    }
}

#[inline]
fn copy(words: &[Word], len: usize, value: &mut Vec<u8>) -> Option<()> {
    words::append(words, len, value)
}
