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
            let (kinds, records) = sequence.draw(count);
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
                    OperationKind::Read | OperationKind::Scan => {}
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
