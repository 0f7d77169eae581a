//! An open-addressing table: groups of eight slots, each headed by its control word.
//!
//! Invariants: a record lies in the first group of its probe sequence that had a free slot when it came. A
//! removed record leaves a tombstone unless its group has an empty slot; a group that was full once never has
//! an empty slot again, so no probe sequence leads past a group with one, and a look-up stops there. A table
//! always has a free slot: its owner replaces it by a larger one in time. The memory of a new table is zeroed
//! lazily by the operating system.

#![expect(
    clippy::indexing_slicing,
    reason = "group numbers are masked by the power-of-two number of groups, slots come from a SlotSet and are below SLOTS; \
              a table that was truncated holds no records and is not probed"
)]

use super::control::{self, SLOTS};
use super::hasher::hash;
use super::record::{self, Record};

/// A control word and its slots. A tuple, because the standard library knows only of tuples that they may be
/// allocated zeroed.
type Group = (u64, [Option<Record>; SLOTS]);

/// Where a record lies in its table; valid until the next insertion or removal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    group: usize,
    slot: usize,
}

/// See the module.
pub(super) struct Table {
    groups: Vec<Group>,
    /// Number of groups the table was made with, less one.
    mask: usize,
    records: usize,
    tombstones: usize,
}

/// The groups a key may lie in: steps that grow by one, which visit each of a power-of-two number of groups
/// once.
struct Probe {
    group: usize,
    mask: usize,
    step: usize,
}

impl Probe {
    #[inline]
    const fn new(hash: u64, mask: usize) -> Self {
        Self { group: hash as usize & mask, mask, step: 0 }
    }
}

impl Iterator for Probe {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.step > self.mask {
            return None;
        }
        let group = self.group;
        self.step += 1;
        self.group = (self.group + self.step) & self.mask;
        Some(group)
    }
}

impl Table {
    /// An empty table of `groups` groups, a power of two.
    pub(super) fn new(groups: usize) -> Self {
        const NONE: Option<Record> = None;
        Self { groups: vec![(0, [NONE; SLOTS]); groups], mask: groups - 1, records: 0, tombstones: 0 }
    }

    /// Number of groups; less than it was made with only while it is being discarded.
    pub(super) const fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Number of slots.
    pub(super) const fn slots(&self) -> usize {
        self.groups.len() * SLOTS
    }

    /// Number of records.
    pub(super) const fn records(&self) -> usize {
        self.records
    }

    /// Number of tombstones.
    pub(super) const fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// Number of slots that are not empty.
    pub(super) const fn used(&self) -> usize {
        self.records + self.tombstones
    }

    /// Bytes of the array itself.
    pub(super) const fn bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Group>()
    }

    /// Finds a key with its hash.
    #[inline]
    fn locate(&self, hash: u64, key: &[u8]) -> Option<(Position, &Record)> {
        if self.records == 0 {
            return None;
        }
        let fingerprint = control::fingerprint(hash);
        for group in Probe::new(hash, self.mask) {
            let (word, slots) = &self.groups[group];
            for slot in control::matching(*word, fingerprint) {
                if let Some(record) = &slots[slot]
                    && record::key(record) == key
                {
                    return Some((Position { group, slot }, record));
                }
            }
            if control::has_empty(*word) {
                return None;
            }
        }
        None
    }

    /// The record of a key.
    #[inline]
    pub(super) fn get(&self, hash: u64, key: &[u8]) -> Option<&Record> {
        self.locate(hash, key).map(|(_, record)| record)
    }

    /// Where the record of a key lies.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<Position> {
        self.locate(hash, key).map(|(position, _)| position)
    }

    /// The record at a position, to be changed but for its key.
    #[inline]
    pub(super) fn record_mut(&mut self, position: Position) -> Option<&mut Record> {
        self.groups[position.group].1[position.slot].as_mut()
    }

    /// Adds a record whose key is not there.
    pub(super) fn insert(&mut self, hash: u64, record: Record) {
        debug_assert!(self.records < self.slots(), "a table keeps a free slot");
        let mut probe = Probe::new(hash, self.mask);
        loop {
            let group = probe.group;
            let (word, slots) = &mut self.groups[group];
            if let Some(slot) = control::free(*word).next() {
                self.tombstones -= usize::from(control::get(*word, slot) == control::TOMBSTONE);
                *word = control::with(*word, slot, control::fingerprint(hash));
                slots[slot] = Some(record);
                self.records += 1;
                return;
            }
            probe.next();
        }
    }

    /// Removes the record at a position.
    pub(super) fn remove(&mut self, position: Position) -> Option<Record> {
        let (word, slots) = &mut self.groups[position.group];
        let record = slots[position.slot].take()?;
        let byte = if control::has_empty(*word) { control::EMPTY } else { control::TOMBSTONE };
        *word = control::with(*word, position.slot, byte);
        self.tombstones += usize::from(byte == control::TOMBSTONE);
        self.records -= 1;
        Some(record)
    }

    /// Moves the records of one group to another table. Returns how many they were.
    pub(super) fn move_group(&mut self, group: usize, target: &mut Self) -> usize {
        let mut moved = 0;
        for slot in control::in_use(self.groups[group].0) {
            if let Some(record) = self.remove(Position { group, slot }) {
                target.insert(hash(record::key(&record)), record);
                moved += 1;
            }
        }
        moved
    }

    /// Drops the last `groups` groups of a table that holds no records any more; without them only the
    /// allocation itself is left to be freed.
    pub(super) fn discard(&mut self, groups: usize) {
        debug_assert_eq!(self.records, 0, "only an empty table is discarded");
        self.groups.truncate(self.groups.len().saturating_sub(groups));
    }

    /// Gives back the unused bytes of the records of a group. Returns how many.
    pub(super) fn trim_group(&mut self, group: usize) -> usize {
        let Some((_, slots)) = self.groups.get_mut(group) else { return 0 };
        let mut freed = 0;
        for record in slots.iter_mut().flatten() {
            freed += record::slack(record);
            record::trim(record);
        }
        freed
    }

    /// Visits the records whose hash ends in the bits of `slice`, of as many bits as the mask `slices` has.
    /// What belongs to a slice depends on the hash alone, so it is the same in any table.
    pub(super) fn visit_slice(&self, slice: usize, slices: usize, visit: &mut impl FnMut(&Record)) {
        if self.records == 0 {
            return;
        }
        let common = slices & self.mask;
        let mut home = slice & common;
        while home <= self.mask {
            for group in Probe::new(home as u64, self.mask) {
                let (word, records) = &self.groups[group];
                for record in records.iter().flatten() {
                    let hash = hash(record::key(record)) as usize;
                    if hash & self.mask == home && hash & slices == slice {
                        visit(record);
                    }
                }
                if control::has_empty(*word) {
                    break;
                }
            }
            home += common + 1;
        }
    }

    /// Checks the invariants of the module and calls `each` with the hash and record of every slot in use.
    pub(super) fn check(
        &self,
        mut each: impl FnMut(u64, &Record) -> Result<(), String>,
    ) -> Result<(), String> {
        let (mut records, mut tombstones) = (0, 0);
        for (group, (word, slots)) in self.groups.iter().enumerate() {
            for (slot, record) in slots.iter().enumerate() {
                let byte = control::get(*word, slot);
                let Some(record) = record else {
                    if byte > control::TOMBSTONE {
                        return Err(format!(
                            "group {group} slot {slot} has fingerprint {byte} and no record"
                        ));
                    }
                    tombstones += usize::from(byte == control::TOMBSTONE);
                    continue;
                };
                records += 1;
                let key = record::key(record);
                let hash = hash(key);
                if byte != control::fingerprint(hash) {
                    return Err(format!(
                        "group {group} slot {slot} has control byte {byte}, not that of {key:?}"
                    ));
                }
                if self.find(hash, key) != Some(Position { group, slot }) {
                    return Err(format!("group {group} slot {slot}: {key:?} is not found where it lies"));
                }
                each(hash, record)?;
            }
        }
        if (records, tombstones) != (self.records, self.tombstones) {
            return Err(format!(
                "{} records and {} tombstones counted, {records} and {tombstones} found",
                self.records, self.tombstones
            ));
        }
        if self.groups() > self.mask && self.records >= self.slots() {
            return Err(format!("no free slot among {}", self.slots()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_visits_every_group_once() {
        for mask in [0, 1, 3, 63] {
            for start in 0..=mask as u64 {
                let mut groups: Vec<_> = Probe::new(start, mask).collect();
                groups.sort_unstable();
                assert_eq!(groups, (0..=mask).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_tombstone_keeps_what_lies_behind_it_reachable() {
        let mut table = Table::new(4);
        let key = |n: u32| n.to_be_bytes();
        for n in 0..31 {
            table.insert(hash(&key(n)), record::new(&key(n), b""));
        }
        for n in 0..30 {
            let position = table.find(hash(&key(n)), &key(n)).expect("it was inserted");
            assert!(table.remove(position).is_some());
            assert!(table.find(hash(&key(n)), &key(n)).is_none());
            assert_eq!(table.check(|_, _| Ok(())), Ok(()));
        }
        assert!(table.tombstones() > 0, "full groups leave tombstones");
        for n in 100..130 {
            table.insert(hash(&key(n)), record::new(&key(n), b""));
        }
        assert_eq!(table.check(|_, _| Ok(())), Ok(()));
        assert_eq!((table.records(), table.used()), (31, 31 + table.tombstones()));
    }

    #[test]
    fn slices_are_a_partition_whatever_the_size_of_the_table() {
        let key = |n: u32| n.to_be_bytes();
        for groups in [8, 16, 64] {
            let mut table = Table::new(groups);
            (0..60).for_each(|n| table.insert(hash(&key(n)), record::new(&key(n), b"")));
            for slices in [0, 1, 15, 127] {
                let mut seen = Vec::new();
                for slice in 0..=slices {
                    table.visit_slice(slice, slices, &mut |record| seen.push(record::key(record).to_vec()));
                }
                seen.sort();
                assert_eq!(seen, (0..60).map(|n| key(n).to_vec()).collect::<Vec<_>>(), "{groups} {slices}");
            }
        }
    }
}
