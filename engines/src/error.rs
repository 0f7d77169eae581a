//! Typed errors. Each carries its evidence, so that a caller can decide and a person can act.

use crate::engine::Durability;
use std::io;
use std::path::{Path, PathBuf};

/// The result of an engine operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong in an engine. An operation that returns an error has changed nothing, unless the variant says
/// otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key is longer than the engine takes.
    #[error("key of {len} bytes is over the limit of {limit} bytes")]
    KeyTooLong {
        /// Length of the refused key, bytes.
        len: usize,
        /// The engine's limit, bytes.
        limit: usize,
    },
    /// The value is longer than the engine takes.
    #[error("value of {len} bytes is over the limit of {limit} bytes")]
    ValueTooLong {
        /// Length of the refused value, bytes.
        len: usize,
        /// The engine's limit, bytes.
        limit: usize,
    },
    /// The batch holds more operations or bytes than the engine takes.
    #[error(
        "batch of {operations} operations and {bytes} bytes is over the limit of {max_operations} operations and {max_bytes} bytes"
    )]
    BatchTooLarge {
        /// Operations in the refused batch.
        operations: usize,
        /// Key and value bytes in the refused batch.
        bytes: usize,
        /// The engine's limit on operations.
        max_operations: usize,
        /// The engine's limit on bytes.
        max_bytes: usize,
    },
    /// The engine has reached a size that its options limit.
    #[error(
        "{engine} is full: {used_bytes} of {limit_bytes} bytes used; raise its limit or use an engine that spills"
    )]
    Full {
        /// Name of the engine.
        engine: &'static str,
        /// Bytes in use.
        used_bytes: u64,
        /// The configured limit, bytes.
        limit_bytes: u64,
    },
    /// The engine or table takes no more writes (frozen, closed or built).
    #[error("{engine} is read-only: {reason}")]
    ReadOnly {
        /// Name of the engine.
        engine: &'static str,
        /// Why it takes no writes.
        reason: &'static str,
    },
    /// The engine has no such operation; [`crate::Capabilities`] says so beforehand.
    #[error("{engine} does not support {operation}")]
    Unsupported {
        /// Name of the engine.
        engine: &'static str,
        /// The operation that was asked for.
        operation: &'static str,
    },
    /// No engine has this name.
    #[error("unknown engine '{name}'{}", hint(.suggestion))]
    UnknownEngine {
        /// The name that was asked for.
        name: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
    /// The engine is known, but this program was built without it.
    #[error("engine '{engine}' is not built in: it needs the cargo feature '{feature}'")]
    NotBuiltIn {
        /// The name that was asked for.
        engine: String,
        /// The feature to build with.
        feature: &'static str,
    },
    /// An option is unknown, malformed or out of its range.
    #[error("engine '{engine}': {message}")]
    InvalidOption {
        /// Name of the engine.
        engine: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The engine does not offer this durability class.
    #[error("engine '{engine}' does not offer durability '{asked}' (offered: {})", list(.offered))]
    UnsupportedDurability {
        /// Name of the engine.
        engine: &'static str,
        /// The class that was asked for.
        asked: Durability,
        /// The classes the engine offers.
        offered: &'static [Durability],
    },
    /// A call of the file system failed.
    #[error("cannot {operation} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what was written to it, or is missing.
    #[error("{} is damaged at byte {position}: {message}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it, bytes from its start.
        position: u64,
        /// What was expected there, and what was found.
        message: String,
    },
    /// A file is whole, and of a version of its format that this program does not know.
    #[error("{} has version {version} of its format, which this program does not know; a newer one may", .path.display())]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// The version it names.
        version: u32,
    },
    /// The engine needs a directory for this, and was given none.
    #[error("engine '{engine}' needs a directory for durability '{asked}'")]
    NoDirectory {
        /// Name of the engine.
        engine: &'static str,
        /// The class that was asked for.
        asked: Durability,
    },
    /// Somebody has the directory open.
    #[error("{} is in use by another process, or another engine of this one", .directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory is not empty and not a store: nothing in it is touched.
    #[error("{} is not a store: {message}", .directory.display())]
    NotAStore {
        /// The directory.
        directory: PathBuf,
        /// What speaks against it.
        message: String,
    },
    /// The directory belongs to another engine.
    #[error("{} is a store of engine '{found}', not of '{asked}'", .directory.display())]
    OtherEngine {
        /// The directory.
        directory: PathBuf,
        /// The engine that made it.
        found: String,
        /// The engine that was asked for.
        asked: &'static str,
    },
    /// A write or sync has failed before, so nothing is known about what was written since; reads go on.
    #[error("takes no more writes, because it could not {reason}; close it and open it again")]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// An invariant of the structure does not hold; found by `validate`.
    #[error("{engine}: invariant broken: {message}")]
    InvariantBroken {
        /// Name of the engine.
        engine: &'static str,
        /// Which invariant, and where.
        message: String,
    },
}

impl Error {
    /// The error of a call of the file system, for `map_err`.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, path: path.to_path_buf(), source }
    }

    /// An [`Error::Damaged`].
    pub(crate) fn damaged(path: &Path, position: u64, message: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), position, message: message.into() }
    }
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|s| format!("; did you mean '{s}'?")).unwrap_or_default()
}

fn list(classes: &[Durability]) -> String {
    classes.iter().map(Durability::to_string).collect::<Vec<_>>().join(", ")
}
