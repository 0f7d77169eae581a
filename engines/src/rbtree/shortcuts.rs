//! Shortcuts: a table that leads from the hash of a key straight to its node, past the levels of the tree.
//!
//! The idea is the adaptive hash index of InnoDB: the tree is what counts, and the table only remembers where look-ups
//! ended. It is lossy: a slot of four bytes remembers one node, there are about as many slots as nodes, and what is in
//! it is believed only after the record of that node was seen to be in the tree and to have the key. Nobody has to clear it.
//!
//! The slots lie in buckets of four, and a key's node may be in any of its bucket's. Layout of a slot: link of the node in the low bits, as many as the links of the table's time need; in the rest some bits of the
//! hash, so that a slot with another key in it seldom costs a look at its node. Zero is an empty slot.
//!
//! Thread safety: relaxed atomics; a slot is one word, and any word in it is harmless. A reader stores only when it had to
//! walk, and into a slot in use only each eighth time, so that slots of keys looked for often stay and reading
//! seldom writes.

use super::node::{Link, NIL};
use crate::memory::huge;
use crate::memory::prefetch;
use foldhash::fast::FixedState;
use std::cell::Cell;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};

/// A slot in use is given to another key once in so many times.
const SELDOM: u32 = 8;

/// Bits of the longest link, to which a slot leaves one bit of a hash.
const LINK_BITS_MOST: u32 = u32::BITS - 1;

/// Slots of a bucket, in any of which a key's node may be.
const WAYS: usize = 4;

/// See the head of this file.
pub(super) struct Shortcuts {
    slots: Box<[AtomicU32]>,
    link_bits: u32,
}

impl Shortcuts {
    /// An empty table of so many slots, a power of two, for links below a bound.
    pub(super) fn new(slots: usize, links: usize) -> Self {
        let mut empty = Vec::with_capacity(slots);
        huge::advise(empty.spare_capacity_mut());
        empty.extend((0..slots).map(|_| AtomicU32::new(0)));
        Self {
            slots: empty.into_boxed_slice(),
            link_bits: links.next_power_of_two().ilog2().min(LINK_BITS_MOST),
        }
    }

    /// The hash of a key.
    #[inline]
    pub(super) fn hash(key: &[u8]) -> u64 {
        FixedState::with_seed(0).hash_one(key)
    }

    /// The slots that may have the node of a key in them.
    #[inline]
    fn bucket(&self, hash: u64) -> &[AtomicU32] {
        let start = hash as usize & (self.slots.len() - 1) & !(WAYS - 1);
        self.slots.get(start..start + WAYS).unwrap_or_default()
    }

    /// The bits of the hash that a slot keeps.
    #[inline]
    fn tag(&self, hash: u64) -> u32 {
        ((hash >> 32) as u32) & (u32::MAX << self.link_bits)
    }

    /// Asks for the line of a bucket.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch::line(self.bucket(hash).as_ptr());
    }

    /// The node at which a look-up for a key of this hash may have ended.
    #[inline]
    pub(super) fn get(&self, hash: u64) -> Option<Link> {
        let tag = self.tag(hash);
        let found = self.bucket(hash).iter().map(|slot| slot.load(Ordering::Relaxed) ^ tag);
        // What is left has no bits above the link's if the tags are equal.
        found.into_iter().find(|link| *link != NIL && link >> self.link_bits == 0)
    }

    /// Remembers where a look-up ended: in the slot that has the same bits of a hash in it, in an empty one, or, seldom, in any.
    pub(super) fn offer(&self, hash: u64, link: Link) {
        thread_local! {
            static TURN: Cell<u32> = const { Cell::new(0) };
        }
        let turn = TURN.with(|turn| turn.replace(turn.get().wrapping_add(1)));
        if !self.store_if(hash, link, true) && turn.is_multiple_of(SELDOM) {
            let way = (turn / SELDOM) as usize % WAYS;
            if let Some(slot) = self.bucket(hash).get(way) {
                slot.store(link | self.tag(hash), Ordering::Relaxed);
            }
        }
    }

    /// Remembers a new node if there is an empty slot.
    pub(super) fn offer_new(&self, hash: u64, link: Link) {
        self.store_if(hash, link, false);
    }

    /// Stores a link into a slot with the same bits of a hash, if so asked, or an empty one; `false` if there is none.
    fn store_if(&self, hash: u64, link: Link, same: bool) -> bool {
        let tag = self.tag(hash);
        if link >> self.link_bits != 0 {
            return true;
        }
        let bucket = self.bucket(hash);
        let is_same = |slot: &&AtomicU32| (slot.load(Ordering::Relaxed) ^ tag) >> self.link_bits == 0;
        let is_empty = |slot: &&AtomicU32| slot.load(Ordering::Relaxed) == 0;
        let slot = if same { bucket.iter().find(is_same) } else { None };
        let Some(slot) = slot.or_else(|| bucket.iter().find(is_empty)) else { return false };
        slot.store(link | tag, Ordering::Relaxed);
        true
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::within;
    use std::time::Duration;

    #[test]
    fn what_was_offered_comes_back_and_nothing_else() {
        within(Duration::from_secs(60), "what was offered comes back and nothing else", || {
            let table = Shortcuts::new(64, 1 << 10);
            let key = |n: u32| Shortcuts::hash(&n.to_le_bytes());
            assert_eq!(table.get(key(1)), None);
            table.offer(key(1), 1_023);
            assert_eq!(table.get(key(1)), Some(1_023));
            table.offer(key(1), 7);
            assert_eq!(table.get(key(1)), Some(7), "a later place of the same key takes the slot");
            // Other keys of the same bucket have other bits.
            let other = |n: u64| key(1) ^ (n << 60);
            (1..4).for_each(|n| table.offer_new(other(n), n as Link));
            (1..4).for_each(|n| assert_eq!(table.get(other(n)), Some(n as Link)));
            assert_eq!((table.get(key(1)), table.get(other(4))), (Some(7), None));
            // Into a full bucket no new one comes, but one that was looked for often enough.
            table.offer_new(other(4), 5);
            assert_eq!(table.get(other(4)), None);
            (0..SELDOM).for_each(|_| table.offer(other(4), 5));
            assert_eq!(table.get(other(4)), Some(5));
            let kept = (0..4).filter(|n| table.get(other(*n)).is_some()).count();
            assert_eq!(kept, 3, "one made room");
            // A link that does not fit is not kept.
            table.offer(other(4), 1_024);
            assert_eq!(table.get(other(4)), Some(5));
        });
    }
}
