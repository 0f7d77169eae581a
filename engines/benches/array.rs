//! Micro-benchmarks of `array`: loads, look-ups, updates and scans of 24-byte keys and 100-byte values, and a plain
//! sequential read of as many bytes beside the full scan. About 45 seconds in all.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark reports by panicking")]

use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use engines::array::{Array, ArrayOptions};
use engines::{Engine, GetBuffer, ScanRange};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of the array that is read and scanned.
const RECORDS: usize = 500_000;
/// Records of the arrays that are loaded again and again.
const LOADED: usize = 50_000;
const VALUE: [u8; 100] = [7; 100];
const RECORD_BYTES: u64 = 124;

fn keys(count: usize) -> Vec<[u8; 24]> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(42);
    let key = |_| format!("user{:020}", rng.random::<u64>()).into_bytes().try_into().expect("24 bytes");
    (0..count).map(key).collect()
}

fn sorted(keys: &[[u8; 24]]) -> Vec<[u8; 24]> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted
}

fn array() -> Array {
    Array::new(ArrayOptions::default()).expect("defaults are in range")
}

fn bulk_loaded(sorted: &[[u8; 24]]) -> Array {
    let array = array();
    array.bulk_load(&mut sorted.iter().map(|key| (&key[..], &VALUE[..]))).expect("a bulk load");
    array
}

fn inserted(keys: &[[u8; 24]]) -> Array {
    let array = array();
    let mut session = array.session().expect("a session");
    keys.iter().for_each(|key| session.set(key, &VALUE).expect("a set"));
    drop(session);
    array
}

fn loads(criterion: &mut Criterion) {
    let mut group = group(criterion, "array/load");
    group.throughput(Throughput::Elements(LOADED as u64));
    let keys = keys(LOADED);
    let sorted = sorted(&keys);
    group.bench_function("random", |bencher| {
        bencher.iter_batched(|| (), |()| inserted(&keys), BatchSize::PerIteration);
    });
    group.bench_function("ascending", |bencher| {
        bencher.iter_batched(|| (), |()| inserted(&sorted), BatchSize::PerIteration);
    });
    group.bench_function("bulk", |bencher| {
        bencher.iter_batched(|| (), |()| bulk_loaded(&sorted), BatchSize::PerIteration);
    });
    group.finish();
}

fn points(criterion: &mut Criterion) {
    let keys = keys(RECORDS);
    let array = inserted(&keys);
    let mut session = array.session().expect("a session");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut group = group(criterion, "array/point");
    group.throughput(Throughput::Elements(1));
    let mut value = Vec::new();
    group.bench_function("get", |bencher| {
        bencher.iter(|| session.get(&keys[rng.random_range(0..RECORDS)], &mut value).expect("a get"));
    });
    group.bench_function("update", |bencher| {
        bencher.iter(|| session.update(&keys[rng.random_range(0..RECORDS)], &VALUE).expect("an update"));
    });
    group.throughput(Throughput::Elements(64));
    let mut values = GetBuffer::new();
    group.bench_function("get_many of 64", |bencher| {
        bencher.iter(|| {
            let wanted: [&[u8]; 64] = std::array::from_fn(|_| &keys[rng.random_range(0..RECORDS)][..]);
            session.get_many(&wanted, &mut values).expect("a look-up of many");
        });
    });
    group.finish();
}

/// Scans of a length from random keys, in records a second.
fn scans_of(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    array: &Array,
    keys: &[[u8; 24]],
    length: usize,
) {
    let mut session = array.session().expect("a session");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    group.throughput(Throughput::Elements(length as u64));
    group.bench_function(format!("{length} {name}"), |bencher| {
        bencher.iter(|| {
            let range = ScanRange::from(&keys[rng.random_range(0..keys.len())]).limit(length);
            let mut bytes = 0;
            let visited = session.scan(&range, &mut |key, value| {
                bytes += key.len() + value.len();
                ControlFlow::Continue(())
            });
            (visited.expect("a scan"), black_box(bytes))
        });
    });
}

fn full_scan(array: &Array) -> usize {
    let mut bytes = 0;
    let visited = array.for_each(&mut |key, value| {
        bytes += key.len() + value.len();
        ControlFlow::Continue(())
    });
    visited.expect("a full scan");
    bytes
}

fn scans(criterion: &mut Criterion) {
    let keys = keys(RECORDS);
    let mut group = group(criterion, "array/scan");
    let array = inserted(&keys);
    scans_of(&mut group, "after inserts", &array, &keys, 50);
    array.compact().expect("a compaction");
    scans_of(&mut group, "packed", &array, &keys, 50);
    scans_of(&mut group, "packed", &array, &keys, 10_000);
    group.throughput(Throughput::Bytes(RECORDS as u64 * RECORD_BYTES));
    group.bench_function("all packed", |bencher| bencher.iter(|| full_scan(&array)));
    let bytes: Vec<u64> = (0..RECORDS as u64 * RECORD_BYTES / 8).collect();
    group.bench_function("plain read of as many bytes", |bencher| {
        bencher.iter(|| black_box(&bytes).iter().fold(0, |sum: u64, word| sum.wrapping_add(*word)));
    });
    group.finish();
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group
}

criterion_group!(benches, loads, points, scans);
criterion_main!(benches);
