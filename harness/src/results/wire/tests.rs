//! The file format: what survives, what is refused.

use super::*;
use crate::results::synthetic::Synthetic;

fn small() -> SweepResult {
    Synthetic { threads: vec![2, 1], trials: 2, bins: 5, ..Synthetic::default() }.build()
}

fn assert_same(before: &Trial, after: &Trial) {
    assert_eq!(
        (before.cell, &before.label, before.threads, before.trial),
        (after.cell, &after.label, after.threads, after.trial)
    );
    assert_eq!(
        (&before.error, before.memory, &before.verification, &before.reopened),
        (&after.error, after.memory, &after.verification, &after.reopened)
    );
    assert_eq!(before.engine_stats, after.engine_stats);
    assert_eq!(before.phases.len(), after.phases.len());
    for (before, after) in before.phases.iter().zip(&after.phases) {
        assert_eq!((&before.name, &before.series), (&after.name, &after.series));
        for (before, after) in before.workers.iter().zip(&after.workers) {
            assert_eq!(
                (before.operations, before.busy_ns, &before.digests),
                (after.operations, after.busy_ns, &after.digests)
            );
        }
        assert!(before.operations.keys().eq(after.operations.keys()));
        for (before, after) in before.operations.values().zip(after.operations.values()) {
            assert_eq!((before.ok, before.checked), (after.ok, after.checked));
            let counts = |found: &OperationResult| -> Vec<(u64, u64)> {
                let steps = found.latency_ns.iter_recorded();
                steps.map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
            };
            assert!(counts(before) == counts(after), "the histograms differ");
        }
    }
}

#[test]
fn a_sweep_and_its_trials_survive() {
    let mut before = small();
    before.trials[0].phases[0].workers[0].digests = vec![(4096, u64::MAX), (5000, 1)];
    before.trials[0].verification = Some(Verification {
        records: 7,
        wrong: 1,
        first_fault: Some("\u{202e}\"".to_owned()),
        seconds: 0.25,
    });
    before.trials[0].reopened = Some(Reopened {
        close_seconds: 0.5,
        open_seconds: 1.5,
        verification: Verification { records: 7, wrong: 0, first_fault: None, seconds: 0.25 },
    });
    let text = encode_sweep(&before);
    assert!(text.contains("\"schema_version\": \"1.2\"") && text.contains("ffffffffffffffff"));
    let after = decode_sweep(&text).unwrap();
    assert_eq!((&before.plan, &before.environment), (&after.plan, &after.environment));
    assert_eq!((before.complete, before.elapsed_seconds), (after.complete, after.elapsed_seconds));
    assert_eq!(before.memory.len(), 8, "four engines, two ways");
    assert_eq!(before.memory, after.memory);
    for trial in &before.memory {
        assert_eq!(&decode_memory_trial(&encode_memory_trial(trial)).unwrap(), trial);
    }
    assert_eq!(before.trials.len(), after.trials.len());
    for (before, after) in before.trials.iter().zip(&after.trials) {
        assert_same(before, after);
        let line = encode_trial(before);
        assert!(!line.contains('\n'), "a trial is one line");
        assert_same(before, &decode_trial(&line).unwrap());
    }
}

#[test]
fn a_newer_minor_is_read_and_another_major_is_refused() {
    let text = encode_sweep(&small());
    let with = |version: &str| text.replacen("\"1.2\"", &format!("\"{version}\""), 1);
    let newer = with("1.7").replacen("\"complete\"", "\"added_by_1_7\": {\"x\": [1]}, \"complete\"", 1);
    assert_eq!(decode_sweep(&newer).unwrap().plan.name, "ycsb-a");
    for (version, word) in
        [("2.0", "newer"), ("0.9", "older"), ("1", "MAJOR.MINOR"), ("", "MAJOR"), ("1.-1", "MAJOR")]
    {
        let error = decode_sweep(&with(version)).unwrap_err();
        assert!(
            matches!(&error, WireError::Version(message) if message.contains(word)),
            "{version}: {error}"
        );
    }
    assert!(
        decode_sweep(&encode_trial(&small().trials[0])).unwrap_err().to_string().contains("kind \"trial\"")
    );
}

fn refused(change: impl FnOnce(&mut SweepResult)) -> String {
    let mut sweep = small();
    change(&mut sweep);
    decode_sweep(&encode_sweep(&sweep)).unwrap_err().to_string()
}

#[test]
fn contradictions_are_refused() {
    type Case = (&'static str, fn(&mut SweepResult));
    let cases: [Case; 27] = [
        ("time of reopening", |sweep| {
            let verification = Verification { records: 7, wrong: 0, first_fault: None, seconds: 0.25 };
            sweep.trials[0].verification = Some(verification.clone());
            sweep.trials[0].reopened =
                Some(Reopened { close_seconds: 1.0, open_seconds: -1.0, verification });
        }),
        ("without having been verified", |sweep| {
            let verification = Verification { records: 7, wrong: 0, first_fault: None, seconds: 0.25 };
            sweep.trials[0].reopened = Some(Reopened { close_seconds: 1.0, open_seconds: 1.0, verification });
        }),
        ("null", |sweep| sweep.trials[0].phases[1].wall_seconds = f64::NAN),
        ("null", |sweep| sweep.elapsed_seconds = f64::INFINITY),
        ("null", |sweep| sweep.environment.steal_fraction = f64::NAN),
        ("null", |sweep| sweep.trials[0].engine_stats.as_mut().unwrap().details[0].1 = f64::NEG_INFINITY),
        ("negative", |sweep| sweep.trials[0].phases[0].cpu_seconds = -1.0),
        ("not those of the plan", |sweep| drop(sweep.trials[0].phases.pop())),
        ("first phase", |sweep| drop(sweep.trials[0].phases.remove(0))),
        ("no phases", |sweep| sweep.trials[0].phases.clear()),
        ("twice", |sweep| sweep.trials[0].phases[1].name = LOAD.to_owned()),
        ("workers for", |sweep| drop(sweep.trials[0].phases[0].workers.pop())),
        ("workers count", |sweep| sweep.trials[0].phases[0].workers[0].operations += 1),
        ("no time", |sweep| sweep.trials[0].phases[0].workers[0].busy_ns = 0),
        ("over time", |sweep| sweep.trials[0].phases[0].series[0] += 10_000_000),
        ("another", |sweep| sweep.trials[0].label = "other".to_owned()),
        ("another", |sweep| sweep.trials[0].cell = 999),
        ("twice", |sweep| sweep.trials.push(sweep.trials[0].clone())),
        ("is missing", |sweep| drop(sweep.trials.remove(3))),
        ("the plan has none", |sweep| sweep.plan.memory = None),
        ("memory trial in bulk of \"hash\": its stages", |sweep| {
            let stage = sweep.memory[0].stages[1];
            sweep.memory[4].stages.push(stage);
        }),
        ("its stages", |sweep| _ = sweep.memory[0].stages.pop()),
        ("no stages", |sweep| sweep.memory[0].stages.clear()),
        ("another", |sweep| sweep.memory[0].cell = 2),
        ("appears twice", |sweep| sweep.memory.push(sweep.memory[0].clone())),
        ("were deleted", |sweep| sweep.memory[0].stages[4].records = 1),
        ("negative", |sweep| sweep.memory[0].stages[0].settle_seconds = -1.0),
    ];
    for (word, change) in cases {
        let message = refused(change);
        assert!(message.contains(word), "expected {word:?} in {message:?}");
    }
    let message = refused(|sweep| {
        let found = sweep.trials[0].phases[0].operations.values_mut().next().unwrap();
        let many = found.ok + 1;
        found.latency_ns.record_n(5, many).unwrap();
    });
    assert!(message.contains("times of"), "{message}");
    let text = encode_sweep(&small()).replacen("\"4096\"", "4096", 1);
    assert!(
        decode_sweep(&text.replacen("e220a8397b1dcdaf", "+220a8397b1dcdaf", 1))
            .unwrap_err()
            .to_string()
            .contains("digest")
    );
}

const LOAD: &str = crate::results::model::LOAD_PHASE;

#[test]
fn a_trial_that_failed_and_a_sweep_that_was_interrupted_are_read() {
    let mut sweep = small();
    sweep.complete = false;
    sweep.trials.truncate(3);
    sweep.trials[1].phases.truncate(1);
    sweep.trials[1].error = Some("the engine said no".to_owned());
    sweep.trials[2].phases.clear();
    sweep.trials[2].error = Some("the process was killed".to_owned());
    sweep.memory.truncate(2);
    sweep.memory[0].stages.truncate(2);
    sweep.memory[0].error = Some("a record is wrong".to_owned());
    sweep.memory[1].stages.clear();
    sweep.memory[1].error = Some("the process was killed".to_owned());
    let after = decode_sweep(&encode_sweep(&sweep)).unwrap();
    assert!(!after.complete);
    assert_eq!(after.trials[2].error.as_deref(), Some("the process was killed"));
}

#[test]
fn a_text_that_ends_anywhere_is_refused() {
    let text = encode_trial(&small().trials[0]);
    for end in (0..text.len()).step_by(101) {
        assert!(decode_trial(&text[..end]).is_err(), "cut at {end}");
    }
}
