//! How an engine presents itself to the registry: one [`Entry`] in its own folder.

use crate::engine::{Capabilities, Durability, Engine};
use crate::error::{Error, Result};
use crate::options::OptionDoc;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// What kind of engine an entry is; decides what `engines: all` means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An engine of this crate.
    Own,
    /// An engine that tests or calibrates the harness.
    Instrument,
    /// Somebody else's engine behind the trait.
    Peer,
}

/// Where an engine keeps what must outlast it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// In memory: the registry puts a log and snapshots around it where durability is asked for.
    Memory,
    /// In files of its own.
    Files,
}

/// What an engine is opened with.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The engine's own options as a JSON object; `null` is the same as `{}`. Unknown fields are refused.
    pub options: serde_json::Value,
    /// The durability class.
    pub durability: Durability,
    /// Where the files of a durable engine lie; it is made if it is not there. Without durability in-memory engines ignore it.
    pub directory: Option<PathBuf>,
}

/// One engine as the registry knows it.
pub struct Entry {
    /// The name it is asked for by.
    pub name: &'static str,
    /// One line: what it is and what it is good at.
    pub summary: &'static str,
    /// Own, instrument or peer.
    pub kind: Kind,
    /// Where it keeps what must outlast it.
    pub storage: Storage,
    /// What it can do with default options.
    pub capabilities: Capabilities,
    /// Its knobs.
    pub options: &'static [OptionDoc],
    /// Opens it. The registry has checked the durability class.
    pub open: fn(&OpenOptions) -> Result<Box<dyn Engine>>,
    /// The default options as JSON, for documentation and results.
    pub default_options: fn() -> serde_json::Value,
}

/// Reads an engine's options struct, which refuses unknown fields.
///
/// # Errors
/// [`Error::InvalidOption`] naming the engine and the field.
pub fn parse_options<T: DeserializeOwned + Default>(engine: &str, options: &serde_json::Value) -> Result<T> {
    match options {
        serde_json::Value::Null => Ok(T::default()),
        object @ serde_json::Value::Object(_) => {
            T::deserialize(object).map_err(|error| invalid(engine, &error.to_string()))
        }
        other => Err(invalid(engine, &format!("options must be a mapping, not {other}"))),
    }
}

/// The default options of `T` as JSON, for [`Entry::default_options`].
pub fn default_json<T: Serialize + Default>() -> serde_json::Value {
    serde_json::to_value(T::default()).unwrap_or(serde_json::Value::Null)
}

/// An [`Error::InvalidOption`] for the engine.
pub fn invalid(engine: &str, message: &str) -> Error {
    Error::InvalidOption { engine: engine.to_owned(), message: message.to_owned() }
}
