//! The ranking as rows of text, for the terminal and for the page.

use super::charts::Study;
use super::number::{RateUnit, duration_ns, percent, rate_unit, records_unit, significant, threads, whole};
use super::visible::visible;
use crate::analysis::percentile::Percentile;
use crate::analysis::ranking::{Entry, Ranking, Unranked};
use crate::analysis::summary::{Summary, asks_for_several, dominant, times_all};
use crate::workload::operation::OperationKind;
use engines::Durability;
use std::collections::BTreeMap;

/// The rankings of one phase in one class, one group a thread count.
#[derive(Clone, Debug)]
pub struct Table {
    /// The kind of operation whose latency is shown.
    pub dominant: OperationKind,
    /// Unit of the throughput columns.
    pub unit: RateUnit,
    /// By thread count, ascending.
    pub groups: Vec<Group>,
    /// The mix that was run, e.g. `read 50.0 %, update 50.0 %`.
    pub mix: String,
    /// Share of the keys asked for that were there.
    pub hit_rate: Option<String>,
    /// The harness's own cost an operation at each thread count.
    pub null_cost: Option<String>,
    /// Unit of records a second, where operations return several.
    pub records: Option<&'static str>,
    /// Whether the longest operation is known, because each was timed.
    pub has_longest: bool,
}

/// Engines at one thread count.
#[derive(Clone, Debug)]
pub struct Group {
    /// Worker threads.
    pub threads: u32,
    /// `2 threads`.
    pub title: String,
    /// Best first.
    pub rows: Vec<Row>,
}

/// One engine. An empty text means that there is no such figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// `1`, `1=` or `–`.
    pub rank: String,
    /// Label.
    pub engine: String,
    /// Throughput in the table's unit.
    pub median: String,
    /// Least and greatest of the trials, or why there is no rank.
    pub range: String,
    /// Share of the best, or `best`.
    pub ratio: String,
    /// Interval of the share.
    pub interval: String,
    /// Latency of the dominant kind, with `†` where too few samples lie beyond.
    pub p50: String,
    /// As above.
    pub p99: String,
    /// As above.
    pub p999: String,
    /// The longest operation of the dominant kind, all trials together.
    pub longest: String,
    /// Records returned or written a second, in the unit of [`Table::records`].
    pub records: String,
    /// Memory, bytes a record.
    pub memory: String,
    /// Whether it has the first rank.
    pub is_best: bool,
}

/// The table of a phase and a class.
pub fn table(study: &Study<'_>, phase: &str, durability: Durability) -> Table {
    let rankings: Vec<&Ranking<'_>> = study
        .rankings
        .iter()
        .filter(|ranking| ranking.phase == phase && ranking.durability == durability)
        .collect();
    let entries = || rankings.iter().flat_map(|ranking| &ranking.entries);
    let most =
        entries().filter_map(|entry| entry.summary.throughput).map(|spread| spread.max).fold(0.0, f64::max);
    let unit = rate_unit(most);
    let plan = &study.sweep.plan;
    let most = entries().filter_map(|entry| entry.summary.records_per_second()).fold(0.0, f64::max);
    let records = asks_for_several(plan, phase).then(|| records_unit(most));
    let has_longest = times_all(plan, phase);
    let groups = rankings.iter().map(|ranking| Group {
        threads: ranking.threads,
        title: threads(ranking.threads),
        rows: (0..)
            .zip(&ranking.entries)
            .map(|(place, entry)| row(entry, place == 0, (unit, records), has_longest))
            .collect(),
    });
    let cells: Vec<&Summary> = entries().map(|entry| entry.summary).collect();
    Table {
        dominant: dominant(plan, phase),
        unit,
        groups: groups.collect(),
        mix: mix(&cells),
        hit_rate: hit_rate(&cells),
        null_cost: null_cost(study, phase),
        records: records.map(|unit| unit.name),
        has_longest,
    }
}

fn row(
    entry: &Entry<'_>,
    is_reference: bool,
    (unit, records): (RateUnit, Option<RateUnit>),
    has_longest: bool,
) -> Row {
    let summary = entry.summary;
    let of_spread = |text: &dyn Fn(crate::analysis::spread::Spread) -> String| {
        summary.throughput.filter(|_| entry.rank.is_ok()).map_or_else(String::new, text)
    };
    let latency = |quantile: f64| {
        summary.percentile(quantile).filter(|_| entry.rank.is_ok()).map_or_else(String::new, percentile)
    };
    let longest = summary.kinds.get(&summary.dominant).map(|found| &found.latency_ns);
    let longest = longest.filter(|latency| has_longest && entry.rank.is_ok() && !latency.is_empty());
    let records = records.filter(|_| entry.rank.is_ok());
    let share = |share: f64| format!("{:.1}", share * 100.0);
    Row {
        rank: super::charts::rank(entry),
        engine: visible(&summary.label),
        median: of_spread(&|spread| unit.format(spread.median)),
        range: match entry.rank {
            Ok(_) => of_spread(&|spread| format!("{}–{}", unit.format(spread.min), unit.format(spread.max))),
            Err(Unranked::WrongData) => "wrong answers".to_owned(),
            Err(Unranked::NotMeasured) => "not finished".to_owned(),
        },
        ratio: match entry.ratio {
            Some(_) if is_reference => "best".to_owned(),
            ratio => ratio.map_or_else(String::new, |ratio| format!("{} %", share(ratio.median))),
        },
        interval: entry.ratio.filter(|_| !is_reference).map_or_else(String::new, |ratio| {
            format!("{}–{} %", share(ratio.interval.low), share(ratio.interval.high))
        }),
        p50: latency(0.5),
        p99: latency(0.99),
        p999: latency(0.999),
        longest: longest.map_or_else(String::new, |latency| duration_ns(latency.max() as f64)),
        records: records
            .and_then(|unit| Some(unit.format(summary.records_per_second()?)))
            .unwrap_or_default(),
        memory: summary.memory_bytes_per_record.map_or_else(String::new, |bytes| whole(bytes.round() as u64)),
        is_best: entry.rank.is_ok_and(|rank| rank.number == 1),
    }
}

fn percentile(percentile: Percentile) -> String {
    let mark = if percentile.is_supported() { "" } else { " †" };
    format!("{}{mark}", duration_ns(percentile.ns as f64))
}

fn mix(cells: &[&Summary]) -> String {
    let mut totals: BTreeMap<OperationKind, u64> = BTreeMap::new();
    for (kind, found) in cells.iter().flat_map(|summary| &summary.kinds) {
        *totals.entry(*kind).or_default() += found.ok + found.missed + found.wrong + found.failed;
    }
    let all: u64 = totals.values().sum();
    let parts = totals.iter().filter(|(_, count)| **count > 0).map(|(kind, count)| {
        format!("{} {}", kind.name().replace('_', "-"), percent(*count as f64 / all as f64))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn hit_rate(cells: &[&Summary]) -> Option<String> {
    let rates = || cells.iter().filter_map(|summary| summary.hit_rate());
    let (low, high) = (rates().min_by(f64::total_cmp)?, rates().max_by(f64::total_cmp)?);
    let (low, high) = (share_down(low), share_down(high));
    Some(if low == high { low } else { format!("{low} to {high}") })
}

/// A share as a percentage that is rounded down, so that 100 % means all.
fn share_down(share: f64) -> String {
    let thousandths = (share * 100_000.0).floor() / 1_000.0;
    if thousandths >= 100.0 { "100 %".to_owned() } else { format!("{thousandths:.2} %") }
}

fn null_cost(study: &Study<'_>, phase: &str) -> Option<String> {
    let own = study.summaries.iter().filter(|summary| summary.is_null && summary.phase == phase);
    let costs = own.filter_map(|summary| {
        let cost = summary.busy_ns_per_operation?;
        Some(format!("{} ns at {}", significant(cost), threads(summary.threads)))
    });
    let costs: Vec<String> = costs.collect();
    (!costs.is_empty()).then(|| costs.join(", "))
}
