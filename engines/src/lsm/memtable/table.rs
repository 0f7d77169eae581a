//! The memtable and its operations on one key.
//!
//! Thread safety: all of it, without a latch on the way of reads and of writes of single keys: a write links its record by one
//! compare-exchange and then stamps it (see `sequence`); a read takes the newest record that is stamped. What may wait: a write
//! of a key that a batch is writing at this moment; batches for each other; `freeze` for writes under way; the slab's
//! latches, which are held for a few instructions.
//!
//! Order in which things are taken: the lock of batches, the gate, the epoch, the list of busy records, the slab.

use super::NAME;
use super::chain::Hidden;
use super::lanes::{Change, Inside, Lanes, lane};
use super::leaf::{FROZEN, Found, Leaf, entry, fingerprint};
use super::options::MemtableOptions;
use super::pause::pause;
use super::reach::Blocks;
use super::record::{self, PENDING, Record, UNSTAMPED};
use super::sequence::Clock;
use super::tree::Tree;
use super::upkeep::Busy;
use super::views::Views;
use crate::engine::{Capabilities, Durability, Existence};
use crate::error::{Error, Result};
use crate::sync::{AtomicU64, Ordering, Wait};
use crossbeam::epoch::{self, Guard};
use crossbeam::queue::SegQueue;
use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

/// What the engine can do; see [`crate::engine::Engine::capabilities`].
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    batch_atomic_visibility: true,
    scan_snapshot: true,
    durability: Durability::ALL,
    ..Capabilities::IN_MEMORY_ORDERED
};
/// Keys whose older versions each write drops when the views they were kept for have ended. Each write keeps
/// one more key's older version at the most, so the queue shrinks.
pub(super) const KEYS_RECLAIMED_PER_WRITE: usize = 4;

/// An ordered table of versions in memory. See the module above.
pub struct Memtable {
    pub(super) tree: Tree,
    pub(super) records: Blocks,
    pub(super) clock: Clock,
    pub(super) views: Views,
    pub(super) lanes: Lanes,
    pub(super) hidden: SegQueue<Hidden>,
    /// The oldest view when the queue of hidden versions was last found to wait for it.
    pub(super) waits_for: CachePadded<AtomicU64>,
    /// One batch at a time.
    pub(super) batches: Mutex<()>,
    /// Held by who moves records together. The records that were left to another time.
    pub(super) busy: Mutex<Vec<Busy>>,
    pub(super) limit: u64,
    /// Bytes used and reserved, if there is a limit.
    pub(super) used: CachePadded<AtomicU64>,
    /// Whether a delete must leave a tombstone although the key is not here, because it may be in an older
    /// table.
    pub(super) over_older: bool,
}

/// What a write found, and the record it left: the record, and the address of what it was put over.
pub(super) struct Written<'g> {
    pub(super) was_live: bool,
    pub(super) record: Option<(Record<'g>, u64)>,
}

/// One write.
#[derive(Clone, Copy)]
pub(super) struct Write<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: Option<&'a [u8]>,
    /// The record's stamp when it is linked.
    pub(super) stamp: u64,
    /// Whether to see to the limit; otherwise the caller did.
    pub(super) admit: bool,
}

impl Memtable {
    /// An empty table that stands alone: the first write has sequence number 1, and tombstones are kept only
    /// while they hide something.
    pub fn new(options: MemtableOptions) -> Self {
        Self::open(options, 0, false)
    }

    /// An empty table over older tables, whose writes follow `sequence`. A delete leaves a tombstone in any
    /// case, and [`Memtable::compact`] keeps them.
    pub fn over_older_tables(options: MemtableOptions, sequence: u64) -> Self {
        Self::open(options, sequence, true)
    }

    fn open(options: MemtableOptions, sequence: u64, over_older: bool) -> Self {
        Self {
            tree: Tree::new(),
            records: Blocks::new(),
            clock: Clock::after(sequence),
            views: Views::default(),
            lanes: Lanes::default(),
            hidden: SegQueue::new(),
            waits_for: CachePadded::default(),
            batches: Mutex::new(()),
            busy: Mutex::default(),
            limit: options.limit.bytes(),
            used: CachePadded::default(),
            over_older,
        }
    }

    /// The sequence number that was given last.
    pub fn sequence(&self) -> u64 {
        self.clock.now()
    }

    /// Refuses all further writes with [`Error::ReadOnly`]. Writes under way are complete when this returns.
    pub fn freeze(&self) {
        self.lanes.close();
    }

    /// Whether [`Memtable::freeze`] was called.
    pub fn is_frozen(&self) -> bool {
        self.lanes.is_closed()
    }

    /// Bytes that versions take, about: their blocks, and their entries in the leaves. What the limit is compared with. O(1).
    pub fn used_bytes(&self) -> u64 {
        self.lanes.total().used_bytes.max(0) as u64
    }

    /// Begins a write, if the table takes any.
    #[inline]
    pub(super) fn enter(&self, lane: usize) -> Result<Inside<'_>> {
        self.lanes.enter(lane).ok_or(Error::ReadOnly { engine: NAME, reason: "it is frozen" })
    }

    /// Reserves bytes of the limit.
    pub(super) fn reserve(&self, bytes: u64) -> Result<()> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            if used.saturating_add(bytes) > self.limit {
                return Err(Error::Full {
                    engine: NAME,
                    used_bytes: used.min(self.limit),
                    limit_bytes: self.limit,
                });
            }
            match self.used.compare_exchange_weak(used, used + bytes, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => used = other,
            }
        }
    }

    /// Counts what a write has changed, in exchange for what was reserved for it.
    #[inline]
    pub(super) fn account(&self, lane: usize, change: &Change, reserved: u64) {
        self.lanes.count(lane, change);
        if self.limit > 0 {
            self.used.fetch_add((change.used_bytes as u64).wrapping_sub(reserved), Ordering::Relaxed);
        }
    }

    /// What a write will add to the bytes used, as things are.
    pub(super) fn growth(&self, write: &Write<'_>, over: Option<&Record<'_>>) -> u64 {
        if write.value.is_none() && !self.over_older && self.views.len() == 0 {
            return 0;
        }
        let cost = record::cost(write.key.len(), write.value.map_or(0, <[u8]>::len));
        let freed = over.filter(|_| self.views.len() == 0).map_or(0, Record::cost);
        cost.saturating_sub(freed)
    }

    /// Links a record for a write, if `wanted` agrees with what is there. What was reserved is added to `reserved`, in case
    /// of an error too.
    #[inline]
    pub(super) fn put<'g>(
        &self,
        write: Write<'_>,
        wanted: impl Fn(bool) -> bool,
        lane: usize,
        guard: &'g Guard,
        reserved: &mut u64,
    ) -> Result<Written<'g>> {
        let Write { key, value, stamp, .. } = write;
        let fingerprint = fingerprint(key);
        let (mut fresh, wait) = (None, Wait::new());
        let outcome = loop {
            let (at, leaf) = self.tree.leaf(key, guard);
            let found = leaf.find(key, fingerprint, guard);
            let over = match &found {
                Found::Entry(_, _, newest) => {
                    // Its number must be drawn before ours. A batch on its way has none yet.
                    let Some(number) = self.clock.stamp(newest, guard) else {
                        wait.once();
                        continue;
                    };
                    if stamp != UNSTAMPED && stamp & PENDING == 0 && stamp <= number {
                        let operation = "a sequence number that is not above the key's last";
                        break Err(Error::Unsupported { engine: NAME, operation });
                    }
                    Some(*newest)
                }
                Found::Absent(_) | Found::Sealed => None,
            };
            let was_live = over.is_some_and(|over| over.is_live());
            if !wanted(was_live) {
                break Ok(Written { was_live, record: None });
            }
            let place = match found {
                Found::Entry(word, held, _) if held & FROZEN == 0 => Some((word, held)),
                Found::Absent(word) => Some((word, 0)),
                _ => None,
            };
            let Some((word, held)) = place else {
                self.tree.renew(key, at, lane, guard);
                continue;
            };
            if self.limit > 0 && write.admit {
                let growth = self.growth(&write, over.as_ref());
                if growth > *reserved {
                    if let Err(full) = self.reserve(growth - *reserved) {
                        break Err(full);
                    }
                    *reserved = growth;
                }
            }
            let hides = over.map_or(0, |over| over.address());
            let new = match fresh.take() {
                Some(new) => {
                    record::set_older(&new, hides);
                    new
                }
                None => record::create(&self.records, lane, key, value, stamp, hides),
            };
            let entry = entry(fingerprint, new.address());
            pause();
            let linked =
                if held == 0 { Leaf::append(word, entry) } else { Leaf::exchange(word, held, entry) };
            if linked {
                let record = Record::at(new.publish(), guard).map(|record| (record, hides));
                break Ok(Written { was_live, record });
            }
            fresh = Some(new);
        };
        if let Some(fresh) = fresh {
            self.records.discard(fresh);
        }
        outcome
    }

    /// What a new record changes in the figures.
    pub(super) fn change_of(written: &Written<'_>, guard: &Guard) -> Change {
        let Some((record, over)) = &written.record else { return Change::default() };
        let live = record.is_live();
        let hidden = Record::at(*over, guard).filter(|_| written.was_live);
        Change {
            records: i64::from(live) - i64::from(written.was_live),
            live_bytes: if live { record.data_len() as i64 } else { 0 }
                - hidden.map_or(0, |hidden| hidden.data_len() as i64),
            versions: 1,
            tombstones: i64::from(!live),
            used_bytes: record.cost() as i64,
        }
    }

    /// Writes one version where `wanted` agrees with what is there, with a number of its own if the stamp is
    /// [`UNSTAMPED`]. Returns whether the key was live.
    #[inline]
    fn write(
        &self,
        key: &[u8],
        value: Option<&[u8]>,
        stamp: u64,
        wanted: impl Fn(bool) -> bool,
    ) -> Result<bool> {
        let lane = lane();
        let _inside = self.enter(lane)?;
        let guard = &epoch::pin();
        self.reclaim(KEYS_RECLAIMED_PER_WRITE, lane, guard);
        let mut reserved = 0;
        let write = Write { key, value, stamp, admit: true };
        let result = self.put(write, wanted, lane, guard, &mut reserved);
        let mut change = Change::default();
        if let Ok(written) = &result {
            change = Self::change_of(written, guard);
            pause();
            if let Some((record, over)) = written.record
                && let Some(sequence) = self.clock.stamp(&record, guard)
            {
                self.after_write(&record, sequence, over, lane, guard, &mut change);
            }
        }
        self.account(lane, &change, reserved);
        self.tidy(lane, guard);
        result.map(|written| written.was_live)
    }

    /// See [`crate::engine::Session::get`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.get_at(None, key, value)
    }

    /// The value as of a sequence number that a view holds, or of now.
    #[inline]
    pub(super) fn get_at(&self, sequence: Option<u64>, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        CAPABILITIES.check_key(key)?;
        value.clear();
        let guard = &epoch::pin();
        let (_, leaf) = self.tree.leaf(key, guard);
        let Found::Entry(_, _, newest) = leaf.find(key, fingerprint(key), guard) else { return Ok(false) };
        let found = self.visible(newest, sequence, guard).and_then(|(record, _)| record.value());
        value.extend_from_slice(found.unwrap_or_default());
        Ok(found.is_some())
    }

    /// The version that a reader sees, as of a number that a view holds or of now, and its number.
    #[inline]
    pub(super) fn visible<'g>(
        &self,
        newest: Record<'g>,
        sequence: Option<u64>,
        guard: &'g Guard,
    ) -> Option<(Record<'g>, u64)> {
        let mut record = newest;
        loop {
            // Before the stamp: what a batch hides is there as long as the batch is not.
            let older = record.older_address();
            pause();
            match self.clock.stamp(&record, guard) {
                Some(number) if sequence.is_none_or(|sequence| number <= sequence) => {
                    return Some((record, number));
                }
                _ => record = Record::at(older, guard)?,
            }
        }
    }

    /// See [`crate::engine::Session::set`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.write(key, Some(value), UNSTAMPED, |_| true).map(|_| ())
    }

    /// See [`crate::engine::Session::update`].
    ///
    /// # Errors
    /// As there.
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        self.write(key, Some(value), UNSTAMPED, |live| live)
    }

    /// See [`crate::engine::Session::delete`]. Tells whether the key was in this table.
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        self.write(key, None, UNSTAMPED, |live| live || self.over_older).map(Existence::from)
    }

    /// Writes a version, or a tombstone, with a sequence number from outside, above 0 and below 2^62; the table's own go on behind it.
    /// Numbers of one key must ascend from call to call. It is the caller's part to open views, and to let readers in, only when
    /// all numbers up to theirs have been written; a view opened earlier may miss them.
    ///
    /// # Errors
    /// As [`crate::engine::Session::set`]; [`Error::Unsupported`] if the key has a version with that number or a higher one.
    pub fn write_at(&self, sequence: u64, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        CAPABILITIES.check_record(key, value.unwrap_or_default())?;
        let in_range = sequence != UNSTAMPED && sequence < PENDING >> 1;
        if !in_range {
            return Err(Error::Unsupported { engine: NAME, operation: "a sequence number out of range" });
        }
        self.clock.raise(sequence);
        self.write(key, value, sequence, |live| value.is_some() || live || self.over_older).map(|_| ())
    }
}
