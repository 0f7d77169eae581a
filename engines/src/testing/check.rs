//! The list of all checks of the conformance suite.

use super::subject::Subject;
use super::time_limit::within;
use super::{
    batches, contention, figures, limits, loading, points, randomized, reentrancy, refusals, scans, threads,
    visibility,
};
use crate::engine::Capabilities;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What a check is about; a test function runs one group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Get, set, update, delete, get_many.
    Points,
    /// Batches.
    Batches,
    /// Scans and `for_each` on a quiet engine.
    Scans,
    /// The longest keys, values and batches.
    Limits,
    /// What is unsupported is refused as such.
    Refusals,
    /// Counts and memory.
    Figures,
    /// Bulk load.
    Loading,
    /// Visitors that use the engine.
    Reentrancy,
    /// Several threads on point operations.
    Threads,
    /// What batches and scans show while others write.
    Visibility,
    /// Histories of concurrent operations.
    Histories,
    /// Random sequences of operations against the model.
    Randomized,
}

/// One check of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What must hold, as a sentence.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// Whether an engine with these capabilities can be put to it.
    pub applies: fn(&Capabilities) -> bool,
    /// Panics when it does not hold.
    pub run: fn(&Subject),
}

impl Check {
    /// Runs the check on the subject unless its capabilities rule it out; tells whether it ran.
    ///
    /// # Panics
    /// When the check fails or has not ended within `limit`.
    pub fn verify(&self, subject: &Subject, limit: Duration) -> bool {
        if !(self.applies)(&subject.capabilities()) {
            return false;
        }
        let (run, subject_of_thread) = (self.run, subject.clone());
        within(limit, &format!("{}: {}", subject.name(), self.name), move || run(&subject_of_thread));
        true
    }

    /// The message the check fails with, if it applies and fails: to show that it can.
    pub fn failure(&self, subject: &Subject, limit: Duration) -> Option<String> {
        let panic = catch_unwind(AssertUnwindSafe(|| self.verify(subject, limit))).err()?;
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Some(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned())
    }
}

/// All checks.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [
        points::CHECKS,
        batches::CHECKS,
        scans::CHECKS,
        limits::CHECKS,
        refusals::CHECKS,
        figures::CHECKS,
        loading::CHECKS,
        reentrancy::CHECKS,
        threads::CHECKS,
        visibility::CHECKS,
        contention::CHECKS,
        randomized::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Applies to engines that keep what is written to them.
pub(super) const fn retains(capabilities: &Capabilities) -> bool {
    capabilities.retains_data
}

/// Applies to engines that keep what is written to them, one record after the other.
pub(super) const fn retains_writes(capabilities: &Capabilities) -> bool {
    capabilities.retains_data && capabilities.writes
}

/// Applies to engines that scan in order.
pub(super) const fn scans_in_order(capabilities: &Capabilities) -> bool {
    capabilities.retains_data && capabilities.ordered_scan
}

/// Applies to engines that take writes and scan in order.
pub(super) const fn writes_and_scans(capabilities: &Capabilities) -> bool {
    retains_writes(capabilities) && capabilities.ordered_scan
}
