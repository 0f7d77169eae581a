//! Whether the speed lasts: operations in each tenth of a second, as they were counted.

use super::super::number::{chosen, percent, rate_unit, threads};
use super::super::scene::{Dash, Ink};
use super::super::visible::visible;
use super::axis::{Spacing, linear_ticks};
use super::legend::{self, End};
use super::plot::{Plot, Side, Tick};
use super::{Chart, Study, place, slug};
use crate::analysis::spread::Spread;
use crate::analysis::summary::Summary;
use crate::results::model::{Phase, SERIES_BIN_SECONDS, SweepResult};
use engines::Durability;

const HEIGHT: f64 = 380.0;
/// Fewer bins than this make no line.
const MIN_BINS: usize = 10;

/// One engine's line: rates in full bins of the trial whose throughput is the median's neighbour.
struct Line {
    engine: usize,
    label: String,
    trial: u32,
    rates: Vec<f64>,
}

/// Throughput over time at one thread count, where the phase was long enough.
pub fn chart(study: &Study<'_>, phase: &str, durability: Durability, count: u32) -> Option<Chart> {
    let lines: Vec<Line> = study
        .cells(phase, durability)
        .filter(|(_, summary)| summary.threads == count)
        .filter_map(|(engine, summary)| line(study.sweep, engine, summary))
        .filter(|line| line.rates.len() >= MIN_BINS)
        .collect();
    lines.first()?;
    let mut columns = vec!["start_seconds".to_owned()];
    columns.extend(lines.iter().map(|line| format!("{} trial {} ops_per_second", line.label, line.trial)));
    let bins = lines.iter().map(|line| line.rates.len()).max().unwrap_or(0);
    let rows = (0..bins).map(|bin| {
        let mut row = vec![format!("{:.1}", bin as f64 * SERIES_BIN_SECONDS)];
        row.extend(
            lines
                .iter()
                .map(|line| line.rates.get(bin).map_or_else(String::new, |rate| format!("{rate:.0}"))),
        );
        row
    });
    Some(Chart {
        name: slug(study, phase, durability, &format!("time-{}", threads(count).replace(' ', "-"))),
        title: format!("Throughput over time, {}, {}", place(study, phase, durability), threads(count)),
        summary: format!("{}{}", summary(&lines), study.left_out()),
        columns,
        rows: rows.collect(),
        scene: plot(&lines).scene,
        secondary: false,
    })
}

fn line(sweep: &SweepResult, engine: usize, summary: &Summary) -> Option<Line> {
    let median = summary.throughput?.median;
    let distance = |rate: &f64| (rate - median).abs();
    let nearest = |left: &&(u32, f64), right: &&(u32, f64)| distance(&left.1).total_cmp(&distance(&right.1));
    let (trial, _) = summary.rates.iter().min_by(nearest)?;
    let run = sweep.trials.iter().find(|run| run.cell == summary.cell && run.trial == *trial)?;
    let phase = run.phases.iter().find(|phase| phase.name == summary.phase)?;
    Some(Line { engine, label: visible(&summary.label), trial: *trial, rates: full_bins(phase) })
}

/// Rates of the bins that lie wholly within the phase: the last one mostly does not, and would look like a collapse.
fn full_bins(phase: &Phase) -> Vec<f64> {
    let full = (phase.wall_seconds / SERIES_BIN_SECONDS + 1e-6).floor().max(0.0) as usize;
    phase.series.iter().take(full).map(|operations| *operations as f64 / SERIES_BIN_SECONDS).collect()
}

/// How deep each line dips below its own median, the steadiest and the least steady.
fn summary(lines: &[Line]) -> String {
    let mut depths: Vec<(f64, &str)> = Vec::new();
    for line in lines {
        if let Some(spread) = Spread::of(line.rates.iter().copied()).filter(|spread| spread.median > 0.0) {
            depths.push((spread.min / spread.median, &line.label));
        }
    }
    depths.sort_by(|left, right| right.0.total_cmp(&left.0));
    let slowest = "in its slowest tenth of a second";
    match (depths.first(), depths.last()) {
        (Some((most, name)), Some((least, other))) if name != other => format!(
            "{name} is steadiest: {slowest} it keeps {} of its median; {other} keeps {}.",
            percent(*most),
            percent(*least)
        ),
        (Some((share, name)), _) => format!("{name} keeps {} of its median {slowest}.", percent(*share)),
        _ => "No operation was finished.".to_owned(),
    }
}

fn plot(lines: &[Line]) -> Plot {
    let most = lines.iter().flat_map(|line| &line.rates).copied().fold(0.0, f64::max);
    let unit = rate_unit(most);
    let ticks = linear_ticks(most * 1.02 / unit.factor, 5);
    let y_max = ticks.last().copied().unwrap_or(1.0) * unit.factor;
    let y_ticks = ticks.iter().map(|tick| Tick::labelled(tick * unit.factor, chosen(*tick)));
    let y = Side {
        spacing: Spacing::Linear,
        range: (0.0, y_max),
        ticks: y_ticks.collect(),
        title: format!("{}, wall clock, all threads", unit.name),
    };
    let seconds = lines.iter().map(|line| line.rates.len()).max().unwrap_or(1) as f64 * SERIES_BIN_SECONDS;
    let x_ticks = linear_ticks(seconds, 8).into_iter().filter(|tick| *tick <= seconds * 1.001);
    let x_ticks = x_ticks.map(|tick| Tick::labelled(tick, chosen(tick)));
    let x = Side {
        spacing: Spacing::Linear,
        range: (0.0, seconds),
        ticks: x_ticks.collect(),
        title: "seconds from the start of the phase".to_owned(),
    };
    let mut plot = Plot::new(HEIGHT, &x, &y, None);
    let mut ends = Vec::new();
    for line in lines {
        let at = |(bin, rate): (usize, &f64)| {
            (plot.x.place((bin as f64 + 0.5) * SERIES_BIN_SECONDS), plot.y.place(*rate))
        };
        let points: Vec<_> = line.rates.iter().enumerate().map(at).collect();
        let last = points.last().copied();
        plot.scene.stroke(points, Ink::Engine(line.engine), 1.6, Dash::Solid, 0.95);
        if let Some(last) = last {
            ends.push(End { at: last, engine: line.engine, name: line.label.clone() });
        }
    }
    legend::write(&mut plot, ends);
    plot
}
