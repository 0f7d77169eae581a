//! One trial, from the empty engine to the last record read back, once more after reopening where data must outlast that. Runs in a process of its own.

use super::executor::{ScanMode, Timing};
use super::job::Job;
use super::judge::{Judge, KeyBounds, Looks};
use super::phase::{self, Ended, Task};
use super::progress::{Counters, reporting};
use super::settle::settle;
use super::verify::Subject;
use crate::measure::{allocator, resources};
use crate::results::model::{LOAD_PHASE, Reopened, Trial};
use crate::workload::operation::OperationKind;
use crate::workload::plan::{Bound, CellPlan, LatencyMode, PhasePlan, Plan};
use crate::workload::stream::OperationStream;
use engines::clock::Clock;
use engines::entry::OpenOptions;
use engines::{Durability, Engine};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Runs the job, telling its progress to `sink`. Whatever goes wrong is the trial's `error`; the phases before are kept.
pub fn run(job: &Job, sink: &mut (dyn Write + Send)) -> Trial {
    let mut trial = job.empty_trial();
    let Some(cell) = job.cell() else {
        trial.error = Some(format!("the plan has no cell {}", job.cell));
        return trial;
    };
    // Load and verification are phases too, and where they are done, reopening and verifying again.
    let others = if cell.durability == Durability::None { 2 } else { 4 };
    let phases = u32::try_from(job.plan.phases.len()).unwrap_or(u32::MAX).saturating_add(others);
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

/// Opens the engine and measures it; where something must outlast its closing, closes it, opens it again and reads everything back
/// once more. An engine that failed is not closed but left to the end of the process: after a panic in the middle of a write,
/// closing it may wait for ever.
fn measure(
    job: &Job,
    cell: &CellPlan,
    counters: &Counters,
    trial: &mut Trial,
    open: impl Fn() -> engines::Result<Box<dyn Engine>>,
) -> Result<(), String> {
    let clock = Clock::new();
    // Before the engine is opened, so that its memory is not counted as the engine's.
    let looks = Looks::new(&job.plan);
    let engine = opened(cell, || {
        trial.memory.rss_before_bytes = resources::rss_bytes();
        open()
    })?;
    let course = Course { plan: &job.plan, cell, counters, clock, engine: engine.as_ref() };
    let outcome = guarded(|| course.run(&looks, trial));
    if trial.memory.rss_peak_bytes == 0 {
        // It ended before its last phase did. Otherwise the peak is known, and what verification took since is the harness's.
        trial.memory.rss_peak_bytes = resources::rss_peak_bytes();
    }
    let executed = match outcome {
        Ok(executed) => executed,
        Err(error) => {
            std::mem::forget(engine);
            return Err(error);
        }
    };
    let is_kept = cell.durability != Durability::None && trial.verification.is_some();
    if is_kept {
        counters.begin("reopen", Bound::Operations(1));
    }
    let closing = Instant::now();
    engine.close().map_err(|error| format!("{} cannot be closed: {error}", cell.engine))?;
    if is_kept {
        let close_seconds = closing.elapsed().as_secs_f64();
        let opening = Instant::now();
        let engine = opened(cell, open).map_err(|error| format!("after it was closed, {error}"))?;
        let open_seconds = opening.elapsed().as_secs_f64();
        let plan = endless(&job.plan);
        let subject =
            Subject { engine: engine.as_ref(), plan: &plan, looks: &looks, counters, phase: "verify again" };
        let verified = guarded(|| subject.verify(cell.threads, &executed));
        let verification = match verified {
            Ok(verification) => verification,
            Err(error) => {
                std::mem::forget(engine);
                return Err(format!("after it was opened again, {error}"));
            }
        };
        trial.reopened = Some(Reopened { close_seconds, open_seconds, verification });
        engine.close().map_err(|error| format!("{} cannot be closed again: {error}", cell.engine))?;
    }
    Ok(())
}

/// Opens the engine.
fn opened(
    cell: &CellPlan,
    open: impl FnOnce() -> engines::Result<Box<dyn Engine>>,
) -> Result<Box<dyn Engine>, String> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(engine)) => Ok(engine),
        Ok(Err(error)) => Err(format!("{} cannot be opened: {error}", cell.engine)),
        Err(panic) => {
            Err(format!("{} panicked while opening: {}", cell.engine, phase::message(panic.as_ref())))
        }
    }
}

/// Does work that may panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(format!("panicked: {}", phase::message(panic.as_ref()))))
}

/// An open engine and what is to be done with it.
struct Course<'a> {
    plan: &'a Plan,
    cell: &'a CellPlan,
    counters: &'a Counters,
    clock: Clock,
    engine: &'a dyn Engine,
}

impl Course<'_> {
    /// Returns the operations of each phase and worker.
    fn run(&self, looks: &Looks, trial: &mut Trial) -> Result<Vec<Vec<u64>>, String> {
        // Streams never end by themselves: a phase bounded by operations must not lose those of its warm-up. Its bound is the
        // worker's business.
        let endless = endless(self.plan);
        let retains_data = self.engine.capabilities().retains_data;
        let bounds = self.load(looks, trial)?;
        let mut executed = Vec::with_capacity(self.plan.phases.len());
        let timing = match self.plan.latency {
            LatencyMode::All => Timing::OneIn(1),
            LatencyMode::Sampled(one_in) => Timing::OneIn(one_in),
        };
        for (index, planned) in self.plan.phases.iter().enumerate() {
            let mut streams: Vec<OperationStream> = (0..self.cell.threads)
                .map(|worker| OperationStream::phase(&endless, index, worker, self.cell.threads))
                .collect();
            let scan_mode = ScanMode { reverse: planned.scan.reverse, keys_only: planned.scan.keys_only };
            let every_read_hits = planned.every_read_hits;
            let judge = Judge { looks, bounds: &bounds, every_read_hits, retains_data, scan_mode };
            let kinds = kinds(planned);
            let task = Task {
                name: &planned.name,
                kinds: &kinds,
                warmup: self.plan.warmup,
                bound: planned.bound,
                timing,
                ..self.task(judge)
            };
            self.finish(phase::run(&task, &mut streams), trial)?;
            executed.push(streams.iter().map(OperationStream::steps).collect());
        }
        trial.memory.rss_peak_bytes = resources::rss_peak_bytes();
        trial.engine_stats = Some(self.engine.stats());
        let failed =
            trial.phases.iter().flat_map(|phase| phase.operations.values()).any(|found| found.failed > 0);
        if retains_data && !failed {
            // After a write that failed nobody knows what must be there; that trial is at fault already.
            let (engine, counters) = (self.engine, self.counters);
            let subject = Subject { engine, plan: &endless, looks, counters, phase: "verify" };
            trial.verification = Some(subject.verify(self.cell.threads, &executed)?);
        }
        Ok(executed)
    }

    /// Loads the records; every worker inserts its share. Returns the least and the greatest key.
    fn load(&self, looks: &Looks, trial: &mut Trial) -> Result<KeyBounds, String> {
        let mut streams: Vec<OperationStream> = (0..self.cell.threads)
            .map(|worker| OperationStream::load(self.plan, worker, self.cell.threads))
            .collect();
        let none = KeyBounds::default();
        let retains_data = self.engine.capabilities().retains_data;
        let scan_mode = ScanMode::default();
        let judge = Judge { looks, bounds: &none, every_read_hits: true, retains_data, scan_mode };
        let ended = phase::run(&self.task(judge), &mut streams);
        let bounds = ended.bounds.clone();
        drop(streams);
        self.finish(ended, trial)?;
        // What the workers' threads gave back to the allocator is not the engine's.
        allocator::collect();
        trial.memory.rss_loaded_bytes = resources::rss_bytes();
        Ok(bounds)
    }

    /// The task of the load, of which phases change what is theirs.
    fn task<'a>(&'a self, judge: Judge<'a>) -> Task<'a> {
        Task {
            name: LOAD_PHASE,
            engine: self.engine,
            clock: self.clock,
            counters: self.counters,
            // Its longest insert is the pause that growing costs, and a sample would miss it.
            timing: Timing::InARow,
            kinds: &[OperationKind::Insert],
            warmup: Duration::ZERO,
            bound: Bound::Operations(self.plan.records),
            scan_mode: judge.scan_mode,
            notes_bounds: self.plan.phases.iter().any(|phase| phase.mix.scan > 0.0),
            judge,
        }
    }

    /// Lets the engine settle after a phase and keeps the phase, also if it ended early.
    fn finish(&self, ended: Ended, trial: &mut Trial) -> Result<(), String> {
        let Ended { mut phase, error, .. } = ended;
        let name = phase.name.clone();
        let settled = match error {
            Some(error) => Err(format!("{name}: {error}")),
            None => settle(self.engine).map_err(|error| format!("after {name}: {error}")),
        };
        if let Ok(seconds) = settled {
            phase.settle_seconds = seconds;
        }
        trial.phases.push(phase);
        settled.map(drop)
    }
}

/// The plan with phases that end only by their worker.
fn endless(plan: &Plan) -> Plan {
    let mut endless = plan.clone();
    for phase in &mut endless.phases {
        phase.bound = Bound::Duration(Duration::MAX);
    }
    endless
}

/// The kinds of operation that occur in a phase.
fn kinds(phase: &PhasePlan) -> Vec<OperationKind> {
    OperationKind::ALL.into_iter().filter(|kind| phase.mix.of(*kind) > 0.0).collect()
}

#[cfg(test)]
mod tests;
