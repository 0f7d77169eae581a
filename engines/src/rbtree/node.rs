//! The arena of nodes: one vector, 32-bit links, a free list threaded through released nodes.
//!
//! Invariants: index 0 is [`NIL`], the black sentinel that stands for every missing child and for the parent of the
//! root (as in CLRS); it never holds a record, and its parent link is scratch space while a removal is under way.
//! Every other node either holds a record and is reachable from the root, or holds none and is on the free list.
#![expect(
    clippy::indexing_slicing,
    reason = "links are NIL or come from `take`, and the vector never gets shorter while a tree refers to it"
)]

use crate::record::Record;
use std::ops::{Index, IndexMut};

/// A node's index in the arena.
pub(super) type Link = u32;
/// The sentinel.
pub(super) const NIL: Link = 0;
/// The most records a tree holds: links leave one bit to the colour and one index to the sentinel.
pub(super) const MAX_RECORDS: usize = (1 << 31) - 1;

/// One of the two children, so that each rebalancing case is written once and its mirror image comes free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Left = 0,
    Right = 1,
}

impl Side {
    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// A node: 40 bytes, of which a search reads the head and the children.
#[derive(Debug)]
pub(super) struct Node {
    /// The key's head, see [`crate::head`].
    pub(super) head: u64,
    /// `None` in the sentinel and on the free list.
    pub(super) record: Option<Record>,
    children: [Link; 2],
    /// The parent's index and, in the lowest bit, whether the node is red. On the free list: the next free node.
    parent_and_colour: u32,
}

impl Node {
    /// The key; empty for a node without a record.
    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        self.record.as_ref().map_or(&[], Record::key)
    }

    #[inline]
    pub(super) const fn child(&self, side: Side) -> Link {
        self.children[side as usize]
    }

    #[inline]
    pub(super) const fn set_child(&mut self, side: Side, child: Link) {
        self.children[side as usize] = child;
    }

    #[inline]
    pub(super) const fn parent(&self) -> Link {
        self.parent_and_colour >> 1
    }

    #[inline]
    pub(super) const fn set_parent(&mut self, parent: Link) {
        self.parent_and_colour = parent << 1 | self.parent_and_colour & 1;
    }

    #[inline]
    pub(super) const fn is_red(&self) -> bool {
        self.parent_and_colour & 1 == 1
    }

    #[inline]
    pub(super) const fn set_red(&mut self, red: bool) {
        self.parent_and_colour = self.parent_and_colour & !1 | red as u32;
    }
}

/// The nodes.
#[derive(Debug)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    free: Link,
    free_len: usize,
}

impl Arena {
    /// An arena with room for so many records, holding the sentinel only.
    pub(super) fn with_capacity(records: usize) -> Self {
        let mut nodes = Vec::with_capacity(records + 1);
        nodes.push(Node { head: 0, record: None, children: [NIL; 2], parent_and_colour: 0 });
        Self { nodes, free: NIL, free_len: 0 }
    }

    /// A red node without links that holds the record: the last one freed, or a new one. The vector doubles when it
    /// is full, which moves every node: amortised O(1), but one insert in so many waits for it.
    pub(super) fn take(&mut self, head: u64, record: Record) -> Link {
        let node = Node { head, record: Some(record), children: [NIL; 2], parent_and_colour: 1 };
        if self.free == NIL {
            self.nodes.push(node);
            return (self.nodes.len() - 1) as Link;
        }
        let link = self.free;
        self.free = self[link].parent();
        self.free_len -= 1;
        self[link] = node;
        link
    }

    /// Puts a node on the free list and returns its record. The node is out of the tree already.
    pub(super) fn release(&mut self, link: Link) -> Option<Record> {
        let next = self.free;
        let node = &mut self[link];
        let record = node.record.take();
        node.children = [NIL; 2];
        node.parent_and_colour = next << 1;
        self.free = link;
        self.free_len += 1;
        record
    }

    /// The first free node; each one's parent link is the next, [`NIL`] ends the list.
    pub(super) const fn free(&self) -> Link {
        self.free
    }

    /// Number of nodes on the free list.
    pub(super) const fn free_len(&self) -> usize {
        self.free_len
    }

    /// Number of nodes, the sentinel and the free ones included.
    pub(super) const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Number of nodes there is memory for.
    pub(super) const fn capacity(&self) -> usize {
        self.nodes.capacity()
    }

    /// All nodes in no particular order, the sentinel and the free ones included.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.iter_mut()
    }
}

impl Index<Link> for Arena {
    type Output = Node;

    #[inline]
    fn index(&self, link: Link) -> &Node {
        &self.nodes[link as usize]
    }
}

impl IndexMut<Link> for Arena {
    #[inline]
    fn index_mut(&mut self, link: Link) -> &mut Node {
        &mut self.nodes[link as usize]
    }
}
