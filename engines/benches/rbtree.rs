//! Micro-benchmarks of `rbtree`: a million records, keys of 24 bytes in hashed order, values of 100 bytes, keys drawn
//! uniformly, so that most of what is touched is in no cache. `cargo bench -p engines --bench rbtree`, under a minute.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engines::chunk::Chunk;
use engines::direct::Direct;
use engines::rbtree::{RbTree, RbTreeOptions};
use engines::{Engine, GetBuffer, ScanRange};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: usize = 1_000_000;
const MANY: usize = 16;
const VALUE: [u8; 100] = [7; 100];

fn keys(count: usize) -> Vec<[u8; 24]> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let key = |hash: u64| format!("user{hash:020}").into_bytes().try_into().unwrap();
    (0..count).map(|_| key(rng.random())).collect()
}

fn filled(keys: &[[u8; 24]]) -> RbTree {
    let tree = RbTree::new(RbTreeOptions::default());
    keys.iter().for_each(|key| tree.set(key, &VALUE).unwrap());
    tree
}

/// Draws keys.
struct Draw<'k> {
    keys: &'k [[u8; 24]],
    rng: Xoshiro256PlusPlus,
}

impl<'k> Draw<'k> {
    fn new(keys: &'k [[u8; 24]]) -> Self {
        Self { keys, rng: Xoshiro256PlusPlus::seed_from_u64(2) }
    }

    fn one(&mut self) -> &'k [u8] {
        &self.keys[self.rng.random_range(0..self.keys.len())]
    }

    fn many(&mut self) -> [&'k [u8]; MANY] {
        std::array::from_fn(|_| self.one())
    }
}

fn benchmarks(criterion: &mut Criterion) {
    let keys = keys(RECORDS + RECORDS / 10);
    let (keys, others) = keys.split_at(RECORDS);
    let mut group = criterion.benchmark_group("rbtree");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));

    let part = &keys[..RECORDS / 10];
    group.throughput(Throughput::Elements(part.len() as u64));
    group.bench_function("load 100,000", |bencher| bencher.iter_with_large_drop(|| filled(part)));

    let tree = filled(keys);
    let (mut draw, mut value) = (Draw::new(keys), Vec::new());
    group.throughput(Throughput::Elements(1));
    group.bench_function("get", |bencher| {
        bencher.iter(|| assert!(tree.get(black_box(draw.one()), &mut value).unwrap()));
    });
    group.bench_function("update", |bencher| {
        bencher.iter(|| assert!(tree.update(black_box(draw.one()), &VALUE).unwrap()));
    });
    let mut other = others.iter().cycle();
    group.bench_function("insert and delete", |bencher| {
        bencher.iter(|| {
            let key = other.next().unwrap();
            tree.set(black_box(key), &VALUE).unwrap();
            tree.delete(black_box(key)).unwrap();
        });
    });
    let mut chunk = Chunk::new();
    group.bench_function("scan of 50", |bencher| {
        bencher.iter(|| {
            let range = ScanRange::from(draw.one()).limit(50);
            let visit = &mut |key: &[u8], value: &[u8]| {
                black_box((key, value));
                ControlFlow::Continue(())
            };
            tree.scan(&range, &mut chunk, visit).unwrap()
        });
    });
    group.throughput(Throughput::Elements(MANY as u64));
    let mut answers = GetBuffer::new();
    let mut keys_of = Draw::new(keys);
    group.bench_function("get_many of 16", |bencher| {
        bencher.iter_batched(
            || keys_of.many(),
            |keys| tree.get_many(black_box(&keys), &mut answers).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("16 one by one", |bencher| {
        bencher.iter_batched(
            || keys_of.many(),
            |keys| keys.iter().for_each(|key| assert!(tree.get(black_box(key), &mut value).unwrap())),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    tree.validate().unwrap();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
