//! Whole trials, in the process of the test.

use super::*;
use crate::results::model::{OperationResult, Phase};
use crate::runner::fake::{Fake, Fault, Records};
use crate::runner::testing::{phase, plan};
use crate::workload::plan::{LatencyMode, Mix};
use std::time::Instant;

/// Half reads, and something of everything that does not delete.
const MIX: Mix = Mix {
    read: 0.4,
    update: 0.2,
    insert: 0.1,
    scan: 0.1,
    read_modify_write: 0.2,
    delete: 0.0,
    multiget: 0.0,
};
/// With deletes, without scans.
const DELETING: Mix = Mix {
    read: 0.5,
    update: 0.2,
    insert: 0.1,
    read_modify_write: 0.1,
    delete: 0.1,
    scan: 0.0,
    multiget: 0.0,
};

/// A plan of one cell and one phase of 3,000 operations.
fn small(engine: &str, threads: u32, mix: Mix) -> Plan {
    let mut plan = plan();
    plan.cells.truncate(1);
    for cell in &mut plan.cells {
        cell.engine = engine.to_owned();
        cell.label = engine.to_owned();
        cell.threads = threads;
    }
    plan.phases = vec![phase("mixed", mix, 3_000)];
    plan
}

fn job(plan: Plan) -> Job {
    Job { plan, cell: 0, trial: 0, memory: None, directory: None }
}

/// Runs the first cell of a plan with the registry's engine.
fn trial(plan: Plan) -> Trial {
    run(&job(plan), &mut std::io::sink())
}

/// Runs the first cell of a plan with a faulty engine.
fn faulty(plan: Plan, fault: Fault) -> Trial {
    let job = job(plan);
    let cell = job.cell().expect("one cell");
    let counters = Counters::new(cell.threads, 3);
    let mut trial = job.empty_trial();
    trial.error =
        measure(&job, &cell, &counters, &mut trial, || Ok(Box::new(Fake::new(fault)) as Box<dyn Engine>))
            .err();
    trial
}

/// Runs the first cell of a plan, as if it were durable, with an engine that is fault after fault each time it is opened; past them
/// it cannot be opened.
fn reopened(faults: &[Fault]) -> Trial {
    let mut plan = small("btree", 2, MIX);
    for cell in &mut plan.cells {
        cell.durability = Durability::Sync;
    }
    let job = job(plan);
    let cell = job.cell().expect("one cell");
    let counters = Counters::new(cell.threads, 5);
    let mut trial = job.empty_trial();
    let (records, opened) = (Records::default(), std::cell::Cell::new(0));
    let open = || match faults.get(opened.replace(opened.get() + 1)) {
        Some(fault) => Ok(Box::new(Fake::over(records.clone(), *fault)) as Box<dyn Engine>),
        None => Err(engines::Error::InUse { directory: "d".into() }),
    };
    trial.error = measure(&job, &cell, &counters, &mut trial, open).err();
    trial
}

fn sum(phase: &Phase, of: fn(&OperationResult) -> u64) -> u64 {
    phase.operations.values().map(of).sum()
}

fn wrong(trial: &Trial) -> u64 {
    let verified = trial.verification.as_ref().map_or(0, |verification| verification.wrong);
    trial.phases.iter().map(|phase| sum(phase, |found| found.wrong)).sum::<u64>() + verified
}

fn first_faults(trial: &Trial) -> String {
    let counted = trial.phases.iter().flat_map(|phase| phase.operations.values());
    let counted = counted.filter_map(|found| found.first_fault.clone());
    let verified = trial.verification.iter().filter_map(|verification| verification.first_fault.clone());
    counted.chain(verified).collect::<Vec<_>>().join("; ")
}

#[test]
fn sound_engines_are_found_sound_and_asked_the_same() {
    let mut digests = Vec::new();
    for engine in ["btree", "rbtree", "array", "lsm-memtable"] {
        for seed in [1, 2] {
            let trial = trial(Plan { seed, ..small(engine, 2, MIX) });
            assert_eq!((&trial.error, first_faults(&trial).as_str()), (&None, ""), "{engine}");
            let [load, mixed] = trial.phases.as_slice() else { panic!("two phases") };
            assert_eq!((load.name.as_str(), mixed.name.as_str()), ("load", "mixed"));
            assert_eq!(sum(load, |found| found.ok), 1_000);
            assert_eq!(sum(mixed, |found| found.ok), 3_000);
            assert_eq!(sum(mixed, |found| found.latency_ns.len()), 3_000, "every operation is timed");
            assert_eq!(mixed.series.iter().sum::<u64>(), 3_000);
            assert_eq!(
                mixed.workers.iter().map(|worker| worker.operations).collect::<Vec<_>>(),
                [1_500, 1_500]
            );
            assert!(
                mixed.workers.iter().all(|worker| 0 < worker.busy_ns && worker.busy_ns <= worker.wall_ns)
            );
            assert!(sum(mixed, |found| found.checked) >= 2_000, "every read is compared");
            let scans = &mixed.operations[&OperationKind::Scan];
            assert!(scans.records_scanned > scans.ok && scans.records_scanned <= 20 * scans.ok);
            let inserted = mixed.operations[&OperationKind::Insert].ok;
            let verification = trial.verification.as_ref().expect("verified");
            assert_eq!((verification.records, verification.wrong), (1_000 + inserted, 0));
            let stats = trial.engine_stats.as_ref().expect("asked");
            assert_eq!(stats.records, 1_000 + inserted);
            assert!(trial.memory.rss_peak_bytes >= trial.memory.rss_loaded_bytes);
            digests
                .push((seed, mixed.workers.iter().map(|worker| worker.digests.clone()).collect::<Vec<_>>()));
        }
    }
    for (seed, digest) in &digests {
        let same = digests.iter().filter(|(_, other)| other == digest).count();
        assert_eq!(same, 4, "seed {seed}: the same for all engines, another for another seed");
    }
}

#[test]
fn unordered_engines_and_deletes_are_verified_too() {
    for engine in ["hash", "btree"] {
        let trial = trial(small(engine, 2, DELETING));
        assert_eq!((&trial.error, first_faults(&trial).as_str()), (&None, ""), "{engine}");
        let mixed = &trial.phases[1];
        let (ok, missed) = (sum(mixed, |found| found.ok), sum(mixed, |found| found.missed));
        assert_eq!(ok + missed, 3_000);
        assert!(missed > 0, "deleted records are asked for again");
        assert_eq!(
            mixed.workers.iter().map(|worker| worker.operations).sum::<u64>(),
            ok,
            "misses are no throughput"
        );
        assert!(trial.verification.as_ref().expect("verified").records < 1_000 + 3_000);
    }
}

#[test]
fn multigets_are_checked_key_by_key() {
    let mix = Mix { read: 0.3, update: 0.2, insert: 0.1, multiget: 0.4, ..Mix::default() };
    for engine in ["btree", "rbtree", "array", "hash", "lsm-memtable", "null"] {
        let trial = trial(small(engine, 2, mix));
        assert_eq!((&trial.error, first_faults(&trial).as_str()), (&None, ""), "{engine}");
        let multigets = &trial.phases[1].operations[&OperationKind::Multiget];
        assert!(multigets.ok > 1_000 && multigets.missed == 0, "{engine}");
        assert_eq!(multigets.records_scanned, 7 * multigets.ok, "{engine}: every key is found");
        assert_eq!(multigets.latency_ns.len(), multigets.ok, "{engine}: a call is one operation");
        let checked = if engine == "null" { 0 } else { multigets.ok };
        assert_eq!(multigets.checked, checked, "{engine}");
    }
    for (fault, expected) in [
        (Fault::MixesUp(100), "belongs to record"),
        (Fault::ForgetsSets(100), "a record that it asks for is missing"),
        (Fault::Fails, "it was told so"),
    ] {
        let only = Mix { multiget: 1.0, ..Mix::default() };
        let mut plan = small("btree", 2, only);
        for phase in &mut plan.phases {
            phase.bound = Bound::Operations(500);
        }
        let told = first_faults(&faulty(plan, fault));
        assert!(told.contains("multiget of") && told.contains(expected), "{fault:?}: {told}");
    }
}

#[test]
fn multigets_may_miss_what_was_deleted() {
    let mix = Mix { delete: 0.3, multiget: 0.7, ..Mix::default() };
    let trial = trial(small("btree", 2, mix));
    assert_eq!((&trial.error, first_faults(&trial).as_str()), (&None, ""));
    let multigets = &trial.phases[1].operations[&OperationKind::Multiget];
    let calls = multigets.ok + multigets.missed;
    assert!(calls > 1_500 && multigets.wrong == 0);
    assert!(multigets.records_scanned < 7 * multigets.ok, "some of the keys are gone");
    assert!(multigets.records_scanned >= multigets.ok, "each that did not miss found one at least");
}

#[test]
fn every_insert_of_the_load_is_timed() {
    let plan = Plan { latency: LatencyMode::Sampled(64), ..small("btree", 2, MIX) };
    let load = &trial(plan).phases[0].operations[&OperationKind::Insert];
    assert_eq!((load.ok, load.latency_ns.len()), (1_000, 1_000));
}

#[test]
fn one_operation_in_many_is_timed() {
    let plan = Plan { latency: LatencyMode::Sampled(64), ..small("btree", 1, MIX) };
    let mixed = &trial(plan).phases[1];
    assert_eq!(sum(mixed, |found| found.latency_ns.len()), 3_000_u64.div_ceil(64));
    assert_eq!(sum(mixed, |found| found.ok), 3_000);
}

#[test]
fn the_engine_that_keeps_nothing_is_not_blamed() {
    let trial = trial(small("null", 2, MIX));
    assert_eq!((&trial.error, wrong(&trial)), (&None, 0));
    assert!(trial.verification.is_none());
    assert_eq!(sum(&trial.phases[1], |found| found.ok), 3_000);
}

#[test]
fn a_liar_is_found_out() {
    let mut plan = small("liar", 1, MIX);
    for cell in &mut plan.cells {
        cell.options = serde_json::json!({ "every": 50 });
    }
    let trial = trial(plan);
    assert_eq!(trial.error, None);
    assert!(sum(&trial.phases[1], |found| found.wrong) > 5, "{}", first_faults(&trial));
    assert!(trial.verification.as_ref().is_some_and(|verification| verification.wrong > 0));
}

#[test]
fn every_fault_is_told_by_its_name() {
    let cases = [
        (Fault::ForgetsUpdates(100), MIX, "not its last"),
        (Fault::ForgetsSets(100), MIX, "missing"),
        (Fault::MixesUp(100), MIX, "belongs to record"),
        (Fault::KeepsDeleted, DELETING, "must not be"),
        (Fault::CutsScans(2), MIX, "before the last key"),
        (Fault::SkipsFirst, MIX, "the record itself is missing"),
    ];
    for (fault, mix, expected) in cases {
        for threads in [1, 2] {
            let trial = faulty(small("btree", threads, mix), fault);
            assert_eq!(trial.error, None);
            assert!(wrong(&trial) > 0, "{fault:?}");
            let told = first_faults(&trial);
            assert!(told.contains(expected), "{fault:?}: {told}");
        }
    }
    let sound = faulty(small("btree", 2, MIX), Fault::None);
    assert_eq!((sound.error, wrong(&trial(small("btree", 2, MIX)))), (None, 0));
}

#[test]
fn scans_may_run_backwards_and_without_values() {
    for (reverse, keys_only) in [(true, false), (false, true), (true, true)] {
        let mut plan = small("btree", 1, MIX);
        for phase in &mut plan.phases {
            phase.scan.reverse = reverse;
            phase.scan.keys_only = keys_only;
        }
        let sound = trial(plan.clone());
        assert_eq!((&sound.error, first_faults(&sound).as_str()), (&None, ""));
        let cut = faulty(plan, Fault::CutsScans(2));
        assert!(first_faults(&cut).contains("before the last key"), "{}", first_faults(&cut));
    }
}

#[test]
fn errors_are_counted_and_end_the_trial_when_they_are_many() {
    let reads = Mix { read: 1.0, ..Mix::default() };
    let few =
        faulty(Plan { phases: vec![phase("reads", reads, 500)], ..small("btree", 1, reads) }, Fault::Fails);
    assert_eq!(few.error, None);
    assert_eq!(sum(&few.phases[1], |found| found.failed), 500);
    assert_eq!(sum(&few.phases[1], |found| found.latency_ns.len() + found.ok), 0);
    assert!(few.verification.is_none() && first_faults(&few).contains("it was told so"));

    let many = faulty(small("btree", 2, reads), Fault::Fails);
    let error = many.error.as_deref().unwrap_or_default();
    assert!(error.contains("more than 1000 failures") && error.contains("it was told so"), "{error}");
    assert_eq!(many.phases.len(), 2, "the phase that ended early is kept");
}

#[test]
fn a_panic_is_an_error_and_the_others_end() {
    let trial = faulty(small("btree", 2, MIX), Fault::Panics(200));
    let error = trial.error.as_deref().unwrap_or_default();
    assert!(error.contains("panicked: told to panic"), "{error}");
    assert_eq!((trial.phases.len(), trial.phases[1].workers.len()), (2, 2));
}

#[test]
fn a_warm_up_is_run_but_not_counted() {
    let started = Instant::now();
    let warm = trial(Plan { warmup: Duration::from_millis(100), ..small("btree", 2, MIX) });
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!((&warm.error, first_faults(&warm).as_str()), (&None, ""));
    let mixed = &warm.phases[1];
    assert_eq!(sum(mixed, |found| found.ok), 3_000);
    let steps: u64 =
        mixed.workers.iter().filter_map(|worker| worker.digests.last()).map(|(steps, _)| steps).sum();
    assert!(steps > 3_000, "{steps}");

    let error =
        faulty(Plan { warmup: Duration::from_millis(100), ..small("btree", 2, MIX) }, Fault::MixesUp(10))
            .error;
    assert!(error.as_deref().unwrap_or_default().contains("while warming up"), "{error:?}");
}

#[test]
fn a_phase_ends_in_time_and_a_stall_shows() {
    let mut plan = small("stall", 1, MIX);
    for cell in &mut plan.cells {
        cell.options = serde_json::json!({ "pause_ms": 150, "every_ms": 250 });
    }
    for phase in &mut plan.phases {
        phase.bound = Bound::Duration(Duration::from_millis(700));
    }
    let trial = trial(plan);
    assert_eq!((&trial.error, first_faults(&trial).as_str()), (&None, ""));
    let mixed = &trial.phases[1];
    assert!((0.69..1.5).contains(&mixed.wall_seconds), "{}", mixed.wall_seconds);
    let longest = mixed.operations.values().map(|found| found.latency_ns.max()).max().unwrap_or(0);
    assert!((100_000_000..400_000_000).contains(&longest), "{longest}");
    assert_eq!(mixed.series.iter().sum::<u64>(), sum(mixed, |found| found.ok));
}

#[test]
fn an_engine_that_cannot_be_opened_is_an_error() {
    let mut plan = small("btree", 1, MIX);
    for cell in &mut plan.cells {
        cell.options = serde_json::json!({ "no_such_knob": 1 });
    }
    let trial = trial(plan);
    assert!(trial.error.as_deref().unwrap_or_default().contains("no_such_knob"), "{:?}", trial.error);
    assert!(trial.phases.is_empty());
    let nowhere = run(&Job { cell: 99, ..job(small("btree", 1, MIX)) }, &mut std::io::sink());
    assert!(nowhere.error.is_some());
}

#[test]
fn a_durable_engine_is_closed_opened_again_and_read_once_more() {
    let sound = reopened(&[Fault::None, Fault::None]);
    assert_eq!((&sound.error, first_faults(&sound).as_str()), (&None, ""));
    let again = sound.reopened.expect("reopened");
    let before = sound.verification.expect("verified");
    assert_eq!((again.verification.records, again.verification.wrong), (before.records, 0));
    assert!(again.close_seconds >= 0.0 && again.open_seconds >= 0.0 && before.records > 1_000);

    let trial = trial(small("btree", 1, MIX));
    assert!(trial.verification.is_some() && trial.reopened.is_none(), "durability none is not reopened");
}

#[test]
fn what_is_lost_by_closing_is_found() {
    let lossy = reopened(&[Fault::LosesOnClose, Fault::None]);
    assert_eq!((&lossy.error, wrong(&lossy)), (&None, 0), "before it was closed all was there");
    let again = lossy.reopened.expect("reopened").verification;
    assert!(again.wrong > 0 && again.first_fault.is_some_and(|fault| fault.contains("missing")));
}

#[test]
fn an_engine_that_cannot_be_closed_or_opened_again_is_an_error_and_keeps_its_phases() {
    let cases: [(&[Fault], &str); 4] = [
        (&[Fault::CannotClose], "cannot be closed: "),
        (&[Fault::None], "after it was closed, btree cannot be opened: d is in use"),
        (&[Fault::None, Fault::Fails], "after it was opened again, verify: get of"),
        (&[Fault::None, Fault::Panics(5)], "after it was opened again, panicked: told to panic"),
    ];
    for (faults, words) in cases {
        let trial = reopened(faults);
        let error = trial.error.as_deref().unwrap_or_default();
        assert!(error.contains(words), "{faults:?}: {error}");
        assert!(trial.reopened.is_none() && trial.verification.is_some() && trial.phases.len() == 2);
    }
}
