//! Files that appear together and whole, or not at all.
//!
//! Every file is written under another name in the same directory and synced; only when all of them are, they are renamed to
//! what they are called, and the directory is synced. Until then a full disk, a signal or a crash leaves what was there before.
//! A file that this program did not make is neither replaced nor deleted.

use crate::exit::{Exit, Failure};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// As much of a file as is read to see who made it.
const BEGINNING_BYTES: u64 = 4096;

/// Files that are ready but not yet called what they are to be called.
#[derive(Debug)]
pub struct Publication {
    directory: PathBuf,
    staged: Vec<(NamedTempFile, PathBuf)>,
}

impl Publication {
    /// A publication into a directory, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(directory: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory)
            .map_err(|error| Failure::io(format!("making the directory {}", directory.display()), &error))?;
        Ok(Self { directory: directory.to_owned(), staged: Vec::new() })
    }

    /// Prepares a file. `is_ours` sees the beginning of a file of that name that is there already.
    ///
    /// # Errors
    /// When there is a file that is not ours, or on any failure to write.
    pub fn stage(
        &mut self,
        name: &str,
        content: &[u8],
        is_ours: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Failure> {
        let path = self.directory.join(name);
        refuse_foreign(&path, is_ours)?;
        let failed = |error| Failure::io(format!("writing {}", path.display()), &error);
        let mut builder = Builder::new();
        builder.prefix(".harness-").suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any other new file: what the umask leaves of it.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(&self.directory).map_err(failed)?;
        file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        self.staged.push((file, path));
        Ok(())
    }

    /// Gives all files their names, in the order they were staged, and returns their paths.
    ///
    /// # Errors
    /// On a failure to rename; files before it are in place, those after it as they were.
    pub fn commit(self) -> Result<Vec<PathBuf>, Failure> {
        let mut paths = Vec::with_capacity(self.staged.len());
        for (file, path) in self.staged {
            file.persist(&path)
                .map_err(|refused| Failure::io(format!("writing {}", path.display()), &refused.error))?;
            paths.push(path);
        }
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(|error| {
            Failure::io(format!("syncing the directory {}", self.directory.display()), &error)
        })?;
        Ok(paths)
    }
}

fn refuse_foreign(path: &Path, is_ours: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    let failed = |error| Failure::io(format!("reading {}", path.display()), &error);
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut beginning = Vec::new();
    if kind.is_file() {
        let file = File::open(path).map_err(failed)?;
        file.take(BEGINNING_BYTES).read_to_end(&mut beginning).map_err(failed)?;
        if is_ours(&beginning) {
            return Ok(());
        }
    }
    Err(Failure::new(Exit::Io, format!("{} is there already and was not made by harness", path.display()))
        .hint("choose another directory with --out, or move the file away"))
}

/// A name made safe for a file: letters, digits, `-`, `_` and inner dots stay. A name that had to be changed carries a hash of
/// the original, so that two names do not meet.
pub fn file_stem(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let safe: String = name.chars().take(80).map(|letter| if plain(letter) { letter } else { '_' }).collect();
    if safe == name && !safe.is_empty() && !safe.starts_with('.') {
        return safe;
    }
    // FNV-1a, 32 bits.
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{}-{hash:08x}", safe.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_appear_only_when_all_are_ready() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/b");
        let mut publication = Publication::new(&below).unwrap();
        publication.stage("x", b"1", |_| false).unwrap();
        assert!(!below.join("x").exists());
        publication.stage("y", b"2", |_| false).unwrap();
        assert_eq!(publication.commit().unwrap(), [below.join("x"), below.join("y")]);
        assert_eq!(names(&below), ["x", "y"]);
        let mut dropped = Publication::new(&below).unwrap();
        dropped.stage("x", b"3", |beginning| beginning == b"1").unwrap();
        drop(dropped);
        assert_eq!((names(&below).len(), fs::read(below.join("x")).unwrap()), (2, b"1".to_vec()));
    }

    #[test]
    fn what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("notes"), "mine").unwrap();
        fs::create_dir(directory.path().join("folder")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("notes", directory.path().join("link")).unwrap();
        let before = names(directory.path());
        let mut publication = Publication::new(directory.path()).unwrap();
        for name in before.iter() {
            let refused = publication.stage(name, b"ours", |beginning| beginning == b"ours").unwrap_err();
            assert_eq!(refused.exit, Exit::Io);
            assert!(refused.message.contains("was not made by harness"), "{refused}");
        }
        assert!(publication.commit().unwrap().is_empty());
        assert_eq!(names(directory.path()), before);
        assert_eq!(fs::read(directory.path().join("notes")).unwrap(), b"mine");
    }

    #[test]
    fn names_become_harmless_and_stay_apart() {
        assert_eq!(file_stem("ycsb-a_1.2"), "ycsb-a_1.2");
        for name in ["", "..", "../etc/passwd", ".hidden", "a b", "ä", "a/b", "a\\b", &"x".repeat(300)] {
            let stem = file_stem(name);
            assert!(!stem.is_empty() && !stem.starts_with('.') && !stem.contains(['/', '\\', ' ']), "{stem}");
            assert!(stem.len() <= 90);
        }
        assert_ne!(file_stem("a b"), file_stem("a/b"));
    }
}
