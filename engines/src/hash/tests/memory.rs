//! Memory follows what is stored: bytes a record, after overwriting with other sizes, after deleting all.

use super::*;

fn random_key(n: u64) -> [u8; 24] {
    let mut key = [b'k'; 24];
    key[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    key
}

/// Memory beyond live bytes, as a part of them.
fn overhead(table: &Hash) -> f64 {
    let stats = table.stats();
    stats.memory_bytes as f64 / stats.live_bytes.expect("tracked") as f64 - 1.0
}

#[test]
fn memory_is_small_and_follows_overwrites_and_deletes() {
    within(LIMIT, "memory", || {
        let count = 1_000_000;
        let table = Hash::new(HashOptions::default()).expect("in range");
        (0..count).for_each(|n| table.set(&random_key(n), &[1; 100]).expect("no error"));
        println!("{:?}", table.stats());
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
