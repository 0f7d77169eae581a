//! What both file systems promise, by one test for each promise.

use super::sim::SimFileSystem;
use super::*;
use crate::testing::within;
use std::path::PathBuf;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a check in an empty directory of each file system.
fn on_both(what: &str, check: fn(&dyn FileSystem, &Path)) {
    within(LIMIT, what, move || {
        let directory = tempfile::tempdir().unwrap();
        check(&OsFileSystem, directory.path());
        let simulated = SimFileSystem::new();
        simulated.create_directory(Path::new("/d")).unwrap();
        check(&simulated, Path::new("/d"));
    });
}

fn read(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

#[test]
fn files_are_written_and_read_at_positions() {
    on_both("positions", |system, directory| {
        let path = directory.join("f");
        let file = system.create(&path).unwrap();
        assert!(file.is_empty().unwrap());
        file.write_all_at(b"world", 6).unwrap();
        file.write_all_at(b"hello,", 0).unwrap();
        assert_eq!(read(&*file), b"hello,world");
        file.write_durably_at(b"HELL", 0).unwrap();
        assert_eq!(read(&*file), b"HELLo,world");
        file.write_durably_at(b"hell", 0).unwrap();
        file.set_len(5).unwrap();
        file.set_len(7).unwrap();
        file.sync().unwrap();
        let again = system.open(&path, Access::Read).unwrap();
        assert_eq!(read(&*again), b"hello\0\0");
        assert_eq!(again.read_at(&mut [0; 8], 7).unwrap(), 0);
        assert_eq!(kind(again.read_exact_at(&mut [0; 8], 0)), ErrorKind::UnexpectedEof);
        assert!(again.write_at(b"x", 0).is_err(), "opened for reading");
        assert_eq!(kind(system.create(&path)), ErrorKind::AlreadyExists);
        assert_eq!(kind(system.open(&directory.join("g"), Access::Read)), ErrorKind::NotFound);
    });
}

#[test]
fn what_is_stored_in_a_mapping_is_in_the_file() {
    on_both("mappings", |system, directory| {
        let file = system.create(&directory.join("f")).unwrap();
        assert_eq!(kind(file.map(100)), ErrorKind::InvalidInput);
        file.write_all_at(b"before", 0).unwrap();
        file.allocate(10_000).unwrap();
        file.allocate(100).unwrap();
        assert_eq!(file.len().unwrap(), 10_000);
        let mut mapping = file.map(10_000).unwrap();
        assert!(mapping.store(3, b"ahead") && mapping.store(9_997, b"end") && mapping.store(10_000, b""));
        assert!(!mapping.store(9_998, b"end") && !mapping.store(usize::MAX, b"end"));
        file.sync_data().unwrap();
        let bytes = read(&*file);
        assert_eq!((&bytes[..9], &bytes[9_996..]), (&b"befahead\0"[..], &b"\0end"[..]));
        drop(file);
        assert!(mapping.store(0, b"B"), "a mapping outlives its file");
        drop(mapping);
        assert_eq!(read(&*system.open(&directory.join("f"), Access::Read).unwrap())[..3], *b"Bef");
    });
}

#[test]
fn names_are_listed_renamed_and_removed() {
    on_both("names", |system, directory| {
        let path = |name: &str| -> PathBuf { directory.join(name) };
        for name in ["b", "a", "c"] {
            system.create(&path(name)).unwrap().write_all_at(name.as_bytes(), 0).unwrap();
        }
        system.create_directory(&path("sub")).unwrap();
        assert_eq!(kind(system.create_directory(&path("sub"))), ErrorKind::AlreadyExists);
        let open = system.open(&path("c"), Access::Read).unwrap();
        system.rename(&path("a"), &path("c")).unwrap();
        system.remove(&path("b")).unwrap();
        system.sync_directory(directory).unwrap();
        assert_eq!(system.list(directory).unwrap(), ["c", "sub"]);
        assert!(system.list(&path("sub")).unwrap().is_empty());
        assert_eq!(read(&*system.open(&path("c"), Access::Read).unwrap()), b"a");
        assert_eq!(read(&*open), b"c", "an open file stays what it is");
        assert_eq!(kind(system.remove(&path("b"))), ErrorKind::NotFound);
        assert_eq!(kind(system.list(&path("b"))), ErrorKind::NotFound);
    });
}

#[test]
fn a_lock_has_one_owner() {
    on_both("locks", |system, directory| {
        let path = directory.join("LOCK");
        let lock = system.lock(&path).unwrap();
        assert_eq!(kind(system.lock(&path)), ErrorKind::WouldBlock);
        drop(lock);
        system.lock(&path).unwrap();
        assert_ne!(system.unique_id().unwrap(), system.unique_id().unwrap());
    });
}
