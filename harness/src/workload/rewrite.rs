//! The records of a memory trial after its load: each of them once, in an order that is not the load's, with a new value.
//!
//! Which value a record gets is a function of (seed, pass, workers, worker, place): every engine is asked the same. The order
//! is one bijection of the record numbers, the same in every pass, so that neighbours in memory are not freed one after the other.

use super::distribution::{Scatter, Size};
use super::keyspace::KeySpace;
use super::plan::{OverwritePlan, Plan};
use super::random::{Aspect, Random, generator};
use super::value::{ValuePool, version};

/// Keeps the draws apart from those of phases, which count their stages from 0.
const FIRST_STAGE: u64 = 1 << 32;

/// One worker's share of all records, each once.
#[derive(Debug)]
pub struct Visits {
    scatter: Scatter,
    keys: KeySpace,
    records: u64,
    next: u64,
    step: u64,
}

impl Visits {
    /// The places `worker`, `worker + workers`, … of the order.
    pub fn new(plan: &Plan, worker: u32, workers: u32) -> Self {
        Self {
            scatter: Scatter::new(plan.records),
            keys: KeySpace::new(&plan.key),
            records: plan.records,
            next: worker.into(),
            step: workers.max(1).into(),
        }
    }

    /// The next record, its key put into the buffer; `None` at the end.
    pub fn next(&mut self, key: &mut Vec<u8>) -> Option<u64> {
        let record = (self.next < self.records).then(|| self.scatter.record(self.next))?;
        self.next += self.step;
        key.clear();
        self.keys.write(record, key);
        Some(record)
    }
}

/// One worker's share of one pass of overwriting.
#[derive(Debug)]
pub struct Rewrite {
    visits: Visits,
    pool: ValuePool,
    size: Size,
    random: Random,
    pass: u32,
}

impl Rewrite {
    /// Of a pass, from 0.
    pub fn new(plan: &Plan, overwrite: &OverwritePlan, pass: u32, worker: u32, workers: u32) -> Self {
        Self {
            visits: Visits::new(plan, worker, workers),
            pool: ValuePool::new(plan),
            size: Size::new(&overwrite.size),
            random: generator(plan.seed, FIRST_STAGE + u64::from(pass), worker, Aspect::ValueSize),
            pass,
        }
    }

    /// The next record, its key and its new value put into the buffers; `None` at the end.
    pub fn next(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Option<u64> {
        let record = self.visits.next(key)?;
        let len = self.size.sample(&mut self.random);
        value.clear();
        self.pool.write(record, rewritten(self.pass, record), usize::try_from(len).unwrap_or(0), value);
        Some(record)
    }
}

/// The version of a record after a pass, from 0.
pub const fn rewritten(pass: u32, record: u64) -> u64 {
    version(pass as usize, 0, record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::plan::SizeDistribution;
    use crate::workload::testing::plan;
    use std::collections::BTreeMap;

    const SIZE: SizeDistribution = SizeDistribution::Uniform { min: 50, max: 150 };

    /// Record, key and value of every write of a pass, in the order of the workers.
    fn pass(number: u32, workers: u32, seed: u64) -> Vec<(u64, Vec<u8>, Vec<u8>)> {
        let mut plan = plan(1_000, Vec::new());
        plan.seed = seed;
        let overwrite = OverwritePlan { passes: 3, size: SIZE };
        let mut all = Vec::new();
        for worker in 0..workers {
            let mut rewrite = Rewrite::new(&plan, &overwrite, number, worker, workers);
            let (mut key, mut value) = (Vec::new(), Vec::new());
            while let Some(record) = rewrite.next(&mut key, &mut value) {
                all.push((record, key.clone(), value.clone()));
            }
        }
        all
    }

    #[test]
    fn every_record_comes_once_with_a_sound_value_of_its_pass() {
        let pool = ValuePool::new(&plan(1_000, Vec::new()));
        for workers in [1, 3] {
            for number in [0, 2] {
                let all = pass(number, workers, 42);
                let records: BTreeMap<u64, _> = all.iter().map(|(record, key, _)| (*record, key)).collect();
                assert_eq!((all.len(), records.len()), (1_000, 1_000));
                assert!(records.keys().copied().eq(0..1_000));
                for (record, _, value) in &all {
                    assert_eq!(pool.check(*record, value), Ok(rewritten(number, *record)));
                    assert!((50..=150).contains(&value.len()));
                }
            }
        }
    }

    #[test]
    fn seed_and_pass_decide_the_values_and_the_order_is_not_the_loads() {
        let one = pass(0, 2, 42);
        assert_eq!(one, pass(0, 2, 42));
        assert_ne!(one, pass(1, 2, 42));
        assert_ne!(one, pass(0, 2, 43));
        let next_to_it = one.windows(2).filter(|pair| pair[1].0 == pair[0].0 + 2).count();
        assert!(next_to_it < 20, "{next_to_it}");
    }
}
