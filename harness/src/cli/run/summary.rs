//! What `harness run` prints for people: the ranking, and what each cell took and was compared with.

use crate::report::terminal;
use crate::results::model::{SweepResult, Trial};
use comfy_table::{CellAlignment, Table, presets};

/// The ranking with mix, hits, warnings and the harness's own cost, then a table of cells.
pub fn text(result: &SweepResult) -> String {
    let mut text = terminal::ranking_table(result);
    text.push('\n');
    text += &cells(result).trim_fmt();
    text += "\n\n";
    text
}

/// One row a cell, all its trials together: peak memory, and how many answers and records were compared with what was written.
fn cells(result: &SweepResult) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "engine",
        "durability",
        "threads",
        "peak memory",
        "answers compared",
        "records read back",
    ]);
    for (index, cell) in result.plan.cells.iter().enumerate() {
        let trials: Vec<&Trial> = result.trials.iter().filter(|trial| trial.cell == index).collect();
        if trials.is_empty() {
            continue;
        }
        let peak_bytes = trials.iter().map(|trial| trial.memory.rss_peak_bytes).max().unwrap_or(0);
        let phases = trials.iter().flat_map(|trial| &trial.phases);
        let compared = phases.flat_map(|phase| phase.operations.values()).map(|found| found.checked).sum();
        let read_back =
            trials.iter().filter_map(|trial| trial.verification.as_ref()).map(|done| done.records).sum();
        table.add_row([
            cell.label.clone(),
            cell.durability.to_string(),
            cell.threads.to_string(),
            format!("{:.1} MiB", peak_bytes as f64 / f64::from(1 << 20)),
            count(compared),
            count(read_back),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A count with a comma every three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::model::Verification;
    use crate::results::synthetic::Synthetic;

    #[test]
    fn counts_are_grouped_in_threes() {
        let grouped = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn every_cell_shows_its_memory_and_what_was_compared() {
        let mut sweep = Synthetic { trials: 3, ..Synthetic::default() }.build();
        for trial in sweep.trials.iter_mut().filter(|trial| trial.cell == 0) {
            trial.memory.rss_peak_bytes = u64::from(trial.trial + 1) << 30;
            trial.verification =
                Some(Verification { records: 1_500, wrong: 0, first_fault: None, seconds: 0.1 });
        }
        let text = cells(&sweep).to_string();
        assert_eq!(text.lines().count(), 1 + sweep.plan.cells.len());
        let first = text.lines().nth(1).unwrap_or_default();
        assert!(first.contains("3072.0 MiB") && first.contains("4,500"), "{text}");
    }
}
