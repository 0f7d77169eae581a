//! The figures of one cell in one phase, over all its trials.

use super::percentile::Percentile;
use super::spread::Spread;
use crate::results::model::{
    LOAD_PHASE, Memory, NULL_LABEL, OperationResult, Phase, SweepResult, Trial, Worker,
};
use crate::workload::operation::OperationKind;
use crate::workload::plan::{LatencyMode, Plan};
use engines::Durability;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};

/// One cell in one phase.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Index of the cell, as in [`Trial::cell`].
    pub cell: usize,
    /// The engine's label.
    pub label: String,
    /// The durability class.
    pub durability: Durability,
    /// Worker threads.
    pub threads: u32,
    /// The phase.
    pub phase: String,
    /// Whether this is the harness's own cost and no engine.
    pub is_null: bool,
    /// (Trial, operations per second) of each trial that finished the phase.
    pub rates: Vec<(u32, f64)>,
    /// The rates' median, least and greatest; nothing where no trial finished the phase.
    pub throughput: Option<Spread>,
    /// Time in timed blocks for one operation of one worker, nanoseconds, median over trials.
    pub busy_ns_per_operation: Option<f64>,
    /// By kind of operation, merged over trials.
    pub kinds: BTreeMap<OperationKind, KindSummary>,
    /// The kind that the plan asks for most; latencies in tables are this kind's.
    pub dominant: OperationKind,
    /// Records that an operation returned or wrote in the mean; nothing where none did.
    pub records_per_operation: Option<f64>,
    /// Growth of the resident size by the load for each record loaded, median over trials.
    pub memory_bytes_per_record: Option<f64>,
    /// Records that were wrong when everything was read back.
    pub verification_wrong: u64,
    /// Records that were wrong after the engine was closed and opened again.
    pub reopened_wrong: u64,
    /// Why trials of the cell ended early.
    pub errors: Vec<String>,
}

/// One kind of operation in one phase, merged over trials.
#[derive(Clone, Debug)]
pub struct KindSummary {
    /// Operations that did what they should.
    pub ok: u64,
    /// Operations whose key was not there.
    pub missed: u64,
    /// Answers that were compared.
    pub checked: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Operations that returned an error.
    pub failed: u64,
    /// Share of all operations of the phase.
    pub share: f64,
    /// The first error or wrong answer.
    pub first_fault: Option<String>,
    /// Records that scans and multigets returned.
    pub records_scanned: u64,
    /// Keys that an operation asks for: those of a multiget, else 1.
    pub keys_each: u64,
    /// Service time, ns.
    pub latency_ns: Histogram<u64>,
}

impl KindSummary {
    /// Share of the keys asked for that were there; nothing for inserts and scans, which ask for none.
    pub fn hit_rate(&self, kind: OperationKind) -> Option<f64> {
        let (hits, asked) = self.keys(kind)?;
        (asked > 0).then(|| hits as f64 / asked as f64)
    }

    /// Keys that were there, and keys asked for; nothing for inserts and scans, which ask for none.
    fn keys(&self, kind: OperationKind) -> Option<(u64, u64)> {
        match kind {
            OperationKind::Insert | OperationKind::Scan => None,
            OperationKind::Multiget => {
                let answered = self.ok + self.missed + self.wrong;
                Some((self.records_scanned, answered.saturating_mul(self.keys_each)))
            }
            _ => Some((self.ok, self.ok + self.missed)),
        }
    }

    /// Records that successful operations returned or wrote.
    fn records(&self, kind: OperationKind) -> u64 {
        match kind {
            OperationKind::Scan | OperationKind::Multiget => self.records_scanned,
            _ => self.ok,
        }
    }

    fn attempts(&self) -> u64 {
        self.ok + self.missed + self.wrong + self.failed
    }
}

impl Summary {
    /// Wrong answers of all kinds and wrong records at the end, before and after reopening.
    pub fn wrong(&self) -> u64 {
        self.kinds.values().map(|kind| kind.wrong).sum::<u64>()
            + self.verification_wrong
            + self.reopened_wrong
    }

    /// Share of the keys asked for that were there, all kinds together.
    pub fn hit_rate(&self) -> Option<f64> {
        let keys = self.kinds.iter().filter_map(|(kind, found)| found.keys(*kind));
        let (hits, asked) = keys.fold((0, 0), |(hits, asked), (hit, ask)| (hits + hit, asked + ask));
        (asked > 0).then(|| hits as f64 / asked as f64)
    }

    /// Records returned or written a second, by the median throughput: what makes operations on several records comparable
    /// with those on one.
    pub fn records_per_second(&self) -> Option<f64> {
        Some(self.throughput?.median * self.records_per_operation?)
    }

    /// A percentile of the dominant kind.
    pub fn percentile(&self, quantile: f64) -> Option<Percentile> {
        Percentile::of(&self.kinds.get(&self.dominant)?.latency_ns, quantile)
    }
}

/// The phases of a plan in order, the load first.
pub fn phases(plan: &Plan) -> impl Iterator<Item = &str> {
    [LOAD_PHASE].into_iter().chain(plan.phases.iter().map(|phase| phase.name.as_str()))
}

/// The durability classes of a plan, ascending.
pub fn classes(plan: &Plan) -> BTreeSet<Durability> {
    plan.cells.iter().map(|cell| cell.durability).collect()
}

/// The thread counts of a plan, ascending.
pub fn thread_counts(plan: &Plan) -> BTreeSet<u32> {
    plan.cells.iter().map(|cell| cell.threads).collect()
}

/// The engines' labels, each once, in the order of the plan.
pub fn labels(plan: &Plan) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    plan.cells.iter().map(|cell| cell.label.as_str()).filter(|label| seen.insert(*label)).collect()
}

/// All cells in all phases: phase by phase, in each the plan's cells and then the harness's own.
/// O(trials × phases × histogram buckets).
pub fn summarize(sweep: &SweepResult) -> Vec<Summary> {
    let plan = &sweep.plan;
    let engines = plan.cells.iter().map(|cell| (cell.label.as_str(), cell.durability, cell.threads, false));
    let own = thread_counts(plan).into_iter().map(|threads| (NULL_LABEL, Durability::None, threads, true));
    let cells: Vec<_> = engines.chain(own).enumerate().collect();
    let mut summaries = Vec::with_capacity(cells.len() * (plan.phases.len() + 1));
    for phase in phases(plan) {
        for (cell, (label, durability, threads, is_null)) in &cells {
            let trials: Vec<&Trial> = sweep.trials.iter().filter(|trial| trial.cell == *cell).collect();
            if *is_null && trials.is_empty() {
                continue;
            }
            let mut summary = of_cell(&trials, phase, plan);
            summary.cell = *cell;
            (*label).clone_into(&mut summary.label);
            (summary.durability, summary.threads, summary.is_null) = (*durability, *threads, *is_null);
            summaries.push(summary);
        }
    }
    summaries
}

fn of_cell(trials: &[&Trial], phase: &str, plan: &Plan) -> Summary {
    let runs: Vec<(&Trial, &Phase)> = trials
        .iter()
        .filter_map(|trial| Some((*trial, trial.phases.iter().find(|run| run.name == phase)?)))
        .collect();
    let finished = || runs.iter().filter(|(trial, run)| !ended_early(trial, run));
    let rates: Vec<(u32, f64)> =
        finished().map(|(trial, run)| (trial.trial, operations_per_second(&run.workers))).collect();
    let costs = finished().filter_map(|(_, run)| busy_ns_per_operation(&run.workers));
    let bytes = trials.iter().filter_map(|trial| memory_bytes_per_record(&trial.memory, plan.records));
    let verified = trials.iter().filter_map(|trial| trial.verification.as_ref());
    let reopened = trials.iter().filter_map(|trial| trial.reopened.as_ref());
    let mut kinds = merge_kinds(runs.iter().map(|(_, run)| *run));
    let planned = plan.phases.iter().find(|run| run.name == phase);
    if let (Some(found), Some(planned)) = (kinds.get_mut(&OperationKind::Multiget), planned) {
        found.keys_each = planned.multiget_size.into();
    }
    Summary {
        cell: 0,
        label: String::new(),
        durability: Durability::None,
        threads: 0,
        phase: phase.to_owned(),
        is_null: false,
        throughput: Spread::of(rates.iter().map(|(_, rate)| *rate)),
        rates,
        busy_ns_per_operation: Spread::of(costs).map(|spread| spread.median),
        records_per_operation: records_per_operation(&kinds),
        kinds,
        dominant: dominant(plan, phase),
        memory_bytes_per_record: Spread::of(bytes).map(|spread| spread.median),
        verification_wrong: verified.map(|done| done.wrong).sum(),
        reopened_wrong: reopened.map(|done| done.verification.wrong).sum(),
        errors: trials.iter().filter_map(|trial| trial.error.clone()).collect(),
    }
}

/// Whether a trial broke off in this phase: it kept what it had of its last one. What was counted there (faults above all)
/// is told, but it makes no rate. A trial that was verified had finished all phases.
fn ended_early(trial: &Trial, run: &Phase) -> bool {
    let is_last = trial.phases.last().is_some_and(|last| last.name == run.name);
    trial.error.is_some() && trial.verification.is_none() && is_last
}

/// The sum of the workers' own rates: operations by the time inside their timed blocks.
pub fn operations_per_second(workers: &[Worker]) -> f64 {
    let timed = workers.iter().filter(|worker| worker.busy_ns > 0);
    timed.map(|worker| worker.operations as f64 * 1e9 / worker.busy_ns as f64).sum()
}

fn busy_ns_per_operation(workers: &[Worker]) -> Option<f64> {
    let operations: u128 = workers.iter().map(|worker| u128::from(worker.operations)).sum();
    let busy_ns: u128 = workers.iter().map(|worker| u128::from(worker.busy_ns)).sum();
    (operations > 0).then(|| busy_ns as f64 / operations as f64)
}

fn records_per_operation(kinds: &BTreeMap<OperationKind, KindSummary>) -> Option<f64> {
    let operations: u64 = kinds.values().map(|found| found.ok).sum();
    let records: u64 = kinds.iter().map(|(kind, found)| found.records(*kind)).sum();
    (operations > 0).then(|| records as f64 / operations as f64)
}

/// Whether operations of a phase return several records, so that operations a second do not tell records a second.
pub fn asks_for_several(plan: &Plan, phase: &str) -> bool {
    let mix = plan.phases.iter().find(|run| run.name == phase).map(|run| run.mix).unwrap_or_default();
    mix.scan > 0.0 || mix.multiget > 0.0
}

/// Whether every operation of a phase was timed, so that the longest is known: of the load each is, whatever the plan says.
/// (Results of version 1.0 timed the load as the plan says.)
pub fn times_all(plan: &Plan, phase: &str) -> bool {
    phase == LOAD_PHASE || plan.latency == LatencyMode::All
}

fn memory_bytes_per_record(memory: &Memory, records: u64) -> Option<f64> {
    let known = memory.rss_loaded_bytes > 0 && memory.rss_before_bytes > 0 && records > 0;
    known.then(|| memory.rss_loaded_bytes.saturating_sub(memory.rss_before_bytes) as f64 / records as f64)
}

/// The kind of the greatest proportion, the first in the order of [`OperationKind::ALL`] of those that share it.
pub fn dominant(plan: &Plan, phase: &str) -> OperationKind {
    let Some(mix) = plan.phases.iter().find(|run| run.name == phase).map(|run| run.mix) else {
        return OperationKind::Insert;
    };
    let first = OperationKind::Read;
    OperationKind::ALL
        .into_iter()
        .fold(first, |best, kind| if mix.of(kind) > mix.of(best) { kind } else { best })
}

fn merge_kinds<'a>(runs: impl Iterator<Item = &'a Phase>) -> BTreeMap<OperationKind, KindSummary> {
    let mut merged: BTreeMap<OperationKind, KindSummary> = BTreeMap::new();
    for (kind, found) in runs.flat_map(|run| &run.operations) {
        match merged.get_mut(kind) {
            Some(sum) => add(sum, found),
            None => drop(merged.insert(*kind, start(found))),
        }
    }
    let all: u64 = merged.values().map(KindSummary::attempts).sum();
    for sum in merged.values_mut() {
        sum.share = if all == 0 { 0.0 } else { sum.attempts() as f64 / all as f64 };
    }
    merged
}

fn start(found: &OperationResult) -> KindSummary {
    // Resizing lets histograms of any range be added.
    let mut latency_ns = found.latency_ns.clone();
    latency_ns.auto(true);
    KindSummary {
        ok: found.ok,
        missed: found.missed,
        checked: found.checked,
        wrong: found.wrong,
        failed: found.failed,
        share: 0.0,
        first_fault: found.first_fault.clone(),
        records_scanned: found.records_scanned,
        keys_each: 1,
        latency_ns,
    }
}

fn add(sum: &mut KindSummary, found: &OperationResult) {
    sum.ok += found.ok;
    sum.missed += found.missed;
    sum.checked += found.checked;
    sum.wrong += found.wrong;
    sum.failed += found.failed;
    sum.records_scanned += found.records_scanned;
    if sum.first_fault.is_none() {
        sum.first_fault.clone_from(&found.first_fault);
    }
    // A histogram that resizes takes every value of another.
    let _ = sum.latency_ns.add(&found.latency_ns);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;
    use crate::workload::plan::Mix;

    fn worker(operations: u64, busy_ns: u64) -> Worker {
        Worker { operations, busy_ns, wall_ns: busy_ns, digests: Vec::new() }
    }

    #[test]
    fn rates_are_added_over_workers_and_not_taken_from_the_sums() {
        let workers = [worker(1_000, 1_000_000), worker(1_000, 500_000), worker(0, 0)];
        assert_eq!(operations_per_second(&workers), 3e6);
        assert_eq!(busy_ns_per_operation(&workers), Some(750.0));
        assert_eq!(busy_ns_per_operation(&[]), None);
    }

    #[test]
    fn a_cell_is_summarized_over_its_trials() {
        let mut sweep = Synthetic { trials: 3, threads: vec![2], ..Synthetic::default() }.build();
        let costs = [100_u64, 200, 400];
        for trial in sweep.trials.iter_mut().filter(|trial| trial.cell == 0) {
            let cost = costs[trial.trial as usize];
            let run = &mut trial.phases[1];
            run.workers = vec![worker(1_000, 1_000 * cost), worker(1_000, 1_000 * cost)];
            run.operations.get_mut(&OperationKind::Update).unwrap().ok = 500;
            let read = run.operations.get_mut(&OperationKind::Read).unwrap();
            (read.ok, read.missed, read.wrong) = (1_400, 100, 0);
            read.latency_ns = Histogram::new_with_bounds(1, 10 * cost, 3).unwrap();
            read.latency_ns.record_n(cost, 10).unwrap();
            trial.memory = Memory {
                rss_before_bytes: 1_000,
                rss_loaded_bytes: 1_000 + cost * 1_000_000,
                rss_peak_bytes: 0,
            };
        }
        let summaries = summarize(&sweep);
        let mixed = summaries.iter().find(|summary| summary.cell == 0 && summary.phase == "mixed").unwrap();
        assert_eq!(mixed.throughput, Some(Spread { median: 1e7, min: 5e6, max: 2e7 }));
        assert_eq!(mixed.rates, [(0, 2e7), (1, 1e7), (2, 5e6)]);
        assert_eq!(mixed.busy_ns_per_operation, Some(200.0));
        assert_eq!(mixed.dominant, OperationKind::Read);
        let read = &mixed.kinds[&OperationKind::Read];
        assert_eq!((read.ok, read.missed, read.latency_ns.len()), (4_200, 300, 30));
        assert_eq!(read.share, 0.75);
        assert_eq!((read.latency_ns.max(), mixed.percentile(0.5).unwrap().ns), (400, 200));
        assert_eq!(mixed.hit_rate(), Some(5_700.0 / 6_000.0));
        assert_eq!(mixed.memory_bytes_per_record, Some(200.0));
        let load = summaries.iter().find(|summary| summary.cell == 0 && summary.phase == "load").unwrap();
        assert_eq!((load.dominant, load.hit_rate()), (OperationKind::Insert, None));
        assert!(summaries.iter().filter(|summary| summary.is_null).count() == 2);
    }

    #[test]
    fn multigets_are_operations_and_their_keys_are_records() {
        let mut sweep = Synthetic { trials: 1, threads: vec![1], ..Synthetic::default() }.build();
        sweep.plan.phases[0].mix = Mix { read: 0.5, multiget: 0.5, ..Mix::default() };
        sweep.plan.phases[0].multiget_size = 16;
        let run = &mut sweep.trials[0].phases[1];
        run.workers = vec![worker(300, 300_000)];
        let mut multigets = run.operations.remove(&OperationKind::Update).unwrap();
        (multigets.ok, multigets.missed, multigets.records_scanned) = (100, 0, 1_200);
        run.operations.insert(OperationKind::Multiget, multigets);
        run.operations.get_mut(&OperationKind::Read).unwrap().ok = 200;
        let summaries = summarize(&sweep);
        let mixed = summaries.iter().find(|summary| summary.cell == 0 && summary.phase == "mixed").unwrap();
        assert_eq!(mixed.throughput.map(|spread| spread.median), Some(1e6), "a call is one operation");
        assert_eq!(mixed.records_per_operation, Some(1_400.0 / 300.0));
        assert!(mixed.records_per_second().is_some_and(|rate| (rate - 1.4e6 / 0.3).abs() < 1.0));
        let multigets = &mixed.kinds[&OperationKind::Multiget];
        assert_eq!(multigets.hit_rate(OperationKind::Multiget), Some(0.75), "by keys");
        assert_eq!(mixed.hit_rate(), Some(1_400.0 / 1_800.0));
        assert!(asks_for_several(&sweep.plan, "mixed") && !asks_for_several(&sweep.plan, "load"));
        assert!(times_all(&sweep.plan, "load") && !times_all(&sweep.plan, "mixed"));
    }

    #[test]
    fn a_phase_that_no_trial_finished_has_no_figures() {
        let mut sweep = Synthetic { trials: 1, ..Synthetic::default() }.build();
        // A trial keeps what it had of the phase that it broke off in.
        sweep.trials[0].phases[1].workers[0].operations = 1;
        sweep.trials[0].error = Some("it broke".to_owned());
        sweep.trials[0].verification = None;
        let summaries = summarize(&sweep);
        let of = |phase: &str| {
            summaries.iter().find(|summary| summary.cell == 0 && summary.phase == phase).unwrap()
        };
        assert!(of("load").throughput.is_some());
        assert_eq!(
            (of("mixed").throughput, of("mixed").errors.as_slice()),
            (None, &["it broke".to_owned()][..])
        );
    }
}
