//! Memory, and trees that were broken on purpose.

use super::*;
use crate::btree::page::Value;
use crossbeam::epoch;
use std::sync::atomic::Ordering::Relaxed;

const RECORDS: u64 = 40_000;

fn key(n: u64) -> Vec<u8> {
    format!("user{:020}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).into_bytes()
}

/// Bytes held for a byte of the records, all together.
fn held_ratio(tree: &BTree) -> f64 {
    let stats = tree.stats();
    stats.memory_bytes as f64 / stats.live_bytes.unwrap() as f64
}

#[test]
fn memory_follows_the_records() {
    within(LIMIT, "memory follows the records", || {
        let tree = BTree::new(&BTreeOptions::default()).unwrap();
        for n in 0..RECORDS {
            tree.set(&key(n), &[1; 100]).unwrap();
        }
        assert!(held_ratio(&tree) < 1.6, "after random inserts: {}", held_ratio(&tree));
        let mut rng = rng(33);
        for n in (0..RECORDS).chain(0..RECORDS) {
            tree.set(&key(n), &vec![2; rng.random_range(50..=150)]).unwrap();
        }
        assert!(held_ratio(&tree) < 1.6, "after values changed their length: {}", held_ratio(&tree));
        tree.validate().unwrap();
        let peak = tree.stats().memory_bytes;
        for n in 0..RECORDS {
            tree.delete(&key(n)).unwrap();
        }
        // Tests on other threads may keep the epoch from passing for a while.
        let settles = |wanted: &dyn Fn() -> bool| {
            eventually(|| {
                tree.reclaim();
                wanted()
            })
        };
        assert!(settles(&|| tree.stats().memory_bytes * 10 <= peak), "{:?}", tree.stats());
        tree.validate().unwrap();
        let mut keys: Vec<_> = (0..RECORDS).map(key).collect();
        keys.sort();
        tree.bulk_load(&mut keys.iter().map(|key| (&key[..], &[3; 100][..]))).unwrap();
        // Beside the pages of the slab that are not full, which do not grow with the tree.
        let (live, memory) = (tree.stats().live_bytes.unwrap(), || tree.stats().memory_bytes);
        assert!(settles(&|| memory() <= live / 100 * 106 + (512 << 10)), "after a bulk load: {}", memory());
        tree.validate().unwrap();
    });
}

fn broken(breaks: impl Fn(&BTree)) -> String {
    let tree = with_size(512);
    for n in 0..600_u32 {
        tree.set(&n.to_be_bytes(), b"some value").unwrap();
    }
    tree.validate().unwrap();
    breaks(&tree);
    let message = tree.validate().unwrap_err().to_string();
    // What is broken on purpose must not be taken apart as if it were whole.
    std::mem::forget(tree);
    message
}

#[test]
fn a_broken_tree_is_found_out() {
    let guard = epoch::pin();
    let leaf = |tree: &BTree, n: u32| tree.leaf_of(&guard, &n.to_be_bytes()).node;
    let message = broken(|tree| assert!(leaf(tree, 300).latch().lock()));
    assert!(message.contains("the latch is not free"), "{message}");
    let message = broken(|tree| leaf(tree, 300).set_next(None));
    assert!(message.contains("links"), "{message}");
    let message = broken(|tree| leaf(tree, 300).set_previous(Some(leaf(tree, 0))));
    assert!(message.contains("links"), "{message}");
    let message = broken(|tree| leaf(tree, 599).set_next(Some(leaf(tree, 0))));
    assert!(message.contains("the last leaf has one behind it"), "{message}");
    // A key that belongs to the left.
    let message = broken(|tree| {
        let page = leaf(tree, 300).page();
        let suffix = page.key(0)[page.prefix_len()..].to_vec();
        page.remove(0);
        let page = leaf(tree, 300).page();
        assert!(page.insert(0, &vec![0; suffix.len()], &Value::Bytes(b"")));
    });
    assert!(message.contains("the first key lies below") || message.contains("above"), "{message}");
    let message = broken(|tree| {
        let page = leaf(tree, 300).page();
        for _ in 0..page.len() {
            leaf(tree, 300).page().remove(0);
        }
    });
    assert!(message.contains("0 entries are too few"), "{message}");
    // A head that is not that of its key, garbage that is not accounted for.
    let message = broken(|tree| {
        let node = leaf(tree, 300);
        let words = node.words();
        let first_head = 4 + node.page().prefix().len();
        words[first_head].store(u64::MAX, Relaxed);
    });
    assert!(message.contains("not above the one before") || message.contains("goes on behind"), "{message}");
    let message = broken(|tree| {
        let words = leaf(tree, 300).words();
        words[1].fetch_add(1 << 50, Relaxed);
    });
    assert!(message.contains("of garbage"), "{message}");
}
