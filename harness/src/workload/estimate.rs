//! How long a sweep takes, about.

use super::plan::{Bound, Plan};
use std::collections::BTreeSet;
use std::time::Duration;

/// What an in-memory engine does at least on an ordinary machine, operations a second; loads and phases bounded by a
/// number of operations are reckoned with it.
const OPERATIONS_PER_SECOND: f64 = 500_000.0;
/// The start and the end of a trial's process.
const TRIAL_OVERHEAD: Duration = Duration::from_millis(100);

/// The start and the end of a memory trial's process, and waiting for rest.
const MEMORY_TRIAL_OVERHEAD: Duration = Duration::from_millis(250);

/// About how long all trials of all cells take one after the other: exact in the phases that are bounded by time, a guess in
/// the rest.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub fn duration(plan: &Plan) -> Duration {
    let phases: f64 = plan
        .phases
        .iter()
        .map(|phase| match phase.bound {
            Bound::Duration(duration) => duration.as_secs_f64(),
            Bound::Operations(operations) => seconds(operations),
        })
        .map(|bounded| plan.warmup.as_secs_f64() + bounded)
        .sum();
    let trial = TRIAL_OVERHEAD.as_secs_f64() + seconds(plan.records) + phases;
    let trials = plan.cells.len() as f64 * f64::from(plan.trials);
    Duration::try_from_secs_f64(trial * trials + memory_seconds(plan)).unwrap_or(Duration::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn seconds(operations: u64) -> f64 {
    operations as f64 / OPERATIONS_PER_SECOND
}

/// All memory trials: each stage writes every record and reads it back.
fn memory_seconds(plan: &Plan) -> f64 {
    let Some(memory) = &plan.memory else { return 0.0 };
    let engines: BTreeSet<_> = plan.cells.iter().map(|cell| (&cell.label, cell.durability)).collect();
    let passes = memory.overwrite.as_ref().map_or(0, |overwrite| overwrite.passes);
    let writes = 1 + passes + u32::from(memory.delete_all) + u32::from(memory.bulk_load);
    let trial = MEMORY_TRIAL_OVERHEAD.as_secs_f64() + f64::from(2 * writes) * seconds(plan.records);
    engines.len() as f64 * trial
}
