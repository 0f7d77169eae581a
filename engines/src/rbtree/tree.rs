//! The red-black tree as readers know it, and what they share with writers.
//!
//! Guibas & Sedgewick, *A Dichromatic Framework for Balanced Trees* (1978).
//!
//! Invariants: in-order keys ascend strictly; the root is black; no red node has a red child; every path from a node
//! down to [`NIL`] passes the same number of black nodes. Together they keep the height below 2·log2(n + 1).
//!
//! Thread safety
//! - A reader is pinned, takes no latch and writes nothing shared. What it finds it may believe: a node's key never
//!   changes while the reader is pinned, and a record with the key looked for was in the tree when the walk began or later.
//! - That a key is *not* there it may believe only if the version of the *structure* latch is what it was when the walk
//!   began. Writers hold that latch while they do what can mislead a walk: rotate, take a node out, move one, make heads anew.
//!   To hang a new leaf into the tree or to recolour cannot mislead, and does not disturb readers.
//! - A shortcut ([`super::shortcuts`]) is believed after the same look at node and record, and if the node is in the tree
//!   and the record is not dead: then it was in the tree during the operation.
//! - After some attempts in vain a reader takes the writers' mutex, under which nothing changes but values.
//! - A walk ends whatever happens, because its steps are bounded.
//! - Values are replaced in place under the lock of their record ([`crate::memory::record`]), without the mutex.
//! - A batch holds the *batches* latch. An answer stands only if no batch began or ended while it was looked for, and a
//!   value is replaced in place only if, under the record's lock, none has begun since; who was disturbed begins anew, and
//!   after some attempts takes the mutex. So nobody sees a part of a batch, whenever it came.
//! - A node is *live* from when a place in the tree leads to it until it is taken out, and it is taken out before its record
//!   is retired. What a shortcut leads to is believed only if it is live.
//!
//! Order: pin, writers' mutex, batches, structure, record, arena or slab.

use super::arena::{Arena, View};
use super::node::{Link, NIL, Node, ROOT, Side};
use super::records::Records;
use super::shortcuts::Shortcuts;
use super::writer::Writer;
use crate::memory::latch::{Version, VersionLatch};
use crossbeam::epoch::{self, Guard};
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};
use std::cmp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// A walk is no longer than this: twice the height of the highest tree there can be.
const MOST_STEPS: usize = 128;
/// After so many attempts in vain a reader takes the writers' mutex.
pub(super) const ATTEMPTS: usize = 8;

/// The two latches, on a line of their own.
pub(super) struct Latches {
    /// Held while something changes that can mislead a walk.
    pub(super) structure: VersionLatch,
    /// Held while a batch is applied.
    pub(super) batches: VersionLatch,
}

/// See the head of this file.
pub(super) struct Tree {
    pub(super) latches: CachePadded<Latches>,
    pub(super) arena: Arc<Arena>,
    pub(super) records: Records,
    writer: Mutex<Writer>,
    /// Number of records. Stored under the mutex.
    pub(super) len: AtomicUsize,
    /// Key and value bytes, in parts that different threads change; only their sum means something.
    live_bytes: [CachePadded<AtomicI64>; 8],
}

/// Whether the caller holds the writers' mutex.
#[derive(Clone, Copy)]
pub(super) struct Mutexed(pub(super) bool);

/// What a reader begins with.
#[derive(Clone, Copy)]
pub(super) struct Look<'g> {
    pub(super) view: View<'g>,
    /// `None` under the writers' mutex, where all can be believed.
    version: Option<Version>,
}

/// Compares a key, whose head is given, with the key of a node. Follows the address of the record only if the heads are
/// equal.
#[inline]
pub(super) fn compare(head: u64, key: &[u8], node: &Node, guard: &Guard) -> cmp::Ordering {
    let theirs = node.head();
    if head != theirs {
        return head.cmp(&theirs);
    }
    Records::prefetch(node);
    Records::of(node, guard).map_or(cmp::Ordering::Less, |record| record.compare(key).reverse())
}

impl<'g> View<'g> {
    /// The root.
    #[inline]
    pub(super) fn root(&self) -> Link {
        self.node(NIL).map_or(NIL, |sentinel| sentinel.edge(ROOT.side).link())
    }

    /// The node of a link, if it is in the tree and its record is that of the key.
    #[inline]
    pub(super) fn confirm(&self, link: Link, key: &[u8], guard: &'g Guard) -> Option<&'g Node> {
        let node = self.node(link).filter(|node| node.is_live())?;
        Records::prefetch(node);
        // Of a node that was in the tree while the caller is pinned the record stays.
        let record = Records::of(node, guard)?;
        (record.has_key(key) && !record.is_dead()).then_some(node)
    }

    /// The node with this key, by a shortcut or by a walk from the root.
    #[inline]
    pub(super) fn find(&self, key: &[u8], guard: &'g Guard) -> Option<(Link, &'g Node)> {
        let Some(shortcuts) = self.shortcuts() else { return self.search(key, guard) };
        let hash = Shortcuts::hash(key);
        if let Some(link) = shortcuts.get(hash)
            && let Some(node) = self.confirm(link, key, guard)
        {
            return Some((link, node));
        }
        let (link, node) = self.search(key, guard)?;
        shortcuts.offer(hash, link);
        Some((link, node))
    }

    /// The node with this key, if the walk finds it. At most [`MOST_STEPS`].
    #[inline]
    pub(super) fn search(&self, key: &[u8], guard: &'g Guard) -> Option<(Link, &'g Node)> {
        let head = self.heads().head(key);
        let mut at = self.root();
        for _ in 0..MOST_STEPS {
            if at == NIL {
                return None;
            }
            let node = self.node(at)?;
            let theirs = node.head();
            if theirs == head {
                match compare(head, key, node, guard) {
                    cmp::Ordering::Equal => return Some((at, node)),
                    order => at = node.edge(Side::right_if(order == cmp::Ordering::Greater)).link(),
                }
            } else {
                at = node.edge(Side::right_if(head > theirs)).link();
            }
        }
        None
    }
}

impl Tree {
    /// An empty tree, with shortcuts or without.
    pub(super) fn new(short: bool) -> Self {
        Self {
            latches: CachePadded::new(Latches {
                structure: VersionLatch::new(),
                batches: VersionLatch::new(),
            }),
            arena: Arc::new(Arena::new(short)),
            records: Records::new(),
            writer: Mutex::new(Writer::new()),
            len: AtomicUsize::new(0),
            live_bytes: Default::default(),
        }
    }

    /// The writers' mutex. The caller is pinned.
    pub(super) fn lock(&self, _guard: &Guard) -> MutexGuard<'_, Writer> {
        self.writer.lock()
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Key and value bytes.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes.iter().map(|part| part.load(Ordering::Relaxed)).sum::<i64>().max(0) as u64
    }

    /// Counts bytes that came, less those that went.
    #[inline]
    pub(super) fn count_bytes(&self, came: usize, went: usize) {
        let part = super::records::stripe() % self.live_bytes.len();
        if came != went
            && let Some(part) = self.live_bytes.get(part)
        {
            part.fetch_add(came as i64 - went as i64, Ordering::Relaxed);
        }
    }

    /// The version of the batches, once none is being applied.
    #[inline]
    pub(super) fn between_batches(&self) -> Option<Version> {
        if self.latches.batches.is_locked() {
            drop(self.writer.lock());
        }
        self.latches.batches.read()
    }

    /// Whether no batch has begun since.
    #[inline]
    pub(super) fn undisturbed(&self, version: Option<Version>) -> bool {
        version.is_some_and(|version| self.latches.batches.holds(version))
    }

    /// Reads by `read` until no batch came in between; after some attempts in vain under the writers' mutex, which `read` is
    /// told. It begins anew each time.
    #[inline]
    pub(super) fn apart_from_batches<T>(&self, mut read: impl FnMut(Mutexed) -> T) -> T {
        for _ in 0..ATTEMPTS {
            let version = self.between_batches();
            let answer = read(Mutexed(false));
            if self.undisturbed(version) {
                return answer;
            }
        }
        let _writer = self.writer.lock();
        read(Mutexed(true))
    }

    /// Begins to read.
    #[inline]
    pub(super) fn look<'g>(&self, guard: &'g Guard) -> Look<'g> {
        let version = self.latches.structure.read();
        Look { view: self.arena.view(guard), version }
    }

    /// Whether what was *not* found since is not there.
    #[inline]
    pub(super) fn holds(&self, look: &Look<'_>) -> bool {
        look.version.is_none_or(|version| self.latches.structure.holds(version))
    }

    /// Reads by `read` until it gives an answer: `None` means that nothing was found, which is then checked. After some
    /// attempts in vain it reads under the writers' mutex.
    #[inline]
    pub(super) fn attempt<'g, T>(
        &self,
        Mutexed(mutexed): Mutexed,
        guard: &'g Guard,
        mut read: impl FnMut(&View<'g>) -> Option<T>,
    ) -> Option<T> {
        for _ in 0..ATTEMPTS {
            let look = self.look(guard);
            let found = read(&look.view);
            if found.is_some() || self.holds(&look) {
                return found;
            }
        }
        let _writer = (!mutexed).then(|| self.writer.lock());
        read(&self.arena.view(guard))
    }

    /// Reads by `read` until it gives something that is one state of the structure.
    pub(super) fn attempt_whole<'g, T: Default>(
        &self,
        Mutexed(mutexed): Mutexed,
        guard: &'g Guard,
        mut read: impl FnMut(&View<'g>) -> Option<T>,
    ) -> T {
        for _ in 0..ATTEMPTS {
            let look = self.look(guard);
            if let Some(found) = read(&look.view)
                && self.holds(&look)
            {
                return found;
            }
        }
        let _writer = (!mutexed).then(|| self.writer.lock());
        read(&self.arena.view(guard)).unwrap_or_default()
    }

    /// Appends the value of a key; returns whether the key is there. O(log n).
    #[inline]
    pub(super) fn get(&self, key: &[u8], value: &mut Vec<u8>) -> bool {
        let guard = &epoch::pin();
        let start = value.len();
        self.apart_from_batches(|mutexed| {
            value.truncate(start);
            let found = self.attempt(mutexed, guard, |view| view.find(key, guard));
            if let Some((_, node)) = found {
                Records::append_value(node.address(), guard, value);
            }
            found.is_some()
        })
    }

    /// Bytes of memory held by nodes and records.
    pub(super) fn memory_bytes(&self) -> u64 {
        let guard = &epoch::pin();
        let heads = self.arena.view(guard).heads().memory_bytes();
        (size_of::<Self>() + heads + self.arena.counts().bytes) as u64 + self.records.held_bytes()
    }
}
