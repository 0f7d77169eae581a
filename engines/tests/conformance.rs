//! Runs the conformance suite over every engine of the registry, and shows that the suite passes a right engine and
//! catches wrong ones.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the code of a test reports by panicking and prints what it tried"
)]

#[path = "conformance/fault.rs"]
mod fault;
#[path = "conformance/faulty.rs"]
mod faulty;
#[path = "conformance/subjects.rs"]
mod subjects;

use engines::entry::{Kind, OpenOptions};
use engines::testing::{Check, Group, Reference, Subject, checks};
use engines::{Capabilities, Durability, Engine, Error, registry};
use fault::{FAULTS, FAULTS_FOR_HISTORIES, FAULTS_FOR_RANDOM_SEQUENCES, Fault};
use faulty::Faulty;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use subjects::{default_name, instruments, subjects};

/// A check takes a second at most; the rest is for machines that do ten other things.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a fault may hang before the hang counts as found.
const HANG: Duration = Duration::from_secs(1);
/// Random cases that are enough to find a fault.
const FAULTY_CASES: u32 = 300;

/// Runs a group of checks over every engine that stores data.
fn run(group: Group) {
    for subject in subjects() {
        let ran = run_on(&subject, group);
        println!("{}: {ran} checks, {}", subject.name(), subject.tally().summary());
    }
}

fn run_on(subject: &Subject, group: Group) -> usize {
    let of_group = checks().filter(|check| check.group == group);
    of_group.filter(|check| !is_known_to_fail(subject, check) && check.verify(subject, LIMIT)).count()
}

/// Whether the engine admits that it fails the check. Said aloud; that it does fail is [`known_faults_show`]'s to see.
fn is_known_to_fail(subject: &Subject, check: &Check) -> bool {
    let known = subject.capabilities().known_faults.iter().find(|fault| fault.check == check.name);
    if let Some(fault) = known {
        println!("{}: known to fail '{}': {}", subject.name(), check.name, fault.reason);
    }
    known.is_some()
}

/// How often a check is tried whose failure takes threads in an unlucky order.
const ATTEMPTS: usize = 50;

/// How long a failure that is rare may take to show.
const RARE_LIMIT: Duration = Duration::from_secs(5);

/// What an engine is known to break is a check of the suite, applies to it, and fails, unless it does so rarely; our own
/// engines break none.
#[test]
fn known_faults_show() {
    for subject in subjects() {
        let capabilities = subject.capabilities();
        let own = registry::find(subject.open().name()).is_ok_and(|entry| entry.kind == Kind::Own);
        assert!(!own || capabilities.known_faults.is_empty(), "{}", subject.name());
        for fault in capabilities.known_faults {
            let check = checks().find(|check| check.name == fault.check).expect("a check of this name");
            assert!((check.applies)(&capabilities), "'{}' does not apply to {}", fault.check, subject.name());
            let (attempts, limit) = if fault.rare { (1, RARE_LIMIT) } else { (ATTEMPTS, LIMIT) };
            let shown = (0..attempts).find_map(|_| check.failure(&subject, limit));
            match shown {
                Some(message) => {
                    println!("{}: '{}' fails as known: {message}", subject.name(), fault.check)
                }
                None if fault.rare => {
                    println!("{}: '{}' fails rarely, not now", subject.name(), fault.check)
                }
                None => {
                    panic!("{} passes '{}' now: it is no known fault any more", subject.name(), fault.check)
                }
            }
        }
    }
}

#[test]
fn point_operations() {
    run(Group::Points);
}

#[test]
fn batches() {
    run(Group::Batches);
}

#[test]
fn scans() {
    run(Group::Scans);
}

#[test]
fn limits() {
    run(Group::Limits);
}

#[test]
fn refusals() {
    run(Group::Refusals);
}

#[test]
fn figures() {
    run(Group::Figures);
}

#[test]
fn loading() {
    run(Group::Loading);
}

#[test]
fn reentrancy() {
    run(Group::Reentrancy);
}

#[test]
fn threads() {
    run(Group::Threads);
}

#[test]
fn visibility() {
    run(Group::Visibility);
}

#[test]
fn histories() {
    run(Group::Histories);
}

/// Random cases that each engine of the registry must be put to.
const LEAST_CASES: u64 = 2_000;

#[test]
fn random_sequences() {
    let mut cases: BTreeMap<&str, u64> = BTreeMap::new();
    for subject in subjects() {
        run_on(&subject, Group::Randomized);
        println!("{}: {}", subject.name(), subject.tally().summary());
        *cases.entry(subject.open().name()).or_default() += subject.tally().cases.load(Relaxed);
    }
    assert!(!cases.is_empty() && cases.values().all(|cases| *cases >= LEAST_CASES), "{cases:?}");
}

/// Instruments that measure the harness keep nothing, or fail on purpose. They run only through what every engine owes:
/// refusals by type, and limits.
#[test]
fn instruments_refuse_like_engines() {
    for subject in instruments() {
        let ran = run_on(&subject, Group::Refusals) + run_on(&subject, Group::Limits);
        println!("{}: {ran} checks, {}", subject.name(), subject.tally().summary());
        assert!(ran >= 2, "{}", subject.name());
    }
}

#[test]
fn entries_describe_what_they_open() {
    for entry in registry::entries() {
        let unknown =
            OpenOptions { options: serde_json::json!({ "no_such_option": 1 }), ..OpenOptions::default() };
        let refused = (entry.open)(&unknown).err();
        assert!(matches!(refused, Some(Error::InvalidOption { .. })), "{}: {refused:?}", entry.name);
        for class in [Durability::None, Durability::Buffered, Durability::Sync] {
            if !entry.capabilities.durability.contains(&class) {
                let refused =
                    registry::open(entry.name, &OpenOptions { durability: class, ..OpenOptions::default() })
                        .err();
                assert!(
                    matches!(refused, Some(Error::UnsupportedDurability { .. })),
                    "{}: {refused:?}",
                    entry.name
                );
            }
        }
    }
    let opened: Vec<_> = subjects().into_iter().chain(instruments()).collect();
    for entry in registry::entries() {
        let name = default_name(entry, Durability::None);
        let Some(subject) = opened.iter().find(|subject| subject.name() == name) else { continue };
        assert_eq!(subject.open().name(), entry.name);
        assert_eq!(subject.capabilities(), entry.capabilities, "{}", entry.name);
    }
}

/// A subject that is right, with fewer capabilities in each of several ways.
fn right_engines() -> Vec<Subject> {
    let full = Reference::CAPABILITIES;
    let variants = [
        ("full", full),
        (
            "without order",
            Capabilities { ordered_scan: false, reverse_scan: false, scan_snapshot: false, ..full },
        ),
        ("upwards only", Capabilities { reverse_scan: false, ..full }),
        ("scans without a snapshot", Capabilities { scan_snapshot: false, ..full }),
        ("blind deletes", Capabilities { delete_reports: false, ..full }),
        ("read-only", Capabilities { writes: false, ..full }),
        ("short keys", Capabilities { max_key_bytes: 300, max_value_bytes: 2_000, ..full }),
    ];
    let subject = |(name, capabilities): (&str, Capabilities)| {
        Subject::new(format!("reference {name}"), move || Box::new(Reference::with(capabilities)))
            .with_cases(100)
    };
    variants.into_iter().map(subject).collect()
}

#[test]
fn the_suite_passes_a_right_engine() {
    for subject in right_engines() {
        let ran = checks().filter(|check| check.verify(&subject, LIMIT)).count();
        println!("{}: {ran} checks, {}", subject.name(), subject.tally().summary());
        assert!(ran >= 5, "{}", subject.name());
    }
    let faultless =
        Subject::new("faulty without a fault", || Box::new(Faulty::new(Fault::None))).with_cases(100);
    assert!(checks().all(|check| {
        check.verify(&faultless, LIMIT);
        true
    }));
}

/// Whether the check of this name fails on an engine with this fault, and in the way the fault must show.
fn finds(name: &str, fault: Fault) -> bool {
    let check = checks().find(|check| check.name == name).expect("a check of this name");
    let open = move || -> Box<dyn Engine> { Box::new(Faulty::new(fault)) };
    let subject = Subject::new(format!("{fault:?}"), open).with_cases(FAULTY_CASES);
    assert!((check.applies)(&subject.capabilities()), "'{name}' does not apply to {fault:?}");
    let failure = check.failure(&subject, if fault.hangs() { HANG } else { LIMIT });
    failure.is_some_and(|message| message.contains("has not ended") == fault.hangs())
}

const HISTORIES: &str = "histories of few keys among waves of neighbours are linearizable";
const RANDOM_SEQUENCES: &str = "random sequences of operations do what the model does";

#[test]
fn the_suite_catches_a_wrong_engine() {
    let missed: Vec<_> = FAULTS.iter().filter(|(fault, check)| !finds(check, *fault)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn random_sequences_catch_a_wrong_engine() {
    let faults = FAULTS_FOR_RANDOM_SEQUENCES.iter();
    let missed: Vec<_> = faults.filter(|fault| !finds(RANDOM_SEQUENCES, **fault)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn histories_catch_a_wrong_engine() {
    let faults = FAULTS_FOR_HISTORIES.iter();
    let missed: Vec<_> = faults.filter(|fault| !finds(HISTORIES, **fault)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// A check that nothing can fail checks nothing.
#[test]
fn every_check_can_fail() {
    for check in checks().filter(|check| check.group != Group::Randomized) {
        assert!(FAULTS.iter().any(|(_, name)| *name == check.name), "no fault is found by '{}'", check.name);
    }
}
