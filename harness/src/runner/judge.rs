//! Counts how the operations of a block ended and compares flagged answers with what was written, after the clock has
//! stopped.

use super::entries::Entries;
use super::executor::{Executor, Outcome, ScanMode, Span};
use super::recorder::Recorder;
use crate::measure::series::Series;
use crate::workload::keyspace::KeySpace;
use crate::workload::operation::{Block, Operation, OperationKind};
use crate::workload::plan::Plan;
use crate::workload::value::{ValuePool, record_of};
use engines::GetBuffer;
use engines::clock::{Clock, Ticks};

/// A block that took longer than this is told apart in the series operation by operation, so that a stall shows where it was.
const LONG_BLOCK_NS: u64 = 10_000_000;

/// The least and the greatest key of the load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyBounds {
    /// Both, once there is a key.
    pub ends: Option<(Vec<u8>, Vec<u8>)>,
}

impl KeyBounds {
    /// Widens the bounds to hold a key.
    pub fn add(&mut self, key: &[u8]) {
        match &mut self.ends {
            None => self.ends = Some((key.to_vec(), key.to_vec())),
            Some((first, _)) if key < first.as_slice() => key.clone_into(first),
            Some((_, last)) if key > last.as_slice() => key.clone_into(last),
            Some(_) => {}
        }
    }

    /// Widens the bounds to hold others.
    pub fn merge(&mut self, other: &Self) {
        if let Some((first, last)) = &other.ends {
            self.add(first);
            self.add(last);
        }
    }
}

/// What keys and values of a plan look like.
#[derive(Debug)]
pub struct Looks {
    keys: KeySpace,
    values: ValuePool,
}

impl Looks {
    /// Those of a plan.
    pub fn new(plan: &Plan) -> Self {
        Self { keys: KeySpace::new(&plan.key), values: ValuePool::new(plan) }
    }

    /// Puts the key of a record into a buffer.
    pub fn key(&self, record: u64, key: &mut Vec<u8>) {
        key.clear();
        self.keys.write(record, key);
    }

    /// The version of a record's value.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn value(&self, record: u64, value: &[u8]) -> Result<u64, String> {
        self.values.check(record, value).map_err(|fault| fault.to_string())
    }

    /// The record and version of an entry whose value is long enough to say whose it is; `None` if it is too short. `expected` is
    /// a buffer.
    ///
    /// # Errors
    /// What is wrong with the value, or that it is another key's.
    pub fn entry(
        &self,
        key: &[u8],
        value: &[u8],
        expected: &mut Vec<u8>,
    ) -> Result<Option<(u64, u64)>, String> {
        let Some(record) = record_of(value) else { return Ok(None) };
        let version = self.value(record, value)?;
        self.key(record, expected);
        if expected != key {
            return Err(format!("the value belongs to record {record}, {}", named(expected)));
        }
        Ok(Some((record, version)))
    }
}

/// What answers of a phase are held against.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// What keys and values must look like.
    pub looks: &'a Looks,
    /// Keys that are there throughout the phase, if none is deleted.
    pub bounds: &'a KeyBounds,
    /// Whether every key that is asked for must be there.
    pub every_read_hits: bool,
    /// Whether the engine keeps what is written; nothing is held against one that does not.
    pub retains_data: bool,
    /// Which way scans run.
    pub scan_mode: ScanMode,
}

/// How a block ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations that did what they should.
    pub ok: u64,
    /// Operations that returned an error.
    pub failed: u64,
}

impl Judge<'_> {
    /// Judges and records a block that was just run. `origin` is the common start of the workers.
    pub fn judge(
        &self,
        block: &Block,
        executor: &Executor,
        (span, origin, clock): (Span, Ticks, &Clock),
        recorder: &mut Recorder,
        series: &mut Series,
    ) -> Tally {
        let mut tally = Tally::default();
        let mut values = executor.kept_values();
        let mut scans = executor.kept_scans();
        let mut kept_groups = executor.kept_groups();
        let mut groups = block.groups.records.chunks_exact(block.groups.size.max(1));
        let mut multigets = 0;
        let long = clock.nanoseconds(span.start, span.end) > LONG_BLOCK_NS;
        // Operations that were not timed share what the others left of a block.
        let share = if long { untimed_share(executor, span) } else { 0 };
        let mut ended = span.start;
        for (operation, (outcome, ticks)) in block.operations.iter().zip(executor.outcomes()) {
            ended += if ticks == 0 { share } else { ticks };
            let result = recorder.of(operation.kind);
            if ticks > 0 && outcome != Outcome::Failed {
                result.latency_ns.saturating_record(clock.ticks_to_nanoseconds(ticks).max(1));
            }
            let is_multiget = operation.kind == OperationKind::Multiget;
            let group = if is_multiget { groups.next().unwrap_or_default() } else { &[] };
            let is_incomplete = is_multiget && executor.incomplete().binary_search(&multigets).is_ok();
            multigets += u32::from(is_multiget);
            let answer = match operation.kind {
                _ if !operation.check || !self.retains_data => Answer::None,
                OperationKind::Read | OperationKind::ReadModifyWrite => {
                    values.next().map_or(Answer::None, Answer::Value)
                }
                OperationKind::Scan => scans.next().map_or(Answer::None, Answer::Records),
                OperationKind::Multiget => kept_groups.next().map_or(Answer::None, Answer::Group),
                OperationKind::Update | OperationKind::Insert | OperationKind::Delete => Answer::None,
            };
            let fault = match outcome {
                Outcome::Failed => {
                    result.failed += 1;
                    tally.failed += 1;
                    result.first_fault.get_or_insert_with(|| {
                        let error = executor.first_error().unwrap_or("failed");
                        format!("{} of {}: {error}", operation.kind.name(), named(block.key(operation)))
                    });
                    continue;
                }
                Outcome::Missed if self.retains_data => {
                    let is_scan = operation.kind == OperationKind::Scan;
                    result.missed += u64::from(!is_scan);
                    if !self.every_read_hits && !is_scan {
                        continue;
                    }
                    self.every_read_hits.then(|| "the record is missing".to_owned())
                }
                Outcome::Missed => None,
                Outcome::Done if is_incomplete && self.every_read_hits && self.retains_data => {
                    Some("a record that it asks for is missing".to_owned())
                }
                Outcome::Done => match answer {
                    Answer::None => None,
                    Answer::Group(answers) => {
                        result.checked += 1;
                        self.group(group, answers)
                    }
                    Answer::Value(value) => {
                        result.checked += 1;
                        self.looks.value(operation.record, value).err()
                    }
                    Answer::Records(entries) => {
                        result.checked += 1;
                        self.scan(block.key(operation), operation, entries)
                    }
                },
            };
            if let Some(fault) = fault {
                result.wrong += 1;
                result.first_fault.get_or_insert_with(|| {
                    format!("{} of {}: {fault}", operation.kind.name(), named(block.key(operation)))
                });
                continue;
            }
            result.ok += 1;
            tally.ok += 1;
            if long {
                series.add(clock.nanoseconds(origin, ended), 1);
            }
        }
        if executor.records_got() > 0 {
            recorder.of(OperationKind::Multiget).records_scanned += executor.records_got();
        }
        if executor.records_scanned() > 0 {
            recorder.of(OperationKind::Scan).records_scanned += executor.records_scanned();
        }
        if !long {
            series.add(clock.nanoseconds(origin, span.end), tally.ok);
        }
        tally
    }

    /// Every value of a multiget.
    fn group(&self, records: &[u64], answers: &GetBuffer) -> Option<String> {
        if answers.len() != records.len() {
            return Some(format!("{} answers to {} keys", answers.len(), records.len()));
        }
        let found =
            records.iter().zip(0..).filter_map(|(&record, index)| Some((record, answers.get(index)?)));
        found
            .filter_map(|(record, value)| Some((record, self.looks.value(record, value).err()?)))
            .map(|(record, fault)| {
                let mut key = Vec::new();
                self.looks.key(record, &mut key);
                format!("{}: {fault}", named(&key))
            })
            .next()
    }

    /// Order, bounds and length of a scan, and every value of it.
    fn scan(&self, start: &[u8], operation: &Operation, entries: &Entries) -> Option<String> {
        let ScanMode { reverse, keys_only } = self.scan_mode;
        let asked = operation.scan_length as usize;
        if entries.len() > asked {
            return Some(format!("{} records where {asked} were asked for", entries.len()));
        }
        let mut before: Option<&[u8]> = None;
        let mut expected = Vec::new();
        for (key, value) in entries.iter() {
            let (low, high) =
                if reverse { (key, before.unwrap_or(start)) } else { (before.unwrap_or(start), key) };
            if low > high || (before.is_some() && low == high) {
                let edge = if before.is_some() { "not in order" } else { "out of bounds" };
                return Some(format!("{} is {edge}", named(key)));
            }
            if before.is_none() && self.every_read_hits && key != start {
                return Some(format!("begins with {}, the record itself is missing", named(key)));
            }
            before = Some(key);
            if keys_only {
                if !value.is_empty() {
                    return Some(format!("{} has a value though only keys were asked for", named(key)));
                }
            } else if let Err(fault) = self.looks.entry(key, value, &mut expected) {
                return Some(format!("{}: {fault}", named(key)));
            }
        }
        self.ends_early(before?, entries.len(), asked, reverse)
    }

    /// A scan that is shorter than asked for must have come to the end of the loaded keys, which are all still there.
    fn ends_early(&self, last: &[u8], found: usize, asked: usize, reverse: bool) -> Option<String> {
        let (lowest, highest) = self.bounds.ends.as_ref()?;
        let at_end = if reverse { last <= lowest.as_slice() } else { last >= highest.as_slice() };
        (self.every_read_hits && found < asked && !at_end)
            .then(|| format!("ends at {} after {found} of {asked} records, before the last key", named(last)))
    }
}

/// The ticks of a block that each operation takes which was not timed on its own: an even share of what the others left.
fn untimed_share(executor: &Executor, span: Span) -> Ticks {
    let (timed, untimed) = executor
        .outcomes()
        .fold((0, 0), |(timed, untimed), (_, ticks)| (timed + ticks, untimed + u64::from(ticks == 0)));
    span.end.saturating_sub(span.start).saturating_sub(timed).checked_div(untimed).unwrap_or(0)
}

/// What was kept of a flagged operation.
enum Answer<'a> {
    None,
    Value(&'a [u8]),
    Records(&'a Entries),
    Group(&'a GetBuffer),
}

/// A key for people: its text, other bytes escaped, cut after 64 bytes.
pub fn named(key: &[u8]) -> String {
    key.get(..64).map_or_else(|| key.escape_ascii().to_string(), |start| format!("{}…", start.escape_ascii()))
}
