//! What was run and where, as names and values.

use super::number::{bytes, chosen, moment, percent, threads, whole};
use super::visible::visible;
use crate::analysis::summary::{classes, thread_counts};
use crate::results::model::{Environment, SweepResult};
use crate::workload::plan::{
    Bound, KeyOrder, LatencyMode, MemoryPlan, PhasePlan, RequestDistribution, SizeDistribution,
};

/// A name and a value.
pub type Fact = (&'static str, String);

/// What was asked for and when.
pub fn run(sweep: &SweepResult) -> Vec<Fact> {
    let plan = &sweep.plan;
    let joined = |parts: Vec<String>| parts.join(", ");
    let order = match plan.key.order {
        KeyOrder::Hashed => "hashed order",
        KeyOrder::Ordered => "ascending order",
    };
    let latency = match plan.latency {
        LatencyMode::All => "every operation timed".to_owned(),
        LatencyMode::Sampled(one_in) => format!("one operation in {one_in} timed"),
    };
    vec![
        ("Records", whole(plan.records)),
        (
            "Keys",
            format!(
                "\u{201c}{}\u{201d} + at least {} digits, {order}",
                visible(&plan.key.prefix),
                plan.key.zero_padding
            ),
        ),
        (
            "Values",
            format!("{} bytes, {} compressible", size(&plan.value.size), share(plan.value.compressibility)),
        ),
        ("Threads", joined(thread_counts(plan).iter().map(ToString::to_string).collect())),
        ("Durability", joined(classes(plan).iter().map(ToString::to_string).collect())),
        ("Trials", format!("{} a cell, interleaved in random order", plan.trials)),
        ("Warm-up", format!("{} s a phase", chosen(plan.warmup.as_secs_f64()))),
        ("Latency", latency),
        (
            "Checked reads",
            if plan.check_one_in == 0 {
                "none".to_owned()
            } else {
                format!("one in {}", whole(u64::from(plan.check_one_in)))
            },
        ),
        ("Memory trials", plan.memory.as_ref().map_or_else(|| "none".to_owned(), memory)),
        ("Seed", plan.seed.to_string()),
        ("Started", moment(sweep.started_unix_seconds)),
        ("Took", format!("{} s", whole(sweep.elapsed_seconds.max(0.0).round() as u64))),
    ]
}

/// What memory trials do, in order.
fn memory(plan: &MemoryPlan) -> String {
    let mut parts = vec![format!("load by {}", threads(plan.threads))];
    parts.extend(plan.overwrite.as_ref().map(|overwrite| {
        let times =
            if overwrite.passes == 1 { "once".to_owned() } else { format!("{} times", overwrite.passes) };
        format!("overwrite {times} with {} bytes", size(&overwrite.size))
    }));
    parts.extend(plan.compact.then(|| "compact".to_owned()));
    parts.extend(plan.delete_all.then(|| "delete all".to_owned()));
    parts.extend(plan.bulk_load.then(|| "and apart, load in bulk".to_owned()));
    parts.join(", ")
}

/// Where it was measured. What could not be read is left out.
pub fn environment(environment: &Environment) -> Vec<Fact> {
    let commit = match (environment.git_commit.as_str(), environment.git_dirty) {
        ("", _) => String::new(),
        (commit, true) => format!("{commit} with changes that are not committed"),
        (commit, false) => commit.to_owned(),
    };
    let facts = [
        ("Processor", environment.cpu_model.clone()),
        (
            "Processors to run on",
            if environment.cores == 0 { String::new() } else { environment.cores.to_string() },
        ),
        ("Scaling governor", environment.governor.clone()),
        ("Virtualisation", environment.virtualisation.clone()),
        (
            "Memory",
            if environment.memory_bytes == 0 {
                String::new()
            } else {
                bytes(environment.memory_bytes as f64)
            },
        ),
        ("Allocator", environment.allocator.clone()),
        ("Huge pages", environment.transparent_huge_pages.clone()),
        ("Data directory", environment.data_directory_mount.clone()),
        ("Kernel", environment.kernel.clone()),
        ("Host", environment.hostname.clone()),
        ("Clock", environment.clock.clone()),
        ("Load at start", format!("{:.2}", environment.load_average_1m)),
        ("Stolen time", percent(environment.steal_fraction)),
        ("harness", format!("{}, {} build", environment.harness_version, environment.profile)),
        ("Commit", commit),
        ("Cargo.lock", environment.lockfile_hash.clone()),
        ("Compiler", environment.rustc.clone()),
    ];
    facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, visible(&value)))
        .collect()
}

/// What a phase asks for, in a sentence without its mix.
pub fn phase(phase: &PhasePlan) -> String {
    let bound = match phase.bound {
        Bound::Duration(duration) => format!("{} s", chosen(duration.as_secs_f64())),
        Bound::Operations(operations) => format!("{} operations", whole(operations)),
    };
    let scans = if phase.mix.scan > 0.0 {
        let direction = if phase.scan.reverse { ", downwards" } else { "" };
        let parts = if phase.scan.keys_only { ", keys only" } else { "" };
        format!(", scans of {} records{direction}{parts}", size(&phase.scan.length))
    } else {
        String::new()
    };
    let keys = if phase.mix.multiget > 0.0 {
        format!(", multigets of {} keys", phase.multiget_size)
    } else {
        String::new()
    };
    format!("{bound}, {}{keys}{scans}", request(&phase.request))
}

/// A share somebody chose.
fn share(share: f64) -> String {
    format!("{} %", chosen(share * 100.0))
}

fn size(size: &SizeDistribution) -> String {
    match size {
        SizeDistribution::Constant { value } => whole(*value),
        SizeDistribution::Uniform { min, max } => format!("{} to {}", whole(*min), whole(*max)),
        SizeDistribution::Zipfian { min, max } => format!("{} to {} (zipfian)", whole(*min), whole(*max)),
        SizeDistribution::Histogram { block_size, weights } => {
            format!("up to {} (by weights)", whole(block_size.saturating_mul(weights.len() as u64)))
        }
    }
}

fn request(request: &RequestDistribution) -> String {
    match request {
        RequestDistribution::Uniform => "uniform requests".to_owned(),
        RequestDistribution::Zipfian { theta } => format!("zipfian requests (θ = {theta})"),
        RequestDistribution::YcsbZipfian { theta } => {
            format!("YCSB's scrambled zipfian requests (θ = {theta})")
        }
        RequestDistribution::Latest { theta } => format!("requests for the latest (θ = {theta})"),
        RequestDistribution::Hotspot { data_fraction, operation_fraction } => format!(
            "{} of the requests to {} of the records",
            share(*operation_fraction),
            share(*data_fraction)
        ),
        RequestDistribution::Exponential { percentile, fraction } => format!(
            "exponential requests ({} % within {} of the records)",
            chosen(*percentile),
            share(*fraction)
        ),
        RequestDistribution::Sequential => "sequential requests".to_owned(),
    }
}
