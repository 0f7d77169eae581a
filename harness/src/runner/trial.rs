//! One trial, from the empty engine to the last record read back. Runs in a process of its own.

use super::executor::ScanMode;
use super::job::Job;
use super::judge::{Judge, KeyBounds};
use super::phase::{self, Task};
use super::progress::{Counters, reporting};
use super::settle::settle;
use super::verify;
use crate::measure::resources;
use crate::results::model::{LOAD_PHASE, Trial};
use crate::workload::operation::OperationKind;
use crate::workload::plan::{Bound, CellPlan, PhasePlan, Plan};
use engines::Engine;
use engines::clock::Clock;
use engines::entry::OpenOptions;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Runs the job, telling its progress to `sink`. Whatever goes wrong is the trial's `error`; the phases before are kept.
pub fn run(job: &Job, sink: &mut (dyn Write + Send)) -> Trial {
    let mut trial = job.empty_trial();
    let Some(cell) = job.cell() else {
        trial.error = Some(format!("the plan has no cell {}", job.cell));
        return trial;
    };
    let phases = u32::try_from(job.plan.phases.len()).unwrap_or(u32::MAX).saturating_add(2);
    let counters = Counters::new(cell.threads, phases);
    trial.error = reporting(&counters, sink, || {
        let options = OpenOptions {
            options: cell.options.clone(),
            durability: cell.durability,
            directory: job.directory.clone(),
        };
        measure(job, &cell, &counters, &mut trial, || engines::registry::open(&cell.engine, &options))
    })
    .err();
    trial
}

/// Opens the engine and measures it. An engine that failed is not closed but left to the end of the process: after a panic in
/// the middle of a write, closing it may wait for ever.
fn measure(
    job: &Job,
    cell: &CellPlan,
    counters: &Counters,
    trial: &mut Trial,
    open: impl FnOnce() -> engines::Result<Box<dyn Engine>>,
) -> Result<(), String> {
    let clock = Clock::new();
    let opened = catch_unwind(AssertUnwindSafe(|| {
        trial.memory.rss_before_bytes = resources::rss_bytes();
        open()
    }));
    let engine = match opened {
        Ok(Ok(engine)) => engine,
        Ok(Err(error)) => return Err(format!("{} cannot be opened: {error}", cell.engine)),
        Err(panic) => return Err(format!("{} panicked while opening: {}", cell.engine, phase::message(panic.as_ref()))),
    };
    let course = Course { plan: &job.plan, cell, counters, clock, engine: engine.as_ref() };
    let outcome = catch_unwind(AssertUnwindSafe(|| course.run(trial)))
        .unwrap_or_else(|panic| Err(format!("panicked: {}", phase::message(panic.as_ref()))));
    trial.memory.rss_peak_bytes = trial.memory.rss_peak_bytes.max(resources::rss_peak_bytes());
    if outcome.is_err() {
        std::mem::forget(engine);
        return outcome;
    }
    engine.close().map_err(|error| format!("{} cannot be closed: {error}", cell.engine))
}

/// An open engine and what is to be done with it.
struct Course<'a> {
    plan: &'a Plan,
    cell: &'a CellPlan,
    counters: &'a Counters,
    clock: Clock,
    engine: &'a dyn Engine,
}
