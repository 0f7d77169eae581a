//! The memory trials of a workload: what is done to the records, after which memory is told.

use super::diagnostic::Diagnostic;
use super::limits::{
    DEFAULT_PASSES, DEFAULT_THREADS, DEFAULT_VALUE_BYTES, MAX_PASSES, MAX_THREADS, MAX_VALUE_BYTES,
};
use super::located::{Given, Located};
use super::plan::{MemoryPlan, OverwritePlan, ValuePlan};
use super::planner::{count, narrow};
use super::size;
use super::spec::{MemoryMapping, MemorySpec, OverwriteSpec};

/// Plans them; a file that says nothing of memory gets a trial that only loads.
///
/// # Errors
/// The first fault, with its place.
pub fn plan(given: &Given<MemorySpec>, value: &ValuePlan) -> Result<Option<MemoryPlan>, Diagnostic> {
    let MemoryMapping { threads, overwrite, compact, delete_all, bulk_load } =
        match given.or(MemorySpec::Trial(Box::default())).value {
            MemorySpec::None => return Ok(None),
            MemorySpec::Trial(mapping) => *mapping,
        };
    Ok(Some(MemoryPlan {
        threads: narrow(count("threads", &threads, DEFAULT_THREADS, 1..=MAX_THREADS)?),
        overwrite: overwrite.get().map(|overwrite| self::overwrite(&overwrite.value, value)).transpose()?,
        compact: compact.or(false).value,
        delete_all: delete_all.or(false).value,
        bulk_load: bulk_load.or(false).value,
    }))
}

fn overwrite(spec: &OverwriteSpec, loaded: &ValuePlan) -> Result<OverwritePlan, Diagnostic> {
    let passes = narrow(count("passes", &spec.passes, DEFAULT_PASSES, 1..=MAX_PASSES)?);
    let size = match spec.value.get() {
        None => loaded.size.clone(),
        Some(Located { value, place }) => {
            if let Some(given) = value.compressibility.get() {
                let message = "'compressibility' has no effect on overwritten values: they are filled as those of the load";
                return Err(Diagnostic::new(given.place, message)
                    .hint("set it in the workload's 'value', or drop the field"));
            }
            size::value_sizes(value, *place, DEFAULT_VALUE_BYTES, MAX_VALUE_BYTES)?
        }
    };
    Ok(OverwritePlan { passes, size })
}
