//! Threads on one table: whatever is moved, split, replaced or deleted, readers see whole values and miss nothing.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn disjoint_keys_of_four_threads_are_all_there() {
    within(LIMIT, "disjoint keys of four threads are all there", || {
        let table = tiny(2);
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let table = &table;
                scope.spawn(move || {
                    let key = |n: u32| [thread.to_be_bytes(), n.to_be_bytes()].concat();
                    let mut value = Vec::new();
                    for n in 0..4_000 {
                        table.set(&key(n), &[n as u8; 30]).expect("no error");
                        if n % 3 == 0 {
                            assert_eq!(table.delete(&key(n)).expect("no error"), Existence::Present);
                        } else if n % 5 == 0 {
                            assert!(table.update(&key(n), b"updated").expect("no error"));
                        }
                        assert_eq!(table.get(&key(n / 2), &mut value).expect("no error"), n / 2 % 3 != 0);
                    }
                });
            }
        });
        let mut model = Model::new();
        for thread in 0..4u32 {
            for n in (0..4_000u32).filter(|n| n % 3 != 0) {
                let value = if n % 5 == 0 { b"updated".to_vec() } else { vec![n as u8; 30] };
                model.insert([thread.to_be_bytes(), n.to_be_bytes()].concat(), value);
            }
        }
        assert_equal(&table, &model);
    });
}

/// Says that a writer has ended, also if it panicked.
struct Done<'a>(&'a AtomicU32);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn overlapping_writers_and_readers_see_whole_values_and_whole_batches() {
    within(LIMIT, "overlapping writers and readers see whole values and whole batches", || {
        let table = tiny(8);
        let keys: Vec<[u8; 1]> = (0..16u8).map(|n| [n]).collect();
        let writing = AtomicU32::new(2);
        // Each batch writes one number to all keys; what is read later is never an earlier number.
        std::thread::scope(|scope| {
            for thread in 0..2u64 {
                let (table, keys, writing) = (&table, &keys, &writing);
                scope.spawn(move || {
                    let _done = Done(writing);
                    let mut batch = WriteBatch::new();
                    for round in 0..1_500u64 {
                        batch.clear();
                        let number = round * 2 + thread;
                        keys.iter().for_each(|key| {
                            batch.set(key, &number.to_be_bytes().repeat(1 + number as usize % 9))
                        });
                        table.batch(&batch).expect("no error");
                        let noise = (number % 977).to_be_bytes();
                        table.set(&noise, b"noise").expect("no error");
                        table.delete(&(number / 3 % 977).to_be_bytes()).expect("no error");
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let asked: Vec<&[u8]> = keys.iter().map(|key| key.as_slice()).collect();
                    let mut values = GetBuffer::new();
                    while writing.load(Ordering::Relaxed) > 0 {
                        table.get_many(&asked, &mut values).expect("no error");
                        let first = values.get(0).map(<[u8]>::to_vec);
                        for index in 1..asked.len() {
                            assert_eq!(values.get(index), first.as_deref(), "a batch is seen as a whole");
                        }
                        if let Some(value) = first {
                            assert!(value.chunks(8).all(|part| part == &value[..8]));
                        }
                    }
                });
            }
        });
        table.validate().expect("invariants hold");
        assert!(table.get(&keys[0], &mut Vec::new()).expect("no error"));
    });
}

/// Key, then bytes that all are one mark, in a length that changes often enough for records to change their blocks.
fn marked(key: &[u8], mark: u8, len: usize) -> Vec<u8> {
    [key, &vec![mark; len]].concat()
}

fn assert_marked(key: &[u8], value: &[u8]) {
    let marks = value.strip_prefix(key).expect("the value of another key");
    assert!(marks.iter().all(|mark| *mark == marks[0]), "a torn value: {marks:?}");
}

/// Every fourth key stays for ever, the others come and go, so that segments split and join all the time; values change in
/// place and change their blocks, and sparse pages are evacuated.
#[test]
fn readers_see_whole_values_and_miss_nothing_that_stays() {
    let (keys, rounds) = if cfg!(miri) { (40_u32, 2_u32) } else { (6_000, 12) };
    within(LIMIT, "readers among writers", move || {
        let table = tiny(4);
        let key = |n: u32| n.to_be_bytes();
        (0..keys).for_each(|n| table.set(&key(n), &marked(&key(n), 0, 60)).expect("no error"));
        let writing = AtomicU32::new(3);
        std::thread::scope(|scope| {
            for writer in 0..3_u32 {
                let (table, writing) = (&table, &writing);
                scope.spawn(move || {
                    let _done = Done(writing);
                    let mut random = Xoshiro256PlusPlus::seed_from_u64(u64::from(writer));
                    for round in 0..rounds {
                        // Each writer owns a third of those that come and go, to know whether they are there.
                        let own = (0..keys).filter(|n| n % 4 == writer + 1);
                        for n in own {
                            if round % 2 == 0 {
                                let existence = table.delete(&key(n)).expect("no error");
                                assert_eq!(existence, Existence::Present, "key {n}");
                            } else {
                                let value = marked(&key(n), writer as u8, random.random_range(1..200));
                                table.set(&key(n), &value).expect("no error");
                            }
                            // Any key that stays, together with the other writers.
                            let other = random.random_range(0..keys / 4) * 4;
                            let value = marked(&key(other), random.random(), 50 + n as usize % 3 * 40);
                            assert!(
                                table.update(&key(other), &value).expect("no error"),
                                "key {other} is gone"
                            );
                        }
                    }
                });
            }
            for reader in 0..3_u32 {
                let (table, writing) = (&table, &writing);
                scope.spawn(move || {
                    let (mut value, mut values) = (Vec::new(), GetBuffer::new());
                    let mut n = reader;
                    while writing.load(Ordering::Relaxed) > 0 {
                        n = (n + 7) % keys;
                        let found = table.get(&key(n), &mut value).expect("no error");
                        assert!(found || n % 4 != 0, "key {n} is missed");
                        if found {
                            assert_marked(&key(n), &value);
                        }
                        let many: Vec<_> = (n..n + 20).map(|n| key(n % keys)).collect();
                        let asked: Vec<_> = many.iter().map(<[u8; 4]>::as_slice).collect();
                        table.get_many(&asked, &mut values).expect("no error");
                        for (index, asked) in asked.iter().enumerate() {
                            let value = values.get(index);
                            assert!(value.is_some() || asked[3] % 4 != 0, "key {asked:?} is missed");
                            value.into_iter().for_each(|value| assert_marked(asked, value));
                        }
                    }
                });
            }
            let (table, writing) = (&table, &writing);
            scope.spawn(move || {
                while writing.load(Ordering::Relaxed) > 0 {
                    let mut stay = 0;
                    let mut visit = |key: &[u8], value: &[u8]| {
                        assert_marked(key, value);
                        stay += u32::from(key[3].is_multiple_of(4));
                        ControlFlow::Continue(())
                    };
                    table.for_each(&mut visit).expect("no error");
                    assert_eq!(stay, keys / 4);
                    table.compact().expect("no error");
                }
            });
        });
        table.validate().expect("invariants hold");
        assert_eq!(table.stats().records, u64::from(keys));
        if !cfg!(miri) {
            for figure in ["splits", "merges", "relocated_records"] {
                let least = if figure == "relocated_records" { 20.0 } else { 200.0 };
                assert!(detail(&table, figure) > least, "{figure}: {}", detail(&table, figure));
            }
        }
    });
}

/// Who adds one to a counter reads it and writes it back under no lock of ours, but each thread's own counters only grow.
#[test]
fn a_write_that_returned_is_seen_by_every_later_read() {
    let rounds = if cfg!(miri) { 20_u64 } else { 30_000 };
    within(LIMIT, "later reads", move || {
        let table = tiny(1);
        let published: Vec<_> = (0..2).map(|_| std::sync::atomic::AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for (thread, published) in published.iter().enumerate() {
                let table = &table;
                scope.spawn(move || {
                    for round in 1..=rounds {
                        let value = round.to_be_bytes().repeat(1 + round as usize % 4);
                        table.set(&[thread as u8], &value).expect("no error");
                        published.store(round, Ordering::Release);
                        // Neighbours come and go, so that the segment is split and joined.
                        for n in 0..4_u8 {
                            let neighbour = [thread as u8, n, round as u8];
                            table.set(&neighbour, b"noise").expect("no error");
                            table.delete(&[thread as u8, n, round as u8 ^ 0x40]).expect("no error");
                        }
                    }
                });
                scope.spawn(move || {
                    let mut value = Vec::new();
                    let mut seen = 0;
                    while seen < rounds {
                        let least = published.load(Ordering::Acquire);
                        let found = table.get(&[thread as u8], &mut value).expect("no error");
                        assert!(found || least == 0, "round {least} is not there");
                        if found {
                            let round = u64::from_be_bytes(*value.first_chunk().expect("eight bytes"));
                            assert!(value.chunks(8).all(|part| part == &value[..8]), "a torn value");
                            assert!(round >= least.max(seen), "round {round} after {least} and {seen}");
                            seen = round;
                        }
                    }
                });
            }
        });
        table.validate().expect("invariants hold");
    });
}
