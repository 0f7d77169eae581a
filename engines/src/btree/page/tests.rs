//! A page against a sorted map, and pages broken on purpose.

use super::*;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeMap;

#[test]
fn a_page_is_a_sorted_map() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    for floor in [64, 4096] {
        let mut page = Page::new(floor);
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for step in 0..20_000 {
            let mut key = b"prefix"[..rng.random_range(0..=6)].to_vec();
            key.extend((0..rng.random_range(0..6)).map(|_| rng.random_range(0..3u8) * 127));
            if step / 500 % 2 == 1 {
                key.splice(0..0, *b"long common prefix");
            }
            let value = vec![rng.random(); rng.random_range(0..40)];
            match (page.search(&key), rng.random_range(0..3)) {
                (Ok(index), 0) => {
                    page.remove(index);
                    page.trim(floor);
                    assert!(model.remove(&key).is_some());
                }
                (Ok(index), _) => {
                    page.replace(index, &key, Value::Inline(&value), floor);
                    model.insert(key, value);
                }
                (Err(index), 0) => assert_eq!(index, model.range(..key).count()),
                (Err(index), _) => {
                    let bound = page.used_with(&key, value.len());
                    let least = page.used_with_longest_prefix(&key, value.len());
                    page.insert(index, &key, Value::Inline(&value), floor);
                    assert!((least..=bound).contains(&page.used()));
                    model.insert(key, value);
                }
            }
            if step % 500 == 250 {
                page.lengthen_prefix(floor);
            }
            if step % 500 == 499 {
                while page.len() > step % 3 {
                    let index = rng.random_range(0..page.len());
                    model.remove(&page.key(index));
                    page.remove(index);
                }
            }
            page.check().unwrap();
            assert_eq!(page.len(), model.len());
            if step % 50 == 0 {
                for (index, (key, value)) in model.iter().enumerate() {
                    assert_eq!(&page.key(index), key);
                    assert_eq!(page.value(index), Value::Inline(value));
                }
            }
        }
    }
}

#[test]
fn a_built_page_truncates_the_prefix() {
    let keys: Vec<String> = (0..100).map(|n| format!("user{n:08}")).collect();
    let records = keys.iter().map(|key| (key.as_bytes(), Value::Large(7)));
    let page = Page::build(records, 10, 64);
    page.check().unwrap();
    assert_eq!(page.prefix(), b"user000000");
    assert_eq!(page.used(), 10 + 100 * (RECORD_OVERHEAD_BYTES + 2 + LARGE_HEAP_BYTES));
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(page.search(key.as_bytes()), Ok(index));
        assert_eq!(page.value(index), Value::Large(7));
    }
    assert_eq!(page.search(b"user"), Err(0));
    assert_eq!(page.search(b"v"), Err(100));
}

#[test]
fn a_broken_page_is_found_out() {
    let broken = |break_it: fn(&mut Page)| {
        let records = [b"a".as_slice(), b"b", b"c"];
        let mut page = Page::build(records.iter().map(|key| (*key, Value::Inline(b"xy"))), 0, 128);
        page.check().unwrap();
        break_it(&mut page);
        page.check().unwrap_err()
    };
    assert!(broken(|page| page.buffer[..16].rotate_left(8)).contains("ascending"));
    assert!(broken(|page| page.heap_live += 1).contains("accounted"));
    assert!(broken(|page| page.heap_start += 8).contains("outside"));
    assert!(broken(|page| page.count = 40).contains("slots end"));
    assert!(
        broken(|page| {
            let (slot, head) = (page.slot_start(1), u64::from(head(b"bb")));
            let offset = page.offset(1) as u64;
            page.buffer[slot..slot + 8].copy_from_slice(&(head << 32 | offset).to_le_bytes());
        })
        .contains("head")
    );
}
