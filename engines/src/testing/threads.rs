//! Checks of point operations by several threads: exact end states, no torn values, nothing that goes backwards.
//!
//! Thread safety: see [`super::workers`]; figures that threads share are atomics named where they are used.

use super::agreement::assert_agrees;
use super::check::{Check, Group, retains_writes};
use super::model::Model;
use super::random::Random;
use super::reading::{everything, get, get_many, scan};
use super::record::{numbered_key, value};
use super::subject::Subject;
use super::workers::{Crew, race, together};
use crate::engine::{Existence, ScanRange, Session, WriteBatch};
use std::hint::spin_loop;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::thread::yield_now;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "threads on keys of their own lose nothing",
        group: Group::Threads,
        applies: retains_writes,
        run: disjoint,
    },
    Check {
        name: "threads on the same keys tear no value",
        group: Group::Threads,
        applies: retains_writes,
        run: overlapping,
    },
    Check {
        name: "a key never goes back to an older value",
        group: Group::Threads,
        applies: retains_writes,
        run: monotonic,
    },
    Check {
        name: "an update does not bring back a deleted record",
        group: Group::Threads,
        applies: retains_writes,
        run: presence,
    },
    Check {
        name: "of concurrent deletes exactly one finds the record",
        group: Group::Threads,
        applies: retains_writes,
        run: one_delete,
    },
];

const WRITERS: usize = 4;

/// Each thread has every fourth key, so that all of them work in the same pages and buckets, half of the time in the first few,
/// and knows exactly what its keys hold.
fn disjoint(subject: &Subject) {
    let engine = subject.open();
    let models = Mutex::new(Vec::new());
    together(&*engine, WRITERS, |worker, session| {
        let mut model = Model::new();
        let mut random = Random::new(worker as u64);
        for n in 0..4_000 {
            let key = numbered_key(random.below(if n % 2 == 0 { 8 } else { 600 }) * WRITERS + worker);
            let value = value(random.below(100), n);
            match random.below(8) {
                0..=2 => {
                    session.set(&key, &value).expect("set");
                    model.set(&key, &value);
                }
                3 => assert_eq!(session.update(&key, &value).expect("update"), model.update(&key, &value)),
                4 | 5 => {
                    let (found, present) = (session.delete(&key).expect("delete"), model.delete(&key));
                    assert!(found == Existence::Unknown || found == present.into(), "{found:?}");
                }
                6 => {
                    let mut batch = WriteBatch::new();
                    batch.set(&key, &value);
                    batch.delete(&numbered_key(random.below(600) * WRITERS + worker));
                    session.batch(&batch).expect("batch");
                    model.batch(&batch);
                }
                _ => {
                    assert!(get(session, &key).as_deref() == model.get(&key), "a thread reads what it wrote")
                }
            }
        }
        models.lock().expect("no panic").push(model);
    });
    let models = models.into_inner().expect("no panic");
    let records = models.iter().flat_map(Model::iter).map(|(key, value)| (key.to_vec(), value.to_vec()));
    assert_agrees(&*engine, &Model::of(records), "after all threads have ended");
}

/// A value that says which key it belongs to and what all its bytes must be.
fn describing(key: usize, seed: u64) -> Vec<u8> {
    let mut bytes = (key as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&seed.to_le_bytes());
    bytes.extend_from_slice(&value((seed % 300) as usize, seed));
    bytes
}

fn assert_describes(key: usize, bytes: &[u8]) {
    let seed = bytes.get(8..16).and_then(|seed| seed.try_into().ok()).map(u64::from_le_bytes);
    let whole = seed.is_some_and(|seed| bytes == describing(key, seed));
    assert!(whole, "a torn value, or one of another key, at key {key}");
}

fn overlapping(subject: &Subject) {
    const KEYS: usize = 48;
    let engine = subject.open();
    let numbers: std::collections::BTreeMap<_, _> = (0..KEYS).map(|n| (numbered_key(n), n)).collect();
    let write = |worker: usize, round: usize, session: &mut dyn Session| {
        let mut random = Random::new((round * WRITERS + worker) as u64);
        for _ in 0..50 {
            let n = random.below(KEYS);
            let (key, value) = (numbered_key(n), describing(n, random.next()));
            match random.below(6) {
                0..=2 => session.set(&key, &value).expect("set"),
                3 => {
                    session.update(&key, &value).expect("update");
                }
                4 => {
                    session.delete(&key).expect("delete");
                }
                _ => {
                    let other = random.below(KEYS);
                    let mut batch = WriteBatch::new();
                    batch.set(&key, &value);
                    batch.set(&numbered_key(other), &describing(other, random.next()));
                    session.batch(&batch).expect("batch");
                }
            }
        }
    };
    let (writers, readers) = (Crew { threads: WRITERS, rounds: 60 }, Crew { threads: 2, rounds: 60 });
    race(&*engine, writers, write, readers, |worker, round, session| match (worker + round) % 4 {
        0 => (0..KEYS).for_each(|n| {
            if let Some(value) = get(session, &numbered_key(n)) {
                assert_describes(n, &value);
            }
        }),
        1 => {
            let keys: Vec<_> = (0..KEYS).map(numbered_key).collect();
            let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
            for (n, value) in get_many(session, &keys).into_iter().enumerate() {
                value.iter().for_each(|value| assert_describes(n, value));
            }
        }
        2 if engine.capabilities().ordered_scan => {
            for (key, value) in scan(session, &ScanRange::all()) {
                assert_describes(numbers[&key], &value);
            }
        }
        _ => {
            let result = engine.for_each(&mut |key, value| {
                assert_describes(numbers[key], value);
                std::ops::ControlFlow::Continue(())
            });
            result.expect("for_each");
            let records = engine.stats().records;
            assert!(records <= 2 * KEYS as u64, "stats among writes count {records} records of {KEYS} keys");
            if round % 8 == 3 {
                engine.compact().expect("compact among writes");
            }
        }
    });
    let left = everything(&*engine);
    left.iter().for_each(|(key, value)| assert_describes(numbers[key], value));
    assert_agrees(&*engine, &Model::of(left), "after all threads have ended");
}

/// The version a value carries.
fn version(value: Option<&[u8]>) -> u64 {
    let bytes =
        value.and_then(|value| value.first_chunk::<8>()).expect("the key is there and its value is whole");
    u64::from_le_bytes(*bytes)
}

fn versioned(version: u64) -> Vec<u8> {
    let mut bytes = version.to_le_bytes().to_vec();
    bytes.resize(8 + (version * 17 % 120) as usize, 0xAB);
    bytes
}

/// `published` is a version that all keys have reached; it is stored after the last of them was written.
fn monotonic(subject: &Subject) {
    const KEYS: usize = 16;
    let engine = subject.open();
    let keys: Vec<_> = (0..KEYS).map(numbered_key).collect();
    let key_refs: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let mut session = engine.session().expect("a session");
    keys.iter().for_each(|key| session.set(key, &versioned(0)).expect("set"));
    let published = AtomicU64::new(0);
    let write = |_: usize, round: usize, session: &mut dyn Session| {
        let n = round as u64 + 1;
        let value = versioned(n);
        match n % 3 {
            0 => keys.iter().for_each(|key| session.set(key, &value).expect("set")),
            1 => keys.iter().for_each(|key| assert!(session.update(key, &value).expect("update"))),
            _ => {
                let mut batch = WriteBatch::new();
                keys.iter().for_each(|key| batch.set(key, &value));
                session.batch(&batch).expect("batch");
            }
        }
        published.store(n, Release);
    };
    let (writers, readers) = (Crew { threads: 1, rounds: 1_500 }, Crew { threads: 3, rounds: 100 });
    race(&*engine, writers, write, readers, |worker, round, session| {
        let mut floor = [published.load(Acquire); KEYS];
        let mut raise = |index: usize, found: u64, how: &str| {
            let newest = published.load(Acquire) + 1;
            assert!(found >= floor[index], "{how} saw version {found} of key {index} after {}", floor[index]);
            assert!(found <= newest, "{how} saw version {found}, which is not written yet");
            floor[index] = found;
        };
        for pass in 0..4 {
            for (index, key) in keys.iter().enumerate() {
                raise(index, version(get(session, key).as_deref()), "get");
            }
            match (worker + round + pass) % 3 {
                0 => {
                    for (index, value) in get_many(session, &key_refs).iter().enumerate() {
                        raise(index, version(value.as_deref()), "get_many");
                    }
                }
                1 if engine.capabilities().ordered_scan => {
                    let found = scan(session, &ScanRange::all());
                    assert_eq!(found.len(), KEYS);
                    for (index, (_, value)) in found.iter().enumerate() {
                        raise(index, version(Some(value)), "scan");
                    }
                }
                _ => {}
            }
        }
    });
    engine.validate().expect("valid");
}

/// Gives other threads time to take the second of two steps: some hundred nanoseconds on another processor, and once in a while
/// on this one, which is dear: a busy system runs others for milliseconds.
fn give_way(n: usize) {
    if n.is_multiple_of(101) {
        return yield_now();
    }
    (0..n % 7 * 16).for_each(|_| spin_loop());
}

/// One thread sets and deletes a key and must not find it afterwards, whatever the threads do that update it.
fn presence(subject: &Subject) {
    let engine = subject.open();
    let key = b"now here, now not";
    let mut session = engine.session().expect("a session");
    (0..50).for_each(|n| session.set(&numbered_key(n), b"neighbour").expect("set"));
    let write = |_: usize, n: usize, session: &mut dyn Session| {
        session.set(key, b"set").expect("set");
        give_way(n);
        let found = session.delete(key).expect("delete");
        assert_ne!(found, Existence::Absent, "the record was set before, round {n}");
        give_way(n / 3);
        assert_eq!(get(session, key), None, "an update brought a deleted record back, round {n}");
    };
    let (writers, readers) = (Crew { threads: 1, rounds: 4_000 }, Crew { threads: 2, rounds: 4_000 });
    race(&*engine, writers, write, readers, |worker, _, session| {
        session.update(key, &vec![b'u'; 10 + worker * 30]).expect("update");
    });
    assert_eq!(get(&mut *session, key), None, "an update brought a deleted record back");
    assert_eq!(engine.stats().records, 50);
    engine.validate().expect("valid");
}

fn one_delete(subject: &Subject) {
    const KEYS: usize = 300;
    let engine = subject.open();
    for round in 0..8 {
        let found = AtomicUsize::new(0);
        // All threads insert the same keys, then all delete them: counted once each way.
        together(&*engine, WRITERS, |worker, session| {
            let keys = Random::new(worker as u64 / 2).shuffled(&(0..KEYS).collect::<Vec<_>>());
            keys.iter().for_each(|n| session.set(&numbered_key(*n), &vec![0; worker * 9]).expect("set"));
        });
        assert_eq!(engine.stats().records, KEYS as u64, "each key counts once, round {round}");
        together(&*engine, WRITERS, |worker, session| {
            let keys = Random::new(worker as u64 / 2).shuffled(&(0..KEYS).collect::<Vec<_>>());
            for n in keys {
                if session.delete(&numbered_key(n)).expect("delete") == Existence::Present {
                    found.fetch_add(1, Relaxed);
                }
            }
        });
        if engine.capabilities().delete_reports {
            assert_eq!(found.load(Relaxed), KEYS, "each record is deleted once, round {round}");
        }
        assert_agrees(&*engine, &Model::new(), "when all is deleted");
    }
}
