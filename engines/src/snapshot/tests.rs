//! Snapshots against everything that may happen to their files.

use super::*;
use crate::env::sim::{Fault, FaultKind, Persistence, SimFileSystem, SimRandom};
use crate::env::{FileSystem, OsFileSystem};
use crate::error::{Error, Result};
use crate::testing::within;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const STORE: u128 = 0x0123_4567_89AB_CDEF_0011_2233_4455_6677;
const BLOCK_BYTES: usize = 500;

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn directory() -> &'static Path {
    Path::new("/d")
}

fn new_system() -> SimFileSystem {
    SimFileSystem::with_directory(directory())
}

/// Lengths of all kinds, the least among them.
fn records(count: u64) -> Records {
    let record = |n: u64| {
        let key = if n == 0 { Vec::new() } else { format!("key{:03}", n * 7 % 1_000).into_bytes() };
        (key, vec![n as u8 | 1; (n * 37 % 400) as usize])
    };
    (0..count).map(record).collect()
}

fn write<'a>(
    system: &SimFileSystem,
    after: u64,
    records: impl IntoIterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>,
) -> Result<()> {
    let writer = SnapshotWriter::begin(Arc::new(system.clone()), directory(), STORE, after)?;
    let mut writer = writer.with_block_bytes(BLOCK_BYTES);
    for (key, value) in records {
        writer.add(key, value)?;
    }
    writer.finish(after + 5).map(drop)
}

type Found = Vec<(Vec<u8>, Vec<u8>)>;

fn read(system: &SimFileSystem, after: u64) -> Result<(Snapshot, Found)> {
    let snapshot = Snapshot::open(system, directory(), STORE, after)?;
    let (mut found, mut buffer) = (Vec::new(), Vec::new());
    for number in 0..snapshot.blocks() {
        let block = snapshot.block(number, buffer)?;
        found.extend(block.records().map(|(key, value)| (key.to_vec(), value.to_vec())));
        buffer = block.into_buffer();
    }
    Ok((snapshot, found))
}

#[test]
fn what_was_written_is_read_again() {
    within(LIMIT, "write and read", || {
        for count in [0, 1, 2, 300] {
            let (system, expected) = (new_system(), records(count));
            write(&system, 42, &expected).unwrap();
            let (snapshot, found) = read(&system, 42).unwrap();
            assert!(found.into_iter().collect::<Records>() == expected);
            assert_eq!((snapshot.after(), snapshot.at_least()), (42, 47));
            assert_eq!(snapshot.records(), expected.len() as u64);
            assert!(snapshot.is_sorted());
            assert!(count < 100 || snapshot.blocks() > 50, "{} blocks", snapshot.blocks());
            assert_eq!(list(&system, directory()).unwrap(), [42]);
        }
    });
}

#[test]
fn what_does_not_ascend_is_not_called_sorted() {
    within(LIMIT, "order", || {
        let (system, all) = (new_system(), records(5));
        write(&system, 1, all.iter().rev()).unwrap();
        write(&system, 2, all.iter().chain(all.iter().last())).unwrap();
        for after in [1, 2] {
            assert!(!read(&system, after).unwrap().0.is_sorted());
        }
    });
}

#[test]
fn a_bit_flipped_in_any_byte_and_a_cut_at_any_byte_are_found() {
    within(LIMIT, "flips and cuts", || {
        let (system, expected) = (new_system(), records(60));
        write(&system, 7, &expected).unwrap();
        let path = files::path(directory(), 7);
        let bytes = system.contents(&path).unwrap();
        let is_damaged = |bytes: Vec<u8>, what: String| {
            let damaged = system.fork();
            damaged.plant(&path, &bytes);
            match read(&damaged, 7) {
                Err(Error::Damaged { .. }) => {}
                other => panic!("{what}: {:?}", other.map(|(_, found)| found.len())),
            }
        };
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            is_damaged(flipped, format!("a bit of byte {at}"));
            is_damaged(bytes[..at].to_vec(), format!("cut at {at}"));
        }
        is_damaged([&bytes[..], &[0]].concat(), "a byte more".into());
        println!("{} bytes flipped and cut at", bytes.len());
        assert!(bytes.len() > 8_000);
    });
}

#[test]
fn another_ones_snapshot_is_refused() {
    within(LIMIT, "exchanged snapshots", || {
        let (system, all) = (new_system(), records(10));
        write(&system, 7, &all).unwrap();
        write(&system, 8, &records(9)).unwrap();
        let exchanged = system.fork();
        exchanged
            .plant(&files::path(directory(), 7), &system.contents(&files::path(directory(), 8)).unwrap());
        assert!(matches!(read(&exchanged, 7), Err(Error::Damaged { .. })));
        assert!(matches!(Snapshot::open(&system, directory(), STORE + 1, 7), Err(Error::Damaged { .. })));
        assert!(matches!(Snapshot::open(&system, directory(), STORE, 9), Err(Error::Io { .. })));
    });
}

#[test]
fn a_cut_of_the_power_leaves_a_whole_snapshot_or_none() {
    within(LIMIT, "power cuts", || {
        let (system, old, new) = (new_system(), records(20), records(60));
        write(&system, 1, &old).unwrap();
        let images = Arc::new(AtomicU64::new(0));
        let (counter, expected) = (Arc::clone(&images), new.clone());
        let mut random = SimRandom::new(3);
        system.observe(Some(Box::new(move |system, _| {
            for persistence in Persistence::ALL {
                let image = system.image(persistence, &mut random);
                for after in list(&image, directory()).unwrap() {
                    let found: Records = read(&image, after).unwrap().1.into_iter().collect();
                    assert!(
                        found == if after == 1 { records(20) } else { expected.clone() },
                        "snapshot {after}"
                    );
                }
                assert!(list(&image, directory()).unwrap().contains(&1), "the old one is there");
                prune(&image, directory(), 1).unwrap();
                assert_eq!(image.files().len(), 1);
                counter.fetch_add(1, Ordering::Relaxed);
            }
        })));
        write(&system, 2, &new).unwrap();
        system.observe(None);
        assert_eq!(
            list(&system.image(Persistence::Nothing, &mut SimRandom::new(0)), directory()).unwrap(),
            [2, 1]
        );
        let images = images.load(Ordering::Relaxed);
        println!("{images} images");
        assert!(images > 100);
    });
}

#[test]
fn a_call_that_fails_leaves_no_snapshot_of_that_name() {
    within(LIMIT, "faults", || {
        let mut faults = 0;
        'calls: for offset in 0.. {
            for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
                let (system, expected) = (new_system(), records(200));
                let first = system.calls();
                system.inject(Fault { call: first + offset, kind: FaultKind::Error(kind), for_good: false });
                let answer = write(&system, 1, &expected);
                if system.calls() <= first + offset {
                    answer.unwrap();
                    break 'calls;
                }
                assert!(matches!(answer, Err(Error::Io { .. })), "{offset}");
                system.heal();
                // Its name may be there, if what failed was to make the name durable.
                for after in list(&system, directory()).unwrap() {
                    assert!(read(&system, after).unwrap().1.into_iter().collect::<Records>() == expected);
                }
                write(&system, 1, &expected).unwrap();
                prune(&system, directory(), 1).unwrap();
                assert_eq!(system.files().len(), 1);
                faults += 1;
            }
        }
        println!("{faults} faults");
        assert!(faults > 60);
    });
}

#[test]
fn the_newest_are_kept() {
    within(LIMIT, "pruning", || {
        let system = new_system();
        for after in [3, 1, 12, 7] {
            write(&system, after, &records(3)).unwrap();
        }
        system.plant(&directory().join("12.snapshot"), b"mine");
        let unfinished = SnapshotWriter::begin(Arc::new(system.clone()), directory(), STORE, 20).unwrap();
        std::mem::forget(unfinished);
        prune(&system, directory(), 2).unwrap();
        assert_eq!(list(&system, directory()).unwrap(), [12, 7]);
        assert_eq!(system.files().len(), 3, "{:?}", system.files());
        assert_eq!(
            system.contents(&directory().join("12.snapshot")),
            Some(b"mine".to_vec()),
            "not ours, so kept"
        );
    });
}

/// A snapshot of the format's first version, whose bytes never change.
const FIXTURE: &[u8] = include_bytes!("../../fixtures/snapshot-v1/00000000000000000042.snapshot");

#[test]
fn the_format_is_what_it_was() {
    within(LIMIT, "the fixture", || {
        let (system, expected) = (new_system(), records(12));
        write(&system, 42, &expected).unwrap();
        let path = files::path(directory(), 42);
        assert!(system.contents(&path).unwrap() == FIXTURE, "written otherwise than it was");
        let old = new_system();
        old.plant(&path, FIXTURE);
        assert!(read(&old, 42).unwrap().1.into_iter().collect::<Records>() == expected);
    });
}

#[test]
fn blocks_are_read_by_several_threads() {
    within(LIMIT, "parallel reading", || {
        let directory = tempfile::tempdir().unwrap();
        let system: Arc<dyn FileSystem> = Arc::new(OsFileSystem);
        let mut writer = SnapshotWriter::begin(Arc::clone(&system), directory.path(), STORE, 1).unwrap();
        for n in 0..20_000_u64 {
            writer.add(&n.to_be_bytes(), &[n as u8; 100]).unwrap();
        }
        writer.finish(1).unwrap();
        let snapshot = Snapshot::open(&*system, directory.path(), STORE, 1).unwrap();
        assert!(snapshot.blocks() > 4);
        let (next, visited) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut buffer = Vec::new();
                    loop {
                        let block = next.fetch_add(1, Ordering::Relaxed) as usize;
                        if block >= snapshot.blocks() {
                            break;
                        }
                        let block = snapshot.block(block, buffer).unwrap();
                        for (key, value) in block.records() {
                            assert_eq!(value, [key[7]; 100]);
                            visited.fetch_add(1, Ordering::Relaxed);
                        }
                        buffer = block.into_buffer();
                    }
                });
            }
        });
        assert_eq!(visited.into_inner(), 20_000);
    });
}
