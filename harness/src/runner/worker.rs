//! One worker of a phase: prepares a block of operations, runs it, judges it, until the phase ends.
//!
//! Thread safety: everything here belongs to the worker's thread. It meets the others at the rendezvous before the phase
//! and, once a block and outside the timed section, publishes its progress on a cache line of its own.

use super::block_size::BlockSize;
use super::executor::Executor;
use super::judge::KeyBounds;
use super::phase::Task;
use super::recorder::Recorder;
use super::rendezvous::Place;
use crate::measure::resources;
use crate::measure::series::Series;
use crate::results::model::Worker;
use crate::workload::operation::{Block, OperationKind};
use crate::workload::plan::Bound;
use crate::workload::stream::OperationStream;
use engines::Session;
use engines::clock::Ticks;

/// A worker that sees more errors than this ends: the phase is not worth its time any more.
const MOST_FAILURES: u64 = 1_000;

/// What a worker did.
#[derive(Debug)]
pub struct Report {
    /// Its figures.
    pub worker: Worker,
    /// By kind of operation.
    pub recorder: Recorder,
    /// Over time.
    pub series: Series,
    /// The least and the greatest key it inserted, where noted.
    pub bounds: KeyBounds,
    /// Processor time of the process when the warm-up was over, seconds; of the first worker only.
    pub cpu_seconds_at_start: Option<f64>,
    /// Why it ended early.
    pub error: Option<String>,
}

impl Report {
    fn new(kinds: &[OperationKind]) -> Self {
        Self {
            worker: Worker { operations: 0, busy_ns: 0, wall_ns: 0, digests: Vec::new() },
            recorder: Recorder::new(kinds.iter().copied()),
            series: Series::new(),
            bounds: KeyBounds::default(),
            cpu_seconds_at_start: None,
            error: None,
        }
    }

    /// The report of a worker of whom nothing is known but why it ended.
    pub fn failed(error: String) -> Self {
        Self { error: Some(error), ..Self::new(&[]) }
    }
}

/// Works until the phase ends.
pub fn run(
    task: &Task<'_>,
    number: u32,
    threads: u32,
    stream: &mut OperationStream,
    place: &Place<'_>,
) -> Report {
    let mut session = match task.engine.session() {
        Ok(session) => session,
        Err(error) => return Report::failed(format!("worker {number} got no session: {error}")),
    };
    let keeps = task.judge.retains_data;
    let mut hands = Hands {
        task,
        number,
        stream,
        session: session.as_mut(),
        executor: Executor::new(task.clock, task.timing, task.scan_mode, keeps),
        block: Block::default(),
        size: BlockSize::new(),
    };
    if !task.warmup.is_zero() {
        let start = place.wait();
        let warmup = hands.work(start, Bound::Duration(task.warmup));
        let fault = warmup.error.or_else(|| warmup.recorder.first_fault().map(str::to_owned));
        if let Some(fault) = fault {
            return Report::failed(format!("worker {number} while warming up: {fault}"));
        }
    }
    let cpu_seconds_at_start = (number == 0).then(resources::cpu_seconds);
    let start = place.wait();
    if number == 0 {
        task.counters.restart();
    }
    let bound = match task.bound {
        Bound::Duration(time) => Bound::Duration(time),
        Bound::Operations(all) => Bound::Operations(share(all, number, threads)),
    };
    let mut report = hands.work(start, bound);
    report.worker.digests = stream.digests();
    report.cpu_seconds_at_start = cpu_seconds_at_start;
    report
}

/// A worker's part of operations that are spread evenly.
fn share(all: u64, worker: u32, workers: u32) -> u64 {
    let workers = u64::from(workers.max(1));
    all / workers + u64::from(u64::from(worker) < all % workers)
}

/// What a worker holds from block to block.
struct Hands<'a> {
    task: &'a Task<'a>,
    number: u32,
    stream: &'a mut OperationStream,
    session: &'a mut dyn Session,
    executor: Executor,
    block: Block,
    size: BlockSize,
}

impl Hands<'_> {
    /// Runs blocks until the bound, the end of the stream, or too many failures.
    fn work(&mut self, start: Ticks, bound: Bound) -> Report {
        let clock = self.task.clock;
        let mut report = Report::new(self.task.kinds);
        let (mut done, mut failures) = (0_u64, 0_u64);
        loop {
            let room = match bound {
                Bound::Operations(limit) => limit - done,
                Bound::Duration(time) => {
                    let elapsed = u128::from(clock.nanoseconds(start, clock.now()));
                    if elapsed < time.as_nanos() { u64::MAX } else { 0 }
                }
            };
            let next = self.size.operations().min(usize::try_from(room).unwrap_or(usize::MAX));
            if next == 0 {
                break;
            }
            let filled = self.stream.fill(&mut self.block, next);
            if filled == 0 {
                break;
            }
            let span = self.executor.run(&mut self.block, self.session);
            let busy = clock.nanoseconds(span.start, span.end).max(1);
            report.worker.busy_ns += busy;
            let (recorder, series) = (&mut report.recorder, &mut report.series);
            let tally =
                self.task.judge.judge(&self.block, &self.executor, (span, start, &clock), recorder, series);
            if self.task.notes_bounds {
                for operation in &self.block.operations {
                    report.bounds.add(self.block.key(operation));
                }
            }
            report.worker.operations += tally.ok;
            done += filled as u64;
            failures += tally.failed;
            self.task.counters.publish(self.number, done);
            self.size.adapt(filled, busy, self.block.values.len() as u64 + self.executor.bytes_returned());
            if failures > MOST_FAILURES {
                let first = report.recorder.first_fault().unwrap_or_default();
                report.error = Some(format!(
                    "worker {}: more than {MOST_FAILURES} failures, the first: {first}",
                    self.number
                ));
                break;
            }
            if self.task.counters.stopped() {
                report.error = Some("nobody waits for the result".to_owned());
                break;
            }
        }
        report.worker.wall_ns = clock.nanoseconds(start, clock.now());
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_spread_evenly() {
        for (all, workers) in [(0, 3), (2, 3), (10, 3), (1_000_003, 7)] {
            let shares: Vec<u64> = (0..workers).map(|worker| share(all, worker, workers)).collect();
            assert_eq!(shares.iter().sum::<u64>(), all);
            assert!(
                shares.iter().max().zip(shares.iter().min()).is_some_and(|(most, least)| most - least <= 1)
            );
        }
    }
}
