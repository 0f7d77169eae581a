//! Changes of the tree's shape: split, merge, redistribution, at every level.
//!
//! The entries of one node, or of two neighbours under one parent, are written anew to as many nodes as they need: the old ones
//! first, then new ones; old ones that are left over become obsolete and are retired. A parent changes in place
//! if the new separators fit, and is regrouped in the same way otherwise. A full node first shares with a neighbour that has
//! room (the B*-tree; D. Knuth, *The Art of Computer Programming* 3, 6.2.4), so that nodes stay fuller than splitting alone
//! leaves them; inserts at either end of the tree leave full nodes behind.
//!
//! # Thread safety / Invariants
//! - One mutex is held throughout ([`Structure`]): only its holder changes branches, links and the root, so that it reads
//!   these plainly, and only its holder waits for a latch while it holds another one. Writers within a leaf hold one latch
//!   and wait for nothing, so no cycle of waiting threads can exist.
//! - A node is latched before its range of keys changes, and until the parent, the root and the links of its
//!   neighbours say so. Readers and writers take the version of a node they were led to, and then make sure that what led them
//!   there still does (`read`, `scan`): so they never search a node for a key that has left it.
//! - A node that is retired is led to by nothing any more.

use super::BTree;
use super::items::{Edit, Items, Sizes};
use super::limits::Bias;
use super::link::Node;
use super::page::{Page, Value, common_prefix, heap_words};
use super::write::{Write, copy_of};
use crossbeam::epoch::Guard;
use parking_lot::MutexGuard;
use std::ops::Range;

/// The right to change the shape of the tree.
#[derive(Debug)]
pub(super) struct Structure<'t> {
    _mutex: MutexGuard<'t, ()>,
}

impl BTree {
    /// Waits for the right to change the tree's shape. Under no latch, and pinned.
    pub(super) fn structure(&self) -> Structure<'_> {
        Structure { _mutex: self.shape.lock() }
    }
}

/// Applies a write that its leaf had no room for; whether the key was there, or `None` if nothing had to be done.
#[cold]
pub(super) fn write(
    tree: &BTree,
    guard: &Guard,
    write: &Write<'_>,
    value: Option<Value<'_>>,
) -> Option<bool> {
    let mut reshape = Reshape::new(tree, guard);
    let leaf = reshape.descend(write.key);
    leaf.latch().lock();
    let page = leaf.page();
    let at = page.locate(write.key);
    if at.is_err() && write.only_present {
        leaf.latch().unlock_unchanged();
        return None;
    }
    let edit = Edit { at, key: write.key, value };
    if let Some(applied) = tree.apply(leaf, &edit) {
        leaf.latch().unlock();
        drop(reshape);
        tree.drop_value(guard, &applied);
        return Some(at.is_ok());
    }
    reshape.grows = at.is_ok();
    reshape.bias = match at {
        Err(index) if index == page.len() && leaf.next().is_none() => Bias::Back,
        Err(0) if leaf.previous().is_none() => Bias::Front,
        _ => Bias::Even,
    };
    let dropped = at.ok().and_then(|index| match page.value(&page.record(index)) {
        Some(super::page::Found::Large(large)) => Some(large),
        _ => None,
    });
    if !reshape.moved(leaf, &edit) {
        let copy = copy_of(leaf);
        reshape.regroup(leaf, Items::edited(&Page::of(&copy), &edit));
    }
    drop(reshape);
    if let Some(large) = dropped {
        large.retire(&tree.slab, guard);
    }
    Some(at.is_ok())
}

/// Joins the leaf of a key with a neighbour, if it is too empty.
#[cold]
pub(super) fn rebalance(tree: &BTree, guard: &Guard, key: &[u8]) {
    let mut reshape = Reshape::new(tree, guard);
    let leaf = reshape.descend(key);
    if reshape.path.is_empty() {
        return;
    }
    leaf.latch().lock();
    if tree.is_sparse(leaf) {
        let copy = copy_of(leaf);
        let page = Page::of(&copy);
        let mut items = Items::with_capacity(page.len());
        items.push_page(&page, 0..page.len());
        reshape.regroup(leaf, items);
    } else {
        leaf.latch().unlock_unchanged();
    }
}

/// A new node and the key that separates it from the one before.
#[derive(Debug)]
pub(super) struct Piece<'g> {
    pub(super) separator: Vec<u8>,
    pub(super) node: Node<'g>,
}

/// The shortest key above `left` and not above `right`.
pub(super) fn shortest_between<'k>(left: &[u8], right: &'k [u8]) -> &'k [u8] {
    right.get(..=common_prefix(left, right)).unwrap_or(right)
}

/// A branch on the way down, and which child was taken.
#[derive(Clone, Copy, Debug)]
struct Step<'g> {
    branch: Node<'g>,
    index: usize,
}

/// A change of shape under way.
pub(super) struct Reshape<'t, 'g> {
    pub(super) tree: &'t BTree,
    pub(super) guard: &'g Guard,
    structure: Structure<'t>,
    path: Vec<Step<'g>>,
    bias: Bias,
    /// A record gets longer.
    grows: bool,
}

impl<'t, 'g> Reshape<'t, 'g> {
    fn new(tree: &'t BTree, guard: &'g Guard) -> Self {
        Self { tree, guard, structure: tree.structure(), path: Vec::new(), bias: Bias::Even, grows: false }
    }

    /// The leaf of a key; the way to it is kept.
    fn descend(&mut self, key: &[u8]) -> Node<'g> {
        let mut node = self.tree.root.node(self.guard);
        loop {
            let index = node.page().child_of(key);
            if node.page().level() == 0 {
                return node;
            }
            let Some(child) = node.child_fixed(index, &self.structure) else { return node };
            self.path.push(Step { branch: node, index });
            node = child;
        }
    }

    /// Gives a latched node its new entries, or spreads them over as many nodes as they need, with a neighbour's help where
    /// that serves. The path leads to the node's parent, and the entries do not lie in the node.
    fn regroup(&mut self, node: Node<'g>, items: Items<'_>) {
        let level = node.page().level();
        let count = items.len();
        let limits = &self.tree.limits;
        let sizes = items.sizes(level, limits);
        let words = sizes.words(&(0..count));
        let counters = &self.tree.counters;
        let too_full = !limits.fits_with_room(level, count, words);
        let too_empty = !too_full && limits.is_underfull(level, count, words);
        let grows = self.grows;
        let suits = |page: &Page<'_>| {
            too_empty || limits.shares(level, count + page.len(), words + page.used_words(), grows)
        };
        let at = self.path.last().map_or(0, |step| step.index);
        if (too_empty || (too_full && self.bias == Bias::Even))
            && let Some((sibling, is_right)) = self.neighbour(suits)
        {
            let copy = copy_of(sibling);
            let joined = self.join(&items, &Page::of(&copy), is_right);
            let all = 0..joined.len();
            let sizes = joined.sizes(level, limits);
            let words = sizes.words(&all);
            let one =
                too_empty && limits.merges(level, all.len(), words) && limits.fits(level, all.len(), words);
            let parts = if one { vec![all] } else { self.in_two(level, &joined, &sizes, Bias::Even) };
            if parts.len() <= 2 {
                if one {
                    counters.count_merge()
                } else {
                    counters.count_borrow()
                }
                let (at, old) = if is_right { (at, [node, sibling]) } else { (at - 1, [sibling, node]) };
                self.exchange(level, at, &old, &joined, &parts);
                return;
            }
            sibling.latch().unlock_unchanged();
        }
        let parts = if too_full && count > 1 {
            counters.count_split();
            self.in_two(level, &items, &sizes, self.bias)
        } else {
            std::iter::once(0..count).collect()
        };
        self.exchange(level, at, &[node], &items, &parts);
    }

    /// The neighbour under the same parent that suits best, latched, and whether it is the right one.
    pub(super) fn neighbour(&self, suits: impl Fn(&Page<'g>) -> bool) -> Option<(Node<'g>, bool)> {
        let step = self.path.last()?;
        let sibling = |index: usize| {
            let found = (index < step.branch.page().len())
                .then(|| step.branch.child_fixed(index, &self.structure))?;
            found.filter(|node| suits(&node.page()))
        };
        let right = sibling(step.index + 1);
        let left = step.index.checked_sub(1).and_then(sibling);
        // The emptier one: it has most room, and is the one to merge with.
        let used = |node: &Option<Node<'g>>| node.map_or(usize::MAX, |node| node.page().used_words());
        let is_right = used(&right) <= used(&left);
        let sibling = if is_right { right? } else { left? };
        sibling.latch().lock();
        if suits(&sibling.page()) {
            return Some((sibling, is_right));
        }
        sibling.latch().unlock_unchanged();
        None
    }

    /// The entries of a node and of its neighbour. Where two branches meet, the separator between them comes down to the
    /// first child of the right one.
    fn join<'i>(&self, items: &Items<'i>, page: &Page<'i>, is_right: bool) -> Items<'i> {
        let separator = self.path.last().filter(|_| page.level() > 0).map(|step| {
            let index = step.index + usize::from(is_right);
            step.branch.page().key(index)
        });
        let mut others = Items::with_capacity(page.len() + items.len());
        others.push_page(page, 0..page.len());
        if is_right {
            let mut joined = items.clone();
            joined.append(&others, separator.as_deref());
            joined
        } else {
            others.append(items, separator.as_deref());
            others
        }
    }

    /// Cuts entries in two, or, if a half would be too full because it loses a long prefix, into as many parts as it takes.
    fn in_two(&self, level: usize, items: &Items<'_>, sizes: &Sizes, bias: Bias) -> Vec<Range<usize>> {
        let limits = &self.tree.limits;
        let count = items.len();
        let cut = limits.cut(level, &(0..count), sizes, bias);
        let halves = vec![0..cut, cut..count];
        if halves.iter().all(|half| items.fits(level, half, sizes, limits)) {
            halves
        } else {
            packed(self.tree, level, items)
        }
    }

    /// Writes entries to the old nodes, which are latched, and to new ones, and makes the tree lead to these.
    fn exchange(
        &mut self,
        level: usize,
        at: usize,
        old: &[Node<'g>],
        items: &Items<'_>,
        parts: &[Range<usize>],
    ) {
        let tree = self.tree;
        // One node for one is a change of the block's size.
        let reused = |index: usize, part: &Range<usize>| {
            let node = *old.get(index).filter(|_| old.len() + parts.len() > 2)?;
            items.suit(level, part, node, &tree.limits).then_some(node)
        };
        let piece = |(index, part): (usize, &Range<usize>)| {
            let node = reused(index, part);
            if let Some(node) = node {
                items.write(level, part.clone(), node);
            }
            let node =
                node.unwrap_or_else(|| items.node(level, part.clone(), &tree.limits, &tree.slab, self.guard));
            Piece { separator: separator(level, items, part), node }
        };
        let pieces: Vec<Piece<'g>> = parts.iter().enumerate().map(piece).collect();
        let stays = |node: &Node<'g>, pieces: &[Piece<'g>]| pieces.iter().any(|piece| piece.node == *node);
        let staying: Vec<bool> = old.iter().map(|node| stays(node, &pieces)).collect();
        if level == 0 {
            self.link(old, &pieces);
        }
        self.replace(level + 1, at, old.len(), pieces);
        for (node, stays) in old.iter().zip(staying) {
            if stays {
                node.latch().unlock();
            } else {
                node.retire(&tree.slab, self.guard);
            }
        }
    }

    /// Whether a record gets longer.
    pub(super) const fn grows(&self) -> bool {
        self.grows
    }

    /// Where the next entries are expected.
    pub(super) const fn bias(&self) -> Bias {
        self.bias
    }

    /// Makes neighbours and branches lead to leaves instead of others.
    pub(super) fn lead_to(&mut self, old: &[Node<'g>], pieces: Vec<Piece<'g>>) {
        let (leaf, left) = (self.path.last().map_or(0, |step| step.index), old.first());
        // The path leads to the leaf that the write belongs to, which may be the right one of two.
        let child = self.path.last().and_then(|step| step.branch.child_fixed(leaf, &self.structure));
        let at = if left.copied() == child { leaf } else { leaf.saturating_sub(1) };
        self.link(old, &pieces);
        self.replace(1, at, old.len(), pieces);
    }

    /// Puts leaves between the neighbours of those whose place they take.
    fn link(&self, old: &[Node<'g>], new: &[Piece<'g>]) {
        let before = old.first().and_then(|node| node.previous());
        let behind = old.last().and_then(|node| node.next());
        chain(new, before, behind);
        if let (Some(before), Some(first)) = (before, new.first()) {
            before.set_next(Some(first.node));
        }
        if let (Some(behind), Some(last)) = (behind, new.last()) {
            behind.set_previous(Some(last.node));
        }
    }

    /// Puts new nodes in the place of `old` children, from `at` on, of the branch that the path ends with.
    fn replace(&mut self, level: usize, at: usize, old: usize, pieces: Vec<Piece<'g>>) {
        let tree = self.tree;
        let Some(Step { branch, .. }) = self.path.pop() else {
            let root = rooted(tree, self.guard, level, pieces);
            tree.root.set(root, &self.structure);
            return;
        };
        let page = branch.page();
        let count = page.len() - old + pieces.len();
        branch.latch().lock();
        if let ([only], 1, true) = (pieces.as_slice(), count, self.path.is_empty()) {
            tree.root.set(only.node, &self.structure);
            branch.retire(&tree.slab, self.guard);
            return;
        }
        if self.edited_in_place(branch, at, old, &pieces) {
            if self.path.is_empty() || !tree.limits.is_underfull(level, count, branch.page().used_words()) {
                branch.latch().unlock();
                return;
            }
            let copy = copy_of(branch);
            let page = Page::of(&copy);
            let mut items = Items::with_capacity(count);
            items.push_page(&page, 0..page.len());
            self.regroup(branch, items);
            return;
        }
        let copy = copy_of(branch);
        let page = Page::of(&copy);
        let mut items = Items::with_capacity(count);
        items.push_page(&page, 0..at);
        for (index, piece) in pieces.iter().enumerate() {
            let separator = if index == 0 { page.key(at) } else { piece.separator.clone() };
            items.push(&separator, Value::Child(piece.node.link()));
        }
        items.push_page(&page, at + old..page.len());
        let words = items.words(level, 0..count);
        let stays = tree.limits.fits_with_room(level, count, words) && items.fit(level, branch);
        if stays && (self.path.is_empty() || !tree.limits.is_underfull(level, count, words)) {
            items.write(level, 0..count, branch);
            branch.latch().unlock();
        } else {
            self.regroup(branch, items);
        }
    }

    /// Changes separators and children of a latched branch, if there is room and the prefix allows it.
    fn edited_in_place(&self, branch: Node<'g>, at: usize, old: usize, pieces: &[Piece<'g>]) -> bool {
        let page = branch.page();
        let Some((first, added)) = pieces.split_first() else { return false };
        let suffixes: Option<Vec<&[u8]>> = added.iter().map(|piece| page.suffix(&piece.separator)).collect();
        let Some(suffixes) = suffixes else { return false };
        let value = |piece: &Piece<'g>| Value::Child(piece.node.link());
        let needed: usize = added
            .iter()
            .zip(&suffixes)
            .map(|(piece, suffix)| heap_words(page.capacity(), suffix.len(), &value(piece)) + 2)
            .sum();
        let count = page.len() - old + pieces.len();
        if needed > page.free_words()
            || !self.tree.limits.fits(page.level(), count, page.used_words() + needed)
        {
            return false;
        }
        for _ in 1..old {
            branch.page().remove(at + 1);
        }
        let replaced = branch.page().replace(at, &value(first));
        debug_assert!(replaced, "a child is as long as a child");
        for (index, (piece, suffix)) in added.iter().zip(suffixes).enumerate() {
            let inserted = branch.page().insert(at + 1 + index, suffix, &value(piece));
            debug_assert!(inserted, "the room was checked");
        }
        true
    }
}

/// Names the neighbours of new leaves.
pub(super) fn chain<'g>(pieces: &[Piece<'g>], before: Option<Node<'g>>, behind: Option<Node<'g>>) {
    let mut last = before;
    for (index, piece) in pieces.iter().enumerate() {
        piece.node.set_previous(last);
        piece.node.set_next(pieces.get(index + 1).map(|next| next.node).or(behind));
        last = Some(piece.node);
    }
}

/// What separates a part of the entries from those before it.
fn separator(level: usize, items: &Items<'_>, part: &Range<usize>) -> Vec<u8> {
    let first = items.key(part.start);
    match part.start.checked_sub(1) {
        Some(last) if level == 0 => shortest_between(items.key(last), first).to_vec(),
        _ => first.to_vec(),
    }
}

/// New nodes of entries, one for each part.
pub(super) fn pieces<'g>(
    tree: &BTree,
    guard: &'g Guard,
    level: usize,
    items: &Items<'_>,
    parts: &[Range<usize>],
) -> Vec<Piece<'g>> {
    let piece = |part: &Range<usize>| {
        let node = items.node(level, part.clone(), &tree.limits, &tree.slab, guard);
        Piece { separator: separator(level, items, part), node }
    };
    parts.iter().map(piece).collect()
}

/// Cuts entries into nodes as full as they can be, the last two evenly if the last one would be too empty.
pub(super) fn packed(tree: &BTree, level: usize, items: &Items<'_>) -> Vec<Range<usize>> {
    let limits = &tree.limits;
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < items.len() {
        let end = items.full_node(level, start, limits);
        parts.push(start..end);
        start = end;
    }
    if let [.., before, last] = parts.as_mut_slice()
        && limits.is_underfull(level, last.len(), items.words(level, last.clone()))
    {
        let both = before.start..last.end;
        let sizes = items.sizes(level, limits);
        let cut = limits.cut(level, &both, &sizes, Bias::Even);
        let halves = [both.start..cut, cut..both.end];
        let enough = |part: &Range<usize>| part.len() >= limits.min_entries(level);
        if halves.iter().all(|half| enough(half) && items.fits(level, half, &sizes, limits)) {
            [*before, *last] = halves;
        } else if last.len() < limits.min_entries(level) {
            // Not one entry more than it takes: the last ones may be what breaks a long prefix.
            let cut = both.end.saturating_sub(limits.min_entries(level));
            if cut >= both.start + limits.min_entries(level) {
                [*before, *last] = [both.start..cut, cut..both.end];
            } else {
                *before = both;
                parts.pop();
            }
        }
    }
    parts
}

/// Branches over nodes until there is one.
pub(super) fn rooted<'g>(
    tree: &BTree,
    guard: &'g Guard,
    mut level: usize,
    mut nodes: Vec<Piece<'g>>,
) -> Node<'g> {
    loop {
        if let [only] = nodes.as_slice() {
            return only.node;
        }
        let mut items = Items::with_capacity(nodes.len());
        for piece in &nodes {
            items.push(&piece.separator, Value::Child(piece.node.link()));
        }
        let parts = packed(tree, level, &items);
        nodes = pieces(tree, guard, level, &items, &parts);
        level += 1;
    }
}
