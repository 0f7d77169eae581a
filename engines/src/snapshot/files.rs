//! Snapshots as files: their names, which there are, and which are given up.

use crate::env::FileSystem;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

const ENDING: &str = ".snapshot";
const UNFINISHED_ENDING: &str = ".snapshot-new";

fn number_of(name: &str, ending: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(ending)?.parse().ok()?;
    (name == format!("{number:020}{ending}")).then_some(number)
}

/// The path of the snapshot that holds everything up to a frame of the log.
pub(super) fn path(directory: &Path, after: u64) -> PathBuf {
    directory.join(format!("{after:020}{ENDING}"))
}

/// Its path until it is whole.
pub(super) fn unfinished_path(directory: &Path, after: u64) -> PathBuf {
    directory.join(format!("{after:020}{UNFINISHED_ENDING}"))
}

/// The snapshots of a directory, newest first, by the number of the last frame of the log that each holds for certain.
///
/// # Errors
/// Of the file system.
pub fn list(system: &dyn FileSystem, directory: &Path) -> Result<Vec<u64>> {
    let names = system.list(directory).map_err(Error::io("list", directory))?;
    let mut numbers: Vec<_> = names.iter().filter_map(|name| number_of(name, ENDING)).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    Ok(numbers)
}

/// Removes all snapshots but the newest ones, so many, and what interrupted writers have left. Nobody may be writing one.
///
/// # Errors
/// Of the file system. What was not removed is removed the next time.
pub fn prune(system: &dyn FileSystem, directory: &Path, keep: usize) -> Result<()> {
    let names = system.list(directory).map_err(Error::io("list", directory))?;
    let unfinished = names.iter().filter(|name| number_of(name, UNFINISHED_ENDING).is_some());
    let old = list(system, directory)?.into_iter().skip(keep).map(|number| path(directory, number));
    let gone: Vec<_> = unfinished.map(|name| directory.join(name)).chain(old).collect();
    for path in &gone {
        system.remove(path).map_err(Error::io("remove", path))?;
    }
    if gone.is_empty() {
        return Ok(());
    }
    system.sync_directory(directory).map_err(Error::io("sync", directory))
}
