//! Writing to the tree: in place where that will do, else under the writers' mutex.
//!
//! Invariant: an [`Edit`] exists only while the writers' mutex is held; what it changes that can mislead a walk it changes
//! under the latch of the structure, which it gives back when it ends.
//!
//! Thread safety: see [`super::tree`].

use super::arena::{MOST_NODES, Retired, View};
use super::node::{Edge, Link, NIL, Node, ROOT, Side, Slot};
use super::records::{Fresh, Records};
use super::shortcuts::Shortcuts;
use super::tree::{ATTEMPTS, Mutexed, Tree, compare};
use super::upkeep::Moves;
use crate::engine::{WriteBatch, WriteOp};
use crate::memory::record::Replaced;
use crossbeam::epoch::{self, Guard};
use std::cmp;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The heads are looked over for the first time when there are so many records, then whenever there are twice as many.
const FIRST_REFOCUS: usize = 32;
/// Removed nodes are handed to the epoch in parcels of so many.
const PARCEL_NODES: usize = 64;

/// What writers keep between their turns.
pub(super) struct Writer {
    /// The places of the nodes on the path that was come by, from the root's on.
    pub(super) path: Vec<Slot>,
    /// Removed nodes that wait to be handed to the epoch.
    retired: Vec<Retired>,
    /// The number of records at which the heads are looked over next.
    pub(super) refocus_at: usize,
    /// Rotations since the tree was made.
    pub(super) rotations: u64,
    pub(super) moves: Moves,
}

impl Writer {
    /// Nothing done yet.
    pub(super) fn new() -> Self {
        Self {
            path: Vec::new(),
            retired: Vec::new(),
            refocus_at: FIRST_REFOCUS,
            rotations: 0,
            moves: Moves::default(),
        }
    }
}

/// What became of a value that should be replaced without the mutex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum InPlace {
    Done,
    Absent,
    /// It does not fit, or others came in between too often. With the node at which the key was found, if it was.
    NeedsMutex(Option<Link>),
}

/// There are as many nodes as links can address.
#[derive(Debug)]
pub(super) struct Full;

/// A writer's turn.
pub(super) struct Edit<'a> {
    pub(super) tree: &'a Tree,
    pub(super) writer: &'a mut Writer,
    pub(super) view: View<'a>,
    pub(super) guard: &'a Guard,
    latched: bool,
}

impl Drop for Edit<'_> {
    fn drop(&mut self) {
        self.unlatch();
    }
}

impl<'a> Edit<'a> {
    /// Begins a turn, the writers' mutex being held.
    pub(super) fn new(tree: &'a Tree, writer: &'a mut Writer, guard: &'a Guard) -> Self {
        Self { tree, writer, view: tree.arena.view(guard), guard, latched: false }
    }

    /// Takes the latch of the structure, unless that was done.
    pub(super) fn latch(&mut self) {
        if !self.latched {
            self.latched = self.tree.latches.structure.lock();
        }
    }

    /// Gives it back.
    pub(super) fn unlatch(&mut self) {
        if std::mem::take(&mut self.latched) {
            self.tree.latches.structure.unlock();
        }
    }

    /// The node of a link that was found in the tree.
    #[inline]
    pub(super) fn node(&self, link: Link) -> Option<&'a Node> {
        self.view.node(link)
    }

    /// What a place holds.
    #[inline]
    pub(super) fn edge(&self, slot: Slot) -> Edge {
        self.node(slot.node).map_or(Edge::NIL, |node| node.edge(slot.side))
    }

    #[inline]
    pub(super) fn set_edge(&self, slot: Slot, edge: Edge) {
        if let Some(node) = self.node(slot.node) {
            node.set_edge(slot.side, edge);
        }
    }

    /// The place at a depth of the path.
    #[inline]
    pub(super) fn slot(&self, depth: usize) -> Slot {
        self.writer.path.get(depth).copied().unwrap_or(ROOT)
    }

    /// The node of a link, if the key is there now as it was when the link was found.
    fn confirm(&self, at: Option<Link>, key: &[u8]) -> Option<&'a Node> {
        self.view.confirm(at?, key, self.guard)
    }

    /// Walks to a key and keeps the path, whose last place holds the key's node, which is returned, or nothing.
    pub(super) fn descend(&mut self, head: u64, key: &[u8]) -> Option<(Link, &'a Node)> {
        self.writer.path.clear();
        let mut slot = ROOT;
        loop {
            self.writer.path.push(slot);
            let link = self.edge(slot).link();
            if link == NIL {
                return None;
            }
            let node = self.node(link)?;
            let side = match compare(head, key, node, self.guard) {
                cmp::Ordering::Less => Side::Left,
                cmp::Ordering::Equal => return Some((link, node)),
                cmp::Ordering::Greater => Side::Right,
            };
            slot = Slot { node: link, side };
        }
    }

    /// Inserts the record or replaces its value; `fresh` is the record, if it was made already.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8], fresh: Option<Fresh>) -> Result<(), Full> {
        let head = self.view.heads().head(key);
        if let Some((_, node)) = self.descend(head, key) {
            self.set_value(node, key, value, fresh);
            return Ok(());
        }
        let room = self.tree.len() < MOST_NODES;
        let Some(link) = room.then(|| self.tree.arena.take(self.guard)).flatten() else {
            if let Some(fresh) = fresh {
                self.tree.records.discard(fresh, self.guard);
            }
            return Err(Full);
        };
        // There may be a new chunk.
        self.view = self.tree.arena.view(self.guard);
        let fresh = fresh.unwrap_or_else(|| self.tree.records.create(key, value));
        let last = self.writer.path.len() - 1;
        if let Some(node) = self.node(link) {
            // An old shortcut may lead to the node, which must not be believed before a walk would find it.
            node.fill_gone(head, fresh.block);
            self.set_edge(self.slot(last), Edge::new(link, true));
            node.set_record(fresh.block);
        }
        if let Some(shortcuts) = self.view.shortcuts() {
            shortcuts.offer_new(Shortcuts::hash(key), link);
        }
        self.tree.len.fetch_add(1, Ordering::Relaxed);
        self.tree.count_bytes(key.len() + value.len(), 0);
        self.repair_after_insert(last);
        if self.tree.len() >= self.writer.refocus_at {
            self.refocus();
        }
        Ok(())
    }

    /// Replaces the value of a node in the tree.
    fn set_value(&mut self, node: &Node, key: &[u8], value: &[u8], fresh: Option<Fresh>) {
        if let Some(fresh) = fresh {
            return self.exchange(node, fresh, value.len());
        }
        let Some(record) = self.tree.records.whole(node, self.guard) else { return };
        let (replaced, before) = record.replace_measured(value);
        if replaced == Replaced::Done {
            self.tree.count_bytes(value.len(), before);
        } else {
            let fresh = self.tree.records.create(key, value);
            self.exchange(node, fresh, value.len());
        }
    }

    /// Puts another record with the same key in the place of a node's, and lets the old one go.
    fn exchange(&mut self, node: &Node, fresh: Fresh, value_len: usize) {
        let old = node.address();
        let Some(record) = Records::at(old, self.guard) else { return };
        record.kill();
        self.tree.count_bytes(value_len, record.value_len());
        node.set_record(fresh.block);
        self.tree.records.retire(old, self.guard);
    }

    /// Removes a key; returns whether it was there. O(log n), at most three rotations.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let head = self.view.heads().head(key);
        let Some((link, node)) = self.descend(head, key) else { return false };
        let address = node.address();
        let Some(record) = Records::at(address, self.guard) else { return false };
        record.kill();
        self.tree.len.fetch_sub(1, Ordering::Relaxed);
        self.tree.count_bytes(0, key.len() + record.value_len());
        self.latch();
        self.unlink(link, node);
        self.retire(link, node);
        // Not before the node is marked: till then a shortcut leads to the record.
        self.tree.records.retire(address, self.guard);
        self.unlatch();
        true
    }

    /// Lets a node go that was taken out of the tree.
    pub(super) fn retire(&mut self, link: Link, node: &Node) {
        node.mark_gone();
        self.writer.retired.push(self.tree.arena.retired(link));
        if self.writer.retired.len() >= PARCEL_NODES.min(self.tree.len() / 4) {
            self.flush_retired();
        }
    }

    /// Forgets the nodes that wait to be let go, because all chunks have been exchanged.
    pub(super) fn forget_nodes(&mut self) {
        self.writer.retired.clear();
        self.writer.moves.forget_nodes();
    }

    /// Hands the removed nodes to the epoch.
    pub(super) fn flush_retired(&mut self) {
        let nodes = std::mem::take(&mut self.writer.retired);
        let arena = Arc::downgrade(&self.tree.arena);
        self.guard.defer(move || {
            if let Some(arena) = arena.upgrade() {
                arena.release(&nodes);
            }
        });
        self.guard.flush();
        self.tree.arena.trim(self.guard);
        self.plan_node_moves();
    }
}

impl Tree {
    /// Replaces a value in place, without the mutex.
    #[inline]
    fn replace(&self, key: &[u8], value: &[u8], guard: &Guard) -> InPlace {
        let mut at = None;
        for _ in 0..ATTEMPTS {
            let version = self.between_batches();
            let Some((link, node)) = self.attempt(Mutexed(false), guard, |view| view.find(key, guard)) else {
                if self.undisturbed(version) {
                    return InPlace::Absent;
                }
                continue;
            };
            at = Some(link);
            let Some(record) = self.records.whole(node, guard) else { break };
            let mut before = 0;
            let replaced = record.replace_if(value, |len| {
                before = len;
                self.undisturbed(version)
            });
            match replaced {
                Replaced::Done => {
                    self.count_bytes(value.len(), before);
                    return InPlace::Done;
                }
                Replaced::NoRoom => break,
                // A batch came, or whoever killed it holds the mutex and is about to take it out, or it is out already.
                Replaced::Dead => std::hint::spin_loop(),
            }
        }
        InPlace::NeedsMutex(at)
    }

    /// Inserts the record or replaces its value.
    pub(super) fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Full> {
        let guard = &epoch::pin();
        let at = match self.replace(key, value, guard) {
            InPlace::Done => return Ok(()),
            InPlace::Absent => None,
            InPlace::NeedsMutex(at) => at,
        };
        let fresh = self.records.create(key, value);
        let mut writer = self.lock(guard);
        let mut edit = Edit::new(self, &mut writer, guard);
        match edit.confirm(at, key) {
            Some(node) => edit.exchange(node, fresh, value.len()),
            None => edit.put(key, value, Some(fresh))?,
        }
        edit.upkeep();
        Ok(())
    }

    /// Replaces the value of a key; returns whether the key is there.
    pub(super) fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let guard = &epoch::pin();
        let at = match self.replace(key, value, guard) {
            InPlace::Absent => return false,
            InPlace::Done => return true,
            InPlace::NeedsMutex(at) => at,
        };
        let mut writer = self.lock(guard);
        let mut edit = Edit::new(self, &mut writer, guard);
        let head = edit.view.heads().head(key);
        let found = edit.confirm(at, key).or_else(|| edit.descend(head, key).map(|(_, node)| node));
        let Some(node) = found else { return false };
        edit.set_value(node, key, value, None);
        edit.upkeep();
        true
    }

    /// Removes a key; returns whether it was there.
    pub(super) fn remove(&self, key: &[u8]) -> bool {
        let guard = &epoch::pin();
        // Brings the path into the caches before anybody has to wait for it.
        let version = self.between_batches();
        let found = self.attempt(Mutexed(false), guard, |view| view.search(key, guard));
        if found.is_none() && self.undisturbed(version) {
            return false;
        }
        let mut writer = self.lock(guard);
        let mut edit = Edit::new(self, &mut writer, guard);
        let removed = edit.remove(key);
        edit.upkeep();
        removed
    }

    /// Applies a batch; nothing of it, if there might not be room for all of it.
    pub(super) fn batch(&self, batch: &WriteBatch) -> Result<(), Full> {
        let guard = &epoch::pin();
        let mut writer = self.lock(guard);
        if self.len() + batch.len() > MOST_NODES {
            return Err(Full);
        }
        self.latches.batches.lock();
        let mut edit = Edit::new(self, &mut writer, guard);
        let mut applied = Ok(());
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => applied = applied.and(edit.put(key, value, None)),
                WriteOp::Delete { key } => drop(edit.remove(key)),
            }
            edit.unlatch();
        }
        edit.upkeep();
        drop(edit);
        self.latches.batches.unlock();
        applied
    }
}
