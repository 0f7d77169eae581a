//! The file format of results: JSON with a `schema_version`, separate from the domain types so that either can change alone.
//!
//! Version 1.1 added memory trials, multigets and the allocator to 1.0, version 1.2 what reopening an engine yielded; older files are
//! read as having none of them. A file of a newer minor version is read (fields it adds are skipped), a newer major version is refused, and
//! a file is refused as well where its figures contradict each other (see [`check`]). Numbers are JSON numbers, digests are
//! hexadecimal strings because 64 bits do not survive a double, histograms are described in [`histogram`].
//! Non-finite numbers cannot be written: they would become `null`, which no reader takes.

mod check;
mod histogram;
mod inflate;

#[cfg(test)]
pub(crate) use inflate::inflate_zlib;

use super::model::{
    Environment, Memory, MemoryTrial, OperationResult, Phase, Reopened, SweepResult, Trial, Verification,
    Worker,
};
use crate::workload::operation::OperationKind;
use crate::workload::plan::Plan;
use histogram::Budget;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The version that is written.
pub const SCHEMA_VERSION: &str = "1.2";
const SCHEMA_MAJOR: u32 = 1;

/// Why a text is not a result.
#[derive(Debug, Error)]
pub enum WireError {
    /// Not JSON, or not of this shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// The version cannot be read by this program.
    #[error("{0}")]
    Version(String),
    /// The figures contradict each other or the plan.
    #[error("{0}")]
    Contradiction(String),
}

impl WireError {
    fn contradiction(message: impl Into<String>) -> Self {
        Self::Contradiction(message.into())
    }
}

/// What every file of ours starts with.
#[derive(Deserialize)]
struct Header {
    schema_version: String,
    kind: String,
}

#[derive(Serialize)]
struct Document<T> {
    schema_version: String,
    kind: String,
    #[serde(flatten)]
    content: T,
}

const SWEEP: &str = "sweep";
const TRIAL: &str = "trial";
const MEMORY_TRIAL: &str = "memory_trial";
const ENVIRONMENT: &str = "environment";

#[derive(Deserialize)]
struct WireSweep {
    complete: bool,
    started_unix_seconds: u64,
    elapsed_seconds: f64,
    environment: Environment,
    plan: Plan,
    trials: Vec<WireTrial>,
    #[serde(default)]
    memory: Vec<MemoryTrial>,
}

#[derive(Serialize, Deserialize)]
struct WireTrial {
    cell: usize,
    label: String,
    threads: u32,
    trial: u32,
    error: Option<String>,
    memory: Memory,
    engine_stats: Option<engines::Stats>,
    verification: Option<Verification>,
    #[serde(default)]
    reopened: Option<Reopened>,
    phases: Vec<WirePhase>,
}

#[derive(Serialize, Deserialize)]
struct WirePhase {
    name: String,
    wall_seconds: f64,
    cpu_seconds: f64,
    settle_seconds: f64,
    workers: Vec<WireWorker>,
    operations: BTreeMap<OperationKind, WireOperations>,
    series: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct WireWorker {
    operations: u64,
    busy_ns: u64,
    wall_ns: u64,
    digests: Vec<(u64, String)>,
}

#[derive(Serialize, Deserialize)]
struct WireOperations {
    ok: u64,
    missed: u64,
    checked: u64,
    wrong: u64,
    failed: u64,
    first_fault: Option<String>,
    records_scanned: u64,
    latency_ns: String,
}

/// One trial as one line of text, as it travels from the process that ran it.
pub fn encode_trial(trial: &Trial) -> String {
    json(&document(TRIAL, WireTrial::from(trial)))
}

/// The trial in a text made by [`encode_trial`].
///
/// # Errors
/// When the text is not JSON of this shape, of a version that cannot be read, or contradicts itself.
pub fn decode_trial(text: &str) -> Result<Trial, WireError> {
    let wire: WireTrial = decode(TRIAL, text)?;
    let trial = wire.into_trial(&mut Budget::default())?;
    check::trial(&trial)?;
    Ok(trial)
}

/// One memory trial as one line of text, as it travels from the process that ran it.
pub fn encode_memory_trial(trial: &MemoryTrial) -> String {
    json(&document(MEMORY_TRIAL, trial))
}

/// The memory trial in a text made by [`encode_memory_trial`].
///
/// # Errors
/// As [`decode_trial`].
pub fn decode_memory_trial(text: &str) -> Result<MemoryTrial, WireError> {
    let trial: MemoryTrial = decode(MEMORY_TRIAL, text)?;
    check::memory_trial(&trial)?;
    Ok(trial)
}

/// A sweep as the text of a result file: a line for each trial, so that people can read it and tools can compare lines.
pub fn encode_sweep(sweep: &SweepResult) -> String {
    let trials: Vec<String> = sweep.trials.iter().map(|trial| json(&WireTrial::from(trial))).collect();
    let memory: Vec<String> = sweep.memory.iter().map(json).collect();
    let fields = [
        ("schema_version", json(&SCHEMA_VERSION)),
        ("kind", json(&SWEEP)),
        ("complete", json(&sweep.complete)),
        ("started_unix_seconds", json(&sweep.started_unix_seconds)),
        ("elapsed_seconds", json(&sweep.elapsed_seconds)),
        ("environment", json(&sweep.environment)),
        ("plan", json(&sweep.plan)),
        ("trials", format!("[\n{}\n]", trials.join(",\n"))),
        ("memory", format!("[\n{}\n]", memory.join(",\n"))),
    ];
    let fields = fields.map(|(name, value)| format!("\"{name}\": {value}"));
    format!("{{\n{}\n}}\n", fields.join(",\n"))
}

/// The sweep in the text of a result file.
///
/// # Errors
/// As [`decode_trial`], and when trials contradict the plan.
pub fn decode_sweep(text: &str) -> Result<SweepResult, WireError> {
    let wire: WireSweep = decode(SWEEP, text)?;
    let mut budget = Budget::default();
    let trials =
        wire.trials.into_iter().map(|trial| trial.into_trial(&mut budget)).collect::<Result<_, _>>()?;
    let sweep = SweepResult {
        plan: wire.plan,
        environment: wire.environment,
        trials,
        memory: wire.memory,
        complete: wire.complete,
        started_unix_seconds: wire.started_unix_seconds,
        elapsed_seconds: wire.elapsed_seconds,
    };
    check::sweep(&sweep)?;
    Ok(sweep)
}

/// The environment as the text of `environment.json`.
pub fn encode_environment(environment: &Environment) -> String {
    serde_json::to_string_pretty(&document(ENVIRONMENT, environment)).unwrap_or_default() + "\n"
}

/// Whether a text, or the beginning of one, is a sweep of ours of any version; decides what may be overwritten.
pub fn is_sweep(beginning: &str) -> bool {
    is_kind(beginning, SWEEP)
}

/// Whether a text, or the beginning of one, is an environment of ours of any version; decides what may be overwritten.
pub fn is_environment(beginning: &str) -> bool {
    is_kind(beginning, ENVIRONMENT)
}

fn is_kind(beginning: &str, kind: &str) -> bool {
    let dense: String = beginning.chars().filter(|letter| !letter.is_ascii_whitespace()).take(200).collect();
    dense.starts_with("{\"schema_version\":\"") && dense.contains(&format!("\"kind\":\"{kind}\""))
}

/// Serialization to memory fails only for maps whose keys are not strings; there are none here. Were it to fail, the empty
/// text is refused by every reader and by the check before a file is written.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn document<T>(kind: &str, content: T) -> Document<T> {
    Document { schema_version: SCHEMA_VERSION.to_owned(), kind: kind.to_owned(), content }
}

fn decode<T: for<'de> Deserialize<'de>>(kind: &str, text: &str) -> Result<T, WireError> {
    let header: Header = serde_json::from_str(text)?;
    check_version(&header.schema_version)?;
    if header.kind != kind {
        return Err(WireError::contradiction(format!(
            "is a file of kind \"{}\", not \"{kind}\"",
            header.kind
        )));
    }
    Ok(serde_json::from_str(text)?)
}

fn check_version(version: &str) -> Result<(), WireError> {
    let parsed = version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    match parsed {
        Some((SCHEMA_MAJOR, _minor)) => Ok(()),
        Some((major, _)) if major > SCHEMA_MAJOR => Err(WireError::Version(format!(
            "schema_version {version} is newer than this program, which reads {SCHEMA_MAJOR}.x: use a newer harness"
        ))),
        Some(_) => Err(WireError::Version(format!(
            "schema_version {version} is older than any this program reads ({SCHEMA_MAJOR}.x)"
        ))),
        None => Err(WireError::Version(format!("schema_version {version:?} is not MAJOR.MINOR"))),
    }
}

impl From<&Trial> for WireTrial {
    fn from(trial: &Trial) -> Self {
        Self {
            cell: trial.cell,
            label: trial.label.clone(),
            threads: trial.threads,
            trial: trial.trial,
            error: trial.error.clone(),
            memory: trial.memory,
            engine_stats: trial.engine_stats.clone(),
            verification: trial.verification.clone(),
            reopened: trial.reopened.clone(),
            phases: trial.phases.iter().map(WirePhase::from).collect(),
        }
    }
}

impl WireTrial {
    fn into_trial(self, budget: &mut Budget) -> Result<Trial, WireError> {
        let place = format!("trial {} of {:?} at {} threads", self.trial, self.label, self.threads);
        let phases = self.phases.into_iter().map(|phase| phase.into_phase(&place, budget));
        Ok(Trial {
            cell: self.cell,
            threads: self.threads,
            trial: self.trial,
            phases: phases.collect::<Result<_, _>>()?,
            label: self.label,
            error: self.error,
            memory: self.memory,
            engine_stats: self.engine_stats,
            verification: self.verification,
            reopened: self.reopened,
        })
    }
}

impl From<&Phase> for WirePhase {
    fn from(phase: &Phase) -> Self {
        Self {
            name: phase.name.clone(),
            wall_seconds: phase.wall_seconds,
            cpu_seconds: phase.cpu_seconds,
            settle_seconds: phase.settle_seconds,
            workers: phase.workers.iter().map(WireWorker::from).collect(),
            operations: phase.operations.iter().map(|(kind, found)| (*kind, found.into())).collect(),
            series: phase.series.clone(),
        }
    }
}

impl WirePhase {
    fn into_phase(self, place: &str, budget: &mut Budget) -> Result<Phase, WireError> {
        let place = format!("{place}, phase {:?}", self.name);
        let workers = self.workers.into_iter().map(|worker| worker.into_worker(&place));
        let operations = self.operations.into_iter().map(|(kind, found)| {
            let place = format!("{place}, {}", kind.name());
            Ok((kind, found.into_operations(&place, budget)?))
        });
        Ok(Phase {
            wall_seconds: self.wall_seconds,
            workers: workers.collect::<Result<_, WireError>>()?,
            operations: operations.collect::<Result<_, WireError>>()?,
            name: self.name,
            series: self.series,
            cpu_seconds: self.cpu_seconds,
            settle_seconds: self.settle_seconds,
        })
    }
}

impl From<&Worker> for WireWorker {
    fn from(worker: &Worker) -> Self {
        Self {
            operations: worker.operations,
            busy_ns: worker.busy_ns,
            wall_ns: worker.wall_ns,
            digests: worker
                .digests
                .iter()
                .map(|(steps, digest)| (*steps, format!("{digest:016x}")))
                .collect(),
        }
    }
}

impl WireWorker {
    fn into_worker(self, place: &str) -> Result<Worker, WireError> {
        let digests = self.digests.into_iter().map(|(steps, digest)| {
            // `from_str_radix` would take a sign and any length.
            let plain = digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            let parsed = u64::from_str_radix(&digest, 16).ok().filter(|_| plain);
            let parsed = parsed.ok_or_else(|| {
                WireError::contradiction(format!("{place}: digest {digest:?} is not 16 hexadecimal digits"))
            });
            Ok((steps, parsed?))
        });
        Ok(Worker {
            operations: self.operations,
            busy_ns: self.busy_ns,
            wall_ns: self.wall_ns,
            digests: digests.collect::<Result<_, WireError>>()?,
        })
    }
}

impl From<&OperationResult> for WireOperations {
    fn from(found: &OperationResult) -> Self {
        Self {
            ok: found.ok,
            missed: found.missed,
            checked: found.checked,
            wrong: found.wrong,
            failed: found.failed,
            first_fault: found.first_fault.clone(),
            records_scanned: found.records_scanned,
            latency_ns: histogram::encode(&found.latency_ns),
        }
    }
}

impl WireOperations {
    fn into_operations(self, place: &str, budget: &mut Budget) -> Result<OperationResult, WireError> {
        let latency_ns = histogram::decode(&self.latency_ns, budget)
            .map_err(|reason| WireError::contradiction(format!("{place}: latency_ns: {reason}")))?;
        Ok(OperationResult {
            ok: self.ok,
            missed: self.missed,
            checked: self.checked,
            wrong: self.wrong,
            failed: self.failed,
            first_fault: self.first_fault,
            records_scanned: self.records_scanned,
            latency_ns,
        })
    }
}

#[cfg(test)]
mod tests;
