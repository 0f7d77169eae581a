//! Bulk load: full leaves from left to right, then full branches over them, level by level.
//!
//! # Thread safety / Invariants
//! The new tree is built aside, where nobody knows it, and put in place of the empty one at once. Records must come in
//! strictly ascending order; the first one that does not ends the build, and from there on (as for a tree that is not
//! empty) records are set one after the other. Nothing is pinned while the caller's records come, which may take long: finished
//! leaves are the builder's own, and stay alive without a guard.

use super::BTree;
use super::items::Items;
use super::link::{Node, Unpublished};
use super::page::Found;
use super::read::Visit;
use super::reshape::{Piece, chain, packed, pieces, rooted, shortest_between};
use super::write::Write;
use crate::memory::words;
use crossbeam::epoch::{self, Guard};

/// Records are cut into leaves when so many have come…
const BATCH_RECORDS: usize = 1 << 10;
/// …and so many bytes, so that most of them fill whole leaves.
const BATCH_BYTES: usize = 1 << 20;

/// A finished leaf and what separates it from the one before.
struct Leaf {
    separator: Vec<u8>,
    node: Unpublished,
}

/// Leaves as they fill.
pub(super) struct Builder<'t, 'r> {
    tree: &'t BTree,
    leaves: Vec<Leaf>,
    /// Records that are in no leaf yet.
    items: Items<'r>,
    bytes: usize,
    /// The greatest key in a leaf.
    last_key: Vec<u8>,
}

impl<'t, 'r> Builder<'t, 'r> {
    /// No leaves.
    pub(super) fn new(tree: &'t BTree) -> Self {
        let items = Items::with_capacity(BATCH_RECORDS);
        Self { tree, leaves: Vec::new(), items, bytes: 0, last_key: Vec::new() }
    }

    /// Whether a key is above all others.
    pub(super) fn is_ascending(&self, key: &[u8]) -> bool {
        match self.items.len().checked_sub(1) {
            Some(last) => self.items.key(last) < key,
            None => self.leaves.is_empty(),
        }
    }

    /// Adds a record behind the others.
    pub(super) fn push(&mut self, key: &[u8], value: &'r [u8]) {
        self.items.push(key, self.tree.placed(value));
        self.bytes += key.len() + value.len().min(self.tree.limits.inline_value_bytes());
        if self.items.len() >= BATCH_RECORDS && self.bytes >= BATCH_BYTES {
            self.cut(2);
        }
    }

    /// Makes leaves of the records but the last `kept` leaves full.
    fn cut(&mut self, kept: usize) {
        let parts = packed(self.tree, 0, &self.items);
        let Some(full) = parts.get(..parts.len().saturating_sub(kept)) else { return };
        let guard = epoch::pin();
        let mut new = pieces(self.tree, &guard, 0, &self.items, full);
        if let Some(first) = new.first_mut() {
            first.separator = shortest_between(&self.last_key, self.items.key(0)).to_vec();
        }
        let kept = |piece: Piece<'_>| Leaf { separator: piece.separator, node: Unpublished::of(piece.node) };
        self.leaves.extend(new.into_iter().map(kept));
        let Some(end) = full.last().map(|part| part.end) else { return };
        self.last_key = self.items.key(end - 1).to_vec();
        self.items = self.items.from(end);
        self.bytes = 0;
    }

    /// Ends the build: the tree in place of the empty one, or, if that is not empty any more, its records into it.
    pub(super) fn finish(mut self) {
        self.cut(0);
        if self.leaves.is_empty() {
            return;
        }
        let tree = self.tree;
        for leaf in published(tree, self.leaves).err().into_iter().flatten() {
            // Pinned for a leaf at a time, so that what is retired meanwhile can be freed.
            let guard = epoch::pin();
            let node = leaf.node.into_node(&guard);
            set_all(tree, &guard, node);
            node.latch().lock();
            node.retire(&tree.slab, &guard);
        }
    }
}

/// Puts the leaves, with branches over them, in the place of a tree that is empty; gives them back if it is not.
fn published(tree: &BTree, leaves: Vec<Leaf>) -> Result<(), Vec<Leaf>> {
    let guard = &epoch::pin();
    let structure = tree.structure();
    let root = tree.root.node(guard);
    root.latch().lock();
    if root.page().level() > 0 || root.page().len() > 0 {
        root.latch().unlock_unchanged();
        return Err(leaves);
    }
    let piece = |leaf: Leaf| Piece { separator: leaf.separator, node: leaf.node.into_node(guard) };
    let leaves: Vec<Piece<'_>> = leaves.into_iter().map(piece).collect();
    chain(&leaves, None, None);
    let built = rooted(tree, guard, 1, leaves);
    tree.root.set(built, &structure);
    root.retire(&tree.slab, guard);
    Ok(())
}

/// Sets the records of a leaf that nobody else knows, and takes back the blocks of its values.
fn set_all(tree: &BTree, guard: &Guard, leaf: Node<'_>) {
    let Some(Visit { node, version }) = Visit::of(leaf) else { return };
    let page = node.page();
    let mut value = Vec::new();
    for index in 0..page.len() {
        value.clear();
        let large = match page.value(&page.record(index)) {
            Some(Found::Inline(words, len)) => words::append(words, len, &mut value).and(None),
            Some(Found::Large(large)) => large.append(node, version, &mut value).and(Some(large)),
            None => None,
        };
        tree.write(guard, &Write::set(&page.key(index), &value));
        if let Some(large) = large {
            large.discard(&tree.slab);
        }
    }
}
