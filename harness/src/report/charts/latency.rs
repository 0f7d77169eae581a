//! How long the rare operations take: latency over rarity, both logarithmic.

use super::super::number::{duration_ns, threads, whole};
use super::super::scene::{Dash, Ink};
use super::super::visible::visible;
use super::axis::{Spacing, log_ticks};
use super::legend::{self, End};
use super::plot::{Plot, Side, Tick};
use super::{Chart, Study, place, slug};
use crate::analysis::percentile::{ENOUGH_SAMPLES_BEYOND, Percentile, SHOWN, curve};
use crate::analysis::summary::{KindSummary, Summary};
use crate::workload::operation::OperationKind;
use engines::Durability;

const HEIGHT: f64 = 420.0;
const POINTS_PER_DECADE: u32 = 24;

/// The latency of one kind of operation at one thread count, where any engine was timed.
pub fn chart(
    study: &Study<'_>,
    phase: &str,
    durability: Durability,
    count: u32,
    kind: OperationKind,
) -> Option<Chart> {
    let cells: Vec<(usize, &Summary, &KindSummary)> = study
        .cells(phase, durability)
        .filter(|(_, summary)| summary.threads == count)
        .filter_map(|(engine, summary)| Some((engine, summary, summary.kinds.get(&kind)?)))
        .filter(|(_, _, found)| !found.latency_ns.is_empty())
        .collect();
    cells.first()?;
    let all = study.summaries.iter().filter(|summary| {
        !summary.is_null
            && summary.phase == phase
            && summary.durability == durability
            && summary.threads == count
    });
    let mut columns = vec!["engine".to_owned(), "samples".to_owned()];
    columns.extend(SHOWN.map(|(_, name)| format!("{name}_ns")));
    columns.push("max_ns".to_owned());
    let name = kind.name().replace('_', "-");
    Some(Chart {
        name: slug(study, phase, durability, &format!("latency-{name}-{}", threads(count).replace(' ', "-"))),
        title: format!("Latency of {}, {}, {}", noun(kind), place(study, phase, durability), threads(count)),
        summary: format!("{}{}", summary(&cells), study.left_out()),
        columns,
        rows: all.filter_map(|summary| Some(row(summary, summary.kinds.get(&kind)?))).collect(),
        scene: plot(&cells).scene,
        secondary: false,
    })
}

/// What a kind of operation is called in a sentence.
pub const fn noun(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Read => "reads",
        OperationKind::Update => "updates",
        OperationKind::Insert => "inserts",
        OperationKind::Scan => "scans",
        OperationKind::ReadModifyWrite => "read-modify-writes",
        OperationKind::Delete => "deletes",
        OperationKind::Multiget => "multigets",
    }
}

fn row(summary: &Summary, found: &KindSummary) -> Vec<String> {
    let latency = &found.latency_ns;
    let mut row = vec![visible(&summary.label), latency.len().to_string()];
    row.extend(SHOWN.map(|(quantile, _)| {
        Percentile::of(latency, quantile).map_or_else(String::new, |percentile| percentile.ns.to_string())
    }));
    row.push(if latency.is_empty() { String::new() } else { latency.max().to_string() });
    row
}

/// Who is lowest at the median and at the rarest percentile that every engine supports.
fn summary(cells: &[(usize, &Summary, &KindSummary)]) -> String {
    let lowest = |quantile: f64| {
        let of = |(_, summary, found): &(usize, &Summary, &KindSummary)| {
            Some((Percentile::of(&found.latency_ns, quantile)?.ns, visible(&summary.label)))
        };
        cells.iter().filter_map(of).min()
    };
    let supported = |quantile: f64| {
        let of =
            |(_, _, found): &(usize, &Summary, &KindSummary)| Percentile::of(&found.latency_ns, quantile);
        cells.iter().filter_map(of).all(|percentile| percentile.is_supported())
    };
    let Some((median_ns, name)) = lowest(0.5) else { return "No operation was timed.".to_owned() };
    let median = duration_ns(median_ns as f64);
    let tail = SHOWN.into_iter().skip(1).rev().find(|(quantile, _)| supported(*quantile));
    match tail.and_then(|(quantile, shown)| Some((shown, lowest(quantile)?))) {
        Some((shown, (ns, other))) if other == name => {
            format!("{name} is lowest at the median ({median}) and at {shown} ({}).", duration_ns(ns as f64))
        }
        Some((shown, (ns, other))) => {
            format!(
                "At the median {name} is lowest ({median}), at {shown} {other} ({}).",
                duration_ns(ns as f64)
            )
        }
        None => {
            format!("At the median {name} is lowest ({median}); there are too few samples to compare tails.")
        }
    }
}

fn plot(cells: &[(usize, &Summary, &KindSummary)]) -> Plot {
    let curves: Vec<_> = cells
        .iter()
        .map(|(engine, summary, found)| (*engine, *summary, curve(&found.latency_ns, POINTS_PER_DECADE)))
        .collect();
    let points = || curves.iter().flat_map(|(_, _, points)| points);
    let lowest = points().map(|point| point.ns.max(1)).min().unwrap_or(1) as f64;
    let highest = points().map(|point| point.ns).max().unwrap_or(10).max(10) as f64;
    let rarest = points().map(|point| 1.0 / (1.0 - point.quantile)).fold(100.0, f64::max);
    let (y_min, y_max) = (round_down(lowest * 0.97), round_up(highest * 1.03));
    let y_ticks = log_ticks(y_min, y_max)
        .into_iter()
        .map(|tick| Tick { figure: tick.figure, label: tick.labelled.then(|| tick_label(tick.figure)) });
    let y = Side {
        spacing: Spacing::Log,
        range: (y_min, y_max),
        ticks: y_ticks.collect(),
        title: "service time".to_owned(),
    };
    let x_ticks = [(1.0, "min"), (2.0, "50 %")].into_iter().map(|(rarity, label)| (rarity, label.to_owned()));
    let nines = (1..9).map(|nines| (10_f64.powi(nines), nines_label(nines)));
    let x_ticks = x_ticks.chain(nines).filter(|(rarity, _)| *rarity <= rarest * 1.01);
    let x = Side {
        spacing: Spacing::Log,
        range: (1.0, rarest * 1.05),
        ticks: x_ticks.map(|(rarity, label)| Tick::labelled(rarity, label)).collect(),
        title: format!("percentile (faint: fewer than {} samples lie beyond)", whole(ENOUGH_SAMPLES_BEYOND)),
    };
    let mut plot = Plot::new(HEIGHT, &x, &y, None);
    for tick in &x.ticks {
        let place = plot.x.place(tick.figure);
        plot.scene.stroke([(place, plot.y.start), (place, plot.y.end)], Ink::Grid, 1.0, Dash::Solid, 0.55);
    }
    let mut ends = Vec::new();
    for (engine, summary, points) in &curves {
        let at = |point: &crate::analysis::percentile::CurvePoint| {
            (plot.x.place(1.0 / (1.0 - point.quantile)), plot.y.place(point.ns.max(1) as f64))
        };
        let ink = Ink::Engine(*engine);
        let firm: Vec<_> = points.iter().filter(|point| point.supported).map(at).collect();
        let faint: Vec<_> = points.iter().filter(|point| !point.supported).map(at).collect();
        let joined = firm.last().into_iter().chain(&faint).copied().collect::<Vec<_>>();
        plot.scene.stroke(joined, ink, 1.6, Dash::Solid, 0.38);
        plot.scene.line(firm, ink, 2.0);
        for nines in [0.5, 0.9, 0.99, 0.999, 0.9999] {
            let near =
                points.iter().filter(|point| point.supported).find(|point| point.quantile >= nines - 1e-9);
            if let Some(point) = near {
                plot.scene.marker(at(point), *engine, 3.6, ink);
            }
        }
        if let Some(point) = points.last() {
            ends.push(End { at: at(point), engine: *engine, name: visible(&summary.label) });
        }
    }
    legend::write(&mut plot, ends);
    plot
}

/// `90 %`, `99 %`, `99.9 %`, …
fn nines_label(nines: i32) -> String {
    match nines {
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        _ => format!("99.{} %", "9".repeat(usize::try_from(nines - 2).unwrap_or(0))),
    }
}

/// A round duration: `100 ns`, `1 µs`.
fn tick_label(ns: f64) -> String {
    let (unit, factor) = match ns {
        ns if ns < 999.0 => ("ns", 1.0),
        ns if ns < 999e3 => ("µs", 1e3),
        ns if ns < 999e6 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    format!("{:.0} {unit}", ns / factor)
}

/// The next of 1, 2, 5 times a power of ten downwards.
fn round_down(figure: f64) -> f64 {
    let power = 10_f64.powf(figure.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|factor| factor * power).find(|round| *round <= figure).unwrap_or(power)
}

/// The next of 1, 2, 5 times a power of ten upwards.
fn round_up(figure: f64) -> f64 {
    let power = 10_f64.powf(figure.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round >= figure)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_readable() {
        assert_eq!([1, 2, 3, 5].map(nines_label), ["90 %", "99 %", "99.9 %", "99.999 %"]);
        assert_eq!(
            [1.0, 500.0, 1e3, 2e5, 1e6, 5e9].map(tick_label),
            ["1 ns", "500 ns", "1 µs", "200 µs", "1 ms", "5 s"]
        );
        assert_eq!(
            [round_down(87.0), round_down(100.0), round_up(87.0), round_up(1_300.0)],
            [50.0, 100.0, 100.0, 2_000.0]
        );
    }
}
