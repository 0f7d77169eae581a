//! Checks of every invariant of the tree and its arena.
//!
//! Thread safety: under the writers' mutex.

use super::node::{Edge, Link, NIL, ROOT, Side, Slot};
use super::records::Records;
use super::writer::Edit;
use std::collections::HashSet;

impl Edit<'_> {
    /// Number of black nodes on each path from the root. O(log n).
    pub(super) fn black_height(&self) -> usize {
        let (mut height, mut edge) = (0, self.edge(ROOT));
        while edge.link() != NIL {
            height += usize::from(!edge.is_red());
            edge = self.edge(Slot { node: edge.link(), side: Side::Left });
        }
        height
    }

    /// Checks order, heads, colours, black heights, links, the free lists and the totals. O(n) time and memory.
    ///
    /// # Errors
    /// The first violation, in words.
    pub(super) fn validate(&self) -> Result<(), String> {
        let mut seen = HashSet::new();
        if self.edge(ROOT).is_red() {
            return Err("the root is red".to_owned());
        }
        let sentinel = self.node(NIL).ok_or("there is no sentinel")?;
        if sentinel.edge(Side::Right) != Edge::NIL || sentinel.address() != 0 {
            return Err("the sentinel is not blank".to_owned());
        }
        self.check_subtrees(&mut seen)?;
        self.check_order()?;
        self.check_arena(&seen)
    }

    /// Depth-first with a stack of its own, since a broken tree may be deep. Checks links, colours and black heights.
    fn check_subtrees(&self, seen: &mut HashSet<Link>) -> Result<(), String> {
        let mut leaf_blacks = None;
        let mut stack = vec![(self.edge(ROOT), false, 0usize)];
        while let Some((edge, red_parent, blacks)) = stack.pop() {
            let link = edge.link();
            if link == NIL {
                if edge.is_red() {
                    return Err("an edge to nowhere is red".to_owned());
                }
                match leaf_blacks {
                    None => leaf_blacks = Some(blacks),
                    Some(expected) if expected != blacks => {
                        return Err(format!("a path has {blacks} black nodes, not {expected}"));
                    }
                    Some(_) => {}
                }
                continue;
            }
            if !seen.insert(link) {
                return Err(format!("node {link} is met twice"));
            }
            let node = self.node(link).ok_or_else(|| format!("link {link} leads out of the arena"))?;
            if edge.is_red() && red_parent {
                return Err(format!("node {link} and its parent are both red"));
            }
            if !node.is_live() {
                return Err(format!("node {link} is in the tree without a record"));
            }
            let blacks = blacks + usize::from(!edge.is_red());
            stack.push((node.edge(Side::Left), edge.is_red(), blacks));
            stack.push((node.edge(Side::Right), edge.is_red(), blacks));
        }
        Ok(())
    }

    /// In key order; the links have been checked, so the walk ends.
    fn check_order(&self) -> Result<(), String> {
        let (mut records, mut bytes) = (0, 0);
        let mut last: Option<Vec<u8>> = None;
        for link in self.in_order() {
            let Some(node) = self.node(link) else { continue };
            let Some(record) = Records::of(node, self.guard) else { continue };
            if record.is_dead() {
                return Err(format!("the record of node {link} is dead"));
            }
            let mut key = Vec::new();
            record.append_key(&mut key);
            records += 1;
            bytes += key.len() + record.value_len();
            if node.head() != self.view.heads().head(&key) {
                return Err(format!("node {link} has a wrong head"));
            }
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(format!("node {link} is out of order"));
            }
            last = Some(key);
        }
        let counted = (self.tree.len(), self.tree.live_bytes() as usize);
        if counted != (records, bytes) {
            return Err(format!("counted {records} records of {bytes} bytes, recorded {counted:?}"));
        }
        Ok(())
    }

    /// Every node is in the tree, free, or on its way from the one to the other.
    fn check_arena(&self, seen: &HashSet<Link>) -> Result<(), String> {
        let mut fault = None;
        self.tree.arena.audit(|link, node, free| {
            let wrong = if free && seen.contains(&link) {
                "is in the tree and free"
            } else if free && node.address() != 0 {
                "is free and holds a record"
            } else if !free && !seen.contains(&link) && link != NIL && (node.is_live() || node.address() == 0)
            {
                "is neither in the tree nor free"
            } else {
                return;
            };
            fault = Some(format!("node {link} {wrong}"));
        });
        let counts = self.tree.arena.counts();
        // The sentinel is in use and in no list.
        if counts.used < seen.len() + 1 {
            return Err(format!("{} nodes are in the tree, recorded {}", seen.len(), counts.used - 1));
        }
        fault.map_or(Ok(()), Err)
    }
}
