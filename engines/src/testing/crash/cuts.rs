//! Cuts of the power, anywhere in a trace and anywhere in the recovery after one.

use super::subject::CrashSubject;
use super::trace::{Step, Trace};
use crate::engine::{Durability, Engine};
use crate::env::sim::{Persistence, SimFileSystem, SimRandom};
use parking_lot::Mutex;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Which images are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// Of the changes that are stores or writes one in so many is looked at, in one random image; all others in an image of each kind.
    pub writes_one_in: usize,
    /// Of the images within a trace one in so many is opened change by change.
    pub recoveries_one_in: usize,
    /// Decides which.
    pub seed: u64,
}

/// What was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cuts {
    /// Steps of the trace.
    pub steps: u64,
    /// Changes of files in it.
    pub changes: u64,
    /// Images that were opened.
    pub images: u64,
    /// First cuts whose recovery was cut.
    pub recoveries: u64,
}

/// Which states of the trace may be found now.
#[derive(Debug)]
struct Watch {
    subject: CrashSubject,
    states: Vec<u64>,
    /// Steps that are durable at least, and steps that have begun.
    allowed: RangeInclusive<usize>,
    random: SimRandom,
    sampling: Sampling,
    cuts: Cuts,
    /// Images whose recovery is to be cut, and what may be found after that.
    kept: Vec<(SimFileSystem, RangeInclusive<usize>)>,
}

impl std::fmt::Debug for CrashSubject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrashSubject").field("name", &self.name()).field("class", &self.class()).finish()
    }
}

impl Watch {
    /// Called before each change.
    fn look(&mut self, system: &SimFileSystem, what: &'static str) {
        self.cuts.changes += 1;
        let kinds = if matches!(what, "store" | "write") {
            if self.random.below(self.sampling.writes_one_in) > 0 {
                return;
            }
            let kind = self.random.below(Persistence::ALL.len());
            Persistence::ALL.get(kind..=kind).unwrap_or_default()
        } else {
            &Persistence::ALL
        };
        for kind in kinds {
            let image = system.image(*kind, &mut self.random);
            if self.random.below(self.sampling.recoveries_one_in) == 0 {
                self.kept.push((image.fork(), self.allowed.clone()));
            }
            self.check(&image, &format!("{kind:?} before {what}, change {}", self.cuts.changes));
        }
    }

    /// Opens an image, and tells which step's state it shows.
    fn check(&mut self, image: &SimFileSystem, what: &str) {
        let found = self.subject.state_of(image, what);
        self.cuts.images += 1;
        let allowed = self.states.get(self.allowed.clone()).unwrap_or_default();
        if !allowed.contains(&found) {
            let which = self.states.iter().position(|state| *state == found);
            let name = self.subject.name();
            match which {
                Some(step) => panic!("{name}: {what}: shows step {step}, where {:?} may be", self.allowed),
                None => panic!("{name}: {what}: shows what never was; {:?} may be", self.allowed),
            }
        }
    }
}

/// Runs the trace, and looks at what cuts of the power before its changes leave.
///
/// # Panics
/// If a cut loses what was acknowledged as durable, or leaves anything but what a prefix of the writes did.
pub fn power_cuts(subject: &CrashSubject, trace: &Trace, sampling: Sampling) -> (Cuts, Kept) {
    let mut system = SimFileSystem::new();
    let watch = Arc::new(Mutex::new(Watch {
        subject: subject.clone(),
        states: trace.states.clone(),
        allowed: 0..=0,
        random: SimRandom::new(sampling.seed),
        sampling,
        cuts: Cuts { steps: trace.steps.len() as u64, ..Cuts::default() },
        kept: Vec::new(),
    }));
    let watched = Arc::clone(&watch);
    system.observe(Some(Box::new(move |system, what| watched.lock().look(system, what))));
    let mut engine = subject.open(&system).expect("a new store");
    let mut done = 0;
    while done < trace.steps.len() {
        done = run_until_opening(&*engine, trace, done, subject.class(), &watch);
        match trace.steps.get(done) {
            Some(Step::Kill) => {
                system = system.kill();
                drop(engine);
            }
            Some(_) => engine.close().expect("closed"),
            None => break,
        }
        engine = subject.open(&system).expect("opened again");
        done += 1;
        // What an opening has shown is durable.
        let mut watch = watch.lock();
        watch.allowed = done..=done;
    }
    system.observe(None);
    assert_eq!(super::subject::state(&*engine), trace.states[trace.steps.len()], "{}", subject.name());
    drop(engine);
    let mut watch = watch.lock();
    let cuts = watch.cuts;
    (cuts, Kept(std::mem::take(&mut watch.kept)))
}

/// Images whose recovery is to be cut.
#[derive(Debug)]
pub struct Kept(Vec<(SimFileSystem, RangeInclusive<usize>)>);

/// Runs steps up to the next opening; tells its number.
fn run_until_opening(
    engine: &dyn Engine,
    trace: &Trace,
    from: usize,
    class: Durability,
    watch: &Mutex<Watch>,
) -> usize {
    let mut session = engine.session().expect("a session");
    for (number, step) in trace.steps.iter().enumerate().skip(from) {
        if matches!(step, Step::Reopen | Step::Kill) {
            return number;
        }
        {
            let mut watch = watch.lock();
            watch.allowed = *watch.allowed.start()..=number + 1;
        }
        step.run(engine, &mut *session).expect("done");
        if class == Durability::Sync || step.makes_durable() {
            watch.lock().allowed = number + 1..=number + 1;
        }
    }
    trace.steps.len()
}

/// Opens images that cuts have left, and cuts the power before each change of that.
///
/// # Panics
/// If a second cut leaves what the first one could not.
pub fn cuts_within_recovery(subject: &CrashSubject, trace: &Trace, kept: Kept, seed: u64) -> Cuts {
    let mut total = Cuts::default();
    for (index, (image, allowed)) in kept.0.into_iter().enumerate() {
        let sampling = Sampling { writes_one_in: 1, recoveries_one_in: usize::MAX, seed };
        let watch = Arc::new(Mutex::new(Watch {
            subject: subject.clone(),
            states: trace.states.clone(),
            allowed,
            random: SimRandom::new(seed + index as u64),
            sampling,
            cuts: Cuts::default(),
            kept: Vec::new(),
        }));
        let watched = Arc::clone(&watch);
        image.observe(Some(Box::new(move |system, what| watched.lock().look(system, what))));
        let engine = subject.open(&image).expect("opened");
        image.observe(None);
        let shown = super::subject::state(&*engine);
        drop(engine);
        // What one opening has shown, the next one shows.
        assert_eq!(subject.state_of(&image, "opened again"), shown, "{}", subject.name());
        let cuts = watch.lock().cuts;
        total.changes += cuts.changes;
        total.images += cuts.images;
        total.recoveries += 1;
    }
    total
}
