//! What a power cut may leave and what it may not; faults; locks; names.

use super::*;
use crate::testing::within;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn path(name: &str) -> PathBuf {
    Path::new("/d").join(name)
}

/// A directory with a durable file of 2,000 times `a`.
fn with_file() -> (SimFileSystem, Box<dyn File>) {
    let system = SimFileSystem::new();
    system.create_directory(Path::new("/d")).unwrap();
    let file = system.create(&path("f")).unwrap();
    file.write_all_at(&[b'a'; 2_000], 0).unwrap();
    file.sync().unwrap();
    system.sync_directory(Path::new("/")).unwrap();
    system.sync_directory(Path::new("/d")).unwrap();
    (system, file)
}

/// What is left of the file, over many cuts.
fn left(system: &SimFileSystem, persistence: Persistence, cuts: u64) -> BTreeSet<Option<Vec<u8>>> {
    let cut = |seed| system.image(persistence, &mut SimRandom::new(seed)).contents(&path("f"));
    (0..cuts).map(cut).collect()
}

#[test]
fn what_was_synced_is_there_after_every_cut() {
    within(LIMIT, "synced bytes", || {
        let (system, _file) = with_file();
        for persistence in Persistence::ALL {
            assert_eq!(left(&system, persistence, 50), BTreeSet::from([Some(vec![b'a'; 2_000])]));
        }
    });
}

#[test]
fn what_was_not_synced_may_be_there_in_sectors_in_any_order() {
    within(LIMIT, "unsynced sectors", || {
        let (system, file) = with_file();
        file.write_all_at(&[b'b'; 1_500], 100).unwrap();
        let (mut before, mut after) = (vec![b'a'; 2_000], vec![b'a'; 2_000]);
        after[100..1_600].fill(b'b');
        assert_eq!(left(&system, Persistence::Nothing, 5), BTreeSet::from([Some(before.clone())]));
        assert_eq!(left(&system, Persistence::Everything, 5), BTreeSet::from([Some(after.clone())]));
        let some = left(&system, Persistence::Some, 1_000);
        // Four sectors, each old or new.
        assert_eq!(some.len(), 16);
        before[512..1_024].fill(b'b');
        assert!(some.contains(&Some(before)), "a later sector without an earlier one");
        let torn = left(&system, Persistence::Torn, 1_000);
        assert!(torn.len() > 500, "{} states", torn.len());
    });
}

#[test]
fn what_was_written_durably_is_there_and_what_lies_elsewhere_need_not_be() {
    within(LIMIT, "durable writes", || {
        let (system, file) = with_file();
        file.write_all_at(&[b'o'; 600], 0).unwrap();
        file.write_durably_at(b"head", 0).unwrap();
        file.write_all_at(b"later", 4).unwrap();
        let mut both = BTreeSet::new();
        for persistence in Persistence::ALL {
            for bytes in left(&system, persistence, 100) {
                let bytes = bytes.unwrap();
                assert!(bytes.starts_with(b"head") && bytes[10] == b'o' && bytes.len() == 2_000);
                both.insert((bytes[4] == b'l', bytes[550]));
            }
        }
        let expected = [(false, b'a'), (false, b'o'), (true, b'a'), (true, b'o')];
        assert_eq!(both, BTreeSet::from(expected), "each with and without");
    });
}

#[test]
fn a_process_that_was_killed_does_nothing_any_more() {
    within(LIMIT, "kills", || {
        let (system, file) = with_file();
        file.write_all_at(b"written", 0).unwrap();
        let mut mapping = file.map(2_000).unwrap();
        let lock = system.lock(&path("lock")).unwrap();
        let next = system.kill();
        assert!(file.write_all_at(b"too late", 0).is_err() && !mapping.store(0, b"too late"));
        assert!(file.sync().is_err() && system.remove(&path("f")).is_err());
        let again = next.lock(&path("lock")).unwrap();
        drop(lock);
        assert_eq!(next.lock(&path("lock")).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(again);
        assert!(next.contents(&path("f")).unwrap().starts_with(b"written"));
        let durable = next.image(Persistence::Nothing, &mut SimRandom::new(0)).contents(&path("f")).unwrap();
        assert!(durable.starts_with(b"aaa"), "what it had written is not durable by that");
    });
}

#[test]
fn what_a_failed_sync_has_lost_no_later_one_brings_back() {
    within(LIMIT, "failed syncs", || {
        let (system, file) = with_file();
        file.write_all_at(b"lost", 0).unwrap();
        let kind = FaultKind::Error(ErrorKind::Other);
        system.inject(Fault { call: system.calls(), kind, for_good: false });
        assert!(file.sync_data().is_err());
        file.write_all_at(b"kept", 1_000).unwrap();
        file.sync_data().unwrap();
        let mut durable = vec![b'a'; 2_000];
        durable[1_000..1_004].copy_from_slice(b"kept");
        assert_eq!(left(&system, Persistence::Nothing, 1), BTreeSet::from([Some(durable.clone())]));
        assert_eq!(system.contents(&path("f")).unwrap()[..4], *b"lost", "its users see it still");
        file.write_all_at(b"lost", 0).unwrap();
        file.sync_data().unwrap();
        durable[..4].copy_from_slice(b"lost");
        assert_eq!(left(&system, Persistence::Nothing, 1), BTreeSet::from([Some(durable)]));
    });
}

#[test]
fn a_file_may_have_grown_without_its_bytes() {
    within(LIMIT, "grown files", || {
        let (system, file) = with_file();
        file.write_all_at(&[b'b'; 100], 2_000).unwrap();
        let mut zeros = vec![b'a'; 2_000];
        zeros.resize(2_100, 0);
        assert_eq!(left(&system, Persistence::Sizes, 3), BTreeSet::from([Some(zeros.clone())]));
        assert!(left(&system, Persistence::Some, 200).contains(&Some(zeros)));
    });
}

#[test]
fn stores_to_a_mapping_are_writes_without_a_call() {
    within(LIMIT, "mappings", || {
        let (system, file) = with_file();
        file.allocate(4_096).unwrap();
        file.sync_data().unwrap();
        let mut mapping = file.map(4_096).unwrap();
        let calls = system.calls();
        assert!(mapping.store(4_000, &[b'm'; 96]));
        assert!(!mapping.store(4_001, &[b'm'; 96]));
        assert!(!mapping.store(usize::MAX, b"m"));
        assert_eq!(system.calls(), calls);
        assert_eq!(system.contents(&path("f")).unwrap()[3_999..], [&[0][..], &[b'm'; 96]].concat());
        assert!(
            system.image(Persistence::Nothing, &mut SimRandom::new(0)).contents(&path("f")).unwrap()[4_000]
                == 0
        );
        file.sync_data().unwrap();
        let durable =
            system.image(Persistence::Nothing, &mut SimRandom::new(0)).contents(&path("f")).unwrap();
        assert_eq!(durable[4_000..], [b'm'; 96]);
    });
}

#[test]
fn names_are_durable_when_their_directory_is_synced() {
    within(LIMIT, "names", || {
        let (system, _file) = with_file();
        system.create(&path("g")).unwrap();
        system.rename(&path("f"), &path("h")).unwrap();
        let names = |persistence, seed| {
            system.image(persistence, &mut SimRandom::new(seed)).list(Path::new("/d")).unwrap().concat()
        };
        assert_eq!(names(Persistence::Nothing, 0), "f");
        assert_eq!(names(Persistence::Everything, 0), "gh");
        let some: BTreeSet<_> = (0..200).map(|seed| names(Persistence::Some, seed)).collect();
        assert_eq!(some, ["f", "fg", "gh", "h"].map(String::from).into());
        system.sync_directory(Path::new("/d")).unwrap();
        assert_eq!(names(Persistence::Nothing, 0), "gh");
        system.remove(&path("g")).unwrap();
        assert_eq!(names(Persistence::Nothing, 0), "gh");
        assert_eq!(names(Persistence::Everything, 0), "h");
    });
}

#[test]
fn a_call_fails_when_it_is_to() {
    within(LIMIT, "faults", || {
        let (system, file) = with_file();
        let next = system.calls();
        system.inject(Fault {
            call: next + 1,
            kind: FaultKind::Error(ErrorKind::StorageFull),
            for_good: false,
        });
        system.inject(Fault { call: next + 3, kind: FaultKind::Short, for_good: false });
        system.inject(Fault { call: next + 4, kind: FaultKind::Error(ErrorKind::Other), for_good: true });
        assert_eq!(file.write_at(b"123", 0).unwrap(), 3);
        assert_eq!(file.write_at(b"456", 3).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.write_at(b"789", 6).unwrap(), 3);
        assert_eq!(file.write_at(b"abc", 9).unwrap(), 2);
        assert_eq!(file.sync().unwrap_err().kind(), ErrorKind::Other);
        assert_eq!(file.len().unwrap_err().kind(), ErrorKind::Other);
        assert_eq!(&system.contents(&path("f")).unwrap()[..12], b"123aaa789aba");
        let durable =
            system.image(Persistence::Nothing, &mut SimRandom::new(0)).contents(&path("f")).unwrap();
        assert_eq!(&durable[..3], b"aaa", "a sync that failed has made nothing durable");
        system.heal();
        file.sync().unwrap();
    });
}

#[test]
fn an_observer_sees_the_state_before_each_change() {
    within(LIMIT, "observers", || {
        use std::sync::mpsc;
        let (system, file) = with_file();
        let (sender, seen) = mpsc::channel();
        system.observe(Some(Box::new(move |system, what| {
            sender.send((what, system.contents(&path("f")).map(|bytes| bytes[0]))).unwrap();
        })));
        file.write_all_at(b"b", 0).unwrap();
        file.sync().unwrap();
        system.rename(&path("f"), &path("g")).unwrap();
        system.sync_directory(Path::new("/d")).unwrap();
        system.observe(None);
        file.write_all_at(b"c", 0).unwrap();
        let seen: Vec<_> = seen.iter().collect();
        assert_eq!(
            seen,
            [("write", Some(b'a')), ("sync", Some(b'b')), ("rename", Some(b'b')), ("sync_directory", None)]
        );
    });
}

#[test]
fn a_lock_is_one_owners_until_it_is_dropped_or_the_power_is_cut() {
    within(LIMIT, "locks", || {
        let (system, _file) = with_file();
        let lock = system.lock(&path("LOCK")).unwrap();
        assert_eq!(system.lock(&path("LOCK")).unwrap_err().kind(), ErrorKind::WouldBlock);
        system.image(Persistence::Everything, &mut SimRandom::new(0)).lock(&path("LOCK")).unwrap();
        drop(lock);
        system.lock(&path("LOCK")).unwrap();
    });
}

#[test]
fn one_seed_is_one_image() {
    within(LIMIT, "seeds", || {
        let (system, file) = with_file();
        for position in 0..50 {
            file.write_all_at(&[position as u8; 300], position * 97).unwrap();
        }
        let image = |seed| system.image(Persistence::Torn, &mut SimRandom::new(seed)).contents(&path("f"));
        assert_eq!(image(7), image(7));
        assert_ne!(image(7), image(8));
    });
}

#[test]
fn refusals_are_those_of_a_file_system() {
    within(LIMIT, "refusals", || {
        let (system, _file) = with_file();
        let kind = |result: Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(system.create(&path("f")).map(drop)), ErrorKind::AlreadyExists);
        assert_eq!(kind(system.create(Path::new("/e/f")).map(drop)), ErrorKind::NotFound);
        assert_eq!(kind(system.open(&path("g"), Access::Read).map(drop)), ErrorKind::NotFound);
        assert_eq!(kind(system.remove(&path("g"))), ErrorKind::NotFound);
        assert_eq!(kind(system.list(Path::new("/e")).map(drop)), ErrorKind::NotFound);
        assert_eq!(kind(system.rename(&path("g"), &path("h"))), ErrorKind::NotFound);
        let file = system.open(&path("f"), Access::Read).unwrap();
        assert_eq!(kind(file.write_all_at(b"x", 0)), ErrorKind::PermissionDenied);
        assert_eq!(kind(file.read_exact_at(&mut [0; 3_000], 0)), ErrorKind::UnexpectedEof);
        assert_ne!(system.unique_id().unwrap(), system.unique_id().unwrap());
    });
}
