//! Checks of every invariant of the tree and its arena.

use super::node::{Link, NIL, Side};
use super::tree::Tree;
use crate::record::Tally;

impl Tree {
    /// Checks order, colours, black heights, links, the free list and the totals. O(n) time and memory.
    ///
    /// # Errors
    /// The first violation, in words.
    pub(super) fn validate(&self) -> Result<(), String> {
        let mut seen = vec![false; self.arena.len()];
        self.mark(&mut seen, NIL)?;
        let nil = &self.arena[NIL];
        if nil.record.is_some() || nil.is_red() || nil.parent() != NIL {
            return Err("the sentinel is not blank".to_owned());
        }
        self.check_subtrees(&mut seen)?;
        if self.arena[self.root].is_red() {
            return Err("the root is red".to_owned());
        }
        self.check_order()?;
        self.check_free_list(&mut seen)?;
        match seen.iter().position(|seen| !seen) {
            Some(lost) => Err(format!("node {lost} is neither in the tree nor free")),
            None => Ok(()),
        }
    }

    /// Marks a node as met; each is met once.
    fn mark(&self, seen: &mut [bool], link: Link) -> Result<(), String> {
        match seen.get_mut(link as usize) {
            Some(seen) if !*seen => {
                *seen = true;
                Ok(())
            }
            Some(_) => Err(format!("node {link} is met twice")),
            None => Err(format!("link {link} leads out of the arena")),
        }
    }

    /// Depth-first with a stack of its own, since a broken tree may be deep. Checks links, colours and black heights.
    fn check_subtrees(&self, seen: &mut [bool]) -> Result<(), String> {
        let mut leaf_blacks = None;
        let mut stack = vec![(self.root, NIL, 0usize)];
        while let Some((link, parent, blacks)) = stack.pop() {
            if link == NIL {
                match leaf_blacks {
                    None => leaf_blacks = Some(blacks),
                    Some(expected) if expected != blacks => {
                        return Err(format!(
                            "a path ending below node {parent} has {blacks} black nodes, not {expected}"
                        ));
                    }
                    Some(_) => {}
                }
                continue;
            }
            self.mark(seen, link)?;
            let node = &self.arena[link];
            if node.parent() != parent {
                return Err(format!("node {link} says its parent is {}, not {parent}", node.parent()));
            }
            if node.is_red() && self.arena[parent].is_red() {
                return Err(format!("nodes {parent} and {link} are both red"));
            }
            if node.record.is_none() {
                return Err(format!("node {link} is in the tree without a record"));
            }
            let blacks = blacks + usize::from(!node.is_red());
            stack.push((node.child(Side::Left), link, blacks));
            stack.push((node.child(Side::Right), link, blacks));
        }
        Ok(())
    }

    /// Walks both ways; the links have been checked, so the walks end.
    fn check_order(&self) -> Result<(), String> {
        let mut tally = Tally::default();
        let mut at = self.end(Side::Left);
        while let Some(record) = &self.arena[at].record {
            tally.add(record);
            if self.arena[at].head != self.heads.head(record.key()) {
                return Err(format!("node {at} has a wrong head"));
            }
            let next = self.neighbour(at, Side::Right);
            if next != NIL {
                if self.arena[next].key() <= record.key() {
                    return Err(format!("nodes {at} and {next} are out of order"));
                }
                if self.neighbour(next, Side::Left) != at {
                    return Err(format!("node {at} is not before its successor {next}"));
                }
            }
            at = next;
        }
        if tally != self.tally {
            return Err(format!("counted {tally:?}, recorded {:?}", self.tally));
        }
        Ok(())
    }

    fn check_free_list(&self, seen: &mut [bool]) -> Result<(), String> {
        let (mut free, mut len) = (self.arena.free(), 0);
        while free != NIL {
            self.mark(seen, free)?;
            if self.arena[free].record.is_some() {
                return Err(format!("free node {free} holds a record"));
            }
            len += 1;
            free = self.arena[free].parent();
        }
        if len != self.arena.free_len() {
            return Err(format!("{len} nodes are free, recorded {}", self.arena.free_len()));
        }
        Ok(())
    }
}
