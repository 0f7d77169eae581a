//! What a store must hold after the operations that were executed, without having watched them.
//!
//! The streams are drawn a second time. Phases are separated by barriers, so of the writes to a record only those of the last
//! phase that wrote it count; within that phase the workers ran side by side, so any worker's last write to the record
//! may have been the last of all, and no other.
//!
//! *Deletes.* An update of a record that is not there writes nothing, and no insert ever brings a record number back. So
//! whatever came in which order: a record that any worker deleted is gone, and stays gone.
//!
//! *Inserts.* Only the worker that inserted a record asks for it, and only in the same phase: its last version is known exactly.
//!
//! This holds if every executed operation did what it should. After an operation that failed, the store may differ.

use super::distribution::Inserts;
use super::operation::OperationKind;
use super::plan::Plan;
use super::sequence::Sequence;
use super::value::{LOADED, UNKNOWN_VERSION, version};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::resume_unwind;
use std::thread;

/// Operations drawn at once.
const BLOCK: usize = 1_024;

/// Hashes record numbers: one multiplication, the high bits folded into the low ones.
#[derive(Default)]
struct RecordHasher(u64);

impl Hasher for RecordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, record: u64) {
        let product = (self.0 ^ record).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }
}

type Records<T> = HashMap<u64, T, BuildHasherDefault<RecordHasher>>;
type RecordSet = HashSet<u64, BuildHasherDefault<RecordHasher>>;

/// What one worker did in one phase.
#[derive(Default)]
struct Work {
    /// Last version of each record written, the mere inserts left out.
    written: Records<u64>,
    /// The step of each insert.
    inserted: Vec<u64>,
    deleted: Vec<u64>,
}

impl Work {
    fn replay(plan: &Plan, phase: usize, worker: u32, workers: u32, steps: u64) -> Self {
        let mut work = Self::default();
        let mut sequence = Sequence::phase(plan, phase, worker, workers);
        let mut step = 0;
        while step < steps {
            let count = usize::try_from(steps - step).unwrap_or(BLOCK).min(BLOCK);
            let (kinds, records, _) = sequence.draw(count);
            if kinds.is_empty() {
                break;
            }
            for (&kind, &record) in kinds.iter().zip(records) {
                match kind {
                    OperationKind::Update | OperationKind::ReadModifyWrite => {
                        work.written.insert(record, version(phase, worker, step));
                    }
                    OperationKind::Insert => work.inserted.push(step),
                    OperationKind::Delete => work.deleted.push(record),
                    OperationKind::Read | OperationKind::Scan | OperationKind::Multiget => {}
                }
                step += 1;
            }
        }
        work.deleted.sort_unstable();
        work.deleted.dedup();
        work
    }
}

/// Which versions each record may have in the end.
#[derive(Debug, Default)]
pub struct Expectation {
    records: u64,
    workers: u32,
    /// (record, version) of the last phase that wrote the record, sorted; several if workers ran side by side.
    written: Vec<(u64, u64)>,
    /// Steps of the inserts, by phase and worker.
    inserted: Vec<Vec<Vec<u64>>>,
    deleted: RecordSet,
}

impl Expectation {
    /// Replays a whole load, then of each phase the given number of operations of each worker (`executed[phase][worker]`,
    /// those that were executed but not counted included). Takes about the time of drawing them; memory in proportion
    /// to the records that were touched.
    pub fn replay(plan: &Plan, workers: u32, executed: &[Vec<u64>]) -> Self {
        let mut all = Self { records: plan.records, workers, ..Self::default() };
        for (phase, steps) in executed.iter().enumerate() {
            let works: Vec<Work> = thread::scope(|scope| {
                let handles: Vec<_> = (0..workers)
                    .zip(steps)
                    .map(|(worker, &steps)| {
                        scope.spawn(move || Work::replay(plan, phase, worker, workers, steps))
                    })
                    .collect();
                handles.into_iter().map(|h| h.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
            });
            all.add(works);
        }
        all
    }

    /// Puts one more phase on top.
    fn add(&mut self, works: Vec<Work>) {
        let mut inserted = Vec::with_capacity(works.len());
        let mut now = Vec::with_capacity(works.iter().map(|work| work.written.len()).sum());
        for work in works {
            now.extend(work.written);
            inserted.push(work.inserted);
            self.deleted.extend(work.deleted);
        }
        now.sort_unstable();
        let is_now = |record: u64| now.binary_search_by_key(&record, |&(record, _)| record).is_ok();
        self.written.retain(|&(record, _)| !is_now(record));
        self.written.append(&mut now);
        self.written.sort_unstable();
        self.inserted.push(inserted);
    }

    /// The version with which a record came into being, by the load or by an insert.
    fn first_version(&self, record: u64) -> Option<u64> {
        if record < self.records {
            return Some(LOADED);
        }
        let (phase, worker, index) = Inserts::locate(record, self.records, self.workers)?;
        let step = self.inserted.get(phase)?.get(worker)?.get(usize::try_from(index).ok()?)?;
        Some(version(phase, u32::try_from(worker).ok()?, *step))
    }

    /// Whether the record must be there; if not, it must not.
    pub fn exists(&self, record: u64) -> bool {
        self.first_version(record).is_some() && !self.deleted.contains(&record)
    }

    /// Whether the record may be there in this version. The version that is not known may be any.
    pub fn allows(&self, record: u64, version: u64) -> bool {
        let Some(first) = self.first_version(record).filter(|_| !self.deleted.contains(&record)) else {
            return false;
        };
        let start = self.written.partition_point(|&(other, _)| other < record);
        let tail = self.written.get(start..).unwrap_or_default();
        let mut versions = tail.iter().take_while(|&&(other, _)| other == record).map(|&(_, v)| v).peekable();
        version == UNKNOWN_VERSION
            || match versions.peek() {
                Some(_) => versions.any(|written| written == version),
                None => version == first,
            }
    }

    /// How many records there must be.
    pub fn count(&self) -> u64 {
        let inserted: usize = self.inserted.iter().flatten().map(Vec::len).sum();
        let gone = self.deleted.iter().filter(|&&record| self.first_version(record).is_some()).count();
        self.records + inserted as u64 - gone as u64
    }

    /// All records that must be there, in no particular order.
    pub fn live(&self) -> impl Iterator<Item = u64> {
        let inserted = self.inserted.iter().enumerate().flat_map(move |(phase, workers)| {
            workers.iter().zip(0u32..).flat_map(move |(steps, worker)| {
                let inserts = Inserts::phase(self.records, phase, worker, self.workers);
                (0..steps.len() as u64).map(move |index| inserts.record(index))
            })
        });
        (0..self.records).chain(inserted).filter(|record| !self.deleted.contains(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::operation::Block;
    use crate::workload::plan::Mix;
    use crate::workload::random::{Aspect, below, generator};
    use crate::workload::stream::OperationStream;
    use crate::workload::testing::{MIXED, REQUESTS, phase, plan};
    use crate::workload::value::{ValuePool, link};
    use std::collections::BTreeMap;

    const DELETING: Mix = Mix {
        read: 0.05,
        update: 0.4,
        insert: 0.2,
        multiget: 0.05,
        read_modify_write: 0.2,
        delete: 0.1,
        scan: 0.0,
    };

    type Store = BTreeMap<u64, Vec<u8>>;

    /// Runs load and phases on a map, the workers' operations interleaved at random; returns what was executed.
    fn simulate(plan: &Plan, workers: u32, interleaving: u64, store: &mut Store) -> Vec<Vec<u64>> {
        let mut random = generator(interleaving, 0, 0, Aspect::Kind);
        let mut block = Block::default();
        for worker in 0..workers {
            let mut stream = OperationStream::load(plan, worker, workers);
            while stream.fill(&mut block, 64) > 0 {
                for operation in &block.operations {
                    store.insert(operation.record, block.value(operation).to_vec());
                }
            }
        }
        let mut executed = Vec::new();
        for number in 0..plan.phases.len() {
            let mut streams: Vec<_> =
                (0..workers).map(|worker| OperationStream::phase(plan, number, worker, workers)).collect();
            // Each worker stops somewhere, as with a bound of time.
            let stops: Vec<u64> = (0..workers).map(|_| 200 + below(&mut random, 200)).collect();
            while let Some(worker) = pick(&streams, &stops, &mut random) {
                streams[worker].fill(&mut block, 1);
                let operation = block.operations[0];
                let found = store.get(&operation.record).cloned();
                match operation.kind {
                    OperationKind::Insert => {
                        assert_eq!(store.insert(operation.record, block.value(&operation).to_vec()), None);
                    }
                    OperationKind::Update if found.is_some() => {
                        store.insert(operation.record, block.value(&operation).to_vec());
                    }
                    OperationKind::ReadModifyWrite if found.is_some() => {
                        let start = operation.value_start as usize;
                        let new = start..start + operation.value_len as usize;
                        link(&mut block.values[new], &found.unwrap());
                        store.insert(operation.record, block.value(&operation).to_vec());
                    }
                    OperationKind::Delete => drop(store.remove(&operation.record)),
                    _ => {}
                }
            }
            executed.push(streams.iter().map(OperationStream::steps).collect());
        }
        executed
    }

    fn pick(
        streams: &[OperationStream],
        stops: &[u64],
        random: &mut crate::workload::random::Random,
    ) -> Option<usize> {
        let open: Vec<usize> = (0..streams.len()).filter(|&i| streams[i].steps() < stops[i]).collect();
        open.get(below(random, open.len() as u64) as usize).copied()
    }

    #[test]
    fn a_store_that_did_as_told_is_as_expected() {
        for request in REQUESTS {
            for mixes in [[MIXED, MIXED], [DELETING, MIXED], [MIXED, DELETING]] {
                for workers in [1, 3] {
                    let plan = plan(120, mixes.map(|mix| phase(100_000, mix, request)).to_vec());
                    let pool = ValuePool::new(&plan);
                    let mut store = Store::new();
                    let executed = simulate(&plan, workers, 1, &mut store);
                    let expectation = Expectation::replay(&plan, workers, &executed);
                    for (&record, value) in &store {
                        let version = pool.check(record, value).unwrap();
                        assert!(expectation.allows(record, version), "{request:?}: {record} {version:x}");
                        assert!(expectation.exists(record) && expectation.allows(record, UNKNOWN_VERSION));
                        assert!(!expectation.allows(record, version + (1 << 40)), "a version never written");
                    }
                    let mut live: Vec<u64> = expectation.live().collect();
                    live.sort_unstable();
                    assert!(live.iter().eq(store.keys()));
                    assert_eq!(expectation.count(), store.len() as u64);
                    for record in [119 + (7 << 36), u64::MAX] {
                        assert!(!expectation.exists(record) && !expectation.allows(record, UNKNOWN_VERSION));
                    }
                }
            }
        }
    }

    #[test]
    fn a_lost_write_is_noticed() {
        // One worker: exactly one version is right. Whoever keeps an older one is found out.
        let updates = Mix { update: 0.5, read_modify_write: 0.5, ..Mix::default() };
        let plan = plan(20, vec![phase(9_999, updates, REQUESTS[0]), phase(9_999, updates, REQUESTS[1])]);
        let expectation = Expectation::replay(&plan, 1, &[vec![500], vec![300]]);
        let mut written: BTreeMap<u64, Vec<u64>> = (0..20).map(|record| (record, vec![LOADED])).collect();
        for (number, steps) in [(0, 500), (1, 300)] {
            let mut sequence = Sequence::phase(&plan, number, 0, 1);
            for (step, &record) in (0..).zip(sequence.draw(steps).1) {
                written.entry(record).or_default().push(version(number, 0, step));
            }
        }
        for (record, versions) in written {
            let allowed: Vec<u64> =
                versions.iter().copied().filter(|&v| expectation.allows(record, v)).collect();
            assert_eq!(allowed, versions[versions.len() - 1..], "only the last");
        }
    }

    #[test]
    fn of_concurrent_writes_each_workers_last_is_allowed() {
        let plan = plan(10, vec![phase(9_999, Mix { update: 1.0, ..Mix::default() }, REQUESTS[0])]);
        let expectation = Expectation::replay(&plan, 2, &[vec![200, 200]]);
        let lasts: Vec<Vec<u64>> = (0..2)
            .map(|worker| {
                let mut last = vec![0; 10];
                let mut sequence = Sequence::phase(&plan, 0, worker, 2);
                for (step, &record) in (0..).zip(sequence.draw(200).1) {
                    last[record as usize] = version(0, worker, step);
                }
                last
            })
            .collect();
        for record in 0..10 {
            let all = (0..2).flat_map(|worker| (0..200).map(move |step| version(0, worker, step)));
            let allowed: Vec<u64> = all.filter(|&v| expectation.allows(record, v)).collect();
            assert_eq!(allowed, [lasts[0][record as usize], lasts[1][record as usize]]);
            assert!(!expectation.allows(record, LOADED));
        }
    }
}
