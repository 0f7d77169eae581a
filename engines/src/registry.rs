//! Every engine by its name: the only place where names meet code.
//!
//! Thread safety: constants.

use crate::durable::{self, Durable, DurableOptions};
use crate::engine::{Capabilities, Durability, Engine};
use crate::entry::{Entry, OpenOptions, Storage};
use crate::env::OsFileSystem;
use crate::error::{Error, Result};
#[cfg(not(loom))]
use crate::hash;
use crate::instruments::{liar, null, stall};
use crate::options::OptionDoc;
use crate::{array, btree, lsm, rbtree};
use std::sync::Arc;

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
const INNER: Capabilities = Capabilities { durability: Durability::ALL, ..Capabilities::IN_MEMORY_ORDERED };
static STALL: Entry = stall::entry(|options| stall::open(options, open), INNER);
static LIAR: Entry = liar::entry(|options| liar::open(options, open), INNER);

/// Engines that are built in with a cargo feature only: the feature, and their names.
const OPTIONAL: &[(&str, &[&str])] = &[
    (
        "peers-memory",
        &[
            "std-btreemap",
            "std-hashmap",
            "sharded-hashbrown",
            "dashmap",
            "papaya",
            "scc-hashmap",
            "scc-treeindex",
            "ferntree",
            "crossbeam-skiplist",
            "intrusive-rbtree",
        ],
    ),
    ("redb", &["redb"]),
    ("fjall", &["fjall"]),
    ("sled", &["sled"]),
    ("lmdb", &["lmdb"]),
    ("sqlite", &["sqlite"]),
    ("rocksdb", &["rocksdb"]),
];

/// All engines, in the order they are listed.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    #[cfg(any(feature = "peers-memory", feature = "files-of-others"))]
    let peers = crate::peers::entries();
    #[cfg(not(any(feature = "peers-memory", feature = "files-of-others")))]
    let peers = [];
    ENTRIES.iter().copied().chain(peers)
}

/// The cargo feature that must be switched on for the engine of this name, if there is one and it is off.
pub fn missing_feature(name: &str) -> Option<&'static str> {
    let (feature, _) = OPTIONAL.iter().find(|(_, engines)| engines.contains(&name))?;
    entries().all(|entry| entry.name != name).then_some(*feature)
}

/// The engine with this name.
///
/// # Errors
/// [`Error::NotBuiltIn`] with the feature that is off, or [`Error::UnknownEngine`] with the nearest name there is.
pub fn find(name: &str) -> Result<&'static Entry> {
    if let Some(found) = entries().find(|entry| entry.name == name) {
        return Ok(found);
    }
    if let Some(feature) = missing_feature(name) {
        return Err(Error::NotBuiltIn { engine: name.to_owned(), feature });
    }
    Err(Error::UnknownEngine {
        name: name.to_owned(),
        suggestion: entries()
            .map(|entry| (strsim::jaro_winkler(name, entry.name), entry.name))
            .filter(|(similarity, _)| *similarity > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name.to_owned()),
    })
}

/// What an engine can do with these options; nothing is kept of it.
///
/// # Errors
/// [`Error::InvalidOption`].
pub fn check(entry: &Entry, options: &serde_json::Value) -> Result<Capabilities> {
    let rest = match entry.storage {
        Storage::Files => options.clone(),
        Storage::Memory => DurableOptions::take(entry.name, options)?.1,
    };
    match (entry.open)(&OpenOptions { options: rest, ..OpenOptions::default() }) {
        Ok(opened) => Ok(opened.capabilities()),
        // By the time an engine misses its directory it has taken its options.
        Err(Error::NoDirectory { .. }) => Ok(entry.capabilities),
        Err(error) => Err(error),
    }
}

/// The options that an engine has beside its own, under the name [`durable::KEY`]: those of durability, if it is put around it.
pub fn durability_options(entry: &Entry) -> &'static [OptionDoc] {
    let is_put_around = entry.storage == Storage::Memory && entry.capabilities.durability.len() > 1;
    if is_put_around { durable::OPTIONS } else { &[] }
}

/// The names of an engine's options; those of durability stand under one of their own.
pub fn option_names(entry: &Entry) -> impl Iterator<Item = &'static str> {
    let durable = (!durability_options(entry).is_empty()).then_some(durable::KEY);
    entry.options.iter().map(|option| option.name).chain(durable)
}

/// Opens the engine with this name.
///
/// # Errors
/// As [`find`]; [`Error::UnsupportedDurability`], [`Error::InvalidOption`], or of the engine's storage.
pub fn open(name: &str, options: &OpenOptions) -> Result<Box<dyn Engine>> {
    let entry = find(name)?;
    let offered = entry.capabilities.durability;
    if !offered.contains(&options.durability) {
        return Err(Error::UnsupportedDurability { engine: entry.name, asked: options.durability, offered });
    }
    // The knobs of durability are checked in every class, so that a file may ask for several; without one there is nothing they could do.
    let (durable, rest) = match entry.storage {
        Storage::Files => return (entry.open)(options),
        Storage::Memory => DurableOptions::take(entry.name, &options.options)?,
    };
    let inner = (entry.open)(&OpenOptions { options: rest, durability: Durability::None, directory: None })?;
    if options.durability == Durability::None {
        return Ok(inner);
    }
    let missing = Error::NoDirectory { engine: entry.name, asked: options.durability };
    let directory = options.directory.as_deref().ok_or(missing)?;
    let system = Arc::new(OsFileSystem);
    Ok(Box::new(Durable::open(inner, system, directory, options.durability, durable)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Kind;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = entries().map(|entry| entry.name).collect();
        assert_eq!(names.len(), entries().count());
    }

    #[test]
    fn a_peer_is_built_in_or_its_feature_is_named() {
        let peers: Vec<_> =
            entries().filter(|entry| entry.kind == Kind::Peer).map(|entry| entry.name).collect();
        let built_in = |names: &&[&str]| names.iter().any(|name| peers.contains(name));
        let features = OPTIONAL.iter().map(|(_, names)| *names);
        let expected: Vec<_> = features.clone().filter(built_in).flatten().copied().collect();
        assert_eq!(peers, expected, "a feature brings all of its engines, in the order of the table");
        for name in features.flatten().copied() {
            let found = find(name);
            match missing_feature(name) {
                None => assert_eq!(found.map(|entry| entry.name).ok(), Some(name)),
                Some(missing) => assert!(
                    matches!(&found, Err(Error::NotBuiltIn { engine, feature }) if engine == name && *feature == missing),
                    "{name}: {:?}",
                    found.err()
                ),
            }
        }
        assert!(missing_feature("btree").is_none() && missing_feature("no such engine").is_none());
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
