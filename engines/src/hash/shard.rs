//! One shard: a table, and while it is being resized a second one that its records move out of.
//!
//! Thread safety: none of its own; the engine keeps a shard behind a latch, shared for the methods that take
//! `&self`.
//!
//! Invariants: a key lies in one of the two tables only. `retiring` is there from the start of a resize until
//! its last record has moved and its memory was cleared; it never takes a new record. No resize starts while
//! one is under way, and none need: the retiring table of C slots is gone after C / 32 + C / 2,048 writes, of
//! which each adds one record at most, and a target table, of C / 4 slots at least, is chosen such that it is
//! at most three quarters of its load limit full with the records there are, or the same size; so it has a
//! free slot until then.

use super::control::SLOTS;
use super::record::{self, Record};
use super::table::Table;

/// How many slots of a table under resize each write operation moves: a bound on what an operation pays for a
/// resize. A batch pays it for each of its operations.
pub const SLOTS_MOVED_PER_OPERATION: usize = 32;
/// How many groups of a table without records each write operation clears.
const GROUPS_DISCARDED_PER_OPERATION: usize = 256;

/// See the module.
pub(super) struct Shard {
    active: Table,
    retiring: Option<Retiring>,
    /// The memory of resized tables, for the engine to free when it has released the latch. A batch may resize more than
    /// once.
    pub(super) garbage: Vec<Table>,
    load_factor: f64,
    least_groups: usize,
    live_bytes: usize,
    allocated_bytes: usize,
    resizes: u64,
    moved_per_operation_max: usize,
}

struct Retiring {
    table: Table,
    /// The group whose records move next.
    next: usize,
}

/// What a shard knows of itself.
#[derive(Clone, Copy, Default)]
pub(super) struct Figures {
    pub(super) records: usize,
    pub(super) live_bytes: usize,
    /// Outside of the shard itself.
    pub(super) memory_bytes: usize,
    pub(super) slots: usize,
    pub(super) tombstones: usize,
    pub(super) resizes: u64,
    pub(super) resizing: bool,
    pub(super) moved_per_operation_max: usize,
}

impl Shard {
    /// An empty shard with at least `slots` slots.
    pub(super) fn new(slots: usize, load_factor: f64) -> Self {
        let groups = slots.div_ceil(SLOTS).next_power_of_two();
        Self {
            active: Table::new(groups),
            retiring: None,
            garbage: Vec::new(),
            load_factor,
            least_groups: groups,
            live_bytes: 0,
            allocated_bytes: 0,
            resizes: 0,
            moved_per_operation_max: 0,
        }
    }

    /// The value of a key.
    #[inline]
    pub(super) fn get(&self, hash: u64, key: &[u8]) -> Option<&[u8]> {
        let record = match (self.active.get(hash, key), &self.retiring) {
            (None, Some(retiring)) => retiring.table.get(hash, key),
            (record, _) => record,
        };
        record.map(|record| record::value(record))
    }

    /// Inserts a record or replaces its value.
    pub(super) fn set(&mut self, hash: u64, key: &[u8], value: &[u8]) {
        self.advance();
        if self.replace(hash, key, value) {
            return;
        }
        let limit = self.limit(self.active.groups());
        if self.retiring.is_none() && self.active.used() >= limit {
            let groups = self.active.groups();
            let crowded = self.active.records() > limit / 2;
            self.start_resize(if crowded { groups * 2 } else { groups });
        }
        let record = record::new(key, value);
        self.live_bytes += key.len() + value.len();
        self.allocated_bytes += record.len();
        self.active.insert(hash, record);
    }

    /// Replaces the value of a key that is there.
    pub(super) fn update(&mut self, hash: u64, key: &[u8], value: &[u8]) -> bool {
        self.advance();
        self.replace(hash, key, value)
    }

    /// Removes a record that is there.
    pub(super) fn delete(&mut self, hash: u64, key: &[u8]) -> bool {
        self.advance();
        let Some(record) = self.remove(hash, key) else { return false };
        self.live_bytes -= key.len() + record::value(&record).len();
        self.allocated_bytes -= record.len();
        if self.retiring.is_none() {
            let (groups, limit) = (self.active.groups(), self.limit(self.active.groups()));
            let sparse = self.active.records() <= limit / 8;
            let target = if sparse { self.fitting_groups() } else { groups };
            if target < groups {
                self.start_resize(target);
            } else if self.active.tombstones() > limit / 4 && self.active.records() <= limit / 2 {
                self.start_resize(groups);
            }
        }
        true
    }

    fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Record> {
        if let Some(position) = self.active.find(hash, key) {
            return self.active.remove(position);
        }
        let table = &mut self.retiring.as_mut()?.table;
        table.find(hash, key).and_then(|position| table.remove(position))
    }

    fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut Record> {
        if let Some(position) = self.active.find(hash, key) {
            return self.active.record_mut(position);
        }
        let table = &mut self.retiring.as_mut()?.table;
        table.find(hash, key).and_then(|position| table.record_mut(position))
    }

    fn replace(&mut self, hash: u64, key: &[u8], value: &[u8]) -> bool {
        let Some(record) = self.find_mut(hash, key) else { return false };
        let (value_len, len) = (record::value(record).len(), record.len());
        record::replace(record, value);
        let new_len = record.len();
        self.live_bytes = self.live_bytes - value_len + value.len();
        self.allocated_bytes = self.allocated_bytes - len + new_len;
        true
    }

    /// How many slots of a table with `groups` groups may be used; at least one always stays empty.
    fn limit(&self, groups: usize) -> usize {
        (((groups * SLOTS) as f64 * self.load_factor) as usize).max(1)
    }

    /// The size a resize may shrink to: a quarter at the least, and not so small that it would have to grow
    /// soon.
    fn fitting_groups(&self) -> usize {
        let mut groups = self.active.groups();
        let least = self.least_groups.max(groups / 4);
        while groups > least && self.active.records() <= self.limit(groups / 2) * 3 / 4 {
            groups /= 2;
        }
        groups
    }

    fn start_resize(&mut self, groups: usize) {
        let table = std::mem::replace(&mut self.active, Table::new(groups));
        self.retiring = Some(Retiring { table, next: 0 });
        self.resizes += 1;
    }

    /// Does one operation's share of a resize under way. Returns whether one is left.
    pub(super) fn advance(&mut self) -> bool {
        let Some(Retiring { table, next }) = &mut self.retiring else { return false };
        if *next < table.groups() && table.records() > 0 {
            let end = (*next + SLOTS_MOVED_PER_OPERATION / SLOTS).min(table.groups());
            let moved = (*next..end).map(|group| table.move_group(group, &mut self.active)).sum();
            *next = end;
            self.moved_per_operation_max = self.moved_per_operation_max.max(moved);
        } else {
            table.discard(GROUPS_DISCARDED_PER_OPERATION);
        }
        if table.groups() == 0 {
            self.garbage.extend(self.retiring.take().map(|retiring| retiring.table));
        }
        self.retiring.is_some()
    }

    /// Starts a resize if that frees memory, or tombstones if these are asked for, and none is under way.
    /// Returns whether it did.
    pub(super) fn start_compaction(&mut self, tombstones: bool) -> bool {
        let groups = self.fitting_groups();
        let useful = groups < self.active.groups() || (tombstones && self.active.tombstones() > 0);
        if useful && self.retiring.is_none() {
            self.start_resize(groups);
            return true;
        }
        false
    }

    /// Gives back the unused bytes of the records in some groups; returns the group to go on at, if there is
    /// one.
    pub(super) fn trim(&mut self, from: usize, groups: usize) -> Option<usize> {
        let end = (from + groups).min(self.active.groups());
        let freed: usize = (from..end).map(|group| self.active.trim_group(group)).sum();
        self.allocated_bytes -= freed;
        (end < self.active.groups()).then_some(end)
    }

    /// The mask of slices that [`Self::visit_slice`] is best called with: about one group a slice.
    pub(super) fn slices(&self) -> usize {
        let retiring = self.retiring.as_ref().map_or(0, |retiring| retiring.table.groups());
        self.active.groups().max(retiring).next_power_of_two() - 1
    }

    /// Visits the records whose hash ends in the bits of `slice`. A record belongs to the same slice always,
    /// so going through all slices visits every record that stays once, whatever is resized meanwhile.
    pub(super) fn visit_slice(&self, slice: usize, slices: usize, visit: &mut impl FnMut(&[u8], &[u8])) {
        let mut visit = |record: &Record| visit(record::key(record), record::value(record));
        self.active.visit_slice(slice, slices, &mut visit);
        if let Some(retiring) = &self.retiring {
            retiring.table.visit_slice(slice, slices, &mut visit);
        }
    }

    /// Its state, in O(1).
    pub(super) fn figures(&self) -> Figures {
        let retiring = self.retiring.as_ref().map(|retiring| &retiring.table);
        let tables = || std::iter::once(&self.active).chain(retiring);
        Figures {
            records: tables().map(Table::records).sum(),
            live_bytes: self.live_bytes,
            memory_bytes: self.allocated_bytes + tables().map(Table::bytes).sum::<usize>(),
            slots: self.active.slots(),
            tombstones: tables().map(Table::tombstones).sum(),
            resizes: self.resizes,
            resizing: retiring.is_some(),
            moved_per_operation_max: self.moved_per_operation_max,
        }
    }

    /// Checks the invariants of both tables and the counts. `belongs` says whether a hash is one of this
    /// shard.
    pub(super) fn check(&self, belongs: impl Fn(u64) -> bool) -> Result<(), String> {
        let (mut live_bytes, mut allocated_bytes) = (0, 0);
        let mut count = |key_hash: u64, record: &Record| {
            live_bytes += record::key(record).len() + record::value(record).len();
            allocated_bytes += record.len();
            if belongs(key_hash) {
                Ok(())
            } else {
                Err(format!("{:?} is in a wrong shard", record::key(record)))
            }
        };
        self.active.check(&mut count)?;
        if let Some(Retiring { table, .. }) = &self.retiring {
            table.check(|key_hash, record| {
                count(key_hash, record)?;
                match self.active.get(key_hash, record::key(record)) {
                    None => Ok(()),
                    Some(_) => Err(format!("{:?} is in both tables", record::key(record))),
                }
            })?;
        }
        if (live_bytes, allocated_bytes) != (self.live_bytes, self.allocated_bytes) {
            return Err(format!(
                "{} live of {} allocated bytes counted, {live_bytes} of {allocated_bytes} found",
                self.live_bytes, self.allocated_bytes
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::hasher::hash;
    use super::*;

    #[test]
    fn the_memory_of_every_resized_table_is_left_to_the_engine() {
        let mut shard = Shard::new(SLOTS, 0.75);
        for n in 0..10_000u32 {
            let key = n.to_be_bytes();
            shard.set(hash(&key), &key, b"");
        }
        let figures = shard.figures();
        let ended = figures.resizes - u64::from(figures.resizing);
        assert!(ended > 5, "{ended}");
        assert_eq!(shard.garbage.len() as u64, ended, "none is freed while the latch is held");
    }
}
