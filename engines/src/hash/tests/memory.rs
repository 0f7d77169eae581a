//! Memory follows what is stored: bytes a record, after overwriting with other sizes, after deleting all.

use super::*;
use std::sync::Barrier;

fn random_key(n: u64) -> [u8; 24] {
    let mut key = [b'k'; 24];
    key[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    key
}

/// Pages that are not full yet, one a size of segments and one a stripe: what does not grow with the table.
const PARTIAL_PAGES_BYTES: u64 = 2 << 20;

/// Memory beyond live bytes, as a part of them.
fn overhead(table: &Hash) -> f64 {
    let stats = table.stats();
    let grown = stats.memory_bytes.saturating_sub(PARTIAL_PAGES_BYTES);
    grown as f64 / stats.live_bytes.expect("tracked") as f64 - 1.0
}

#[test]
fn memory_is_small_and_follows_overwrites_and_deletes() {
    within(LIMIT, "memory", || {
        let count = 1_000_000;
        let table = Hash::new(HashOptions::default()).expect("in range");
        (0..count).for_each(|n| table.set(&random_key(n), &[1; 100]).expect("no error"));
        let loaded = overhead(&table);
        assert!(loaded < 31.0 / 124.0, "{:.1} bytes a record", loaded * 124.0);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut most = 0.0_f64;
        for n in (0..count).chain(0..count) {
            let value = vec![n as u8; random.random_range(50..=150)];
            table.set(&random_key(n), &value).expect("no error");
            if n % 10_000 == 0 {
                most = most.max(overhead(&table));
            }
        }
        let overwritten = overhead(&table);
        assert!(overwritten <= 0.45, "{overwritten}");
        assert!(most <= 0.55, "{most} in between");
        assert!(detail(&table, "relocated_records") > 10_000.0, "sparse pages are evacuated");
        table.validate().expect("invariants hold");
        let peak = table.stats().memory_bytes;
        (0..count).for_each(|n| _ = table.delete(&random_key(n)).expect("no error"));
        // The epoch passes with the operations of this thread, unless another one of this process stays pinned.
        for _ in 0..2_000 {
            table.set(b"key", &[1; 500]).expect("no error");
            table.set(b"key", &[1; 20]).expect("no error");
            table.delete(b"key").expect("no error");
        }
        let left = table.stats().memory_bytes;
        assert!(left * 10 <= peak, "{left} bytes of {peak} are left");
        table.compact().expect("no error");
        let left = table.stats().memory_bytes;
        assert!(left * 50 <= peak, "{left} bytes of {peak} are left");
        table.validate().expect("invariants hold");
    });
}

#[test]
fn compact_gives_back_what_shorter_values_left() {
    within(LIMIT, "compact gives back what shorter values left", || {
        let table = open(1, 0.75, 1, 64);
        let count = 40_000_u32;
        // Short enough to stay in their blocks, which are too large then.
        (0..count).for_each(|n| table.set(&n.to_be_bytes(), &[1; 200]).expect("no error"));
        (0..count).for_each(|n| table.set(&n.to_be_bytes(), &[2; 170]).expect("no error"));
        let before = table.stats().memory_bytes;
        table.compact().expect("no error");
        let gained = before - table.stats().memory_bytes;
        assert!(gained > u64::from(count) * 20, "{gained}");
        table.validate().expect("invariants hold");
        assert!(records(&table).values().all(|value| value == &[2; 170]));
    });
}

/// Deletes free nothing while a reader is pinned, so that all pages look full until the epoch passes within `compact`.
#[test]
fn compact_evacuates_what_becomes_sparse_only_when_readers_are_gone() {
    within(LIMIT, "compact evacuates again", || {
        let left = || {
            let table = open(1, 0.75, 1, 64);
            let count = 40_000_u32;
            (0..count).for_each(|n| table.set(&n.to_be_bytes(), &[1; 200]).expect("no error"));
            let before = table.stats().memory_bytes;
            let (pinned, compacting) = (Barrier::new(2), Barrier::new(2));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let _reader = crossbeam::epoch::pin();
                    pinned.wait();
                    compacting.wait();
                    std::thread::sleep(Duration::from_millis(30));
                });
                pinned.wait();
                for n in (0..count).filter(|n| n % 20 != 0) {
                    assert_eq!(table.delete(&n.to_be_bytes()).expect("no error"), Existence::Present);
                }
                compacting.wait();
                table.compact().expect("no error");
            });
            table.validate().expect("invariants hold");
            assert_eq!(table.stats().records, u64::from(count / 20));
            table.stats().memory_bytes as f64 / before as f64
        };
        // Readers in tests on other threads may keep the epoch for longer than `compact` waits.
        let mut least = f64::INFINITY;
        assert!(
            (0..10).any(|_| {
                least = least.min(left());
                least < 0.15
            }),
            "{least} of the memory is left"
        );
    });
}
