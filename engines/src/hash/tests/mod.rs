//! The hash engine against a model, alone and with threads.

mod concurrency;
mod memory;

use super::hasher::KeyHasher;
use super::*;
use crate::direct::Direct;
use crate::engine::{Engine, Existence, GetBuffer, ScanRange, WriteBatch};
use crate::error::Error;
use crate::testing::within;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(buckets: usize, load_factor: f64, shards: usize, segment_lines: usize) -> Hash {
    let options = HashOptions { buckets, load_factor, shards, segment_lines, seed: Some(1) };
    Hash::new(options).expect("the options are in range")
}

/// Segments of a line or two, so that few records make a deep directory.
fn tiny(shards: usize) -> Hash {
    open(1, 0.9, shards, 1)
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
        let shapes = [
            (1, 0.75, 1, 64),
            (1, 0.1, 1, 1),
            (1, 0.9, 4, 1),
            (1024, 0.75, 64, 64),
            (64, 0.9, 1, 2),
            (4096, 0.5, 2, 3),
        ];
        for (seed, (buckets, load_factor, shards, lines)) in shapes.into_iter().enumerate() {
            let table = open(buckets, load_factor, shards, lines);
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
fn growing_and_shrinking_move_a_bounded_number_of_entries() {
    within(LIMIT, "growing and shrinking move a bounded number of entries", || {
        // Segments of one line grow a deep directory, those of 64 lines are what a user has; two shards have two sizes.
        for (lines, shards, most, count) in
            [(1, 1, 14, 20_000_u32), (64, 2, 1024, 60_000), (64, 1, 1024, 60_000)]
        {
            let table = open(1, 0.9, shards, lines);
            let key = |n: u32| n.to_be_bytes();
            let mut value = Vec::new();
            for n in 0..count {
                table.set(&key(n), &n.to_le_bytes()).expect("no error");
                let earlier = n.wrapping_mul(0x9E37_79B1) % (n + 1);
                assert!(table.get(&key(earlier), &mut value).expect("no error"));
                assert_eq!(value, earlier.to_le_bytes());
                assert!(!table.get(&key(n + 1), &mut value).expect("no error"));
                if n % 11_111 == 0 {
                    table.validate().expect("invariants hold");
                }
            }
            let buckets = detail(&table, "buckets");
            assert!(buckets * 0.9 > f64::from(count) && buckets < f64::from(count) * 3.0, "{buckets}");
            assert!(detail(&table, "splits") > 50.0);
            for n in 0..count - 10 {
                assert_eq!(table.delete(&key(n)).expect("no error"), Existence::Present);
                if n % 11_111 == 0 {
                    table.validate().expect("invariants hold");
                }
            }
            assert!(detail(&table, "buckets") < buckets / 4.0, "deletes alone shrink it");
            assert!(detail(&table, "merges") > 30.0);
            table.compact().expect("no error");
            let left = detail(&table, "buckets");
            assert!(left <= 14.0 * shards as f64 * 10.0, "{left}");
            // The counters prove the bounds, and that they count.
            let moved = detail(&table, "moved_per_operation_max_entries");
            assert!((6.0..=f64::from(most)).contains(&moved), "{moved}");
            assert!(moved <= ENTRIES_MOVED_MOST as f64);
            let zeroed = detail(&table, "zeroed_per_operation_max_bytes");
            assert!((64.0..=64.0 * 1024.0).contains(&zeroed), "{zeroed}");
            assert_eq!(records(&table).len(), 10);
            table.validate().expect("invariants hold");
        }
    });
}

#[test]
fn the_load_factor_decides_when_a_segment_is_split() {
    within(LIMIT, "the load factor decides when a segment is split", || {
        let fill_before_split = |load_factor| {
            let table = open(1, load_factor, 1, 64);
            let mut n = 0_u32;
            while detail(&table, "splits") == 0.0 {
                table.set(&n.to_be_bytes(), b"value").expect("no error");
                n += 1;
            }
            f64::from(n - 1) / (detail(&table, "buckets") / 2.0)
        };
        for load_factor in [0.1, 0.5, 0.9] {
            let fill = fill_before_split(load_factor);
            assert!((fill - load_factor).abs() < 0.01, "split at {fill}, asked for {load_factor}");
        }
    });
}

#[test]
fn buckets_at_the_start_need_no_split_and_are_kept() {
    within(LIMIT, "buckets at the start need no split and are kept", || {
        let table = open(100_000, 0.85, 8, 8);
        let at_start = detail(&table, "buckets");
        assert!((100_000.0..250_000.0).contains(&at_start), "{at_start}");
        (0..50_000_u32).for_each(|n| table.set(&n.to_be_bytes(), b"value").expect("no error"));
        assert_eq!(detail(&table, "splits"), 0.0);
        (0..50_000_u32).for_each(|n| _ = table.delete(&n.to_be_bytes()).expect("no error"));
        table.compact().expect("no error");
        assert_eq!(detail(&table, "buckets"), at_start);
        table.validate().expect("invariants hold");
    });
}

#[test]
fn shards_grow_one_after_the_other() {
    within(LIMIT, "shards grow one after the other", || {
        let table = open(1, 0.85, 64, 8);
        let (mut least, mut most) = (1.0_f64, 0.0_f64);
        for n in 0..80_000_u32 {
            table.set(&n.to_be_bytes(), b"value").expect("no error");
            if n > 20_000 && n % 1_000 == 0 {
                let fill = detail(&table, "fill_ratio");
                (least, most) = (least.min(fill), most.max(fill));
            }
        }
        // Segments of one size would go from .43 to .85 and back.
        assert!(least > 0.5 && most < 0.7, "{least} to {most}");
    });
}

#[test]
fn for_each_sees_what_stays_once_while_the_table_is_resized() {
    within(LIMIT, "for each sees what stays once while the table is resized", || {
        for shards in [1, 8] {
            let table = tiny(shards);
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
            assert!(detail(&table, "splits") > 100.0 && detail(&table, "merges") > 100.0);
            table.validate().expect("invariants hold");
        }
    });
}

#[test]
fn what_is_not_supported_or_out_of_range_is_refused() {
    within(LIMIT, "what is not supported or out of range is refused", || {
        let table = open(1024, 0.75, 64, 64);
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
            HashOptions { segment_lines: 0, ..HashOptions::default() },
            HashOptions { segment_lines: 65, ..HashOptions::default() },
        ] {
            assert!(matches!(Hash::new(options), Err(Error::InvalidOption { .. })), "{options:?}");
        }
        let parsed = |text: &str| {
            let options = serde_json::from_str(text).expect("it is JSON");
            (ENTRY.open)(&crate::entry::OpenOptions { options, ..Default::default() }).err()
        };
        assert!(
            parsed(r#"{"buckets": 10, "load_factor": 0.5, "shards": 2, "segment_lines": 3, "seed": 7}"#)
                .is_none()
        );
        assert!(matches!(parsed(r#"{"bukets": 10}"#), Some(Error::InvalidOption { .. })));
    });
}

#[test]
fn a_seed_repeats_the_layout_and_none_does_not() {
    within(LIMIT, "a seed repeats the layout", || {
        let visited = |seed| {
            let table = Hash::new(HashOptions { seed, ..HashOptions::default() }).expect("in range");
            (0..1_000_u32).for_each(|n| table.set(&n.to_be_bytes(), b"value").expect("no error"));
            let mut keys = Vec::new();
            let mut visit = |key: &[u8], _: &[u8]| {
                keys.push(key.to_vec());
                ControlFlow::Continue(())
            };
            table.for_each(&mut visit).expect("no error");
            keys
        };
        assert_eq!(visited(Some(5)), visited(Some(5)));
        assert_ne!(visited(Some(5)), visited(Some(6)));
        assert_ne!(visited(None), visited(None));
    });
}

#[test]
fn keys_of_one_hash_prefix_do_not_end_it() {
    within(LIMIT, "keys of one hash prefix", || {
        // Chosen by their hashes, which share the ten bits that a directory of segments of one line looks at first.
        let table = tiny(1);
        let hasher = KeyHasher::new(Some(1));
        let alike: Vec<_> = (0..400_000_u32)
            .map(u32::to_be_bytes)
            .filter(|key| hasher.hash(key).path(0) >> 54 == 0)
            .collect();
        assert!(alike.len() > 300);
        for (n, key) in alike.iter().enumerate() {
            table.set(key, &n.to_le_bytes()).expect("no error");
        }
        table.validate().expect("invariants hold");
        let (mut value, nodes) = (Vec::new(), detail(&table, "directory_nodes"));
        assert!(nodes >= 2.0, "{nodes}");
        for (n, key) in alike.iter().enumerate() {
            assert!(table.get(key, &mut value).expect("no error"));
            assert_eq!(value, n.to_le_bytes());
            assert_eq!(table.delete(key).expect("no error"), Existence::Present);
        }
        table.compact().expect("no error");
        table.validate().expect("invariants hold");
        assert_eq!(detail(&table, "directory_nodes"), 0.0);
        assert_eq!(detail(&table, "segments"), 1.0);
    });
}

#[test]
fn segments_longer_than_others_are_joined_when_one_of_the_usual_length_takes_all() {
    within(LIMIT, "long segments are joined", || {
        for load_factor in [0.1, 0.5, 0.9] {
            // The directory ends at six bits, so that keys which share them make segments longer.
            let options = HashOptions { buckets: 1, load_factor, shards: 1, segment_lines: 1, seed: Some(1) };
            let table = Hash::with_depth_most(options, 6).expect("in range");
            let hasher = KeyHasher::new(Some(1));
            let alike: Vec<_> = (0..100_000_u32)
                .map(u32::to_be_bytes)
                .filter(|key| hasher.hash(key).path(0) >> 59 == 0)
                .take(600)
                .collect();
            let mut model = Model::new();
            for key in &alike {
                table.set(key, key).expect("no error");
                model.insert(key.to_vec(), key.to_vec());
            }
            assert_equal(&table, &model);
            assert!(detail(&table, "resizes") > 6.0, "segments grow beyond the usual length");
            for (n, key) in alike.iter().enumerate() {
                assert_eq!(table.delete(key).expect("no error"), Existence::Present);
                model.remove(&key[..]);
                if n % 50 == 49 {
                    table.compact().expect("no error");
                }
                if n % 10 == 9 || n > 550 {
                    assert_equal(&table, &model);
                }
            }
            assert!(detail(&table, "merges") > 0.0);
            assert_eq!(detail(&table, "segments"), 1.0);
            assert_eq!(detail(&table, "buckets"), 7.0);
        }
    });
}
