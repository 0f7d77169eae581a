//! What records take in memory as rows of text, for the terminal and for the page.

use super::charts::Study;
use super::number::{percent, significant, whole};
use super::visible::visible;
use crate::analysis::memory::{Beyond, Holding, MemoryPlace, holdings};
use crate::analysis::summary::classes;
use crate::workload::plan::Plan;

/// The figures of all memory trials.
#[derive(Clone, Debug)]
pub struct MemoryTable {
    /// What was loaded, in a sentence.
    pub loaded: String,
    /// Whether there is more than one durability class.
    pub has_classes: bool,
    /// Whether anything was deleted.
    pub has_deleted: bool,
    /// Engine by engine.
    pub rows: Vec<MemoryRow>,
}

/// One stage of one engine. An empty text means that there is no such figure.
#[derive(Clone, Debug)]
pub struct MemoryRow {
    /// Label.
    pub engine: String,
    /// Durability class.
    pub durability: String,
    /// What was done last.
    pub after: String,
    /// Bytes a record beyond key and value, by the counting allocator.
    pub heap: String,
    /// The same as a share of keys and values.
    pub heap_share: String,
    /// Bytes a record beyond key and value, by the resident size.
    pub rss: String,
    /// The same as a share.
    pub rss_share: String,
    /// Live allocations a record.
    pub blocks: String,
    /// Share of the peak that remains, by the counting allocator.
    pub heap_left: String,
    /// The same by the resident size.
    pub rss_left: String,
    /// Whether it is the first of its engine.
    pub is_first: bool,
}

/// The table, where there was a memory trial without an error.
pub fn table(study: &Study<'_>) -> Option<MemoryTable> {
    let plan = &study.sweep.plan;
    let all = holdings(study.sweep);
    let first = all.first()?;
    let threads = super::number::threads(first.trial.threads);
    let mut before = None;
    let rows = all.iter().map(|holding| {
        let is_first = before.replace(holding.trial.cell) != Some(holding.trial.cell);
        row(plan, holding, is_first)
    });
    let each = first.stage.live_bytes as f64 / first.stage.records.max(1) as f64;
    Some(MemoryTable {
        loaded: format!(
            "{} records of {} bytes of key and value in the mean, loaded by {threads}, not timed",
            whole(plan.records),
            significant(each)
        ),
        has_classes: classes(plan).len() > 1,
        has_deleted: all.iter().any(|holding| holding.order().0 == MemoryPlace::Delete),
        rows: rows.collect(),
    })
}

/// What was done last, as tables and charts name it.
pub fn stage_name(plan: &Plan, holding: &Holding<'_>) -> String {
    let (place, is_compacted) = holding.order();
    let what = match place {
        MemoryPlace::Load => "load".to_owned(),
        MemoryPlace::BulkLoad => "bulk load".to_owned(),
        MemoryPlace::Overwrite => {
            match plan.memory.as_ref().and_then(|memory| memory.overwrite.as_ref()).map_or(1, |o| o.passes) {
                1 => "overwrite".to_owned(),
                passes => format!("{passes} overwrites"),
            }
        }
        MemoryPlace::Delete => "delete all".to_owned(),
    };
    if is_compacted { format!("{what}, compact") } else { what }
}

fn row(plan: &Plan, holding: &Holding<'_>, is_first: bool) -> MemoryRow {
    let bytes = |beyond: Option<Beyond>| {
        beyond.map_or_else(String::new, |beyond| format!("{:.1}", beyond.bytes_per_record))
    };
    let share = |beyond: Option<Beyond>| {
        beyond.map_or_else(String::new, |beyond| format!("{:.1} %", beyond.share * 100.0))
    };
    let left = |left: Option<f64>| left.map_or_else(String::new, percent);
    let (heap, rss) = (holding.heap_beyond(), holding.rss_beyond());
    MemoryRow {
        engine: visible(&holding.trial.label),
        durability: holding.durability.to_string(),
        after: stage_name(plan, holding),
        heap: bytes(heap),
        heap_share: share(heap),
        rss: bytes(rss),
        rss_share: share(rss),
        blocks: holding.blocks_per_record().map_or_else(String::new, |blocks| format!("{blocks:.2}")),
        heap_left: left(holding.heap_left()),
        rss_left: left(holding.rss_left()),
        is_first,
    }
}
