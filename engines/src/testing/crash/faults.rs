//! Calls of the file system that fail, each in turn.

use super::subject::{CrashSubject, digest, records};
use super::trace::{Step, Trace};
use crate::engine::{Durability, Engine};
use crate::env::sim::{Fault, FaultKind, Persistence, SimFileSystem, SimRandom};
use crate::error::Error;
use std::io::ErrorKind;

/// What was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// Calls of a trace, each of which failed in every way.
    pub calls: u64,
    /// Faults that were injected.
    pub injected: u64,
    /// Those that somebody was told of.
    pub told: u64,
    /// Those after which nothing was written any more.
    pub poisoned: u64,
    /// Images that were opened afterwards.
    pub images: u64,
}

const KINDS: [FaultKind; 4] = [
    FaultKind::Error(ErrorKind::Other),
    FaultKind::Error(ErrorKind::StorageFull),
    FaultKind::Error(ErrorKind::Interrupted),
    FaultKind::Short,
];

/// Errors after which a trace is given up: whoever goes on sees the same again.
const ERRORS_MOST: usize = 3;

/// What may be there, and what was acknowledged.
struct Course<'a> {
    subject: &'a CrashSubject,
    trace: &'a Trace,
    /// Records that may be there, by which of the writes that failed are in effect.
    possible: Vec<Trace>,
}

/// Runs the trace once for each call it makes and each way that call may fail, once and for good.
///
/// # Panics
/// If a write is acknowledged and lost, one is in effect that was refused in a way that says it is not, reads fail, or what is left does not open.
pub fn failing_calls(subject: &CrashSubject, trace: &Trace) -> Faults {
    let mut faults = Faults::default();
    for call in 0.. {
        let mut was_reached = false;
        for kind in KINDS {
            for for_good in [false, true] {
                // Nobody is interrupted for ever, and a call that is always short is no failure.
                if for_good && !matches!(kind, FaultKind::Error(ErrorKind::Other | ErrorKind::StorageFull)) {
                    continue;
                }
                let fault = Fault { call, kind, for_good };
                was_reached |= Course::new(subject, trace).run(fault, &mut faults);
            }
        }
        if !was_reached {
            faults.calls = call;
            return faults;
        }
    }
    faults
}

impl<'a> Course<'a> {
    fn new(subject: &'a CrashSubject, trace: &'a Trace) -> Self {
        let nothing = Trace { steps: Vec::new(), states: Vec::new() };
        Self { subject, trace, possible: vec![nothing] }
    }

    /// A write was acknowledged: it is in effect in whatever may be there.
    fn acknowledge(&mut self, step: &Step) {
        self.possible.iter_mut().for_each(|possible| possible.steps.push(step.clone()));
    }

    /// A write failed: it may be in effect or not.
    fn doubt(&mut self, step: &Step) {
        let mut with = self.possible.clone();
        with.iter_mut().for_each(|possible| possible.steps.push(step.clone()));
        self.possible.append(&mut with);
    }

    /// What may be there; under a class that syncs later, also after any shorter prefix that covers what was synced.
    fn allowed(&self, synced: usize) -> Vec<u64> {
        let mut allowed = Vec::new();
        for possible in &self.possible {
            let least = if self.subject.class() == Durability::Sync { possible.steps.len() } else { synced };
            let mut records = std::collections::BTreeMap::new();
            for (number, step) in possible.steps.iter().enumerate() {
                if number >= least {
                    allowed.push(digest(&records));
                }
                step.apply_to(&mut records);
            }
            allowed.push(digest(&records));
        }
        allowed
    }

    /// Runs the trace with one fault. `false`: the call was never made.
    fn run(mut self, fault: Fault, faults: &mut Faults) -> bool {
        let mut system = SimFileSystem::new();
        system.inject(fault);
        let (mut errors, mut synced) = (0, 0);
        let mut engine = None;
        for step in self.trace.steps.iter().chain([&Step::Reopen]) {
            let current = match engine.take() {
                Some(engine) => engine,
                None => match self.subject.open(&system) {
                    Ok(opened) => opened,
                    Err(_) => {
                        errors += 1;
                        break;
                    }
                },
            };
            let answer = match step {
                Step::Reopen => current.close().map(|()| false),
                Step::Kill => {
                    system = system.kill();
                    drop(current);
                    Ok(false)
                }
                step => {
                    let answer = self.subject.answer(&*current, step);
                    engine = Some(current);
                    answer
                }
            };
            match answer {
                Ok(true) => self.acknowledge(step),
                Ok(false) if step.makes_durable() && !matches!(step, Step::Kill) => {
                    synced = self.possible.iter().map(|possible| possible.steps.len()).min().unwrap_or(0);
                }
                Ok(false) => {}
                Err(error) => {
                    errors += 1;
                    faults.poisoned += u64::from(matches!(error, Error::Poisoned { .. }));
                    let is_told =
                        matches!(error, Error::Poisoned { .. } | Error::Io { .. } | Error::Damaged { .. });
                    assert!(is_told, "{}: {fault:?}: {step:?}: {error}", self.subject.name());
                    if step.is_write() {
                        self.doubt(step);
                    }
                    if let Some(engine) = &engine {
                        self.reads_go_on(&**engine, fault);
                    }
                    if errors >= ERRORS_MOST {
                        break;
                    }
                }
            }
        }
        let was_reached = system.calls() > fault.call;
        if was_reached {
            faults.injected += 1;
            faults.told += u64::from(errors > 0);
            system.heal();
            self.open_what_is_left(&system, engine, synced, fault, faults);
        }
        was_reached
    }

    fn reads_go_on(&self, engine: &dyn Engine, fault: Fault) {
        let shown = digest(&records(engine));
        let name = self.subject.name();
        // Under any class, since what is seen need not be durable.
        let may_be = self.allowed(usize::MAX).contains(&shown);
        assert!(may_be, "{name}: {fault:?}: reads show what cannot be");
    }

    /// The process ends, or the machine does.
    fn open_what_is_left(
        &self,
        system: &SimFileSystem,
        engine: Option<Box<dyn Engine>>,
        synced: usize,
        fault: Fault,
        faults: &mut Faults,
    ) {
        let killed = system.kill();
        drop(engine);
        let after_cut = self.allowed(synced);
        for (seed, persistence) in Persistence::ALL.into_iter().enumerate() {
            let image = killed.image(persistence, &mut SimRandom::new(fault.call * 8 + seed as u64));
            let shown = self.subject.state_of(&image, &format!("{fault:?}, then {persistence:?}"));
            assert!(
                after_cut.contains(&shown),
                "{}: {fault:?}, then {persistence:?}: lost or invented",
                self.subject.name()
            );
            faults.images += 1;
        }
        let shown = self.subject.state_of(&killed, &format!("{fault:?}, then a kill"));
        assert!(
            self.allowed(usize::MAX).contains(&shown),
            "{}: {fault:?}: lost or invented by a kill",
            self.subject.name()
        );
        faults.images += 1;
    }
}

impl CrashSubject {
    fn answer(&self, engine: &dyn Engine, step: &Step) -> crate::error::Result<bool> {
        let mut session = engine.session()?;
        step.run(engine, &mut *session)
    }
}
