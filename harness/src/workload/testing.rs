//! Plans for the tests of this room.

use super::operation::OperationKind;
use super::plan::{
    Bound, KeyOrder, KeyPlan, LatencyMode, Mix, PhasePlan, Plan, RequestDistribution, ScanPlan,
    SizeDistribution, ValuePlan,
};
use std::time::Duration;

/// A plan of so many records with these phases: hashed keys, values of 40 to 200 bytes, every fourth read checked.
pub fn plan(records: u64, phases: Vec<PhasePlan>) -> Plan {
    Plan {
        name: "test".into(),
        description: String::new(),
        seed: 42,
        records,
        key: KeyPlan { order: KeyOrder::Hashed, prefix: "user".into(), zero_padding: 20 },
        value: ValuePlan { size: SizeDistribution::Uniform { min: 40, max: 200 }, compressibility: 0.5 },
        trials: 1,
        warmup: Duration::ZERO,
        latency: LatencyMode::All,
        check_one_in: 4,
        memory: None,
        phases,
        cells: Vec::new(),
        left_out: Vec::new(),
    }
}

/// A phase of so many operations with this mix.
pub fn phase(operations: u64, mix: Mix, request: RequestDistribution) -> PhasePlan {
    PhasePlan {
        name: "run".into(),
        bound: Bound::Operations(operations),
        mix,
        request,
        multiget_size: if mix.multiget > 0.0 { 7 } else { 0 },
        scan: ScanPlan {
            length: SizeDistribution::Uniform { min: 1, max: 100 },
            reverse: false,
            keys_only: false,
        },
        every_read_hits: mix.of(OperationKind::Delete) == 0.0,
    }
}

/// Some of everything but deletes.
pub const MIXED: Mix = Mix {
    read: 0.3,
    update: 0.2,
    insert: 0.2,
    scan: 0.1,
    read_modify_write: 0.2,
    delete: 0.0,
    multiget: 0.0,
};

/// One of each distribution.
pub const REQUESTS: [RequestDistribution; 7] = [
    RequestDistribution::Uniform,
    RequestDistribution::Zipfian { theta: 0.99 },
    RequestDistribution::YcsbZipfian { theta: 0.99 },
    RequestDistribution::Latest { theta: 0.99 },
    RequestDistribution::Hotspot { data_fraction: 0.2, operation_fraction: 0.8 },
    RequestDistribution::Exponential { percentile: 95.0, fraction: 0.857_142_857_1 },
    RequestDistribution::Sequential,
];
