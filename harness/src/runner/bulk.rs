//! The records of a load in key order, in memory, as a bulk load takes them.

use crate::workload::operation::Block;
use crate::workload::plan::Plan;
use crate::workload::stream::OperationStream;

/// Operations prepared at once.
const BLOCK: usize = 256;

/// Keys and values of all records, side by side in one buffer, and their order.
#[derive(Debug)]
pub struct SortedRecords {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where a record lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    key_len: u32,
    value_len: u32,
}

impl SortedRecords {
    /// The records that a load of the plan with one thread inserts. O(n log n), and as much memory as the records.
    pub fn new(plan: &Plan) -> Self {
        let mut stream = OperationStream::load(plan, 0, 1);
        let mut block = Block::default();
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        while stream.fill(&mut block, BLOCK) > 0 {
            for operation in &block.operations {
                let (key_len, value_len) = (operation.key_len, operation.value_len);
                places.push(Place { start: bytes.len(), key_len, value_len });
                bytes.extend_from_slice(block.key(operation));
                bytes.extend_from_slice(block.value(operation));
            }
        }
        places.sort_unstable_by(|left, right| left.record(&bytes).0.cmp(right.record(&bytes).0));
        Self { bytes, places }
    }

    /// Key and value of each, by ascending key.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.places.iter().map(|place| place.record(&self.bytes))
    }

    /// Key and value bytes of all.
    pub const fn live_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Place {
    fn record<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let end = self.start + self.key_len as usize;
        let key = bytes.get(self.start..end).unwrap_or_default();
        (key, bytes.get(end..end + self.value_len as usize).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan;
    use super::*;
    use crate::workload::plan::{KeyOrder, KeyPlan, SizeDistribution};
    use std::collections::BTreeMap;

    #[test]
    fn the_records_of_the_load_come_sorted() {
        let mut plan = plan();
        plan.value.size = SizeDistribution::Uniform { min: 1, max: 99 };
        // Without padding the order of the keys is not that of their numbers.
        for (order, zero_padding) in [(KeyOrder::Hashed, 20), (KeyOrder::Hashed, 1), (KeyOrder::Ordered, 1)] {
            plan.key = KeyPlan { order, prefix: "user".to_owned(), zero_padding };
            let mut stream = OperationStream::load(&plan, 0, 1);
            let (mut block, mut expected) = (Block::default(), BTreeMap::new());
            while stream.fill(&mut block, 100) > 0 {
                for operation in &block.operations {
                    expected.insert(block.key(operation).to_vec(), block.value(operation).to_vec());
                }
            }
            let records = SortedRecords::new(&plan);
            assert!(records.iter().eq(expected.iter().map(|(key, value)| (&key[..], &value[..]))));
            let bytes: usize = expected.iter().map(|(key, value)| key.len() + value.len()).sum();
            assert_eq!((expected.len(), records.live_bytes()), (1_000, bytes as u64));
        }
    }
}
