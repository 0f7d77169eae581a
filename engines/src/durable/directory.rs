//! The directory of a store: made, recognised, locked, or refused.
//!
//! ```text
//! STORE                          which engine's, which version, which store: written last when the store is made
//! LOCK                           empty; locked as long as somebody has the store open
//! NNNNNNNNNN.log .spare …        the log
//! NNNNNNNNNNNNNNNNNNNN.snapshot  snapshots
//! ```
//!
//! Invariants
//! - Nothing is removed or written in a directory that has no `STORE`, but for what the making of a store has left there, which is told by
//!   `STORE.new`: it is durable before anything else is made.
//! - A store without its marker is no empty store: it is refused.
//!
//! Thread safety: the lock keeps other processes and other engines of this one out; it is taken before anything is written.

use super::marker::{MARKER_BYTES, Marker, NAME, UNFINISHED_NAME};
use crate::coding::Unreadable;
use crate::env::{Access, FileSystem, Lock};
use crate::error::{Error, Result};
use crate::log::{Log, LogOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const LOCK_NAME: &str = "LOCK";
/// Longer than any marker, so that a longer file is seen to be none.
const READ_BYTES_MOST: usize = MARKER_BYTES + 1;

/// A directory that is a store, and is this process's as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) system: Arc<dyn FileSystem>,
    pub(super) path: PathBuf,
    pub(super) store: u128,
    _lock: Box<dyn Lock>,
}

impl Directory {
    /// Opens the store of an engine, or makes one where nothing is. With it comes the log of a store that was made now.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::NotAStore`], [`Error::OtherEngine`], [`Error::UnknownVersion`], [`Error::Damaged`], or of the file system.
    pub(super) fn open(
        system: Arc<dyn FileSystem>,
        path: &Path,
        engine: &'static str,
        options: LogOptions,
    ) -> Result<(Self, Option<Log>)> {
        let making = Making { system: &*system, path };
        making.ensure_directory()?;
        // Before the lock, since that makes a file; and then again, since somebody may have made a store in between.
        making.check_names(&making.names()?)?;
        let lock = making.lock()?;
        let names = making.names()?;
        making.check_names(&names)?;
        let is_made = names.iter().any(|name| name == NAME);
        let (store, log) = if is_made {
            (making.marker(NAME, engine)?.store, None)
        } else {
            making.make(&system, &names, engine, options)?
        };
        Ok((Self { system, path: path.to_path_buf(), store, _lock: lock }, log))
    }

    /// A directory that must be a store already.
    ///
    /// # Errors
    /// As [`Directory::open`], which makes none here.
    pub(super) fn open_existing(
        system: Arc<dyn FileSystem>,
        path: &Path,
        engine: &'static str,
    ) -> Result<Self> {
        let making = Making { system: &*system, path };
        if !making.names()?.iter().any(|name| name == NAME) {
            return Err(making.refusal(format!("it has no {NAME}")));
        }
        let lock = making.lock()?;
        let store = making.marker(NAME, engine)?.store;
        Ok(Self { system, path: path.to_path_buf(), store, _lock: lock })
    }
}

struct Making<'a> {
    system: &'a dyn FileSystem,
    path: &'a Path,
}

impl Making<'_> {
    fn names(&self) -> Result<Vec<String>> {
        self.system.list(self.path).map_err(Error::io("list", self.path))
    }

    fn lock(&self) -> Result<Box<dyn Lock>> {
        let path = self.path.join(LOCK_NAME);
        self.system.lock(&path).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => Error::InUse { directory: self.path.to_path_buf() },
            _ => Error::io("lock", &path)(error),
        })
    }

    fn refusal(&self, message: impl Into<String>) -> Error {
        Error::NotAStore { directory: self.path.to_path_buf(), message: message.into() }
    }

    fn ensure_directory(&self) -> Result<()> {
        match self.system.list(self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => return other.map(drop).map_err(Error::io("list", self.path)),
        }
        match self.system.create_directory(self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(Error::io("create", self.path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the directory's own name durable, whoever made it.
    fn sync_parent(&self) -> Result<()> {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        self.system.sync_directory(parent).map_err(Error::io("sync", parent))
    }

    /// Whether the directory is a store, or empty, or holds no more than the making of a store may have left.
    fn check_names(&self, names: &[String]) -> Result<()> {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        if has(NAME) {
            return Ok(());
        }
        let is_left = |name: &str| name == LOCK_NAME || name == UNFINISHED_NAME;
        if has(UNFINISHED_NAME) {
            // Refused here already if it is not ours.
            let _marker = self.unfinished(names)?;
        }
        match names.iter().find(|name| !is_left(name)) {
            None => Ok(()),
            Some(name) if has(UNFINISHED_NAME) && Log::may_be_new(name) => Ok(()),
            Some(name) => Err(self.refusal(format!("it holds '{name}', and no {NAME}; nothing was touched"))),
        }
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path.join(name);
        let file = self.system.open(&path, Access::Read).map_err(Error::io("open", &path))?;
        let len = file.len().map_err(Error::io("look at", &path))?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(READ_BYTES_MOST)];
        file.read_exact_at(&mut bytes, 0).map_err(Error::io("read", &path))?;
        Ok(bytes)
    }

    fn marker(&self, name: &str, engine: &'static str) -> Result<Marker> {
        let marker = Marker::decode(&self.bytes(name)?).map_err(|why| why.at(&self.path.join(name), 0))?;
        if marker.engine != engine {
            let directory = self.path.to_path_buf();
            return Err(Error::OtherEngine { directory, found: marker.engine, asked: engine });
        }
        Ok(marker)
    }

    /// Makes a store, or goes on where that was interrupted. The log of a store that was all but made is not read here: there is none then.
    fn make(
        &self,
        system: &Arc<dyn FileSystem>,
        names: &[String],
        engine: &'static str,
        options: LogOptions,
    ) -> Result<(u128, Option<Log>)> {
        self.sync_parent()?;
        let store = match self.begun(names, engine)? {
            Some(store) => store,
            None => self.begin(engine)?,
        };
        let log = if names.iter().any(|name| Log::is_first(name)) {
            None
        } else {
            Some(Log::create(Arc::clone(system), self.path, store, options)?)
        };
        let (from, to) = (self.path.join(UNFINISHED_NAME), self.path.join(NAME));
        self.system.rename(&from, &to).map_err(Error::io("rename", &from))?;
        self.sync_names()?;
        Ok((store, log))
    }

    fn sync_names(&self) -> Result<()> {
        self.system.sync_directory(self.path).map_err(Error::io("sync", self.path))
    }

    /// The marker of a store whose making was interrupted; `None` if that was before the marker was written.
    fn unfinished(&self, names: &[String]) -> Result<Option<Marker>> {
        let path = self.path.join(UNFINISHED_NAME);
        let bytes = self.bytes(UNFINISHED_NAME)?;
        match Marker::decode(&bytes) {
            Ok(marker) => Ok(Some(marker)),
            Err(Unreadable::Version(version)) => Err(Error::UnknownVersion { path, version }),
            // The power was cut before anything else was made.
            Err(Unreadable::Damaged(_))
                if Marker::may_be_torn(&bytes) && !names.iter().any(|name| Log::may_be_new(name)) =>
            {
                Ok(None)
            }
            Err(Unreadable::Damaged(_)) => {
                let message = format!(
                    "its {UNFINISHED_NAME} cannot be read, and there is no {NAME}; nothing was touched"
                );
                Err(self.refusal(message))
            }
        }
    }

    /// The number of a store whose making was interrupted.
    fn begun(&self, names: &[String], engine: &'static str) -> Result<Option<u128>> {
        if !names.iter().any(|name| name == UNFINISHED_NAME) {
            return Ok(None);
        }
        let path = self.path.join(UNFINISHED_NAME);
        let Some(marker) = self.unfinished(names)? else {
            self.system.remove(&path).map_err(Error::io("remove", &path))?;
            return Ok(None);
        };
        if marker.engine != engine {
            let directory = self.path.to_path_buf();
            return Err(Error::OtherEngine { directory, found: marker.engine, asked: engine });
        }
        // What was read may not be durable yet, and all that follows relies on it.
        let file = self.system.open(&path, Access::ReadWrite).map_err(Error::io("open", &path))?;
        file.write_all_at(&marker.encode(), 0).map_err(Error::io("write", &path))?;
        file.sync().map_err(Error::io("sync", &path))?;
        self.sync_names()?;
        Ok(Some(marker.store))
    }

    /// Says durably that a store is being made here.
    fn begin(&self, engine: &'static str) -> Result<u128> {
        let path = self.path.join(UNFINISHED_NAME);
        let store = self.system.unique_id().map_err(Error::io("number", self.path))?;
        let file = self.system.create(&path).map_err(Error::io("create", &path))?;
        let bytes = Marker { store, engine: engine.to_owned() }.encode();
        file.write_all_at(&bytes, 0).map_err(Error::io("write", &path))?;
        file.sync().map_err(Error::io("sync", &path))?;
        self.sync_names()?;
        Ok(store)
    }
}
