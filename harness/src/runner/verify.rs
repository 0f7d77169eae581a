//! Reads everything back after the run: every record must be there in a version that may have been the last, nothing else
//! may be there, and the engine's own structure must be sound.

use super::judge::{Looks, named};
use super::progress::Counters;
use crate::results::model::Verification;
use crate::workload::expectation::Expectation;
use crate::workload::plan::{Bound, Plan};
use engines::{Engine, ScanRange};
use std::ops::ControlFlow;
use std::time::Instant;

/// Where there are more records than this, one in several is read back, evenly spread.
const MOST_READS: u64 = 20_000_000;
/// Records between two publications of progress.
const PUBLISHED_EVERY: u64 = 1 << 14;

/// What is verified.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The engine, idle.
    pub engine: &'a dyn Engine,
    /// The plan that its streams were drawn from.
    pub plan: &'a Plan,
    /// What keys and values look like.
    pub looks: &'a Looks,
    /// Where progress is published.
    pub counters: &'a Counters,
    /// What this is called there.
    pub phase: &'a str,
}

/// Wrong records so far, and the first of them.
#[derive(Default)]
struct Faults {
    wrong: u64,
    first: Option<String>,
}

impl Faults {
    fn add(&mut self, fault: impl FnOnce() -> String) {
        self.wrong += 1;
        self.first.get_or_insert_with(fault);
    }
}

impl Subject<'_> {
    /// Reads back what the load and the phases left; `executed` are the operations of each phase and worker.
    ///
    /// # Errors
    /// If the engine fails to answer.
    pub fn verify(self, workers: u32, executed: &[Vec<u64>]) -> Result<Verification, String> {
        let started = Instant::now();
        let expectation = Expectation::replay(self.plan, workers, executed);
        let expected = expectation.count();
        let one_in = expected.div_ceil(MOST_READS).max(1);
        self.counters.begin(self.phase, Bound::Operations(expected / one_in + expected));
        let mut faults = Faults::default();
        let records = self.expected_is_there(&expectation, one_in, &mut faults)?;
        self.nothing_else_is_there(&expectation, records, &mut faults)?;
        let counted = self.engine.stats().records;
        if counted != expected {
            faults.add(|| format!("the engine counts {counted} records where {expected} must be"));
        }
        if let Err(error) = self.engine.validate() {
            faults.add(|| error.to_string());
        }
        if one_in > 1 && faults.wrong > 0 {
            faults.first =
                faults.first.map(|first| format!("{first} (one record in {one_in} was read back)"));
        }
        let seconds = started.elapsed().as_secs_f64();
        Ok(Verification { records, wrong: faults.wrong, first_fault: faults.first, seconds })
    }

    /// Gets every expected record, or one in several. Returns how many were read.
    fn expected_is_there(
        &self,
        expectation: &Expectation,
        one_in: u64,
        faults: &mut Faults,
    ) -> Result<u64, String> {
        let mut session = self.engine.session().map_err(|error| format!("verify: {error}"))?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let step = usize::try_from(one_in).unwrap_or(usize::MAX);
        let mut read = 0_u64;
        for record in expectation.live().step_by(step) {
            self.looks.key(record, &mut key);
            let found = session
                .get(&key, &mut value)
                .map_err(|error| format!("verify: get of {}: {error}", named(&key)))?;
            read += 1;
            if !found {
                faults.add(|| format!("{} (record {record}) is missing", named(&key)));
            } else {
                match self.looks.value(record, &value) {
                    Err(fault) => faults.add(|| format!("{}: {fault}", named(&key))),
                    Ok(version) if !expectation.allows(record, version) => {
                        faults.add(|| format!("{} holds version {version:#x}, not its last", named(&key)));
                    }
                    Ok(_) => {}
                }
            }
            if read.is_multiple_of(PUBLISHED_EVERY) {
                self.counters.publish(0, read);
            }
        }
        Ok(read)
    }

    /// Visits every record, in order where there is one: none may be there that should not, none twice or out of order.
    fn nothing_else_is_there(
        &self,
        expectation: &Expectation,
        done: u64,
        faults: &mut Faults,
    ) -> Result<(), String> {
        let ordered = self.engine.capabilities().ordered_scan;
        let (mut before, mut expected_key) = (None::<Vec<u8>>, Vec::new());
        let mut visited = 0_u64;
        let mut visit = |key: &[u8], value: &[u8]| {
            visited += 1;
            if ordered {
                match &mut before {
                    Some(before) => {
                        if key <= before.as_slice() {
                            faults.add(|| format!("{} comes after {}", named(key), named(before)));
                        }
                        key.clone_into(before);
                    }
                    None => before = Some(key.to_vec()),
                }
            }
            match self.looks.entry(key, value, &mut expected_key) {
                Err(fault) => faults.add(|| format!("{}: {fault}", named(key))),
                Ok(Some((record, version))) if !expectation.allows(record, version) => {
                    let there = if expectation.exists(record) {
                        "in a version that is not its last"
                    } else {
                        "but must not be"
                    };
                    faults.add(|| format!("{} is there {there}", named(key)));
                }
                Ok(_) => {}
            }
            if visited.is_multiple_of(PUBLISHED_EVERY) {
                self.counters.publish(0, done + visited);
            }
            ControlFlow::Continue(())
        };
        let outcome = if ordered {
            let mut session = self.engine.session().map_err(|error| format!("verify: {error}"))?;
            session.scan(&ScanRange::all(), &mut visit).map(drop)
        } else {
            self.engine.for_each(&mut visit)
        };
        outcome.map_err(|error| format!("verify: visiting all records: {error}"))?;
        let expected = expectation.count();
        if visited != expected {
            faults.add(|| format!("{visited} records are visited where {expected} must be"));
        }
        Ok(())
    }
}
