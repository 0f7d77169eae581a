//! Who is faster: a bar an engine, with the median of its trials and its interval.

use super::super::font;
use super::super::number::{self, rate, rate_unit, threads};
use super::super::scene::{Anchor, Ink, Scene};
use super::super::visible::visible;
use super::axis::{Axis, Spacing, linear_ticks};
use super::legend::fit;
use super::{Chart, Study, WIDTH, place, slug};
use crate::analysis::interval::Interval;
use crate::analysis::ranking::{Entry, Ranking, Unranked};
use engines::Durability;

const ROW: f64 = 27.0;
const BAR: f64 = 15.0;
const HEADING: f64 = 30.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 44.0;
const NAME: f64 = 13.0;
/// The page's typeface may be wider than the one names are measured with.
const OTHER_FACE: f64 = 1.14;
const RANK_ROOM: f64 = 34.0;
const NAME_ROOM: f64 = 170.0;
/// Room at the right for two columns of figures.
const FIGURES_ROOM: f64 = 128.0;

/// One panel a thread count, on one scale.
pub fn chart(study: &Study<'_>, phase: &str, durability: Durability) -> Option<Chart> {
    let rankings: Vec<&Ranking<'_>> = study
        .rankings
        .iter()
        .filter(|ranking| ranking.phase == phase && ranking.durability == durability)
        .collect();
    rankings.first()?;
    Some(Chart {
        name: slug(study, phase, durability, "ranking"),
        title: format!("Throughput, {}", place(study, phase, durability)),
        summary: summary(&rankings),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: rankings.iter().flat_map(|ranking| ranking.entries.iter().map(row)).collect(),
        scene: scene(study, &rankings),
        secondary: false,
    })
}

/// The best at the highest thread count, and how far the next are.
fn summary(rankings: &[&Ranking<'_>]) -> String {
    let Some(ranking) = rankings.last() else { return String::new() };
    let place = format!("At {}", threads(ranking.threads));
    let ranked = || ranking.entries.iter().filter_map(|entry| Some((entry, entry.rank.ok()?)));
    let best: Vec<String> = ranked()
        .filter(|(_, rank)| rank.number == 1)
        .map(|(entry, _)| visible(&entry.summary.label))
        .collect();
    let names: Vec<&str> = best.iter().map(String::as_str).collect();
    let median = ranked().next().and_then(|(entry, _)| entry.summary.throughput).map(|spread| spread.median);
    let (Some(median), false) = (median, names.is_empty()) else {
        return format!("{place} no engine finished the phase.");
    };
    let first = match names.len() {
        1 => format!("{place} {} is fastest with {}", number::list(&names), rate(median)),
        _ => format!(
            "{place} {} share the first rank with up to {}: the trials cannot tell them apart",
            number::list(&names),
            rate(median)
        ),
    };
    let next = ranked().find(|(_, rank)| rank.number > 1).and_then(|(entry, _)| {
        let ratio = entry.ratio?;
        let (low, high) = (ratio.interval.low * 100.0, ratio.interval.high * 100.0);
        let name = visible(&entry.summary.label);
        Some(format!(
            "; next is {name} with {:.0} % of it (interval {low:.0}–{high:.0} %)",
            ratio.median * 100.0
        ))
    });
    format!("{first}{}.", next.unwrap_or_default())
}

const COLUMNS: [&str; 11] = [
    "threads",
    "rank",
    "engine",
    "median_ops_per_second",
    "min_ops_per_second",
    "max_ops_per_second",
    "ratio_to_best",
    "ratio_low",
    "ratio_high",
    "confidence",
    "trials_ops_per_second",
];

fn row(entry: &Entry<'_>) -> Vec<String> {
    let spread = entry.summary.throughput;
    let whole = |figure: Option<f64>| figure.map_or_else(String::new, |figure| format!("{figure:.0}"));
    let ratio = |of: fn(&crate::analysis::ranking::Ratio) -> f64| {
        entry.ratio.as_ref().map_or_else(String::new, |ratio| format!("{:.4}", of(ratio)))
    };
    let trials: Vec<String> = entry.summary.rates.iter().map(|(_, rate)| format!("{rate:.0}")).collect();
    vec![
        entry.summary.threads.to_string(),
        rank(entry),
        visible(&entry.summary.label),
        whole(spread.map(|spread| spread.median)),
        whole(spread.map(|spread| spread.min)),
        whole(spread.map(|spread| spread.max)),
        ratio(|ratio| ratio.median),
        ratio(|ratio| ratio.interval.low),
        ratio(|ratio| ratio.interval.high),
        ratio(|ratio| ratio.interval.confidence),
        trials.join(" "),
    ]
}

/// A rank as it is shown: `1`, `1=` where it is shared, `–` where there is none.
pub fn rank(entry: &Entry<'_>) -> String {
    match entry.rank {
        Ok(rank) if rank.shared => format!("{}=", rank.number),
        Ok(rank) => rank.number.to_string(),
        Err(_) => "–".to_owned(),
    }
}

fn scene(study: &Study<'_>, rankings: &[&Ranking<'_>]) -> Scene {
    let entries = || rankings.iter().flat_map(|ranking| &ranking.entries);
    let rates = entries().flat_map(|entry| entry.summary.rates.iter().map(|(_, rate)| *rate));
    let most = rates.fold(0.0, f64::max);
    let unit = rate_unit(most);
    let ticks = linear_ticks(most / unit.factor, 6);
    let names = entries().map(|entry| font::width(&visible(&entry.summary.label), NAME, true));
    let left = RANK_ROOM + 14.0 + names.fold(60.0, f64::max).min(NAME_ROOM) * OTHER_FACE;
    let right = WIDTH - FIGURES_ROOM;
    let heading = if rankings.len() > 1 { HEADING } else { 8.0 };
    let height = TOP
        + BOTTOM
        + rankings.iter().map(|ranking| heading + ranking.entries.len() as f64 * ROW).sum::<f64>();
    let bottom = height - BOTTOM;
    let top_tick = ticks.last().copied().unwrap_or(1.0);
    let axis =
        Axis { spacing: Spacing::Linear, min: 0.0, max: top_tick * unit.factor, start: left, end: right };
    let mut scene = Scene::new(WIDTH, height);
    for tick in &ticks {
        let x = axis.place(tick * unit.factor);
        scene.line([(x, TOP), (x, bottom)], Ink::Grid, 1.0);
        scene.text((x, bottom + 14.0), Anchor::Middle, 12.0, Ink::Muted, number::chosen(*tick));
    }
    scene.text(
        ((left + right) / 2.0, bottom + 34.0),
        Anchor::Middle,
        12.0,
        Ink::Muted,
        format!("{} (bar: median over trials; whisker: its interval)", unit.name),
    );
    scene.text((WIDTH - 62.0, 12.0), Anchor::End, 11.0, Ink::Muted, unit.name);
    scene.text((WIDTH - 8.0, 12.0), Anchor::End, 11.0, Ink::Muted, "of best");
    let mut y = TOP;
    for ranking in rankings {
        if rankings.len() > 1 {
            scene.bold(
                (0.0, y + heading / 2.0 + 2.0),
                Anchor::Start,
                13.0,
                Ink::Text,
                threads(ranking.threads),
            );
        }
        y += heading;
        for entry in &ranking.entries {
            bar(&mut scene, study, entry, &axis, y + ROW / 2.0, unit);
            y += ROW;
        }
    }
    scene.line([(left, TOP), (left, bottom)], Ink::Axis, 1.2);
    scene
}

fn bar(scene: &mut Scene, study: &Study<'_>, entry: &Entry<'_>, axis: &Axis, y: f64, unit: number::RateUnit) {
    let name = fit(&visible(&entry.summary.label), NAME, true, NAME_ROOM);
    scene.text((RANK_ROOM - 10.0, y), Anchor::End, NAME, Ink::Muted, rank(entry));
    scene.bold((RANK_ROOM, y), Anchor::Start, NAME, Ink::Text, name);
    let reason = match entry.rank {
        Err(Unranked::WrongData) => Some("gave wrong answers: not ranked"),
        Err(Unranked::NotMeasured) => Some("no trial finished this phase"),
        Ok(_) => None,
    };
    if let Some(reason) = reason {
        scene.text((axis.start + 10.0, y), Anchor::Start, 12.0, Ink::Muted, reason);
        return;
    }
    let Some(spread) = entry.summary.throughput else { return };
    let rates: Vec<f64> = entry.summary.rates.iter().map(|(_, rate)| *rate).collect();
    let end = axis.place(spread.median);
    scene.rect(
        (axis.start, y - BAR / 2.0),
        end - axis.start,
        BAR,
        study.cast.ink(&entry.summary.label),
        0.85,
    );
    if let Some(interval) = Interval::of_median(rates).filter(|interval| interval.confidence > 0.0) {
        let (low, high) = (axis.place(interval.low), axis.place(interval.high));
        scene.line([(low, y), (high, y)], Ink::Text, 1.4);
        for x in [low, high] {
            scene.line([(x, y - 4.5), (x, y + 4.5)], Ink::Text, 1.4);
        }
    }
    scene.bold((WIDTH - 62.0, y), Anchor::End, NAME, Ink::Text, unit.format(spread.median));
    let ratio = entry.ratio.map_or_else(String::new, |ratio| format!("{:.0} %", ratio.median * 100.0));
    scene.text((WIDTH - 8.0, y), Anchor::End, NAME, Ink::Muted, ratio);
}
