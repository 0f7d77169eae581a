//! What the memtable holds in memory with leaves of their real size.

use engines::lsm::memtable::{Memtable, MemtableOptions};
use engines::testing::within;
use std::time::Duration;

const RECORDS: u64 = 400_000;

fn mix(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 1
}

/// Waits until it holds so little, which it does when no thread is pinned that was when something was retired.
fn shrinks_to(table: &Memtable, bytes: u64) {
    for _ in 0..2_000 {
        if table.stats().memory_bytes <= bytes {
            return;
        }
        table.compact();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(
        table.stats().memory_bytes <= bytes,
        "{} bytes are held, at most {bytes} should be",
        table.stats().memory_bytes
    );
}

#[test]
fn freed_space_is_used_again_and_given_back() {
    within(Duration::from_secs(120), "memory of the memtable", || {
        let table = Memtable::new(MemtableOptions::default());
        let key = |n: u64| format!("user{:020}", mix(n)).into_bytes();
        (0..RECORDS).for_each(|n| table.set(&key(n), &[1; 100]).expect("no error"));
        for round in 0..2 {
            for n in 0..RECORDS {
                table.set(&key(n), &vec![2; 50 + mix(n * 2 + round) as usize % 101]).expect("no error");
            }
        }
        let stats = table.stats();
        assert_eq!(stats.records, RECORDS);
        let live = stats.live_bytes.expect("it is known");
        shrinks_to(&table, live * 145 / 100);
        let peak = table.stats().memory_bytes;
        (0..RECORDS).for_each(|n| _ = table.delete(&key(n)).expect("no error"));
        assert_eq!(table.stats().records, 0);
        shrinks_to(&table, peak / 10);
        table.validate().expect("invariants hold");
    });
}
