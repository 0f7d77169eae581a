//! Engines for the tests of planning: names and capabilities like those of the registry, and nothing behind them.

use engines::engine::Visitor;
use engines::entry::{Entry, Kind, OpenOptions, Storage, default_json, invalid, parse_options};
use engines::options::OptionDoc;
use engines::{Capabilities, Durability, Engine, Error, Result, Session, Stats};
use serde::{Deserialize, Serialize};

const ORDERED: Capabilities = Capabilities::IN_MEMORY_ORDERED;
const UNORDERED: Capabilities = Capabilities { ordered_scan: false, reverse_scan: false, ..ORDERED };

/// The engines that tests plan for.
pub const ENGINES: &[&Entry] = &[
    &entry("array", Kind::Own, ORDERED),
    &entry("rbtree", Kind::Own, Capabilities { reverse_scan: false, ..ORDERED }),
    &entry("hash", Kind::Own, UNORDERED),
    &entry("btree", Kind::Own, ORDERED),
    &entry("lsm-memtable", Kind::Own, Capabilities { max_value_bytes: 1 << 20, ..ORDERED }),
    &entry(
        "logged",
        Kind::Own,
        Capabilities { durability: &[Durability::None, Durability::Sync], ..ORDERED },
    ),
    &entry("null", Kind::Instrument, Capabilities { retains_data: false, ..ORDERED }),
    &entry("frozen", Kind::Own, Capabilities { writes: false, ..ORDERED }),
];

const fn entry(name: &'static str, kind: Kind, capabilities: Capabilities) -> Entry {
    Entry {
        name,
        summary: "For tests.",
        kind,
        storage: Storage::Memory,
        capabilities,
        options: &[
            OptionDoc { name: "order", range: "3–1000", default: "100", summary: "For tests." },
            OptionDoc {
                name: "short_values",
                range: "true | false",
                default: "false",
                summary: "For tests.",
            },
        ],
        open,
        default_options: default_json::<Options>,
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    order: u32,
    short_values: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { order: 100, short_values: false }
    }
}

/// An engine whose options change what it can do.
struct Fake {
    short_values: bool,
}

fn open(options: &OpenOptions) -> Result<Box<dyn Engine>> {
    let Options { order, short_values } = parse_options("fake", &options.options)?;
    if !(3..=1000).contains(&order) {
        return Err(invalid("fake", &format!("order must be 3 to 1000, not {order}")));
    }
    Ok(Box::new(Fake { short_values }))
}

impl Engine for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn capabilities(&self) -> Capabilities {
        let max_value_bytes = if self.short_values { 10 } else { ORDERED.max_value_bytes };
        Capabilities { max_value_bytes, ..ORDERED }
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Err(Error::Unsupported { engine: "fake", operation: "sessions" })
    }

    fn for_each(&self, _visit: Visitor<'_>) -> Result<()> {
        Err(Error::Unsupported { engine: "fake", operation: "for_each" })
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }
}
