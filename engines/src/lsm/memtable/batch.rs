//! Batches: all their records are linked before any of them is seen.
//!
//! Invariants: the records of a batch name its descriptor until they have numbers (see `sequence`), and are invisible
//! until it is committed. A batch is checked as a whole and room is reserved before its first record is linked, so that none is
//! half applied. Of several operations on one key the last leaves a version; each has a number.
//!
//! Thread safety: one batch at a time. A batch never waits for another write, so who waits for a batch waits for it alone.

use super::lanes::{Change, lane};
use super::leaf::{Found, fingerprint};
use super::pause::pause;
use super::record;
use super::sequence::Descriptor;
use super::table::{CAPABILITIES, KEYS_RECLAIMED_PER_WRITE, Memtable, Write};
use crate::engine::{WriteBatch, WriteOp};
use crate::error::Result;
use crate::sync::Ordering;
use crossbeam::epoch::{self, Guard};

impl Memtable {
    /// See [`crate::engine::Session::batch`]. Each operation has a sequence number of its own.
    ///
    /// # Errors
    /// As there.
    pub fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        let _alone = self.batches.lock();
        let lane = lane();
        let _inside = self.enter(lane)?;
        if batch.is_empty() {
            return Ok(());
        }
        let guard = &epoch::pin();
        self.reclaim(KEYS_RECLAIMED_PER_WRITE * batch.len(), lane, guard);
        let writes = in_order(batch);
        let mut reserved = if self.limit > 0 { self.admit_batch(&writes, guard)? } else { 0 };
        let descriptor = Descriptor::new(self.tree.nodes(), lane, batch.len());
        let mut change = Change::default();
        let mut linked = Vec::with_capacity(writes.len());
        for (index, write) in writes {
            pause();
            let write = Write { stamp: descriptor.stamp(index), ..write };
            let wanted = |live| live || write.value.is_some() || self.over_older;
            if let Ok(written) = self.put(write, wanted, lane, guard, &mut reserved) {
                change.add(&Self::change_of(&written, guard));
                linked.extend(written.record.map(|(record, over)| (record, over, index as u64)));
            }
        }
        let first = descriptor.commit(&self.clock, guard);
        for (record, _, index) in &linked {
            if let Some(stamp) = record.stamp() {
                stamp.store(first + index, Ordering::Release);
            }
        }
        pause();
        for (record, over, index) in &linked {
            self.after_write(record, first + index, *over, lane, guard, &mut change);
        }
        descriptor.retire(self.tree.nodes(), lane, guard);
        self.account(lane, &change, reserved);
        self.tidy(lane, guard);
        Ok(())
    }

    /// Reserves the bytes that a batch may take: first as if every key were new, and only if that does not fit by looking at
    /// each key as it is before the batch. Returns how many.
    fn admit_batch(&self, writes: &[(usize, Write<'_>)], guard: &Guard) -> Result<u64> {
        let value_len = |write: &Write<'_>| write.value.map_or(0, <[u8]>::len);
        let most = writes.iter().map(|(_, write)| record::cost(write.key.len(), value_len(write))).sum();
        if self.reserve(most).is_ok() {
            return Ok(most);
        }
        let growth = writes.iter().map(|(_, write)| {
            let (_, leaf) = self.tree.leaf(write.key, guard);
            match leaf.find(write.key, fingerprint(write.key), guard) {
                Found::Entry(_, _, newest) => self.growth(write, Some(&newest)),
                _ if write.value.is_none() && !self.over_older => 0,
                _ => self.growth(write, None),
            }
        });
        let growth = growth.sum();
        self.reserve(growth).map(|()| growth)
    }
}

/// The last operation on each key by key, with its place in the batch.
fn in_order(batch: &WriteBatch) -> Vec<(usize, Write<'_>)> {
    let write = |op| match op {
        WriteOp::Set { key, value } => Write { key, value: Some(value), stamp: 0, admit: false },
        WriteOp::Delete { key } => Write { key, value: None, stamp: 0, admit: false },
    };
    let mut writes: Vec<_> = batch.iter().map(write).enumerate().collect();
    writes.sort_unstable_by(|(a_index, a), (b_index, b)| a.key.cmp(b.key).then(b_index.cmp(a_index)));
    writes.dedup_by(|(_, later), (_, kept)| later.key == kept.key);
    writes
}
