//! What a reader must know before believing a figure.

use super::interval::{CONFIDENCE, Interval};
use super::percentile::{ENOUGH_SAMPLES_BEYOND, Percentile};
use super::summary::Summary;
use crate::results::model::SweepResult;
use std::collections::{BTreeMap, BTreeSet};

/// The share of a cell's median latency that the harness's own cost may be.
pub const NULL_COST_SHARE_MAX: f64 = 0.05;

/// Sentences about a sweep, the gravest first.
pub fn warnings(sweep: &SweepResult, summaries: &[Summary]) -> Vec<String> {
    let mut found = Vec::new();
    if !sweep.complete {
        found.push("The sweep was not finished: trials are missing.".to_owned());
    }
    found.extend(faults(summaries));
    found.extend(memory(sweep));
    if sweep.environment.profile == "debug" {
        found.push("Built without optimization: these figures say nothing about speed.".to_owned());
    }
    found.extend(few_trials(sweep));
    found.extend(null_cost(summaries));
    found.extend(thin_tails(summaries));
    found.extend(machine(sweep));
    found
}

/// Errors and wrong data, one sentence for each engine and what happened to it.
fn faults<'a>(summaries: &'a [Summary]) -> Vec<String> {
    let mut found: BTreeMap<(&'a str, String), Fault> = BTreeMap::new();
    let mut note = |summary: &'a Summary, what: String, count: u64, first: &str| {
        let fault = found.entry((&summary.label, what)).or_insert_with(|| Fault {
            count: 0,
            cells: BTreeSet::new(),
            first: format!("durability {} at {}: {first}", summary.durability, threads(summary)),
        });
        fault.count += count;
        fault.cells.insert(summary.cell);
    };
    let mut ended = BTreeSet::new();
    for summary in summaries {
        // Errors and verification belong to the trial and appear with each of its phases.
        if ended.insert(summary.cell) {
            if let Some(error) = summary.errors.first() {
                note(summary, "trials ended early".to_owned(), summary.errors.len() as u64, error);
            }
            if summary.verification_wrong > 0 {
                let what = "records were wrong when everything was read back".to_owned();
                note(summary, what, summary.verification_wrong, "see the result file");
            }
            if summary.reopened_wrong > 0 {
                let what = "records were wrong after the engine was closed and opened again".to_owned();
                note(summary, what, summary.reopened_wrong, "see the result file");
            }
        }
        for (kind, figures) in &summary.kinds {
            for (count, what) in [(figures.wrong, "wrong answers"), (figures.failed, "failed operations")] {
                if count > 0 {
                    let first = figures.first_fault.as_deref().unwrap_or("not told");
                    note(summary, format!("{what} ({}, {})", summary.phase, kind.name()), count, first);
                }
            }
        }
    }
    let sentence = |((label, what), fault): ((&str, String), Fault)| {
        let cells = fault.cells.len();
        let cells = if cells == 1 { String::new() } else { format!(" in {cells} cells") };
        format!("{label}: {what}: {}{cells}; first with {}", fault.count, fault.first)
    };
    found.into_iter().map(sentence).collect()
}

/// Memory trials that have no figures.
fn memory(sweep: &SweepResult) -> impl Iterator<Item = String> {
    sweep.memory.iter().filter_map(|trial| {
        let error = trial.error.as_ref()?;
        Some(format!("{}: the memory trial ended early: {error}", trial.label))
    })
}

/// What happened to an engine, and where first.
struct Fault {
    count: u64,
    cells: BTreeSet<usize>,
    first: String,
}

fn few_trials(sweep: &SweepResult) -> Option<String> {
    let trials = sweep.plan.trials;
    let interval = Interval::of_median((0..trials).map(f64::from))?;
    (!interval.is_sure()).then(|| {
        format!(
            "{trials} {}: intervals hold with {:.0} % confidence instead of {:.0} %, so ranks are provisional; 5 trials are enough.",
            if trials == 1 { "trial" } else { "trials" },
            interval.confidence * 100.0,
            CONFIDENCE * 100.0
        )
    })
}

/// The harness's own cost where it is not small beside what was measured. One sentence a phase, with the worst cell.
fn null_cost(summaries: &[Summary]) -> Vec<String> {
    let mut worst: BTreeMap<&str, (f64, &Summary, usize)> = BTreeMap::new();
    for summary in summaries.iter().filter(|summary| !summary.is_null) {
        let Some(share) = null_share(summary, summaries) else { continue };
        if share > NULL_COST_SHARE_MAX {
            let entry = worst.entry(&summary.phase).or_insert((share, summary, 0));
            entry.2 += 1;
            if share > entry.0 {
                (entry.0, entry.1) = (share, summary);
            }
        }
    }
    let phases = worst.into_values();
    let sentences = phases.map(|(share, summary, cells)| {
        format!(
            "{}: the harness's own cost is over {:.0} % of the median latency in {cells} {}, at most {:.0} % ({}).",
            summary.phase,
            NULL_COST_SHARE_MAX * 100.0,
            if cells == 1 { "cell" } else { "cells" },
            share * 100.0,
            place(summary)
        )
    });
    sentences.collect()
}

/// The harness's own cost as a share of a cell's median latency.
fn null_share(summary: &Summary, summaries: &[Summary]) -> Option<f64> {
    let own = summaries
        .iter()
        .find(|own| own.is_null && own.phase == summary.phase && own.threads == summary.threads);
    let median_ns = summary.percentile(0.5)?.ns;
    (median_ns > 0).then_some(own?.busy_ns_per_operation? / median_ns as f64)
}

/// Percentiles of the tables that too few samples support. One sentence a phase and percentile.
fn thin_tails(summaries: &[Summary]) -> Vec<String> {
    let mut thin: BTreeMap<(&str, &str), (usize, u64)> = BTreeMap::new();
    for summary in summaries.iter().filter(|summary| !summary.is_null) {
        let Some(figures) = summary.kinds.get(&summary.dominant) else { continue };
        for (quantile, name) in [(0.99, "p99"), (0.999, "p99.9")] {
            let percentile = Percentile::of(&figures.latency_ns, quantile);
            if let Some(percentile) = percentile.filter(|percentile| !percentile.is_supported()) {
                let entry = thin.entry((&summary.phase, name)).or_insert((0, u64::MAX));
                *entry = (entry.0 + 1, entry.1.min(percentile.samples_beyond));
            }
        }
    }
    let sentence = |((phase, name), (cells, samples)): ((&str, &str), (usize, u64))| {
        format!(
            "{phase}: fewer than {ENOUGH_SAMPLES_BEYOND} samples lie beyond {name} in {cells} {} (as few as {samples}); marked †.",
            if cells == 1 { "cell" } else { "cells" }
        )
    };
    thin.into_iter().map(sentence).collect()
}

fn machine(sweep: &SweepResult) -> Vec<String> {
    let environment = &sweep.environment;
    let mut found = Vec::new();
    let most = sweep.plan.cells.iter().map(|cell| cell.threads).max().unwrap_or(0);
    if environment.cores > 0 && most > environment.cores {
        found.push(format!(
            "Up to {most} threads ran on {} processors: beyond that count waiting for a processor is measured too.",
            environment.cores
        ));
    }
    if environment.steal_fraction > 0.01 {
        found.push(format!(
            "The hypervisor took {:.1} % of the processor time during the sweep.",
            environment.steal_fraction * 100.0
        ));
    }
    found
}

fn place(summary: &Summary) -> String {
    format!("{} ({}, {})", summary.label, summary.durability, threads(summary))
}

fn threads(summary: &Summary) -> String {
    format!("{} {}", summary.threads, if summary.threads == 1 { "thread" } else { "threads" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::summary::summarize;
    use crate::results::synthetic::Synthetic;

    fn of(sweep: &SweepResult) -> Vec<String> {
        warnings(sweep, &summarize(sweep))
    }

    #[test]
    fn a_sound_sweep_warns_of_nothing() {
        let engines = vec![("slow".to_owned(), 400.0, 0.1)];
        let sweep = Synthetic { engines, threads: vec![1, 2], bins: 200, ..Synthetic::default() }.build();
        let found = of(&sweep);
        assert!(found.iter().all(|line| line.starts_with("load: fewer")), "{found:?}");
    }

    #[test]
    fn what_is_doubtful_is_said() {
        let engines = vec![("fast".to_owned(), 50.0, 0.1)];
        let mut sweep = Synthetic { engines, threads: vec![4], trials: 3, ..Synthetic::default() }.build();
        sweep.complete = false;
        sweep.environment.steal_fraction = 0.04;
        sweep.environment.profile = "debug".to_owned();
        sweep.trials[0].error = Some("disk on fire".to_owned());
        let read = sweep.trials[0].phases[1].operations.values_mut().next().unwrap();
        (read.wrong, read.first_fault) = (2, Some("stale".to_owned()));
        let found = of(&sweep).join("\n");
        for words in [
            "was not finished",
            "fast: trials ended early: 1; first with durability none at 4 threads: disk on fire",
            "fast: wrong answers (mixed, read): 2; first with durability none at 4 threads: stale",
            "without optimization",
            "75 % confidence",
            "mixed: the harness's own cost is over 5 %",
            "4 threads ran on 2 processors",
            "4.0 % of the processor time",
        ] {
            assert!(found.contains(words), "{words:?} is not in:\n{found}");
        }
        assert_eq!(found.matches("disk on fire").count(), 1);
    }
}
