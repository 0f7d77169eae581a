//! The ranking for a terminal.

use super::charts::{Study, figures, sections};
use super::memory::{self, MemoryTable};
use super::number::whole;
use super::reopening::{self, ReopeningRow};
use super::table::{Table, table};
use super::visible::visible;
use crate::analysis::summary::classes;
use crate::results::model::SweepResult;
use comfy_table::{CellAlignment, ContentArrangement, presets};
use std::fmt::Write;

/// The rankings of a sweep as text, a table for each phase and class, with what has to be known beside them.
pub fn ranking_table(sweep: &SweepResult) -> String {
    let summaries = figures(sweep);
    let study = Study::new(sweep, &summaries);
    let plan = &sweep.plan;
    let mut text = format!("{}: {}\n", visible(&plan.name), visible(&plan.description));
    let _ =
        writeln!(text, "{} records, {} trials a cell, seed {}", whole(plan.records), plan.trials, plan.seed);
    for (phase, durability) in sections(&study) {
        let class =
            if classes(plan).len() > 1 { format!(", durability {durability}") } else { String::new() };
        let found = table(&study, phase, durability);
        let _ = write!(text, "\n{}{class}\n{}\n", visible(phase), grid(&found));
        let mut beside =
            vec![format!("mix: {}", if found.mix.is_empty() { "nothing ran" } else { &found.mix })];
        beside.extend(found.hit_rate.as_ref().map(|rate| format!("hit rate: {rate}")));
        beside
            .extend(found.null_cost.as_ref().map(|cost| format!("harness's own cost an operation: {cost}")));
        for line in beside {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(found) = memory::table(&study) {
        let _ = write!(text, "\nmemory beyond key and value\n{}\n  {}\n", memory_grid(&found), found.loaded);
    }
    let reopened = reopening::rows(&study);
    if !reopened.is_empty() {
        let _ = write!(text, "\nafter closing and opening again\n{}\n", reopening_grid(&reopened));
    }
    if !plan.left_out.is_empty() {
        text.push_str("\nLeft out\n");
        for left_out in &plan.left_out {
            let _ = writeln!(text, "  {}: {}", visible(&left_out.engine), visible(&left_out.reason));
        }
    }
    if !study.warnings.is_empty() {
        text.push_str("\nWarnings\n");
        for warning in &study.warnings {
            let _ = writeln!(text, "  ! {}", visible(warning));
        }
    }
    text
}

fn grid(found: &Table) -> String {
    let mut grid = comfy_table::Table::new();
    grid.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let latency = found.dominant.name().replace('_', "-");
    let mut header: Vec<String> =
        ["rank", "engine", "threads", found.unit.name, "(min–max)", "of best", "(interval)"]
            .map(str::to_owned)
            .to_vec();
    header.extend(found.records.map(str::to_owned));
    header.extend([format!("{latency} p50"), "p99".to_owned(), "p99.9".to_owned()]);
    header.extend(found.has_longest.then(|| "longest".to_owned()));
    header.push("B/record".to_owned());
    grid.set_header(header);
    for (place, group) in found.groups.iter().enumerate() {
        if place > 0 {
            grid.add_row([""]);
        }
        for row in &group.rows {
            let bracketed = |text: &str| if text.is_empty() { String::new() } else { format!("({text})") };
            let mut cells = vec![
                row.rank.clone(),
                row.engine.clone(),
                group.threads.to_string(),
                row.median.clone(),
                bracketed(&row.range),
                row.ratio.clone(),
                bracketed(&row.interval),
            ];
            cells.extend(found.records.map(|_| row.records.clone()));
            cells.extend([row.p50.clone(), row.p99.clone(), row.p999.clone()]);
            cells.extend(found.has_longest.then(|| row.longest.clone()));
            cells.push(row.memory.clone());
            grid.add_row(cells);
        }
    }
    align(&mut grid, &[1]);
    grid.trim_fmt()
}

/// Figures to the right, the named columns to the left.
fn align(grid: &mut comfy_table::Table, left: &[usize]) {
    for (place, column) in grid.column_iter_mut().enumerate() {
        let side = if left.contains(&place) { CellAlignment::Left } else { CellAlignment::Right };
        column.set_cell_alignment(side);
    }
}

fn memory_grid(found: &MemoryTable) -> String {
    let mut grid = comfy_table::Table::new();
    grid.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let mut header = vec!["engine"];
    header.extend(found.has_classes.then_some("durability"));
    header.extend([
        "after",
        "counted B/record",
        "(of data)",
        "resident B/record",
        "(of data)",
        "blocks/record",
    ]);
    if found.has_deleted {
        header.extend(["left, counted", "left, resident"]);
    }
    grid.set_header(header);
    for row in &found.rows {
        let bracketed = |text: &str| if text.is_empty() { String::new() } else { format!("({text})") };
        let mut cells = vec![if row.is_first { row.engine.clone() } else { String::new() }];
        cells.extend(found.has_classes.then(|| row.durability.clone()));
        cells.extend([
            row.after.clone(),
            row.heap.clone(),
            bracketed(&row.heap_share),
            row.rss.clone(),
            bracketed(&row.rss_share),
            row.blocks.clone(),
        ]);
        if found.has_deleted {
            cells.extend([row.heap_left.clone(), row.rss_left.clone()]);
        }
        grid.add_row(cells);
    }
    align(&mut grid, if found.has_classes { &[0, 1, 2] } else { &[0, 1] });
    grid.trim_fmt()
}

fn reopening_grid(rows: &[ReopeningRow]) -> String {
    let mut grid = comfy_table::Table::new();
    grid.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    grid.set_header(reopening::COLUMNS);
    for row in rows {
        grid.add_row([&row.engine].into_iter().chain(&row.figures));
    }
    align(&mut grid, &[0, 1]);
    grid.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;
    use engines::Durability;

    #[test]
    fn the_ranking_reads_as_a_table() {
        let sweep = Synthetic { threads: vec![1, 2], ..Synthetic::default() }.build();
        let text = ranking_table(&sweep);
        for words in [
            "ycsb-a: Session store",
            "M ops/s",
            "read p50",
            "of best",
            "best",
            "B/record",
            "p99.9",
            "hit rate: 100 %",
            "read 50.0 %, update 50.0 %",
            "harness's own cost an operation: 4.0",
            "sstable: takes no updates",
            "memory beyond key and value",
            "counted B/record",
            "bulk load",
            "2 overwrites, compact",
            "1,000,000 records of 124 bytes of key and value in the mean, loaded by 1 thread, not timed",
        ] {
            assert!(text.contains(words), "{words:?} is not in\n{text}");
        }
        let mixed: Vec<&str> = text
            .lines()
            .skip_while(|line| *line != "mixed")
            .skip(2)
            .filter(|line| !line.trim().is_empty())
            .take(8)
            .collect();
        let engines: Vec<&str> = mixed.iter().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        assert_eq!(
            engines,
            ["hash", "btree", "rbtree", "lsm-memtable", "hash", "btree", "lsm-memtable", "rbtree"]
        );
        let load: Vec<&str> = text.lines().skip_while(|line| *line != "load").collect();
        assert!(load[1].contains("longest"), "of the load every operation is timed:\n{text}");
        let widths: std::collections::BTreeSet<usize> =
            mixed.iter().map(|line| line.trim_end().chars().count()).collect();
        assert_eq!(widths.len(), 1, "columns are aligned:\n{text}");
    }

    #[test]
    fn classes_stand_apart_and_names_cannot_command_the_terminal() {
        let mut sweep = Synthetic {
            threads: vec![1],
            trials: 2,
            durability: vec![Durability::None, Durability::Sync],
            ..Synthetic::default()
        }
        .build();
        sweep.plan.name = "a\u{1b}[2J\nb".to_owned();
        let text = ranking_table(&sweep);
        assert!(text.contains("mixed, durability none") && text.contains("mixed, durability sync"));
        let reopened: Vec<&str> =
            text.lines().skip_while(|line| !line.starts_with("after closing")).skip(2).take(5).collect();
        let first: Vec<&str> = reopened[0].split_whitespace().collect();
        assert_eq!(first[..4], ["hash", "sync", "1", "0.125000"], "{text}");
        assert_eq!((first[5..].to_vec(), reopened[4]), (vec!["2,000,000", "0"], ""), "{text}");
        assert!(!text.contains('\u{1b}') && text.contains("2 trials: intervals hold with 50 % confidence"));
    }
}
