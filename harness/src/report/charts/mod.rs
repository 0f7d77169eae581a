//! The charts of a report: each is a function from figures to a [`Chart`], one file each.

mod axis;
mod cast;
mod latency;
mod legend;
pub mod memory;
mod plot;
mod ranking;
mod scaling;
mod series;

use super::scene::Scene;
use super::visible::visible;
use crate::analysis::ranking::{self as ranks, Ranking};
use crate::analysis::summary::{Summary, classes, phases, summarize, thread_counts};
use crate::analysis::warning::warnings;
use crate::results::model::{LOAD_PHASE, SweepResult};
use crate::workload::operation::OperationKind;
pub use cast::Cast;
use engines::Durability;
pub use latency::noun;
pub use legend::fit;
pub use ranking::rank;

/// Width of every chart, logical pixels.
const WIDTH: f64 = 880.0;

/// A chart with everything that replaces looking at it.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Unique in its sweep, made of names joined by `-`; part of the PNG's name.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// What it says, in a sentence.
    pub summary: String,
    /// Names of the columns of its figures.
    pub columns: Vec<String>,
    /// Its figures.
    pub rows: Vec<Vec<String>>,
    /// The drawing.
    pub scene: Scene,
    /// Whether it comes after the ones that are looked at first.
    pub secondary: bool,
}

/// A sweep with everything that is computed from it.
#[derive(Debug)]
pub struct Study<'a> {
    /// What was measured.
    pub sweep: &'a SweepResult,
    /// Every cell in every phase.
    pub summaries: &'a [Summary],
    /// Every ranking.
    pub rankings: Vec<Ranking<'a>>,
    /// Sentences of caution.
    pub warnings: Vec<String>,
    /// Which engine has which colour.
    pub cast: Cast,
}

/// Computes everything that [`Study::new`] borrows.
pub fn figures(sweep: &SweepResult) -> Vec<Summary> {
    summarize(sweep)
}

impl<'a> Study<'a> {
    /// Ranks the figures that [`figures`] computed from the same sweep.
    pub fn new(sweep: &'a SweepResult, summaries: &'a [Summary]) -> Self {
        let rankings = ranks::rank(&sweep.plan, summaries);
        let cast = Cast::new(&sweep.plan, &rankings);
        Self { sweep, summaries, cast, warnings: warnings(sweep, summaries), rankings }
    }

    /// The cells of a phase and a class that have a colour and gave no wrong answer, in the order of the colours.
    fn cells(&self, phase: &str, durability: Durability) -> impl Iterator<Item = (usize, &'a Summary)> {
        let mut cells: Vec<(usize, &'a Summary)> = self
            .summaries
            .iter()
            .filter(|summary| !summary.is_null && summary.phase == phase && summary.durability == durability)
            .filter(|summary| summary.wrong() == 0)
            .filter_map(|summary| Some((self.cast.index(&summary.label)?, summary)))
            .collect();
        cells.sort_by_key(|(index, summary)| (*index, summary.threads));
        cells.into_iter()
    }

    /// What is written under a chart that cannot show all engines.
    fn left_out(&self) -> String {
        match self.cast.left_out() {
            0 => String::new(),
            1 => " One more engine is in the tables only.".to_owned(),
            many => format!(" {many} more engines are in the tables only."),
        }
    }
}

/// All charts of one phase in one class. Those of the load, and of all thread counts but the highest, come second.
pub fn charts(study: &Study<'_>, phase: &str, durability: Durability) -> Vec<Chart> {
    let plan = &study.sweep.plan;
    let is_load = phase == LOAD_PHASE;
    let mut charts: Vec<Chart> = ranking::chart(study, phase, durability).into_iter().collect();
    charts.extend(scaling::chart(study, phase, durability));
    let counts = thread_counts(plan);
    for threads in counts.iter().rev() {
        let is_first = counts.last() == Some(threads);
        let latencies = OperationKind::ALL.into_iter();
        let latencies = latencies.filter_map(|kind| latency::chart(study, phase, durability, *threads, kind));
        let over_time = series::chart(study, phase, durability, *threads);
        charts.extend(
            latencies.chain(over_time).map(|chart| Chart { secondary: is_load || !is_first, ..chart }),
        );
    }
    charts
}

/// The phases and classes of a sweep in the order in which they are of interest: run phases, then the load.
pub fn sections<'a>(study: &Study<'a>) -> Vec<(&'a str, Durability)> {
    let plan = &study.sweep.plan;
    let (load, run): (Vec<&str>, Vec<&str>) = phases(plan).partition(|phase| *phase == LOAD_PHASE);
    let phases = run.into_iter().chain(load);
    phases.flat_map(|phase| classes(plan).into_iter().map(move |durability| (phase, durability))).collect()
}

/// A phase, with its class where there is more than one, as titles name it.
pub fn place(study: &Study<'_>, phase: &str, durability: Durability) -> String {
    match classes(&study.sweep.plan).len() {
        1 => visible(phase),
        _ => format!("{}, durability {durability}", visible(phase)),
    }
}

/// The part of a chart's name that tells where it belongs.
fn slug(study: &Study<'_>, phase: &str, durability: Durability, rest: &str) -> String {
    match classes(&study.sweep.plan).len() {
        1 => format!("{phase}-{rest}"),
        _ => format!("{phase}-{durability}-{rest}"),
    }
}

#[cfg(test)]
mod tests;
