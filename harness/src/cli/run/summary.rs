//! What `harness run` prints for people: the ranking, and what a reader must know to trust it.

use crate::analysis::summary::{KindSummary, Summary, summarize};
use crate::analysis::warning::NULL_COST_SHARE_MAX;
use crate::report::terminal;
use crate::results::model::{LOAD_PHASE, SweepResult};
use crate::workload::operation::OperationKind;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write;

/// The ranking, then mix, hits and memory of each cell, then the harness's own cost.
pub fn text(result: &SweepResult) -> String {
    let summaries = summarize(result);
    let ranking = terminal::ranking_table(result);
    format!("{}\n\n{}\n\n{}", ranking.trim_end(), facts(result, &summaries), costs(&summaries))
}

/// One row a cell and phase: what was run and what was answered.
fn facts(result: &SweepResult, summaries: &[Summary]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "phase",
        "engine",
        "durability",
        "threads",
        "achieved mix",
        "hits",
        "compared",
        "peak memory",
    ]);
    for summary in summaries.iter().filter(|summary| !summary.is_null && summary.phase != LOAD_PHASE) {
        let trials = || result.trials.iter().filter(|trial| trial.cell == summary.cell);
        let peak_bytes = trials().map(|trial| trial.memory.rss_peak_bytes).max().unwrap_or(0);
        let compared: u64 = summary.kinds.values().map(|kind| kind.checked).sum();
        table.add_row([
            summary.phase.clone(),
            summary.label.clone(),
            summary.durability.to_string(),
            summary.threads.to_string(),
            mix(summary),
            summary.hit_rate().map_or_else(|| "–".to_owned(), |rate| format!("{:.2} %", 100.0 * rate)),
            count(compared),
            format!("{:.1} MiB", peak_bytes as f64 / f64::from(1 << 20)),
        ]);
    }
    for column in [3, 5, 6, 7] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn mix(summary: &Summary) -> String {
    let share = |(kind, found): (
        &crate::workload::operation::OperationKind,
        &crate::analysis::summary::KindSummary,
    )| { format!("{} {:.1} %", kind.name(), 100.0 * found.share) };
    summary.kinds.iter().map(share).collect::<Vec<_>>().join(", ")
}

/// What an operation costs the harness itself, a line a phase, and the cells where that is not negligible.
fn costs(summaries: &[Summary]) -> String {
    let mut text = String::new();
    let mut own: Vec<&Summary> = Vec::new();
    for summary in summaries.iter().filter(|summary| summary.is_null && summary.phase != LOAD_PHASE) {
        match own.last() {
            Some(before) if before.phase == summary.phase => {}
            _ => own.push(summary),
        }
    }
    for phase in own.iter().map(|summary| summary.phase.as_str()) {
        let each: Vec<String> = summaries
            .iter()
            .filter(|summary| summary.is_null && summary.phase == phase)
            .filter_map(|summary| {
                let cost = summary.busy_ns_per_operation?;
                Some(format!("{cost:.1} ns/op ({})", threads(summary.threads)))
            })
            .collect();
        let _ = writeln!(text, "harness cost in {phase}: {}", each.join(", "));
        for summary in summaries.iter().filter(|summary| !summary.is_null && summary.phase == phase) {
            let Some((share, median_ns)) = cost_share(summary, summaries) else { continue };
            if share > NULL_COST_SHARE_MAX {
                let _ = writeln!(
                    text,
                    "warning: that is {:.0} % of the median latency of {} at {} ({median_ns} ns)",
                    100.0 * share,
                    summary.label,
                    threads(summary.threads)
                );
            }
        }
    }
    text
}

/// The harness's own cost as a share of a cell's median latency, and that median, ns.
fn cost_share(summary: &Summary, summaries: &[Summary]) -> Option<(f64, u64)> {
    let own = summaries
        .iter()
        .find(|own| own.is_null && own.phase == summary.phase && own.threads == summary.threads)?;
    let median_ns = summary.percentile(0.5).map(|percentile| percentile.ns).filter(|ns| *ns > 0)?;
    Some((own.busy_ns_per_operation? / median_ns as f64, median_ns))
}

/// A number of threads in words.
pub fn threads(threads: u32) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

/// A count with a comma every three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;

    #[test]
    fn counts_are_grouped_in_threes() {
        let grouped = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_harness_tells_its_own_cost_and_where_it_matters() {
        let engines = vec![("fast".to_owned(), 50.0, 0.1), ("slow".to_owned(), 1e6, 0.1)];
        let sweep = Synthetic { engines, threads: vec![1, 2], ..Synthetic::default() }.build();
        let text = costs(&summarize(&sweep));
        assert_eq!(text.matches("harness cost in mixed: ").count(), 1, "{text}");
        assert!(text.contains("(1 thread)") && text.contains("(2 threads)"), "{text}");
        assert!(text.contains("latency of fast at 1 thread") && !text.contains("latency of slow"), "{text}");
    }

    #[test]
    fn every_cell_shows_its_mix() {
        let sweep = Synthetic::default().build();
        let text = facts(&sweep, &summarize(&sweep)).to_string();
        assert_eq!(text.lines().count(), 1 + sweep.plan.cells.len() * sweep.plan.phases.len());
        assert!(text.contains("read ") && text.contains(" MiB"), "{text}");
    }
}
