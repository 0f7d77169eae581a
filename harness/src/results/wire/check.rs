//! What figures must have in common before anything is computed from them. A file that fails here was cut, edited or made by
//! a faulty program, and is refused as a whole: a verdict on half of the data would be worse than none.

use super::WireError;
use crate::results::model::{
    LOAD_PHASE, LoadWay, MemoryEvent, MemoryTrial, NULL_LABEL, OperationResult, Phase, SweepResult, Trial,
};
use crate::workload::plan::{MemoryPlan, Plan};
use std::collections::BTreeSet;

/// Checks a trial by itself.
pub fn trial(trial: &Trial) -> Result<(), WireError> {
    let place = format!("trial {} of {:?} at {} threads", trial.trial, trial.label, trial.threads);
    let fault = |what: &str| Err(WireError::contradiction(format!("{place}: {what}")));
    if trial.label.is_empty() || trial.threads == 0 {
        return fault("no label or no threads");
    }
    if trial.error.is_none() && trial.phases.is_empty() {
        return fault("no phases, and no error that would explain it");
    }
    if trial.phases.first().is_some_and(|phase| phase.name != LOAD_PHASE) {
        return fault("the first phase is not the load");
    }
    let names: BTreeSet<&str> = trial.phases.iter().map(|phase| phase.name.as_str()).collect();
    if names.len() != trial.phases.len() {
        return fault("a phase appears twice");
    }
    let details = trial.engine_stats.iter().flat_map(|stats| &stats.details).map(|(_, value)| *value);
    if details.chain(trial.verification.iter().map(|done| done.seconds)).any(|value| !value.is_finite()) {
        return fault("a figure is not a number");
    }
    if let Some(reopened) = &trial.reopened {
        let times = [reopened.close_seconds, reopened.open_seconds, reopened.verification.seconds];
        if times.iter().any(|seconds| !seconds.is_finite() || *seconds < 0.0) {
            return fault("a time of reopening is negative or not a number");
        }
        if trial.verification.is_none() {
            return fault("it was reopened without having been verified");
        }
    }
    trial.phases.iter().try_for_each(|phase| self::phase(phase, trial.threads, &place))
}

/// Checks a memory trial by itself.
pub fn memory_trial(trial: &MemoryTrial) -> Result<(), WireError> {
    let fault = |what: &str| Err(WireError::contradiction(format!("{}: {what}", memory_place(trial))));
    if trial.label.is_empty() || trial.threads == 0 {
        return fault("no label or no threads");
    }
    if trial.error.is_none() && trial.stages.is_empty() {
        return fault("no stages, and no error that would explain it");
    }
    for stage in &trial.stages {
        if !stage.settle_seconds.is_finite() || stage.settle_seconds < 0.0 {
            return fault("a time is negative or not a number");
        }
        if (stage.after == MemoryEvent::Delete) != (stage.records == 0)
            || (stage.records == 0 && stage.live_bytes > 0)
        {
            return fault("records are there that were deleted, or lack that were not");
        }
    }
    Ok(())
}

fn memory_place(trial: &MemoryTrial) -> String {
    let way = match trial.way {
        LoadWay::Inserts => "memory trial",
        LoadWay::Bulk => "memory trial in bulk",
    };
    format!("{way} of {:?}", trial.label)
}

/// Whether a memory trial is one of the plan: its cell and, unless it ended early, all stages in order.
fn memory_belongs(plan: &Plan, trial: &MemoryTrial) -> Result<(), WireError> {
    let fault = |what: &str| Err(WireError::contradiction(format!("{}: {what}", memory_place(trial))));
    let Some(planned) = &plan.memory else { return fault("the plan has none") };
    if plan.cells.get(trial.cell).is_none_or(|cell| cell.label != trial.label) {
        return fault(&format!("cell {} of the plan is another", trial.cell));
    }
    let expected = stages(planned, trial.way);
    let told: Vec<_> = trial.stages.iter().map(|stage| (stage.after, stage.compacted)).collect();
    if !expected.starts_with(&told) || (trial.error.is_none() && told.len() != expected.len()) {
        return fault("its stages are not those of the plan");
    }
    Ok(())
}

/// What a memory trial tells, in order: what was done last, and whether the engine compacted since.
fn stages(plan: &MemoryPlan, way: LoadWay) -> Vec<(MemoryEvent, bool)> {
    let mut stages = vec![(MemoryEvent::Load, false)];
    if way == LoadWay::Bulk {
        return stages;
    }
    let written = if plan.overwrite.is_some() { MemoryEvent::Overwrite } else { MemoryEvent::Load };
    stages.extend(plan.overwrite.as_ref().map(|_| (written, false)));
    stages.extend(plan.compact.then_some((written, true)));
    stages.extend(plan.delete_all.then_some((MemoryEvent::Delete, false)));
    stages.extend((plan.delete_all && plan.compact).then_some((MemoryEvent::Delete, true)));
    stages
}

fn phase(phase: &Phase, threads: u32, place: &str) -> Result<(), WireError> {
    let place = format!("{place}, phase {:?}", phase.name);
    let fault = |what: String| Err(WireError::contradiction(format!("{place}: {what}")));
    let times = [phase.wall_seconds, phase.cpu_seconds, phase.settle_seconds];
    if times.iter().any(|seconds| !seconds.is_finite() || *seconds < 0.0) {
        return fault("a time is negative or not a number".to_owned());
    }
    if phase.workers.len() != threads as usize {
        return fault(format!("{} workers for {threads} threads", phase.workers.len()));
    }
    if phase.workers.iter().any(|worker| worker.operations > 0 && worker.busy_ns == 0) {
        return fault("a worker took no time for its operations".to_owned());
    }
    let sum = |of: fn(&OperationResult) -> u64| -> u128 {
        phase.operations.values().map(|found| u128::from(of(found))).sum()
    };
    let (ok, missed) = (sum(|found| found.ok), sum(|found| found.missed));
    let ended = ok + missed + sum(|found| found.wrong) + sum(|found| found.failed);
    let done: u128 = phase.workers.iter().map(|worker| u128::from(worker.operations)).sum();
    if done < ok || done > ok + missed {
        return fault(format!("workers count {done} operations, kinds {ok} and {missed} that missed"));
    }
    let binned: u128 = phase.series.iter().map(|bin| u128::from(*bin)).sum();
    if binned > ended {
        return fault(format!("{binned} operations over time, {ended} in all"));
    }
    for (kind, found) in &phase.operations {
        let timed = u128::from(found.latency_ns.len());
        if timed > u128::from(found.ok) + u128::from(found.missed) + u128::from(found.wrong) {
            return fault(format!("{timed} times of {} operations named {}", found.ok, kind.name()));
        }
    }
    Ok(())
}

/// Checks a sweep: its trials one by one and against the plan.
pub fn sweep(sweep: &SweepResult) -> Result<(), WireError> {
    let plan = &sweep.plan;
    if plan.name.is_empty() || plan.cells.is_empty() {
        return Err(WireError::contradiction("the plan has no name or no cells"));
    }
    let environment = [sweep.environment.load_average_1m, sweep.environment.steal_fraction];
    if environment.iter().chain([&sweep.elapsed_seconds]).any(|value| !value.is_finite()) {
        return Err(WireError::contradiction("a figure of the environment is not a number"));
    }
    let mut seen = BTreeSet::new();
    for trial in &sweep.trials {
        self::trial(trial)?;
        belongs(plan, trial)?;
        if !seen.insert((trial.cell, trial.trial)) {
            return Err(WireError::contradiction(format!(
                "trial {} of cell {} twice",
                trial.trial, trial.cell
            )));
        }
    }
    let mut seen_memory = BTreeSet::new();
    for trial in &sweep.memory {
        memory_trial(trial)?;
        memory_belongs(plan, trial)?;
        if !seen_memory.insert((trial.cell, trial.way == LoadWay::Bulk)) {
            return Err(WireError::contradiction(format!("{}: appears twice", memory_place(trial))));
        }
    }
    let planned = (0..plan.cells.len()).flat_map(|cell| (0..plan.trials).map(move |trial| (cell, trial)));
    match planned.filter(|place| sweep.complete && !seen.contains(place)).take(1).next() {
        Some((cell, trial)) => Err(WireError::contradiction(format!(
            "says it is complete, but trial {trial} of cell {cell} is missing"
        ))),
        None => Ok(()),
    }
}

/// Whether a trial is one of the plan: its cell, its number and, unless it ended early, all phases in order.
fn belongs(plan: &Plan, trial: &Trial) -> Result<(), WireError> {
    let place = format!("trial {} of {:?} at {} threads", trial.trial, trial.label, trial.threads);
    let fault = |what: &str| Err(WireError::contradiction(format!("{place}: {what}")));
    let thread_counts: BTreeSet<u32> = plan.cells.iter().map(|cell| cell.threads).collect();
    let expected = plan.cells.get(trial.cell).map(|cell| (cell.label.as_str(), cell.threads)).or_else(|| {
        let threads = thread_counts.iter().nth(trial.cell.checked_sub(plan.cells.len())?)?;
        Some((NULL_LABEL, *threads))
    });
    if expected != Some((trial.label.as_str(), trial.threads)) {
        return fault(&format!("cell {} of the plan is another", trial.cell));
    }
    if trial.trial >= plan.trials {
        return fault("has a number the plan does not have");
    }
    let planned: Vec<&str> =
        [LOAD_PHASE].into_iter().chain(plan.phases.iter().map(|phase| phase.name.as_str())).collect();
    let run: Vec<&str> = trial.phases.iter().map(|phase| phase.name.as_str()).collect();
    if !planned.starts_with(&run) || (trial.error.is_none() && run.len() != planned.len()) {
        return fault("its phases are not those of the plan");
    }
    Ok(())
}
