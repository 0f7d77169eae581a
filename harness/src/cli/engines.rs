//! `harness engines`: what can be measured.

use super::engine_error;
use super::output::{Format, print};
use crate::exit::Failure;
use engines::Capabilities;
use engines::durable::KEY;
use engines::entry::{Entry, Kind};
use engines::options::OptionDoc;
use engines::registry::{self, durability_options};
use serde::Serialize;
use std::fmt::Write;

/// List the engines, what they can do and their options
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  harness engines                    every engine in a line
  harness engines btree              one engine with its options
  harness engines --format json      all of it, for programs")]
pub struct Arguments {
    /// Show these engines in full [default: all, in a line each]
    engines: Vec<String>,

    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// An unknown engine, or standard output that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let chosen: Vec<&Entry> = if arguments.engines.is_empty() {
        registry::entries().collect()
    } else {
        let found = arguments.engines.iter().map(|name| registry::find(name).map_err(engine_error::failure));
        found.collect::<Result<_, _>>()?
    };
    print(&match arguments.format {
        Format::Json => json(&chosen)?,
        Format::Text if arguments.engines.is_empty() => list(&chosen),
        Format::Text => chosen.iter().map(|entry| full(entry)).collect::<Vec<_>>().join("\n"),
    })
}

fn list(entries: &[&Entry]) -> String {
    let mut text = String::new();
    for (kind, title) in [
        (Kind::Own, "Engines"),
        (Kind::Peer, "Engines of others (not part of `engines: all`)"),
        (Kind::Instrument, "Instruments of the harness (not part of `engines: all`)"),
    ] {
        let of_kind: Vec<_> = entries.iter().filter(|entry| entry.kind == kind).collect();
        let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
        if of_kind.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}");
        for entry in of_kind {
            let _ = writeln!(text, "  {:width$}  {}", entry.name, entry.summary);
        }
        text.push('\n');
    }
    text.push_str("`harness engines NAME` shows capabilities and options.\n");
    text
}

fn full(entry: &Entry) -> String {
    let Capabilities { max_key_bytes, max_value_bytes, durability, .. } = entry.capabilities;
    let classes: Vec<_> = durability.iter().map(|class| class.name()).collect();
    let mut text = format!("{}: {}\n\n", entry.name, entry.summary);
    for (flag, meaning) in flags(&entry.capabilities) {
        let _ = writeln!(text, "  {:3}  {meaning}", if flag { "yes" } else { "no" });
    }
    let _ = writeln!(text, "  keys up to {max_key_bytes} bytes, values up to {max_value_bytes} bytes");
    let _ = writeln!(text, "  durability: {}", classes.join(", "));
    for fault in entry.capabilities.known_faults {
        let often = if fault.rare { ", rarely" } else { "" };
        let _ = writeln!(
            text,
            "\n  known fault: fails the check '{}'{often}\n      {}",
            fault.check, fault.reason
        );
    }
    let _ = writeln!(text, "\nOptions{}", if entry.options.is_empty() { ": none" } else { "" });
    describe(&mut text, entry.options);
    let durability = durability_options(entry);
    if !durability.is_empty() {
        let _ = writeln!(text, "\nOptions of durability, as {KEY}: {{ … }} among them");
        describe(&mut text, durability);
    }
    text
}

fn describe(text: &mut String, options: &[OptionDoc]) {
    for option in options {
        let _ = writeln!(
            text,
            "  {} ({}; default {})\n      {}",
            option.name, option.range, option.default, option.summary
        );
    }
}

fn flags(capabilities: &Capabilities) -> [(bool, &'static str); 7] {
    [
        (capabilities.writes, "takes writes"),
        (capabilities.ordered_scan, "scans in key order"),
        (capabilities.reverse_scan, "scans in reverse"),
        (capabilities.scan_snapshot, "a scan is one point in time"),
        (capabilities.batch_atomic_visibility, "a batch becomes visible all at once"),
        (capabilities.delete_reports, "a delete tells whether the key was there"),
        (capabilities.retains_data, "keeps what is written"),
    ]
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    summary: &'static str,
    kind: Kind,
    capabilities: Capabilities,
    options: Vec<OptionRow>,
    durability_options: Vec<OptionRow>,
}

#[derive(Serialize)]
struct OptionRow {
    name: &'static str,
    range: &'static str,
    default: serde_json::Value,
    summary: &'static str,
}

fn json(entries: &[&Entry]) -> Result<String, Failure> {
    let rows: Vec<Row> = entries
        .iter()
        .map(|entry| {
            let defaults = (entry.default_options)();
            let options = entry.options.iter().map(|option| OptionRow {
                name: option.name,
                range: option.range,
                default: defaults.get(option.name).cloned().unwrap_or_default(),
                summary: option.summary,
            });
            let durable = durability_options(entry).iter().map(|option| OptionRow {
                name: option.name,
                range: option.range,
                default: serde_json::from_str(option.default).unwrap_or_default(),
                summary: option.summary,
            });
            Row {
                name: entry.name,
                summary: entry.summary,
                kind: entry.kind,
                capabilities: entry.capabilities,
                options: options.collect(),
                durability_options: durable.collect(),
            }
        })
        .collect();
    let text = serde_json::to_string_pretty(&rows);
    text.map(|text| text + "\n").map_err(|error| Failure::io("writing JSON", &error.into()))
}
