//! The tree: where a key's leaf is, and how leaves and branches are exchanged for new ones.
//!
//! A node tells its kind itself; a branch with one child is never built. Nodes change only as `leaf` and `branch` say, so a
//! change of the structure builds new nodes of frozen ones and takes one step to be seen: a compare-exchange of the cell, or of the
//! root, that leads to the old one.
//!
//! Invariants
//! - At any moment the nodes reachable from the root cover every key once. A node is built from frozen nodes only, and is
//!   linked only by a compare-exchange that finds the link to them unchanged and not frozen; so each is replaced once.
//! - Who replaced nodes retires them; who failed frees what it had built, which nobody ever saw.
//!
//! Progress: who finds a cell frozen builds the branch's successor itself, instead of waiting for who froze it. A thread begins
//! anew only because another one has succeeded. So look-ups never wait nor begin anew, and inserts are lock-free, but for the slab
//! below, whose latches are held for a few instructions.
//!
//! Linearizability of look-ups: a thread that came through a node which has been replaced meanwhile began before that. A leaf it
//! reaches so is either still current, or was, with the same entries, until a moment after the thread began.
//!
//! Thread safety: all of this; callers are pinned.

use super::branch::{BRANCH, BRANCH_MOST, Branch, Child};
use super::leaf::{FROZEN, LEAF_MOST, Leaf, address};
use super::pause::pause;
use super::reach::{Blocks, words};
use super::record::Record;
use crate::memory::prefetch;
use crate::memory::words::Word;
use crate::sync::{AtomicU64, Ordering};
use crossbeam::epoch::Guard;
use crossbeam::utils::CachePadded;
use std::ops::Bound;

/// Lines of a node that are asked for at once.
const NODE_LINES: usize = 4;

/// A node.
pub(super) enum Node<'g> {
    /// With children.
    Branch(Branch<'g>),
    /// With entries.
    Leaf(Leaf<'g>),
}

/// Looks at the node that a link leads to.
#[inline]
pub(super) fn node(address: u64, guard: &Guard) -> Node<'_> {
    let header = header(address, guard);
    let words = words(address, header as u32 as usize, guard);
    if header & BRANCH != 0 { Node::Branch(Branch::of(words)) } else { Node::Leaf(Leaf::of(words)) }
}

#[inline]
fn header(address: u64, guard: &Guard) -> u64 {
    words(address, 1, guard).first().map_or(0, |word| word.load(Ordering::Relaxed))
}

fn node_words(address: u64, guard: &Guard) -> usize {
    header(address, guard) as u32 as usize
}

/// A leaf on the way of a scan.
pub(super) struct Place<'g> {
    /// The leaf.
    pub(super) leaf: Leaf<'g>,
    /// Its address.
    pub(super) at: u64,
    /// Its keys are at least this.
    pub(super) low: Option<&'g [u8]>,
    /// Its keys are below this.
    pub(super) high: Option<&'g [u8]>,
}

/// Where a scan goes to.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// The leaf with the first keys.
    First,
    /// The leaf with the last keys.
    Last,
    /// The leaf of this key.
    Of(&'a [u8]),
    /// The leaf of the greatest keys below this one.
    Below(&'a [u8]),
}

/// A node that shall take a place, and the separator before it.
struct Piece {
    separator: Vec<u8>,
    address: u64,
    /// Whether it was built for this, and is to be freed if it does not get there.
    new: bool,
}

/// Branches from the root down, each with the child that was taken.
type Path = [(u64, usize)];

/// See the head of this file.
pub(super) struct Tree {
    nodes: Blocks,
    root: CachePadded<AtomicU64>,
}

impl Tree {
    /// A tree of one empty leaf.
    pub(super) fn new() -> Self {
        let nodes = Blocks::new();
        let root = Leaf::build(&nodes, 0, &[]).publish();
        Self { nodes, root: CachePadded::new(AtomicU64::new(root)) }
    }

    /// Where its nodes, and the descriptors of batches, come from.
    pub(super) const fn nodes(&self) -> &Blocks {
        &self.nodes
    }

    /// The root's address.
    #[inline]
    pub(super) fn root(&self) -> u64 {
        self.root.load(Ordering::Acquire)
    }

    /// The leaf of a key, and its address. O(log n).
    #[inline]
    pub(super) fn leaf<'g>(&self, key: &[u8], guard: &'g Guard) -> (u64, Leaf<'g>) {
        let mut at = self.root();
        loop {
            prefetch::lines(std::ptr::without_provenance::<Word>(at as usize), NODE_LINES);
            match node(at, guard) {
                Node::Leaf(leaf) => return (at, leaf),
                Node::Branch(branch) => at = branch.child(branch.search(key)),
            }
        }
    }

    /// The leaves of many keys, the misses on their ways overlapped.
    pub(super) fn leaves<'g, const N: usize>(
        &self,
        keys: &[&[u8]],
        guard: &'g Guard,
    ) -> [Option<Leaf<'g>>; N] {
        let mut leaves = [const { None }; N];
        let mut at = [self.root(); N];
        let mut under_way = true;
        while under_way {
            under_way = false;
            for ((key, at), leaf) in keys.iter().zip(&mut at).zip(&mut leaves) {
                if leaf.is_some() {
                    continue;
                }
                match node(*at, guard) {
                    Node::Leaf(found) => {
                        found.prefetch();
                        *leaf = Some(found);
                    }
                    Node::Branch(branch) => {
                        *at = branch.child(branch.search(key));
                        prefetch::lines(std::ptr::without_provenance::<Word>(*at as usize), NODE_LINES);
                        under_way = true;
                    }
                }
            }
        }
        leaves
    }

    /// A leaf with the bounds of its keys. O(log n).
    pub(super) fn place<'g>(&self, target: Target<'_>, guard: &'g Guard) -> Place<'g> {
        let (mut at, mut low, mut high) = (self.root(), None, None);
        loop {
            match node(at, guard) {
                Node::Leaf(leaf) => return Place { leaf, at, low, high },
                Node::Branch(branch) => {
                    let child = match target {
                        Target::First => 0,
                        Target::Last => branch.len().saturating_sub(1),
                        Target::Of(key) => branch.search(key),
                        Target::Below(key) => branch.search_below(key),
                    };
                    low = branch.separator(child).or(low);
                    high = branch.separator(child + 1).or(high);
                    at = branch.child(child);
                }
            }
        }
    }

    /// Builds the leaf of a key anew, if it is still the one at `stale`: without what is vacant, in two if it is too large,
    /// with its neighbour if it is small. Afterwards the caller looks its key up again.
    #[cold]
    pub(super) fn renew(&self, key: &[u8], stale: u64, stripe: usize, guard: &Guard) {
        let (mut path, mut at) = (Vec::new(), self.root());
        let leaf = loop {
            match node(at, guard) {
                Node::Leaf(leaf) => break leaf,
                Node::Branch(branch) => {
                    let child = branch.search(key);
                    path.push((at, child));
                    at = branch.child(child);
                }
            }
        };
        if at != stale {
            return;
        }
        leaf.freeze();
        pause();
        let all = |leaf: &Leaf<'_>, out: &mut Vec<u64>| {
            _ = leaf.ordered(Bound::Unbounded, Bound::Unbounded, usize::MAX, guard, out);
        };
        let mut entries = Vec::new();
        all(&leaf, &mut entries);
        let (mut old, mut from) = (vec![stale], path.last().map_or(0, |(_, child)| *child));
        if !entries.is_empty()
            && entries.len() < LEAF_MOST / 4
            && let Some((parent, child)) = path.last()
            && let Node::Branch(parent) = node(*parent, guard)
        {
            let beside = if child + 1 < parent.len() { child + 1 } else { child.saturating_sub(1) };
            let sibling_at = parent.child(beside);
            if sibling_at != stale
                && let Node::Leaf(sibling) = node(sibling_at, guard)
                && entries.len() + sibling.live() <= LEAF_MOST * 3 / 4
            {
                sibling.freeze();
                let mut others = Vec::new();
                all(&sibling, &mut others);
                if beside > *child {
                    entries.append(&mut others);
                    old.push(sibling_at);
                } else {
                    others.append(&mut entries);
                    entries = others;
                    old.insert(0, sibling_at);
                    from = beside;
                }
            }
        }
        pause();
        let pieces = self.leaves_of(&entries, stripe, guard);
        if self.install(&path, &old, from, &pieces, stripe, guard) {
            old.iter().for_each(|node| self.nodes.retire(stripe, *node, node_words(*node, guard), guard));
        } else {
            self.discard(&pieces, stripe, guard);
        }
    }

    /// After an exchange of an entry has failed: if that is because the leaf is frozen, builds it anew.
    pub(super) fn renew_if_frozen(&self, entry: &Word, key: &[u8], stale: u64, stripe: usize, guard: &Guard) {
        if entry.load(Ordering::Acquire) & FROZEN != 0 {
            self.renew(key, stale, stripe, guard);
        }
    }

    /// New leaves of these entries: none, one or as many as they need.
    fn leaves_of(&self, entries: &[u64], stripe: usize, guard: &Guard) -> Vec<Piece> {
        let keyed: Vec<(u64, &[u8])> = entries
            .iter()
            .filter_map(|entry| Some((*entry, Record::at(address(*entry), guard)?.key())))
            .collect();
        let leaves = keyed.len().div_ceil(LEAF_MOST);
        let mut pieces = Vec::with_capacity(leaves);
        let mut last: &[u8] = &[];
        for part in keyed.chunks(keyed.len().div_ceil(leaves.max(1)).max(1)) {
            let first = part.first().map_or(&[][..], |(_, key)| *key);
            // The shortest that is above the last key of the leaf before, and not above the first of this one.
            let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
            let separator = first.get(..=common).unwrap_or(first).to_vec();
            last = part.last().map_or(last, |(_, key)| *key);
            pieces.push(Piece {
                separator,
                address: Leaf::build(&self.nodes, stripe, part).publish(),
                new: true,
            });
        }
        pieces
    }

    /// Puts pieces in the place of the nodes `old`, which are frozen, neighbours, and the children from `from` on of the last branch of
    /// the path. `false`, and nothing has changed, if they are there no more.
    fn install(
        &self,
        path: &Path,
        old: &[u64],
        from: usize,
        pieces: &[Piece],
        stripe: usize,
        guard: &Guard,
    ) -> bool {
        let Some(((parent_at, _), above)) = path.split_last() else {
            return self.install_root(old, pieces, stripe, guard);
        };
        let Node::Branch(parent) = node(*parent_at, guard) else { return false };
        if let ([one], [piece]) = (old, pieces)
            && let Some(cell) = parent.cell(from)
        {
            match cell.compare_exchange(*one, piece.address, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) if other != *one | FROZEN => return false,
                Err(_) => {}
            }
        }
        parent.freeze();
        if old.iter().zip(from..).any(|(node, child)| parent.child(child) != *node) {
            return false;
        }
        let before: Vec<Child<'_>> = parent.children().collect();
        let own = before.get(from).map_or(&[][..], |(separator, _)| *separator);
        let mut children: Vec<Child<'_>> = before.get(..from).unwrap_or_default().to_vec();
        // The first piece has the lower bound of what it replaces.
        let separators =
            std::iter::once(own).chain(pieces.iter().skip(1).map(|piece| piece.separator.as_slice()));
        children.extend(separators.zip(pieces.iter().map(|piece| piece.address)));
        children.extend_from_slice(before.get(from + old.len()..).unwrap_or_default());
        let made = self.branches_of(&children, stripe);
        pause();
        let child = above.last().map_or(0, |(_, child)| *child);
        let done = self.install(above, &[*parent_at], child, &made, stripe, guard);
        if done {
            self.nodes.retire(stripe, *parent_at, node_words(*parent_at, guard), guard);
        } else {
            self.discard(&made, stripe, guard);
        }
        done
    }

    fn install_root(&self, old: &[u64], pieces: &[Piece], stripe: usize, guard: &Guard) -> bool {
        let [old] = old else { return false };
        let made;
        let new = match pieces {
            [] => {
                let leaf = Leaf::build(&self.nodes, stripe, &[]).publish();
                made = vec![Piece { separator: Vec::new(), address: leaf, new: true }];
                leaf
            }
            [one] => {
                made = Vec::new();
                one.address
            }
            several => {
                let children: Vec<Child<'_>> =
                    several.iter().map(|piece| (piece.separator.as_slice(), piece.address)).collect();
                made = self.branches_of(&children, stripe);
                made.first().map_or(0, |piece| piece.address)
            }
        };
        let done = self.root.compare_exchange(*old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !done {
            self.discard(&made, stripe, guard);
        }
        done
    }

    /// New branches of these children: none, one, or two if they are too many; an only child stands for itself.
    fn branches_of(&self, children: &[Child<'_>], stripe: usize) -> Vec<Piece> {
        match children {
            [] => Vec::new(),
            [(separator, address)] => {
                vec![Piece { separator: separator.to_vec(), address: *address, new: false }]
            }
            several => {
                let parts = several.len().div_ceil(BRANCH_MOST);
                // Parts of two children at least: an only child would not need a branch.
                let part = |part: &[Child<'_>]| Piece {
                    separator: part.first().map_or(Vec::new(), |(separator, _)| separator.to_vec()),
                    address: Branch::build(&self.nodes, stripe, part).publish(),
                    new: true,
                };
                several.chunks(several.len().div_ceil(parts)).map(part).collect()
            }
        }
    }

    /// Frees what was built and not linked.
    fn discard(&self, pieces: &[Piece], stripe: usize, guard: &Guard) {
        for piece in pieces.iter().filter(|piece| piece.new) {
            // Nobody else knows of it; to let it wait like a node that was linked costs nothing here.
            self.nodes.retire(stripe, piece.address, node_words(piece.address, guard), guard);
        }
    }
}
