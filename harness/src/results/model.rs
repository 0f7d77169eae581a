//! What was measured, in the words of the domain. The file format is [`super::wire`]'s business; whatever can be computed from
//! these figures (rates, percentiles, ranks) is computed by [`crate::analysis`] and never stored.

use crate::workload::operation::OperationKind;
use crate::workload::plan::Plan;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the phase that loads the records.
pub const LOAD_PHASE: &str = "load";

/// The label of the cell that measures the harness's own cost.
pub const NULL_LABEL: &str = "null";

/// All that one workload file yielded on one machine.
#[derive(Clone, Debug)]
pub struct SweepResult {
    /// What was asked for.
    pub plan: Plan,
    /// Where it was measured.
    pub environment: Environment,
    /// Trials in the order they were run, failed ones too. Trials of the `null` engine have
    /// `cell` = `plan.cells.len() + i` for the i-th distinct thread count of the plan, ascending.
    pub trials: Vec<Trial>,
    /// Memory trials, which are not timed and come after the others: those that load by inserting, then those that load in bulk,
    /// each for every engine and durability class that keeps what is written. Empty in results of version 1.0.
    pub memory: Vec<MemoryTrial>,
    /// Whether every trial of the plan was run, memory trials too.
    pub complete: bool,
    /// When the sweep began, seconds since 1970-01-01 UTC.
    pub started_unix_seconds: u64,
    /// How long the sweep took, seconds.
    pub elapsed_seconds: f64,
}

/// One measured run of a cell in a fresh process and data directory.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Index into the plan's cells; see [`SweepResult::trials`] for the `null` engine.
    pub cell: usize,
    /// The engine's label.
    pub label: String,
    /// Worker threads.
    pub threads: u32,
    /// Which trial of the cell, from 0.
    pub trial: u32,
    /// The phases that were run, `load` first.
    pub phases: Vec<Phase>,
    /// Why the trial ended early; the phases before are there.
    pub error: Option<String>,
    /// Cost in memory.
    pub memory: Memory,
    /// The engine's own figures after the last phase.
    pub engine_stats: Option<engines::Stats>,
    /// Records read back and compared after the last phase.
    pub verification: Option<Verification>,
    /// What closing the engine after that and opening it again yielded. Only where something must outlast the closing; never in
    /// results before version 1.2.
    pub reopened: Option<Reopened>,
}

/// One phase of a trial.
#[derive(Clone, Debug)]
pub struct Phase {
    /// `load`, or the name in the plan.
    pub name: String,
    /// Time from the common start to the end of the last worker, seconds.
    pub wall_seconds: f64,
    /// One entry a worker.
    pub workers: Vec<Worker>,
    /// By kind of operation; kinds that did not occur are absent.
    pub operations: BTreeMap<OperationKind, OperationResult>,
    /// Operations finished in each bin of [`SERIES_BIN_SECONDS`] from the common start, all workers and kinds together.
    pub series: Vec<u64>,
    /// Processor time of the process in this phase, without its warm-up, seconds.
    pub cpu_seconds: f64,
    /// Time waited after the phase until the engine was idle, seconds.
    pub settle_seconds: f64,
}

/// Width of a bin of [`Phase::series`].
pub const SERIES_BIN_SECONDS: f64 = 0.1;

/// What one worker did in a phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worker {
    /// Successful operations.
    pub operations: u64,
    /// Time inside the timed blocks, nanoseconds. The worker's rate is operations / this.
    pub busy_ns: u64,
    /// Time from the common start to its end, nanoseconds; the rest is preparation of operations and book-keeping.
    pub wall_ns: u64,
    /// Chained digest of its operation stream: (steps, digest) at multiples of a stride and at the end.
    pub digests: Vec<(u64, u64)>,
}

/// Everything about one kind of operation in one phase.
#[derive(Clone, Debug)]
pub struct OperationResult {
    /// Operations that did what they should.
    pub ok: u64,
    /// Reads, updates, deletes and read-modify-writes whose key was not there. Where every read was due to hit they are also `wrong`.
    pub missed: u64,
    /// Answers that were compared with what was written.
    pub checked: u64,
    /// Answers that were not what was written, out of order or out of bounds.
    pub wrong: u64,
    /// Operations that returned an error.
    pub failed: u64,
    /// The first error or wrong answer, for people.
    pub first_fault: Option<String>,
    /// Records that scans and multigets returned.
    pub records_scanned: u64,
    /// Service time, ns, of the operations that were timed (all or a sample). Failed operations are not in it.
    pub latency_ns: Histogram<u64>,
}

/// Memory of the process that ran a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident before the engine was opened, bytes.
    pub rss_before_bytes: u64,
    /// Resident after the load, bytes.
    pub rss_loaded_bytes: u64,
    /// Highest resident size, bytes.
    pub rss_peak_bytes: u64,
}

/// One trial that tells what records take in memory, in a process of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryTrial {
    /// Index of the first of the plan's cells with this engine and durability class.
    pub cell: usize,
    /// The engine's label.
    pub label: String,
    /// Threads that loaded, overwrote and deleted.
    pub threads: u32,
    /// How the records were loaded.
    pub way: LoadWay,
    /// What was told, in order.
    pub stages: Vec<MemoryStage>,
    /// Why the trial ended early, wrong records included; the stages before are there.
    pub error: Option<String>,
}

/// How a memory trial loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadWay {
    /// One insert after the other, in the order of record numbers, as timed trials load.
    Inserts,
    /// All at once, sorted by key.
    Bulk,
}

/// What was done last before memory was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryEvent {
    /// Every record was loaded.
    Load,
    /// Every record was overwritten, as often as the plan says.
    Overwrite,
    /// Every record was deleted.
    Delete,
}

/// Memory at rest, against what it was before the engine was opened. Signed, because an engine may take less than its records.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryStage {
    /// What was done last.
    pub after: MemoryEvent,
    /// Whether the engine was told to compact since then.
    pub compacted: bool,
    /// Live records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub live_bytes: u64,
    /// Live bytes by the counting allocator, as they were asked for.
    pub heap_bytes: i64,
    /// Live allocations.
    pub heap_blocks: i64,
    /// The most live bytes at any moment since the engine was opened; of a bulk load with the harness's copy of the records taken off.
    pub heap_peak_bytes: i64,
    /// Resident bytes.
    pub rss_bytes: i64,
    /// The most resident bytes at any moment; of a bulk load with the harness's copy of the records in it.
    pub rss_peak_bytes: i64,
    /// What the engine itself accounts for.
    pub engine_bytes: u64,
    /// Time waited until the engine was idle and memory at rest, seconds.
    pub settle_seconds: f64,
}

/// What reading everything back after the run yielded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Records that were read back.
    pub records: u64,
    /// Records that were there but should not be, or lacked, or held a wrong value.
    pub wrong: u64,
    /// The first of them, for people.
    pub first_fault: Option<String>,
    /// Time it took, seconds.
    pub seconds: f64,
}

/// An engine that was closed, and opened again from its directory in the same process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reopened {
    /// Time until it was closed, seconds.
    pub close_seconds: f64,
    /// Time until it could be used again, seconds. Its files were written just now, so the system has them in memory.
    pub open_seconds: f64,
    /// What reading everything back yielded.
    pub verification: Verification,
}

/// Where a result was measured. An empty string or 0 means "could not be read"; "absent" is an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of the harness.
    pub harness_version: String,
    /// Commit of the work tree the harness was built from, or empty.
    pub git_commit: String,
    /// Whether the work tree differed from the commit.
    pub git_dirty: bool,
    /// FNV-1a of Cargo.lock, hex.
    pub lockfile_hash: String,
    /// `rustc --version` at build time.
    pub rustc: String,
    /// `release` or `debug`.
    pub profile: String,
    /// Name and version of the allocator that all engines used; empty in results of version 1.0, which used the system's.
    #[serde(default)]
    pub allocator: String,
    /// Host name.
    pub hostname: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu_model: String,
    /// Processors the process may run on.
    pub cores: u32,
    /// Scaling governor, or `absent`.
    pub governor: String,
    /// `none` or the hypervisor's name where it is told.
    pub virtualisation: String,
    /// Main memory, bytes.
    pub memory_bytes: u64,
    /// File system and mount options of the data directory.
    pub data_directory_mount: String,
    /// `tsc` or `system`.
    pub clock: String,
    /// Transparent huge pages setting.
    pub transparent_huge_pages: String,
    /// Load average over one minute when the sweep began.
    pub load_average_1m: f64,
    /// Share of processor time stolen by the hypervisor during the sweep, 0 to 1.
    pub steal_fraction: f64,
}
