//! Deep trees grow and vanish, nodes keep their fill, broken trees are found out.

use super::*;

const RECORDS: u32 = 2_000;

fn orders_of_keys() -> Vec<(&'static str, Vec<u32>)> {
    let ascending: Vec<u32> = (0..RECORDS).collect();
    let descending = ascending.iter().rev().copied().collect();
    let mut random = ascending.clone();
    let mut rng = rng(3);
    for index in (1..random.len()).rev() {
        random.swap(index, rng.random_range(0..=index));
    }
    vec![("ascending", ascending), ("descending", descending), ("random", random)]
}

#[test]
fn deep_trees_grow_and_vanish_in_any_order() {
    within(LIMIT, "deep trees grow and vanish in any order", || {
        for (inserted, inserts) in orders_of_keys() {
            for (deleted, deletes) in orders_of_keys() {
                let tree = with_order(3);
                let mut model = Model::new();
                for (step, n) in inserts.iter().enumerate() {
                    tree.set(&n.to_be_bytes(), &n.to_le_bytes()).unwrap();
                    model.insert(n.to_be_bytes().to_vec(), n.to_le_bytes().to_vec());
                    if step % 400 == 0 {
                        tree.validate().unwrap();
                    }
                }
                assert_same(&tree, &model);
                assert!(detail(&tree, "height") >= 7.0);
                for (step, n) in deletes.iter().enumerate() {
                    assert_eq!(tree.delete(&n.to_be_bytes()).unwrap(), Existence::Present);
                    model.remove(&n.to_be_bytes()[..]);
                    if step % 400 == 0 {
                        assert_same(&tree, &model);
                    }
                }
                assert_same(&tree, &model);
                assert_eq!(detail(&tree, "height"), 1.0, "{inserted} {deleted}");
                assert_eq!((detail(&tree, "leaves"), detail(&tree, "branches")), (1.0, 0.0));
            }
        }
    });
}

#[test]
fn the_order_bounds_the_nodes() {
    within(LIMIT, "the order bounds the nodes", || {
        for order in [3, 7, 100, 1000] {
            let tree = with_order(order);
            for n in 0..5_000_u32 {
                tree.set(&n.wrapping_mul(2_654_435_761).to_be_bytes(), b"v").unwrap();
            }
            tree.validate().unwrap();
            let leaves = detail(&tree, "leaves");
            assert!(leaves >= 5_000.0 / f64::from(order), "{order}: {leaves}");
            assert!(leaves <= 5_000.0 / (f64::from(order) * 0.4).floor().max(1.0), "{order}: {leaves}");
        }
    });
}

#[test]
fn nodes_by_bytes_keep_their_fill() {
    within(LIMIT, "nodes by bytes keep their fill", || {
        for (size, value_bytes) in [(512, 20), (4096, 100)] {
            for (name, keys) in orders_of_keys() {
                let tree = with_size(size);
                for n in &keys {
                    tree.set(format!("user{n:020}").as_bytes(), &vec![0; value_bytes]).unwrap();
                }
                let fill = detail(&tree, "leaf_fill_ratio");
                assert!(fill > if name == "ascending" { 0.85 } else { 0.49 }, "{name}: {fill}");
                for n in keys.iter().filter(|n| *n % 10 != 0) {
                    tree.delete(format!("user{n:020}").as_bytes()).unwrap();
                }
                tree.validate().unwrap();
                let fill = detail(&tree, "leaf_fill_ratio");
                assert!(fill > 0.4, "{name} after deletes: {fill}");
                for n in keys.iter().filter(|n| *n % 10 == 0) {
                    tree.set(format!("user{n:020}").as_bytes(), b"").unwrap();
                }
                tree.validate().unwrap();
                let fill = detail(&tree, "leaf_fill_ratio");
                assert!(
                    fill > 0.35 || detail(&tree, "leaves") == 1.0,
                    "{name} after shrinking updates: {fill}"
                );
            }
        }
    });
}

#[test]
fn splits_and_merges_do_not_alternate() {
    within(LIMIT, "splits and merges do not alternate", || {
        for (name, tree) in trees() {
            for n in 0..RECORDS {
                tree.set(&n.to_be_bytes(), &[0; 50]).unwrap();
            }
            let shape_changes =
                || detail(&tree, "splits") + detail(&tree, "merges") + detail(&tree, "borrows");
            for at in [0, RECORDS / 2 + 1, RECORDS] {
                let before = shape_changes();
                for _ in 0..200 {
                    tree.set(&[&at.to_be_bytes()[..], b"x"].concat(), &[0; 50]).unwrap();
                    tree.delete(&[&at.to_be_bytes()[..], b"x"].concat()).unwrap();
                }
                assert!(shape_changes() - before <= 6.0, "{name} at {at}: {}", shape_changes() - before);
            }
        }
    });
}

/// Short keys without values have a share of the front only, long records take room in the heap: what a split leaves on either
/// side has to be reckoned of both.
#[test]
fn a_split_leaves_room_for_long_records_among_short_keys() {
    within(LIMIT, "a split leaves room for long records among short keys", || {
        let key = |n: u32, more: usize| [&n.to_be_bytes()[..], &vec![b'k'; more]].concat();
        // A leaf of short keys, with a long one or without, and the long record that it has no room for.
        for (shorts, long) in [(330, None), (332, None), (336, None), (99, Some(1_400)), (120, Some(1_200))] {
            for more in (0..1_600).step_by(40) {
                for at in [2, 3, shorts / 2, shorts - 2, shorts - 1] {
                    let tree = with_size(4096);
                    let mut model = Model::new();
                    for n in 1..=shorts {
                        model.insert(key(n * 2, 0), Vec::new());
                    }
                    if let Some(long) = long {
                        model.insert(key(2, long), vec![1; 1_000]);
                    }
                    model.iter().for_each(|(key, value)| tree.set(key, value).unwrap());
                    tree.set(&key(at * 2 + 1, more), &[2; 1_000]).unwrap();
                    model.insert(key(at * 2 + 1, more), vec![2; 1_000]);
                    assert_same(&tree, &model);
                }
            }
        }
    });
}

#[test]
fn a_branch_that_loses_its_prefix_is_split() {
    within(LIMIT, "a branch that loses its prefix is split", || {
        for records in [300_u32, 1_000, 3_000] {
            for edge in ["a", "z", "prefix/prefix/prefix/prefix/a", "prefix/prefix/prefix/prefix/z"] {
                let tree = with_size(512);
                let mut model = Model::new();
                let middle =
                    (0..records).map(|n| format!("prefix/prefix/prefix/prefix/prefix/prefix/prefix/{n:08}"));
                for key in middle.chain((0..100).map(|n| format!("{edge}{:08}", n * 7919 % 100))) {
                    tree.set(key.as_bytes(), b"some value").unwrap();
                    model.insert(key.into_bytes(), b"some value".to_vec());
                    if model.len() as u32 > records {
                        tree.validate().unwrap();
                    }
                }
                assert_same(&tree, &model);
            }
        }
    });
}
