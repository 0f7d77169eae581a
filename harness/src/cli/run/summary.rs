//! What `harness run` prints on standard output: the ranking, and what a reader must know to trust it.

use crate::report::terminal;
use crate::results::model::{OperationResult, Phase, SweepResult, Trial};
use crate::workload::operation::OperationKind;
use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The harness's own cost is pointed out where it is more than this share of a cell's median latency.
const NOTABLE_COST: f64 = 0.05;

/// The ranking, then mix, hits and memory of each cell, then the harness's own cost.
pub fn text(result: &SweepResult) -> String {
    let mut text = terminal::ranking_table(result);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let _ = writeln!(text, "\n{}", facts(result));
    text += &costs(result);
    text
}

/// One row a cell and phase: what was run and what was answered.
fn facts(result: &SweepResult) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["workload", "phase", "engine", "durability", "threads", "achieved mix", "hits", "checked", "peak memory"]);
    for phase in &result.plan.phases {
        for (index, cell) in result.plan.cells.iter().enumerate() {
            let trials: Vec<&Trial> = result.trials.iter().filter(|trial| trial.cell == index).collect();
            let phases = trials.iter().flat_map(|trial| &trial.phases).filter(|ran| ran.name == phase.name);
            let Some(seen) = Seen::of(phases, phase.every_read_hits) else { continue };
            let peak = trials.iter().map(|trial| trial.memory.rss_peak_bytes).max().unwrap_or(0);
            let verified: u64 = trials.iter().filter_map(|trial| trial.verification.as_ref()).map(|v| v.records).sum();
            table.add_row([
                result.plan.name.clone(),
                phase.name.clone(),
                cell.label.clone(),
                cell.durability.to_string(),
                cell.threads.to_string(),
                seen.mix(),
                seen.hits(),
                count(seen.checked + verified),
                format!("{:.1} MiB", peak as f64 / f64::from(1 << 20)),
            ]);
        }
    }
    for column in [4, 6, 7, 8] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Operations of one cell in one phase, all its trials together.
struct Seen {
    ended: BTreeMap<OperationKind, u64>,
    asked_for_keys: u64,
    missed: u64,
    checked: u64,
}

impl Seen {
    fn of<'a>(phases: impl Iterator<Item = &'a Phase>, every_read_hits: bool) -> Option<Self> {
        let mut seen = Self { ended: BTreeMap::new(), asked_for_keys: 0, missed: 0, checked: 0 };
        for (kind, found) in phases.flat_map(|phase| &phase.operations) {
            *seen.ended.entry(*kind).or_default() += ended(found, every_read_hits);
            if !matches!(kind, OperationKind::Insert | OperationKind::Scan) {
                seen.asked_for_keys += ended(found, every_read_hits);
                seen.missed += found.missed;
            }
            seen.checked += found.checked;
        }
        (!seen.ended.is_empty()).then_some(seen)
    }

    fn mix(&self) -> String {
        let all: u64 = self.ended.values().sum();
        let share = |(kind, ended): (&OperationKind, &u64)| {
            format!("{} {:.1} %", kind.name(), 100.0 * *ended as f64 / all.max(1) as f64)
        };
        self.ended.iter().map(share).collect::<Vec<_>>().join(", ")
    }

    fn hits(&self) -> String {
        if self.asked_for_keys == 0 {
            return "–".to_owned();
        }
        let hits = self.asked_for_keys.saturating_sub(self.missed);
        format!("{:.2} %", 100.0 * hits as f64 / self.asked_for_keys as f64)
    }
}

/// Operations that came to an end, well or not. A miss that was due to hit is counted as missed and as wrong.
fn ended(found: &OperationResult, every_read_hits: bool) -> u64 {
    let missed = if every_read_hits { 0 } else { found.missed };
    found.ok + missed + found.wrong + found.failed
}

/// What an operation costs the harness itself, a line a phase, and the cells where that is not negligible.
fn costs(result: &SweepResult) -> String {
    let threads: BTreeSet<u32> = result.plan.cells.iter().map(|cell| cell.threads).collect();
    let mut text = String::new();
    for phase in &result.plan.phases {
        let costs: BTreeMap<u32, f64> = threads
            .iter()
            .filter_map(|&threads| Some((threads, null_cost_ns(result, &phase.name, threads)?)))
            .collect();
        if costs.is_empty() {
            continue;
        }
        let each: Vec<String> =
            costs.iter().map(|(threads, cost)| format!("{cost:.0} ns/op ({})", plural(*threads))).collect();
        let _ = writeln!(text, "harness cost, {} {}: {}", result.plan.name, phase.name, each.join(", "));
        for (index, cell) in result.plan.cells.iter().enumerate() {
            let (Some(cost), Some(median)) =
                (costs.get(&cell.threads), median_latency_ns(result, &phase.name, index))
            else {
                continue;
            };
            let share = cost / median as f64;
            if share > NOTABLE_COST {
                let _ = writeln!(
                    text,
                    "warning: that is {:.0} % of the median latency of {} at {} ({median} ns)",
                    100.0 * share,
                    cell.label,
                    plural(cell.threads)
                );
            }
        }
    }
    text
}

fn plural(threads: u32) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

/// Time inside the timed blocks an operation of the null engine, the middle one of its trials.
fn null_cost_ns(result: &SweepResult, phase: &str, threads: u32) -> Option<f64> {
    let mut costs: Vec<f64> = result
        .trials
        .iter()
        .filter(|trial| trial.cell >= result.plan.cells.len() && trial.threads == threads)
        .flat_map(|trial| &trial.phases)
        .filter(|ran| ran.name == phase)
        .filter_map(|ran| {
            let operations: u64 = ran.workers.iter().map(|worker| worker.operations).sum();
            let busy: u64 = ran.workers.iter().map(|worker| worker.busy_ns).sum();
            (operations > 0).then(|| busy as f64 / operations as f64)
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs.get(costs.len() / 2).copied()
}

fn median_latency_ns(result: &SweepResult, phase: &str, cell: usize) -> Option<u64> {
    let mut merged: Option<Histogram<u64>> = None;
    let phases = result.trials.iter().filter(|trial| trial.cell == cell).flat_map(|trial| &trial.phases);
    for found in phases.filter(|ran| ran.name == phase).flat_map(|ran| ran.operations.values()) {
        match &mut merged {
            None => merged = Some(found.latency_ns.clone()),
            // All histograms of a sweep have the same bounds.
            Some(sum) => drop(sum.add(&found.latency_ns)),
        }
    }
    merged.filter(|sum| !sum.is_empty()).map(|sum| sum.value_at_quantile(0.5))
}

/// Successful operations a second of busy time, of all workers together.
pub fn operations_per_second(phase: &Phase) -> f64 {
    let rate = |operations: u64, busy_ns: u64| operations as f64 * 1e9 / busy_ns.max(1) as f64;
    phase.workers.iter().map(|worker| rate(worker.operations, worker.busy_ns)).sum()
}

/// A count with a comma every three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_in_threes() {
        let grouped = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }
}
