//! What a reader must know before believing a figure.

use super::interval::{CONFIDENCE, Interval};
use super::percentile::{ENOUGH_SAMPLES_BEYOND, Percentile};
use super::summary::Summary;
use crate::results::model::SweepResult;
use std::collections::BTreeMap;

/// The share of a cell's median latency that the harness's own cost may be.
pub const NULL_COST_SHARE_MAX: f64 = 0.05;

/// Sentences about a sweep, the gravest first.
pub fn warnings(sweep: &SweepResult, summaries: &[Summary]) -> Vec<String> {
    let mut found = Vec::new();
    if !sweep.complete {
        found.push("The sweep was not finished: trials are missing.".to_owned());
    }
    found.extend(faults(summaries));
    if sweep.environment.profile == "debug" {
        found.push("Built without optimization: these figures say nothing about speed.".to_owned());
    }
    found.extend(few_trials(sweep));
    found.extend(null_cost(summaries));
    found.extend(thin_tails(summaries));
    found.extend(machine(sweep));
    found
}

/// Errors and wrong data. An error of a trial is told once, not for every phase.
fn faults(summaries: &[Summary]) -> Vec<String> {
    let mut found = Vec::new();
    let mut told = BTreeMap::new();
    for summary in summaries {
        let place = place(summary);
        if let (Some(error), None) = (summary.errors.first(), told.insert(summary.cell, ())) {
            found.push(format!(
                "{place}: {} trials ended early, the first with: {error}",
                summary.errors.len()
            ));
        }
        for (kind, figures) in &summary.kinds {
            for (count, what) in [(figures.wrong, "wrong answers"), (figures.failed, "failed operations")] {
                if count > 0 {
                    let fault = figures.first_fault.as_deref().unwrap_or("unknown");
                    found.push(format!(
                        "{place}, {}: {count} {what} ({}), the first: {fault}",
                        summary.phase,
                        kind.name()
                    ));
                }
            }
        }
        if summary.verification_wrong > 0
            && !found.iter().any(|line| line.ends_with(READ_BACK) && line.starts_with(&place))
        {
            found.push(format!("{place}: {} {READ_BACK}", summary.verification_wrong));
        }
    }
    found
}

const READ_BACK: &str = "records were wrong when everything was read back";

fn few_trials(sweep: &SweepResult) -> Option<String> {
    let trials = sweep.plan.trials;
    let interval = Interval::of_median((0..trials).map(f64::from))?;
    (interval.confidence < CONFIDENCE).then(|| {
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
            "{phase}: fewer than {ENOUGH_SAMPLES_BEYOND} samples lie beyond {name} in {cells} {} (at least {samples}); marked †.",
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
    format!(
        "{} ({}, {} {})",
        summary.label,
        summary.durability,
        summary.threads,
        if summary.threads == 1 { "thread" } else { "threads" }
    )
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
            "disk on fire",
            "2 wrong answers (read), the first: stale",
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
