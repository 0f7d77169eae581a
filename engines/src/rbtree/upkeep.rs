//! Giving memory back, a little with each write: records leave sparse pages of the slab, nodes leave the last chunk.
//!
//! Thread safety: under the writers' mutex. A record is killed before it is copied, so that its value stands still; a node is
//! copied and exchanged under the latch of the structure.

use super::arena::Arena;
use super::node::{Link, NIL};
use super::records::Records;
use super::writer::Edit;
use crate::memory::record::Record;

/// Records moved with one write, at most.
const RECORD_MOVES: usize = 4;
/// Nodes looked at to be moved with one write.
const NODE_MOVES: usize = 8;

/// What is to be moved.
#[derive(Default)]
pub(super) struct Moves {
    /// Keys of records on sparse pages, one after the other, …
    keys: Vec<u8>,
    /// …and for each where its key begins and the address it had.
    records: Vec<(usize, u64)>,
    /// Nodes of the last chunk, from its start to those that were not looked at yet.
    nodes: std::ops::Range<Link>,
}

impl Moves {
    /// Forgets nodes that no longer are.
    pub(super) fn forget_nodes(&mut self) {
        self.nodes = NIL..NIL;
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.capacity() + self.records.capacity() * size_of::<(usize, u64)>()
    }

    fn add(&mut self, address: u64, record: &Record<'_>) {
        self.records.push((self.keys.len(), address));
        record.append_key(&mut self.keys);
    }
}

impl Edit<'_> {
    /// A bounded part of what is to be moved. O(log n).
    #[inline]
    pub(super) fn upkeep(&mut self) {
        if !self.writer.moves.records.is_empty() || self.tree.records.is_sparse() {
            self.move_records(RECORD_MOVES);
        }
        if !self.writer.moves.nodes.is_empty() {
            self.move_nodes(NODE_MOVES);
        }
    }

    /// Moves so many records from sparse pages; returns whether there may be more.
    pub(super) fn move_records(&mut self, most: usize) -> bool {
        if self.writer.moves.records.is_empty() {
            let (records, moves) = (&self.tree.records, &mut self.writer.moves);
            moves.keys.clear();
            if !records.sparse_page(self.guard, |address, record| moves.add(address, record)) {
                moves.keys = Vec::new();
                moves.records = Vec::new();
                return false;
            }
        }
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for _ in 0..most {
            let Some((start, address)) = self.writer.moves.records.pop() else { break };
            key.clear();
            key.extend(self.writer.moves.keys.drain(start..));
            let head = self.view.heads().head(&key);
            if let Some((_, node)) = self.descend(head, &key)
                && node.address() == address
                && let Some(record) = Records::at(address, self.guard)
            {
                record.kill();
                value.clear();
                Records::append_value(address, self.guard, &mut value);
                node.set_record(self.tree.records.create(&key, &value).block);
                self.tree.records.retire(address, self.guard);
            }
        }
        true
    }

    /// Finds out whether the last chunk of nodes should be emptied.
    pub(super) fn plan_node_moves(&mut self) {
        if self.writer.moves.nodes.is_empty() {
            self.writer.moves.nodes = self.tree.arena.surplus().unwrap_or_default();
        }
    }

    /// Moves nodes of the last chunk into free places before it.
    pub(super) fn move_nodes(&mut self, most: usize) {
        let mut key = Vec::new();
        for _ in 0..most {
            let Some(link) = self.writer.moves.nodes.next_back() else {
                self.plan_node_moves();
                return;
            };
            let Some(node) = self.node(link).filter(|node| node.is_live()) else { continue };
            key.clear();
            if let Some(record) = Records::of(node, self.guard) {
                record.append_key(&mut key);
            }
            let head = self.view.heads().head(&key);
            if self.descend(head, &key).is_none_or(|(found, _)| found != link) {
                continue;
            }
            let Some(new) = self.tree.arena.take(self.guard) else { return };
            if !Arena::is_before(new, link) {
                // Inserts have taken the room.
                self.tree.arena.release(&[self.tree.arena.retired(new)]);
                self.writer.moves.nodes = NIL..NIL;
                return;
            }
            let Some(copy) = self.node(new) else { return };
            self.latch();
            copy.copy_from(node);
            let slot = self.slot(self.writer.path.len() - 1);
            self.set_edge(slot, self.edge(slot).to(new));
            self.retire(link, node);
            self.unlatch();
        }
    }

    /// Moves everything that is to be moved now.
    pub(super) fn upkeep_all(&mut self) {
        while self.move_records(usize::MAX) {}
    }
}
