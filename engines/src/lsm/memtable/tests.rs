//! The memtable against a model, its read views, limits and threads.

mod threads;

use super::*;
use crate::chunk::Chunk;
use crate::engine::{Engine, Existence, GetBuffer, ScanRange, WriteBatch};
use crate::error::Error;
use crate::options::ByteSize;
use crate::testing::within;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

type Model = BTreeMap<Vec<u8>, Vec<u8>>;
type Records = Vec<(Vec<u8>, Vec<u8>)>;

fn detail(table: &Memtable, name: &str) -> f64 {
    table.stats().details.iter().find(|(detail, _)| detail == name).expect("it is reported").1
}

/// Waits until it holds so little memory, which it does as soon as no thread that was pinned when something was retired is
/// still: those of other tests as well.
fn shrinks_to(table: &Memtable, bytes: u64) {
    for _ in 0..10_000 {
        table.compact();
        if table.stats().memory_bytes <= bytes {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("{} bytes are held, {bytes} would do", table.stats().memory_bytes);
}

fn collect(scan: impl FnOnce(crate::engine::Visitor<'_>) -> crate::Result<u64>) -> Records {
    let mut records = Records::new();
    let visited = scan(&mut |key, value| {
        records.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    assert_eq!(visited.expect("no error"), records.len() as u64);
    records
}

fn expected(model: &Model, range: &ScanRange<'_>) -> Records {
    let value = |value: &Vec<u8>| if range.keys_only { Vec::new() } else { value.clone() };
    let inside = model.iter().filter(|(key, _)| range.contains(key)).map(|(k, v)| (k.clone(), value(v)));
    if range.reverse { inside.rev().take(range.limit).collect() } else { inside.take(range.limit).collect() }
}

fn assert_equal(table: &Memtable, model: &Model) {
    table.validate().expect("invariants hold");
    for range in [ScanRange::all(), ScanRange::all().reversed()] {
        assert_eq!(collect(|visit| table.scan(&range, &mut Chunk::new(), visit)), expected(model, &range));
    }
    let stats = table.stats();
    assert_eq!(stats.records, model.len() as u64);
    let bytes: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert_eq!(stats.live_bytes, Some(bytes as u64));
    assert!(stats.memory_bytes > bytes as u64);
}

/// Keys of 0 to 3 bytes, so that they meet again, and some with a long prefix in common.
fn any_key(random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let len = random.random_range(0..4);
    let mut key = if random.random_ratio(1, 4) { b"a long prefix".to_vec() } else { Vec::new() };
    key.extend((0..len).map(|_| random.random_range(0..8u8).wrapping_sub(3)));
    key
}

fn any_value(random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let most = if random.random_ratio(1, 300) { 200_000 } else { 200 };
    vec![random.random(); random.random_range(0..most)]
}

fn any_range(random: &mut Xoshiro256PlusPlus) -> ScanRange<'static> {
    let mut bound = || match random.random_range(0..3) {
        0 => Bound::Unbounded,
        1 => Bound::Included(Cow::Owned(any_key(random))),
        _ => Bound::Excluded(Cow::Owned(any_key(random))),
    };
    let (lower, upper) = (bound(), bound());
    let limit = if random.random() { usize::MAX } else { random.random_range(0..100) };
    ScanRange { lower, upper, limit, reverse: random.random(), keys_only: random.random_ratio(1, 4) }
}

fn write(table: &Memtable, model: &mut Model, random: &mut Xoshiro256PlusPlus) {
    let key = any_key(random);
    match random.random_range(0..10) {
        0..4 => {
            let new = any_value(random);
            table.set(&key, &new).expect("no error");
            model.insert(key, new);
        }
        4..6 => {
            let new = any_value(random);
            let expected = model.get_mut(&key).map(|old| *old = new.clone()).is_some();
            assert_eq!(table.update(&key, &new).expect("no error"), expected);
        }
        6..9 => {
            let expected = Existence::from(model.remove(&key).is_some());
            assert_eq!(table.delete(&key).expect("no error"), expected);
        }
        _ => {
            let mut batch = WriteBatch::new();
            for _ in 0..random.random_range(0..20) {
                let (key, new) = (any_key(random), any_value(random));
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
    }
}

#[test]
fn any_operations_agree_with_a_model() {
    within(LIMIT, "any operations agree with a model", || {
        for seed in 0..3 {
            let table = Memtable::new(MemtableOptions::default());
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let (mut model, mut value) = (Model::new(), Vec::new());
            for step in 0..6_000 {
                write(&table, &mut model, &mut random);
                let key = any_key(&mut random);
                let found = table.get(&key, &mut value).expect("no error");
                assert_eq!(found.then_some(&value), model.get(&key));
                assert!(found || value.is_empty());
                if step % 20 == 0 {
                    let range = any_range(&mut random);
                    let seen = collect(|visit| table.scan(&range, &mut Chunk::new(), visit));
                    assert_eq!(seen, expected(&model, &range), "{range:?}");
                }
                if step % 1_000 == 0 {
                    assert_equal(&table, &model);
                }
                if step % 2_500 == 2_499 {
                    table.compact();
                    assert_eq!(detail(&table, "tombstones"), 0.0);
                    assert_equal(&table, &model);
                }
            }
            assert_equal(&table, &model);
            let keys: Vec<Vec<u8>> = (0..300).map(|_| any_key(&mut random)).collect();
            let mut values = GetBuffer::new();
            table
                .get_many(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut values)
                .expect("no error");
            for (index, key) in keys.iter().enumerate() {
                assert_eq!(values.get(index), model.get(key).map(Vec::as_slice));
            }
            assert_eq!(detail(&table, "versions") - detail(&table, "tombstones"), model.len() as f64);
        }
    });
}

#[test]
fn read_views_see_their_moment_forever() {
    within(LIMIT, "read views see their moment forever", || {
        for seed in 10..13 {
            let table = Memtable::new(MemtableOptions::default());
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let (mut model, mut value) = (Model::new(), Vec::new());
            let mut views: Vec<(ReadView<'_>, Model)> = Vec::new();
            for step in 0..4_000 {
                write(&table, &mut model, &mut random);
                if random.random_ratio(1, 10) {
                    views.push((table.read_view(), model.clone()));
                }
                if !views.is_empty() && (views.len() > 8 || random.random_ratio(1, 10)) {
                    let (view, then) = views.swap_remove(random.random_range(0..views.len()));
                    let range = any_range(&mut random);
                    let seen = collect(|visit| view.scan(&range, &mut Chunk::new(), visit));
                    assert_eq!(seen, expected(&then, &range), "{range:?}");
                    for _ in 0..20 {
                        let key = any_key(&mut random);
                        let found = view.get(&key, &mut value).expect("no error");
                        assert_eq!(found.then_some(&value), then.get(&key));
                    }
                }
                if step % 500 == 0 {
                    assert_equal(&table, &model);
                }
                if step % 1_500 == 1_499 {
                    table.compact();
                    assert_equal(&table, &model);
                }
            }
            for (view, then) in views.drain(..) {
                let seen = collect(|visit| view.scan(&ScanRange::all(), &mut Chunk::new(), visit));
                assert_eq!(seen, expected(&then, &ScanRange::all()));
            }
            // Whatever the views needed goes with the next writes.
            (0..2_000).for_each(|_| write(&table, &mut model, &mut random));
            assert_eq!(detail(&table, "versions") - detail(&table, "tombstones"), model.len() as f64);
            assert_equal(&table, &model);
        }
    });
}

#[test]
fn a_hot_key_costs_the_room_of_one_version() {
    within(LIMIT, "a hot key costs the room of one version", || {
        let table = Memtable::new(MemtableOptions::default());
        (0..100u8).for_each(|n| table.set(&[n], &[n; 100]).expect("no error"));
        let before = table.stats().memory_bytes;
        for n in 0..30_000usize {
            table.set(&[50], &vec![1; 60 + n % 90]).expect("no error");
            table.delete(&[51]).expect("no error");
            table.set(&[51], &[2; 100]).expect("no error");
        }
        assert_eq!(detail(&table, "versions"), 100.0);
        shrinks_to(&table, before + (1 << 20));
        assert_eq!(table.sequence(), 90_100);
        // With a view it costs two versions, however often it is written.
        let view = table.read_view();
        (0..1_000).for_each(|_| table.set(&[50], b"new").expect("no error"));
        assert_eq!(detail(&table, "versions"), 101.0);
        let mut value = Vec::new();
        assert!(view.get(&[50], &mut value).expect("no error"));
        assert_eq!(value, vec![1; 60 + 29_999 % 90]);
        drop(view);
        table.set(&[1], b"any write").expect("no error");
        assert_eq!(detail(&table, "versions"), 100.0);
        table.validate().expect("invariants hold");
    });
}

#[test]
fn a_tombstone_goes_when_it_hides_nothing_any_more() {
    within(LIMIT, "a tombstone goes when it hides nothing any more", || {
        let table = Memtable::new(MemtableOptions::default());
        let key = |n: u32| n.to_be_bytes();
        let versions = |expected: (f64, f64)| {
            assert_eq!((detail(&table, "versions"), detail(&table, "tombstones")), expected);
            table.validate().expect("invariants hold");
        };
        // A queue: what was deleted long ago must neither hold memory nor lie in the way of a scan.
        let mut used = 0.0;
        for n in 0..60_000u32 {
            table.set(&key(n), &[1; 100]).expect("no error");
            if n >= 100 {
                assert_eq!(table.delete(&key(n - 100)).expect("no error"), Existence::Present);
            }
            if n == 1_000 {
                used = detail(&table, "used_bytes");
            }
        }
        versions((100.0, 0.0));
        assert!(detail(&table, "used_bytes") < used * 1.1, "{used}");
        // In a batch as well, whatever else it does to the key.
        let mut batch = WriteBatch::new();
        (59_900..59_990).for_each(|n| batch.delete(&key(n)));
        batch.set(&key(59_900), b"back");
        batch.delete(&key(59_901));
        table.batch(&batch).expect("no error");
        versions((11.0, 0.0));
        // A view needs what the tombstone hides, and so the tombstone, until it ends.
        let view = table.read_view();
        assert_eq!(table.delete(&key(59_900)).expect("no error"), Existence::Present);
        batch.clear();
        batch.delete(&key(59_995));
        table.batch(&batch).expect("no error");
        versions((13.0, 2.0));
        let mut value = Vec::new();
        assert!(view.get(&key(59_900), &mut value).expect("no error") && value == b"back");
        assert!(!table.get(&key(59_900), &mut value).expect("no error"));
        drop(view);
        table.set(&key(59_999), b"any write").expect("no error");
        versions((9.0, 0.0));
        // Over older tables every tombstone stays.
        let over = Memtable::over_older_tables(MemtableOptions::default(), 0);
        over.set(b"a", b"1").expect("no error");
        over.delete(b"a").expect("no error");
        batch.clear();
        batch.delete(b"b");
        over.batch(&batch).expect("no error");
        assert_eq!((detail(&over, "versions"), detail(&over, "tombstones")), (2.0, 2.0));
    });
}

#[test]
fn a_scan_is_one_point_in_time_whatever_its_visitor_does() {
    within(LIMIT, "a scan is one point in time whatever its visitor does", || {
        for reverse in [false, true] {
            let table = Memtable::new(MemtableOptions::default());
            let key = |n: u32| n.to_be_bytes();
            (0..3_000).step_by(2).for_each(|n| table.set(&key(n), b"before").expect("no error"));
            let mut range = ScanRange::all();
            range.reverse = reverse;
            let mut number = 0;
            let seen = collect(|visit| {
                table.scan(&range, &mut Chunk::new(), &mut |found, value| {
                    let n = u32::from_be_bytes(found.try_into().expect("four bytes"));
                    for near in n.saturating_sub(60)..n + 60 {
                        match near % 4 {
                            0 => table.set(&key(near), b"while").expect("no error"),
                            2 => _ = table.delete(&key(near)).expect("no error"),
                            _ if number % 8 == 0 => table.set(&key(near), b"new").expect("no error"),
                            _ => {}
                        }
                    }
                    number += 1;
                    visit(found, value)
                })
            });
            assert_eq!(seen.len(), 1_500);
            assert!(seen.iter().all(|(_, value)| value == b"before"));
            assert!(seen.is_sorted_by(|a, b| if reverse { a.0 > b.0 } else { a.0 < b.0 }));
            assert_eq!(detail(&table, "read_views"), 0.0);
            table.validate().expect("invariants hold");
        }
    });
}

#[test]
fn a_view_ends_when_a_visitor_panics() {
    let table = Memtable::new(MemtableOptions::default());
    table.set(b"key", b"value").expect("no error");
    let scan = std::panic::AssertUnwindSafe(|| {
        table.scan(&ScanRange::all(), &mut Chunk::new(), &mut |_, _| panic!("as the test wants"))
    });
    assert!(std::panic::catch_unwind(scan).is_err());
    assert_eq!(detail(&table, "read_views"), 0.0);
    table.set(b"key", b"new").expect("the latch is free");
    assert_eq!(detail(&table, "versions"), 1.0);
}

#[test]
fn a_frozen_table_is_read_only_and_yields_its_versions_in_order() {
    let table = Memtable::over_older_tables(MemtableOptions::default(), 100);
    let view = table.read_view();
    table.set(b"b", b"1").expect("no error");
    let second = table.read_view();
    table.set(b"b", b"2").expect("no error");
    assert_eq!(table.delete(b"a").expect("no error"), Existence::Absent, "yet it leaves a tombstone");
    let mut batch = WriteBatch::new();
    batch.delete(b"c");
    batch.set(b"c", b"3");
    table.batch(&batch).expect("no error");
    assert_eq!((view.sequence(), second.sequence(), table.sequence()), (100, 101, 105));
    table.compact();
    table.freeze();
    let read_only =
        |result: crate::Result<()>| matches!(result, Err(Error::ReadOnly { engine: "lsm-memtable", .. }));
    assert!(read_only(table.set(b"b", b"4")));
    assert!(read_only(table.update(b"b", b"4").map(|_| ())));
    assert!(read_only(table.delete(b"b").map(|_| ())));
    assert!(read_only(table.batch(&batch)));
    let version = |key, sequence, value| Version { key, sequence, value };
    let expected = [
        version(b"a".as_slice(), 103, None),
        version(b"b", 102, Some(b"2".as_slice())),
        version(b"b", 101, Some(b"1")),
        version(b"c", 105, Some(b"3")),
    ];
    assert_eq!(table.versions().iter().collect::<Vec<_>>(), expected);
    drop((view, second));
    table.compact();
    assert_eq!(table.versions().iter().count(), 4, "a frozen table stays as it is");
    table.validate().expect("invariants hold");
}

#[test]
fn a_full_table_refuses_and_changes_nothing() {
    within(LIMIT, "a full table refuses and changes nothing", || {
        let limit = 64 << 10;
        let table = Memtable::new(MemtableOptions { limit: ByteSize(limit) });
        let key = |n: u32| n.to_be_bytes();
        let full = |result: crate::Result<()>| {
            matches!(result, Err(Error::Full { engine: "lsm-memtable", limit_bytes, used_bytes })
            if limit_bytes == limit && used_bytes <= limit)
        };
        let held = (0..).find(|&n| full(table.set(&key(n), &[7; 100]))).expect("it gets full");
        assert!(held as u64 * 164 > limit / 2 && (held as u64) * 104 < limit, "{held}");
        let state =
            || (table.stats(), collect(|visit| table.scan(&ScanRange::all(), &mut Chunk::new(), visit)));
        let before = state();
        assert!(full(table.set(&key(held), &[7; 100])));
        assert!(full(table.update(&key(0), &[7; 10_000]).map(|_| ())));
        assert!(!table.update(&key(held), b"absent").expect("nothing to write, nothing to refuse"));
        let mut batch = WriteBatch::new();
        batch.delete(&key(0));
        batch.set(&key(held), &[7; 1_000]);
        assert!(full(table.batch(&batch)));
        assert_eq!(state(), before);
        table.compact();
        assert_eq!(state().1, before.1);
        table.validate().expect("a full table that is compacted stays within its limit");
        assert!(full(table.set(&key(held), &[7; 100])));
        // What needs no room is taken, and a delete makes some.
        table.set(&key(1), &[8; 100]).expect("in place");
        batch.clear();
        (0..held / 2).for_each(|n| batch.set(&key(n), &[9; 90]));
        table.batch(&batch).expect("in place, though new nodes would not fit");
        (0..held / 2).for_each(|n| assert_eq!(table.delete(&key(n)).expect("no error"), Existence::Present));
        table.set(&key(held), &[7; 100]).expect("there is room");
        table.validate().expect("invariants hold");
        assert_eq!(table.stats().records, u64::from(held - held / 2 + 1));
    });
}

#[test]
fn compact_gives_back_what_deletes_and_overwrites_left() {
    within(LIMIT, "compact gives back what deletes and overwrites left", || {
        let table = Memtable::new(MemtableOptions::default());
        (0..30_000u32).for_each(|n| table.set(&n.to_be_bytes(), &[1; 300]).expect("no error"));
        let peak = table.stats().memory_bytes;
        (0..29_900u32).for_each(|n| _ = table.delete(&n.to_be_bytes()).expect("no error"));
        assert_eq!((table.stats().records, detail(&table, "versions")), (100, 100.0));
        shrinks_to(&table, peak / 10);
        assert_eq!((table.stats().records, detail(&table, "tombstones")), (100, 0.0));
        table.validate().expect("invariants hold");
    });
}

/// One key of eight has an older version for a view, and what lay between these records is deleted. Returns the bytes of all
/// records but the view's when they were there, and the view.
fn thinned_out_under_a_view(table: &Memtable, keys: u32) -> (u64, ReadView<'_>) {
    let all = |kept: bool| (0..keys).filter(move |n| kept == (n % 8 == 0)).map(u32::to_be_bytes);
    all(true).for_each(|key| table.set(&key, &[1; 300]).expect("no error"));
    let (alone, view) = (detail(table, "record_bytes"), table.read_view());
    (0..keys).for_each(|n| table.set(&n.to_be_bytes(), &[2; 300]).expect("no error"));
    let full = detail(table, "record_bytes") - alone;
    all(false).for_each(|key| _ = table.delete(&key).expect("no error"));
    (full as u64, view)
}

/// Records that were busy when their page was drained are moved in the next step, however sparse the others are.
#[test]
fn a_busy_record_is_moved_in_the_next_step() {
    within(LIMIT, "a busy record is moved in the next step", || {
        let table = Memtable::new(MemtableOptions::default());
        let (full, view) = thinned_out_under_a_view(&table, 1_000);
        while table.busy.lock().is_empty() {
            table.compact();
        }
        drop(view);
        // Each write reclaims what was kept for the view of some keys.
        (0..200).for_each(|_| _ = table.delete(b"none").expect("no error"));
        assert_eq!(detail(&table, "hidden_keys"), 0.0);
        table.move_together(0, &crossbeam::epoch::pin());
        assert_eq!(table.busy.lock().len(), 0);
        while detail(&table, "record_bytes") > full as f64 * 0.7 {
            table.records.reclaim();
        }
        table.validate().expect("invariants hold");
    });
}

/// A record with an older version cannot be moved; its page is not lost for that.
#[test]
fn what_could_not_be_moved_for_a_view_is_moved_later() {
    within(LIMIT, "what could not be moved for a view is moved later", || {
        let table = Memtable::new(MemtableOptions::default());
        let (full, view) = thinned_out_under_a_view(&table, 20_000);
        (0..3).for_each(|_| table.compact());
        // Of the pages in between an eighth is in use, and can be used again; few may be kept from that.
        let before = detail(&table, "record_bytes");
        (0..12_000u32).for_each(|n| table.set(&[7, n as u8, (n >> 8) as u8], &[4; 300]).expect("no error"));
        let grown = detail(&table, "record_bytes") - before;
        assert!(grown < full as f64 / 4.0, "{grown} more for what had room in {full}");
        (0..12_000u32).for_each(|n| _ = table.delete(&[7, n as u8, (n >> 8) as u8]).expect("no error"));
        drop(view);
        shrinks_to(&table, full / 4 + detail(&table, "node_bytes") as u64);
        assert_eq!((table.stats().records, detail(&table, "versions")), (2_500, 2_500.0));
        table.validate().expect("invariants hold");
    });
}

#[test]
fn tombstones_over_older_tables_are_moved_together() {
    within(LIMIT, "tombstones over older tables are moved together", || {
        let table = Memtable::over_older_tables(MemtableOptions::default(), 0);
        let keys: Vec<Vec<u8>> = (0..20_000u32).map(|n| n.to_be_bytes().repeat(75)).collect();
        for (n, key) in keys.iter().enumerate() {
            if n % 8 == 0 {
                assert_eq!(table.delete(key).expect("no error"), Existence::Absent);
            } else {
                table.set(key, b"").expect("no error");
            }
        }
        let others = || keys.iter().enumerate().filter(|(n, _)| n % 8 != 0);
        others().for_each(|(_, key)| table.set(key, &[1; 300]).expect("no error"));
        shrinks_to(&table, table.used_bytes() * 21 / 20 + detail(&table, "node_bytes") as u64);
        assert_eq!((table.stats().records, detail(&table, "tombstones")), (17_500, 2_500.0));
        table.validate().expect("invariants hold");
        let versions: Vec<_> = table
            .versions()
            .iter()
            .filter(|version| version.value.is_none())
            .map(|version| version.key.to_vec())
            .collect();
        assert!(versions.iter().eq(keys.iter().step_by(8)));
    });
}

#[test]
fn disjoint_keys_of_four_threads_are_all_there() {
    within(LIMIT, "disjoint keys of four threads are all there", || {
        let table = Memtable::new(MemtableOptions::default());
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let table = &table;
                scope.spawn(move || {
                    let key = |n: u32| [n.to_be_bytes(), thread.to_be_bytes()].concat();
                    let mut value = Vec::new();
                    for n in 0..3_000 {
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
            for n in (0..3_000u32).filter(|n| n % 3 != 0) {
                let value = if n % 5 == 0 { b"updated".to_vec() } else { vec![n as u8; 30] };
                model.insert([n.to_be_bytes(), thread.to_be_bytes()].concat(), value);
            }
        }
        assert_equal(&table, &model);
    });
}

#[test]
fn overlapping_writers_and_readers_see_whole_batches() {
    within(LIMIT, "overlapping writers and readers see whole batches", || {
        let table = Memtable::new(MemtableOptions::default());
        let keys: Vec<[u8; 2]> = (0..200u8).map(|n| [n, n]).collect();
        let rounds = 400u64;
        std::thread::scope(|scope| {
            for thread in 0..2u64 {
                let (table, keys) = (&table, &keys);
                scope.spawn(move || {
                    let mut batch = WriteBatch::new();
                    for round in 1..=rounds {
                        batch.clear();
                        let number = (round * 2 + thread).to_be_bytes();
                        keys.iter().for_each(|key| batch.set(key, &number.repeat(1 + round as usize % 9)));
                        table.batch(&batch).expect("no error");
                        table.set(&number[5..8], b"noise").expect("no error");
                        table.delete(&number[5..8]).expect("no error");
                    }
                });
            }
            for reverse in [false, true] {
                let (table, keys) = (&table, &keys);
                scope.spawn(move || {
                    let mut range = ScanRange::all();
                    range.reverse = reverse;
                    for _ in 0..rounds {
                        let seen = collect(|visit| table.scan(&range, &mut Chunk::new(), visit));
                        let mut values =
                            seen.iter().filter(|(_, value)| value != b"noise").map(|(_, value)| value);
                        if let Some(first) = values.next() {
                            assert!(values.all(|value| value == first), "a batch is seen as a whole");
                            assert!(seen.len() >= keys.len());
                        }
                    }
                });
            }
        });
        (0..200).for_each(|_| table.set(b"\0", b"drops what was kept").expect("no error"));
        table.validate().expect("invariants hold");
        assert_eq!(detail(&table, "versions") - detail(&table, "tombstones"), table.stats().records as f64);
    });
}

#[test]
fn what_is_too_long_or_unknown_is_refused() {
    let table = Memtable::new(MemtableOptions::default());
    let long = vec![0; table.capabilities().max_key_bytes + 1];
    assert!(matches!(table.set(&long, b""), Err(Error::KeyTooLong { .. })));
    assert!(matches!(table.get(&long, &mut Vec::new()), Err(Error::KeyTooLong { .. })));
    let mut batch = WriteBatch::new();
    batch.set(b"a", b"1");
    batch.delete(&long);
    assert!(matches!(table.batch(&batch), Err(Error::KeyTooLong { .. })));
    assert_eq!((table.stats().records, table.sequence()), (0, 0), "a refused batch changes nothing");
    let parsed = |text: &str| {
        let options = serde_json::from_str(text).expect("it is JSON");
        (ENTRY.open)(&crate::entry::OpenOptions { options, ..Default::default() }).err()
    };
    assert!(parsed(r#"{"limit": "4MiB"}"#).is_none());
    assert!(matches!(parsed(r#"{"limits": 10}"#), Some(Error::InvalidOption { .. })));
}

#[test]
fn numbers_from_outside_are_kept_and_must_ascend() {
    let table = Memtable::over_older_tables(MemtableOptions::default(), 10);
    table.write_at(20, b"a", Some(b"1")).expect("no error");
    table.write_at(15, b"b", None).expect("another key");
    assert!(matches!(table.write_at(20, b"a", Some(b"2")), Err(Error::Unsupported { .. })));
    assert!(matches!(table.write_at(0, b"c", Some(b"2")), Err(Error::Unsupported { .. })));
    let view = table.read_view();
    table.write_at(30, b"a", Some(b"2")).expect("no error");
    table.set(b"c", b"3").expect("no error");
    let found: Vec<_> =
        table.versions().iter().map(|version| (version.key.to_vec(), version.sequence)).collect();
    let key = |key: &[u8]| key.to_vec();
    assert_eq!(found, [(key(b"a"), 30), (key(b"a"), 20), (key(b"b"), 15), (key(b"c"), 31)]);
    assert_eq!(view.sequence(), 20);
    drop(view);
    table.validate().expect("invariants hold");
}

#[test]
fn a_cursor_goes_both_ways_over_what_its_view_sees() {
    within(LIMIT, "a cursor goes both ways", || {
        let table = Memtable::over_older_tables(MemtableOptions::default(), 0);
        let key = |n: u32| n.to_be_bytes();
        for n in 0..500 {
            table.set(&key(n * 2), b"seen").expect("no error");
            if n % 7 == 0 {
                table.delete(&key(n * 2)).expect("no error");
            }
        }
        let view = table.read_view();
        (0..1_000).for_each(|n| table.set(&key(n), b"later").expect("no error"));
        let number = |version: Option<Version<'_>>| {
            version.map(|version| {
                let n = u32::from_be_bytes(version.key.try_into().expect("four bytes"));
                let expected = if n % 14 == 0 { None } else { Some(&b"seen"[..]) };
                assert_eq!(version.value, expected);
                assert!(version.sequence <= view.sequence());
                n
            })
        };
        let mut cursor = view.cursor();
        assert!(cursor.current().is_none());
        cursor.seek_to_first();
        for n in 0..500 {
            assert_eq!(number(cursor.current()), Some(n * 2));
            cursor.next();
        }
        assert!(cursor.current().is_none());
        cursor.seek_to_last();
        for n in (0..500).rev() {
            assert_eq!(number(cursor.current()), Some(n * 2));
            cursor.previous();
        }
        assert!(cursor.current().is_none());
        for n in 0..999 {
            cursor.seek(&key(n));
            assert_eq!(number(cursor.current()), (n <= 998).then_some(n.next_multiple_of(2)));
            cursor.seek_back(&key(n));
            assert_eq!(number(cursor.current()), Some(n / 2 * 2));
            cursor.next();
            assert_eq!(number(cursor.current()), (n / 2 < 499).then_some(n / 2 * 2 + 2));
        }
        cursor.seek(&key(999));
        assert!(cursor.current().is_none());
    });
}

#[test]
fn keys_in_order_and_in_reverse_come_and_go() {
    within(LIMIT, "keys in order and in reverse come and go", || {
        let table = Memtable::new(MemtableOptions::default());
        for reverse in [false, true] {
            let keys = |n: u32| format!("user{:06}", if reverse { 2_999 - n } else { n }).into_bytes();
            let mut model = Model::new();
            for n in 0..3_000 {
                table.set(&keys(n), b"1").expect("no error");
                model.insert(keys(n), b"1".to_vec());
                if n % 300 == 0 {
                    assert_equal(&table, &model);
                }
            }
            assert_equal(&table, &model);
            for n in 0..3_000 {
                assert_eq!(table.delete(&keys(n)).expect("no error"), Existence::Present);
                model.remove(&keys(n));
                if n % 300 == 0 {
                    assert_equal(&table, &model);
                }
            }
            assert_equal(&table, &model);
            assert_eq!(detail(&table, "height"), 1.0, "an empty table is one leaf");
        }
    });
}
