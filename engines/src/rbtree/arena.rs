//! The arena of nodes: chunks that never move, reached by 32-bit links through a table of chunks.
//!
//! A chunk is a huge page of nodes of 24 bytes. Only the first is smaller, so that a small tree costs little. A link is the
//! number of a chunk and, in its lowest 17 bits, that of a node in it; a third of these numbers is not used.
//!
//! Invariants
//! - The table is never changed: a longer or shorter one takes its place, and it is freed when every thread that was pinned has
//!   been unpinned (crossbeam's epochs). It owns its chunks together with the tables before and after it.
//! - Chunk 0 is in every table. All words of a chunk are initialised from the start, with zeros.
//! - A node is handed out once until it is released; it is released by a deferred function, when nobody who could
//!   reach it is pinned any more. A free node is in the list of its chunk.
//!
//! Thread safety: [`View`] is for everybody who is pinned; nodes are handed out and taken back under a mutex of the arena.
#![expect(unsafe_code, reason = "raw chunks of nodes, looked up through a table that the epoch protects")]

use super::node::{Link, NIL, Node};
use super::shortcuts::Shortcuts;
use crate::head::HeadMap;
use crate::memory::huge::{self, HUGE_PAGE_BYTES};
use crate::memory::prefetch::LINE_BYTES;
use crossbeam::epoch::{Atomic, Guard, Owned, unprotected};
use parking_lot::Mutex;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bits of a link that count the nodes of a chunk. Small under test, so that a test has many chunks.
const CHUNK_SHIFT: u32 = if cfg!(test) { 6 } else { 17 };
const CHUNK_MASK: Link = (1 << CHUNK_SHIFT) - 1;
/// Nodes of a chunk: what fits into a huge page, or two thirds of what the bits can count.
pub(super) const CHUNK_NODES: usize = if cfg!(test) { 42 } else { HUGE_PAGE_BYTES / size_of::<Node>() };
/// Nodes of the first chunk, the sentinel included.
const FIRST_NODES: usize = if cfg!(test) { 16 } else { 1 << 14 };
/// The most chunks: a link leaves one bit to the colour.
const CHUNKS_MOST: usize = 1 << (31 - CHUNK_SHIFT);
/// The most nodes there can be besides the sentinel.
pub(super) const MOST_NODES: usize = (CHUNKS_MOST - 1) * CHUNK_NODES + FIRST_NODES - 1;

const _: () = assert!(CHUNK_NODES <= 1 << CHUNK_SHIFT && FIRST_NODES <= CHUNK_NODES);

/// How many nodes the chunk of this index has.
const fn chunk_nodes(index: usize) -> usize {
    if index == 0 { FIRST_NODES } else { CHUNK_NODES }
}

fn chunk_layout(index: usize) -> Layout {
    let size = chunk_nodes(index) * size_of::<Node>();
    let large = index > 0 && !cfg!(test);
    let (size, align) = if large { (HUGE_PAGE_BYTES, HUGE_PAGE_BYTES) } else { (size, LINE_BYTES) };
    // The size is a constant far below the limit of a layout, and the alignment a power of two.
    Layout::from_size_align(size, align).unwrap_or(Layout::new::<Node>())
}

/// Memory of nodes.
struct Chunk {
    nodes: NonNull<Node>,
    index: usize,
}

// SAFETY: a chunk is memory of its own; all that is done with its nodes is atomic.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn new(index: usize) -> Arc<Self> {
        let layout = chunk_layout(index);
        // SAFETY: the layout has a size.
        let Some(nodes) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
        let chunk = Self { nodes: nodes.cast(), index };
        if index > 0 {
            huge::advise(chunk.nodes());
        }
        Arc::new(chunk)
    }

    fn nodes(&self) -> &[Node] {
        // SAFETY: so many nodes are ours and zeroed, which is a valid node; they are freed by `drop` only.
        unsafe { std::slice::from_raw_parts(self.nodes.as_ptr(), chunk_nodes(self.index)) }
    }

    fn start(&self) -> Start {
        Start { nodes: self.nodes, len: chunk_nodes(self.index) as u32 }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout, and nobody refers to it any more.
        unsafe { dealloc(self.nodes.as_ptr().cast(), chunk_layout(self.index)) };
    }
}

/// Where a chunk begins, and how many nodes it has.
#[derive(Clone, Copy)]
struct Start {
    nodes: NonNull<Node>,
    len: u32,
}

/// Where the chunks begin, and the map by which the heads of their nodes were made.
struct Table {
    starts: Vec<Start>,
    heads: Arc<HeadMap>,
    shortcuts: Option<Arc<Shortcuts>>,
    _chunks: Vec<Arc<Chunk>>,
}

// SAFETY: the pointers lead into chunks, which are Send and Sync and owned beside them.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    fn of(state: &State) -> Self {
        let chunks: Vec<_> = state.chunks.iter().map(|state| Arc::clone(&state.chunk)).collect();
        Self {
            starts: chunks.iter().map(|chunk| chunk.start()).collect(),
            heads: Arc::clone(&state.heads),
            shortcuts: state.shortcuts.clone(),
            _chunks: chunks,
        }
    }

    fn view(&self) -> View<'_> {
        View { starts: &self.starts, heads: &self.heads, shortcuts: self.shortcuts.as_deref() }
    }
}

/// The nodes as a pinned thread sees them.
#[derive(Clone, Copy)]
pub(super) struct View<'g> {
    starts: &'g [Start],
    heads: &'g HeadMap,
    shortcuts: Option<&'g Shortcuts>,
}

impl<'g> View<'g> {
    /// The table of shortcuts, unless there is none.
    #[inline]
    pub(super) fn shortcuts(&self) -> Option<&'g Shortcuts> {
        self.shortcuts
    }

    /// The map by which the heads of the nodes were made, or are being made.
    #[inline]
    pub(super) fn heads(&self) -> &'g HeadMap {
        self.heads
    }

    /// The node of a link; `None` if the link was made after the view.
    #[inline(always)]
    pub(super) fn node(&self, link: Link) -> Option<&'g Node> {
        let start = self.starts.get(link as usize >> CHUNK_SHIFT)?;
        let index = link & CHUNK_MASK;
        if index >= start.len {
            return None;
        }
        // SAFETY: the index is within the chunk, the table owns the chunk, and the table lives as long as the guard that the
        // view was made with. All words of a chunk are initialised.
        Some(unsafe { start.nodes.add(index as usize).as_ref() })
    }
}

/// What the arena knows of a chunk.
struct ChunkState {
    chunk: Arc<Chunk>,
    /// The first free node.
    free: Link,
    /// Nodes handed out and not released yet.
    used: u32,
    /// Nodes from here on were never handed out.
    touched: u32,
    /// Nodes that may be handed out.
    limit: u32,
}

impl ChunkState {
    fn new(index: usize) -> Self {
        let first = index == 0;
        Self {
            chunk: Chunk::new(index),
            free: NIL,
            // The sentinel is never released.
            used: u32::from(first),
            touched: u32::from(first),
            limit: chunk_nodes(index) as u32,
        }
    }

    fn node(&self, link: Link) -> Option<&Node> {
        self.chunk.nodes().get((link & CHUNK_MASK) as usize)
    }

    fn take(&mut self, index: usize) -> Option<Link> {
        if self.free != NIL {
            let link = self.free;
            self.free = self.node(link)?.next_free();
            self.used += 1;
            return Some(link);
        }
        if self.touched == self.limit {
            return None;
        }
        self.used += 1;
        self.touched += 1;
        Some((index as u32) << CHUNK_SHIFT | (self.touched - 1))
    }
}

struct State {
    chunks: Vec<ChunkState>,
    heads: Arc<HeadMap>,
    /// Whether there shall be shortcuts.
    short: bool,
    shortcuts: Option<Arc<Shortcuts>>,
    /// No chunk before this has a free node.
    lowest: usize,
    /// Chunks from this one on are being emptied and hand out nothing, unless the others are full.
    emptied: usize,
    /// Raised when all chunks are exchanged, so that releases of nodes of the old ones come to nothing.
    generation: u64,
}

impl State {
    fn new(heads: HeadMap, short: bool) -> Self {
        Self {
            chunks: vec![ChunkState::new(0)],
            heads: Arc::new(heads),
            short,
            shortcuts: None,
            lowest: 0,
            emptied: CHUNKS_MOST,
            generation: 0,
        }
    }

    /// Sees to it that there are three quarters as many shortcuts as nodes, rounded up to a power of two; none for a tree
    /// that fits into the first chunk, and thus into a cache.
    fn fit_shortcuts(&mut self) {
        let whole = (self.chunks.len() - 1) * CHUNK_NODES;
        let slots = if whole == 0 || !self.short { 0 } else { (whole * 3 / 4).next_power_of_two() };
        let there = self.shortcuts.as_ref().map_or(0, |shortcuts| shortcuts.len());
        if there < slots || there > 2 * slots {
            // The next table comes when there are a third more nodes than slots, whose links are half as many again.
            self.shortcuts = (slots > 0).then(|| Arc::new(Shortcuts::new(slots, 4 * slots)));
        }
    }

    fn used(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.used as usize).sum()
    }

    fn room(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.limit as usize).sum()
    }
}

/// A link, and how many the nodes' chunks have been exchanged before it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retired {
    link: Link,
    generation: u64,
}

/// Counts of nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// Handed out, the sentinel included.
    pub(super) used: usize,
    /// Released and free.
    pub(super) free: usize,
    /// Bytes of nodes touched and of shortcuts.
    pub(super) bytes: usize,
}

/// See the head of this file.
pub(super) struct Arena {
    table: Atomic<Table>,
    state: Mutex<State>,
}

impl Arena {
    /// An arena with the sentinel, with shortcuts or without.
    pub(super) fn new(short: bool) -> Self {
        let state = State::new(HeadMap::default(), short);
        Self { table: Atomic::new(Table::of(&state)), state: Mutex::new(state) }
    }

    /// Puts another map of heads in the place of the one there is. The caller makes the heads anew.
    pub(super) fn set_heads(&self, heads: HeadMap, guard: &Guard) {
        let mut state = self.state.lock();
        state.heads = Arc::new(heads);
        self.publish(&state, guard);
    }

    /// The nodes that there are now.
    #[inline]
    pub(super) fn view<'g>(&self, guard: &'g Guard) -> View<'g> {
        let table = self.table.load(Ordering::Acquire, guard);
        // SAFETY: the table is never null, and one that is exchanged is freed when `guard` is gone.
        unsafe { table.deref() }.view()
    }

    fn publish(&self, state: &State, guard: &Guard) {
        let old = self.table.swap(Owned::new(Table::of(state)), Ordering::AcqRel, guard);
        // SAFETY: nobody can reach the old table from the arena any more, and only who exchanged it retires it.
        unsafe { guard.defer_destroy(old) };
    }

    /// A node that nobody else knows of, from the lowest chunk with room. O(1) amortised. The caller has checked
    /// that there are fewer than [`MOST_NODES`]; `None` if there are not.
    pub(super) fn take(&self, guard: &Guard) -> Option<Link> {
        let mut state = self.state.lock();
        let State { chunks, lowest, emptied, .. } = &mut *state;
        while let Some(chunk) = chunks.get_mut(*lowest) {
            if *lowest >= *emptied {
                *emptied = CHUNKS_MOST;
            }
            if let Some(link) = chunk.take(*lowest) {
                return Some(link);
            }
            *lowest += 1;
        }
        if chunks.len() == CHUNKS_MOST {
            return None;
        }
        let mut chunk = ChunkState::new(chunks.len());
        let link = chunk.take(chunks.len());
        chunks.push(chunk);
        state.fit_shortcuts();
        self.publish(&state, guard);
        link
    }

    /// Notes a node that was taken out of the tree, to be released later.
    pub(super) fn retired(&self, link: Link) -> Retired {
        Retired { link, generation: self.state.lock().generation }
    }

    /// Takes nodes back that nobody can reach any more.
    pub(super) fn release(&self, nodes: &[Retired]) {
        let mut state = self.state.lock();
        let generation = state.generation;
        for retired in nodes.iter().filter(|retired| retired.generation == generation) {
            let index = retired.link as usize >> CHUNK_SHIFT;
            if let Some(chunk) = state.chunks.get_mut(index) {
                let next = chunk.free;
                if let Some(node) = chunk.node(retired.link) {
                    node.set_free(next);
                }
                chunk.free = retired.link;
                chunk.used -= 1;
            }
            state.lowest = state.lowest.min(index);
        }
    }

    /// Gives the last chunks back as long as they are unused and those before them have room for half a chunk.
    pub(super) fn trim(&self, guard: &Guard) {
        let mut state = self.state.lock();
        let before = state.chunks.len();
        while let [_, .., last] = state.chunks.as_slice()
            && last.used == 0
            && (state.room() - state.used() >= CHUNK_NODES + CHUNK_NODES / 2 || state.used() == 1)
        {
            state.chunks.pop();
        }
        if state.chunks.len() < before {
            state.lowest = state.lowest.min(state.chunks.len() - 1);
            state.fit_shortcuts();
            self.publish(&state, guard);
        }
    }

    /// The nodes that were ever handed out of the last chunk that is not being emptied, if those before it have room for
    /// all of them and a quarter of a chunk besides. From then on it is being emptied.
    pub(super) fn surplus(&self) -> Option<std::ops::Range<Link>> {
        let mut state = self.state.lock();
        let index = state.emptied.min(state.chunks.len()).checked_sub(1).filter(|index| *index > 0)?;
        let (before, rest) = state.chunks.split_at(index);
        let last = rest.first()?;
        let free_before: usize = before.iter().map(|chunk| (chunk.limit - chunk.used) as usize).sum();
        if free_before < last.used as usize + CHUNK_NODES / 4 {
            return None;
        }
        let start = (index << CHUNK_SHIFT) as Link;
        let nodes = start..start + last.touched;
        state.emptied = index;
        Some(nodes)
    }

    /// Whether the node lies before a link's chunk.
    pub(super) fn is_before(link: Link, start: Link) -> bool {
        link >> CHUNK_SHIFT < start >> CHUNK_SHIFT
    }

    /// How many nodes there are.
    pub(super) fn counts(&self) -> Counts {
        let state = self.state.lock();
        let used = state.used();
        let touched: usize = state.chunks.iter().map(|chunk| chunk.touched as usize).sum();
        let shortcuts = state.shortcuts.as_ref().map_or(0, |shortcuts| shortcuts.memory_bytes());
        Counts { used, free: touched - used, bytes: touched * size_of::<Node>() + shortcuts }
    }

    /// Shows every node that was ever handed out, the sentinel included, and whether it is in the list of free ones; no node is
    /// released meanwhile. A list that is longer than there are nodes is cut.
    pub(super) fn audit(&self, mut show: impl FnMut(Link, &Node, bool)) {
        let state = self.state.lock();
        for (index, chunk) in state.chunks.iter().enumerate() {
            let mut free = vec![false; chunk.touched as usize];
            let (mut link, mut left) = (chunk.free, chunk.touched);
            while link != NIL && left > 0 {
                if let Some(free) = free.get_mut((link & CHUNK_MASK) as usize) {
                    *free = true;
                }
                link = chunk.node(link).map_or(NIL, Node::next_free);
                left -= 1;
            }
            for (n, free) in free.into_iter().enumerate() {
                let link = (index << CHUNK_SHIFT | n) as Link;
                if let Some(node) = chunk.node(link) {
                    show(link, node, free);
                }
            }
        }
    }

    /// The link of the n-th node of an arena that was filled by [`Arena::exchange`].
    pub(super) const fn nth(n: usize) -> Link {
        let n = n + 1;
        if n < FIRST_NODES {
            return n as Link;
        }
        let n = n - FIRST_NODES;
        (((1 + n / CHUNK_NODES) << CHUNK_SHIFT) | (n % CHUNK_NODES)) as Link
    }

    /// New chunks of which `len` nodes are handed out, to be filled and then put in the place of all there are.
    pub(super) fn prepare(&self, len: usize, heads: HeadMap) -> Prepared {
        let mut state = State::new(heads, self.state.lock().short);
        let mut left = len;
        while let Some(chunk) = state.chunks.last_mut() {
            let taken = left.min((chunk.limit - chunk.touched) as usize) as u32;
            chunk.used += taken;
            chunk.touched += taken;
            left -= taken as usize;
            if left == 0 {
                break;
            }
            state.chunks.push(ChunkState::new(state.chunks.len()));
        }
        state.fit_shortcuts();
        let table = Table::of(&state);
        Prepared { state, table }
    }

    /// Exchanges all chunks for prepared ones. Releases of nodes of the old ones come to nothing from then on.
    pub(super) fn exchange(&self, prepared: Prepared, guard: &Guard) {
        let Prepared { state: mut new, table } = prepared;
        let mut state = self.state.lock();
        new.generation = state.generation + 1;
        *state = new;
        let old = self.table.swap(Owned::new(table), Ordering::AcqRel, guard);
        // SAFETY: as in `publish`.
        unsafe { guard.defer_destroy(old) };
    }
}

/// Chunks that nobody else can reach yet.
pub(super) struct Prepared {
    state: State,
    table: Table,
}

impl Prepared {
    /// The nodes, those of [`Arena::nth`] handed out.
    pub(super) fn view(&self) -> View<'_> {
        self.table.view()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: nobody else owns the arena any more, so nobody looks at the table; it is not null.
        unsafe {
            let table = self.table.load(Ordering::Relaxed, unprotected());
            drop(table.into_owned());
        }
    }
}
