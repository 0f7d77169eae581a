//! What the errors of crates mean in our words: the one place where they become an [`Error`].

use crate::error::Error;
use std::io;
use std::path::Path;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of a crate, by what a caller can do about it. Each store sorts the errors of its crate into these.
#[derive(Debug)]
pub(super) enum Failure {
    /// Somebody has the store open.
    InUse,
    /// The store does not hold what was written to it.
    Damaged(String),
    /// The store may not grow any more.
    #[cfg(feature = "lmdb")]
    Full {
        /// Its name.
        engine: &'static str,
        /// Bytes in use.
        used_bytes: u64,
        /// The configured limit, bytes.
        limit_bytes: u64,
    },
    /// A call of the system failed.
    #[cfg(any(feature = "redb", feature = "fjall", feature = "sled", feature = "lmdb"))]
    System(io::Error),
    /// Anything else, as the crate tells it.
    Other(Cause),
}

impl Failure {
    /// The error, with what was tried, as a verb, and where.
    pub(super) fn at(self, operation: &'static str, path: &Path) -> Error {
        match self {
            Self::InUse => Error::InUse { directory: path.to_path_buf() },
            Self::Damaged(message) => Error::damaged(path, 0, message),
            #[cfg(feature = "lmdb")]
            Self::Full { engine, used_bytes, limit_bytes } => Error::Full { engine, used_bytes, limit_bytes },
            #[cfg(any(feature = "redb", feature = "fjall", feature = "sled", feature = "lmdb"))]
            Self::System(source) => Error::io(operation, path)(source),
            Self::Other(cause) => Error::io(operation, path)(io::Error::other(cause)),
        }
    }
}
