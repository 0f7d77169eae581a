//! Runs a prepared block against a session: the timed section, and nothing else.
//!
//! Thread safety: an executor belongs to one worker. Inside the timed section it touches the block, the session, its own
//! buffers and the clock; it formats nothing, draws nothing and records nothing in histograms. Invariants after
//! [`Executor::run`]: `outcomes` and `ticks` have one entry an operation; `kept_values` holds, in order, the answers of the
//! first `kept` flagged reads and read-modify-writes, `kept_scans` those of the flagged scans, `kept_groups` those of the flagged
//! multigets.

use super::entries::Entries;
use crate::workload::operation::{Block, Operation, OperationKind};
use crate::workload::value;
use engines::clock::{Clock, Ticks};
use engines::{Existence, GetBuffer, ScanRange, Session};
use std::borrow::Cow;
use std::ops::{Bound, ControlFlow};

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Done,
    /// The key was not there; of a scan: no record was; of a multiget: none of its keys was.
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

/// Which operations are timed on their own, and how.
#[derive(Clone, Copy, Debug)]
pub enum Timing {
    /// One in this many, from a reading of the clock before it to one after it.
    OneIn(u32),
    /// Every one, from the end of the one before it: half as many readings, and none goes unseen.
    InARow,
}

/// The buffers and settings of the timed section.
#[derive(Debug)]
pub struct Executor {
    clock: Clock,
    scan_mode: ScanMode,
    timing: Timing,
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
    answers: GetBuffer,
    kept_groups: Vec<GetBuffer>,
    /// The multigets, counted from 0, that found some of their keys and not all.
    incomplete: Vec<u32>,
    first_error: Option<String>,
    records_scanned: u64,
    records_got: u64,
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
    pub fn new(clock: Clock, timing: Timing, scan_mode: ScanMode, keeps: bool) -> Self {
        Self {
            clock,
            scan_mode,
            timing,
            until_timed: 0,
            keeps,
            outcomes: Vec::new(),
            ticks: Vec::new(),
            value: Vec::new(),
            entries: Entries::default(),
            kept_values: Vec::new(),
            kept_scans: Vec::new(),
            answers: GetBuffer::new(),
            kept_groups: Vec::new(),
            incomplete: Vec::new(),
            first_error: None,
            records_scanned: 0,
            records_got: 0,
            bytes_returned: 0,
        }
    }

    /// Runs every operation of the block, in order.
    pub fn run(&mut self, block: &mut Block, session: &mut dyn Session) -> Span {
        self.prepare(block);
        // Taken out while they run, so that their values can be linked meanwhile.
        let operations = std::mem::take(&mut block.operations);
        let group_size = block.groups.size.max(1);
        let group_keys: Vec<&[u8]> =
            block.groups.spans.iter().map(|span| bytes_of(&block.keys, span.start, span.len)).collect();
        let mut hands = Hands {
            keys: &block.keys,
            values: &mut block.values,
            groups: group_keys.chunks_exact(group_size),
            session,
            scan_mode: self.scan_mode,
            value: &mut self.value,
            entries: &mut self.entries,
            kept_values: self.kept_values.iter_mut(),
            kept_scans: self.kept_scans.iter_mut(),
            answers: &mut self.answers,
            kept_groups: self.kept_groups.iter_mut(),
            incomplete: &mut self.incomplete,
            multigets: 0,
            first_error: &mut self.first_error,
            records_scanned: 0,
            records_got: 0,
            bytes_returned: 0,
        };
        let clock = self.clock;
        let mut until_timed = self.until_timed;
        let slots = self.outcomes.iter_mut().zip(&mut self.ticks);
        let (start, end) = match self.timing {
            Timing::InARow => hands.perform_in_a_row(&operations, slots, clock),
            Timing::OneIn(every) => {
                let start = clock.now();
                for (operation, (outcome, ticks)) in operations.iter().zip(slots) {
                    if until_timed == 0 {
                        until_timed = every.max(1);
                        let from = clock.now();
                        *outcome = hands.perform(operation);
                        *ticks = clock.now().saturating_sub(from).max(1);
                    } else {
                        *outcome = hands.perform(operation);
                    }
                    until_timed -= 1;
                }
                (start, clock.now())
            }
        };
        self.records_scanned = hands.records_scanned;
        self.records_got = hands.records_got;
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
        self.incomplete.clear();
        if self.keeps {
            let (mut reads, mut scans, mut multigets) = (0, 0, 0);
            for operation in block.operations.iter().filter(|operation| operation.check) {
                match operation.kind {
                    OperationKind::Scan => scans += 1,
                    OperationKind::Multiget => multigets += 1,
                    _ => reads += 1,
                }
            }
            if self.kept_groups.len() < multigets {
                self.kept_groups.resize_with(multigets, GetBuffer::new);
            }
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

    /// The answers of the flagged reads and read-modify-writes of the last block, in order.
    pub fn kept_values(&self) -> impl Iterator<Item = &[u8]> {
        self.kept_values.iter().map(Vec::as_slice)
    }

    /// The answers of the flagged scans of the last block, in order.
    pub fn kept_scans(&self) -> impl Iterator<Item = &Entries> {
        self.kept_scans.iter()
    }

    /// The answers of the flagged multigets of the last block, in order.
    pub fn kept_groups(&self) -> impl Iterator<Item = &GetBuffer> {
        self.kept_groups.iter()
    }

    /// The multigets of the last block, counted from 0, that found some of their keys and not all; ascending.
    pub fn incomplete(&self) -> &[u32] {
        &self.incomplete
    }

    /// The first error of the last block.
    pub fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    /// Records that the scans of the last block returned.
    pub const fn records_scanned(&self) -> u64 {
        self.records_scanned
    }

    /// Records that the multigets of the last block returned.
    pub const fn records_got(&self) -> u64 {
        self.records_got
    }

    /// Bytes that the last block made this executor hold.
    pub const fn bytes_returned(&self) -> u64 {
        self.bytes_returned
    }
}

/// A part of a buffer of a block.
#[inline(always)]
fn bytes_of(buffer: &[u8], start: u32, len: u32) -> &[u8] {
    let start = start as usize;
    buffer.get(start..start + len as usize).unwrap_or_default()
}

/// All that an operation needs.
struct Hands<'a> {
    keys: &'a [u8],
    values: &'a mut Vec<u8>,
    groups: std::slice::ChunksExact<'a, &'a [u8]>,
    session: &'a mut dyn Session,
    scan_mode: ScanMode,
    value: &'a mut Vec<u8>,
    entries: &'a mut Entries,
    kept_values: std::slice::IterMut<'a, Vec<u8>>,
    kept_scans: std::slice::IterMut<'a, Entries>,
    answers: &'a mut GetBuffer,
    kept_groups: std::slice::IterMut<'a, GetBuffer>,
    incomplete: &'a mut Vec<u32>,
    /// Multigets so far.
    multigets: u32,
    first_error: &'a mut Option<String>,
    records_scanned: u64,
    records_got: u64,
    bytes_returned: u64,
}

impl<'a> Hands<'a> {
    #[inline(always)]
    fn key(&self, operation: &Operation) -> &'a [u8] {
        bytes_of(self.keys, operation.key_start, operation.key_len)
    }

    /// Performs all operations, each timed from the end of the one before. Returns the first and the last reading.
    #[inline(never)]
    fn perform_in_a_row<'b>(
        &mut self,
        operations: &[Operation],
        slots: impl Iterator<Item = (&'b mut Outcome, &'b mut Ticks)>,
        clock: Clock,
    ) -> (Ticks, Ticks) {
        let start = clock.now();
        let mut before = start;
        for (operation, (outcome, ticks)) in operations.iter().zip(slots) {
            *outcome = self.perform(operation);
            let now = clock.now();
            *ticks = now.saturating_sub(before).max(1);
            before = now;
        }
        (start, before)
    }

    #[inline(always)]
    fn perform(&mut self, operation: &Operation) -> Outcome {
        let key = self.key(operation);
        let answer = match operation.kind {
            OperationKind::Read if operation.check => self.read_and_keep(operation),
            OperationKind::Read => self.session.get(key, self.value),
            OperationKind::Update => {
                let value = bytes_of(self.values, operation.value_start, operation.value_len);
                self.session.update(key, value)
            }
            OperationKind::Insert => {
                let value = bytes_of(self.values, operation.value_start, operation.value_len);
                self.session.set(key, value).map(|()| true)
            }
            OperationKind::Scan => self.scan(operation),
            OperationKind::ReadModifyWrite => self.read_modify_write(operation),
            OperationKind::Delete => self.session.delete(key).map(|existence| existence != Existence::Absent),
            OperationKind::Multiget => self.multiget(operation),
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
        let found = self.session.get(bytes_of(self.keys, operation.key_start, operation.key_len), buffer)?;
        self.bytes_returned += buffer.len() as u64;
        Ok(found)
    }

    fn read_modify_write(&mut self, operation: &Operation) -> engines::Result<bool> {
        let kept = if operation.check { self.kept_values.next() } else { None };
        let buffer = kept.unwrap_or(&mut *self.value);
        let key = bytes_of(self.keys, operation.key_start, operation.key_len);
        if !self.session.get(key, buffer)? {
            return Ok(false);
        }
        let start = operation.value_start as usize;
        let new = self.values.get_mut(start..start + operation.value_len as usize).unwrap_or_default();
        value::link(new, buffer);
        self.session.update(key, new)
    }

    /// The caller looks at each answer, as it must; so do we.
    #[inline(never)]
    fn multiget(&mut self, operation: &Operation) -> engines::Result<bool> {
        let keys = self.groups.next().unwrap_or_default();
        let number = self.multigets;
        self.multigets += 1;
        let kept = if operation.check { self.kept_groups.next() } else { None };
        let is_kept = kept.is_some();
        let answers = kept.unwrap_or(&mut *self.answers);
        self.session.get_many(keys, answers)?;
        let (mut found, mut bytes) = (0, 0);
        for index in 0..keys.len() {
            if let Some(value) = answers.get(index) {
                found += 1;
                bytes += value.len() as u64;
            }
        }
        self.records_got += found;
        self.bytes_returned += if is_kept { bytes } else { 0 };
        if found > 0 && found < keys.len() as u64 {
            self.incomplete.push(number);
        }
        Ok(found > 0)
    }

    fn scan(&mut self, operation: &Operation) -> engines::Result<bool> {
        let kept = if operation.check { self.kept_scans.next() } else { None };
        let entries = kept.unwrap_or(&mut *self.entries);
        entries.clear();
        let start =
            Bound::Included(Cow::Borrowed(bytes_of(self.keys, operation.key_start, operation.key_len)));
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
