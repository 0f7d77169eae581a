//! One phase of a trial: its workers are started together, joined, and what they did is added up.

use super::executor::{ScanMode, Timing};
use super::judge::{Judge, KeyBounds};
use super::progress::Counters;
use super::rendezvous::Rendezvous;
use super::worker::{self, Report};
use crate::measure::resources;
use crate::results::model::{Phase, Worker};
use crate::workload::operation::OperationKind;
use crate::workload::plan::Bound;
use crate::workload::stream::OperationStream;
use engines::Engine;
use engines::clock::Clock;
use std::any::Any;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the workers of a phase share.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The phase's name.
    pub name: &'a str,
    /// The engine under test.
    pub engine: &'a dyn Engine,
    /// The clock of the whole trial.
    pub clock: Clock,
    /// Where progress is published.
    pub counters: &'a Counters,
    /// Which operations are timed on their own.
    pub timing: Timing,
    /// Kinds that occur.
    pub kinds: &'a [OperationKind],
    /// Time before operations are counted.
    pub warmup: Duration,
    /// When the phase ends; operations are those of all workers together.
    pub bound: Bound,
    /// What answers are held against.
    pub judge: Judge<'a>,
    /// How scans run.
    pub scan_mode: ScanMode,
    /// Whether the least and the greatest key that is inserted are noted.
    pub notes_bounds: bool,
}

/// What a phase yielded.
pub struct Ended {
    /// Its figures; `settle_seconds` is still 0.
    pub phase: Phase,
    /// The least and the greatest key that was inserted, where noted.
    pub bounds: KeyBounds,
    /// The first reason why a worker ended early.
    pub error: Option<String>,
}

/// Runs the phase, one worker a stream.
pub fn run(task: &Task<'_>, streams: &mut [OperationStream]) -> Ended {
    let threads = u32::try_from(streams.len()).unwrap_or(u32::MAX);
    let rendezvous = Rendezvous::new(threads, task.clock);
    let cpu_before = resources::cpu_seconds();
    task.counters.begin(task.name, task.bound);
    let reports: Vec<Report> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .zip(streams.iter_mut())
            .map(|(worker, stream)| {
                let place = rendezvous.place();
                scope.spawn(move || worker::run(task, worker, threads, stream, &place))
            })
            .collect();
        (0..threads)
            .zip(workers)
            .map(|(worker, thread)| {
                thread.join().unwrap_or_else(|panic| {
                    Report::failed(format!("worker {worker} panicked: {}", message(panic.as_ref())))
                })
            })
            .collect()
    });
    let cpu_after = resources::cpu_seconds();
    let cpu_before = reports.iter().find_map(|report| report.cpu_seconds_at_start).unwrap_or(cpu_before);
    let cpu_seconds = (cpu_after - cpu_before).max(0.0);
    add_up(task.name, cpu_seconds, reports)
}

fn add_up(name: &str, cpu_seconds: f64, reports: Vec<Report>) -> Ended {
    let mut workers = Vec::with_capacity(reports.len());
    let mut operations = BTreeMap::new();
    let mut series = Vec::new();
    let mut bounds = KeyBounds::default();
    let mut error = None;
    for report in reports {
        workers.push(report.worker);
        report.recorder.merge_into(&mut operations);
        report.series.merge_into(&mut series);
        bounds.merge(&report.bounds);
        error = error.or(report.error);
    }
    let wall_ns = workers.iter().map(|worker: &Worker| worker.wall_ns).max().unwrap_or(0);
    let phase = Phase {
        name: name.to_owned(),
        wall_seconds: wall_ns as f64 / 1e9,
        workers,
        operations,
        series,
        cpu_seconds,
        settle_seconds: 0.0,
    };
    Ended { phase, bounds, error }
}

/// The text of a panic.
pub fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}
