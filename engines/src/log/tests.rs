//! The log against everything that may happen to its files: cuts of the power at every change, cuts of a file at every byte, a bit
//! flipped in every byte, every call failing, files missing or exchanged.

use super::format::{FRAME_HEADER_BYTES, SegmentHeader, frame_len};
use super::*;
use crate::env::sim::{Fault, FaultKind, Persistence, SimFileSystem, SimRandom};
use crate::env::{Access, OsFileSystem};
use crate::testing::within;
use std::io::ErrorKind;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const STORE: u128 = 0x0123_4567_89AB_CDEF_0011_2233_4455_6677;
const SMALL: LogOptions = LogOptions { segment_bytes: 4_096, spare_segments: 2, fills_segments: true };

type Written = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn directory() -> &'static Path {
    Path::new("/log")
}

fn new_system() -> SimFileSystem {
    SimFileSystem::with_directory(directory())
}

fn create(system: &SimFileSystem) -> Log {
    Log::create(Arc::new(system.clone()), directory(), STORE, SMALL).unwrap()
}

/// Opens the log and tells what it holds behind the start.
fn open_from(system: &SimFileSystem, start: Start) -> Result<(Log, Recovered, Written)> {
    let mut written = Vec::new();
    let (log, recovered) =
        Log::open(Arc::new(system.clone()), directory(), STORE, SMALL, start, &mut |outcomes| {
            outcomes.for_each(|outcome| {
                written.push((outcome.key().to_vec(), outcome.value().map(<[u8]>::to_vec)));
            });
            Ok(())
        })?;
    Ok((log, recovered, written))
}

fn open(system: &SimFileSystem) -> Result<(Log, Recovered, Written)> {
    open_from(system, Start::default())
}

/// What the n-th frame of [`write`] says: lengths of all kinds, and every kind of frame.
fn outcomes(n: u64) -> Written {
    let key = |n: u64| format!("key{n}").into_bytes();
    let value = |n: u64| vec![n as u8 | 1; (n * 37 % 300) as usize];
    match n % 7 {
        0 => vec![(key(n), None)],
        1 => vec![(key(n), Some(value(n))), (key(n + 1), None), (Vec::new(), Some(Vec::new()))],
        2 => vec![(Vec::new(), Some(value(n)))],
        _ => vec![(key(n), Some(value(n)))],
    }
}

/// Appends the n-th frame.
fn write(log: &Log, n: u64) -> Result<u64> {
    let written = outcomes(n);
    match (n % 7, written.first()) {
        (1, _) => {
            let mut batch = WriteBatch::new();
            for (key, value) in &written {
                match value {
                    Some(value) => batch.set(key, value),
                    None => batch.delete(key),
                }
            }
            log.batch(&batch, &mut Vec::new())
        }
        (3, Some((key, Some(value)))) => log.update(key, value),
        (_, Some((key, Some(value)))) => log.set(key, value),
        (_, Some((key, None))) => log.delete(key),
        (_, None) => unreachable!("every frame says something"),
    }
}

/// What the first `frames` frames say.
fn all(frames: u64) -> Written {
    (0..frames).flat_map(outcomes).collect()
}

/// How many frames of [`write`] these are; none if they are no prefix.
fn prefix(written: &Written) -> Option<u64> {
    let mut expected = Written::new();
    for frames in 0.. {
        if expected.len() >= written.len() {
            return (expected == *written).then_some(frames);
        }
        expected.extend(outcomes(frames));
    }
    None
}

#[test]
fn what_was_appended_is_read_again_through_segments_of_all_kinds() {
    within(LIMIT, "append and read", || {
        let system = new_system();
        let log = create(&system);
        for n in 0..200 {
            write(&log, n).unwrap();
        }
        log.set(b"long", &[7; 20_000]).unwrap();
        write(&log, 200).unwrap();
        assert!(log.segments() > 8, "{} segments", log.segments());
        let last = log.last();
        drop(log);
        let mut expected = all(200);
        expected.push((b"long".to_vec(), Some(vec![7; 20_000])));
        expected.extend(outcomes(200));
        // Three times: opening changes nothing.
        for _ in 0..3 {
            let (log, recovered, written) = open(&system).unwrap();
            assert_eq!((recovered.last, log.last(), recovered.erased_bytes), (last, last, 0));
            assert!(written == expected);
        }
        let (log, ..) = open(&system).unwrap();
        write(&log, 201).unwrap();
        expected.extend(outcomes(201));
        assert!(open(&system).unwrap().2 == expected);
    });
}

#[test]
fn a_log_cut_at_any_byte_opens_with_what_is_whole() {
    within(LIMIT, "cuts", || {
        let system = new_system();
        let log = create(&system);
        let mut ends = vec![SEGMENT_HEADER_BYTES];
        for n in 0..15 {
            write(&log, n).unwrap();
            let payload = match n % 7 {
                1 => outcomes(n)
                    .iter()
                    .map(|(key, value)| 8 + key.len() + value.as_ref().map_or(0, Vec::len))
                    .sum(),
                _ => outcomes(n)
                    .iter()
                    .map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len))
                    .sum(),
            };
            ends.push(ends.last().unwrap() + frame_len(payload));
        }
        assert_eq!(log.segments(), 1);
        let path = segment::segment_path(directory(), 1);
        let mut cuts = 0;
        for len in 0..=*ends.last().unwrap() as u64 {
            let cut = system.fork();
            cut.open(&path, Access::ReadWrite).unwrap().set_len(len).unwrap();
            if len < SEGMENT_HEADER_BYTES as u64 {
                // The header was durable before the segment had its name.
                assert!(matches!(open(&cut), Err(Error::Damaged { .. })), "cut at {len}");
                continue;
            }
            let (log, _, written) = open(&cut).unwrap();
            // Padding behind a payload may be cut.
            let whole = ends.iter().skip(1).filter(|end| **end as u64 <= len + 7).count() as u64;
            let frames = prefix(&written).unwrap();
            assert!(frames == whole || frames + 1 == whole, "{frames} frames of {whole} at {len}");
            write(&log, frames).unwrap();
            drop(log);
            assert_eq!(prefix(&open(&cut).unwrap().2), Some(frames + 1), "goes on at {len}");
            cuts += 1;
        }
        println!("{cuts} cuts");
        assert!(cuts > 2_000);
    });
}

#[test]
fn a_bit_flipped_in_any_byte_changes_nothing_or_is_found() {
    within(LIMIT, "flips", || {
        let system = new_system();
        let log = create(&system);
        for n in 0..40 {
            write(&log, n).unwrap();
        }
        assert!(log.segments() > 1);
        log.mark().unwrap();
        drop(log);
        let expected = all(40);
        let (mut flips, mut found) = (0, 0);
        for path in system.files() {
            let bytes = system.contents(&path).unwrap();
            for at in 0..bytes.len() {
                let damaged = system.fork();
                damaged.plant(&path, &{
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << (at % 8);
                    bytes
                });
                match open(&damaged) {
                    Ok((_, _, written)) => assert!(written == expected, "byte {at} of {}", path.display()),
                    Err(Error::Damaged { .. }) => found += 1,
                    Err(error) => panic!("{error}"),
                }
                flips += 1;
            }
        }
        println!("{flips} flips, {found} of them found, the others without effect");
        assert!(flips > 8_000 && found > 5_000);
    });
}

/// Opens what a cut has left, and tells how many frames there are.
fn frames_after(image: &SimFileSystem) -> u64 {
    let (log, _, written) = match open(image) {
        Ok(opened) => opened,
        Err(error) => panic!("{error}"),
    };
    let frames = prefix(&written).expect("a prefix");
    // It goes on, and opens again.
    write(&log, frames).unwrap();
    log.sync().unwrap();
    drop(log);
    assert_eq!(prefix(&open(image).unwrap().2), Some(frames + 1));
    frames
}

#[test]
fn no_cut_of_the_power_loses_what_was_synced_or_leaves_a_hole() {
    within(LIMIT, "power cuts", || {
        let system = new_system();
        let log = create(&system);
        let synced = Arc::new(AtomicU64::new(0));
        let images = Arc::new(AtomicU64::new(0));
        let (known, counter) = (Arc::clone(&synced), Arc::clone(&images));
        let mut random = SimRandom::new(1);
        system.observe(Some(Box::new(move |system, _| {
            for persistence in Persistence::ALL {
                let image = system.image(persistence, &mut random);
                let frames = frames_after(&image);
                assert!(frames >= known.load(Ordering::Relaxed), "lost frames: {frames} are left");
                counter.fetch_add(1, Ordering::Relaxed);
            }
        })));
        for n in 0..120 {
            let sequence = write(&log, n).unwrap();
            if n % 5 == 4 {
                log.commit(sequence).unwrap();
                synced.store(n + 1, Ordering::Relaxed);
            }
        }
        system.observe(None);
        let images = images.load(Ordering::Relaxed);
        println!("{images} images, {} segments", log.segments());
        assert!(images > 1_500 && log.segments() > 3);
    });
}

#[test]
fn a_cut_within_an_opening_loses_nothing_either() {
    within(LIMIT, "cuts within openings", || {
        let system = new_system();
        let log = create(&system);
        const SYNCED: u64 = 20;
        for n in 0..SYNCED {
            write(&log, n).unwrap();
        }
        log.sync().unwrap();
        for n in SYNCED..SYNCED + 14 {
            write(&log, n).unwrap();
        }
        let images = Arc::new(AtomicU64::new(0));
        for seed in 0..20 {
            let image = system.image(Persistence::Torn, &mut SimRandom::new(seed));
            let most = prefix(&open(&image.fork()).unwrap().2).unwrap();
            let (mut random, counter) = (SimRandom::new(seed + 1_000), Arc::clone(&images));
            image.observe(Some(Box::new(move |system, _| {
                for persistence in Persistence::ALL {
                    let frames = frames_after(&system.image(persistence, &mut random));
                    assert!((SYNCED..=most).contains(&frames), "{frames} frames of {most}");
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })));
            open(&image).unwrap();
            image.observe(None);
        }
        let images = images.load(Ordering::Relaxed);
        println!("{images} images within openings");
        assert!(images > 300);
    });
}

#[test]
fn an_old_tail_never_goes_on_where_a_new_log_ends() {
    within(LIMIT, "lives after one another", || {
        let system = new_system();
        let log = create(&system);
        // Frames lie in a sector each, so that a frame of the one life may lie behind one of the other.
        log.commit(log.set(b"synced", &[b's'; 410]).unwrap()).unwrap();
        (0..6).for_each(|_| assert!(log.set(b"unsynced", &[b'o'; 472]).is_ok()));
        let (mut lives, mut images) = (0, 0);
        for seed in 0..60 {
            let image = system.image(Persistence::Some, &mut SimRandom::new(seed));
            let (log, recovered, written) = open(&image).unwrap();
            if recovered.erased_bytes == 0 {
                continue;
            }
            lives += 1;
            for _ in 0..4 {
                log.set(b"unsynced", &[b'n'; 472]).unwrap();
                for seed in 0..20 {
                    let found = open(&image.image(Persistence::Some, &mut SimRandom::new(seed))).unwrap().2;
                    let (old, new) = found.split_at(written.len().min(found.len()));
                    assert!(old == written, "what one opening has shown, the next one shows");
                    let is_new =
                        |(_, value): &(Vec<u8>, Option<Vec<u8>>)| value.as_deref() == Some(&[b'n'; 472]);
                    assert!(new.iter().all(is_new), "a frame that was lost has come back");
                    images += 1;
                }
            }
        }
        println!("{lives} lives, {images} images");
        assert!(lives > 10 && images > 800);
    });
}

#[test]
fn what_a_killed_process_has_left_is_durable_once_it_was_opened() {
    within(LIMIT, "kills and cuts", || {
        let system = new_system();
        let mut written = 0;
        for _ in 0..4 {
            // Killed without a sync, with frames in several segments.
            let log = if written == 0 { create(&system) } else { open(&system).unwrap().0 };
            for _ in 0..40 {
                write(&log, written).unwrap();
                written += 1;
            }
            assert!(log.segments() > 1);
            drop(log);
            let (log, recovered, _) = open(&system).unwrap();
            assert_eq!(log.synced(), recovered.last);
            for seed in 0..20 {
                for persistence in Persistence::ALL {
                    let image = system.image(persistence, &mut SimRandom::new(seed));
                    assert_eq!(frames_after(&image), written);
                }
            }
        }
    });
}

#[test]
fn a_log_that_ends_before_what_is_needed_is_damaged() {
    within(LIMIT, "early ends", || {
        let system = new_system();
        let log = create(&system);
        let last = write(&log, 0).unwrap();
        log.sync().unwrap();
        drop(log);
        assert!(open_from(&system, Start { after: last, keep_after: last, at_least: 0 }).is_ok());
        let beyond = open_from(&system, Start { after: last + 1, keep_after: last + 1, at_least: 0 });
        assert!(matches!(beyond, Err(Error::Damaged { .. })));
        let again = Log::create(Arc::new(system.clone()), directory(), STORE, SMALL);
        assert!(
            matches!(again, Err(Error::Io { operation: "create", .. })),
            "a log that is there is not made anew"
        );
    });
}

#[test]
fn a_call_that_fails_is_no_acknowledgement() {
    within(LIMIT, "faults", || {
        let (mut faults, mut call) = (0, None);
        let kinds = [
            FaultKind::Error(ErrorKind::Other),
            FaultKind::Error(ErrorKind::StorageFull),
            FaultKind::Error(ErrorKind::Interrupted),
            FaultKind::Short,
        ];
        'calls: for offset in 0.. {
            for kind in kinds {
                for for_good in [false, true] {
                    let system = new_system();
                    let log = create(&system);
                    let first = *call.get_or_insert(system.calls());
                    // For good, interruptions would go on for ever, and short writes are none.
                    if for_good && matches!(kind, FaultKind::Error(ErrorKind::Interrupted)) {
                        continue;
                    }
                    system.inject(Fault { call: first + offset, kind, for_good });
                    let (mut acknowledged, mut refused) = (0, 0);
                    for n in 0..60 {
                        let answer =
                            write(&log, acknowledged + refused).and_then(|sequence| log.commit(sequence));
                        match answer {
                            Ok(()) if refused == 0 => acknowledged = n + 1,
                            Ok(()) => panic!("a write was acknowledged after one that was not"),
                            Err(_) => {
                                refused += 1;
                                break;
                            }
                        }
                    }
                    let was_hit = system.calls() > first + offset;
                    if !was_hit {
                        break 'calls;
                    }
                    if refused > 0 && matches!(kind, FaultKind::Short) {
                        panic!("a short write is gone on with");
                    }
                    drop(log);
                    system.heal();
                    for persistence in Persistence::ALL {
                        let image = system.image(persistence, &mut SimRandom::new(offset));
                        let frames = frames_after(&image);
                        assert!(
                            (acknowledged..=acknowledged + refused).contains(&frames),
                            "{frames} of {acknowledged}"
                        );
                    }
                    faults += 1;
                }
            }
        }
        println!("{faults} faults");
        assert!(faults > 400, "{faults} faults");
    });
}

#[test]
fn a_sync_that_failed_is_not_tried_again() {
    within(LIMIT, "failed syncs", || {
        let system = new_system();
        let log = create(&system);
        let first = write(&log, 0).unwrap();
        system.inject(Fault {
            call: system.calls(),
            kind: FaultKind::Error(ErrorKind::Other),
            for_good: false,
        });
        assert!(matches!(log.commit(first), Err(Error::Io { operation: "sync", .. })));
        let syncs = system.syncs();
        assert!(matches!(log.commit(first), Err(Error::Poisoned { .. })));
        assert!(matches!(log.sync(), Err(Error::Poisoned { .. })));
        assert!(matches!(write(&log, 1), Err(Error::Poisoned { .. })));
        assert_eq!((system.syncs(), log.synced()), (syncs, 0));
        let message = write(&log, 1).unwrap_err().to_string();
        assert!(message.contains("could not sync /log"), "{message}");
    });
}

#[test]
fn what_an_opening_shows_is_durable_also_after_a_sync_that_failed() {
    within(LIMIT, "openings after failed syncs", || {
        let mut images = 0;
        for written in [1, 5, 30, 60] {
            let system = new_system();
            let log = create(&system);
            (0..written).for_each(|n| assert!(write(&log, n).is_ok()));
            let kind = FaultKind::Error(ErrorKind::Other);
            system.inject(Fault { call: system.calls(), kind, for_good: false });
            assert!(log.sync().is_err());
            drop(log);
            // On the same machine: what no device has got is still to be seen.
            let (log, recovered, found) = open(&system).unwrap();
            assert_eq!((prefix(&found), log.synced()), (Some(written), recovered.last));
            log.commit(write(&log, written).unwrap()).unwrap();
            for seed in 0..5 {
                for persistence in Persistence::ALL {
                    let image = system.image(persistence, &mut SimRandom::new(seed));
                    assert_eq!(frames_after(&image), written + 1);
                    images += 1;
                }
            }
        }
        println!("{images} images");
        assert_eq!(images, 100);
    });
}

#[test]
fn a_tail_that_was_not_erased_for_good_does_not_come_back_behind_a_mark() {
    within(LIMIT, "erasing that failed", || {
        let mut found_again = 0;
        for seed in 0..200 {
            let system = new_system();
            create(&system).mark().unwrap();
            // One that is cut off with frames in sectors of their own.
            let (log, ..) = open(&system).unwrap();
            (0..3).for_each(|_| assert!(log.set(b"old", &[b'o'; 480]).is_ok()));
            drop(log);
            let cut = system.image(Persistence::Some, &mut SimRandom::new(seed));
            // An opening that finds a tail, and whose sync fails, at every one of its calls.
            let probe = cut.fork();
            let before = probe.calls();
            let erased = open(&probe).unwrap().1.erased_bytes;
            for call in before..probe.calls() {
                let again = cut.fork();
                let kind = FaultKind::Error(ErrorKind::Other);
                again.inject(Fault { call: call - before, kind, for_good: false });
                let _failed = open(&again).err();
                let (log, _, shown) = open(&again).unwrap();
                log.commit(log.set(b"new", &[b'n'; 480]).unwrap()).unwrap();
                drop(log);
                let image = again.image(Persistence::Nothing, &mut SimRandom::new(seed));
                let (.., after) = open(&image).unwrap();
                let new = (b"new".to_vec(), Some(vec![b'n'; 480]));
                let expected: Written = shown.into_iter().chain([new]).collect();
                assert!(
                    after == expected,
                    "seed {seed}, call {call}: {} frames, not {}",
                    after.len(),
                    expected.len()
                );
                found_again += u64::from(erased > 0);
            }
        }
        println!("{found_again} openings that failed in the middle of erasing");
        assert!(found_again > 500);
    });
}

#[test]
fn segments_that_are_given_up_are_used_again_and_their_frames_never_count() {
    within(LIMIT, "spares", || {
        let system = new_system();
        let log = create(&system);
        let (mut start, mut written) = (Start::default(), 0);
        let mut append = |count| {
            let range = written..written + count;
            written += count;
            range.clone().for_each(|n| assert!(write(&log, n).is_ok()));
            range.flat_map(outcomes).collect::<Written>()
        };
        for round in 0..6 {
            append(40);
            log.sync().unwrap();
            let upto = log.last();
            log.release(upto).unwrap();
            assert_eq!(log.segments(), 1);
            start = Start { after: upto, keep_after: upto, at_least: upto };
            // More frames, some of which a cut may lose; those of former lives of a segment are never read.
            let expected = append(12);
            for seed in 0..40 {
                let image = system.image(Persistence::Torn, &mut SimRandom::new(seed));
                let (.., found) = open_from(&image, start).unwrap();
                assert!(expected.starts_with(&found), "round {round}");
            }
            let names = system.list(directory()).unwrap();
            let spares = names.iter().filter(|name| name.ends_with(".spare")).count();
            assert!(names.len() < 12 && (round == 0 || spares > 0), "{names:?}");
        }
        drop(log);
        let early = Start { after: start.after - 60, keep_after: start.after - 60, ..start };
        assert!(matches!(open_from(&system, early), Err(Error::Damaged { .. })), "what was given up is gone");
        assert_eq!(
            open_from(&system, start).unwrap().2.len(),
            (written - 12..written).flat_map(outcomes).count()
        );
    });
}

#[test]
fn files_that_are_missing_exchanged_or_not_ours() {
    within(LIMIT, "exchanged files", || {
        let system = new_system();
        let log = create(&system);
        for n in 0..120 {
            write(&log, n).unwrap();
        }
        let segments = log.segments() as u64;
        log.mark().unwrap();
        drop(log);
        assert!(segments > 3);
        let path = |number| segment::segment_path(directory(), number);
        let is_damaged = |system: &SimFileSystem, what: &str| match open(system) {
            Err(Error::Damaged { .. }) => {}
            other => panic!("{what}: {:?}", other.map(|(_, recovered, _)| recovered)),
        };
        for number in 1..=segments {
            let without = system.fork();
            without.remove(&path(number)).unwrap();
            is_damaged(&without, "missing");
            let empty = system.fork();
            empty.plant(&path(number), b"");
            is_damaged(&empty, "empty");
            let other = system.fork();
            let neighbour = if number == 1 { 2 } else { number - 1 };
            other.plant(&path(number), &system.contents(&path(neighbour)).unwrap());
            is_damaged(&other, "another one's bytes");
        }
        let longer = system.fork();
        longer.plant(&path(segments + 1), &system.contents(&path(1)).unwrap());
        is_damaged(&longer, "one more");
        let stranger = system.fork();
        let foreign = new_system();
        let log = Log::create(Arc::new(foreign.clone()), directory(), STORE + 1, SMALL).unwrap();
        (0..120).for_each(|n| assert!(write(&log, n).is_ok()));
        stranger.plant(&path(2), &foreign.contents(&path(2)).unwrap());
        is_damaged(&stranger, "of another store");
        let kept = system.fork();
        kept.plant(&directory().join("notes.txt"), b"mine");
        kept.plant(&directory().join("1.log"), b"mine");
        assert_eq!(prefix(&open(&kept).unwrap().2), Some(120));
        assert_eq!(kept.contents(&directory().join("1.log")), Some(b"mine".to_vec()), "not ours, so kept");
        assert!(matches!(open(&new_system()), Err(Error::Damaged { .. })), "no log at all is no empty log");
    });
}

#[test]
fn many_threads_share_a_sync() {
    within(LIMIT, "group commit", || {
        let directory = tempfile::tempdir().unwrap();
        let log =
            Log::create(Arc::new(OsFileSystem), directory.path(), STORE, LogOptions::default()).unwrap();
        const THREADS: u64 = 16;
        const EACH: u64 = 100;
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for n in 0..EACH {
                        let sequence = write(&log, n).unwrap();
                        log.commit(sequence).unwrap();
                        assert!(log.synced() >= sequence);
                    }
                });
            }
        });
        let (frames, syncs) = (log.last(), log.syncs());
        println!("{frames} commits, {syncs} syncs");
        assert_eq!(frames, THREADS * EACH);
        assert!(syncs <= frames / 2, "{syncs} syncs for {frames} commits");
    });
}

#[test]
fn headers_are_read_as_they_were_written() {
    let id = SegmentId { store: STORE, number: 7 };
    let header = SegmentHeader { id, first: 9, capacity: 4_096 };
    assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
    let frame = format::FrameHeader {
        payload_crc: 1,
        sequence: 2,
        synced: 3,
        payload_len: 500,
        kind: FrameKind::Update,
        key_len: 400,
    };
    let bytes = frame.encode(id.seed());
    assert_eq!(format::FrameHeader::decode(&bytes, id.seed()), Some(frame));
    let other = SegmentId { number: 8, ..id };
    assert_eq!(format::FrameHeader::decode(&bytes, other.seed()), None, "a frame of another segment");
    assert_eq!(format::FrameHeader::decode(&[0; FRAME_HEADER_BYTES], id.seed()), None);
    let too_long = format::FrameHeader { key_len: 501, ..frame };
    assert_eq!(format::FrameHeader::decode(&too_long.encode(id.seed()), id.seed()), None);
}

/// Two segments of the format's first version, whose bytes never change.
const FIXTURE: [(&str, &[u8]); 2] = [
    ("0000000001.log", include_bytes!("../../fixtures/log-v1/0000000001.log")),
    ("0000000002.log", include_bytes!("../../fixtures/log-v1/0000000002.log")),
];
const FIXTURE_OPTIONS: LogOptions =
    LogOptions { segment_bytes: 512, spare_segments: 0, fills_segments: false };

/// What lies in the fixture.
fn write_fixture() -> SimFileSystem {
    let system = new_system();
    let log = Log::create(Arc::new(system.clone()), directory(), STORE, FIXTURE_OPTIONS).unwrap();
    log.set(b"key", b"value").unwrap();
    log.set(b"", b"").unwrap();
    let second = log.update(b"key", &[0xFF; 100]).unwrap();
    log.commit(second).unwrap();
    log.delete(b"").unwrap();
    let mut batch = WriteBatch::new();
    batch.set(b"a\0b", b"in a batch");
    batch.delete(b"gone");
    log.batch(&batch, &mut Vec::new()).unwrap();
    log.set(b"next segment", &[1; 200]).unwrap();
    log.mark().unwrap();
    system
}

#[test]
fn the_format_is_what_it_was() {
    within(LIMIT, "the fixture", || {
        let written = write_fixture();
        let old = new_system();
        for (name, bytes) in FIXTURE {
            assert!(
                written.contents(&directory().join(name)).unwrap() == bytes,
                "{name}: written otherwise than it was"
            );
            old.plant(&directory().join(name), bytes);
        }
        assert_eq!(written.files().len(), FIXTURE.len());
        let (log, recovered, found) = open(&old).unwrap();
        let expected: [(&[u8], Option<&[u8]>); 7] = [
            (b"key", Some(b"value")),
            (b"", Some(b"")),
            (b"key", Some(&[0xFF; 100])),
            (b"", None),
            (b"a\0b", Some(b"in a batch")),
            (b"gone", None),
            (b"next segment", Some(&[1; 200])),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))));
        assert_eq!((recovered.frames, recovered.last, log.last()), (8, 8, 8));
    });
}
