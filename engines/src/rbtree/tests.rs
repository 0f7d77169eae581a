//! Tests of the red-black tree by its concrete type.

use super::*;
use crate::ordered_checks as checks;
use crate::testing::within;
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

fn tree() -> RbTree {
    RbTree::new(RbTreeOptions::default())
}

fn keys(numbers: impl Iterator<Item = u32>) -> Vec<Vec<u8>> {
    numbers.map(|n| format!("user{n:010}").into_bytes()).collect()
}

#[test]
fn mixed_operations_agree_with_the_model() {
    within(LIMIT, "mixed operations agree with the model", || {
        for seed in 0..4 {
            checks::mixed(&tree(), seed, 10_000, 100);
        }
    });
}

#[test]
fn small_trees_keep_every_invariant_at_every_step() {
    within(LIMIT, "small trees keep every invariant at every step", || {
        for seed in 10..14 {
            checks::mixed(&tree(), seed, 3_000, 1);
        }
    });
}

#[test]
fn any_order_of_keys_will_do() {
    within(LIMIT, "any order of keys will do", || {
        checks::fill_empty_refill(&tree(), &keys(0..10_000));
        checks::fill_empty_refill(&tree(), &keys((0..10_000).rev()));
        checks::fill_empty_refill(&tree(), &keys((0..10_000).map(|n| n * 7919 % 10_000)));
    });
}

#[test]
fn scans_agree_with_the_model() {
    within(LIMIT, "scans agree with the model", || {
        checks::scans(&tree());
    });
}

#[test]
fn keys_outside_the_common_prefix_keep_their_order() {
    within(LIMIT, "keys outside the common prefix keep their order", || {
        checks::outliers(&tree());
    });
}

#[test]
fn limits_are_kept() {
    within(LIMIT, "limits are kept", || {
        checks::limits(&tree());
    });
}

#[test]
fn bulk_loads_are_valid() {
    within(LIMIT, "bulk loads are valid", || {
        checks::bulk_loads(tree);
    });
}

#[test]
fn threads_on_keys_of_their_own_get_exact_answers() {
    within(LIMIT, "threads on keys of their own get exact answers", || {
        checks::disjoint_threads(&tree());
    });
}

#[test]
fn threads_on_the_same_keys_see_whole_batches() {
    within(LIMIT, "threads on the same keys see whole batches", || {
        checks::overlapping_threads(&tree());
    });
}

#[test]
fn a_visitor_may_use_the_engine() {
    within(LIMIT, "a visitor may use the engine", || {
        checks::visitor_uses_engine(&tree());
    });
}

#[test]
fn the_height_stays_logarithmic() {
    within(LIMIT, "the height stays logarithmic", || {
        let engine = tree();
        for key in keys(0..10_000) {
            engine.set(&key, b"").unwrap();
        }
        let tree = engine.tree.read();
        // Ascending keys: without rebalancing the tree would be 10,000 high.
        assert!((6..=14).contains(&tree.black_height()), "{}", tree.black_height());
        assert!(tree.rotations > 5_000);
    });
}

#[test]
fn freed_nodes_are_reused_and_compaction_gives_memory_back() {
    within(LIMIT, "freed nodes are reused and compaction gives memory back", || {
        let engine = tree();
        let keys = keys(0..20_000);
        for key in &keys {
            engine.set(key, &[1; 50]).unwrap();
        }
        let nodes = engine.tree.read().arena.len();
        for key in &keys[..19_000] {
            engine.delete(key).unwrap();
        }
        assert_eq!(engine.tree.read().arena.free_len(), 19_000);
        for key in &keys[..500] {
            engine.set(key, &[2; 50]).unwrap();
        }
        assert_eq!(engine.tree.read().arena.len(), nodes, "freed nodes come first");
        engine.validate().unwrap();
        let before = engine.stats().memory_bytes;
        engine.compact().unwrap();
        let after = engine.stats();
        assert!(after.memory_bytes * 4 < before, "{before} → {}", after.memory_bytes);
        assert_eq!((after.records, engine.tree.read().arena.len()), (1_500, 1_501));
        engine.validate().unwrap();
        let mut value = Vec::new();
        assert!(engine.get(&keys[0], &mut value).unwrap() && value == [2; 50]);
        assert!(engine.get(&keys[19_999], &mut value).unwrap() && value == [1; 50]);
        assert!(!engine.get(&keys[18_999], &mut value).unwrap() && value.is_empty());
    });
}

#[test]
fn a_full_tree_refuses_the_next_record() {
    let engine = tree();
    engine.set(b"key", b"value").unwrap();
    let tree = engine.tree.read();
    assert!(check_room(&tree, 1, 2).is_ok());
    assert!(matches!(check_room(&tree, 1, 1), Err(Error::Full { engine: "rbtree", .. })));
}

#[test]
fn broken_invariants_are_found() {
    within(LIMIT, "broken invariants are found", || {
        let filled = || {
            let engine = tree();
            for key in keys(0..200) {
                engine.set(&key, b"value").unwrap();
            }
            engine.delete(&keys(5..6)[0]).unwrap();
            engine.validate().unwrap();
            engine
        };
        type Damage = fn(&mut Tree);
        let breaks: [(&str, Damage); 9] = [
            ("head", |tree| {
                let root = tree.root;
                tree.arena[root].head ^= 1;
            }),
            ("both red", |tree| {
                let (leaf, parent) =
                    (tree.end(node::Side::Left), tree.arena[tree.end(node::Side::Left)].parent());
                tree.arena[leaf].set_red(true);
                tree.arena[parent].set_red(true);
            }),
            ("black nodes", |tree| {
                let leaf = tree.end(node::Side::Right);
                assert!(tree.arena[leaf].is_red());
                tree.arena[leaf].set_red(false);
            }),
            ("the root is red", |tree| {
                let root = tree.root;
                tree.arena[root].set_red(true);
            }),
            ("out of order", |tree| {
                let leaf = tree.end(node::Side::Left);
                let record = Record::new(b"user1", b"value");
                tree.arena[leaf].head = tree.heads.head(record.key());
                let old = tree.arena[leaf].record.replace(record).unwrap();
                tree.tally.subtract(&old);
                tree.tally.add(tree.arena[leaf].record.as_ref().unwrap());
            }),
            ("parent", |tree| {
                let leaf = tree.end(node::Side::Left);
                tree.arena[leaf].set_parent(leaf);
            }),
            ("counted", |tree| tree.tally.live_bytes += 1),
            ("neither in the tree nor free", |tree| {
                let leaf = tree.end(node::Side::Right);
                tree.transplant(leaf, node::NIL);
                tree.arena[node::NIL].set_parent(node::NIL);
                let record = tree.arena[leaf].record.take().unwrap();
                tree.tally.subtract(&record);
            }),
            ("free node", |tree| {
                let free = tree.arena.free();
                tree.arena[free].record = Some(Record::new(b"", b""));
            }),
        ];
        for (expected, damage) in breaks {
            let engine = filled();
            damage(&mut engine.tree.write());
            let message = engine.validate().unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}: {message}");
            assert!(message.contains("rbtree: invariant broken"), "{message}");
        }
    });
}

#[test]
fn unknown_options_are_refused() {
    let open = |options| crate::registry::open(NAME, &OpenOptions { options, ..OpenOptions::default() });
    assert!(open(serde_json::json!({})).is_ok());
    assert!(matches!(open(serde_json::json!({ "fanout": 4 })), Err(Error::InvalidOption { .. })));
}
