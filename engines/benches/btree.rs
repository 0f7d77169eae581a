//! Micro-benchmarks of `btree`: a million records of 24-byte keys and 100-byte values, under mimalloc.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking, and keys are drawn among as many as there are"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engines::btree::{BTree, BTreeOptions};
use engines::{Engine, GetBuffer, ScanRange};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: u64 = 1_000_000;
const GROUP: usize = 16;
const VALUE: [u8; 100] = [7; 100];

fn keys() -> Vec<Vec<u8>> {
    let key = |n: u64| format!("user{:020}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into_bytes();
    (0..RECORDS).map(key).collect()
}

fn empty() -> BTree {
    BTree::new(&BTreeOptions::default()).expect("the default options are right")
}

fn bulk_loaded(sorted: &[Vec<u8>]) -> BTree {
    let tree = empty();
    let loaded = tree.bulk_load(&mut sorted.iter().map(|key| (key.as_slice(), &VALUE[..])));
    assert_eq!(loaded.expect("a load"), sorted.len() as u64);
    tree
}

fn randomly_loaded(keys: &[Vec<u8>]) -> BTree {
    let tree = empty();
    let mut session = tree.session().expect("a session");
    keys.iter().for_each(|key| session.set(key, &VALUE).expect("a set"));
    drop(session);
    tree
}

fn benchmarks(criterion: &mut Criterion) {
    let keys = keys();
    let mut sorted = keys.clone();
    sorted.sort();
    let mut loads = criterion.benchmark_group("load");
    loads.throughput(Throughput::Elements(RECORDS)).sample_size(10);
    loads.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(5));
    loads.bench_function("random", |bencher| {
        bencher.iter_batched(|| (), |()| randomly_loaded(&keys), BatchSize::PerIteration);
    });
    loads.bench_function("bulk", |bencher| {
        bencher.iter_batched(|| (), |()| bulk_loaded(&sorted), BatchSize::PerIteration);
    });
    loads.finish();

    let tree = randomly_loaded(&keys);
    let mut session = tree.session().expect("a session");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut value = Vec::new();
    let mut pick = move || rng.random_range(0..RECORDS as usize);
    let mut points = criterion.benchmark_group("point");
    points.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(20);
    points.bench_function("get", |bencher| {
        bencher.iter(|| assert!(session.get(&keys[pick()], &mut value).expect("a get")));
    });
    points.bench_function("update", |bencher| {
        bencher.iter(|| assert!(session.update(&keys[pick()], &VALUE).expect("an update")));
    });
    let mut found = GetBuffer::new();
    points.throughput(Throughput::Elements(GROUP as u64));
    points.bench_function("get 16, one by one", |bencher| {
        bencher.iter(|| {
            let group: [&[u8]; GROUP] = std::array::from_fn(|_| keys[pick()].as_slice());
            group.iter().for_each(|key| assert!(session.get(key, &mut value).expect("a get")));
        });
    });
    points.bench_function("get_many(16)", |bencher| {
        bencher.iter(|| {
            let group: [&[u8]; GROUP] = std::array::from_fn(|_| keys[pick()].as_slice());
            session.get_many(&group, &mut found).expect("a get_many");
            black_box(&found);
        });
    });
    points.finish();

    let mut scans = criterion.benchmark_group("scan");
    scans.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(10);
    scans.throughput(Throughput::Elements(50));
    let mut visit = |key: &[u8], value: &[u8]| {
        black_box((key.len(), value.len()));
        ControlFlow::Continue(())
    };
    scans.bench_function("50 records", |bencher| {
        bencher.iter(|| session.scan(&ScanRange::from(&keys[pick()]).limit(50), &mut visit).expect("a scan"));
    });
    scans.throughput(Throughput::Elements(RECORDS));
    scans.bench_function("all", |bencher| {
        bencher.iter(|| session.scan(&ScanRange::all(), &mut visit).expect("a scan"));
    });
    scans.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
