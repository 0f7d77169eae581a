//! What one trial's process is told to do: the plan, which cell of it, and where files may be kept.

use crate::results::model::{Memory, NULL_LABEL, Trial};
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
    /// Which trial of the cell, from 0.
    pub trial: u32,
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
        }
    }
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

    #[test]
    fn a_job_survives_the_pipe() {
        let job = Job { plan: plan(), cell: 1, trial: 2, directory: Some(PathBuf::from("/nowhere")) };
        let text = serde_json::to_string(&job).expect("serializes");
        assert_eq!(serde_json::from_str::<Job>(&text).expect("parses"), job);
    }

    #[test]
    fn null_runs_once_for_each_thread_count() {
        let all: Vec<_> = cells(&plan()).into_iter().map(|cell| (cell.label, cell.threads)).collect();
        let expected = [("btree", 2), ("btree", 1), ("null", 1), ("null", 2)];
        assert_eq!(all, expected.map(|(label, threads)| (label.to_owned(), threads)));
        let job = Job { plan: plan(), cell: 9, trial: 0, directory: None };
        assert!(job.cell().is_none());
    }
}
