//! Writes: what fits into the leaf is done under the leaf's latch alone.
//!
//! # Thread safety / Invariants
//! A writer comes down as a reader does and searches the leaf without the latch; then it turns the version that it read into the
//! lock, so that what it found still holds. It holds no other latch, waits for nothing while it holds this one, and takes
//! effect when it gives it back. What needs another shape of the tree is left to `reshape`, with no latch held meanwhile.

use super::BTree;
use super::items::{Edit, Items};
use super::link::{Large, Node};
use super::page::{Found, Page, Value, heap_words};
use super::reshape;
use crate::memory::words::Word;
use crate::sync::{Ordering::Relaxed, Wait};
use crossbeam::epoch::Guard;

/// What a write does to its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write<'a> {
    pub(super) key: &'a [u8],
    /// The new value, or none to delete.
    pub(super) value: Option<&'a [u8]>,
    /// Whether a key that is not there stays so.
    pub(super) only_present: bool,
}

impl<'a> Write<'a> {
    /// Insert or replace.
    pub(super) const fn set(key: &'a [u8], value: &'a [u8]) -> Self {
        Self { key, value: Some(value), only_present: false }
    }

    /// Replace if there.
    pub(super) const fn update(key: &'a [u8], value: &'a [u8]) -> Self {
        Self { key, value: Some(value), only_present: true }
    }

    /// Remove if there.
    pub(super) const fn delete(key: &'a [u8]) -> Self {
        Self { key, value: None, only_present: true }
    }
}

/// A change that was made under the latch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applied {
    /// The value in a block of its own that no entry leads to any more.
    pub(super) dropped: Option<Large>,
}

impl BTree {
    /// The value as it goes into a page; a long one is copied to a block of its own.
    pub(super) fn placed<'a>(&self, value: &'a [u8]) -> Value<'a> {
        if value.len() > self.limits.inline_value_bytes() {
            Value::Large(Large::create(&self.slab, value))
        } else {
            Value::Bytes(value)
        }
    }

    /// Applies a write; whether the key was there.
    pub(super) fn write(&self, guard: &Guard, write: &Write<'_>) -> bool {
        let value = write.value.map(|value| self.placed(value));
        let wait = Wait::new();
        loop {
            let leaf = self.leaf_of(guard, write.key);
            let at = leaf.node.page().locate(write.key);
            if at.is_err() && write.only_present {
                if leaf.holds() {
                    discard(self, value);
                    return false;
                }
            } else if leaf.node.latch().upgrade(leaf.version) {
                if let (Ok(index), Some(Value::Bytes(bytes))) = (at, value)
                    && leaf.node.page().overwrite(index, bytes)
                {
                    leaf.node.latch().unlock();
                    return true;
                }
                let edit = Edit { at, key: write.key, value };
                return match self.apply(leaf.node, &edit) {
                    Some(applied) => {
                        // An insert into a leaf that is too empty makes it fuller: at an end of the tree leaves begin so.
                        let sparse = at.is_ok() && self.is_sparse(leaf.node);
                        leaf.node.latch().unlock();
                        self.drop_value(guard, &applied);
                        if sparse && self.root.node(guard) != leaf.node {
                            reshape::rebalance(self, guard, write.key);
                        }
                        at.is_ok()
                    }
                    None => {
                        leaf.node.latch().unlock_unchanged();
                        let existed = reshape::write(self, guard, write, value);
                        if existed.is_none() {
                            discard(self, value);
                        }
                        existed.unwrap_or(false)
                    }
                };
            }
            wait.once();
        }
    }

    /// Whether a leaf should be joined with a neighbour.
    pub(super) fn is_sparse(&self, leaf: Node<'_>) -> bool {
        let page = leaf.page();
        self.limits.is_underfull(0, page.len(), page.used_words())
    }

    /// Retires the value that a change left behind. Under no latch.
    pub(super) fn drop_value(&self, guard: &Guard, applied: &Applied) {
        if let Some(large) = applied.dropped {
            large.retire(&self.slab, guard);
        }
    }

    /// Makes a change within a leaf whose latch is held. `None`, and nothing is changed, if the leaf has no room for it.
    #[inline]
    pub(super) fn apply(&self, leaf: Node<'_>, edit: &Edit<'_>) -> Option<Applied> {
        let page = leaf.page();
        let dropped = edit.at.ok().and_then(|index| large_at(&page, index));
        let done = match (edit.at, &edit.value) {
            (Ok(index), None) => {
                page.remove(index);
                true
            }
            (Ok(index), Some(value)) => page.replace(index, value),
            (Err(_), None) => true,
            (Err(index), Some(value)) => {
                if !self.limits.takes_entry(page.len()) {
                    return None;
                }
                page.suffix(edit.key).is_some_and(|suffix| page.insert(index, suffix, value))
            }
        };
        (done || rewritten(leaf, &page, edit)).then_some(Applied { dropped })
    }
}

/// Takes back the block of a value that is not needed.
fn discard(tree: &BTree, value: Option<Value<'_>>) {
    if let Some(Value::Large(large)) = value {
        large.discard(&tree.slab);
    }
}

fn large_at(page: &Page<'_>, index: usize) -> Option<Large> {
    match page.value(&page.record(index)) {
        Some(Found::Large(large)) => Some(large),
        _ => None,
    }
}

/// The words of a node, for the holder of its latch.
pub(super) fn copy_of(node: Node<'_>) -> Vec<Word> {
    node.words().iter().map(|word| Word::new(word.load(Relaxed))).collect()
}

/// Writes a leaf anew in place, without garbage and with the prefix that its keys have in common now. `false`, and
/// nothing is changed, if less than a sixteenth would be left free: then the next write would do the same.
#[cold]
fn rewritten(leaf: Node<'_>, page: &Page<'_>, edit: &Edit<'_>) -> bool {
    let usable = page.capacity() - page.capacity() / 16;
    let suffix_len = edit.key.len().saturating_sub(page.prefix_len());
    let added = edit.value.as_ref().map_or(0, |value| heap_words(page.capacity(), suffix_len, value));
    let gone = edit.at.ok().map_or(0, |index| page.entry_words(index));
    if page.used_words() + added + 2 > usable + gone {
        return false;
    }
    let copy = copy_of(leaf);
    let page = Page::of(&copy);
    if let (Some(suffix), Some(value)) = (page.suffix(edit.key), &edit.value) {
        // The prefix stays, so the other records can be moved as they are.
        let (Ok(at) | Err(at)) = edit.at;
        let behind = at + usize::from(edit.at.is_ok());
        Page::assemble(leaf.words(), [(page, 0..at), (page, behind..page.len())], page.prefix_len());
        let inserted = leaf.page().insert(at, suffix, value);
        debug_assert!(inserted, "the room was checked");
        return true;
    }
    let items = Items::edited(&page, edit);
    let fits = items.words(0, 0..items.len()) <= usable && items.fit(0, leaf);
    if fits {
        items.write(0, 0..items.len(), leaf);
    }
    fits
}
