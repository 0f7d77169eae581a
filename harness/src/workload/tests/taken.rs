//! What a file that is taken means: every field, every default, and what flags change.

use super::fake::ENGINES;
use crate::workload::file::plan;
use crate::workload::overrides::Overrides;
use crate::workload::plan::{
    Bound, KeyOrder, LatencyMode, MemoryPlan, Mix, OverwritePlan, Plan, RequestDistribution, ScanPlan,
    SizeDistribution,
};
use engines::Durability;
use serde_json::json;
use std::time::Duration;

fn planned(text: &str, overrides: &Overrides) -> Plan {
    plan("w.yaml", text.as_bytes(), overrides, ENGINES).expect("a plan")
}

/// Label, durability and threads of each cell.
fn cells(plan: &Plan) -> Vec<(&str, Durability, u32)> {
    plan.cells.iter().map(|cell| (cell.label.as_str(), cell.durability, cell.threads)).collect()
}

const SMALLEST: &str = "name: w\nphases: [{ name: run, duration: 1s, read_proportion: 1 }]\n";

const FULL: &str = "\
name: full
description: >
  Every field
  is set.
engines:
  - logged
  - engine: logged
    label: logged, wide
    options: { order: 1_000 }
durability: [none, sync]
threads: [1, 2]
trials: 7
seed: 7
records: 1_000
key: { order: ordered, prefix: k, zero_padding: 1 }
value: { distribution: histogram, block_size: 1KiB, weights: [1, 0, 2], compressibility: 0.5 }
warmup: 500ms
latency: { sampled: 64 }
check_one_in: 1_000
memory:
  threads: 2
  overwrite: { passes: 2, value: { distribution: uniform, min: 50, max: 150 } }
  compact: true
  delete_all: true
  bulk_load: true
phases:
  - name: mixed
    duration: 1.5m
    request_distribution: { name: hotspot, data_fraction: 0.1 }
    read_proportion: 0.4
    multiget_proportion: 0.1
    multiget_size: 32
    update_proportion: 0.1
    insert_proportion: 0.1
    scan_proportion: 0.1
    read_modify_write_proportion: 0.1
    delete_proportion: 0.1
    scan_length: { distribution: zipfian, min: 5, max: 1_000 }
    scan_reverse: true
    scan_keys_only: true
  - { name: after, operations: 2_000, request_distribution: latest, scan_proportion: 1, scan_length: 10 }
";

#[test]
fn the_smallest_file_gets_every_default() {
    let plan = planned(SMALLEST, &Overrides::default());
    assert_eq!((plan.seed, plan.records, plan.trials, plan.check_one_in), (42, 1_000_000, 3, 256));
    assert_eq!(plan.warmup, Duration::from_secs(1));
    assert_eq!(plan.latency, LatencyMode::All);
    assert_eq!(
        (plan.key.order, plan.key.prefix.as_str(), plan.key.zero_padding),
        (KeyOrder::Hashed, "user", 20)
    );
    assert_eq!(plan.value.size, SizeDistribution::Constant { value: 100 });
    assert!(plan.value.compressibility.abs() < f64::EPSILON);
    let phase = &plan.phases[0];
    assert_eq!(phase.bound, Bound::Duration(Duration::from_secs(1)));
    assert_eq!(phase.request, RequestDistribution::Uniform);
    assert_eq!(phase.mix, Mix { read: 1.0, ..Mix::default() });
    assert!(phase.every_read_hits);
    let plain =
        MemoryPlan { threads: 1, overwrite: None, compact: false, delete_all: false, bulk_load: false };
    assert_eq!(plan.memory, Some(plain));
    let length = SizeDistribution::Uniform { min: 1, max: 100 };
    assert_eq!(phase.scan, ScanPlan { length, reverse: false, keys_only: false });
    let engines: Vec<_> = cells(&plan);
    let none = |name| (name, Durability::None, 1);
    assert_eq!(engines, ["array", "rbtree", "hash", "btree", "lsm-memtable", "logged"].map(none));
    assert_eq!(plan.left_out.len(), 1, "{:?}", plan.left_out);
}

#[test]
fn every_field_is_planned() {
    let plan = planned(FULL, &Overrides::default());
    assert_eq!(plan.description, "Every field is set.");
    assert_eq!((plan.seed, plan.records, plan.trials, plan.check_one_in), (7, 1_000, 7, 1_000));
    assert_eq!(plan.warmup, Duration::from_millis(500));
    assert_eq!(plan.latency, LatencyMode::Sampled(64));
    assert_eq!(
        (plan.key.order, plan.key.prefix.as_str(), plan.key.zero_padding),
        (KeyOrder::Ordered, "k", 1)
    );
    assert_eq!(plan.value.size, SizeDistribution::Histogram { block_size: 1_024, weights: vec![1, 0, 2] });
    assert!((plan.value.compressibility - 0.5).abs() < f64::EPSILON);
    let (none, sync) = (Durability::None, Durability::Sync);
    let wide = "logged, wide";
    let expected = [
        ("logged", none, 1),
        ("logged", none, 2),
        ("logged", sync, 1),
        ("logged", sync, 2),
        (wide, none, 1),
        (wide, none, 2),
        (wide, sync, 1),
        (wide, sync, 2),
    ];
    assert_eq!(cells(&plan), expected);
    assert_eq!(plan.cells[0].options, json!({}));
    assert_eq!(plan.cells[7].options, json!({ "order": 1_000 }));
    assert!(plan.cells.iter().all(|cell| cell.engine == "logged"));
    let [mixed, after] = plan.phases.as_slice() else { panic!("two phases") };
    assert_eq!(mixed.bound, Bound::Duration(Duration::from_secs(90)));
    let hotspot = RequestDistribution::Hotspot { data_fraction: 0.1, operation_fraction: 0.8 };
    assert_eq!(mixed.request, hotspot);
    let tenths = Mix { update: 0.1, insert: 0.1, scan: 0.1, read_modify_write: 0.1, ..Mix::default() };
    assert_eq!(mixed.mix, Mix { read: 0.4, delete: 0.1, multiget: 0.1, ..tenths });
    assert_eq!((mixed.multiget_size, after.multiget_size), (32, 0));
    let size = SizeDistribution::Uniform { min: 50, max: 150 };
    let overwrite = Some(OverwritePlan { passes: 2, size });
    let memory = MemoryPlan { threads: 2, overwrite, compact: true, delete_all: true, bulk_load: true };
    assert_eq!(plan.memory, Some(memory));
    let length = SizeDistribution::Zipfian { min: 5, max: 1_000 };
    assert_eq!(mixed.scan, ScanPlan { length, reverse: true, keys_only: true });
    assert_eq!(after.bound, Bound::Operations(2_000));
    assert_eq!(after.request, RequestDistribution::Latest { theta: 0.99 });
    assert_eq!(after.scan.length, SizeDistribution::Constant { value: 10 });
    assert!(
        !mixed.every_read_hits && !after.every_read_hits,
        "what is deleted in a phase is missing afterwards"
    );
}

#[test]
fn reads_hit_before_the_first_delete() {
    let text = "name: w\nphases:
  - { name: before, operations: 1, read_proportion: 1 }
  - { name: deletes, operations: 1, delete_proportion: 1 }
  - { name: after, operations: 1, read_proportion: 1 }\n";
    let hits: Vec<_> =
        planned(text, &Overrides::default()).phases.iter().map(|phase| phase.every_read_hits).collect();
    assert_eq!(hits, [true, false, false]);
}

#[test]
fn every_distribution_can_be_named_and_tuned() {
    for (written, meant) in [
        ("uniform", RequestDistribution::Uniform),
        ("sequential", RequestDistribution::Sequential),
        ("{ name: uniform }", RequestDistribution::Uniform),
        ("zipfian", RequestDistribution::Zipfian { theta: 0.99 }),
        ("{ name: zipfian, theta: 2 }", RequestDistribution::Zipfian { theta: 2.0 }),
        ("{ theta: 0.5, name: ycsb_zipfian }", RequestDistribution::YcsbZipfian { theta: 0.5 }),
        ("{ name: latest, theta: 0.5 }", RequestDistribution::Latest { theta: 0.5 }),
        ("hotspot", RequestDistribution::Hotspot { data_fraction: 0.2, operation_fraction: 0.8 }),
        ("exponential", RequestDistribution::Exponential { percentile: 95.0, fraction: 0.857_142_857_1 }),
    ] {
        let text =
            SMALLEST.replace("duration: 1s", &format!("duration: 1s, request_distribution: {written}"));
        assert_eq!(planned(&text, &Overrides::default()).phases[0].request, meant, "{written}");
    }
}

#[test]
fn all_leaves_out_whoever_cannot() {
    let text = "name: w\nvalue: { size: 2MiB }\ndurability: [none, sync]\n\
        phases: [{ name: run, duration: 1s, scan_proportion: 1, scan_reverse: true }]\n";
    let plan = planned(text, &Overrides::default());
    let (none, sync) = (Durability::None, Durability::Sync);
    assert_eq!(
        cells(&plan),
        [("array", none, 1), ("btree", none, 1), ("logged", none, 1), ("logged", sync, 1)]
    );
    let left: Vec<_> =
        plan.left_out.iter().map(|left| (left.engine.as_str(), left.reason.as_str())).collect();
    let not_synced = "durability 'sync' is not offered (offered: none)";
    let expected = [
        ("array", not_synced),
        ("rbtree", "phase 'run' scans downwards, which it cannot"),
        ("hash", "phase 'run' scans, and it keeps no order"),
        ("btree", not_synced),
        ("lsm-memtable", "values are up to 2,097,152 bytes long, over its limit of 1,048,576 bytes"),
        ("frozen", "it takes no writes, which the load is made of"),
    ];
    assert_eq!(left, expected);
}

#[test]
fn flags_replace_what_the_file_says() {
    let overrides = Overrides {
        engines: Some(vec!["logged, wide".to_owned(), "btree".to_owned(), "null".to_owned()]),
        threads: Some(vec!["4".parse().expect("a count")]),
        trials: "1".parse().ok(),
        seed: "9".parse().ok(),
        duration: "10ms".parse().ok(),
        durability: Some(vec!["none".parse().expect("a class")]),
        records: "5_000".parse().ok(),
        warmup: "0s".parse().ok(),
        no_memory: true,
    };
    let plan = planned(FULL, &overrides);
    let none = Durability::None;
    assert_eq!(cells(&plan), [("logged, wide", none, 4), ("btree", none, 4), ("null", none, 4)]);
    assert_eq!(plan.cells[0].options, json!({ "order": 1_000 }), "the options of the file are kept");
    assert_eq!((plan.trials, plan.seed, plan.records, plan.warmup), (1, 9, 5_000, Duration::ZERO));
    assert_eq!(plan.memory, None);
    let bound = Bound::Duration(Duration::from_millis(10));
    assert!(plan.phases.iter().all(|phase| phase.bound == bound));

    let by_name = Overrides { engines: Some(vec!["logged".to_owned()]), ..Overrides::default() };
    let labels: Vec<_> = planned(FULL, &by_name).cells.iter().map(|cell| cell.label.clone()).collect();
    assert_eq!(labels.iter().filter(|label| *label == "logged").count(), 4);
    assert_eq!(labels.iter().filter(|label| *label == "logged, wide").count(), 4);

    let all = Overrides { engines: Some(vec!["all".to_owned()]), ..Overrides::default() };
    assert!(planned(SMALLEST, &all).cells.len() > 4);
}

#[test]
fn memory_trials_have_defaults_of_their_own() {
    let of = |line: &str| planned(&format!("{line}\n{SMALLEST}"), &Overrides::default()).memory;
    assert_eq!(of("memory: none"), None);
    assert_eq!(of("memory: {}"), of(""));
    let overwrite = of("value: { size: 70 }\nmemory: { overwrite: {} }").and_then(|memory| memory.overwrite);
    let expected = OverwritePlan { passes: 1, size: SizeDistribution::Constant { value: 70 } };
    assert_eq!(overwrite, Some(expected), "as those of the load");
}

#[test]
fn anchors_and_merge_keys_spare_repetition() {
    let text = "name: w\nphases:
  - &mix { name: first, duration: 1s, read_proportion: 1 }
  - { <<: *mix, name: second }\n";
    let plan = planned(text, &Overrides::default());
    let names: Vec<_> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(plan.phases[0].bound, plan.phases[1].bound);
}

#[test]
fn a_plan_survives_its_result_file() {
    let plan = planned(FULL, &Overrides::default());
    let text = serde_json::to_string(&plan).expect("JSON");
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("a plan"), plan);
}
