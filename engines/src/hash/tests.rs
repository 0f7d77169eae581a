//! The hash engine against a model, alone and with threads.

use super::*;
use crate::direct::Direct;
use crate::engine::{Engine, Existence, GetBuffer, ScanRange, WriteBatch};
use crate::error::Error;
use crate::testing::within;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(buckets: usize, load_factor: f64, shards: usize) -> Hash {
    Hash::new(HashOptions { buckets, load_factor, shards, seed: Some(1), ..HashOptions::default() }).expect("the options are in range")
}

fn detail(table: &Hash, name: &str) -> f64 {
    table.stats().details.iter().find(|(detail, _)| detail == name).expect("it is reported").1
}

fn records(table: &Hash) -> Model {
    let mut records = Model::new();
    table
        .for_each(&mut |key, value| {
            assert!(records.insert(key.to_vec(), value.to_vec()).is_none(), "{key:?} is visited twice");
            ControlFlow::Continue(())
        })
        .expect("no error");
    records
}

fn assert_equal(table: &Hash, model: &Model) {
    table.validate().expect("invariants hold");
    assert_eq!(&records(table), model);
    let stats = table.stats();
    assert_eq!(stats.records, model.len() as u64);
    let bytes: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!(stats.live_bytes, Some(bytes as u64));
    assert!(stats.memory_bytes > bytes as u64);
}

/// Keys of 0 to 3 bytes, so that they meet again, and now and then a long one.
fn any_key(random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let len = if random.random_ratio(1, 50) { 300 } else { random.random_range(0..4) };
    (0..len).map(|_| random.random_range(0..12u8).wrapping_sub(3)).collect()
}

fn any_value(random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let len = random.random_range(0..200usize);
    vec![random.random(); len]
}

#[test]
fn any_operations_agree_with_a_model() {
    within(LIMIT, "any operations agree with a model", || {
        for (seed, (buckets, load_factor, shards)) in
            [(1, 0.75, 1), (1, 0.1, 1), (1, 0.9, 4), (1024, 0.75, 64), (64, 0.9, 1)].into_iter().enumerate()
        {
            let table = open(buckets, load_factor, shards);
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed as u64);
            let (mut model, mut value) = (Model::new(), Vec::new());
            for step in 0..12_000 {
                // Alternate between growing and shrinking.
                let deletes = if step / 3_000 % 2 == 0 { 1 } else { 8 };
                let key = any_key(&mut random);
                match random.random_range(0..12 + deletes) {
                    0..6 => {
                        let new = any_value(&mut random);
                        table.set(&key, &new).expect("no error");
                        model.insert(key, new);
                    }
                    6..8 => {
                        let new = any_value(&mut random);
                        let expected = model.get_mut(&key).map(|old| *old = new.clone()).is_some();
                        assert_eq!(table.update(&key, &new).expect("no error"), expected);
                    }
                    8 => {
                        let mut batch = WriteBatch::new();
                        for _ in 0..random.random_range(0..20) {
                            let (key, new) = (any_key(&mut random), any_value(&mut random));
                            if random.random_ratio(1, 3) {
                                batch.delete(&key);
                                model.remove(&key);
                            } else {
                                batch.set(&key, &new);
                                model.insert(key, new);
                            }
                        }
                        table.batch(&batch).expect("no error");
                    }
                    9..12 => {
                        let found = table.get(&key, &mut value).expect("no error");
                        assert_eq!(found.then_some(&value), model.get(&key));
                        assert!(found || value.is_empty());
                    }
                    _ => {
                        let expected = Existence::from(model.remove(&key).is_some());
                        assert_eq!(table.delete(&key).expect("no error"), expected);
                    }
                }
                if step % 1_500 == 0 {
                    assert_equal(&table, &model);
                }
                if step % 5_000 == 4_999 {
                    table.compact().expect("no error");
                }
            }
            assert_equal(&table, &model);
            let keys: Vec<Vec<u8>> = (0..500).map(|_| any_key(&mut random)).collect();
            let mut values = GetBuffer::new();
            table
                .get_many(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut values)
                .expect("no error");
            for (index, key) in keys.iter().enumerate() {
                assert_eq!(values.get(index), model.get(key).map(Vec::as_slice));
            }
        }
    });
}

#[test]
fn growing_and_shrinking_move_a_bounded_number_of_records() {
    within(LIMIT, "growing and shrinking move a bounded number of records", || {
        let table = open(1, 0.75, 1);
        let key = |n: u32| n.to_be_bytes();
        let mut value = Vec::new();
        let mut met_resizes = 0;
        for n in 0..20_000 {
            table.set(&key(n), &n.to_le_bytes()).expect("no error");
            // Some key from before, in whichever table it lies at this moment, and one that is not there.
            let earlier = n.wrapping_mul(0x9E37_79B1) % (n + 1);
            assert!(table.get(&key(earlier), &mut value).expect("no error"));
            assert_eq!(value, earlier.to_le_bytes());
            assert!(!table.get(&key(n + 1), &mut value).expect("no error"));
            met_resizes += (detail(&table, "resizing_shards") > 0.0) as u32;
            if n % 1_111 == 0 {
                table.validate().expect("invariants hold");
            }
        }
        assert!(met_resizes > 500, "{met_resizes}");
        let buckets = detail(&table, "buckets");
        assert!((20_000.0 / 0.75..80_000.0).contains(&buckets), "{buckets}");
        let full = table.stats().memory_bytes;
        for n in 0..19_990 {
            assert_eq!(table.delete(&key(n)).expect("no error"), Existence::Present);
            if n % 1_111 == 0 {
                table.validate().expect("invariants hold");
            }
        }
        assert!(detail(&table, "buckets") < buckets / 16.0, "deletes alone shrink it");
        table.compact().expect("no error");
        assert!(detail(&table, "buckets") <= 32.0);
        assert!(table.stats().memory_bytes < full / 100);
        let moved = detail(&table, "moved_per_operation_max");
        assert!(moved > 8.0 && moved <= SLOTS_MOVED_PER_OPERATION as f64, "{moved}");
        assert_eq!(records(&table).len(), 10);
        table.validate().expect("invariants hold");
    });
}

#[test]
fn tombstones_do_not_pile_up() {
    within(LIMIT, "tombstones do not pile up", || {
        let table = open(512, 0.9, 1);
        let key = |n: u32| n.to_be_bytes();
        for n in 0..50_000u32 {
            table.set(&key(n), b"value").expect("no error");
            if n >= 200 {
                assert_eq!(table.delete(&key(n - 200)).expect("no error"), Existence::Present);
            }
        }
        assert_eq!(detail(&table, "buckets"), 512.0, "a moving window needs no more room");
        assert!(detail(&table, "tombstones") < 256.0);
        table.validate().expect("invariants hold");
    });
}

#[test]
fn for_each_sees_what_stays_once_while_the_table_is_resized() {
    within(LIMIT, "for each sees what stays once while the table is resized", || {
        for shards in [1, 8] {
            let table = open(1, 0.75, shards);
            let key = |n: u32| n.to_be_bytes();
            (0..5_000).for_each(|n| table.set(&key(n), b"stays").expect("no error"));
            let mut stays = 0;
            let mut next = 5_000;
            let mut shrinking = false;
            table
                .for_each(&mut |_, value| {
                    stays += u32::from(value == b"stays");
                    for _ in 0..10 {
                        if shrinking && next > 5_000 {
                            next -= 1;
                            assert_eq!(table.delete(&key(next)).expect("no error"), Existence::Present);
                        } else {
                            table.set(&key(next), b"comes").expect("no error");
                            next += 1;
                            shrinking = next > 60_000;
                        }
                    }
                    ControlFlow::Continue(())
                })
                .expect("no error");
            assert_eq!(stays, 5_000);
            assert!(detail(&table, "resizes") > 10.0);
            table.validate().expect("invariants hold");
        }
    });
}

#[test]
fn compact_gives_back_what_shorter_values_left() {
    within(LIMIT, "compact gives back what shorter values left", || {
        let table = open(1, 0.75, 1);
        (0..1_000u32).for_each(|n| table.set(&n.to_be_bytes(), &[1; 100]).expect("no error"));
        (0..1_000u32).for_each(|n| table.set(&n.to_be_bytes(), &[2; 50]).expect("no error"));
        table.flush().expect("no error");
        let before = table.stats().memory_bytes;
        table.compact().expect("no error");
        assert_eq!(before - table.stats().memory_bytes, 50_000);
        table.validate().expect("invariants hold");
        assert!(records(&table).values().all(|value| value == &[2; 50]));
    });
}

#[test]
fn disjoint_keys_of_four_threads_are_all_there() {
    within(LIMIT, "disjoint keys of four threads are all there", || {
        let table = open(1, 0.75, 2);
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
        let table = open(1, 0.75, 8);
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

#[test]
fn what_is_not_supported_or_out_of_range_is_refused() {
    within(LIMIT, "what is not supported or out of range is refused", || {
        let table = open(1024, 0.75, 64);
        let long = vec![0; table.capabilities().max_key_bytes + 1];
        assert!(matches!(table.set(&long, b""), Err(Error::KeyTooLong { .. })));
        assert!(matches!(table.get(&long, &mut Vec::new()), Err(Error::KeyTooLong { .. })));
        let mut batch = WriteBatch::new();
        batch.set(b"a", b"1");
        batch.delete(&long);
        assert!(matches!(table.batch(&batch), Err(Error::KeyTooLong { .. })));
        assert!(records(&table).is_empty(), "a refused batch changes nothing");
        let mut session = table.session().expect("no error");
        let scan = session.scan(&ScanRange::all(), &mut |_, _| ControlFlow::Continue(()));
        assert!(matches!(scan, Err(Error::Unsupported { engine: "hash", operation: "scan" })));
        for options in [
            HashOptions { buckets: 0, ..HashOptions::default() },
            HashOptions { buckets: (1 << 28) + 1, ..HashOptions::default() },
            HashOptions { load_factor: 0.09, ..HashOptions::default() },
            HashOptions { load_factor: 0.91, ..HashOptions::default() },
            HashOptions { load_factor: f64::NAN, ..HashOptions::default() },
            HashOptions { shards: 0, ..HashOptions::default() },
            HashOptions { shards: 48, ..HashOptions::default() },
            HashOptions { shards: 8192, ..HashOptions::default() },
        ] {
            assert!(matches!(Hash::new(options), Err(Error::InvalidOption { .. })), "{options:?}");
        }
        let parsed = |text: &str| {
            let options = serde_json::from_str(text).expect("it is JSON");
            (ENTRY.open)(&crate::entry::OpenOptions { options, ..Default::default() }).err()
        };
        assert!(parsed(r#"{"buckets": 10, "load_factor": 0.5, "shards": 2}"#).is_none());
        assert!(matches!(parsed(r#"{"bukets": 10}"#), Some(Error::InvalidOption { .. })));
    });
}
