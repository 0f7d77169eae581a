//! A cursor over the versions that a read view sees, tombstones included: what a merge of several tables reads.
//!
//! Thread safety: a cursor belongs to one thread. It copies one leaf at a time while it is pinned and is not pinned between
//! its calls, so it may live as long as its view.

use super::leaf::address;
use super::record::{Record, Version};
use super::scan::{ReadView, bound};
use super::tree::Target;
use crossbeam::epoch;
use std::ops::Bound;

struct Copied {
    key: Vec<u8>,
    sequence: u64,
    value: Option<Vec<u8>>,
}

/// See the head of this file. It stands on a version, or nowhere.
pub struct Cursor<'a> {
    view: &'a ReadView<'a>,
    /// The versions of one leaf by key.
    copied: Vec<Copied>,
    at: Option<usize>,
    low: Option<Vec<u8>>,
    high: Option<Vec<u8>>,
}

impl<'a> Cursor<'a> {
    /// A cursor that stands nowhere.
    pub(super) const fn new(view: &'a ReadView<'a>) -> Self {
        Self { view, copied: Vec::new(), at: None, low: None, high: None }
    }

    /// The version it stands on.
    pub fn current(&self) -> Option<Version<'_>> {
        let Copied { key, sequence, value } = self.copied.get(self.at?)?;
        Some(Version { key, sequence: *sequence, value: value.as_deref() })
    }

    /// Goes to the first version. O(log n), as are the next three.
    pub fn seek_to_first(&mut self) {
        self.load(Target::First);
        self.at = Some(0);
        self.skip_up();
    }

    /// Goes to the last version.
    pub fn seek_to_last(&mut self) {
        self.load(Target::Last);
        self.at = self.copied.len().checked_sub(1);
        self.skip_down();
    }

    /// Goes to the first version whose key is not below `key`.
    pub fn seek(&mut self, key: &[u8]) {
        self.load(Target::Of(key));
        self.at = Some(self.copied.partition_point(|copied| copied.key.as_slice() < key));
        self.skip_up();
    }

    /// Goes to the last version whose key is not above `key`.
    pub fn seek_back(&mut self, key: &[u8]) {
        self.load(Target::Of(key));
        self.at = self.copied.partition_point(|copied| copied.key.as_slice() <= key).checked_sub(1);
        self.skip_down();
    }

    /// Goes to the next version, if it stands on one. O(1), or O(log n) at the end of a leaf.
    pub fn next(&mut self) {
        if let Some(at) = self.at {
            self.at = Some(at + 1);
            self.skip_up();
        }
    }

    /// Goes to the version before, if it stands on one. O(1), or O(log n) at the end of a leaf.
    pub fn previous(&mut self) {
        if let Some(at) = self.at {
            self.at = at.checked_sub(1);
            self.skip_down();
        }
    }

    /// From behind the versions at hand to the first of the leaves that follow.
    fn skip_up(&mut self) {
        while self.at.is_some_and(|at| at >= self.copied.len()) {
            let Some(high) = self.high.take() else {
                self.at = None;
                return;
            };
            self.load(Target::Of(&high));
            // What is below was in the leaf before, or has come since.
            self.at = Some(self.copied.partition_point(|copied| copied.key < high));
        }
    }

    /// From before the versions at hand to the last of the leaves before.
    fn skip_down(&mut self) {
        while self.at.is_none() {
            let Some(low) = self.low.take() else { return };
            self.load(Target::Below(&low));
            self.at = self.copied.partition_point(|copied| copied.key < low).checked_sub(1);
        }
    }

    fn load(&mut self, target: Target<'_>) {
        let guard = &epoch::pin();
        let table = self.view.table();
        let place = table.tree.place(target, guard);
        let (low, high) = (bound(place.low, Bound::Included), bound(place.high, Bound::Excluded));
        let mut entries = Vec::new();
        place.leaf.ordered(low, high, usize::MAX, guard, &mut entries);
        self.copied.clear();
        self.copied.extend(entries.into_iter().filter_map(|entry| {
            let newest = Record::at(address(entry), guard)?;
            let (record, sequence) = table.visible(newest, Some(self.view.sequence()), guard)?;
            Some(Copied { key: record.key().to_vec(), sequence, value: record.value().map(<[u8]>::to_vec) })
        }));
        (self.low, self.high) = (place.low.map(<[u8]>::to_vec), place.high.map(<[u8]>::to_vec));
    }
}
