//! Rebalancing: rotations, and the repairs after an insertion and a removal, in the formulation of Cormen, Leiserson,
//! Rivest & Stein, *Introduction to Algorithms*, chapter 13, along the kept path instead of parent links.
//!
//! Every rotation exchanges the colours of the two nodes it turns; with that each case of the book is a rotation and at
//! most one more change of colour. An insertion rotates twice at the most, a removal three times.
//!
//! Thread safety: under the writers' mutex. Rotations and removals are done under the latch of the structure. Each
//! takes an edge away before it puts it elsewhere, so that no walk can go in a circle.

use super::node::{Link, NIL, Node, Side, Slot};
use super::records::Records;
use super::writer::Edit;
use crate::head::HeadMap;

impl Edit<'_> {
    /// Turns the edge between the node at `slot` and its child on the other side, so that the node sinks towards `side`,
    /// the child takes its place, and they exchange their colours. The child is there.
    fn rotate(&mut self, slot: Slot, side: Side) {
        self.latch();
        let down = self.edge(slot);
        let below = Slot { node: down.link(), side: side.opposite() };
        let up = self.edge(below);
        let inner = Slot { node: up.link(), side };
        self.set_edge(below, self.edge(inner));
        self.set_edge(inner, down.coloured(up.is_red()));
        self.set_edge(slot, up.coloured(down.is_red()));
        self.writer.rotations += 1;
    }

    #[inline]
    fn paint(&self, slot: Slot, red: bool) {
        self.set_edge(slot, self.edge(slot).coloured(red));
    }

    /// Removes two red nodes in a row, the lower one being at a depth of the path, on the way up.
    pub(super) fn repair_after_insert(&mut self, mut depth: usize) {
        loop {
            if depth == 0 {
                self.paint(self.slot(0), false);
                return;
            }
            if depth == 1 || !self.edge(self.slot(depth - 1)).is_red() {
                return;
            }
            let (top, middle, low) = (self.slot(depth - 2), self.slot(depth - 1), self.slot(depth));
            let uncle = Slot { node: middle.node, side: middle.side.opposite() };
            if self.edge(uncle).is_red() {
                self.paint(middle, false);
                self.paint(uncle, false);
                self.paint(top, true);
                depth -= 2;
                continue;
            }
            if low.side != middle.side {
                self.rotate(middle, middle.side);
            }
            self.rotate(top, middle.side.opposite());
            self.unlatch();
            return;
        }
    }

    /// Takes a node, at which the path ends, out of the tree. Its own edges stay, for readers that stand on it.
    pub(super) fn unlink(&mut self, link: Link, node: &Node) {
        let depth = self.writer.path.len() - 1;
        let slot = self.slot(depth);
        let own = self.edge(slot);
        let (left, right) = (node.edge(Side::Left), node.edge(Side::Right));
        if left.link() == NIL || right.link() == NIL {
            let gap = if left.link() == NIL { right } else { left };
            self.set_edge(slot, gap);
            if !own.is_red() {
                self.repair_after_remove(depth);
            }
            return;
        }
        // The successor takes the node's place, and the gap is where the successor was.
        let mut last = Slot { node: link, side: Side::Right };
        self.writer.path.push(last);
        loop {
            let next = Slot { node: self.edge(last).link(), side: Side::Left };
            if self.edge(next).link() == NIL {
                break;
            }
            self.writer.path.push(next);
            last = next;
        }
        let successor = self.edge(last);
        let Some(heir) = self.node(successor.link()) else { return };
        let gap = heir.edge(Side::Right);
        let right = if last.node == link { gap } else { right };
        if last.node != link {
            self.set_edge(last, gap);
        }
        heir.set_edges(left, right);
        self.set_edge(slot, successor.coloured(own.is_red()));
        if let Some(below) = self.writer.path.get_mut(depth + 1) {
            *below = Slot { node: successor.link(), side: Side::Right };
        }
        if !successor.is_red() {
            self.repair_after_remove(self.writer.path.len() - 1);
        }
    }

    /// Restores the black height of the subtree (which may be empty) at a depth of the path, one black short, by moving the
    /// shortage up until it can be settled.
    fn repair_after_remove(&mut self, mut depth: usize) {
        loop {
            let slot = self.slot(depth);
            if depth == 0 || self.edge(slot).is_red() {
                if self.edge(slot).link() != NIL {
                    self.paint(slot, false);
                }
                return;
            }
            let (mut above, side) = (self.slot(depth - 1), slot.side);
            let beside = Slot { node: slot.node, side: side.opposite() };
            let mut sibling = self.edge(beside);
            if sibling.is_red() {
                self.rotate(above, side);
                // The parent sank by one: its place is below the old sibling now.
                above = Slot { node: sibling.link(), side };
                self.writer.path.truncate(depth);
                self.writer.path.extend([above, slot]);
                depth += 1;
                sibling = self.edge(beside);
            }
            let near = Slot { node: sibling.link(), side };
            let mut far = Slot { node: sibling.link(), side: side.opposite() };
            if !self.edge(near).is_red() && !self.edge(far).is_red() {
                self.paint(beside, true);
                depth -= 1;
                continue;
            }
            if !self.edge(far).is_red() {
                self.rotate(beside, side.opposite());
                far = Slot { node: self.edge(beside).link(), side: side.opposite() };
            }
            self.paint(far, false);
            self.rotate(above, side);
            return;
        }
    }

    /// The edges to all nodes in key order. O(n) time and memory.
    pub(super) fn in_order(&self) -> Vec<Link> {
        let mut links = Vec::with_capacity(self.tree.len());
        let mut stack: Vec<Link> = Vec::new();
        let mut at = self.view.root();
        while at != NIL || !stack.is_empty() {
            while at != NIL {
                stack.push(at);
                at = self.edge(Slot { node: at, side: Side::Left }).link();
            }
            let Some(link) = stack.pop() else { break };
            links.push(link);
            at = self.edge(Slot { node: link, side: Side::Right }).link();
        }
        links
    }

    /// The first (left) or last (right) node of the tree.
    fn end(&self, side: Side) -> Option<&Node> {
        let mut end = None;
        let mut at = self.view.root();
        while at != NIL {
            end = self.node(at);
            at = self.edge(Slot { node: at, side }).link();
        }
        end
    }

    /// Adapts the heads to what the keys have in common now. O(log n), and O(n) if that has changed; since it happens
    /// only when the tree has doubled, amortised O(1) an insert.
    pub(super) fn refocus(&mut self) {
        self.writer.refocus_at = self.tree.len() * 2;
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (side, key) in [(Side::Left, &mut first), (Side::Right, &mut last)] {
            if let Some(record) = self.end(side).and_then(|node| Records::of(node, self.guard)) {
                record.append_key(key);
            }
        }
        let heads = HeadMap::between(&first, &last);
        if heads == *self.view.heads() {
            return;
        }
        self.latch();
        let mut key = Vec::new();
        for node in self.in_order().into_iter().filter_map(|link| self.node(link)) {
            if let Some(record) = Records::of(node, self.guard) {
                key.clear();
                record.append_key(&mut key);
                node.set_head(heads.head(&key));
            }
        }
        self.tree.arena.set_heads(heads, self.guard);
        self.view = self.tree.arena.view(self.guard);
        self.unlatch();
    }
}
