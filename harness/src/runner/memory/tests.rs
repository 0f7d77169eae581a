//! Memory trials, in the process of the test. Other tests allocate meanwhile, so figures are looked at in a process of their own,
//! in `tests/run.rs`.

use super::super::fake::{Fake, Fault};
use super::super::testing::plan;
use super::*;
use crate::workload::plan::SizeDistribution;

const SIZE: SizeDistribution = SizeDistribution::Uniform { min: 50, max: 150 };

/// A trial of a small plan with every stage there is.
fn job(engine: &str, threads: u32) -> Job {
    let mut plan = plan();
    for cell in &mut plan.cells {
        cell.engine = engine.to_owned();
        cell.label = engine.to_owned();
    }
    plan.memory = Some(MemoryPlan {
        threads,
        overwrite: Some(OverwritePlan { passes: 2, size: SIZE }),
        compact: true,
        delete_all: true,
        bulk_load: true,
    });
    Job { plan, cell: 0, trial: 0, memory: Some(LoadWay::Inserts), directory: None }
}

fn faulty(fault: Fault) -> MemoryTrial {
    let job = job("btree", 2);
    let cell = job.cell().expect("a cell");
    let memory = job.plan.memory.clone().expect("a memory trial");
    let counters = Counters::new(memory.threads, 9);
    let mut trial = job.empty_memory_trial(LoadWay::Inserts);
    let open = || Ok(Box::new(Fake::new(fault)) as Box<dyn Engine>);
    trial.error = measure((&job, &cell, &memory), &counters, &mut trial, &open).err();
    trial
}

#[test]
fn every_engine_goes_through_every_stage() {
    for engine in ["btree", "rbtree", "array", "hash", "lsm-memtable"] {
        for threads in [1, 2] {
            let trial = run(&job(engine, threads), LoadWay::Inserts, &mut std::io::sink());
            assert_eq!(trial.error, None, "{engine}");
            let told: Vec<_> =
                trial.stages.iter().map(|stage| (stage.after, stage.compacted, stage.records)).collect();
            use MemoryEvent::{Delete, Load, Overwrite};
            let expected = [
                (Load, false, 1_000),
                (Overwrite, false, 1_000),
                (Overwrite, true, 1_000),
                (Delete, false, 0),
                (Delete, true, 0),
            ];
            assert_eq!(told, expected, "{engine}");
            let live: Vec<u64> = trial.stages.iter().map(|stage| stage.live_bytes).collect();
            assert_eq!((live[0], live[1], live[4]), (124_000, live[2], 0), "{engine}");
            assert!((120_000..128_000).contains(&live[1]) && live[1] != live[0], "{engine}: {live:?}");
            let bulk = Job { memory: Some(LoadWay::Bulk), ..job(engine, threads) };
            let bulk = run(&bulk, LoadWay::Bulk, &mut std::io::sink());
            assert_eq!((bulk.error.as_ref(), bulk.stages.len()), (None, 1), "{engine}");
            assert_eq!(bulk.stages[0].live_bytes, 124_000, "{engine}");
        }
    }
}

#[test]
fn the_seed_decides_what_is_written() {
    let live = |seed| {
        let mut job = job("hash", 2);
        job.plan.seed = seed;
        let trial = run(&job, LoadWay::Inserts, &mut std::io::sink());
        trial.stages.iter().map(|stage| stage.live_bytes).collect::<Vec<_>>()
    };
    assert_eq!(live(1), live(1));
    assert_ne!(live(1), live(2));
}

#[test]
fn wrong_data_is_an_error_that_names_the_stage() {
    let cases = [
        (Fault::ForgetsSets(100), "after load", "is missing"),
        (Fault::ForgetsUpdates(100), "after overwriting", "holds version"),
        (Fault::MixesUp(100), "after load", "belongs to record"),
        (Fault::KeepsDeleted, "after deleting all", "is there but must not be"),
        (Fault::Fails, "after load", "it was told so"),
        (Fault::Panics(2_000), "panicked", "told to panic"),
    ];
    for (fault, stage, what) in cases {
        let error = faulty(fault).error.unwrap_or_default();
        assert!(error.contains(stage) && error.contains(what), "{fault:?}: {error}");
    }
    let sound = faulty(Fault::None);
    assert_eq!((sound.error, sound.stages.len()), (None, 5));
}

#[test]
fn an_engine_that_cannot_be_opened_is_an_error() {
    let mut broken = job("btree", 1);
    for cell in &mut broken.plan.cells {
        cell.options = serde_json::json!({ "no_such_knob": 1 });
    }
    let trial = run(&broken, LoadWay::Inserts, &mut std::io::sink());
    assert!(trial.error.as_deref().unwrap_or_default().contains("no_such_knob"), "{:?}", trial.error);
    let nowhere = Job { cell: 99, ..job("btree", 1) };
    assert!(run(&nowhere, LoadWay::Bulk, &mut std::io::sink()).error.is_some());
}
