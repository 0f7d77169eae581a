//! From the bytes of a workload file to its plan, with every fault as `file:line:column`.

use super::diagnostic::Diagnostic;
use super::limits::{MAX_ALIASED_NODES, MAX_ALIASES, MAX_DEPTH, MAX_FILE_BYTES, MAX_NODES};
use super::located::Place;
use super::overrides::Overrides;
use super::plan::Plan;
use super::planner;
use super::spec::Spec;
use crate::exit::Failure;
use engines::entry::Entry;
use std::io::Read;

/// Reads a whole workload file, at most one byte more than a file may have.
///
/// # Errors
/// Whatever keeps it from being read, as a failure of the input: nothing has been begun.
pub fn read(file: &str, source: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    source
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format!("{file}: cannot be read: {error}")))?;
    Ok(bytes)
}

/// The plan of a workload file. `file` is its name in messages.
///
/// # Errors
/// The first fault, as a failure of the input.
pub fn plan(file: &str, bytes: &[u8], overrides: &Overrides, engines: &[&Entry]) -> Result<Plan, Failure> {
    parse(bytes)
        .and_then(|mut spec| {
            overrides.apply(&mut spec);
            planner::plan(&spec, engines)
        })
        .map_err(|diagnostic| diagnostic.into_failure(file))
}

/// The file as it is written.
///
/// # Errors
/// A file that is too long, empty, no UTF-8, no YAML, or not of the shape of a workload.
pub fn parse(bytes: &[u8]) -> Result<Spec, Diagnostic> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("the file is longer than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(Diagnostic::new(Place::START, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let blank = text.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'));
    if blank {
        let diagnostic = Diagnostic::new(Place::START, "the file is empty");
        return Err(diagnostic.hint("a workload needs at least a name and phases; see workloads/README.md"));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(Diagnostic::from)
}

/// The name and the description of a workload, for a list.
///
/// # Errors
/// As [`parse`], or a description that does not show.
pub fn heading(bytes: &[u8]) -> Result<(String, String), Diagnostic> {
    let spec = parse(bytes)?;
    planner::identifier(&spec.name, "workload")?;
    Ok((spec.name.value, planner::description(&spec.description)?))
}

/// Limits against files that are made to hurt, and strictness against those that mean something else.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: MAX_NODES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIASED_NODES,
        },
    }
}

fn not_utf8(bytes: &[u8], valid: usize) -> Diagnostic {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let byte = bytes.get(valid).copied().unwrap_or_default();
    let place = Place::File { line: line as u64, column: column as u64 };
    Diagnostic::new(place, format!("the file is not UTF-8: byte 0x{byte:02x}"))
}
