//! A node of the tree: three words, so that a comparison which the head decides and the step to a child touch one line.
//!
//! Layout: the two edges to the children, the head of the key (see [`crate::head`]), the address of the record. There is
//! no link to the parent, because writers keep the path they came by, and no colour of its own: the colour of a node is a
//! bit of the edge that leads to it, so that a writer learns the colour of an uncle or a sibling without touching it.
//!
//! Invariants
//! - A node that a thread could reach while it was pinned keeps record and key until that thread is unpinned; only
//!   [`Node::set_head`] changes the head, for all nodes at once, under the latch of the structure.
//! - Node [`NIL`] is the sentinel: its left edge leads to the root, and an edge to it leads nowhere.
//! - A node taken out of the tree is marked by [`Node::mark_gone`]; a free one has no record.
//!
//! Thread safety: every word is atomic. Only the holder of the writers' mutex stores; readers load at any time. An
//! edge is stored with release order and loaded with acquire order, so that who follows it finds the node whole.

use crate::memory::slab::Block;
use crate::memory::words::Word;
use crate::sync::Ordering;

/// A node's index in the arena.
pub(super) type Link = u32;
/// The sentinel.
pub(super) const NIL: Link = 0;
/// Where the root hangs.
pub(super) const ROOT: Slot = Slot { node: NIL, side: Side::Left };

const RED: u32 = 1 << 31;
/// Set in the record's word of a node that was taken out of the tree. Addresses of blocks are multiples of eight.
const GONE: u64 = 1;

/// One of the two children, so that each rebalancing case is written once and its mirror image comes free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Left = 0,
    Right = 1,
}

impl Side {
    #[inline]
    pub(super) const fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// Right if so, else left.
    #[inline]
    pub(super) const fn right_if(right: bool) -> Self {
        if right { Self::Right } else { Self::Left }
    }

    #[inline]
    const fn shift(self) -> u32 {
        self as u32 * 32
    }
}

/// A link to a child together with the child's colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Edge(u32);

impl Edge {
    /// Leads nowhere; black.
    pub(super) const NIL: Self = Self(NIL);

    /// To a red or black node.
    #[inline]
    pub(super) const fn new(link: Link, red: bool) -> Self {
        Self(link & !RED).coloured(red)
    }

    #[inline]
    pub(super) const fn link(self) -> Link {
        self.0 & !RED
    }

    #[inline]
    pub(super) const fn is_red(self) -> bool {
        self.0 & RED != 0
    }

    /// To another node of the same colour.
    #[inline]
    pub(super) const fn to(self, link: Link) -> Self {
        Self::new(link, self.is_red())
    }

    /// The same link in this colour.
    #[inline]
    pub(super) const fn coloured(self, red: bool) -> Self {
        if red { Self(self.0 | RED) } else { Self(self.0 & !RED) }
    }
}

/// A place that holds an edge: a side of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    pub(super) node: Link,
    pub(super) side: Side,
}

/// See the head of this file.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Node {
    edges: Word,
    head: Word,
    record: Word,
}

impl Node {
    /// Makes it a node without children. Nobody else can reach it yet.
    pub(super) fn fill(&self, head: u64, record: Block) {
        self.edges.store(0, Ordering::Relaxed);
        self.head.store(head, Ordering::Relaxed);
        self.record.store(record.address(), Ordering::Release);
    }

    /// The same, the node not being live until [`Node::set_record`].
    pub(super) fn fill_gone(&self, head: u64, record: Block) {
        self.edges.store(0, Ordering::Relaxed);
        self.head.store(head, Ordering::Relaxed);
        self.record.store(record.address() | GONE, Ordering::Release);
    }

    /// Makes it a copy of a node. Nobody else can reach it yet.
    pub(super) fn copy_from(&self, other: &Self) {
        self.edges.store(other.edges.load(Ordering::Acquire), Ordering::Relaxed);
        self.head.store(other.head(), Ordering::Relaxed);
        self.record.store(other.address(), Ordering::Release);
    }

    #[inline]
    pub(super) fn edge(&self, side: Side) -> Edge {
        Edge((self.edges.load(Ordering::Acquire) >> side.shift()) as u32)
    }

    #[inline]
    pub(super) fn set_edge(&self, side: Side, edge: Edge) {
        let others = self.edges.load(Ordering::Relaxed) & !(u64::from(u32::MAX) << side.shift());
        self.edges.store(others | u64::from(edge.0) << side.shift(), Ordering::Release);
    }

    /// Both edges at once. For a node that nobody else can reach yet, and for recolouring.
    #[inline]
    pub(super) fn set_edges(&self, left: Edge, right: Edge) {
        self.edges.store(u64::from(left.0) | u64::from(right.0) << 32, Ordering::Release);
    }

    #[inline]
    pub(super) fn head(&self) -> u64 {
        self.head.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_head(&self, head: u64) {
        self.head.store(head, Ordering::Relaxed);
    }

    /// The address of its record's block; 0 for a free node.
    #[inline]
    pub(super) fn address(&self) -> u64 {
        self.record.load(Ordering::Acquire) & !GONE
    }

    /// Whether it is in the tree.
    pub(super) fn is_live(&self) -> bool {
        let word = self.record.load(Ordering::Relaxed);
        word != 0 && word & GONE == 0
    }

    /// Puts another record with the same key in the place of this one.
    #[inline]
    pub(super) fn set_record(&self, record: Block) {
        self.record.store(record.address(), Ordering::Release);
    }

    /// Marks a node that was taken out of the tree. Readers on their way still find its record.
    pub(super) fn mark_gone(&self) {
        self.record.store(self.address() | GONE, Ordering::Release);
    }

    /// Makes it a free node, the first in a list.
    pub(super) fn set_free(&self, next: Link) {
        self.record.store(0, Ordering::Relaxed);
        self.edges.store(u64::from(next), Ordering::Relaxed);
    }

    /// The node behind a free one in the list.
    pub(super) fn next_free(&self) -> Link {
        self.edge(Side::Left).link()
    }
}
