//! What is promised beside surviving: when syncs and snapshots come, what is kept and given up, what is refused, and what is left of the damaged. That
//! nothing is lost or invented is for `tests/crash.rs` and `tests/kills.rs`.

use super::*;
use crate::engine::{Existence, WriteBatch};
use crate::env::OsFileSystem;
use crate::env::sim::{Fault, FaultKind, Persistence, SimFileSystem, SimRandom};
use crate::error::Error;
use crate::options::ByteSize;
use crate::testing::{Reference, eventually, within};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::PathBuf;

const LIMIT: Duration = Duration::from_secs(120);

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn place() -> PathBuf {
    PathBuf::from("/store")
}

fn small() -> DurableOptions {
    DurableOptions { segment_bytes: ByteSize::kib(4), recovery_threads: Some(1), ..DurableOptions::default() }
}

fn open_with(system: &SimFileSystem, class: Durability, options: DurableOptions) -> Result<Durable> {
    let system = Arc::new(system.clone());
    Durable::open_without_upkeep(Box::new(Reference::new()), system, &place(), class, options)
}

fn open(system: &SimFileSystem, class: Durability) -> Durable {
    open_with(system, class, small()).unwrap()
}

fn set(engine: &Durable, key: &str, value: &[u8]) {
    engine.session().unwrap().set(key.as_bytes(), value).unwrap();
}

fn records(engine: &dyn Engine) -> Records {
    let mut records = Records::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        records.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    engine.for_each(&mut visit).unwrap();
    records
}

fn detail(engine: &Durable, name: &str) -> f64 {
    engine.stats().details.iter().find(|(found, _)| found == name).unwrap().1
}

/// Names in the store's directory that end so.
fn files(system: &SimFileSystem, ending: &str) -> usize {
    system.files().iter().filter(|path| path.to_string_lossy().ends_with(ending)).count()
}

#[test]
fn writes_are_synced_as_their_class_says() {
    within(LIMIT, "classes", || {
        let syncs = |class, options| {
            let system = SimFileSystem::new();
            let engine = open_with(&system, class, options).unwrap();
            for n in 0..100 {
                set(&engine, &format!("key {n}"), b"value");
            }
            engine.syncs()
        };
        assert_eq!(syncs(Durability::Sync, small()), 100);
        assert_eq!(syncs(Durability::Buffered, small()), 0);
        let every = |operations| DurableOptions { sync_every_operations: Some(operations), ..small() };
        assert_eq!(syncs(Durability::Buffered, every(1)), 100);
        assert_eq!(syncs(Durability::Buffered, every(10)), 10);
        // A cut loses fewer than these.
        let system = SimFileSystem::new();
        let engine = open_with(&system, Durability::Buffered, every(10)).unwrap();
        for n in 1..=100 {
            set(&engine, &format!("key {n}"), b"value");
            let image = system.image(Persistence::Nothing, &mut SimRandom::new(0));
            assert!(records(&open(&image, Durability::Buffered)).len() + 10 > n, "after {n}");
        }
    });
}

#[test]
fn the_thread_behind_syncs_and_writes_snapshots() {
    within(LIMIT, "upkeep", || {
        let options =
            DurableOptions { sync_every_ms: Some(5), checkpoint_bytes: ByteSize::kib(20), ..small() };
        let system = SimFileSystem::new();
        let shared = Arc::new(system.clone());
        let inner = Box::new(Reference::new());
        let engine = Durable::open(inner, shared, &place(), Durability::Buffered, options).unwrap();
        set(&engine, "key", b"value");
        assert!(eventually(|| detail(&engine, "log_synced") >= 1.0), "synced in the background");
        let (mut written, mut writer) = (0_u64, engine.session().unwrap());
        let is_due = |engine: &Durable| detail(engine, "snapshots_written") >= 3.0;
        assert!(
            eventually(|| {
                for _ in 0..100 {
                    writer.set(&(written % 50).to_be_bytes(), &[written as u8; 100]).unwrap();
                    written += 1;
                }
                is_due(&engine)
            }),
            "snapshots by bytes"
        );
        drop(writer);
        assert!(engine.wait_idle(LIMIT).unwrap());
        assert_eq!(files(&system, ".snapshot"), 1);
        let expected = records(&engine);
        Box::new(engine).close().unwrap();
        let again = open(&system, Durability::Buffered);
        assert!(again.recovery().snapshot.is_some());
        assert_eq!(records(&again), expected);
    });
}

#[test]
fn snapshots_take_the_place_of_the_log() {
    within(LIMIT, "snapshots", || {
        let system = SimFileSystem::new();
        let options = DurableOptions { keep_snapshots: 2, ..small() };
        let engine = open_with(&system, Durability::Buffered, options).unwrap();
        for round in 1..=5 {
            for n in 0..100 {
                set(&engine, &format!("key {n}"), &[round; 100]);
            }
            let before = detail(&engine, "log_segments");
            engine.snapshot().unwrap();
            assert_eq!(files(&system, ".snapshot"), usize::from(round.min(2)));
            if round > 2 {
                assert!(detail(&engine, "log_segments") < before, "the log before the oldest is given up");
            }
            engine.snapshot().unwrap();
            assert_eq!(detail(&engine, "snapshots_written"), f64::from(round), "nothing was written since");
        }
        let (expected, last) = (records(&engine), detail(&engine, "log_last") as u64);
        drop(engine);
        let engine = open_with(&system, Durability::Buffered, options).unwrap();
        let recovery = engine.recovery();
        assert_eq!((recovery.snapshot, recovery.snapshot_records), (Some(last), 100));
        assert!(recovery.frames <= 1, "the mark: {recovery:?}");
        assert_eq!(records(&engine), expected);
        drop(engine);
        // The older snapshot is still good for something: what the newest held is in the log behind it.
        let newest = system.files().into_iter().rfind(|path| path.to_string_lossy().ends_with(".snapshot"));
        system.uproot(&newest.unwrap());
        let engine = open_with(&system, Durability::Buffered, options).unwrap();
        assert!(engine.recovery().frames >= 100 && records(&engine) == expected);
    });
}

#[test]
fn two_threads_on_one_key_leave_in_the_log_what_they_leave_in_the_engine() {
    within(LIMIT, "one key", || {
        for round in 0..20_u8 {
            let system = SimFileSystem::new();
            let engine = open(&system, Durability::Buffered);
            std::thread::scope(|scope| {
                for thread in 0..3_u8 {
                    let engine = &engine;
                    scope.spawn(move || {
                        let mut session = engine.session().unwrap();
                        for n in 0..50_u8 {
                            match (n + thread + round) % 4 {
                                0 => drop(session.delete(b"one").unwrap()),
                                1 => drop(session.update(b"one", &[thread, n]).unwrap()),
                                2 => {
                                    let mut batch = WriteBatch::new();
                                    batch.set(b"two", &[thread, n]);
                                    batch.set(b"one", &[thread, n]);
                                    session.batch(&batch).unwrap();
                                }
                                _ => session.set(b"one", &[thread, n]).unwrap(),
                            }
                        }
                    });
                }
            });
            let expected = records(&engine);
            let killed = system.kill();
            drop(engine);
            assert_eq!(records(&open(&killed, Durability::Buffered)), expected);
        }
    });
}

#[test]
fn a_sorted_load_is_logged_and_comes_back() {
    within(LIMIT, "bulk loads", || {
        let system = SimFileSystem::new();
        let engine = open(&system, Durability::Sync);
        let loaded: Vec<_> = (0..500_u32).map(|n| (n.to_be_bytes(), [n as u8; 30])).collect();
        let records_of = |range: std::ops::Range<usize>| loaded[range].iter().map(|(k, v)| (&k[..], &v[..]));
        assert_eq!(engine.bulk_load(&mut records_of(0..400)).unwrap(), 400);
        assert_eq!(engine.syncs(), 1, "one for all");
        let too_long = vec![0; Reference::CAPABILITIES.max_key_bytes + 1];
        let with_a_fault =
            records_of(400..450).chain([(&too_long[..], &b""[..])]).chain(records_of(450..500));
        let refused = engine.bulk_load(&mut { with_a_fault });
        assert!(matches!(refused, Err(Error::KeyTooLong { .. })));
        let expected = records(&engine);
        assert_eq!(expected.len(), 450, "what came before is kept");
        let image = system.image(Persistence::Nothing, &mut SimRandom::new(0));
        assert_eq!(records(&open(&image, Durability::Sync)), expected);
        let too_long = vec![0; crate::engine::MAX_KEY_BYTES + 1];
        // Every engine, since some ask for more after the end.
        for entry in [&crate::array::ENTRY, &crate::rbtree::ENTRY, &crate::btree::ENTRY, &crate::hash::ENTRY]
        {
            let system = SimFileSystem::new();
            let inner = (entry.open)(&Default::default()).unwrap();
            let shared = Arc::new(system.clone());
            let engine =
                Durable::open_without_upkeep(inner, shared, &place(), Durability::Sync, small()).unwrap();
            let with_a_fault = records_of(0..50).chain([(&too_long[..], &b""[..])]).chain(records_of(50..99));
            assert!(engine.bulk_load(&mut { with_a_fault }).is_err());
            assert_eq!(records(&engine).len(), 50, "{}: nothing behind the one that failed", entry.name);
        }
    });
}

#[test]
fn what_the_engine_refuses_is_not_in_the_log_either() {
    within(LIMIT, "refusals", || {
        let system = SimFileSystem::new();
        let limited = || {
            let options = serde_json::json!({ "limit": "64KiB" });
            let options = crate::entry::OpenOptions { options, ..Default::default() };
            (crate::lsm::memtable::ENTRY.open)(&options).unwrap()
        };
        let shared = Arc::new(system.clone());
        let engine =
            Durable::open_without_upkeep(limited(), shared, &place(), Durability::Sync, small()).unwrap();
        let mut session = engine.session().unwrap();
        let mut refused = 0;
        for n in 0..100_u8 {
            match session.set(&[n % 40], &[n; 3_000]) {
                Ok(()) => {}
                Err(Error::Full { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 10, "{refused} refused");
        let mut batch = WriteBatch::new();
        (0..60_u8).for_each(|n| batch.set(&[n], &[0xFF; 3_000]));
        assert!(matches!(session.batch(&batch), Err(Error::Full { .. })));
        drop(session);
        let expected = records(&engine);
        // Whoever is told of the refusal finds it after a cut as well.
        let image = system.image(Persistence::Nothing, &mut SimRandom::new(0));
        assert_eq!(records(&open_memtable(&image)), expected);
        let killed = system.kill();
        drop(engine);
        // Without a limit, so that replaying is not refused for what was taken back.
        assert_eq!(records(&open_memtable(&killed)), expected);
    });
}

fn open_memtable(system: &SimFileSystem) -> Durable {
    let inner = (crate::lsm::memtable::ENTRY.open)(&Default::default()).unwrap();
    Durable::open_without_upkeep(inner, Arc::new(system.clone()), &place(), Durability::Sync, small())
        .unwrap()
}

#[test]
fn a_full_disk_refuses_a_write_and_nothing_else() {
    within(LIMIT, "a full disk", || {
        let system = SimFileSystem::new();
        let engine = open(&system, Durability::Buffered);
        system.inject(Fault {
            call: system.calls(),
            kind: FaultKind::Error(ErrorKind::StorageFull),
            for_good: true,
        });
        let mut written = 0;
        let error = loop {
            match fill_once(&engine, written) {
                None => written += 1,
                Some(error) => break error,
            }
        };
        assert!(
            matches!(&error, Error::Io { source, .. } if source.kind() == ErrorKind::StorageFull),
            "{error}"
        );
        assert!(written > 10 && fill_once(&engine, written).is_some());
        assert_eq!(records(&engine).len() as u32, written, "nothing of what was refused");
        assert!(matches!(engine.snapshot(), Err(Error::Io { .. })));
        system.heal();
        set(&engine, "there is room again", b"value");
        engine.snapshot().unwrap();
        let expected = records(&engine);
        let image = system.image(Persistence::Nothing, &mut SimRandom::new(0));
        assert_eq!(records(&open(&image, Durability::Sync)), expected);
    });
}

/// Writes a record that needs some room.
fn fill_once(engine: &Durable, n: u32) -> Option<Error> {
    engine.session().unwrap().set(&n.to_be_bytes(), &[7; 100]).err()
}

#[test]
fn after_a_sync_that_failed_reads_go_on_and_writes_do_not() {
    within(LIMIT, "poison", || {
        let system = SimFileSystem::new();
        let engine = open(&system, Durability::Sync);
        set(&engine, "first", b"1");
        let kind = FaultKind::Error(ErrorKind::Other);
        system.inject(Fault { call: system.calls(), kind, for_good: false });
        let mut session = engine.session().unwrap();
        assert!(matches!(session.set(b"second", b"2"), Err(Error::Io { operation: "sync", .. })));
        assert!(matches!(session.set(b"third", b"3"), Err(Error::Poisoned { .. })));
        assert!(matches!(session.delete(b"first"), Err(Error::Poisoned { .. })));
        assert!(matches!(engine.snapshot(), Err(Error::Poisoned { .. })));
        let mut value = Vec::new();
        assert!(session.get(b"first", &mut value).unwrap() && value == b"1");
        assert!(!session.get(b"third", &mut value).unwrap());
        drop(session);
        assert!(matches!(Box::new(engine).close(), Err(Error::Poisoned { .. })));
        let again = open(&system, Durability::Sync);
        assert!(records(&again).len() <= 2);
        set(&again, "fourth", b"4");
    });
}

#[test]
fn a_directory_that_is_not_this_engines_store_is_left_alone() {
    within(LIMIT, "directories", || {
        let refused = |system: &SimFileSystem| {
            let before = system.files();
            let error = open_with(system, Durability::Sync, small()).err().expect("refused");
            assert_eq!(system.files(), before, "nothing was touched: {error}");
            error
        };
        for (name, bytes) in [
            ("letter.txt", &b"Dear"[..]),
            ("0000000001.log", b""),
            ("STORE.new", b"mine, not yours, and longer than a marker of ours would ever be!!!"),
        ] {
            let system = SimFileSystem::new();
            system.plant(&place().join(name), bytes);
            let error = refused(&system);
            assert!(matches!(&error, Error::NotAStore { .. }), "{name}: {error}");
        }
        let system = SimFileSystem::new();
        let engine = open(&system, Durability::Sync);
        set(&engine, "key", b"value");
        assert!(matches!(open_with(&system, Durability::Sync, small()), Err(Error::InUse { .. })));
        drop(engine);
        // What is not ours beside a store is neither in the way nor removed.
        system.plant(&place().join("letter.txt"), b"Dear");
        system.plant(&place().join("1.log"), b"not a name of the log");
        assert_eq!(records(&open(&system, Durability::Sync)).len(), 1);
        assert_eq!(system.contents(&place().join("letter.txt")).unwrap(), b"Dear");
        let other = (crate::btree::ENTRY.open)(&Default::default()).unwrap();
        let shared = Arc::new(system.clone());
        let opened = Durable::open_without_upkeep(other, shared, &place(), Durability::Sync, small());
        assert!(matches!(opened, Err(Error::OtherEngine { asked: "btree", .. })), "{:?}", opened.err());
        let full = Reference::new();
        crate::direct::Direct::set(&full, b"key", b"").unwrap();
        let shared = Arc::new(system.clone());
        let opened =
            Durable::open_without_upkeep(Box::new(full), shared, &place(), Durability::Sync, small());
        assert!(matches!(opened, Err(Error::Unsupported { .. })), "an engine that holds something already");
    });
}

#[test]
fn a_store_lives_in_the_systems_files_and_recovers_by_several_threads() {
    within(LIMIT, "files of the system", || {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("store");
        let options = DurableOptions {
            segment_bytes: ByteSize::mib(4),
            recovery_threads: Some(4),
            ..DurableOptions::default()
        };
        let open = |class| {
            let inner = (crate::hash::ENTRY.open)(&Default::default()).unwrap();
            Durable::open(inner, Arc::new(OsFileSystem), &place, class, options).unwrap()
        };
        let engine = open(Durability::Buffered);
        let mut session = engine.session().unwrap();
        for n in 0..40_000_u32 {
            session.set(&(n % 9_000).to_be_bytes(), &n.to_le_bytes()).unwrap();
            if n % 7 == 0 {
                session.delete(&((n + 3) % 9_000).to_be_bytes()).unwrap();
            }
            if n == 25_000 {
                engine.snapshot().unwrap();
            }
        }
        assert_eq!(session.delete(b"nobody").unwrap(), Existence::Absent);
        drop(session);
        let expected = records(&engine);
        Box::new(engine).close().unwrap();
        for _ in 0..2 {
            let again = open(Durability::Sync);
            assert!(again.recovery().frames > 10_000 && again.recovery().snapshot_records > 5_000);
            assert!(records(&again) == expected);
        }
    });
}

#[test]
fn salvage_finds_what_damage_has_left() {
    within(LIMIT, "salvage", || {
        let system = SimFileSystem::new();
        let options = DurableOptions { keep_snapshots: 2, ..small() };
        let engine = open_with(&system, Durability::Sync, options).unwrap();
        for n in 0..200 {
            set(&engine, &format!("key {n:03}"), &[n as u8; 60]);
            if n == 80 || n == 120 {
                engine.snapshot().unwrap();
            }
        }
        let expected = records(&engine);
        Box::new(engine).close().unwrap();
        let whole = system.fork();
        let found = |system: &SimFileSystem| {
            let mut records = Records::new();
            let visit = &mut |outcome: Outcome<'_>| {
                match outcome {
                    Outcome::Set(key, value) => drop(records.insert(key.to_vec(), value.to_vec())),
                    Outcome::Update(key, value) => {
                        records.entry(key.to_vec()).and_modify(|old| *old = value.to_vec());
                    }
                    Outcome::Delete(key) => drop(records.remove(key)),
                }
                Ok(())
            };
            let salvaged = salvage(Arc::new(system.clone()), &place(), "reference", visit).unwrap();
            (salvaged, records)
        };
        let (salvaged, records) = found(&whole);
        assert!(salvaged.is_whole() && records == expected, "{salvaged:?}");
        let (mut refused, mut whole_again) = (0, 0);
        for path in whole.files().iter().filter(|path| !path.ends_with("STORE") && !path.ends_with("LOCK")) {
            let bytes = whole.contents(path).unwrap();
            for at in (0..bytes.len()).step_by(13) {
                let damaged = whole.fork();
                let mut flipped = bytes.clone();
                flipped[at] ^= 4;
                damaged.plant(path, &flipped);
                let is_refused = open_with(&damaged.fork(), Durability::Sync, options).is_err();
                refused += usize::from(is_refused);
                let (salvaged, records) = found(&damaged);
                // Whatever is damaged, what is found was there, and but for a few it is all.
                let right = records.iter().filter(|(key, value)| expected.get(*key) == Some(*value)).count();
                assert_eq!(
                    right,
                    records.len(),
                    "{} byte {at}: an older value, or one that never was",
                    path.display()
                );
                assert!(
                    right + 8 >= expected.len(),
                    "{} byte {at}: {right} of {}",
                    path.display(),
                    expected.len()
                );
                whole_again += usize::from(is_refused && right == expected.len());
                assert!(
                    right == expected.len() || !salvaged.is_whole(),
                    "{} byte {at}: what is lost is counted",
                    path.display()
                );
            }
            let without = whole.fork();
            without.uproot(path);
            let (_, records) = found(&without);
            assert!(records.iter().all(|(key, value)| expected.get(key) == Some(value)));
        }
        println!("{refused} damages refused, {whole_again} of them salvaged whole");
        assert!(refused > 100 && whole_again > refused / 3);
        let nobody = salvage(Arc::new(SimFileSystem::new()), &place(), "reference", &mut |_| Ok(()));
        assert!(nobody.is_err());
    });
}
