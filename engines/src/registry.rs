//! Every engine by its name: the only place where names meet code.

use crate::engine::{Capabilities, Engine};
use crate::entry::{Entry, OpenOptions};
use crate::error::{Error, Result};
use crate::instruments::{liar, null, stall};
#[cfg(not(loom))]
use crate::hash;
use crate::{array, btree, lsm, rbtree};

/// All engines, in the order they are listed.
static ENTRIES: &[&Entry] = &[
    &array::ENTRY,
    &rbtree::ENTRY,
    #[cfg(not(loom))]
    &hash::ENTRY,
    &btree::ENTRY,
    &lsm::memtable::ENTRY,
    &null::ENTRY,
    &STALL,
    &LIAR,
];

/// What the instruments around `btree` can do when nothing else is asked for.
const INNER: Capabilities = Capabilities::IN_MEMORY_ORDERED;
static STALL: Entry = stall::entry(|options| stall::open(options, open), INNER);
static LIAR: Entry = liar::entry(|options| liar::open(options, open), INNER);

/// All engines, in the order they are listed.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().copied()
}

/// The engine with this name.
///
/// # Errors
/// [`Error::UnknownEngine`] with the nearest name there is.
pub fn find(name: &str) -> Result<&'static Entry> {
    entries().find(|entry| entry.name == name).ok_or_else(|| Error::UnknownEngine {
        name: name.to_owned(),
        suggestion: entries()
            .map(|entry| (strsim::jaro_winkler(name, entry.name), entry.name))
            .filter(|(similarity, _)| *similarity > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.to_owned()),
    })
}

/// Opens the engine with this name.
///
/// # Errors
/// [`Error::UnknownEngine`], [`Error::UnsupportedDurability`], [`Error::InvalidOption`], or of the engine's storage.
pub fn open(name: &str, options: &OpenOptions) -> Result<Box<dyn Engine>> {
    let entry = find(name)?;
    let offered = entry.capabilities.durability;
    if !offered.contains(&options.durability) {
        return Err(Error::UnsupportedDurability { engine: entry.name, asked: options.durability, offered });
    }
    (entry.open)(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = entries().map(|entry| entry.name).collect();
        assert_eq!(names.len(), entries().count());
    }

    #[test]
    fn documented_options_are_the_options() {
        for entry in entries() {
            let defaults = (entry.default_options)();
            let fields: BTreeSet<_> = defaults
                .as_object()
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.as_str(), v.to_string()))
                .collect();
            let documented: BTreeSet<_> =
                entry.options.iter().map(|option| (option.name, option.default.to_owned())).collect();
            assert_eq!(documented, fields, "{}", entry.name);
        }
    }
}
