//! Every durable engine against cuts of the power, damaged files and calls that fail, on the simulated file system.
//!
//! `CRASH_WRITES_ONE_IN=1 CRASH_RECOVERIES_ONE_IN=20 CRASH_SEEDS=100 CRASH_BITS=8` try more; `scripts/crash.sh` does.

#![expect(clippy::expect_used, reason = "the code of a test reports by panicking")]

use engines::durable::{Durable, DurableOptions};
use engines::entry::{Entry, OpenOptions, Storage};
use engines::env::sim::SimFileSystem;
use engines::options::ByteSize;
use engines::testing::crash::{
    CrashSubject, Sampling, Trace, cuts_within_recovery, exchanged_files, failing_calls, flipped_bits,
    power_cuts, power_cuts_among_threads,
};
use engines::testing::within;
use engines::{Durability, registry};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Seconds that one check of one engine may take.
const LIMIT_SECONDS: usize = 600;
const TRACE_STEPS: usize = 2_200;

/// A number from the environment, for campaigns that take hours.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Small files, so that few writes cross many seams.
const OPTIONS: DurableOptions = DurableOptions {
    sync_every_ms: None,
    sync_every_operations: None,
    checkpoint_bytes: ByteSize::mib(512),
    keep_snapshots: 1,
    segment_bytes: ByteSize::kib(4),
    recovery_threads: Some(1),
};

fn subject(entry: &'static Entry, class: Durability, options: DurableOptions) -> CrashSubject {
    let open = move |system: &SimFileSystem, directory: &Path| {
        let inner = (entry.open)(&OpenOptions::default())?;
        let system = Arc::new(system.clone());
        let durable = Durable::open_without_upkeep(inner, system, directory, class, options)?;
        Ok(Box::new(durable) as Box<dyn engines::Engine>)
    };
    CrashSubject::new(format!("{} {class}", entry.name), class, open)
}

/// Every engine that is made durable from outside, in each class that survives anything.
fn subjects() -> Vec<CrashSubject> {
    let entries = registry::entries().filter(|entry| entry.storage == Storage::Memory);
    entries.flat_map(classes).collect()
}

fn classes(entry: &'static Entry) -> impl Iterator<Item = CrashSubject> {
    let classes = entry.capabilities.durability.iter().filter(|class| **class != Durability::None);
    classes.map(move |class| subject(entry, *class, OPTIONS))
}

/// One that scans in order and one that does not: what differs between engines in their files.
fn representatives() -> Vec<CrashSubject> {
    ["btree", "hash"].iter().flat_map(|name| classes(registry::find(name).expect("an engine"))).collect()
}

/// Runs a check on each subject, each in a thread of its own and within the limit.
fn on_each(subjects: Vec<CrashSubject>, what: &str, check: impl Fn(&CrashSubject) + Send + Sync + 'static) {
    let check = Arc::new(check);
    for subject in subjects {
        let check = Arc::clone(&check);
        let limit = Duration::from_secs(setting("CRASH_LIMIT_SECONDS", LIMIT_SECONDS) as u64);
        within(limit, &format!("{}: {what}", subject.name()), move || check(&subject));
    }
}

#[test]
fn no_cut_of_the_power_loses_or_invents_anything() {
    on_each(subjects(), "power cuts", |subject| {
        let sampling = Sampling {
            writes_one_in: setting("CRASH_WRITES_ONE_IN", 10),
            recoveries_one_in: setting("CRASH_RECOVERIES_ONE_IN", 100),
            seed: 1,
        };
        for seed in 0..setting("CRASH_SEEDS", 1) as u64 {
            let trace = Trace::new(TRACE_STEPS, seed);
            let (cuts, kept) = power_cuts(subject, &trace, Sampling { seed, ..sampling });
            println!(
                "{}: {} steps, {} changes, {} images",
                subject.name(),
                cuts.steps,
                cuts.changes,
                cuts.images
            );
            assert!(cuts.changes > 5_000 && cuts.images > 1_000, "{cuts:?}");
            let again = cuts_within_recovery(subject, &trace, kept, seed);
            println!("{}: {} recoveries cut, {} images", subject.name(), again.recoveries, again.images);
            assert!(again.recoveries >= 20 && again.images > 1_000, "{again:?}");
        }
    });
}

#[test]
fn no_cut_among_threads_loses_or_invents_anything() {
    on_each(subjects(), "power cuts among threads", |subject| {
        for seed in 0..setting("CRASH_SEEDS", 1) as u64 {
            let cuts = power_cuts_among_threads(subject, 200, seed);
            println!("{}: {cuts:?}", subject.name());
            assert!(cuts.images == 200 && cuts.snapshots > 2 && cuts.writes > 1_000, "{cuts:?}");
        }
    });
}

#[test]
fn a_flipped_bit_is_found_or_has_no_effect() {
    let bits: Vec<u8> =
        (0..setting("CRASH_BITS", 1).clamp(1, 8) as u8).map(|bit| (bit * 3 + 2) % 8).collect();
    on_each(representatives(), "flipped bits", move |subject| {
        for is_closed in [true, false] {
            let counts = flipped_bits(subject, &Trace::new(110, 3), &bits, is_closed);
            println!("{}, {}: {counts:?}", subject.name(), if is_closed { "closed" } else { "killed" });
            assert!(counts.files >= 3 && counts.tried > 8_000 && counts.refused > 2_000, "{counts:?}");
        }
    });
}

#[test]
fn files_that_are_missing_or_exchanged_are_found() {
    on_each(representatives(), "exchanged files", |subject| {
        let counts = exchanged_files(subject, &Trace::new(140, 3));
        println!("{}: {counts:?}", subject.name());
        assert!(counts.tried > 20 && counts.refused > 15, "{counts:?}");
    });
}

#[test]
fn a_call_that_fails_is_told_and_nothing_is_lost() {
    on_each(representatives(), "failing calls", |subject| {
        let faults = failing_calls(subject, &Trace::new(160, 5));
        println!("{}: {faults:?}", subject.name());
        assert!(faults.calls > 100 && faults.told > 300 && faults.poisoned > 10, "{faults:?}");
    });
}
