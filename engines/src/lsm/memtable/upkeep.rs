//! Upkeep: versions kept for views that have ended, records moved off sparse pages, figures.
//!
//! Invariants: while a version is kept that a newer one hides, its key is in the queue of hidden versions, or in the hands of who
//! took it from there to look. A record is moved by linking a copy in its place, as a write would; its number stays.
//!
//! Thread safety: lock-free. One thread at a time moves records, the one that holds the list of busy ones; others pass by.

use super::chain::Hidden;
use super::lanes::{Change, lane};
use super::leaf::{FROZEN, Found, Leaf, entry, fingerprint};
use super::pause::pause;
use super::record::{self, PENDING, UNSTAMPED};
use super::table::Memtable;
use super::tree::{Node, node};
use crate::engine::Stats;
use crate::sync::Ordering;
use crossbeam::epoch::{self, Guard};

/// Tries to move one record, against writers of the same leaf, before it is left to another time.
const MOVE_TRIES: usize = 3;
/// Records that are left to another time; of more than so many the pages are left to the slab, which lets them be used again.
const BUSY_MOST: usize = 128;

/// Of the writes that find pages sparse, one in so many moves the records of a page, a few hundred at most.
const WRITES_PER_PAGE: u64 = 256;

/// A record on a page that is being emptied, which could not be moved yet: its key, and the address it had.
pub(super) struct Busy {
    key: Vec<u8>,
    address: u64,
}

/// What became of moving a record.
#[derive(PartialEq, Eq)]
enum Moved {
    /// It is not there any more: moved now, or gone before.
    Gone,
    /// Somebody may be about to do something with it.
    Busy,
    /// Others changed its leaf at this moment.
    Raced,
}

impl Memtable {
    /// Drops what was kept for views that have ended, for `keys` keys at the most, so that no operation pays
    /// for all.
    #[inline]
    pub(super) fn reclaim(&self, keys: usize, lane: usize, guard: &Guard) {
        if !self.hidden.is_empty() {
            self.reclaim_hidden(keys, lane, guard);
        }
    }

    #[cold]
    fn reclaim_hidden(&self, keys: usize, lane: usize, guard: &Guard) {
        let oldest = self.views.seen().oldest();
        if oldest != u64::MAX && self.waits_for.load(Ordering::Relaxed) == oldest {
            return;
        }
        let mut change = Change::default();
        for _ in 0..keys {
            let Some(hidden) = self.hidden.pop() else { break };
            if hidden.sequence > oldest {
                self.hidden.push(hidden);
                self.waits_for.store(oldest, Ordering::Relaxed);
                break;
            }
            self.reclaim_key(hidden, lane, guard, &mut change);
        }
        self.account(lane, &change, 0);
    }

    fn reclaim_key(&self, hidden: Hidden, lane: usize, guard: &Guard, change: &mut Change) {
        let key = &*hidden.key;
        let (_, leaf) = self.tree.leaf(key, guard);
        let Found::Entry(_, _, newest) = leaf.find(key, fingerprint(key), guard) else { return };
        let Some(sequence) = self.clock.stamp(&newest, guard) else { return self.hidden.push(hidden) };
        self.trim(&newest, sequence, lane, guard, change);
        if newest.older_address() != 0 {
            self.hidden.push(Hidden { sequence, key: hidden.key });
        } else if !newest.is_live() && !self.over_older {
            self.drop_bare_tombstone(&newest, lane, guard, change);
        }
    }

    /// Moves records together if there are sparse pages and it is this write's turn.
    #[inline]
    pub(super) fn tidy(&self, lane: usize, guard: &Guard) {
        if self.records.is_sparse() && self.lanes.takes_turn(lane, WRITES_PER_PAGE) {
            self.move_together(lane, guard);
        }
    }

    /// Moves the records of one sparse page to fuller ones, so that the page becomes free, and those that were left the
    /// last time. Returns whether there was such a page.
    #[cold]
    pub(super) fn move_together(&self, lane: usize, guard: &Guard) -> bool {
        let Some(mut busy) = self.busy.try_lock() else { return false };
        let blocks = self.records.sparse_page(guard);
        let found = blocks.is_some();
        let listed = blocks
            .into_iter()
            .flatten()
            .filter_map(|(address, words)| record::key_of_unknown(words).map(|key| Busy { key, address }));
        for record in std::mem::take(&mut *busy).into_iter().chain(listed) {
            let tried = (0..MOVE_TRIES)
                .map(|_| self.move_record(&record.key, record.address, lane, guard))
                .find(|moved| *moved != Moved::Raced);
            if tried != Some(Moved::Gone) && busy.len() < BUSY_MOST {
                busy.push(record);
            }
        }
        found
    }

    /// Puts a copy in the place of the record at an address, if that is the newest of its key, and nobody else may be
    /// about to do something with it.
    fn move_record(&self, key: &[u8], address: u64, lane: usize, guard: &Guard) -> Moved {
        let fingerprint = fingerprint(key);
        let (at, leaf) = self.tree.leaf(key, guard);
        let Found::Entry(word, held, newest) = leaf.find(key, fingerprint, guard) else { return Moved::Gone };
        if newest.address() != address {
            return Moved::Gone;
        }
        let stamp = newest.stamp().map_or(UNSTAMPED, |stamp| stamp.load(Ordering::Acquire));
        // Who takes out a tombstone that hides nothing looks for it at its address. Over older tables nobody does.
        let leaves = !newest.is_live() && !self.over_older;
        if stamp == UNSTAMPED || stamp & PENDING != 0 || newest.older_address() != 0 || leaves {
            return Moved::Busy;
        }
        if held & FROZEN != 0 {
            self.tree.renew(key, at, lane, guard);
            return Moved::Raced;
        }
        let copy = record::create(&self.records, lane, key, newest.value(), stamp, 0);
        pause();
        if !Leaf::exchange(word, held, entry(fingerprint, copy.address())) {
            self.records.discard(copy);
            return Moved::Raced;
        }
        copy.publish();
        self.records.retire(lane, address, newest.block_words(), guard);
        Moved::Gone
    }

    /// Drops all versions that no view needs, and moves records together. O(n). A frozen table stays as it is.
    pub fn compact(&self) {
        let lane = lane();
        let Some(_inside) = self.lanes.enter(lane) else { return };
        let queued = self.hidden.len();
        self.waits_for.store(0, Ordering::Relaxed);
        for _ in 0..queued {
            // Pinned anew each time, so that what is retired can be freed meanwhile.
            let guard = &epoch::pin();
            let Some(hidden) = self.hidden.pop() else { break };
            let mut change = Change::default();
            self.reclaim_key(hidden, lane, guard, &mut change);
            self.account(lane, &change, 0);
        }
        // What was retired makes pages sparse when it is free, and so does what is moved from them.
        self.wait_for_readers();
        // What could not be moved before may have become movable.
        self.records.retry_stuck_pages();
        while self.move_together(lane, &epoch::pin()) {}
        self.wait_for_readers();
    }

    /// Waits until what was retired before is free, unless a thread stays pinned for very long.
    fn wait_for_readers(&self) {
        self.records.reclaim();
        self.tree.nodes().reclaim();
    }

    /// Its state in figures. O(log n).
    pub fn stats(&self) -> Stats {
        let total = self.lanes.total();
        let (records, nodes) = (self.records.held_bytes(), self.tree.nodes().held_bytes());
        let guard = &epoch::pin();
        let (mut height, mut at) = (1, self.tree.root());
        while let Node::Branch(branch) = node(at, guard) {
            height += 1;
            at = branch.child(0);
        }
        let details = [
            ("versions", total.versions as f64),
            ("tombstones", total.tombstones as f64),
            ("height", f64::from(height)),
            ("sequence", self.clock.now() as f64),
            ("read_views", self.views.len() as f64),
            ("used_bytes", total.used_bytes as f64),
            ("record_bytes", records as f64),
            ("node_bytes", nodes as f64),
            ("hidden_keys", self.hidden.len() as f64),
        ];
        Stats {
            records: total.records.max(0) as u64,
            live_bytes: Some(total.live_bytes.max(0) as u64),
            memory_bytes: size_of::<Self>() as u64 + records + nodes,
            details: details.map(|(name, figure)| (name.to_owned(), figure)).to_vec(),
        }
    }
}
