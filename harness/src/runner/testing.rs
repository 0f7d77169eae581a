//! Plans for the tests of this room.

use crate::workload::plan::{
    Bound, CellPlan, KeyOrder, KeyPlan, LatencyMode, Mix, PhasePlan, Plan, RequestDistribution, ScanPlan,
    SizeDistribution, ValuePlan,
};
use engines::Durability;
use std::time::Duration;

/// A small plan: two cells of one engine, one phase of reads, bounded by operations.
pub fn plan() -> Plan {
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
        memory: None,
        phases: vec![phase("reads", Mix { read: 1.0, ..Mix::default() }, 2_000)],
        cells: vec![cell(2), cell(1)],
        left_out: Vec::new(),
    }
}

/// A phase of this mix and so many operations.
pub fn phase(name: &str, mix: Mix, operations: u64) -> PhasePlan {
    PhasePlan {
        name: name.to_owned(),
        bound: Bound::Operations(operations),
        mix,
        request: RequestDistribution::Zipfian { theta: 0.99 },
        multiget_size: if mix.multiget > 0.0 { 7 } else { 0 },
        scan: ScanPlan {
            length: SizeDistribution::Uniform { min: 1, max: 20 },
            reverse: false,
            keys_only: false,
        },
        every_read_hits: mix.delete == 0.0,
    }
}
