//! Which versions of a key are kept, and which a reader sees.
//!
//! Thread safety: none of its own; the table keeps it behind a latch, shared for the methods that take
//! `&self`.
//!
//! Invariants: sequence numbers are above 0, and a new version has a higher one than all before. The newest
//! version of a key is kept; an older one may be dropped unless a read view lies between it and the next
//! newer. A new version of a key whose newest no view needs takes that one's node. Every key with several
//! versions has its newest node in `hidden`, so that the others are found and dropped when the views they
//! were kept for have ended.

use super::node::NONE;
use super::skiplist::{Predecessors, SkipList, node_bytes_max};
use super::views::Views;
use crate::chunk::Chunk;
use crate::engine::ScanRange;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;

/// A place in the order before all versions of a key, and one behind them.
const BEFORE_ALL: u64 = u64::MAX;
const BEHIND_ALL: u64 = 0;

/// See the module.
pub(super) struct Versions {
    list: SkipList,
    /// Newest nodes that hide older versions, with the sequence number they were written at, which ascends. A
    /// node may have been removed since, or be another key's by now; to look at its key again then does no
    /// harm.
    hidden: VecDeque<(u32, u64)>,
    records: usize,
    tombstones: usize,
    live_bytes: usize,
}

/// Where a key is or would be; valid until the next change but for that of [`Versions::put`] at this place.
pub(super) struct Place {
    predecessors: Predecessors,
    newest: u32,
}

impl Versions {
    /// No versions.
    pub(super) fn new() -> Self {
        Self { list: SkipList::new(), hidden: VecDeque::new(), records: 0, tombstones: 0, live_bytes: 0 }
    }

    /// The list of all versions.
    pub(super) const fn list(&self) -> &SkipList {
        &self.list
    }

    /// Keys whose newest version is a value.
    pub(super) const fn records(&self) -> usize {
        self.records
    }

    /// Versions that are tombstones.
    pub(super) const fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// Bytes of keys and values of the live records.
    pub(super) const fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        self.list.memory_bytes() + self.hidden.capacity() * size_of::<(u32, u64)>()
    }

    /// The value of a key as of a sequence number.
    pub(super) fn get_at(&self, key: &[u8], sequence: u64) -> Option<&[u8]> {
        let node = self.list.seek(key, sequence);
        if self.list.has_key(node, key) { self.list.value(node) } else { None }
    }

    /// Finds a key's place.
    pub(super) fn locate(&self, key: &[u8]) -> Place {
        let predecessors = self.list.predecessors(key, BEFORE_ALL);
        let [before, ..] = predecessors;
        let node = self.list.next(before);
        Place { predecessors, newest: if self.list.has_key(node, key) { node } else { NONE } }
    }

    /// Whether the newest version at a place is a value.
    pub(super) fn is_live(&self, place: &Place) -> bool {
        place.newest != NONE && self.list.node(place.newest).is_live()
    }

    /// How many bytes of a limit a version would take at the most.
    pub(super) fn cost(&self, place: &Place, len: usize, sequence: u64, views: &Views) -> usize {
        if self.takes_over(place, sequence, views) {
            self.list.growth(place.newest, len)
        } else {
            node_bytes_max(len)
        }
    }

    fn takes_over(&self, place: &Place, sequence: u64, views: &Views) -> bool {
        place.newest != NONE && !views.need(self.list.node(place.newest).sequence, sequence)
    }

    /// Adds the newest version of the key that `place` was found for.
    pub(super) fn put(
        &mut self,
        place: &Place,
        key: &[u8],
        sequence: u64,
        value: Option<&[u8]>,
        views: &Views,
    ) {
        let newest = place.newest;
        if self.is_live(place) {
            self.records -= 1;
            self.live_bytes -= self.list.node(newest).data_len();
        }
        if let Some(value) = value {
            self.records += 1;
            self.live_bytes += key.len() + value.len();
        }
        self.tombstones += usize::from(value.is_none());
        if self.takes_over(place, sequence, views) {
            self.tombstones -= usize::from(!self.list.node(newest).is_live());
            self.list.replace(newest, key, sequence, value);
            self.drop_hidden(newest, views);
        } else {
            let node = self.list.insert(&place.predecessors, key, sequence, value);
            if newest != NONE {
                self.hidden.push_back((node, sequence));
                self.drop_hidden(node, views);
            }
        }
    }

    /// Drops the newest version of a key if it is a tombstone that hides nothing: without it the key is absent for
    /// every reader just the same. `place` is where the key was found or written last; only versions behind the
    /// newest may have been dropped since.
    pub(super) fn drop_bare_tombstone(&mut self, place: &Place, key: &[u8]) {
        let newest = self.list.next(place.predecessors[0]);
        if self.is_bare_tombstone(newest, key) {
            self.list.unlink(newest, &place.predecessors);
            self.tombstones -= 1;
        }
    }

    fn is_bare_tombstone(&self, newest: u32, key: &[u8]) -> bool {
        self.list.has_key(newest, key)
            && !self.list.node(newest).is_live()
            && !self.list.has_key(self.list.next(newest), key)
    }

    /// Drops the versions older than the newest that no view needs. Without hidden versions anywhere it does
    /// not even look, which saves the cache miss of the next node.
    fn drop_hidden(&mut self, newest: u32, views: &Views) {
        if self.hidden.is_empty() {
            return;
        }
        let mut newer = self.list.node(newest).sequence;
        let mut node = self.list.next(newest);
        while self.list.has_key(node, self.list.key(newest)) {
            let (sequence, next) = (self.list.node(node).sequence, self.list.next(node));
            if !views.need(sequence, newer) {
                self.tombstones -= usize::from(!self.list.node(node).is_live());
                self.list.remove(node);
            }
            (newer, node) = (sequence, next);
        }
    }

    /// Drops what was kept for views that have ended, for `keys` keys at the most, so that no operation pays
    /// for all. A tombstone that hid it goes as well unless `keep_tombstones`.
    pub(super) fn reclaim(&mut self, views: &Views, keys: usize, keep_tombstones: bool) {
        for _ in 0..keys {
            let Some(&(node, sequence)) = self.hidden.front() else { return };
            if views.oldest().is_some_and(|oldest| oldest < sequence) {
                return;
            }
            if self.list.node(node).linked {
                let newest = self.list.seek(self.list.key(node), BEFORE_ALL);
                self.drop_hidden(newest, views);
                if !keep_tombstones && self.is_bare_tombstone(newest, self.list.key(newest)) {
                    self.list.remove(newest);
                    self.tombstones -= 1;
                }
            }
            self.hidden.pop_front();
        }
    }

    /// The same versions built anew in order and without gaps, but for those that no view needs. Tombstones
    /// that hide nothing go too if nothing older lies elsewhere. O(n), and twice the memory meanwhile. Nodes
    /// keep their height, so the result takes no more bytes of a limit.
    pub(super) fn compacted(&self, views: &Views, keep_tombstones: bool) -> Self {
        let mut target = Self::new();
        let mut end = target.list.predecessors(&[], BEHIND_ALL);
        let mut newest = self.list.first();
        let mut kept = Vec::new();
        while newest != NONE {
            let key = self.list.key(newest);
            let (mut node, mut newer) = (newest, None);
            kept.clear();
            while self.list.has_key(node, key) {
                let sequence = self.list.node(node).sequence;
                if newer.is_none_or(|newer| views.need(sequence, newer)) {
                    kept.push(node);
                }
                (newer, node) = (Some(sequence), self.list.next(node));
            }
            while !keep_tombstones && kept.last().is_some_and(|&oldest| !self.list.node(oldest).is_live()) {
                kept.pop();
            }
            for (age, &version) in kept.iter().enumerate() {
                let sequence = self.list.node(version).sequence;
                let value = self.list.value(version);
                let height = self.list.node(version).height as usize;
                let copy = target.list.insert_with_height(&end, height, key, sequence, value);
                end.iter_mut().take(height).for_each(|last| *last = copy);
                target.tombstones += usize::from(value.is_none());
                if age == 0 {
                    target.records += usize::from(value.is_some());
                    target.live_bytes += value.map_or(0, |value| key.len() + value.len());
                    if kept.len() > 1 {
                        target.hidden.push_back((copy, sequence));
                    }
                }
            }
            newest = node;
        }
        target.hidden.make_contiguous().sort_unstable_by_key(|&(_, sequence)| sequence);
        target
    }

    /// Fills a chunk with the first records of a range as of a sequence number.
    pub(super) fn fill(&self, range: &ScanRange<'_>, sequence: u64, chunk: &mut Chunk) {
        if range.reverse {
            self.fill_down(range, sequence, chunk)
        } else {
            self.fill_up(range, sequence, chunk)
        }
    }

    fn fill_up(&self, range: &ScanRange<'_>, sequence: u64, chunk: &mut Chunk) {
        let mut node = match range.lower() {
            Bound::Included(key) => self.list.seek(key, BEFORE_ALL),
            Bound::Excluded(key) => self.list.seek(key, BEHIND_ALL),
            Bound::Unbounded => self.list.first(),
        };
        while node != NONE && !chunk.is_full() {
            let key = self.list.key(node);
            if !range.reaches_up_to(key) {
                return;
            }
            let mut seen = None;
            while self.list.has_key(node, key) {
                if seen.is_none() && self.list.node(node).sequence <= sequence {
                    seen = Some(node);
                }
                node = self.list.next(node);
            }
            self.push(key, seen, range, chunk);
        }
    }

    fn fill_down(&self, range: &ScanRange<'_>, sequence: u64, chunk: &mut Chunk) {
        let mut node = match range.upper() {
            Bound::Included(key) => self.list.before(key, BEHIND_ALL),
            Bound::Excluded(key) => self.list.before(key, BEFORE_ALL),
            Bound::Unbounded => self.list.last(),
        };
        while node != NONE && !chunk.is_full() {
            let key = self.list.key(node);
            if !range.reaches_down_to(key) {
                return;
            }
            let mut seen = None;
            while self.list.has_key(node, key) {
                if self.list.node(node).sequence <= sequence {
                    seen = Some(node);
                }
                node = self.list.previous(node);
            }
            self.push(key, seen, range, chunk);
        }
    }

    fn push(&self, key: &[u8], seen: Option<u32>, range: &ScanRange<'_>, chunk: &mut Chunk) {
        if let Some(value) = seen.and_then(|node| self.list.value(node)) {
            chunk.push(key, if range.keys_only { &[] } else { value });
        }
    }

    /// Checks the invariants of the module and of the list. `last` is the sequence number of the last write.
    pub(super) fn check(&self, last: u64) -> Result<(), String> {
        self.list.check()?;
        let (mut records, mut tombstones, mut live_bytes) = (0, 0, 0);
        let hiding: BTreeSet<u32> = self.hidden.iter().map(|&(node, _)| node).collect();
        let mut node = self.list.first();
        while node != NONE {
            let this = self.list.node(node);
            let key = self.list.key(node);
            if !(1..=last).contains(&this.sequence) {
                return Err(format!("{key:?} has sequence number {}, the last is {last}", this.sequence));
            }
            let newest = !self.list.has_key(this.previous, key);
            if newest && this.is_live() {
                records += 1;
                live_bytes += this.data_len();
            }
            tombstones += usize::from(!this.is_live());
            if newest && self.list.has_key(this.next, key) && !hiding.contains(&node) {
                return Err(format!("{key:?} has older versions that nothing will drop"));
            }
            node = this.next;
        }
        let counted = (self.records, self.tombstones, self.live_bytes);
        if counted != (records, tombstones, live_bytes) {
            let found = (records, tombstones, live_bytes);
            return Err(format!("(records, tombstones, live bytes) {counted:?} counted, {found:?} found"));
        }
        if !self.hidden.iter().map(|&(_, sequence)| sequence).is_sorted() {
            return Err("the queue of hidden versions is out of order".to_owned());
        }
        Ok(())
    }
}
