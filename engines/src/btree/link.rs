//! Addresses of nodes and of large values, and how they become references.
//!
//! A [`Link`] is the address of a node with its size in one word, so that whoever follows it knows how many words it may look
//! at. A [`Large`] is the address and the length of a value that lies in a block of its own.
//!
//! # Thread safety / Invariants
//! 1. Links and larges are made here only, from blocks of the tree's slab, and written to the root, to the link words of nodes
//!    and, through [`super::page::Value`], as values of entries. A word read as one of them under a version that still
//!    held afterwards, or under the latch, is therefore one.
//! 2. A block is retired after the last word that leads to it from a reachable node was changed. So whoever was
//!    pinned when it followed a word of a node that was reachable since it pinned itself finds the block alive until it
//!    unpins: blocks that were already retired at the pinning were led to by no such word. This holds for the links of
//!    nodes that became obsolete meanwhile too, since what they name was alive when they were.
//! 3. A large value's block is not written once the tree can lead to it.
//!
//! A node is initialised before a release fence (the latch of its parent) or a release store (root, neighbours) publishes it,
//! and readers check the version, with an acquire fence, or load with acquire before they look into it.
#![expect(unsafe_code, reason = "addresses become references here and nowhere else in this engine")]

use super::page::{HEADER_WORDS, Page};
use crate::engine::MAX_VALUE_BYTES;
use crate::memory::latch::{Version, VersionLatch};
use crate::memory::prefetch;
use crate::memory::slab::{Block, Slab};
use crate::memory::words::{self, Word, words_for};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crossbeam::epoch::Guard;
use std::sync::Arc;

const ADDRESS_BITS: u32 = 48;
const MANTISSA_BITS: u32 = 10;
/// Nodes come from one stripe of the slab, so that few pages are half empty: the mutex of structure changes, under which
/// nodes are allocated, keeps writers from meeting there anyway.
const NODE_STRIPE: usize = 0;
const VALUE_STRIPE: usize = 1;
const NEXT: usize = 2;
const PREVIOUS: usize = 3;
/// Bits of a value's length.
const LARGE_LEN_MASK: u64 = (1 << 27) - 1;
const _: () = assert!(MAX_VALUE_BYTES as u64 <= LARGE_LEN_MASK);

/// Words of a node of at least so many, which a link can express: ten significant bits.
pub(super) fn expressible(words: usize) -> usize {
    let step = (words.max(1).ilog2() + 1).saturating_sub(MANTISSA_BITS);
    words.next_multiple_of(1 << step)
}

/// The address and size of a node in one word; zero is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Link(u64);

impl Link {
    const NONE: Self = Self(0);

    fn of(block: Block, words: usize) -> Self {
        let step = (words.ilog2() + 1).saturating_sub(MANTISSA_BITS);
        let size = (words as u64 >> step) | u64::from(step) << MANTISSA_BITS;
        Self(block.address() | size << ADDRESS_BITS)
    }

    /// As it is stored.
    pub(super) const fn raw(self) -> u64 {
        self.0
    }

    const fn words(self) -> usize {
        let size = self.0 >> ADDRESS_BITS;
        ((size & ((1 << MANTISSA_BITS) - 1)) << (size >> MANTISSA_BITS)) as usize
    }

    fn block(self) -> Option<Block> {
        Block::at(self.0 & ((1 << ADDRESS_BITS) - 1))
    }
}

/// A node. Copying it copies the reference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'g> {
    link: Link,
    header: &'g [Word; HEADER_WORDS],
    words: &'g [Word],
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.link == other.link
    }
}

impl<'g> Node<'g> {
    /// # Safety
    /// The link was made by [`Link::of`] and read as invariant 2 demands, by a thread that stays pinned for `'g`.
    #[inline]
    unsafe fn at(link: Link) -> Option<Self> {
        let block = link.block()?;
        // SAFETY: by the caller; the link tells how many words were allocated.
        let words = unsafe { block.words(link.words()) };
        Some(Self { link, header: words.first_chunk()?, words })
    }

    /// A node of at least so many words that nobody else knows; header and links are zero, the rest is to be built.
    #[expect(clippy::expect_used, reason = "a block's address is not zero, and the header fits it")]
    pub(super) fn allocate(slab: &Slab, words: usize, _guard: &'g Guard) -> Self {
        let words = expressible(words.max(HEADER_WORDS));
        let link = Link::of(slab.allocate(NODE_STRIPE, words), words);
        // SAFETY: the block is new, has so many words, and is retired, if ever, after the guard's pinning.
        let node = unsafe { Self::at(link) }.expect("a block has an address and a header");
        node.header.iter().for_each(|word| word.store(0, Relaxed));
        node
    }

    /// Its address and size.
    #[inline]
    pub(super) const fn link(self) -> Link {
        self.link
    }

    /// All of its words.
    #[inline]
    pub(super) const fn words(self) -> &'g [Word] {
        self.words
    }

    /// Its entries at this moment.
    #[inline]
    pub(super) fn page(self) -> Page<'g> {
        Page::of(self.words)
    }

    /// Its latch.
    #[inline]
    pub(super) fn latch(self) -> &'g VersionLatch {
        let [word, ..] = self.header;
        VersionLatch::of(word)
    }

    /// Asks for the first lines, which hold all that a search looks at.
    #[inline]
    pub(super) fn prefetch(self, lines: usize) {
        prefetch::lines(self.words.as_ptr(), lines);
    }

    /// The same, but into the second-level cache: for who looks at many other nodes before this one.
    #[inline]
    pub(super) fn prefetch_nearby(self, lines: usize) {
        prefetch::lines_nearby(self.words.as_ptr(), lines);
    }

    /// The child at `index`, of a branch that is read under `version`; `None` if that holds no longer.
    #[inline]
    pub(super) fn child(self, page: &Page<'g>, index: usize, version: Version) -> Option<Self> {
        let link = Link(page.child_word(index)?.load(Relaxed));
        if !self.latch().holds(version) {
            return None;
        }
        // SAFETY: the word was read as a branch's child, and the version says that it is one (invariants 1 and 2).
        unsafe { Self::at(link) }
    }

    /// The child at `index`, for whoever keeps branches from changing.
    pub(super) fn child_fixed(
        self,
        index: usize,
        _structure: &super::reshape::Structure<'_>,
    ) -> Option<Self> {
        let page = self.page();
        debug_assert!(page.level() > 0 && index < page.len(), "no such child");
        if page.level() == 0 || index >= page.len() {
            return None;
        }
        let link = Link(page.child_word(index)?.load(Relaxed));
        // SAFETY: branches change only under the structure's mutex, which the caller holds, so the word is a child.
        unsafe { Self::at(link) }
    }

    #[inline]
    fn neighbour(self, word: usize) -> Option<Self> {
        let link = Link(self.words.get(word)?.load(Acquire));
        // SAFETY: the words of links hold links only, at any time.
        unsafe { Self::at(link) }
    }

    /// The leaf behind this one.
    #[inline]
    pub(super) fn next(self) -> Option<Self> {
        self.neighbour(NEXT)
    }

    /// The leaf before this one.
    #[inline]
    pub(super) fn previous(self) -> Option<Self> {
        self.neighbour(PREVIOUS)
    }

    /// Names the leaf behind this one. Under the structure's mutex, or while nobody knows this one.
    pub(super) fn set_next(self, next: Option<Self>) {
        if let Some(word) = self.words.get(NEXT) {
            word.store(next.map_or(Link::NONE, Self::link).0, Release);
        }
    }

    /// Names the leaf before this one, likewise.
    pub(super) fn set_previous(self, previous: Option<Self>) {
        if let Some(word) = self.words.get(PREVIOUS) {
            word.store(previous.map_or(Link::NONE, Self::link).0, Release);
        }
    }

    /// Gives up a node that was latched by the caller and that no root, child or neighbour leads to any more: invariant 2.
    pub(super) fn retire(self, slab: &Arc<Slab>, guard: &Guard) {
        self.latch().unlock_obsolete();
        if let Some(block) = self.link.block() {
            // SAFETY: the node was allocated here and is led to by nothing; obsolete, it can be retired by nobody else.
            unsafe { slab.retire(guard, NODE_STRIPE, block, self.words.len()) };
        }
    }
}

/// A node that nothing leads to yet, kept by whoever made it without being pinned: until it is published nobody can retire it,
/// so it needs no guard to stay alive.
#[derive(Debug)]
pub(super) struct Unpublished(Link);

impl Unpublished {
    /// Keeps a node that was just allocated and that nothing leads to.
    pub(super) const fn of(node: Node<'_>) -> Self {
        Self(node.link)
    }

    /// The node, to be published, or to be retired, under this guard.
    #[expect(clippy::expect_used, reason = "the link of a node names a block")]
    pub(super) fn into_node(self, _guard: &Guard) -> Node<'_> {
        // SAFETY: nothing leads to the node, so it was not retired; once it can be, the guard is pinned already.
        unsafe { Node::at(self.0) }.expect("an allocated node")
    }
}

/// The word that leads to the root.
#[derive(Debug)]
pub(super) struct Root(Word);

impl Root {
    /// Of a tree that has this node only.
    pub(super) fn new(node: Node<'_>) -> Self {
        Self(Word::new(node.link.0))
    }

    /// The root of this moment.
    #[inline]
    #[expect(clippy::expect_used, reason = "there is always a root")]
    pub(super) fn node<'g>(&self, _guard: &'g Guard) -> Node<'g> {
        let link = Link(self.0.load(Acquire));
        // SAFETY: the word holds the link of a node that is the root, and the guard is pinned.
        unsafe { Node::at(link) }.expect("the root's link")
    }

    /// Makes a node the root.
    pub(super) fn set(&self, node: Node<'_>, _structure: &super::reshape::Structure<'_>) {
        self.0.store(node.link.0, Release);
    }
}

/// A value in a block of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Large {
    address: u64,
    len: u64,
}

impl Large {
    /// Copies a value to a block.
    pub(super) fn create(slab: &Slab, value: &[u8]) -> Self {
        let count = words_for(value.len());
        let block = slab.allocate(VALUE_STRIPE, count);
        // SAFETY: the block is new and has so many words.
        let stored = words::store(unsafe { block.words(count) }, value);
        debug_assert!(stored, "a block too small for its value");
        Self { address: block.address(), len: value.len() as u64 }
    }

    /// As it lies in a page.
    pub(super) const fn parts(self) -> [u64; 2] {
        [self.address, self.len]
    }

    /// As it was read from a page; perhaps torn, but never so long that a sum of lengths overflows.
    pub(super) const fn from_parts([address, len]: [u64; 2]) -> Self {
        Self { address, len: len & LARGE_LEN_MASK }
    }

    /// Bytes of the value.
    pub(super) const fn len(self) -> usize {
        self.len as usize
    }

    /// Appends the value, if the node it was read from is still as it was; `None` otherwise.
    pub(super) fn append(self, node: Node<'_>, version: Version, out: &mut Vec<u8>) -> Option<()> {
        if !node.latch().holds(version) {
            return None;
        }
        let block = Block::at(self.address)?;
        // SAFETY: the node's reference says that the caller is pinned, and its version that this is a value which the node
        // led to at that time (invariants 1 and 2).
        words::append(unsafe { block.words(words_for(self.len())) }, self.len(), out)
    }

    /// Takes back the block of a value that never got into the tree.
    pub(super) fn discard(self, slab: &Slab) {
        if let Some(block) = Block::at(self.address) {
            // SAFETY: it was made by `create`, and nothing leads to it.
            unsafe { slab.free(block, words_for(self.len())) };
        }
    }

    /// Gives up the block of a value that no page leads to any more: invariant 2.
    pub(super) fn retire(self, slab: &Arc<Slab>, guard: &Guard) {
        if let Some(block) = Block::at(self.address) {
            // SAFETY: the entry that led to it, the only one, was changed under its leaf's latch by the caller.
            unsafe { slab.retire(guard, VALUE_STRIPE, block, words_for(self.len())) };
        }
    }
}
