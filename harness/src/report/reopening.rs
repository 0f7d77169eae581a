//! What closing and opening again took as rows of text, for the terminal and for the page.

use super::charts::Study;
use super::number::{significant, whole};
use super::visible::visible;
use crate::analysis::reopening::{Reopening, reopenings};
use crate::analysis::spread::Spread;

/// What the columns are called.
pub const COLUMNS: [&str; 7] =
    ["engine", "durability", "threads", "close s", "open s", "records read back", "wrong"];

/// One cell, in the order of [`COLUMNS`].
#[derive(Clone, Debug)]
pub struct ReopeningRow {
    /// Label.
    pub engine: String,
    /// The other columns.
    pub figures: [String; 6],
}

/// A row for each cell that was reopened, none where nothing outlasts its closing.
pub fn rows(study: &Study<'_>) -> Vec<ReopeningRow> {
    reopenings(study.sweep).iter().map(row).collect()
}

fn row(found: &Reopening<'_>) -> ReopeningRow {
    let figures = [
        found.durability.to_string(),
        found.threads.to_string(),
        seconds(found.close_seconds),
        seconds(found.open_seconds),
        whole(found.records),
        whole(found.wrong),
    ];
    ReopeningRow { engine: visible(found.label), figures }
}

/// The median, to the microsecond where it is short.
fn seconds(spread: Spread) -> String {
    if spread.median < 1.0 { format!("{:.6}", spread.median) } else { significant(spread.median) }
}
