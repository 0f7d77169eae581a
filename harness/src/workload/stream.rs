//! The operations of one worker, prepared in blocks before the clock starts.
//!
//! Operation *i* of worker *t* in a phase is a function of (seed, phase, workers, *t*, *i*) alone: not of the size of
//! the blocks, the engine, the trial or the other workers' speed. So every engine is asked the same, byte for byte.
//!
//! A block is prepared in stages over arrays (kinds, ranks, records, hashes, digits, values): the operations of a block do not
//! depend on one another within a stage, so their latencies overlap.

use super::digest::Digest;
use super::distribution::Size;
use super::keyspace::{KeySpace, KeySpan};
use super::operation::{Block, Operation, OperationKind};
use super::plan::{Plan, SizeDistribution};
use super::random::{Aspect, Random, below, generator, mix};
use super::sequence::Sequence;
use super::value::{LOADED, ValuePool, version};

/// The most bytes of values, and of keys, prepared in one block, unless a single one is longer: 64 MiB.
const MAX_BLOCK_BYTES: u64 = 64 << 20;

/// One worker's operations in one phase.
#[derive(Debug)]
pub struct OperationStream {
    sequence: Sequence,
    keys: KeySpace,
    pool: Option<ValuePool>,
    value_size: Size,
    value_random: Random,
    scan_length: Size,
    scan_random: Random,
    /// Version of the first operation, and what each further one adds.
    version: u64,
    version_step: u64,
    check_one_in: u32,
    reads_to_check: u32,
    block_limit: usize,
    digest: Digest,
    numbers: Vec<u64>,
    spans: Vec<KeySpan>,
    writes: Vec<u32>,
}

const fn writes(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Update | OperationKind::Insert | OperationKind::ReadModifyWrite)
}

const fn reads(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Read | OperationKind::Scan | OperationKind::ReadModifyWrite)
}

impl OperationStream {
    /// The load: inserts of the records `worker`, `worker + workers`, …
    pub fn load(plan: &Plan, worker: u32, workers: u32) -> Self {
        let scan = SizeDistribution::Constant { value: 0 };
        Self::new(plan, 0, worker, Sequence::load(plan, worker, workers), &scan, true)
    }

    /// One run phase: endless if it is bounded by time, else the worker's even share of its operations.
    pub fn phase(plan: &Plan, phase: usize, worker: u32, workers: u32) -> Self {
        let none = SizeDistribution::Constant { value: 0 };
        let found = plan.phases.get(phase);
        let scan = found.map_or(&none, |phase| &phase.scan.length);
        let writing = found.is_some_and(|phase| {
            OperationKind::ALL.iter().any(|&kind| writes(kind) && phase.mix.of(kind) > 0.0)
        });
        let sequence = Sequence::phase(plan, phase, worker, workers);
        Self::new(plan, phase as u64 + 1, worker, sequence, scan, writing)
    }

    fn new(
        plan: &Plan,
        stage: u64,
        worker: u32,
        sequence: Sequence,
        scan: &SizeDistribution,
        writing: bool,
    ) -> Self {
        let keys = KeySpace::new(&plan.key);
        let value_size = Size::new(&plan.value.size);
        let longest = if writing { value_size.max() } else { 0 }.max(keys.max_bytes() as u64);
        let (start, step) = match stage.checked_sub(1) {
            None => (LOADED, 0),
            Some(phase) => (version(phase as usize, worker, 0), 1),
        };
        let first_check =
            below(&mut generator(plan.seed, stage, worker, Aspect::Check), u64::from(plan.check_one_in));
        Self {
            sequence,
            keys,
            pool: writing.then(|| ValuePool::new(plan)),
            value_size,
            value_random: generator(plan.seed, stage, worker, Aspect::ValueSize),
            scan_length: Size::new(scan),
            scan_random: generator(plan.seed, stage, worker, Aspect::ScanLength),
            version: start,
            version_step: step,
            check_one_in: plan.check_one_in,
            reads_to_check: first_check as u32 + 1,
            block_limit: usize::try_from(MAX_BLOCK_BYTES / longest).unwrap_or(usize::MAX).max(1),
            digest: Digest::new(mix(plan.seed) ^ (stage << 32) ^ u64::from(worker)),
            numbers: Vec::new(),
            spans: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Prepares the next operations in the block, over what was in it, and returns how many there are: `count`, or fewer if
    /// the values are very long (but at least one), or 0 at the end of the stream.
    pub fn fill(&mut self, block: &mut Block, count: usize) -> usize {
        let (kinds, records) = self.sequence.draw(count.min(self.block_limit));
        block.operations.clear();
        block.values.clear();
        self.keys.write_all(records, &mut self.numbers, &mut block.keys, &mut self.spans);

        self.writes.resize(kinds.len(), 0);
        let (mut writing, mut scanning) = (0, false);
        let each = kinds.iter().zip(records).zip(&self.spans).zip(0u32..);
        block.operations.extend(each.map(|(((&kind, &record), span), index)| {
            // The list of writes grows without a branch: which kind comes next cannot be foreseen.
            if let Some(place) = self.writes.get_mut(writing) {
                *place = index;
            }
            writing += usize::from(writes(kind));
            scanning |= kind == OperationKind::Scan;
            let mut check = false;
            if self.check_one_in > 0 {
                self.reads_to_check -= u32::from(reads(kind));
                if self.reads_to_check == 0 {
                    self.reads_to_check = self.check_one_in;
                    check = true;
                }
            }
            Operation {
                kind,
                check,
                record,
                key_start: span.start,
                key_len: span.len,
                value_start: 0,
                value_len: 0,
                scan_length: 0,
            }
        }));
        let count = block.operations.len();
        self.writes.truncate(writing);
        self.write_values(block);
        if scanning {
            for operation in block.operations.iter_mut().filter(|o| o.kind == OperationKind::Scan) {
                let length = self.scan_length.sample(&mut self.scan_random);
                operation.scan_length = u32::try_from(length).unwrap_or(u32::MAX);
            }
        }
        self.version += self.version_step * count as u64;
        for operation in &block.operations {
            let lengths = (u64::from(operation.value_len) << 32) ^ u64::from(operation.scan_length);
            self.digest.add(operation.record ^ ((operation.kind as u64) << 56), lengths);
        }
        count
    }

    /// The new values of the operations in the list of writes.
    fn write_values(&mut self, block: &mut Block) {
        let Some(pool) = &self.pool else { return };
        for &index in &self.writes {
            let Some(operation) = block.operations.get_mut(index as usize) else { continue };
            let version = self.version + self.version_step * u64::from(index);
            let len = self.value_size.sample(&mut self.value_random);
            let start = block.values.len();
            pool.write(operation.record, version, len as usize, &mut block.values);
            operation.value_start = start as u32;
            operation.value_len = (block.values.len() - start) as u32;
        }
    }

    /// Operations prepared so far.
    pub const fn steps(&self) -> u64 {
        self.digest.steps()
    }

    /// Digests of the operations prepared so far: (steps, digest of all up to there) at checkpoints that streams of different
    /// lengths share, at most 512, and at the end.
    pub fn digests(&self) -> Vec<(u64, u64)> {
        self.digest.checkpoints()
    }
}
