//! What an engine should do, said in the simplest way: a sorted map.

use crate::engine::{ScanRange, WriteBatch, WriteOp};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The meaning of the operations of [`crate::Session`], without limits and threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Model {
    /// An empty model.
    pub fn new() -> Self {
        Self::default()
    }

    /// A model of these records; of equal keys the last counts.
    pub fn of(records: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        Self { records: records.into_iter().collect() }
    }

    /// The value of the key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.records.get(key).map(Vec::as_slice)
    }

    /// Inserts or replaces.
    pub fn set(&mut self, key: &[u8], value: &[u8]) {
        self.records.insert(key.to_vec(), value.to_vec());
    }

    /// Replaces if there; tells whether it was.
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> bool {
        match self.records.get_mut(key) {
            Some(old) => {
                *old = value.to_vec();
                true
            }
            None => false,
        }
    }

    /// Removes; tells whether it was there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        self.records.remove(key).is_some()
    }

    /// Applies all operations in order.
    pub fn batch(&mut self, batch: &WriteBatch) {
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => self.set(key, value),
                WriteOp::Delete { key } => {
                    self.delete(key);
                }
            }
        }
    }

    /// The records that a scan visits, in its order. O(all records): every record is compared with both bounds.
    pub fn scan(&self, range: &ScanRange<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let above = |key: &[u8]| match &range.lower {
            Bound::Included(low) => **low <= *key,
            Bound::Excluded(low) => **low < *key,
            Bound::Unbounded => true,
        };
        let below = |key: &[u8]| match &range.upper {
            Bound::Included(high) => **high >= *key,
            Bound::Excluded(high) => **high > *key,
            Bound::Unbounded => true,
        };
        let mut found: Vec<_> = self.records.iter().filter(|(key, _)| above(key) && below(key)).collect();
        if range.reverse {
            found.reverse();
        }
        found.truncate(range.limit);
        let value = |value: &Vec<u8>| if range.keys_only { Vec::new() } else { value.clone() };
        found.into_iter().map(|(key, old)| (key.clone(), value(old))).collect()
    }

    /// Every record in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Key and value bytes of all records.
    pub fn live_bytes(&self) -> u64 {
        self.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_does_what_the_traits_say() {
        let mut model = Model::new();
        assert!(!model.update(b"a", b"1"));
        model.set(b"a", b"1");
        model.set(b"c", b"33");
        assert!(model.update(b"a", b"11"));
        let mut batch = WriteBatch::new();
        batch.set(b"b", b"2");
        batch.delete(b"c");
        batch.set(b"c", b"3");
        model.batch(&batch);
        assert_eq!((model.len(), model.live_bytes()), (3, 7));
        let keys = |range: ScanRange<'_>| {
            model.scan(&range).into_iter().map(|(key, _)| key).collect::<Vec<_>>().concat()
        };
        assert_eq!(keys(ScanRange::all()), b"abc");
        assert_eq!(keys(ScanRange::all().reversed().limit(2)), b"cb");
        assert_eq!(keys(ScanRange::between(Bound::Excluded(b"a"), Bound::Included(b"b"))), b"b");
        assert_eq!(keys(ScanRange::between(Bound::Included(b"c"), Bound::Excluded(b"a"))), b"");
        assert_eq!(model.scan(&ScanRange::prefix(b"b").keys_only()), [(b"b".to_vec(), Vec::new())]);
        assert!(model.delete(b"b") && !model.delete(b"b"));
        assert_eq!(model.get(b"b"), None);
    }
}
