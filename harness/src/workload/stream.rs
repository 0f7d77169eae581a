//! The operations of one worker, prepared in blocks before the clock starts.
//!
//! Operation *i* of worker *t* in a phase is a function of (seed, phase, workers, *t*, *i*) alone: not of the size of
//! the blocks, the engine, the trial or the other workers' speed. So every engine is asked the same, byte for byte.
//!
//! A block is prepared in stages over arrays (kinds, ranks, records, hashes, digits, values): the operations of a block do not
//! depend on one another within a stage, so their latencies overlap.

use super::checks::Checks;
use super::digest::Digest;
use super::distribution::Size;
use super::keyspace::{KeySpace, KeySpan};
use super::operation::{Block, Groups, Operation, OperationKind};
use super::plan::{Plan, SizeDistribution};
use super::random::{Aspect, Random, generator, mix};
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
    checks: Checks,
    block_limit: usize,
    digest: Digest,
    /// Records of the operations and then of all multigets, where there are any.
    asked: Vec<u64>,
    numbers: Vec<u64>,
    spans: Vec<KeySpan>,
    writes: Vec<u32>,
}

const fn writes(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Update | OperationKind::Insert | OperationKind::ReadModifyWrite)
}

const fn reads(kind: OperationKind) -> bool {
    matches!(
        kind,
        OperationKind::Read | OperationKind::Scan | OperationKind::ReadModifyWrite | OperationKind::Multiget
    )
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
        let keys_each = sequence.group_size().max(1) as u64;
        let longest = if writing { value_size.max() } else { 0 }.max(keys.max_bytes() as u64 * keys_each);
        let (start, step) = match stage.checked_sub(1) {
            None => (LOADED, 0),
            Some(phase) => (version(phase as usize, worker, 0), 1),
        };
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
            checks: Checks::new(plan.seed, stage, worker, plan.check_one_in),
            block_limit: usize::try_from(MAX_BLOCK_BYTES / longest).unwrap_or(usize::MAX).max(1),
            digest: Digest::new(mix(plan.seed) ^ (stage << 32) ^ u64::from(worker)),
            asked: Vec::new(),
            numbers: Vec::new(),
            spans: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Prepares the next operations in the block, over what was in it, and returns how many there are: `count`, or fewer if
    /// the values are very long (but at least one), or 0 at the end of the stream.
    pub fn fill(&mut self, block: &mut Block, count: usize) -> usize {
        let group_size = self.sequence.group_size();
        let (kinds, records, groups) = self.sequence.draw(count.min(self.block_limit));
        block.operations.clear();
        block.values.clear();
        if group_size == 0 {
            block.groups.records.clear();
            block.groups.spans.clear();
            self.keys.write_all(records, &mut self.numbers, &mut block.keys, &mut self.spans);
        } else {
            self.asked.clear();
            self.asked.extend_from_slice(records);
            self.asked.extend_from_slice(groups);
            self.keys.write_all(&self.asked, &mut self.numbers, &mut block.keys, &mut self.spans);
            let Groups { size, records: grouped, spans } = &mut block.groups;
            *size = group_size;
            groups.clone_into(grouped);
            spans.clear();
            spans.extend(self.spans.drain(records.len()..));
        }

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
            let check = self.checks.next(reads(kind));
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
        let mut groups = block.groups.records.chunks_exact(group_size.max(1));
        self.digest.extend(block.operations.iter().map(|operation| {
            let lengths = (u64::from(operation.value_len) << 32) ^ u64::from(operation.scan_length);
            let record = match operation.kind {
                OperationKind::Multiget => {
                    groups.next().unwrap_or_default().iter().fold(0, |all, record| mix(all ^ record))
                }
                _ => operation.record,
            };
            (record ^ ((operation.kind as u64) << 56), lengths)
        }));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::plan::{Bound, Mix, RequestDistribution};
    use crate::workload::testing::{MIXED, REQUESTS, phase, plan};
    use std::collections::HashSet;
    use std::time::Duration;

    /// All that an engine and the checker are told about an operation.
    type Told = (OperationKind, bool, u64, Vec<u8>, Vec<u8>, u32);

    fn told(stream: &mut OperationStream, block_sizes: &[usize], limit: usize) -> Vec<Told> {
        let (mut all, mut block) = (Vec::new(), Block::default());
        for &size in block_sizes.iter().cycle() {
            let count = stream.fill(&mut block, size.min(limit - all.len()));
            assert_eq!(count, block.operations.len());
            all.extend(block.operations.iter().map(|o| {
                (o.kind, o.check, o.record, block.key(o).to_vec(), block.value(o).to_vec(), o.scan_length)
            }));
            if count == 0 || all.len() == limit {
                break;
            }
        }
        all
    }

    fn mixed(request: RequestDistribution) -> Plan {
        plan(500, vec![phase(3_000, MIXED, request), phase(3_000, MIXED, request)])
    }

    #[test]
    fn the_size_of_blocks_does_not_matter() {
        for request in REQUESTS {
            let plan = mixed(request);
            let mut one = OperationStream::phase(&plan, 1, 1, 2);
            let mut other = OperationStream::phase(&plan, 1, 1, 2);
            let told_one = told(&mut one, &[64], 9_999);
            assert_eq!(told_one.len(), 1_500);
            assert_eq!(told_one, told(&mut other, &[1, 7, 256, 3], 9_999), "{request:?}");
            assert_eq!(one.digests(), other.digests());
            assert_eq!(one.steps(), 1_500);
        }
    }

    #[test]
    fn seeds_workers_and_phases_differ_and_nothing_else_does() {
        let plan = mixed(REQUESTS[1]);
        let mut digests = HashSet::new();
        for seed in [1, 2] {
            for number in [0, 1] {
                for worker in [0, 1] {
                    let plan = Plan { seed, trials: 9, warmup: Duration::from_secs(1), ..plan.clone() };
                    let mut stream = OperationStream::phase(&plan, number, worker, 2);
                    let mut again = OperationStream::phase(&plan, number, worker, 2);
                    assert_eq!(told(&mut stream, &[100], 1_000), told(&mut again, &[99], 1_000));
                    assert_eq!(stream.digests(), again.digests());
                    assert!(digests.insert(stream.digests()));
                }
            }
        }
    }

    #[test]
    fn a_longer_run_starts_like_a_shorter_one() {
        let mut plan = mixed(REQUESTS[4]);
        plan.phases[0].bound = Bound::Duration(Duration::from_secs(1));
        let mut short = OperationStream::phase(&plan, 0, 0, 1);
        let mut long = OperationStream::phase(&plan, 0, 0, 1);
        let mut block = Block::default();
        while short.steps() < 20_000 {
            short.fill(&mut block, 128);
        }
        while long.steps() < 50_000 {
            long.fill(&mut block, 100);
        }
        let (short, long) = (short.digests(), long.digests());
        assert_eq!(short[..4], long[..4]);
        assert_eq!(short[3].0, 16_384);
    }

    #[test]
    fn the_load_inserts_every_record_once() {
        let plan = mixed(REQUESTS[0]);
        let pool = ValuePool::new(&plan);
        for workers in [1, 2, 3] {
            let mut records = Vec::new();
            let mut keys = HashSet::new();
            for worker in 0..workers {
                let mut stream = OperationStream::load(&plan, worker, workers);
                for (kind, check, record, key, value, _) in told(&mut stream, &[64], 10_000) {
                    assert_eq!((kind, check), (OperationKind::Insert, false));
                    assert_eq!(record % u64::from(workers), u64::from(worker));
                    assert_eq!(pool.check(record, &value), Ok(LOADED));
                    assert!((40..=200).contains(&value.len()));
                    assert!(keys.insert(key));
                    records.push(record);
                }
            }
            records.sort_unstable();
            assert_eq!(records, (0..500).collect::<Vec<_>>());
        }
    }

    #[test]
    fn operations_carry_what_their_kind_needs() {
        let plan = mixed(REQUESTS[3]);
        let pool = ValuePool::new(&plan);
        let keys = KeySpace::new(&plan.key);
        let all = told(&mut OperationStream::phase(&plan, 1, 1, 2), &[64], 9_999);
        let mut inserted = HashSet::new();
        let (mut checked, mut reading) = (0, 0);
        for (step, (kind, check, record, key, value, scan_length)) in (0..).zip(all) {
            let mut expected = Vec::new();
            keys.write(record, &mut expected);
            assert_eq!(key, expected);
            if writes(kind) {
                assert_eq!(pool.check(record, &value), Ok(version(1, 1, step)));
            } else {
                assert!(value.is_empty());
            }
            assert_eq!(scan_length > 0, kind == OperationKind::Scan);
            assert!(scan_length <= 100);
            assert!(kind != OperationKind::Insert || inserted.insert(record));
            assert!(!check || reads(kind));
            reading += u32::from(reads(kind));
            checked += u32::from(check);
        }
        assert!(reading > 100 && checked.abs_diff(reading / 4) <= 1, "{checked} of {reading}");
    }

    #[test]
    fn workers_insert_different_records() {
        let plan = mixed(REQUESTS[2]);
        let mut seen = HashSet::new();
        for number in [0, 1] {
            for worker in 0..3 {
                let all = told(&mut OperationStream::phase(&plan, number, worker, 3), &[64], 9_999);
                for (kind, _, record, key, ..) in all {
                    assert!(kind != OperationKind::Insert || (record >= 500 && seen.insert(key)));
                }
            }
        }
        assert!(seen.len() > 1_000);
    }

    #[test]
    fn checks_can_be_off_and_every_time() {
        for (check_one_in, every) in [(0, false), (1, true)] {
            let plan = Plan { check_one_in, ..mixed(REQUESTS[0]) };
            let all = told(&mut OperationStream::phase(&plan, 0, 0, 1), &[64], 1_000);
            assert!(all.iter().all(|(kind, check, ..)| *check == (every && reads(*kind))));
        }
    }

    #[test]
    fn blocks_of_very_long_values_are_cut() {
        let mut plan = plan(10, vec![phase(9, Mix { update: 1.0, ..Mix::default() }, REQUESTS[0])]);
        plan.value.size = SizeDistribution::Constant { value: MAX_BLOCK_BYTES / 3 };
        let mut stream = OperationStream::phase(&plan, 0, 0, 1);
        let mut block = Block::default();
        let counts: Vec<usize> = (0..4).map(|_| stream.fill(&mut block, 256)).collect();
        assert_eq!(counts, [3, 3, 3, 0]);
    }

    #[test]
    fn multigets_carry_their_keys_and_every_key_counts_in_the_digest() {
        let mix = Mix { read: 0.5, insert: 0.1, multiget: 0.4, ..Mix::default() };
        let plan = plan(500, vec![phase(3_000, mix, REQUESTS[3])]);
        let keys = KeySpace::new(&plan.key);
        let told = |block_size: usize| {
            let mut stream = OperationStream::phase(&plan, 0, 1, 2);
            let (mut all, mut block) = (Vec::new(), Block::default());
            while stream.fill(&mut block, block_size) > 0 {
                let Groups { size, records, spans } = &block.groups;
                let multigets =
                    block.operations.iter().filter(|operation| operation.kind == OperationKind::Multiget);
                assert_eq!((*size, records.len(), spans.len()), (7, multigets.count() * 7, records.len()));
                for (&record, span) in records.iter().zip(spans) {
                    let mut expected = Vec::new();
                    keys.write(record, &mut expected);
                    let (start, len) = (span.start as usize, span.len as usize);
                    assert_eq!(block.keys[start..start + len], expected);
                    all.push(record);
                }
            }
            (all, stream.digests())
        };
        let (one, digests) = told(64);
        assert!(one.len() > 3_000);
        assert_eq!((one, digests.clone()), told(100));
        let mut other = plan.clone();
        other.phases[0].multiget_size = 8;
        let mut stream = OperationStream::phase(&other, 0, 1, 2);
        while stream.fill(&mut Block::default(), 64) > 0 {}
        assert_ne!(stream.digests(), digests);
    }

    #[test]
    fn a_phase_that_is_not_there_is_empty() {
        let plan = mixed(REQUESTS[0]);
        let mut block = Block::default();
        assert_eq!(OperationStream::phase(&plan, 7, 0, 1).fill(&mut block, 10), 0);
    }
}
