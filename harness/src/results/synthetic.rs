//! Results without a measurement, for tests: every figure is a function of the cell, so that expectations can be written down.

use super::model::{
    Environment, LOAD_PHASE, LoadWay, Memory, MemoryEvent, MemoryStage, MemoryTrial, NULL_LABEL,
    OperationResult, Phase, Reopened, SweepResult, Trial, Verification, Worker,
};
use crate::workload::operation::OperationKind;
use crate::workload::plan::{
    Bound, CellPlan, KeyOrder, KeyPlan, LatencyMode, LeftOut, MemoryPlan, Mix, OverwritePlan, PhasePlan,
    Plan, RequestDistribution, ScanPlan, SizeDistribution, ValuePlan,
};
use engines::Durability;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the synthetic sweep is made of.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// Label, median cost of an operation in nanoseconds at one thread, and share of perfect scaling that is lost per thread.
    pub engines: Vec<(String, f64, f64)>,
    /// Thread counts.
    pub threads: Vec<u32>,
    /// Durability classes.
    pub durability: Vec<Durability>,
    /// Trials of a cell.
    pub trials: u32,
    /// Bins of 100 ms in the run phase.
    pub bins: u32,
    /// Spread between trials, relative.
    pub spread: f64,
}

impl Default for Synthetic {
    fn default() -> Self {
        let engine = |label: &str, cost_ns, loss| (label.to_owned(), cost_ns, loss);
        Self {
            engines: vec![
                engine("hash", 95.0, 0.05),
                engine("btree", 160.0, 0.12),
                engine("rbtree", 240.0, 0.45),
                engine("lsm-memtable", 310.0, 0.10),
            ],
            threads: vec![1, 2, 4],
            durability: vec![Durability::None],
            trials: 5,
            bins: 50,
            spread: 0.03,
        }
    }
}

/// A fixed permutation of 64 bits (the finalizer of SplitMix64), as the source of all scatter.
fn scatter(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// A number from -1 to 1.
fn signed_unit(value: u64) -> f64 {
    (scatter(value) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

impl Synthetic {
    /// The sweep.
    pub fn build(&self) -> SweepResult {
        let plan = self.plan();
        let mut trials = Vec::new();
        for trial in 0..self.trials {
            for (index, cell) in plan.cells.iter().enumerate() {
                let (_, cost_ns, loss) =
                    *self.engines.iter().find(|(label, ..)| *label == cell.label).unwrap();
                let class = [1.0, 2.5, 40.0][cell.durability as usize];
                let cost_ns = cost_ns * class * (1.0 + loss * f64::from(cell.threads - 1));
                let reopened = (cell.durability != Durability::None).then(|| reopened(cost_ns));
                let trial = self.trial(index, &cell.label, cell.threads, trial, cost_ns);
                let verification = reopened.as_ref().map(|reopened| reopened.verification.clone());
                trials.push(Trial { reopened, verification, ..trial });
            }
            let mut thread_counts = self.threads.clone();
            thread_counts.sort_unstable();
            for (index, threads) in thread_counts.into_iter().enumerate() {
                trials.push(self.trial(plan.cells.len() + index, NULL_LABEL, threads, trial, 4.0));
            }
        }
        SweepResult {
            environment: environment(),
            trials,
            memory: self.memory_trials(&plan),
            plan,
            complete: true,
            started_unix_seconds: 1_750_000_000,
            elapsed_seconds: 312.5,
        }
    }

    fn plan(&self) -> Plan {
        let mut cells = Vec::new();
        for (label, ..) in &self.engines {
            for durability in &self.durability {
                for threads in &self.threads {
                    cells.push(CellPlan {
                        engine: label.clone(),
                        label: label.clone(),
                        options: serde_json::json!({}),
                        durability: *durability,
                        threads: *threads,
                    });
                }
            }
        }
        Plan {
            name: "ycsb-a".to_owned(),
            description: "Session store, half reads and half updates".to_owned(),
            seed: 42,
            records: 1_000_000,
            key: KeyPlan { order: KeyOrder::Hashed, prefix: "user".to_owned(), zero_padding: 20 },
            value: ValuePlan { size: SizeDistribution::Constant { value: 100 }, compressibility: 0.5 },
            trials: self.trials,
            warmup: Duration::from_secs(2),
            latency: LatencyMode::Sampled(64),
            check_one_in: 1024,
            memory: Some(MemoryPlan {
                threads: 1,
                overwrite: Some(OverwritePlan {
                    passes: 2,
                    size: SizeDistribution::Uniform { min: 50, max: 150 },
                }),
                compact: true,
                delete_all: true,
                bulk_load: true,
            }),
            phases: vec![PhasePlan {
                name: "mixed".to_owned(),
                bound: Bound::Duration(Duration::from_millis(u64::from(self.bins) * 100)),
                mix: Mix { read: 0.5, update: 0.5, ..Mix::default() },
                request: RequestDistribution::Zipfian { theta: 0.99 },
                multiget_size: 0,
                scan: ScanPlan {
                    length: SizeDistribution::Uniform { min: 1, max: 100 },
                    reverse: false,
                    keys_only: false,
                },
                every_read_hits: true,
            }],
            cells,
            left_out: vec![LeftOut { engine: "sstable".to_owned(), reason: "takes no updates".to_owned() }],
        }
    }

    /// One by inserts and one in bulk for each engine and class; the slower an engine, the more its records take.
    fn memory_trials(&self, plan: &Plan) -> Vec<MemoryTrial> {
        let mut trials = Vec::new();
        for way in [LoadWay::Inserts, LoadWay::Bulk] {
            let each = self.threads.len().max(1);
            for (cell, planned) in plan.cells.iter().enumerate().step_by(each) {
                let cost_ns = self.engines.iter().find(|(label, ..)| *label == planned.label).unwrap().1;
                let stage = |after, compacted, beyond: f64| {
                    let records = if after == MemoryEvent::Delete { 0 } else { 1_000_000 };
                    let bytes = (records as f64 * 124.0 + beyond * 1e6) as i64;
                    MemoryStage {
                        after,
                        compacted,
                        records,
                        live_bytes: records * 124,
                        heap_bytes: bytes,
                        heap_blocks: bytes / 140,
                        heap_peak_bytes: 200_000_000,
                        rss_bytes: bytes + 5_000_000,
                        rss_peak_bytes: 220_000_000,
                        engine_bytes: bytes.unsigned_abs(),
                        settle_seconds: 0.05,
                    }
                };
                let beyond = cost_ns / 10.0;
                let stages = match way {
                    LoadWay::Bulk => vec![stage(MemoryEvent::Load, false, beyond / 2.0)],
                    LoadWay::Inserts => vec![
                        stage(MemoryEvent::Load, false, beyond),
                        stage(MemoryEvent::Overwrite, false, beyond * 2.0),
                        stage(MemoryEvent::Overwrite, true, beyond * 1.2),
                        stage(MemoryEvent::Delete, false, 10.0),
                        stage(MemoryEvent::Delete, true, 0.5),
                    ],
                };
                let label = planned.label.clone();
                trials.push(MemoryTrial { cell, label, threads: 1, way, stages, error: None });
            }
        }
        trials
    }

    fn trial(&self, cell: usize, label: &str, threads: u32, trial: u32, cost_ns: f64) -> Trial {
        let seed = scatter(cell as u64 * 1_000 + u64::from(trial));
        let cost_ns = cost_ns * (1.0 + self.spread * signed_unit(seed));
        let load = [(OperationKind::Insert, 1.0)];
        let mixed = [(OperationKind::Read, 0.5), (OperationKind::Update, 0.5)];
        let run_ns = u64::from(self.bins) * 100_000_000;
        Trial {
            cell,
            label: label.to_owned(),
            threads,
            trial,
            phases: vec![
                phase(LOAD_PHASE, threads, cost_ns * 1.6, 1_000_000 / u64::from(threads), &load, seed),
                phase("mixed", threads, cost_ns, (run_ns as f64 * 0.9 / cost_ns) as u64, &mixed, seed ^ 1),
            ],
            error: None,
            memory: Memory {
                rss_before_bytes: 12 << 20,
                rss_loaded_bytes: (12 << 20) + 130_000_000 + (cost_ns * 1e5) as u64,
                rss_peak_bytes: 200 << 20,
            },
            engine_stats: Some(engines::Stats {
                records: 1_000_000,
                live_bytes: Some(124_000_000),
                memory_bytes: 140_000_000,
                details: vec![("height".to_owned(), 3.0)],
            }),
            verification: None,
            reopened: None,
        }
    }
}

/// The slower an engine, the longer it takes to open.
fn reopened(cost_ns: f64) -> Reopened {
    let verification = Verification { records: 1_000_000, wrong: 0, first_fault: None, seconds: 0.25 };
    Reopened { close_seconds: 0.125, open_seconds: cost_ns / 1_000.0, verification }
}

fn phase(
    name: &str,
    threads: u32,
    cost_ns: f64,
    each: u64,
    kinds: &[(OperationKind, f64)],
    seed: u64,
) -> Phase {
    let busy_ns = (each as f64 * cost_ns) as u64;
    let worker = |number| Worker {
        operations: each,
        busy_ns,
        wall_ns: busy_ns + busy_ns / 9,
        digests: vec![(4096, scatter(number)), (each, scatter(each))],
    };
    let total = each * u64::from(threads);
    let wall_seconds = busy_ns as f64 * 10.0 / 9.0 / 1e9;
    let bins = (wall_seconds / super::model::SERIES_BIN_SECONDS).ceil().max(1.0) as u64;
    let bin = |number: u64| {
        let dip = if number % 17 == 11 { 0.55 } else { 0.97 };
        (total as f64 / bins as f64 * dip * (1.0 + 0.03 * signed_unit(seed ^ number))) as u64
    };
    let kinds: Vec<(OperationKind, f64)> = kinds.to_vec();
    let first = kinds[0].0;
    let rest: u64 = kinds.iter().skip(1).map(|(_, share)| (total as f64 * share) as u64).sum();
    let operations: BTreeMap<OperationKind, OperationResult> = kinds
        .iter()
        .map(|(kind, share)| {
            let ok = if *kind == first { total - rest } else { (total as f64 * share) as u64 };
            let slow = if *kind == OperationKind::Read { 1.0 } else { 1.4 };
            (*kind, operations(ok, cost_ns * slow, seed))
        })
        .collect();
    Phase {
        name: name.to_owned(),
        wall_seconds,
        workers: (0..u64::from(threads)).map(worker).collect(),
        operations,
        series: (0..bins).map(bin).collect(),
        cpu_seconds: wall_seconds * f64::from(threads) * 0.98,
        settle_seconds: 0.002,
    }
}

fn operations(ok: u64, cost_ns: f64, seed: u64) -> OperationResult {
    let mut latency_ns = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    let samples = (ok / 64).min(40_000);
    for sample in 0..samples {
        // A body around the cost, a tail that grows with the rarity.
        let rank = (sample as f64 + 0.5) / samples as f64;
        let scale =
            0.9 + 0.2 * rank + 0.08 / (1.0 - rank).powf(0.62) * (1.0 + 0.05 * signed_unit(seed ^ sample));
        latency_ns.record((cost_ns * scale) as u64).unwrap();
    }
    OperationResult {
        ok,
        missed: 0,
        checked: ok / 1024,
        wrong: 0,
        failed: 0,
        first_fault: None,
        records_scanned: 0,
        latency_ns,
    }
}

fn environment() -> Environment {
    Environment {
        harness_version: "0.1.0".to_owned(),
        git_commit: "8cf4809".to_owned(),
        git_dirty: true,
        lockfile_hash: "a1b2c3d4e5f60718".to_owned(),
        rustc: "rustc 1.95.0".to_owned(),
        profile: "release".to_owned(),
        allocator: "mimalloc 3.3.2".to_owned(),
        hostname: "bench".to_owned(),
        kernel: "6.1.0".to_owned(),
        cpu_model: "Example CPU @ 2.50GHz".to_owned(),
        cores: 2,
        governor: "absent".to_owned(),
        virtualisation: "kvm".to_owned(),
        memory_bytes: 24 << 30,
        data_directory_mount: "overlay rw,relatime".to_owned(),
        clock: "tsc".to_owned(),
        transparent_huge_pages: "madvise".to_owned(),
        load_average_1m: 0.25,
        steal_fraction: 0.001,
    }
}
