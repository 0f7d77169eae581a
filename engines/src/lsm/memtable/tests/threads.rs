//! The memtable under several threads: histories that must be linearizable, views that must not move, freezing.
//!
//! Thread safety: each test joins its threads before it checks what they noted.

use super::*;
use crate::lsm::memtable::pause::one_in;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const THREADS: u64 = 4;
/// One in so many exposed places of the protocols lets others run.
const PAUSE: u32 = 61;

/// An operation on one key: when it began and ended by one ticking counter, and the value written or seen; `None` is absence.
struct Event {
    began: u64,
    ended: u64,
    write: bool,
    value: Option<u64>,
}

/// Values are unique. A read must see a write that began before the read ended, and that was not overwritten for certain
/// before the read began: by one which began after that write ended, and ended before the read began.
fn assert_linearizable(events: &[Event]) {
    let writes: Vec<&Event> = events.iter().filter(|event| event.write).collect();
    for read in events.iter().filter(|event| !event.write) {
        let may_be = |seen: &&&Event| {
            seen.value == read.value
                && seen.began < read.ended
                && !writes.iter().any(|other| seen.ended < other.began && other.ended < read.began)
        };
        assert!(
            writes.iter().find(may_be).is_some(),
            "{:?} was seen between {} and {}",
            read.value,
            read.began,
            read.ended
        );
    }
}

fn number(value: &[u8]) -> u64 {
    u64::from_le_bytes(*value.first_chunk().expect("eight bytes"))
}

#[test]
fn histories_of_a_few_keys_are_linearizable() {
    const KEYS: usize = 3;
    const OPERATIONS: u64 = 1_500;
    within(LIMIT, "histories of a few keys are linearizable", || {
        let (table, clock) = (Memtable::new(MemtableOptions::default()), AtomicU64::new(1));
        let tick = || clock.fetch_add(1, Ordering::SeqCst);
        let mut histories: Vec<Vec<Event>> =
            (0..KEYS).map(|_| vec![Event { began: 0, ended: 0, write: true, value: None }]).collect();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (table, tick) = (&table, &tick);
                    scope.spawn(move || {
                        one_in(PAUSE);
                        let mut random = Xoshiro256PlusPlus::seed_from_u64(thread);
                        let (mut value, mut events) = (Vec::new(), Vec::new());
                        for n in 0..OPERATIONS {
                            let key = random.random_range(0..KEYS);
                            let name = [key as u8];
                            let own = thread << 32 | n;
                            let began = tick();
                            let mut note = |write, value| {
                                events.push((key, Event { began, ended: tick(), write, value }));
                            };
                            match random.random_range(0..8) {
                                0 | 1 => {
                                    table.set(&name, &own.to_le_bytes()).expect("no error");
                                    note(true, Some(own));
                                }
                                2 => {
                                    table.delete(&name).expect("no error");
                                    note(true, None);
                                }
                                3 => {
                                    if table.update(&name, &own.to_le_bytes()).expect("no error") {
                                        note(true, Some(own));
                                    } else {
                                        note(false, None);
                                    }
                                }
                                4 => {
                                    let mut batch = WriteBatch::new();
                                    batch.set(&name, &own.to_le_bytes());
                                    // They come after it, so that it waits for them, linked and not yet in effect.
                                    (0..60).for_each(|n| batch.set(&[key as u8, n], b"beside"));
                                    table.batch(&batch).expect("no error");
                                    note(true, Some(own));
                                }
                                5 => {
                                    let range = ScanRange::from(&name).limit(1);
                                    let seen = collect(|visit| table.scan(&range, &mut Chunk::new(), visit));
                                    let found = seen.first().filter(|(key, _)| *key == name);
                                    note(false, found.map(|(_, value)| number(value)));
                                }
                                _ => {
                                    let found = table.get(&name, &mut value).expect("no error");
                                    note(false, found.then(|| number(&value)));
                                }
                            }
                        }
                        events
                    })
                })
                .collect();
            for thread in threads {
                for (key, event) in thread.join().expect("no panic") {
                    histories[key].push(event);
                }
            }
        });
        histories.iter().for_each(|history| assert_linearizable(history));
        table.validate().expect("invariants hold");
    });
}

/// Two threads write, delete and batch; two open views and look at them twice.
fn views_among_writes(keys: u32, rounds: u64) {
    let table = Memtable::new(MemtableOptions::default());
    let (done, written) = (AtomicBool::new(false), [AtomicU64::new(0), AtomicU64::new(0)]);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2u64)
            .map(|thread| {
                let (table, written) = (&table, &written);
                scope.spawn(move || {
                    one_in(PAUSE);
                    let mut random = Xoshiro256PlusPlus::seed_from_u64(thread);
                    let mut batch = WriteBatch::new();
                    for round in 1..=rounds {
                        let key = format!("key{:05}", random.random_range(0..keys)).into_bytes();
                        match random.random_range(0..4) {
                            0 => _ = table.delete(&key).expect("no error"),
                            1 => {
                                batch.clear();
                                batch.set(&key, &[1; 20]);
                                batch.set(b"twin-a", &round.to_le_bytes());
                                batch.set(b"twin-b", &round.to_le_bytes());
                                table.batch(&batch).expect("no error");
                            }
                            _ => table.set(&key, &vec![2; 10 + round as usize % 90]).expect("no error"),
                        }
                        table.set(&[b'w', thread as u8], &round.to_le_bytes()).expect("no error");
                        written[thread as usize].store(round, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for thread in 0..2 {
            let (table, done, written) = (&table, &done, &written);
            scope.spawn(move || {
                one_in(PAUSE);
                let (mut value, mut values) = (Vec::new(), GetBuffer::new());
                while !done.load(Ordering::SeqCst) {
                    let before = [0, 1].map(|writer: usize| written[writer].load(Ordering::SeqCst));
                    let view = table.read_view();
                    let mut range = ScanRange::all();
                    range.reverse = thread == 1;
                    let scan = || collect(|visit| view.scan(&range, &mut Chunk::new(), visit));
                    let mut get =
                        |key: &[u8]| view.get(key, &mut value).expect("no error").then(|| value.clone());
                    for writer in 0..2u8 {
                        let seen = get(&[b'w', writer]).map_or(0, |value| number(&value));
                        assert!(seen >= before[writer as usize], "a write that returned before is seen");
                    }
                    let first = scan();
                    assert_eq!(get(b"twin-a"), get(b"twin-b"), "a batch is seen whole");
                    for (key, value) in first.iter().step_by(7) {
                        assert_eq!(get(key).as_ref(), Some(value));
                    }
                    assert_eq!(scan(), first, "a view does not move");
                    table.get_many(&[b"twin-a", b"twin-b"], &mut values).expect("no error");
                    assert_eq!(values.get(0), values.get(1));
                }
            });
        }
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        done.store(true, Ordering::SeqCst);
    });
    table.compact();
    table.validate().expect("invariants hold");
    assert_eq!(
        detail(&table, "versions"),
        table.stats().records as f64,
        "nothing is kept for views that ended"
    );
    assert_eq!(detail(&table, "hidden_keys"), 0.0);
}

#[test]
fn views_opened_during_writes_do_not_move() {
    within(LIMIT, "views opened during writes do not move", || {
        views_among_writes(5, 3_000);
        views_among_writes(2_000, 6_000);
    });
}

#[test]
fn threads_on_few_keys_and_many_leave_a_valid_tree() {
    within(LIMIT, "threads on few keys and many", || {
        for keys in [3, 40, 3_000] {
            let table = Memtable::new(MemtableOptions::default());
            let balance: Vec<AtomicU64> = (0..keys).map(|_| AtomicU64::new(0)).collect();
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (table, balance) = (&table, &balance);
                    scope.spawn(move || {
                        one_in(PAUSE);
                        let mut random = Xoshiro256PlusPlus::seed_from_u64(thread);
                        let mut value = Vec::new();
                        for n in 0..6_000usize {
                            // Growing and shrinking take turns.
                            let shrinks = n / 1_500 % 2 == 1;
                            let key = random.random_range(0..keys);
                            let name = format!("user{key:08}").into_bytes();
                            match random.random_range(0..4) {
                                0 => _ = table.get(&name, &mut value).expect("no error"),
                                1..3 if shrinks => {
                                    if table.delete(&name).expect("no error") == Existence::Present {
                                        balance[key].fetch_sub(1, Ordering::Relaxed);
                                    }
                                }
                                // Only one of several threads makes a key of its own appear.
                                _ if key as u64 % THREADS == thread => {
                                    let known = table.update(&name, b"updated").expect("no error");
                                    if !known {
                                        balance[key].fetch_add(1, Ordering::Relaxed);
                                        table.set(&name, &vec![7; n % 60]).expect("no error");
                                    }
                                }
                                _ => _ = table.update(&name, &vec![8; n % 90]).expect("no error"),
                            }
                        }
                    });
                }
            });
            table.validate().expect("invariants hold");
            let mut value = Vec::new();
            for (key, balance) in balance.iter().enumerate() {
                let found = table.get(format!("user{key:08}").as_bytes(), &mut value).expect("no error");
                assert_eq!(
                    u64::from(found),
                    balance.load(Ordering::Relaxed),
                    "each insert and each delete counts once"
                );
            }
        }
    });
}

#[test]
fn nothing_gets_in_once_freeze_has_returned() {
    within(LIMIT, "nothing gets in once freeze has returned", || {
        for round in 0..20u64 {
            let table = Memtable::new(MemtableOptions::default());
            let acknowledged = std::thread::scope(|scope| {
                let writers: Vec<_> = (0..THREADS)
                    .map(|thread| {
                        let table = &table;
                        scope.spawn(move || {
                            one_in(PAUSE);
                            for n in 0u64.. {
                                let mut batch = WriteBatch::new();
                                batch.set(&[n.to_be_bytes(), thread.to_be_bytes()].concat(), b"batch");
                                let done = if n % 5 == 4 {
                                    table.batch(&batch)
                                } else {
                                    table.set(&[n.to_be_bytes(), thread.to_be_bytes()].concat(), b"set")
                                };
                                if let Err(error) = done {
                                    assert!(matches!(error, Error::ReadOnly { .. }));
                                    return n;
                                }
                            }
                            0
                        })
                    })
                    .collect();
                std::thread::sleep(Duration::from_micros(300 * (round % 5)));
                table.freeze();
                let frozen: Vec<_> = table.versions().iter().map(|version| version.sequence).collect();
                let acknowledged: u64 =
                    writers.into_iter().map(|writer| writer.join().expect("no panic")).sum();
                let after: Vec<_> = table.versions().iter().map(|version| version.sequence).collect();
                assert_eq!(frozen, after);
                acknowledged
            });
            assert_eq!(
                table.stats().records,
                acknowledged,
                "what was acknowledged is there, and nothing else"
            );
            table.validate().expect("invariants hold");
        }
    });
}
