//! What one trial's process is told to do: the plan, which cell of it, and where files may be kept.

use crate::results::model::{LoadWay, Memory, MemoryTrial, NULL_LABEL, Trial};
use crate::workload::plan::{CellPlan, Plan};
use engines::Durability;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// One trial, as it is written to its process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The whole plan.
    pub plan: Plan,
    /// Index into [`cells`] of the plan.
    pub cell: usize,
    /// Which trial of the cell, from 0; of a memory trial meaningless.
    pub trial: u32,
    /// How a memory trial loads; `None` for a timed trial.
    pub memory: Option<LoadWay>,
    /// An empty directory for engines that keep files.
    pub directory: Option<PathBuf>,
}

impl Job {
    /// The cell, or `None` if the index is out of range.
    pub fn cell(&self) -> Option<CellPlan> {
        cells(&self.plan).into_iter().nth(self.cell)
    }

    /// The trial before anything has run; what a process that died has to show.
    pub fn empty_trial(&self) -> Trial {
        let (label, threads) = self.cell().map_or_else(Default::default, |cell| (cell.label, cell.threads));
        Trial {
            cell: self.cell,
            label,
            threads,
            trial: self.trial,
            phases: Vec::new(),
            error: None,
            memory: Memory::default(),
            engine_stats: None,
            verification: None,
            reopened: None,
        }
    }

    /// The memory trial before anything has run.
    pub fn empty_memory_trial(&self, way: LoadWay) -> MemoryTrial {
        MemoryTrial {
            cell: self.cell,
            label: self.cell().map_or_else(Default::default, |cell| cell.label),
            threads: self.plan.memory.as_ref().map_or(1, |memory| memory.threads),
            way,
            stages: Vec::new(),
            error: None,
        }
    }
}

/// The memory trials of a plan, each with the first cell of its engine and durability class: those that insert, then those
/// that load in bulk. Engines that keep nothing have none.
pub fn memory_trials(plan: &Plan) -> Vec<(usize, LoadWay)> {
    let Some(memory) = &plan.memory else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let keeps = |cell: &CellPlan| {
        engines::registry::find(&cell.engine).is_ok_and(|entry| entry.capabilities.retains_data)
    };
    let cells: Vec<usize> = plan
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| keeps(cell) && seen.insert((&cell.label, cell.durability)))
        .map(|(index, _)| index)
        .collect();
    let ways: &[LoadWay] =
        if memory.bulk_load { &[LoadWay::Inserts, LoadWay::Bulk] } else { &[LoadWay::Inserts] };
    ways.iter().flat_map(|&way| cells.iter().map(move |&cell| (cell, way))).collect()
}

/// Every cell that is run: those of the plan and, after them, the `null` engine at each distinct thread count, ascending, which
/// measures what the harness itself costs.
pub fn cells(plan: &Plan) -> Vec<CellPlan> {
    let threads: BTreeSet<u32> = plan.cells.iter().map(|cell| cell.threads).collect();
    let null = threads.into_iter().map(|threads| CellPlan {
        engine: NULL_LABEL.to_owned(),
        label: NULL_LABEL.to_owned(),
        options: serde_json::Value::Null,
        durability: Durability::None,
        threads,
    });
    plan.cells.iter().cloned().chain(null).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan;
    use super::*;
    use crate::workload::plan::MemoryPlan;

    #[test]
    fn a_job_survives_the_pipe() {
        let job =
            Job { plan: plan(), cell: 1, trial: 2, memory: None, directory: Some(PathBuf::from("/nowhere")) };
        let text = serde_json::to_string(&job).expect("serializes");
        assert_eq!(serde_json::from_str::<Job>(&text).expect("parses"), job);
    }

    #[test]
    fn memory_is_told_once_for_each_engine_that_keeps_what_is_written() {
        let mut plan = plan();
        assert_eq!(memory_trials(&plan), []);
        let mut cells = plan.cells.clone();
        for (name, threads) in [("hash", 1), ("hash", 2), (NULL_LABEL, 1)] {
            let label = name.to_owned();
            cells.push(CellPlan { engine: label.clone(), label, threads, ..cells[0].clone() });
        }
        plan.cells = cells;
        let trial = |bulk_load| {
            Some(MemoryPlan { threads: 1, overwrite: None, compact: false, delete_all: false, bulk_load })
        };
        plan.memory = trial(false);
        assert_eq!(memory_trials(&plan), [(0, LoadWay::Inserts), (2, LoadWay::Inserts)]);
        plan.memory = trial(true);
        let bulk = [(0, LoadWay::Bulk), (2, LoadWay::Bulk)];
        assert_eq!(memory_trials(&plan)[2..], bulk);
    }

    #[test]
    fn null_runs_once_for_each_thread_count() {
        let all: Vec<_> = cells(&plan()).into_iter().map(|cell| (cell.label, cell.threads)).collect();
        let expected = [("btree", 2), ("btree", 1), ("null", 1), ("null", 2)];
        assert_eq!(all, expected.map(|(label, threads)| (label.to_owned(), threads)));
        let job = Job { plan: plan(), cell: 9, trial: 0, memory: None, directory: None };
        assert!(job.cell().is_none());
    }
}
