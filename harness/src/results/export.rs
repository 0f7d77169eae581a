//! Results as CSV (RFC 4180), one line a figure's owner, for spreadsheets and scripts.
//!
//! `summary.csv` has one line for each phase, cell and kind of operation:
//!
//! | column | meaning |
//! |---|---|
//! | `workload`, `phase`, `engine`, `durability`, `threads` | what was run; the engine `null` is the harness's own cost |
//! | `trials` | trials that finished the phase |
//! | `operation` | the kind of operation |
//! | `throughput_{median,min,max}_ops_per_second` | of all kinds together, over trials; workers' in-block rates added up |
//! | `busy_ns_per_operation` | time in timed blocks for one operation of one worker, median over trials |
//! | `share` | of all operations of the phase, 0 to 1 |
//! | `ok`, `missed`, `checked`, `wrong`, `failed` | operations, over all trials |
//! | `hit_rate` | 0 to 1; empty for inserts and scans |
//! | `records_scanned` | records that scans and multigets returned |
//! | `records_per_second` | records returned or written, at the median throughput, of all kinds together |
//! | `latency_samples` | operations that were timed, over all trials |
//! | `latency_{min,p50,p90,p99,p99.9,max}_ns` | service time, from the samples of all trials together |
//! | `memory_bytes_per_record` | growth of the resident size by the load, median over trials |
//! | `close_seconds`, `open_seconds` | to close the engine after the last phase and to open it again, median over trials; empty where nothing outlasts its closing |
//! | `reopened_records`, `reopened_wrong` | records read back after that and those that were wrong, over all trials |
//!
//! `memory.csv` has one line for each stage of each memory trial, none without them:
//!
//! | column | meaning |
//! |---|---|
//! | `workload`, `phase`, `engine`, `durability`, `threads` | what was run; the phase is `memory` |
//! | `load` | `inserts` or `bulk` |
//! | `after`, `compacted` | `load`, `overwrite` or `delete`, and whether the engine compacted since |
//! | `records`, `live_bytes` | live records, and bytes of their keys and values |
//! | `counted_{bytes,blocks,peak_bytes}` | live bytes and allocations by the counting allocator, growth since before the engine was opened |
//! | `counted_beyond_bytes_per_record`, `counted_beyond_share` | of that what is not key or value, a record and as a share of keys and values |
//! | `resident_{bytes,peak_bytes}`, `resident_beyond_…` | the same by the resident size |
//! | `engine_bytes` | the engine's own account |
//! | `left_{counted,resident}` | share of the peak that remains after deleting all |
//!
//! `series.csv` has one line for each 100 ms of each phase of each trial: the same first columns, `trial` (from 0),
//! `start_seconds` of the bin from the phase's start, and `operations` finished in it.

use super::model::{LoadWay, MemoryEvent, NULL_LABEL, SERIES_BIN_SECONDS, SweepResult};
use crate::analysis::memory::{Beyond, Holding, holdings};
use crate::analysis::percentile::{Percentile, SHOWN};
use crate::analysis::reopening::{Reopening, reopenings};
use crate::analysis::summary::{Summary, summarize};
use crate::exit::{Exit, Failure};
use csv::Writer;
use engines::Durability;

/// What every CSV file of ours begins with.
pub const FIRST_COLUMNS: &str = "workload,phase,engine,durability,threads,";

/// The figures of every cell.
///
/// # Errors
/// Never in practice: memory is written to.
pub fn summary_csv(sweep: &SweepResult) -> Result<Vec<u8>, Failure> {
    let mut header: Vec<String> = FIRST_COLUMNS.trim_end_matches(',').split(',').map(str::to_owned).collect();
    let columns = "trials operation throughput_median_ops_per_second throughput_min_ops_per_second \
        throughput_max_ops_per_second busy_ns_per_operation share ok missed checked wrong failed hit_rate records_scanned \
        records_per_second \
        latency_samples latency_min_ns";
    header.extend(columns.split_ascii_whitespace().map(str::to_owned));
    header.extend(SHOWN.map(|(_, name)| format!("latency_{name}_ns")));
    let last =
        "latency_max_ns memory_bytes_per_record close_seconds open_seconds reopened_records reopened_wrong";
    header.extend(last.split_ascii_whitespace().map(str::to_owned));
    let mut rows = vec![header];
    let reopened = reopenings(sweep);
    for summary in summarize(sweep) {
        let reopened = reopened.iter().find(|reopened| reopened.cell == summary.cell);
        rows.extend(summary_rows(&sweep.plan.name, &summary, reopened));
    }
    to_bytes(&rows)
}

fn summary_rows(workload: &str, summary: &Summary, reopened: Option<&Reopening<'_>>) -> Vec<Vec<String>> {
    let counted = |of: fn(&Reopening<'_>) -> u64| reopened.map_or_else(String::new, |it| of(it).to_string());
    let seconds = |of: fn(&Reopening<'_>) -> f64| number(reopened.map(of), 6);
    let rate = |of: fn(crate::analysis::spread::Spread) -> f64| number(summary.throughput.map(of), 1);
    let rows = summary.kinds.iter().map(|(kind, found)| {
        let latency = &found.latency_ns;
        let timed = |ns: u64| if latency.is_empty() { String::new() } else { ns.to_string() };
        let mut row = vec![
            workload.to_owned(),
            summary.phase.clone(),
            summary.label.clone(),
            summary.durability.to_string(),
            summary.threads.to_string(),
            summary.rates.len().to_string(),
            kind.name().to_owned(),
            rate(|spread| spread.median),
            rate(|spread| spread.min),
            rate(|spread| spread.max),
            number(summary.busy_ns_per_operation, 2),
            number(Some(found.share), 6),
            found.ok.to_string(),
            found.missed.to_string(),
            found.checked.to_string(),
            found.wrong.to_string(),
            found.failed.to_string(),
            number(found.hit_rate(*kind), 6),
            found.records_scanned.to_string(),
            number(summary.records_per_second(), 1),
            latency.len().to_string(),
            timed(latency.min()),
        ];
        let shown = SHOWN.map(|(quantile, _)| Percentile::of(latency, quantile));
        row.extend(shown.map(|percentile| percentile.map_or_else(String::new, |found| found.ns.to_string())));
        row.push(timed(latency.max()));
        row.push(number(summary.memory_bytes_per_record, 2));
        row.push(seconds(|found| found.close_seconds.median));
        row.push(seconds(|found| found.open_seconds.median));
        row.push(counted(|found| found.records));
        row.push(counted(|found| found.wrong));
        row
    });
    rows.collect()
}

/// What records take in memory; of trials that ended early nothing.
///
/// # Errors
/// Never in practice: memory is written to.
pub fn memory_csv(sweep: &SweepResult) -> Result<Vec<u8>, Failure> {
    let mut header: Vec<String> = FIRST_COLUMNS.trim_end_matches(',').split(',').map(str::to_owned).collect();
    let columns = "load after compacted records live_bytes \
        counted_bytes counted_blocks counted_peak_bytes counted_beyond_bytes_per_record counted_beyond_share \
        resident_bytes resident_peak_bytes resident_beyond_bytes_per_record resident_beyond_share \
        engine_bytes left_counted left_resident";
    header.extend(columns.split_ascii_whitespace().map(str::to_owned));
    let mut rows = vec![header];
    rows.extend(holdings(sweep).iter().map(|holding| memory_row(&sweep.plan.name, holding)));
    to_bytes(&rows)
}

fn memory_row(workload: &str, holding: &Holding<'_>) -> Vec<String> {
    let Holding { trial, stage, durability } = holding;
    let (heap, rss) = (holding.heap_beyond(), holding.rss_beyond());
    let bytes = |beyond: Option<Beyond>| number(beyond.map(|beyond| beyond.bytes_per_record), 2);
    let share = |beyond: Option<Beyond>| number(beyond.map(|beyond| beyond.share), 6);
    let load = match trial.way {
        LoadWay::Inserts => "inserts",
        LoadWay::Bulk => "bulk",
    };
    let after = match stage.after {
        MemoryEvent::Load => "load",
        MemoryEvent::Overwrite => "overwrite",
        MemoryEvent::Delete => "delete",
    };
    vec![
        workload.to_owned(),
        "memory".to_owned(),
        trial.label.clone(),
        durability.to_string(),
        trial.threads.to_string(),
        load.to_owned(),
        after.to_owned(),
        stage.compacted.to_string(),
        stage.records.to_string(),
        stage.live_bytes.to_string(),
        stage.heap_bytes.to_string(),
        stage.heap_blocks.to_string(),
        stage.heap_peak_bytes.to_string(),
        bytes(heap),
        share(heap),
        stage.rss_bytes.to_string(),
        stage.rss_peak_bytes.to_string(),
        bytes(rss),
        share(rss),
        stage.engine_bytes.to_string(),
        number(holding.heap_left(), 6),
        number(holding.rss_left(), 6),
    ]
}

/// Operations over time.
///
/// # Errors
/// Never in practice: memory is written to.
pub fn series_csv(sweep: &SweepResult) -> Result<Vec<u8>, Failure> {
    let header = format!("{FIRST_COLUMNS}trial,start_seconds,operations");
    let mut rows: Vec<Vec<String>> = vec![header.split(',').map(str::to_owned).collect()];
    for trial in &sweep.trials {
        let cell = sweep.plan.cells.get(trial.cell);
        let durability = cell.map_or(Durability::None, |cell| cell.durability);
        let label = cell.map_or(NULL_LABEL, |cell| cell.label.as_str());
        for phase in &trial.phases {
            rows.extend(phase.series.iter().enumerate().map(|(bin, operations)| {
                vec![
                    sweep.plan.name.clone(),
                    phase.name.clone(),
                    label.to_owned(),
                    durability.to_string(),
                    trial.threads.to_string(),
                    trial.trial.to_string(),
                    format!("{:.1}", bin as f64 * SERIES_BIN_SECONDS),
                    operations.to_string(),
                ]
            }));
        }
    }
    to_bytes(&rows)
}

/// Rows as CSV.
///
/// # Errors
/// Never in practice: memory is written to.
pub fn to_bytes(rows: &[Vec<String>]) -> Result<Vec<u8>, Failure> {
    let failed = |error: String| Failure::new(Exit::Io, format!("making CSV: {error}"));
    let mut writer = Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|error| failed(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| failed(error.to_string()))
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;

    fn table(bytes: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn tables_are_rectangular_and_say_what_was_measured() {
        let sweep = Synthetic { threads: vec![1], trials: 2, bins: 5, ..Synthetic::default() }.build();
        let rows = table(&summary_csv(&sweep).unwrap());
        // Load has one kind, mixed two; four engines and the harness's own cost.
        assert_eq!(rows.len(), 1 + 5 + 10);
        assert!(rows[0].join(",").starts_with(FIRST_COLUMNS));
        assert!(
            rows[0].last().unwrap() == "reopened_wrong"
                && rows[1][rows[0].len() - 4..].iter().all(String::is_empty)
                && rows[0].contains(&"latency_p99.9_ns".to_owned())
        );
        let median = rows[0].iter().position(|name| name == "throughput_median_ops_per_second").unwrap();
        assert!(rows[6][median].parse::<f64>().unwrap() > 1e6, "{:?}", rows[6]);
        let series = table(&series_csv(&sweep).unwrap());
        let phases = sweep.trials.iter().flat_map(|trial| &trial.phases);
        assert_eq!(series.len(), 1 + phases.map(|phase| phase.series.len()).sum::<usize>());
        assert_eq!(series[1][..7], ["ycsb-a", "load", "hash", "none", "1", "0", "0.0"]);
    }

    #[test]
    fn what_was_reopened_stands_beside_its_cell() {
        let durability = vec![Durability::None, Durability::Sync];
        let sweep = Synthetic { threads: vec![1], trials: 2, bins: 1, durability, ..Synthetic::default() };
        for row in &table(&summary_csv(&sweep.build()).unwrap())[1..] {
            let [close, open, records, wrong] = &row[row.len() - 4..] else { panic!("four columns") };
            if row[3] == "sync" {
                assert_eq!((close.as_str(), records.as_str(), wrong.as_str()), ("0.125000", "2000000", "0"));
                assert!(open.parse::<f64>().unwrap() > 0.0);
            } else {
                assert!([close, open, records, wrong].iter().all(|field| field.is_empty()), "{row:?}");
            }
        }
    }

    #[test]
    fn memory_has_a_line_a_stage() {
        let mut sweep = Synthetic { threads: vec![1], trials: 1, bins: 1, ..Synthetic::default() }.build();
        let rows = table(&memory_csv(&sweep).unwrap());
        assert_eq!(rows.len(), 1 + 4 * 6);
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        assert_eq!(
            rows[1][..10],
            ["ycsb-a", "memory", "hash", "none", "1", "inserts", "load", "false", "1000000", "124000000"]
        );
        let column = |name: &str| rows[0].iter().position(|found| found == name).unwrap();
        assert_eq!(rows[1][column("counted_beyond_bytes_per_record")], "9.50");
        assert_eq!(rows[5][column("left_counted")], "0.050000");
        sweep.memory.clear();
        assert_eq!(table(&memory_csv(&sweep).unwrap()).len(), 1);
    }

    #[test]
    fn names_with_separators_are_quoted() {
        let mut sweep = Synthetic { threads: vec![1], trials: 1, bins: 1, ..Synthetic::default() }.build();
        sweep.plan.name = "a,\"b\"\nc".to_owned();
        assert_eq!(table(&summary_csv(&sweep).unwrap())[1][0], "a,\"b\"\nc");
    }
}
