//! Removal from the red-black tree, as in CLRS chapter 13.4: nodes are relinked, records never move between nodes.

use super::node::{Link, NIL, Side};
use super::tree::Tree;
use crate::record::Record;

impl Tree {
    /// Removes a key and returns its record. O(log n), at most three rotations.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Record> {
        let link = self.find(key);
        if link == NIL {
            return None;
        }
        let (left, right) = (self.arena[link].child(Side::Left), self.arena[link].child(Side::Right));
        // `gap` takes the place of the node that leaves its place; if that one was black, `gap` is short of one black.
        let (gap, black_left);
        if left == NIL || right == NIL {
            gap = if left == NIL { right } else { left };
            black_left = !self.arena[link].is_red();
            self.transplant(link, gap);
        } else {
            let successor = self.end_below(right, Side::Left);
            gap = self.arena[successor].child(Side::Right);
            black_left = !self.arena[successor].is_red();
            if successor == right {
                self.arena[gap].set_parent(successor);
            } else {
                self.transplant(successor, gap);
                self.arena[successor].set_child(Side::Right, right);
                self.arena[right].set_parent(successor);
            }
            let red = self.arena[link].is_red();
            self.transplant(link, successor);
            self.arena[successor].set_child(Side::Left, left);
            self.arena[left].set_parent(successor);
            self.arena[successor].set_red(red);
        }
        if black_left {
            self.repair_after_remove(gap);
        }
        self.arena[NIL].set_parent(NIL);
        let record = self.arena.release(link)?;
        self.tally.subtract(&record);
        Some(record)
    }

    /// Restores the black height of the subtree at `at` (which may be [`NIL`], its parent link being set), one black
    /// short, by moving the shortage up until it can be settled.
    fn repair_after_remove(&mut self, mut at: Link) {
        while at != self.root && !self.arena[at].is_red() {
            let parent = self.arena[at].parent();
            let side = self.side_of(at, parent);
            let mut sibling = self.arena[parent].child(side.opposite());
            if self.arena[sibling].is_red() {
                self.arena[sibling].set_red(false);
                self.arena[parent].set_red(true);
                self.rotate(parent, side);
                sibling = self.arena[parent].child(side.opposite());
            }
            let near = self.arena[sibling].child(side);
            let far = self.arena[sibling].child(side.opposite());
            if !self.arena[near].is_red() && !self.arena[far].is_red() {
                self.arena[sibling].set_red(true);
                at = parent;
                continue;
            }
            if !self.arena[far].is_red() {
                self.arena[near].set_red(false);
                self.arena[sibling].set_red(true);
                self.rotate(sibling, side.opposite());
                sibling = near;
            }
            let red = self.arena[parent].is_red();
            self.arena[sibling].set_red(red);
            self.arena[parent].set_red(false);
            let far = self.arena[sibling].child(side.opposite());
            self.arena[far].set_red(false);
            self.rotate(parent, side);
            at = self.root;
        }
        self.arena[at].set_red(false);
    }
}
