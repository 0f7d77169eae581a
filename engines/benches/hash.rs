//! Micro-benchmarks of `hash` on a million records of 24 and 100 bytes, which is more than the caches hold.
//!
//! With the feature `peers-memory` the reads of one map behind a latch run beside it, in the same process: only ratios within a
//! run count.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking, and criterion makes its main")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engines::direct::Direct;
use engines::hash::{Hash, HashOptions};
use engines::{Existence, GetBuffer};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hint::black_box;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: u64 = 1_000_000;
const LOADED: u64 = 50_000;
const GROUP: usize = 16;
const VALUE: [u8; 100] = [7; 100];

fn key(n: u64) -> [u8; 24] {
    let mut key = *b"user00000000000000000000";
    let mut rest = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for digit in key.iter_mut().rev().take(20) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn table(records: u64) -> Hash {
    let table = Hash::new(HashOptions::default()).expect("default options");
    (0..records).for_each(|n| table.set(&key(n), &VALUE).expect("in memory"));
    table
}

/// Keys in no order, some of them drawn beforehand so that a benchmark reads them one after the other.
fn drawn(from: u64) -> impl FnMut() -> [u8; 24] {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(42);
    let keys: Vec<_> = (0..1 << 16).map(|_| key(from + random.random_range(0..RECORDS))).collect();
    let mut next = 0;
    move || {
        next = (next + 1) % keys.len();
        keys.get(next).copied().unwrap_or_default()
    }
}

fn operations(criterion: &mut Criterion) {
    let table = table(RECORDS);
    let mut group = criterion.benchmark_group("hash");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4)).sample_size(20);
    let (mut hit, mut miss, mut value) = (drawn(0), drawn(RECORDS), Vec::new());
    group.bench_function("get, there", |bencher| {
        bencher.iter(|| assert!(table.get(&hit(), &mut value).expect("in memory")));
    });
    group.bench_function("get, not there", |bencher| {
        bencher.iter(|| assert!(!table.get(&miss(), &mut value).expect("in memory")));
    });
    group.bench_function("update in place", |bencher| {
        bencher.iter(|| assert!(table.update(&hit(), black_box(&VALUE)).expect("in memory")));
    });
    group.bench_function("insert and delete", |bencher| {
        bencher.iter(|| {
            let key = miss();
            table.set(&key, black_box(&VALUE)).expect("in memory");
            assert_eq!(table.delete(&key).expect("in memory"), Existence::Present);
        });
    });
    group.throughput(Throughput::Elements(GROUP as u64));
    group.bench_function("get of 16 keys, one by one", |bencher| {
        bencher.iter(|| {
            for _ in 0..GROUP {
                assert!(table.get(&hit(), &mut value).expect("in memory"));
            }
        });
    });
    let mut values = GetBuffer::new();
    group.bench_function("get_many of 16 keys", |bencher| {
        bencher.iter(|| {
            let keys: [_; GROUP] = std::array::from_fn(|_| hit());
            table.get_many(&keys.each_ref().map(<[u8; 24]>::as_slice), &mut values).expect("in memory");
        });
    });
    group.throughput(Throughput::Elements(LOADED));
    group.bench_function("load of 50,000 records", |bencher| {
        let empty = || Hash::new(HashOptions::default()).expect("default options");
        bencher.iter_batched(
            empty,
            |table| {
                (0..LOADED).for_each(|n| table.set(&key(n), &VALUE).expect("in memory"));
                table
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

#[cfg(feature = "peers-memory")]
fn latched_map(criterion: &mut Criterion) {
    use parking_lot::RwLock;
    type Bytes = Box<[u8]>;
    let map: hashbrown::HashMap<Bytes, Bytes, foldhash::fast::RandomState> =
        (0..RECORDS).map(|n| (key(n).into(), VALUE.into())).collect();
    let map = RwLock::new(map);
    let mut group = criterion.benchmark_group("RwLock<hashbrown>");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4)).sample_size(20);
    let (mut hit, mut value) = (drawn(0), Vec::new());
    group.bench_function("get, there", |bencher| {
        bencher.iter(|| {
            value.clear();
            value.extend_from_slice(map.read().get(hit().as_slice()).expect("it is there"));
        });
    });
    group.bench_function("update in place", |bencher| {
        bencher.iter(|| {
            map.write().get_mut(hit().as_slice()).expect("it is there").copy_from_slice(black_box(&VALUE));
        });
    });
    group.finish();
}

#[cfg(not(feature = "peers-memory"))]
fn latched_map(_: &mut Criterion) {}

criterion_group!(benches, operations, latched_map);
criterion_main!(benches);
