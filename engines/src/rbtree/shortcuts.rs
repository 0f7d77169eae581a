//! Shortcuts: a table that leads from the hash of a key straight to its node, past the levels of the tree.
//!
//! The idea is the adaptive hash index of InnoDB: the tree is what counts, and the table only remembers where look-ups
//! ended. It is lossy: a slot of four bytes remembers one node, there are about as many slots as nodes, and what is in
//! it is believed only after the record of that node was seen to be in the tree and to have the key. Nobody has to clear it.
//!
//! Layout of a slot: link of the node in the low bits, as many as the links of the table's time need; in the rest some bits of the
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
        Self { slots: empty.into_boxed_slice(), link_bits: links.next_power_of_two().ilog2() }
    }

    /// The hash of a key.
    #[inline]
    pub(super) fn hash(key: &[u8]) -> u64 {
        FixedState::with_seed(0).hash_one(key)
    }

    #[inline]
    fn slot(&self, hash: u64) -> Option<&AtomicU32> {
        self.slots.get(hash as usize & (self.slots.len() - 1))
    }

    /// The bits of the hash that a slot keeps.
    #[inline]
    fn tag(&self, hash: u64) -> u32 {
        ((hash >> 32) as u32) & (u32::MAX << self.link_bits)
    }

    /// Asks for the line of a slot.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(slot) = self.slot(hash) {
            prefetch::line(slot);
        }
    }

    /// The node at which a look-up for a key of this hash may have ended.
    #[inline]
    pub(super) fn get(&self, hash: u64) -> Option<Link> {
        let slot = self.slot(hash)?.load(Ordering::Relaxed);
        let link = slot & !(u32::MAX << self.link_bits);
        (link != NIL && slot ^ link == self.tag(hash)).then_some(link)
    }

    /// Remembers where a look-up ended, if the slot is empty or, seldom, though it is not.
    pub(super) fn offer(&self, hash: u64, link: Link) {
        thread_local! {
            static TURN: Cell<u32> = const { Cell::new(0) };
        }
        let Some(slot) = self.slot(hash) else { return };
        let before = slot.load(Ordering::Relaxed);
        let turn = TURN.with(|turn| turn.replace(turn.get().wrapping_add(1)));
        let outdated = before & (u32::MAX << self.link_bits) == self.tag(hash);
        if (before == 0 || outdated || turn.is_multiple_of(SELDOM)) && link >> self.link_bits == 0 {
            slot.store(link | self.tag(hash), Ordering::Relaxed);
        }
    }

    /// Remembers a new node if the slot is empty.
    pub(super) fn offer_new(&self, hash: u64, link: Link) {
        if let Some(slot) = self.slot(hash)
            && slot.load(Ordering::Relaxed) == 0
            && link >> self.link_bits == 0
        {
            slot.store(link | self.tag(hash), Ordering::Relaxed);
        }
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
            table.offer_new(key(1), 9);
            assert_eq!(table.get(key(1)), Some(7));
            // Of another key with the same slot and other bits nothing is said, until it has come often enough.
            let other = key(1) ^ (1 << 63);
            assert_eq!(table.get(other), None);
            (0..SELDOM).for_each(|_| table.offer(other, 5));
            assert_eq!((table.get(key(1)), table.get(other)), (None, Some(5)));
            // A link that does not fit is not kept.
            table.offer(other, 1_024);
            assert_eq!(table.get(other), Some(5));
        });
    }
}
