//! Micro-benchmarks of `lsm-memtable`: one thread, a million records of 24-byte keys and 100-byte values.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that goes wrong has nothing better to do than to stop"
)]

use criterion::{BatchSize, Criterion, Throughput};
use engines::chunk::Chunk;
use engines::engine::{GetBuffer, ScanRange};
use engines::lsm::memtable::{Memtable, MemtableOptions};
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: usize = 1_000_000;
const SCANNED: usize = 50;
const AT_ONCE: usize = 32;
const VERSIONS: usize = 50;

fn mix(number: usize) -> u64 {
    let mixed = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 27)
}

fn load(keys: &[Vec<u8>]) -> Memtable {
    let table = Memtable::new(MemtableOptions::default());
    keys.iter().for_each(|key| table.set(key, &[7; 100]).expect("no limit"));
    table
}

/// Bytes of a scan of [`SCANNED`] records from a key on.
fn scan(table: &Memtable, key: &[u8], chunk: &mut Chunk) -> usize {
    let mut bytes = 0;
    let scanned = table.scan(&ScanRange::from(key).limit(SCANNED), chunk, &mut |key, value| {
        bytes += key.len() + value.len();
        ControlFlow::Continue(())
    });
    scanned.expect("a memtable scans");
    bytes
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let random: Vec<Vec<u8>> = (0..RECORDS).map(|n| format!("user{:020}", mix(n)).into_bytes()).collect();
    let ascending: Vec<Vec<u8>> = (0..RECORDS).map(|n| format!("user{n:020}").into_bytes()).collect();

    let mut group = criterion.benchmark_group("lsm_memtable/load");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, keys) in [("random", &random), ("ascending", &ascending)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| (), |()| load(keys), BatchSize::PerIteration);
        });
    }
    group.finish();

    let table = load(&random);
    let mut at = 0;
    let mut next = || {
        at = (at + 1) % RECORDS;
        &random[mix(at) as usize % RECORDS]
    };
    let (mut value, mut values, mut chunk) = (Vec::new(), GetBuffer::new(), Chunk::new());
    let mut group = criterion.benchmark_group("lsm_memtable");
    group.bench_function("get", |bencher| bencher.iter(|| table.get(next(), &mut value)));
    group.bench_function("get_many", |bencher| {
        bencher.iter(|| {
            let keys: [&[u8]; AT_ONCE] = std::array::from_fn(|_| next().as_slice());
            table.get_many(&keys, &mut values)
        });
    });
    group.bench_function("overwrite", |bencher| bencher.iter(|| table.set(next(), &[8; 100])));
    group.bench_function("scan_one_version", |bencher| {
        bencher.iter(|| black_box(scan(&table, next(), &mut chunk)))
    });
    group.finish();

    // Every key of a smaller table has versions that views need.
    let few = &random[..RECORDS / 50];
    let table = load(few);
    let views: Vec<_> = (1..VERSIONS)
        .map(|_| {
            let view = table.read_view();
            few.iter().for_each(|key| table.set(key, &[9; 100]).expect("no limit"));
            view
        })
        .collect();
    let mut at = 0;
    criterion.bench_function("lsm_memtable/scan_fifty_versions", |bencher| {
        bencher.iter(|| {
            at = (at + 1) % few.len();
            black_box(scan(&table, &few[at], &mut chunk))
        });
    });
    drop(views);
    criterion.final_summary();
}
