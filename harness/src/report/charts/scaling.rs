//! What more threads bring: every trial a dot, medians joined, and what perfect scaling would be.

use super::super::number::{chosen, rate_unit, significant, threads};
use super::super::scene::{Dash, Ink};
use super::super::visible::visible;
use super::axis::{Spacing, linear_ticks};
use super::legend::{self, End};
use super::plot::{Plot, Side, Tick};
use super::{Chart, Study, place, slug};
use crate::analysis::summary::{Summary, thread_counts};
use engines::Durability;

const HEIGHT: f64 = 420.0;

/// Throughput over threads, where there is more than one thread count.
pub fn chart(study: &Study<'_>, phase: &str, durability: Durability) -> Option<Chart> {
    let counts: Vec<u32> = thread_counts(&study.sweep.plan).into_iter().collect();
    let (first, last) = (*counts.first()?, *counts.last()?);
    let cells: Vec<(usize, &Summary)> =
        study.cells(phase, durability).filter(|(_, summary)| summary.throughput.is_some()).collect();
    if first == last || cells.is_empty() {
        return None;
    }
    let mut columns = vec!["engine".to_owned(), "threads".to_owned(), "median_ops_per_second".to_owned()];
    columns.push("trials_ops_per_second".to_owned());
    let rows = study
        .summaries
        .iter()
        .filter(|summary| !summary.is_null && summary.phase == phase && summary.durability == durability);
    Some(Chart {
        name: slug(study, phase, durability, "threads"),
        title: format!("Throughput over threads, {}", place(study, phase, durability)),
        summary: format!("{}{}", summary(&cells, first, last), study.left_out()),
        columns,
        rows: rows.map(row).collect(),
        scene: plot(study, &cells, &counts).scene,
        secondary: false,
    })
}

fn row(summary: &Summary) -> Vec<String> {
    let trials: Vec<String> = summary.rates.iter().map(|(_, rate)| format!("{rate:.0}")).collect();
    let median = summary.throughput.map_or_else(String::new, |spread| format!("{:.0}", spread.median));
    vec![visible(&summary.label), summary.threads.to_string(), median, trials.join(" ")]
}

/// Who gains most and least between the lowest and the highest thread count.
fn summary(cells: &[(usize, &Summary)], first: u32, last: u32) -> String {
    let at = |engine: usize, count: u32| {
        let cell = cells.iter().find(|(index, summary)| *index == engine && summary.threads == count);
        cell.and_then(|(_, summary)| summary.throughput).map(|spread| spread.median)
    };
    let mut gains: Vec<(f64, String)> = cells
        .iter()
        .filter(|(_, summary)| summary.threads == last)
        .filter_map(|(engine, summary)| {
            Some((at(*engine, last)? / at(*engine, first)?, visible(&summary.label)))
        })
        .collect();
    gains.sort_by(|left, right| right.0.total_cmp(&left.0));
    let range = format!("From {first} to {}", threads(last));
    match (gains.first(), gains.last()) {
        (Some((most, name)), Some((least, other))) if name != other => {
            format!(
                "{range}, {name} gains most (×{}) and {other} least (×{}).",
                significant(*most),
                significant(*least)
            )
        }
        (Some((gain, name)), _) => format!("{range}, {name} becomes ×{} as fast.", significant(*gain)),
        _ => format!("{range}: no engine has figures for both."),
    }
}

fn plot(study: &Study<'_>, cells: &[(usize, &Summary)], counts: &[u32]) -> Plot {
    let (first, last) = (counts.first().copied().unwrap_or(1), counts.last().copied().unwrap_or(1));
    let cores = study.sweep.environment.cores;
    let most =
        cells.iter().flat_map(|(_, summary)| summary.rates.iter().map(|(_, rate)| *rate)).fold(0.0, f64::max);
    let unit = rate_unit(most);
    let y_ticks = linear_ticks(most * 1.04 / unit.factor, 6);
    let y_max = y_ticks.last().copied().unwrap_or(1.0) * unit.factor;
    let y_ticks = y_ticks.iter().map(|tick| Tick::labelled(tick * unit.factor, chosen(*tick)));
    let y = Side {
        spacing: Spacing::Linear,
        range: (0.0, y_max),
        ticks: y_ticks.collect(),
        title: unit.name.to_owned(),
    };
    let margin = f64::from(last - first) * 0.06;
    let x_min = f64::from(first) - margin;
    let x_max = f64::from(last) + margin;
    let x_ticks = counts.iter().map(|count| Tick::labelled(f64::from(*count), count.to_string()));
    let x = Side {
        spacing: Spacing::Linear,
        range: (x_min, x_max),
        ticks: x_ticks.collect(),
        title: "threads (faint dots: trials; dotted: perfect scaling up to the processors)".to_owned(),
    };
    let crowded = f64::from(cores) + margin * 0.5;
    let shade =
        (cores > 0 && cores < last).then(|| (crowded.max(x_min), x_max, "more threads than processors"));
    let mut plot = Plot::new(HEIGHT, &x, &y, shade);
    ideals(&mut plot, cells, first, if cores == 0 { last } else { last.min(cores) });
    let mut ends: Vec<End> = Vec::new();
    let engines: std::collections::BTreeSet<usize> = cells.iter().map(|(engine, _)| *engine).collect();
    for engine in engines {
        let own = || cells.iter().filter(|(index, _)| *index == engine).map(|(_, summary)| *summary);
        let points: Vec<(f64, f64)> = own()
            .filter_map(|summary| {
                Some((plot.x.place(f64::from(summary.threads)), plot.y.place(summary.throughput?.median)))
            })
            .collect();
        let ink = Ink::Engine(engine);
        for summary in own() {
            for (_, rate) in &summary.rates {
                let at = (plot.x.place(f64::from(summary.threads)), plot.y.place(*rate));
                plot.scene.disc(at, 2.4, ink, 0.4);
            }
        }
        plot.scene.line(points.clone(), ink, 2.0);
        for point in &points {
            plot.scene.marker(*point, engine, 4.0, ink);
        }
        if let (Some(at), Some(summary)) = (points.last(), own().next_back()) {
            ends.push(End { at: *at, engine, name: visible(&summary.label) });
        }
    }
    legend::write(&mut plot, ends);
    plot
}

/// From each engine's median at the lowest count, in proportion up to the processors; above them no more can be had.
fn ideals(plot: &mut Plot, cells: &[(usize, &Summary)], first: u32, until: u32) {
    for (engine, summary) in cells.iter().filter(|(_, summary)| summary.threads == first && until > first) {
        let Some(spread) = summary.throughput else { continue };
        let each = spread.median / f64::from(first);
        // Where the line leaves the plot it ends, so that it keeps its slope.
        let end = f64::from(until).min(plot.y.max / each);
        let at = |count: f64| (plot.x.place(count), plot.y.place(count * each));
        plot.scene.stroke([at(f64::from(first)), at(end)], Ink::Engine(*engine), 1.1, Dash::Dotted, 0.8);
    }
}
