//! `harness db stats`: what the engine knows of a store.

use super::STATUSES;
use super::store::{Absent, StoreArguments};
use crate::cli::engine_error::failure;
use crate::cli::output::{Format, print};
use crate::exit::Failure;
use engines::Stats;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Prints the figures that the engine has of a store
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  harness db stats --engine btree --dir data
  harness db stats --engine btree --dir data --format json

{STATUSES}"))]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// A store that is not there or cannot be opened, or standard output that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let engine = arguments.store.open(Absent::Refused)?;
    let (name, stats) = (engine.name(), engine.stats());
    engine.close().map_err(failure)?;
    print(&match arguments.format {
        Format::Text => text(&stats),
        Format::Json => format!("{:#}\n", json(name, &stats)),
    })
}

fn text(stats: &Stats) -> String {
    let mut rows = vec![("records", stats.records.to_string())];
    rows.extend(stats.live_bytes.map(|bytes| ("live_bytes", bytes.to_string())));
    rows.push(("memory_bytes", stats.memory_bytes.to_string()));
    rows.extend(stats.details.iter().map(|(name, figure)| (name.as_str(), figure.to_string())));
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    rows.iter().fold(String::new(), |mut text, (name, figure)| {
        let _ = writeln!(text, "{name:width$}  {figure}");
        text
    })
}

fn json(engine: &str, stats: &Stats) -> Value {
    let details: Map<String, Value> =
        stats.details.iter().map(|(name, figure)| (name.clone(), json!(figure))).collect();
    json!({
        "engine": engine,
        "records": stats.records,
        "live_bytes": stats.live_bytes,
        "memory_bytes": stats.memory_bytes,
        "details": details,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_by_their_names() {
        let details = vec![("height".to_owned(), 3.0), ("fill".to_owned(), 0.5)];
        let stats = Stats { records: 7, live_bytes: None, memory_bytes: 4096, details };
        assert_eq!(text(&stats), "records       7\nmemory_bytes  4096\nheight        3\nfill          0.5\n");
        let value = json("e", &stats);
        assert_eq!((&value["records"], &value["live_bytes"]), (&json!(7), &Value::Null));
        assert_eq!(value["details"]["fill"], json!(0.5));
    }
}
