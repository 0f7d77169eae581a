//! A branch: children, and the separators between them.
//!
//! # Thread safety / Invariants
//! Plain data behind its node's latch, but the children carry latches of their own. There is one child more than there are
//! separators; every key under child `i` is at least separator `i - 1` and less than separator `i`. Children are one
//! level lower; leaves are at level 0.
#![expect(
    clippy::indexing_slicing,
    reason = "a search gives 0 to the number of separators, and there is a child for each"
)]

use super::latch::Latch;
use super::limits::{CHILD_BYTES, Limits};
use super::node::Node;
use super::page::{Page, Value};
use super::records::{Moved, Records};

/// A child of a branch.
pub(super) type Child = Box<Latch<Node>>;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Branch {
    page: Page,
    children: Vec<Child>,
    level: u8,
}

impl Branch {
    /// A branch over one child, to which others are added.
    pub(super) fn new(level: u8, first: Child, limits: &Limits) -> Self {
        Self::from_parts(level, Page::new(limits.buffer_floor()), vec![first])
    }

    /// A branch of a page of separators and one child more.
    pub(super) const fn from_parts(level: u8, page: Page, children: Vec<Child>) -> Self {
        Self { page, children, level }
    }

    /// Its height over the leaves.
    #[inline]
    pub(super) const fn level(&self) -> u8 {
        self.level
    }

    /// The page of separators.
    pub(super) const fn page(&self) -> &Page {
        &self.page
    }

    /// Number of children.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// Bytes in use: separators and children.
    #[inline]
    pub(super) fn used(&self) -> usize {
        self.page.used() + self.children.len() * CHILD_BYTES
    }

    /// Which child the key belongs to.
    #[inline]
    pub(super) fn index_of(&self, key: &[u8]) -> usize {
        match self.page.search(key) {
            Ok(index) => index + 1,
            Err(index) => index,
        }
    }

    /// The child at `index`.
    #[inline]
    pub(super) fn child(&self, index: usize) -> &Latch<Node> {
        &self.children[index]
    }

    /// The child at `index`, for whoever holds this branch exclusively.
    pub(super) fn child_mut(&mut self, index: usize) -> &mut Node {
        self.children[index].get_mut()
    }

    /// The children at `index` and `index + 1`.
    pub(super) fn pair_mut(&mut self, index: usize) -> Option<(&mut Node, &mut Node)> {
        let (left, right) = self.children.split_at_mut_checked(index + 1)?;
        Some((left.last_mut()?.get_mut(), right.first_mut()?.get_mut()))
    }

    /// The separator between the children at `index` and `index + 1`.
    pub(super) fn separator(&self, index: usize) -> Vec<u8> {
        self.page.key(index)
    }

    /// Writes that separator to `into` instead of allocating.
    pub(super) fn copy_separator(&self, index: usize, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(self.page.prefix());
        into.extend_from_slice(self.page.suffix(index));
    }

    /// Adds a child to the right of the one at `index`.
    pub(super) fn insert(&mut self, index: usize, separator: &[u8], right: Child, limits: &Limits) {
        self.page.insert(index, separator, Value::Inline(&[]), limits.buffer_floor());
        self.page.lengthen_prefix(limits.buffer_floor());
        self.children.insert(index + 1, right);
    }

    /// Changes the separator between the children at `index` and `index + 1`.
    pub(super) fn set_separator(&mut self, index: usize, separator: &[u8], limits: &Limits) {
        self.page.remove(index);
        self.page.insert(index, separator, Value::Inline(&[]), limits.buffer_floor());
    }

    /// Removes the child at `index + 1` and the separator before it.
    pub(super) fn remove_right(&mut self, index: usize, limits: &Limits) -> Child {
        self.page.remove(index);
        self.page.trim(limits.buffer_floor());
        self.children.remove(index + 1)
    }

    /// Moves all separators and children out.
    pub(super) fn drain_into(&mut self, records: &mut Records, children: &mut Vec<Child>) {
        for index in 0..self.page.len() {
            records.push(self.page.prefix(), self.page.suffix(index), Moved::Inline(&[]));
        }
        children.append(&mut self.children);
    }

    /// The only child, if there is just one.
    pub(super) fn take_only_child(&mut self) -> Option<Child> {
        if self.children.len() == 1 { self.children.pop() } else { None }
    }

    /// Whether a node below can be split without this branch being split.
    #[inline]
    pub(super) fn absorbs_split(&self, limits: &Limits) -> bool {
        limits.absorbs_split(self.len(), self.used())
    }

    /// Whether two nodes below can be merged without this branch being joined with a neighbour.
    #[inline]
    pub(super) fn absorbs_merge(&self, limits: &Limits) -> bool {
        limits.absorbs_merge(self.len(), self.used())
    }

    /// Bytes of memory outside of the node itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.page.capacity() + self.children.capacity() * CHILD_BYTES
    }
}
