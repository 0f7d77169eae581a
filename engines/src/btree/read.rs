//! Point reads: down to the leaf without a latch.
//!
//! # Thread safety / Invariants
//! Optimistic lock coupling (V. Leis, F. Scheibner, A. Kemper, T. Neumann, *The ART of Practical Synchronization*, 2016). The
//! parent's version is checked after the link of the child was read, before it is followed; and once more after the
//! version of the child was taken: at that moment the child was responsible for the key, and while the child's
//! version holds it stays so, because its range of keys changes only under its latch. The root pointer is a parent that is
//! compared instead. A read takes effect when the leaf's version is checked for the last time.

use super::BTree;
use super::link::Node;
use super::page::{Found, Page};
use crate::engine::GetBuffer;
use crate::memory::latch::Version;
use crate::memory::prefetch;
use crate::memory::words;
use crate::sync::Wait;
use crossbeam::epoch::Guard;

/// Lines at the front of a node that a search may look at.
const LEAF_LINES: usize = 8;
const BRANCH_LINES: usize = 16;
/// What look-ups that go down together ask for: their misses overlap anyway, and what limits them is the number of lines.
const GROUP_LEAF_LINES: usize = 5;
const GROUP_BRANCH_LINES: usize = 9;
/// Lines that a record of usual length lies on.
const RECORD_LINES: usize = 3;
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

    /// Begins to read a node that this one leads to; `None` if it is obsolete, or this one has changed.
    #[inline]
    pub(super) fn go_to(&self, node: Node<'g>) -> Option<Self> {
        let visit = Self::of(node)?;
        self.holds().then_some(visit)
    }

    /// Begins to read the leaf behind this one, or the one before it; `None` as in [`Visit::go_to`].
    pub(super) fn go_to_neighbour(&self, node: Node<'g>, is_next: bool) -> Option<Self> {
        let visit = self.go_to(node)?;
        // A link can change without the version.
        let link = if is_next { self.node.next() } else { self.node.previous() };
        (link == Some(node)).then_some(visit)
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
        let mut visit = self.root_visit(guard)?;
        loop {
            let page = visit.node.page();
            if page.level() == 0 {
                return Some(visit);
            }
            let child = visit.node.child(&page, choose(&page), visit.version)?;
            prefetch_front(child, page.level() - 1);
            visit = visit.go_to(child)?;
        }
    }

    #[inline]
    fn root_visit<'g>(&self, guard: &'g Guard) -> Option<Visit<'g>> {
        let visit = Visit::of(self.root.node(guard))?;
        (self.root.node(guard) == visit.node).then_some(visit)
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
        let mut visits = [self.root_visit(guard); GROUP];
        let mut indexes = [0; GROUP];
        let mut children: [Option<Node<'g>>; GROUP] = [None; GROUP];
        loop {
            let mut descended = false;
            for ((key, visit), index) in keys.iter().zip(&visits).zip(&mut indexes) {
                let Some(visit) = visit else { continue };
                let page = visit.node.page();
                if page.level() > 0 {
                    descended = true;
                    *index = page.child_of(key);
                    prefetch::line(page.record_pointer(*index));
                }
            }
            if !descended {
                break;
            }
            // By now the lines of the first keys have arrived, here as below.
            for ((slot, index), child) in visits.iter_mut().zip(indexes).zip(&mut children) {
                *child = None;
                let Some(visit) = slot else { continue };
                let page = visit.node.page();
                if page.level() > 0 {
                    *child = visit.node.child(&page, index, visit.version);
                    match child {
                        Some(child) => {
                            child.prefetch_nearby(if page.level() == 1 {
                                GROUP_LEAF_LINES
                            } else {
                                GROUP_BRANCH_LINES
                            });
                        }
                        None => *slot = None,
                    }
                }
            }
            for (slot, child) in visits.iter_mut().zip(&children) {
                if let (Some(visit), Some(child)) = (*slot, child) {
                    *slot = visit.go_to(*child);
                }
            }
        }
        for (key, visit) in keys.iter().zip(&visits) {
            let Some(visit) = visit else { continue };
            let page = visit.node.page();
            // To compare the key would be to wait for the record.
            prefetch::lines(page.record_pointer(page.locate_head(key)), RECORD_LINES);
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
            words::append(words, len, value)?;
            leaf.holds().then_some(true)
        }
        Found::Large(large) => large.append(leaf.node, leaf.version, value).map(|()| true),
    }
}
