//! The longest pauses of single inserts while a hash table grows from one to ten million records, the memory it takes, and what
//! reading sixteen keys at once gains when the table is larger than the caches.
//!
//! `cargo run --release -p engines --example hash_growth [RECORDS]`, on a machine that does nothing else: whoever takes the
//! processor away counts as a pause.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "an example prints, and fails by panicking")]

use engines::GetBuffer;
use engines::direct::Direct;
use engines::engine::Engine;
use engines::hash::{Hash, HashOptions};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FIRST: u64 = 1_000_000;
const GROUP: usize = 16;

fn key(n: u64) -> [u8; 24] {
    let mut key = *b"user00000000000000000000";
    let mut rest = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n.rotate_left(32);
    for digit in key.iter_mut().rev().take(20) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn main() {
    let records =
        std::env::args().nth(1).map_or(10 * FIRST, |count| count.parse().expect("a number of records"));
    let table = Hash::new(HashOptions::default()).expect("default options");
    let value = [7; 100];
    let mut pauses = Vec::new();
    let start = Instant::now();
    for n in 0..records {
        let key = key(n);
        let before = Instant::now();
        table.set(&key, &value).expect("in memory");
        let nanoseconds = before.elapsed().as_nanos() as u64;
        if n >= FIRST {
            pauses.push(nanoseconds);
        }
    }
    println!("{records} records, {:.0} ns an insert", start.elapsed().as_nanos() as f64 / records as f64);
    pauses.sort_unstable();
    let at = |part: f64| pauses.get((pauses.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "pause of one insert, ns: p50 {}, p99 {}, p99.9 {}, p99.99 {}, p99.999 {}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(0.9999),
        at(0.99999)
    );
    println!("longest, ns: {:?}", pauses.iter().rev().take(10).collect::<Vec<_>>());
    let stats = table.stats();
    let live = stats.live_bytes.unwrap_or_default();
    println!(
        "memory beyond keys and values: {:.1} bytes a record",
        (stats.memory_bytes - live) as f64 / records as f64
    );
    for (name, figure) in stats.details {
        println!("  {name}: {figure}");
    }
    compare_reads(&table, records);
}

/// The same keys, alone and by sixteen, in turns.
fn compare_reads(table: &Hash, records: u64) {
    let (mut one, mut many) = (Vec::new(), GetBuffer::new());
    let mut ratios = Vec::new();
    for round in 0..9 {
        let keys: Vec<_> = (0..1 << 17).map(|n| key((n * 7_919 + round * 104_729) * 31 % records)).collect();
        let start = Instant::now();
        for key in &keys {
            assert!(table.get(key, &mut one).expect("in memory"));
        }
        let alone = start.elapsed();
        let start = Instant::now();
        for group in keys.chunks(GROUP) {
            let asked: Vec<_> = group.iter().map(<[u8; 24]>::as_slice).collect();
            table.get_many(&asked, &mut many).expect("in memory");
            assert_eq!(many.get(0).map(<[u8]>::len), Some(100));
        }
        let together = start.elapsed();
        let each = |time: std::time::Duration| time.as_nanos() as f64 / keys.len() as f64;
        ratios.push((each(alone) / each(together), each(alone), each(together)));
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (name, index) in [("least", 0), ("median", ratios.len() / 2), ("most", ratios.len() - 1)] {
        if let Some((ratio, alone, together)) = ratios.get(index) {
            println!(
                "get_many({GROUP}), {name}: {ratio:.2} times as fast ({alone:.0} ns alone, {together:.0} ns together)"
            );
        }
    }
}
