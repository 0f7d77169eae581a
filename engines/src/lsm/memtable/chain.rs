//! Chains: which versions of a key are kept, and how the others are taken out.
//!
//! The entry of a leaf leads to the newest version, that one's `older` to the next, and so on; numbers descend.
//!
//! Invariants
//! - A version hidden by a newer one is kept while a read view lies between the two. Who put the newer one there looks, after it
//!   was stamped, which views there are, and takes out what none needs. For what it leaves there is an entry in the
//!   queue of hidden versions, so that it goes when the views have ended.
//! - Taking out is by mark and exchange, as in an ordered list (M. Michael, *High Performance Dynamic Lock-Free Hash
//!   Tables and List-Based Sets*, SPAA 2002): a record is marked in its `older` word, which then never changes; who exchanges
//!   the link to it retires it. A link out of a marked record cannot be exchanged, so nothing is unlinked from what was unlinked.
//! - A new version is put over the newest by exchange of the entry, so the newest is never marked.
//!
//! Thread safety: lock-free; a thread whose record was marked leaves the rest of the chain to who marked it, who
//! comes by later.

use super::lanes::Change;
use super::leaf::{Found, fingerprint};
use super::pause::pause;
use super::record::{MARK, Record};
use super::table::Memtable;
use crate::sync::Ordering;
use crossbeam::epoch::Guard;

/// Versions hidden for the sake of a view: those of this key, the newest of them by the write with this number.
pub(super) struct Hidden {
    pub(super) sequence: u64,
    pub(super) key: Box<[u8]>,
}

impl Memtable {
    /// Takes out what no view needs behind a record that has the number `sequence`.
    #[inline]
    pub(super) fn trim(
        &self,
        record: &Record<'_>,
        sequence: u64,
        lane: usize,
        guard: &Guard,
        change: &mut Change,
    ) {
        if record.older_address() != 0 {
            self.trim_chain(*record, sequence, lane, guard, change);
        }
    }

    fn trim_chain(&self, newest: Record<'_>, sequence: u64, lane: usize, guard: &Guard, change: &mut Change) {
        let seen = self.views.seen();
        let (mut newer, mut hidden_at) = (newest, sequence);
        while let Some(link) = newer.older() {
            let to = link.load(Ordering::Acquire);
            if to & MARK != 0 {
                return;
            }
            let Some(record) = Record::at(to, guard) else { return };
            let (Some(own), Some(written_at)) = (record.older(), self.clock.stamp(&record, guard)) else {
                return;
            };
            if own.load(Ordering::Acquire) & MARK == 0 && seen.need(written_at, hidden_at) {
                (newer, hidden_at) = (record, written_at);
                continue;
            }
            let next = own.fetch_or(MARK, Ordering::AcqRel) & !MARK;
            pause();
            if link.compare_exchange(to, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                self.retire(&record, lane, guard, change);
            }
        }
    }

    /// Retires a record whose last link was just taken away.
    pub(super) fn retire(&self, record: &Record<'_>, lane: usize, guard: &Guard, change: &mut Change) {
        change.versions -= 1;
        change.tombstones -= i64::from(!record.is_live());
        change.used_bytes -= record.cost() as i64;
        self.records.retire(lane, record.address(), record.block_words(), guard);
    }

    /// After a record was put over another one and stamped: takes out what no view needs, notes what stays, and takes a
    /// tombstone that hides nothing out as well, unless older tables may have the key.
    #[inline]
    pub(super) fn after_write(
        &self,
        record: &Record<'_>,
        sequence: u64,
        over: u64,
        lane: usize,
        guard: &Guard,
        change: &mut Change,
    ) {
        self.trim(record, sequence, lane, guard, change);
        if over != 0 && record.older_address() == over {
            self.hidden.push(Hidden { sequence, key: record.key().into() });
        }
        if !record.is_live() && !self.over_older {
            self.drop_bare_tombstone(record, lane, guard, change);
        }
    }

    /// Takes a tombstone out of its leaf if it is the newest version and hides nothing: the key is absent for every
    /// reader just the same. Nothing can come behind it any more.
    pub(super) fn drop_bare_tombstone(
        &self,
        tombstone: &Record<'_>,
        lane: usize,
        guard: &Guard,
        change: &mut Change,
    ) {
        if tombstone.older_address() != 0 {
            return;
        }
        let key = tombstone.key();
        let fingerprint = fingerprint(key);
        loop {
            let (at, leaf) = self.tree.leaf(key, guard);
            let Found::Entry(word, held, newest) = leaf.find(key, fingerprint, guard) else { return };
            if newest.address() != tombstone.address() {
                return;
            }
            pause();
            if leaf.vacate(word, held) {
                self.retire(tombstone, lane, guard, change);
                if leaf.is_wasteful() {
                    self.tree.renew(key, at, lane, guard);
                }
                return;
            }
            self.tree.renew_if_frozen(word, key, at, lane, guard);
        }
    }
}
