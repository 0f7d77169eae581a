//! Runs a prepared block against a session: the timed section, and nothing else.
//!
//! Thread safety: an executor belongs to one worker. Inside the timed section it touches the block, the session, its own
//! buffers and the clock; it formats nothing, draws nothing and records nothing in histograms. Invariants after
//! [`Executor::run`]: `outcomes` and `ticks` have one entry an operation; `kept_values` holds, in order, the answers of the
//! first `kept` flagged reads and read-modify-writes, `kept_scans` those of the flagged scans.

use super::entries::Entries;
use crate::workload::operation::{Block, Operation, OperationKind};
use crate::workload::plan::LatencyMode;
use crate::workload::value;
use engines::clock::{Clock, Ticks};
use engines::{Existence, ScanRange, Session};
use std::borrow::Cow;
use std::ops::{Bound, ControlFlow};

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// The key was not there; of a scan: no record was.
    Missed,
    /// It returned an error.
    Failed,
}

/// Which way scans of the phase run, and whether they ask for values.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanMode {
    /// From the start key downwards.
    pub reverse: bool,
    /// Without values.
    pub keys_only: bool,
}

/// The buffers and settings of the timed section.
#[derive(Debug)]
pub struct Executor {
    clock: Clock,
    scan_mode: ScanMode,
    /// One operation in this many is timed on its own.
    every: u32,
    /// Operations until the next that is timed.
    until_timed: u32,
    /// Whether flagged answers are kept; if not, there are no buffers for them.
    keeps: bool,
    outcomes: Vec<Outcome>,
    /// Service time of each operation; 0 where it was not timed.
    ticks: Vec<Ticks>,
    value: Vec<u8>,
    entries: Entries,
    kept_values: Vec<Vec<u8>>,
    kept_scans: Vec<Entries>,
    first_error: Option<String>,
    records_scanned: u64,
    bytes_returned: u64,
}

/// When a block was run.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Before its first operation.
    pub start: Ticks,
    /// After its last.
    pub end: Ticks,
}

impl Executor {
    /// An executor; `keeps` tells whether flagged answers are kept for comparison.
    pub fn new(clock: Clock, latency: LatencyMode, scan_mode: ScanMode, keeps: bool) -> Self {
        let every = match latency {
            LatencyMode::All => 1,
            LatencyMode::Sampled(every) => every.max(1),
        };
        Self {
            clock,
            scan_mode,
            every,
            until_timed: 0,
            keeps,
            outcomes: Vec::new(),
            ticks: Vec::new(),
            value: Vec::new(),
            entries: Entries::default(),
            kept_values: Vec::new(),
            kept_scans: Vec::new(),
            first_error: None,
            records_scanned: 0,
            bytes_returned: 0,
        }
    }

    /// Runs every operation of the block, in order.
    pub fn run(&mut self, block: &mut Block, session: &mut dyn Session) -> Span {
        self.prepare(block);
        // Taken out while they run, so that their values can be linked meanwhile.
        let operations = std::mem::take(&mut block.operations);
        let mut hands = Hands {
            block,
            session,
            scan_mode: self.scan_mode,
            value: &mut self.value,
            entries: &mut self.entries,
            kept_values: self.kept_values.iter_mut(),
            kept_scans: self.kept_scans.iter_mut(),
            first_error: &mut self.first_error,
            records_scanned: 0,
            bytes_returned: 0,
        };
        let (clock, every) = (self.clock, self.every);
        let mut until_timed = self.until_timed;
        let slots = self.outcomes.iter_mut().zip(&mut self.ticks);
        let start = clock.now();
        for (operation, (outcome, ticks)) in operations.iter().zip(slots) {
            if until_timed == 0 {
                until_timed = every;
                let from = clock.now();
                *outcome = hands.perform(operation);
                *ticks = clock.now().saturating_sub(from).max(1);
            } else {
                *outcome = hands.perform(operation);
            }
            until_timed -= 1;
        }
        let end = clock.now();
        self.records_scanned = hands.records_scanned;
        self.bytes_returned = hands.bytes_returned;
        self.until_timed = until_timed;
        block.operations = operations;
        Span { start, end }
    }

    /// Makes room for the answers of a block, outside the timed section.
    fn prepare(&mut self, block: &Block) {
        self.outcomes.clear();
        self.outcomes.resize(block.operations.len(), Outcome::Done);
        self.ticks.clear();
        self.ticks.resize(block.operations.len(), 0);
        self.first_error = None;
        if self.keeps {
            let flagged = |of_scans: bool| {
                let is_scan = |operation: &&Operation| operation.kind == OperationKind::Scan;
                block.operations.iter().filter(|o| o.check).filter(|o| is_scan(o) == of_scans).count()
            };
            let (reads, scans) = (flagged(false), flagged(true));
            if self.kept_values.len() < reads {
                self.kept_values.resize_with(reads, Vec::new);
            }
            if self.kept_scans.len() < scans {
                self.kept_scans.resize_with(scans, Entries::default);
            }
        }
    }

    /// How each operation of the last block ended, and its service time in ticks, 0 where it was not timed.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, Ticks)> {
        self.outcomes.iter().copied().zip(self.ticks.iter().copied())
    }

    /// The answers of the flagged operations of the last block but scans, in order.
    pub fn kept_values(&self) -> impl Iterator<Item = &[u8]> {
        self.kept_values.iter().map(Vec::as_slice)
    }

    /// The answers of the flagged scans of the last block, in order.
    pub fn kept_scans(&self) -> impl Iterator<Item = &Entries> {
        self.kept_scans.iter()
    }

    /// The first error of the last block.
    pub fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    /// Records that the scans of the last block returned.
    pub const fn records_scanned(&self) -> u64 {
        self.records_scanned
    }

    /// Bytes that the last block made this executor hold.
    pub const fn bytes_returned(&self) -> u64 {
        self.bytes_returned
    }
}

/// All that an operation needs.
struct Hands<'a> {
    block: &'a mut Block,
    session: &'a mut dyn Session,
    scan_mode: ScanMode,
    value: &'a mut Vec<u8>,
    entries: &'a mut Entries,
    kept_values: std::slice::IterMut<'a, Vec<u8>>,
    kept_scans: std::slice::IterMut<'a, Entries>,
    first_error: &'a mut Option<String>,
    records_scanned: u64,
    bytes_returned: u64,
}

impl Hands<'_> {
    #[inline(always)]
    fn perform(&mut self, operation: &Operation) -> Outcome {
        let key = self.block.key(operation);
        let answer = match operation.kind {
            OperationKind::Read if operation.check => self.read_and_keep(operation),
            OperationKind::Read => self.session.get(key, self.value),
            OperationKind::Update => self.session.update(key, self.block.value(operation)),
            OperationKind::Insert => self.session.set(key, self.block.value(operation)).map(|()| true),
            OperationKind::Scan => self.scan(operation),
            OperationKind::ReadModifyWrite => self.read_modify_write(operation),
            OperationKind::Delete => self.session.delete(key).map(|existence| existence != Existence::Absent),
        };
        match answer {
            Ok(true) => Outcome::Done,
            Ok(false) => Outcome::Missed,
            Err(error) => {
                self.fail(&error);
                Outcome::Failed
            }
        }
    }

    fn read_and_keep(&mut self, operation: &Operation) -> engines::Result<bool> {
        let buffer = self.kept_values.next().unwrap_or(&mut *self.value);
        let found = self.session.get(self.block.key(operation), buffer)?;
        self.bytes_returned += buffer.len() as u64;
        Ok(found)
    }

    fn read_modify_write(&mut self, operation: &Operation) -> engines::Result<bool> {
        let kept = if operation.check { self.kept_values.next() } else { None };
        let buffer = kept.unwrap_or(&mut *self.value);
        if !self.session.get(self.block.key(operation), buffer)? {
            return Ok(false);
        }
        value::link(self.block.value_mut(operation), buffer);
        self.session.update(self.block.key(operation), self.block.value(operation))
    }

    fn scan(&mut self, operation: &Operation) -> engines::Result<bool> {
        let kept = if operation.check { self.kept_scans.next() } else { None };
        let entries = kept.unwrap_or(&mut *self.entries);
        entries.clear();
        let start = Bound::Included(Cow::Borrowed(self.block.key(operation)));
        let (lower, upper) =
            if self.scan_mode.reverse { (Bound::Unbounded, start) } else { (start, Bound::Unbounded) };
        let range = ScanRange {
            lower,
            upper,
            limit: operation.scan_length as usize,
            reverse: self.scan_mode.reverse,
            keys_only: self.scan_mode.keys_only,
        };
        let visited = self.session.scan(&range, &mut |key, value| {
            entries.push(key, value);
            ControlFlow::Continue(())
        })?;
        self.records_scanned += visited;
        self.bytes_returned += entries.bytes() as u64;
        Ok(visited > 0 || operation.scan_length == 0)
    }

    #[cold]
    fn fail(&mut self, error: &engines::Error) {
        if self.first_error.is_none() {
            *self.first_error = Some(error.to_string());
        }
    }
}
