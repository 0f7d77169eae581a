//! The ranking for programs: what the table says, as JSON.

use crate::analysis::memory::{Beyond, Holding, holdings};
use crate::analysis::ranking::{Entry, Unranked, rank};
use crate::analysis::reopening::{Reopening, reopenings};
use crate::analysis::summary::summarize;
use crate::results::model::SweepResult;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Grows when a field changes its meaning or goes; new fields do not count.
const VERSION: u32 = 1;

/// The rankings of all results, and a line's end.
pub fn json(results: &[SweepResult]) -> String {
    let workloads: Vec<Value> = results.iter().map(workload).collect();
    format!("{:#}\n", json!({ "version": VERSION, "workloads": workloads }))
}

fn workload(result: &SweepResult) -> Value {
    let summaries = summarize(result);
    let rankings: Vec<Value> = rank(&result.plan, &summaries)
        .iter()
        .map(|ranking| {
            json!({
                "phase": ranking.phase,
                "durability": ranking.durability,
                "threads": ranking.threads,
                "entries": ranking.entries.iter().map(entry).collect::<Vec<_>>(),
            })
        })
        .collect();
    let memory: Vec<Value> = holdings(result).iter().map(holding).collect();
    json!({
        "name": result.plan.name,
        "complete": result.complete,
        "rankings": rankings,
        "memory": memory,
        "reopened": reopenings(result).iter().map(reopening).collect::<Vec<_>>(),
    })
}

fn reopening(found: &Reopening<'_>) -> Value {
    json!({
        "label": found.label,
        "durability": found.durability,
        "threads": found.threads,
        "close_seconds": found.close_seconds.median,
        "open_seconds": found.open_seconds.median,
        "records": found.records,
        "wrong": found.wrong,
    })
}

fn holding(holding: &Holding<'_>) -> Value {
    let Holding { trial, stage, durability } = holding;
    let bytes = |beyond: Option<Beyond>| beyond.map(|beyond| beyond.bytes_per_record);
    json!({
        "label": trial.label,
        "durability": durability,
        "load": trial.way,
        "after": stage.after,
        "compacted": stage.compacted,
        "records": stage.records,
        "live_bytes": stage.live_bytes,
        "counted_beyond_bytes_per_record": bytes(holding.heap_beyond()),
        "resident_beyond_bytes_per_record": bytes(holding.rss_beyond()),
        "left_counted": holding.heap_left(),
        "left_resident": holding.rss_left(),
    })
}

fn entry(entry: &Entry<'_>) -> Value {
    let (rank, shared, unranked) = match entry.rank {
        Ok(rank) => (Some(rank.number), rank.shared, None),
        Err(Unranked::NotMeasured) => (None, false, Some("not measured")),
        Err(Unranked::WrongData) => (None, false, Some("wrong data")),
    };
    let summary = entry.summary;
    let longest = summary.kinds.get(&summary.dominant).map(|found| &found.latency_ns);
    let longest = longest.filter(|latency| !latency.is_empty()).map(Histogram::max);
    let percentile_ns = |quantile| summary.percentile(quantile).map(|percentile| percentile.ns);
    json!({
        "label": summary.label,
        "rank": rank,
        "shared": shared,
        "unranked": unranked,
        "records_per_second": summary.records_per_second(),
        "operations_per_second": summary.throughput.map(|spread| spread.median),
        "ratio_to_reference": entry.ratio.map(|ratio| ratio.median),
        "latency_operation": summary.dominant.name(),
        "latency_ns_p50": percentile_ns(0.5),
        "latency_ns_p99": percentile_ns(0.99),
        "latency_ns_max": longest,
        "memory_bytes_per_record": summary.memory_bytes_per_record,
        "wrong": summary.wrong(),
        "failed": summary.kinds.values().map(|kind| kind.failed).sum::<u64>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;

    #[test]
    fn the_ranking_is_json_with_one_entry_a_cell_and_phase() {
        let sweep = Synthetic::default().build();
        let text = json(std::slice::from_ref(&sweep));
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let workload = &value["workloads"][0];
        assert_eq!((&workload["name"], &workload["complete"]), (&json!(sweep.plan.name), &json!(true)));
        let entries: Vec<&Value> = workload["rankings"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|ranking| ranking["entries"].as_array().into_iter().flatten())
            .collect();
        let phases = sweep.plan.phases.len();
        assert!(entries.len() >= sweep.plan.cells.len() * phases, "{}", entries.len());
        assert!(
            entries
                .iter()
                .all(|entry| entry["operations_per_second"].as_f64().is_some_and(|rate| rate > 0.0))
        );
        assert!(entries.iter().any(|entry| entry["rank"] == json!(1)));
        assert!(entries.iter().all(|entry| entry["latency_ns_max"].as_u64().is_some()));
        let memory = workload["memory"].as_array().expect("memory");
        assert_eq!(memory.len(), 4 * 6);
        assert_eq!(memory[0]["counted_beyond_bytes_per_record"], json!(9.5));
        assert_eq!(workload["reopened"], json!([]), "in memory only");
    }
}
