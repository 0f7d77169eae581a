//! A plan in words, for people: what is loaded, and what each phase does.

use super::cells::key_bytes;
use super::diagnostic::grouped;
use super::operation::OperationKind;
use super::plan::{Bound, KeyOrder, MemoryPlan, PhasePlan, Plan, RequestDistribution, SizeDistribution};
use super::size::greatest;

/// The load in a line: records, keys, values.
pub fn load(plan: &Plan) -> String {
    let order = match plan.key.order {
        KeyOrder::Hashed => "hashed",
        KeyOrder::Ordered => "ordered",
    };
    let (records, key) = (grouped(plan.records), key_bytes(&plan.key));
    format!("{records} records, {order} keys of at most {key} B, values of {}", size(&plan.value.size, "B"))
}

/// A phase in a line: its name, bound, mix and distribution.
pub fn phase(phase: &PhasePlan) -> String {
    let bound = match phase.bound {
        Bound::Duration(duration) => format!("{duration:?}"),
        Bound::Operations(operations) => format!("{} operations", grouped(operations)),
    };
    let mix: Vec<_> = OperationKind::ALL
        .into_iter()
        .filter(|kind| phase.mix.of(*kind) > 0.0)
        .map(|kind| {
            let percent = (phase.mix.of(kind) * 1e8).round() / 1e6;
            format!("{percent} % {}", kind.name())
        })
        .collect();
    let scans = if phase.mix.scan > 0.0 {
        let direction = if phase.scan.reverse { ", downwards" } else { "" };
        let keys = if phase.scan.keys_only { ", keys only" } else { "" };
        format!("; scans of {}{direction}{keys}", size(&phase.scan.length, "records"))
    } else {
        String::new()
    };
    let keys = if phase.mix.multiget > 0.0 {
        format!("; multigets of {} keys", phase.multiget_size)
    } else {
        String::new()
    };
    format!("{}: {bound}, {}, {}{keys}{scans}", phase.name, mix.join(", "), request(&phase.request))
}

/// What memory trials do, in a line.
pub fn memory(plan: &MemoryPlan) -> String {
    let mut parts =
        vec![format!("load with {} {}", plan.threads, if plan.threads == 1 { "thread" } else { "threads" })];
    parts.extend(plan.overwrite.as_ref().map(|overwrite| {
        format!("overwrite {} × with values of {}", overwrite.passes, size(&overwrite.size, "B"))
    }));
    parts.extend(plan.compact.then(|| "compact".to_owned()));
    parts.extend(plan.delete_all.then(|| "delete all".to_owned()));
    parts.extend(plan.bulk_load.then(|| "apart: load in bulk".to_owned()));
    parts.join(", ")
}

/// A request distribution as people name it.
pub fn request(distribution: &RequestDistribution) -> String {
    match distribution {
        RequestDistribution::Uniform => "uniform".to_owned(),
        RequestDistribution::Zipfian { theta } => format!("zipfian (θ {theta})"),
        RequestDistribution::YcsbZipfian { theta } => format!("ycsb_zipfian (θ {theta})"),
        RequestDistribution::Latest { theta } => format!("latest (θ {theta})"),
        RequestDistribution::Hotspot { data_fraction, operation_fraction } => {
            format!(
                "hotspot (share {operation_fraction} of the operations on share {data_fraction} of the records)"
            )
        }
        RequestDistribution::Exponential { percentile, fraction } => {
            format!("exponential ({percentile} % of the operations on share {fraction} of the records)")
        }
        RequestDistribution::Sequential => "sequential".to_owned(),
    }
}

/// A distribution of sizes as people name it, with the unit of the sizes.
pub fn size(distribution: &SizeDistribution, unit: &str) -> String {
    let range = |min: u64, max: u64, name: &str| format!("{}–{} {unit} ({name})", grouped(min), grouped(max));
    match distribution {
        SizeDistribution::Constant { value } => format!("{} {unit}", grouped(*value)),
        SizeDistribution::Uniform { min, max } => range(*min, *max, "uniform"),
        SizeDistribution::Zipfian { min, max } => range(*min, *max, "zipfian"),
        SizeDistribution::Histogram { block_size, .. } => {
            range(*block_size, greatest(distribution), "histogram")
        }
    }
}
