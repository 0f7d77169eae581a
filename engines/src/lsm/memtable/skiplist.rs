//! The skip list: nodes ordered by key ascending, then by sequence number descending.
//!
//! Thread safety: none of its own; the table keeps it behind a latch, shared for the methods that take
//! `&self`.
//!
//! Invariants: level 0 links all nodes in order, both ways; it is a ring through the head, node 0, so `next`
//! of the last and `previous` of the first are [`NONE`]. The nodes of a level are those of the level below
//! that are tall enough. Two nodes never agree in key and sequence number. A removed node and its tower wait
//! in the free list of their height.

#![expect(
    clippy::indexing_slicing,
    reason = "levels are below MAX_HEIGHT, and key and value lie within the span that was cut for them"
)]

use super::arena::{Arena, span_size};
use super::node::{MAX_HEIGHT, NONE, Node, Version, prefix};
use super::segmented::Segmented;
use std::cmp::Ordering;

const HEAD: u32 = 0;
const SEED: u64 = 0x5EED_0F7A_B1E5_0002;

/// For each level the last node before a place in the list.
pub(super) type Predecessors = [u32; MAX_HEIGHT];

/// See the module.
pub(super) struct SkipList {
    nodes: Segmented<Node>,
    /// The links of the levels above 0.
    links: Segmented<u32>,
    arena: Arena,
    /// Number of levels in use.
    height: usize,
    len: usize,
    /// Links of the nodes in the list, those of level 0 excluded.
    upper_links: usize,
    /// For each height the first unused node, which are linked by `next`.
    free: [u32; MAX_HEIGHT + 1],
    random: u64,
}

/// The most bytes that a new node for `len` bytes of key and value takes.
pub(super) const fn node_bytes_max(len: usize) -> usize {
    size_of::<Node>() + (MAX_HEIGHT - 1) * size_of::<u32>() + span_size(len)
}

impl SkipList {
    /// An empty list.
    pub(super) fn new() -> Self {
        let (mut nodes, mut links) = (Segmented::new(), Segmented::new());
        nodes.push(Node::new(0, MAX_HEIGHT));
        (1..MAX_HEIGHT).for_each(|_| _ = links.push(NONE));
        Self {
            nodes,
            links,
            arena: Arena::new(),
            height: 1,
            len: 0,
            upper_links: 0,
            free: [NONE; MAX_HEIGHT + 1],
            random: SEED,
        }
    }

    /// Number of nodes.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Number of levels in use.
    pub(super) const fn height(&self) -> usize {
        self.height
    }

    /// Whether another `nodes` nodes can be numbered.
    pub(super) const fn has_numbers_for(&self, nodes: usize) -> bool {
        self.nodes.len() + nodes < u32::MAX as usize
            && self.links.len() + nodes * MAX_HEIGHT < u32::MAX as usize
    }

    /// Bytes of the nodes in the list and their keys and values.
    pub(super) const fn used_bytes(&self) -> usize {
        self.arena.used_bytes() + self.len * size_of::<Node>() + self.upper_links * size_of::<u32>()
    }

    /// Bytes of memory held.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.arena.memory_bytes() + self.nodes.memory_bytes() + self.links.memory_bytes()
    }

    /// Where keys and values lie.
    pub(super) const fn arena(&self) -> &Arena {
        &self.arena
    }

    /// A node by its number.
    #[inline]
    pub(super) fn node(&self, node: u32) -> &Node {
        self.nodes.get(node)
    }

    /// The first node.
    pub(super) fn first(&self) -> u32 {
        self.next(HEAD)
    }

    /// The last node.
    pub(super) fn last(&self) -> u32 {
        self.previous(HEAD)
    }

    /// The node after a node.
    #[inline]
    pub(super) fn next(&self, node: u32) -> u32 {
        self.nodes.get(node).next
    }

    /// The node before a node.
    #[inline]
    pub(super) fn previous(&self, node: u32) -> u32 {
        self.nodes.get(node).previous
    }

    /// The key of a node.
    #[inline]
    pub(super) fn key(&self, node: u32) -> &[u8] {
        let node = self.nodes.get(node);
        &self.arena.bytes(node.span)[..node.key_len as usize]
    }

    /// The value of a node, unless it is a tombstone.
    #[inline]
    pub(super) fn value(&self, node: u32) -> Option<&[u8]> {
        let node = self.nodes.get(node);
        let len = node.value_len()?;
        Some(&self.arena.bytes(node.span)[node.key_len as usize..][..len])
    }

    /// A node as its readers see it.
    pub(super) fn version(&self, node: u32) -> Version<'_> {
        Version { key: self.key(node), sequence: self.node(node).sequence, value: self.value(node) }
    }

    /// Whether a node has this key; the head and the end have none.
    #[inline]
    pub(super) fn has_key(&self, node: u32, key: &[u8]) -> bool {
        node != NONE && self.nodes.get(node).prefix == prefix(key) && self.key(node) == key
    }

    /// Whether a node lies before a place in the order.
    #[inline]
    fn precedes(&self, node: u32, key_prefix: u64, key: &[u8], sequence: u64) -> bool {
        let this = self.nodes.get(node);
        match this.prefix.cmp(&key_prefix).then_with(|| self.key(node).cmp(key)) {
            Ordering::Less => true,
            Ordering::Equal => this.sequence > sequence,
            Ordering::Greater => false,
        }
    }

    /// The last node of each level before a place in the order. O(log n).
    pub(super) fn predecessors(&self, key: &[u8], sequence: u64) -> Predecessors {
        let mut predecessors = [HEAD; MAX_HEIGHT];
        let key_prefix = prefix(key);
        let (mut node, mut beyond) = (HEAD, NONE);
        for level in (0..self.height).rev() {
            loop {
                let next = self.link(node, level);
                // What lies beyond the place on one level does so on the next.
                if next == NONE || next == beyond || !self.precedes(next, key_prefix, key, sequence) {
                    beyond = next;
                    break;
                }
                node = next;
            }
            predecessors[level] = node;
        }
        predecessors
    }

    /// The last node before a place in the order. O(log n).
    pub(super) fn before(&self, key: &[u8], sequence: u64) -> u32 {
        self.predecessors(key, sequence)[0]
    }

    /// The first node with this key and a sequence number not above `sequence`, or the first of a greater
    /// key. O(log n).
    pub(super) fn seek(&self, key: &[u8], sequence: u64) -> u32 {
        self.next(self.before(key, sequence))
    }

    /// Adds a node at the place that the predecessors are of.
    pub(super) fn insert(
        &mut self,
        predecessors: &Predecessors,
        key: &[u8],
        sequence: u64,
        value: Option<&[u8]>,
    ) -> u32 {
        let height = self.draw_height();
        self.insert_with_height(predecessors, height, key, sequence, value)
    }

    /// Adds a node of a given height, at least 1.
    pub(super) fn insert_with_height(
        &mut self,
        predecessors: &Predecessors,
        height: usize,
        key: &[u8],
        sequence: u64,
        value: Option<&[u8]>,
    ) -> u32 {
        let number = self.unused_node(height);
        let span = self.arena.alloc(key.len() + value.map_or(0, <[u8]>::len));
        let node = self.nodes.get_mut(number);
        node.prefix = prefix(key);
        node.span = span;
        node.key_len = key.len() as u32;
        node.linked = true;
        self.arena.bytes_mut(span)[..key.len()].copy_from_slice(key);
        self.write(number, sequence, value);
        for (level, &predecessor) in predecessors.iter().enumerate().take(height) {
            let next = self.link(predecessor, level);
            self.set_link(number, level, next);
            self.set_link(predecessor, level, number);
        }
        let next = self.next(number);
        self.nodes.get_mut(number).previous = predecessors[0];
        self.nodes.get_mut(next).previous = number;
        self.height = self.height.max(height);
        self.len += 1;
        self.upper_links += height - 1;
        number
    }

    /// Whether the span of a node holds `len` bytes without wasting more than half of it.
    fn fits(&self, node: u32, len: usize) -> bool {
        let capacity = self.node(node).span.capacity();
        len <= capacity && span_size(len) * 2 > capacity
    }

    /// How many bytes more a node takes when key and value become `len` bytes.
    pub(super) fn growth(&self, node: u32, len: usize) -> usize {
        span_size(len).saturating_sub(self.node(node).span.capacity())
    }

    /// Replaces sequence number and value of a node. The caller guarantees that the order stays, and that
    /// `key` is the node's.
    pub(super) fn replace(&mut self, node: u32, key: &[u8], sequence: u64, value: Option<&[u8]>) {
        let len = key.len() + value.map_or(0, <[u8]>::len);
        if !self.fits(node, len) {
            self.arena.free(self.node(node).span);
            let span = self.arena.alloc(len);
            self.arena.bytes_mut(span)[..key.len()].copy_from_slice(key);
            self.nodes.get_mut(node).span = span;
        }
        self.write(node, sequence, value);
    }

    fn write(&mut self, node: u32, sequence: u64, value: Option<&[u8]>) {
        let node = self.nodes.get_mut(node);
        node.sequence = sequence;
        node.set_value_len(value.map(<[u8]>::len));
        if let Some(value) = value {
            self.arena.bytes_mut(node.span)[node.key_len as usize..][..value.len()].copy_from_slice(value);
        }
    }

    /// Removes a node. O(log n).
    pub(super) fn remove(&mut self, node: u32) {
        let predecessors = self.predecessors(self.key(node), self.node(node).sequence);
        self.unlink(node, &predecessors);
    }

    /// Removes a node that comes next after these predecessors. O(1).
    pub(super) fn unlink(&mut self, node: u32, predecessors: &Predecessors) {
        let Node { span, height, .. } = *self.node(node);
        for (level, &predecessor) in predecessors.iter().enumerate().take(height as usize) {
            let next = self.link(node, level);
            self.set_link(predecessor, level, next);
        }
        let next = self.next(node);
        self.nodes.get_mut(next).previous = predecessors[0];
        while self.height > 1 && self.link(HEAD, self.height - 1) == NONE {
            self.height -= 1;
        }
        self.arena.free(span);
        let unused = std::mem::replace(&mut self.free[height as usize], node);
        let removed = self.nodes.get_mut(node);
        removed.linked = false;
        removed.next = unused;
        self.len -= 1;
        self.upper_links -= height as usize - 1;
    }

    #[inline]
    fn link(&self, node: u32, level: usize) -> u32 {
        let node = self.nodes.get(node);
        match level.checked_sub(1) {
            None => node.next,
            Some(upper) => *self.links.get(node.tower + upper as u32),
        }
    }

    fn set_link(&mut self, node: u32, level: usize, target: u32) {
        let node = self.nodes.get_mut(node);
        match level.checked_sub(1) {
            None => node.next = target,
            Some(upper) => *self.links.get_mut(node.tower + upper as u32) = target,
        }
    }

    fn unused_node(&mut self, height: usize) -> u32 {
        let unused = self.free[height];
        if unused != NONE {
            self.free[height] = self.next(unused);
            return unused;
        }
        let tower = self.links.len() as u32;
        (1..height).for_each(|_| _ = self.links.push(NONE));
        self.nodes.push(Node::new(tower, height))
    }

    /// 1 with probability 3/4, 2 with 3/16, and so on. Splitmix64 (Steele, Lea and Flood, 2014) from a fixed
    /// seed.
    fn draw_height(&mut self) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        (1 + bits.trailing_zeros() as usize / 2).min(MAX_HEIGHT)
    }

    /// Checks the invariants of the module.
    pub(super) fn check(&self) -> Result<(), String> {
        let (mut len, mut upper_links, mut used) = (0, 0, 0);
        let (mut node, mut last) = (self.first(), HEAD);
        let mut reached = [HEAD; MAX_HEIGHT];
        while node != NONE {
            let this = self.node(node);
            let (key, height) = (self.key(node), this.height as usize);
            if last != HEAD && !self.precedes(last, prefix(key), key, this.sequence) {
                return Err(format!("{:?} before {:?}", self.version(last), self.version(node)));
            }
            if !this.linked || this.prefix != prefix(key) || this.data_len() > this.span.capacity() {
                return Err(format!("{key:?} has a damaged node {this:?}"));
            }
            if this.previous != last || height > self.height {
                return Err(format!("{key:?}: {this:?} follows node {last}, height is {}", self.height));
            }
            for (level, reached) in reached.iter_mut().enumerate().take(height) {
                if self.link(*reached, level) != node {
                    return Err(format!("{key:?} is missing on level {level}"));
                }
                *reached = node;
            }
            (len, upper_links, used) = (len + 1, upper_links + height - 1, used + this.span.capacity());
            (last, node) = (node, this.next);
        }
        if let Some(level) = (0..MAX_HEIGHT).find(|&level| self.link(reached[level], level) != NONE) {
            return Err(format!("level {level} goes on behind its last node"));
        }
        if self.last() != last {
            return Err(format!("the last node is {last}, not {}", self.last()));
        }
        let counted = (self.len, self.upper_links, self.arena.used_bytes());
        if counted != (len, upper_links, used) {
            return Err(format!(
                "(nodes, upper links, bytes) {counted:?} counted, {:?} found",
                (len, upper_links, used)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use std::cmp::Reverse;
    use std::collections::BTreeMap;

    #[test]
    fn any_insertions_and_removals_keep_the_order() {
        let mut random = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(3);
        let mut list = SkipList::new();
        let mut model = BTreeMap::<(Vec<u8>, Reverse<u64>), u32>::new();
        for sequence in 1..6_000u64 {
            let key = vec![random.random_range(0..3u8); random.random_range(0..12)];
            if random.random_ratio(2, 5) {
                let place = list.seek(&key, sequence / 2);
                let expected = model
                    .range((key, Reverse(sequence / 2))..)
                    .next()
                    .map(|(place, &node)| (place.clone(), node));
                assert_eq!(place, expected.as_ref().map_or(NONE, |&(_, node)| node));
                if let Some((place, node)) = expected {
                    list.remove(node);
                    model.remove(&place);
                }
            } else {
                let value = (sequence % 7 != 0).then_some([1; 20]);
                let predecessors = list.predecessors(&key, sequence);
                let node =
                    list.insert(&predecessors, &key, sequence, value.as_ref().map(|value| value.as_slice()));
                model.insert((key, Reverse(sequence)), node);
            }
            if sequence % 200 == 0 {
                assert_eq!(list.check(), Ok(()));
            }
        }
        assert_eq!(list.check(), Ok(()));
        assert_eq!(list.len(), model.len());
        let mut node = list.first();
        for ((key, Reverse(sequence)), &number) in &model {
            assert_eq!(node, number);
            assert_eq!((list.key(node), list.node(node).sequence), (key.as_slice(), *sequence));
            assert_eq!(list.value(node).is_none(), sequence % 7 == 0);
            node = list.next(node);
        }
        let held = list.memory_bytes();
        for node in model.into_values() {
            list.remove(node);
        }
        assert_eq!((list.check(), list.len(), list.height(), list.used_bytes()), (Ok(()), 0, 1, 0));
        assert_eq!(list.memory_bytes(), held, "what was freed waits to be used again");
    }

    #[test]
    fn heights_fall_off_by_four() {
        let mut list = SkipList::new();
        let mut counts = [0; MAX_HEIGHT + 1];
        (0..40_000).for_each(|_| counts[list.draw_height()] += 1);
        assert!((29_500..30_500).contains(&counts[1]) && (7_200..7_800).contains(&counts[2]), "{counts:?}");
        assert_eq!(counts[0], 0);
    }
}
