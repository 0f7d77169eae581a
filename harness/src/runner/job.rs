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

/// The plan, cells and phases that the tests of this room share.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::workload::plan::{
        Bound, KeyOrder, KeyPlan, LatencyMode, Mix, PhasePlan, RequestDistribution, ScanPlan,
        SizeDistribution, ValuePlan,
    };
    use std::time::Duration;

    /// A small plan: two cells of one engine, one phase of reads, bounded by operations.
    pub(crate) fn plan() -> Plan {
        let cell = |threads| CellPlan {
            engine: "btree".to_owned(),
            label: "btree".to_owned(),
            options: serde_json::Value::Null,
            durability: Durability::None,
            threads,
        };
        Plan {
            name: "small".to_owned(),
            description: "A plan for tests".to_owned(),
            seed: 42,
            records: 1_000,
            key: KeyPlan { order: KeyOrder::Hashed, prefix: "user".to_owned(), zero_padding: 20 },
            value: ValuePlan { size: SizeDistribution::Constant { value: 100 }, compressibility: 0.0 },
            trials: 3,
            warmup: Duration::ZERO,
            latency: LatencyMode::All,
            check_one_in: 1,
            phases: vec![phase("reads", Mix { read: 1.0, ..Mix::default() }, 2_000)],
            cells: vec![cell(2), cell(1)],
            left_out: Vec::new(),
        }
    }

    /// A phase of this mix and so many operations.
    pub(crate) fn phase(name: &str, mix: Mix, operations: u64) -> PhasePlan {
        PhasePlan {
            name: name.to_owned(),
            bound: Bound::Operations(operations),
            mix,
            request: RequestDistribution::Zipfian { theta: 0.99 },
            scan: ScanPlan {
                length: SizeDistribution::Uniform { min: 1, max: 20 },
                reverse: false,
                keys_only: false,
            },
            every_read_hits: mix.delete == 0.0,
        }
    }

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
