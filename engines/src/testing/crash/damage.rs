//! Files that are not what was written: a bit flipped in any byte, files missing, doubled, exchanged, or of another store.

use super::subject::{CrashSubject, records, state};
use super::trace::{Step, Trace};
use crate::env::sim::SimFileSystem;
use crate::error::Error;
use std::path::PathBuf;

/// What was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Damage {
    /// Files of the store.
    pub files: u64,
    /// Damages.
    pub tried: u64,
    /// Those that an opening refused.
    pub refused: u64,
    /// Those without effect: what was opened was right.
    pub harmless: u64,
}

/// A store after a trace: closed, or killed.
fn store_of(subject: &CrashSubject, trace: &Trace, is_closed: bool) -> SimFileSystem {
    let mut system = SimFileSystem::new();
    let mut engine = subject.open(&system).expect("a new store");
    for step in &trace.steps {
        match step {
            Step::Reopen => {
                engine.close().expect("closed");
                engine = subject.open(&system).expect("opened again");
            }
            Step::Kill => {
                system = system.kill();
                drop(engine);
                engine = subject.open(&system).expect("opened again");
            }
            step => {
                let mut session = engine.session().expect("a session");
                step.run(&*engine, &mut *session).expect("done");
            }
        }
    }
    if is_closed {
        engine.close().expect("closed");
        return system.fork();
    }
    let killed = system.kill();
    drop(engine);
    killed.fork()
}

/// Opens a damaged store. It must refuse, or show what was there; what a killed process had not synced may be shorter.
fn check(
    subject: &CrashSubject,
    trace: &Trace,
    damaged: &SimFileSystem,
    is_closed: bool,
    counts: &mut Damage,
    what: &str,
) {
    counts.tried += 1;
    match subject.open(damaged) {
        Ok(engine) => {
            let shown = state(&*engine);
            let last = trace.states.len() - 1;
            let is_right = shown == trace.states[last] || (!is_closed && trace.states.contains(&shown));
            assert!(
                is_right,
                "{}: {what}: shows {} records that never were together",
                subject.name(),
                records(&*engine).len()
            );
            counts.harmless += 1;
        }
        Err(
            Error::Damaged { .. }
            | Error::UnknownVersion { .. }
            | Error::NotAStore { .. }
            | Error::OtherEngine { .. },
        ) => counts.refused += 1,
        Err(error) => panic!("{}: {what}: {error}", subject.name()),
    }
}

/// Flips bits in every byte of every file of a store, one after the other.
///
/// # Panics
/// If a store opens with anything but what was written, or with an error that says something else.
pub fn flipped_bits(subject: &CrashSubject, trace: &Trace, bits: &[u8], is_closed: bool) -> Damage {
    let whole = store_of(subject, trace, is_closed);
    let mut counts = Damage::default();
    for path in whole.files() {
        counts.files += 1;
        let bytes = whole.contents(&path).expect("a file");
        for at in 0..bytes.len() {
            for bit in bits {
                let damaged = whole.fork();
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                damaged.plant(&path, &flipped);
                check(
                    subject,
                    trace,
                    &damaged,
                    is_closed,
                    &mut counts,
                    &format!("byte {at} of {}", path.display()),
                );
            }
        }
    }
    counts
}

/// Takes each file away, empties it, puts it in the place of each other, and puts that of another store, or of an earlier moment, in its place.
///
/// # Panics
/// As [`flipped_bits`]; and if a store without its marker opens at all.
pub fn exchanged_files(subject: &CrashSubject, trace: &Trace) -> Damage {
    let whole = store_of(subject, trace, true);
    let other = store_of(subject, &Trace::new(trace.steps.len(), 77), true);
    let earlier = Trace { steps: trace.steps[..trace.steps.len() / 2].to_vec(), ..trace.clone() };
    let earlier = store_of(subject, &earlier, true);
    let mut counts = Damage::default();
    let files = whole.files();
    let mut attempt = |what: String, change: &dyn Fn(&SimFileSystem)| {
        let damaged = whole.fork();
        change(&damaged);
        check(subject, trace, &damaged, true, &mut counts, &what);
    };
    for path in &files {
        let name = path.display().to_string();
        attempt(format!("without {name}"), &|system| system.uproot(path));
        attempt(format!("{name} empty"), &|system| system.plant(path, &[]));
        for another in files.iter().filter(|another| *another != path) {
            let bytes = whole.contents(another).expect("a file");
            attempt(format!("{} as {name}", another.display()), &|system| system.plant(path, &bytes));
        }
        for store in [&other, &earlier] {
            if let Some(bytes) = store.contents(path) {
                attempt(format!("another store's {name}"), &|system| system.plant(path, &bytes));
            }
        }
    }
    for store in [&other, &earlier] {
        for path in store.files().into_iter().filter(|path| !files.contains(path)) {
            let bytes = store.contents(&path).expect("a file");
            attempt(format!("another store's {} beside", path.display()), &|system| {
                system.plant(&path, &bytes)
            });
        }
    }
    counts.files = files.len() as u64;
    let marker: Vec<&PathBuf> = files.iter().filter(|path| path.ends_with("STORE")).collect();
    assert_eq!(marker.len(), 1, "one marker");
    for path in marker {
        let without = whole.fork();
        without.uproot(path);
        let before = without.files();
        assert!(
            matches!(subject.open(&without), Err(Error::NotAStore { .. })),
            "a store without its marker is no empty one"
        );
        assert_eq!(without.files(), before, "nothing was touched");
    }
    counts
}
