//! Run phases: what bounds them, what they are made of, and what that means for their reads.

use super::diagnostic::{Diagnostic, grouped, quote};
use super::limits::{
    DEFAULT_MULTIGET_SIZE, DEFAULT_REQUEST, DEFAULT_SCAN_MAX, DEFAULT_SCAN_MIN, MAX_DURATION, MAX_INSERTS,
    MAX_MULTIGET_SIZE, MAX_OPERATIONS, MAX_PHASES, MAX_SCAN_LENGTH, MIN_DURATION, PROPORTION_TOLERANCE,
};
use super::located::{Located, Place};
use super::operation::OperationKind;
use super::plan::{Bound, Mix, PhasePlan, ScanPlan, SizeDistribution};
use super::planner::{count, identifier, narrow, share, time};
use super::request::RequestSpec;
use super::size;
use super::spec::PhaseSpec;
use std::collections::BTreeSet;

/// The name of the load in results, which no phase may have.
const LOAD: &str = "load";

/// Plans all phases.
///
/// # Errors
/// The first fault, with its place.
pub fn plan(phases: &Located<Vec<Located<PhaseSpec>>>) -> Result<Vec<PhasePlan>, Diagnostic> {
    let number = phases.value.len();
    if !(1..=MAX_PHASES).contains(&number) {
        let message = format!("a workload has 1 to {MAX_PHASES} phases, not {number}");
        return Err(Diagnostic::new(phases.place, message));
    }
    let mut names = BTreeSet::new();
    let mut every_read_hits = true;
    let mut planned = Vec::with_capacity(number);
    for Located { value: phase, place } in &phases.value {
        identifier(&phase.name, "phase")?;
        let name = phase.name.value.as_str();
        if name == LOAD {
            let message = "a phase cannot be called 'load'; that is the load before all phases";
            return Err(Diagnostic::new(phase.name.place, message));
        }
        if !names.insert(name) {
            return Err(Diagnostic::new(phase.name.place, format!("two phases are called {}", quote(name))));
        }
        let mix = mix(phase, *place)?;
        every_read_hits &= mix.delete <= 0.0;
        check_inserts(phase, &mix)?;
        let request = phase.request_distribution.or(RequestSpec::named(DEFAULT_REQUEST));
        planned.push(PhasePlan {
            name: name.to_owned(),
            bound: bound(phase, *place)?,
            mix,
            request: request.value.resolve(request.place)?,
            multiget_size: multiget_size(phase, &mix)?,
            scan: scan(phase, &mix)?,
            every_read_hits,
        });
    }
    Ok(planned)
}

fn bound(phase: &PhaseSpec, place: Place) -> Result<Bound, Diagnostic> {
    let name = quote(&phase.name.value);
    match (phase.duration.get(), phase.operations.get()) {
        (Some(given), None) => {
            time("duration", &phase.duration, given.value.0, MIN_DURATION..=MAX_DURATION).map(Bound::Duration)
        }
        (None, Some(given)) => {
            count("operations", &phase.operations, given.value.0, 1..=MAX_OPERATIONS).map(Bound::Operations)
        }
        (None, None) => Err(Diagnostic::new(
            place,
            format!("phase {name} has no end; give it a 'duration' or 'operations'"),
        )),
        (Some(_), Some(given)) => {
            let message = format!("phase {name} has both 'duration' and 'operations'; give it one of them");
            Err(Diagnostic::new(given.place, message))
        }
    }
}

/// Refuses more inserts than a phase has record numbers for.
#[expect(clippy::cast_precision_loss, reason = "compared with a limit that is far from exact")]
fn check_inserts(phase: &PhaseSpec, mix: &Mix) -> Result<(), Diagnostic> {
    let Some(operations) = phase.operations.get() else { return Ok(()) };
    if operations.value.0 as f64 * mix.insert > MAX_INSERTS as f64 {
        let name = quote(&phase.name.value);
        let message = format!("phase {name} inserts more than {} records", grouped(MAX_INSERTS));
        return Err(Diagnostic::new(operations.place, message));
    }
    Ok(())
}

fn mix(phase: &PhaseSpec, place: Place) -> Result<Mix, Diagnostic> {
    let mix = Mix {
        read: share("read_proportion", &phase.read_proportion)?,
        update: share("update_proportion", &phase.update_proportion)?,
        insert: share("insert_proportion", &phase.insert_proportion)?,
        scan: share("scan_proportion", &phase.scan_proportion)?,
        read_modify_write: share("read_modify_write_proportion", &phase.read_modify_write_proportion)?,
        delete: share("delete_proportion", &phase.delete_proportion)?,
        multiget: share("multiget_proportion", &phase.multiget_proportion)?,
    };
    let parts = || OperationKind::ALL.into_iter().filter(|kind| mix.of(*kind) > 0.0);
    let sum: f64 = parts().map(|kind| mix.of(kind)).sum();
    if (sum - 1.0).abs() > PROPORTION_TOLERANCE {
        let name = quote(&phase.name.value);
        let parts: Vec<_> = parts().map(|kind| format!("{} {}", kind.name(), mix.of(kind))).collect();
        let message = if parts.is_empty() {
            format!("phase {name} does nothing; give it a '…_proportion'")
        } else {
            let sum = (sum * 1e6).round() / 1e6;
            format!("the proportions of phase {name} sum to {sum}, not 1 ({})", parts.join(" + "))
        };
        return Err(Diagnostic::new(place, message));
    }
    Ok(mix)
}

/// Keys of a multiget; 0 where there is none.
fn multiget_size(phase: &PhaseSpec, mix: &Mix) -> Result<u32, Diagnostic> {
    if mix.multiget > 0.0 {
        let range = 1..=MAX_MULTIGET_SIZE;
        return count("multiget_size", &phase.multiget_size, DEFAULT_MULTIGET_SIZE, range).map(narrow);
    }
    let Some(given) = phase.multiget_size.get() else { return Ok(0) };
    let message =
        format!("'multiget_size' has no effect: phase {} has no multigets", quote(&phase.name.value));
    Err(Diagnostic::new(given.place, message)
        .hint("give the phase a 'multiget_proportion', or drop the field"))
}

fn scan(phase: &PhaseSpec, mix: &Mix) -> Result<ScanPlan, Diagnostic> {
    let given = [
        ("scan_length", phase.scan_length.get().map(|given| given.place)),
        ("scan_reverse", phase.scan_reverse.get().map(|given| given.place)),
        ("scan_keys_only", phase.scan_keys_only.get().map(|given| given.place)),
    ];
    if mix.scan <= 0.0
        && let Some((field, place)) = given.into_iter().find_map(|(field, place)| Some((field, place?)))
    {
        let message = format!("'{field}' has no effect: phase {} does not scan", quote(&phase.name.value));
        return Err(
            Diagnostic::new(place, message).hint("give the phase a 'scan_proportion', or drop the field")
        );
    }
    let length = match phase.scan_length.get() {
        Some(given) => size::scan_lengths(&given.value.0, given.place, MAX_SCAN_LENGTH)?,
        None => SizeDistribution::Uniform { min: DEFAULT_SCAN_MIN, max: DEFAULT_SCAN_MAX },
    };
    Ok(ScanPlan {
        length,
        reverse: phase.scan_reverse.or(false).value,
        keys_only: phase.scan_keys_only.or(false).value,
    })
}
