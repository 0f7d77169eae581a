//! Scans with bounds of every kind, in both directions.

use super::*;
use std::borrow::Cow;
use std::ops::Bound;

fn expected(model: &Model, range: &ScanRange<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut records: Vec<_> = model
        .iter()
        .filter(|(key, _)| range.contains(key))
        .map(|(key, value)| (key.clone(), if range.keys_only { Vec::new() } else { value.clone() }))
        .collect();
    if range.reverse {
        records.reverse();
    }
    records.truncate(range.limit);
    records
}

fn filled(tree: &BTree, records: u32) -> Model {
    let mut rng = rng(8);
    let mut model = Model::new();
    for _ in 0..records {
        let n: u16 = rng.random_range(0..4000);
        let key =
            if n.is_multiple_of(2) { n.to_be_bytes().to_vec() } else { format!("key/{n}").into_bytes() };
        let value = vec![1; rng.random_range(0..50)];
        tree.set(&key, &value).unwrap();
        model.insert(key, value);
    }
    model
}

#[test]
fn scans_agree_with_the_model() {
    within(LIMIT, "scans agree with the model", || {
        for (name, tree) in trees() {
            let model = filled(&tree, 3_000);
            let mut rng = rng(9);
            let mut bound = || {
                let key = match rng.random_range(0..4) {
                    0 => Vec::new(),
                    1 => format!("key/{}", rng.random_range(0..4000)).into_bytes(),
                    _ => rng.random_range(0..4000_u16).to_be_bytes().to_vec(),
                };
                match rng.random_range(0..5) {
                    0 => Bound::Unbounded,
                    1 | 2 => Bound::Included(Cow::Owned(key)),
                    _ => Bound::Excluded(Cow::Owned(key)),
                }
            };
            for round in 0..400_usize {
                let range = ScanRange {
                    lower: bound(),
                    upper: bound(),
                    limit: [usize::MAX, 0, 1, 31, 32, 33, 500][round % 7],
                    reverse: round % 2 == 0,
                    keys_only: round % 5 == 0,
                };
                assert!(collect(&tree, &range) == expected(&model, &range), "{name} {range:?}");
            }
        }
    });
}

#[test]
fn every_present_key_bounds_exactly() {
    within(LIMIT, "every present key bounds exactly", || {
        for tree in [with_order(3), with_size(512)] {
            let model = filled(&tree, 300);
            for key in model.keys() {
                for (lower, upper) in [
                    (Bound::Included(&key[..]), Bound::Unbounded),
                    (Bound::Excluded(&key[..]), Bound::Unbounded),
                    (Bound::Unbounded, Bound::Included(&key[..])),
                    (Bound::Unbounded, Bound::Excluded(&key[..])),
                    (Bound::Included(&key[..]), Bound::Included(&key[..])),
                    (Bound::Excluded(&key[..]), Bound::Excluded(&key[..])),
                ] {
                    let range = ScanRange::between(lower, upper);
                    assert!(collect(&tree, &range) == expected(&model, &range));
                    let range = range.limit(3).reversed();
                    assert!(collect(&tree, &range) == expected(&model, &range));
                }
            }
        }
    });
}

#[test]
fn prefixes_are_ranges() {
    within(LIMIT, "prefixes are ranges", || {
        for (name, tree) in trees() {
            let mut model = filled(&tree, 2_000);
            for key in [&[0xFF][..], &[0xFF, 0xFF], &[0xFF, 0xFF, 0], b"", b"key/"] {
                tree.set(key, b"edge").unwrap();
                model.insert(key.to_vec(), b"edge".to_vec());
            }
            for prefix in
                [&b"key/"[..], b"key/1", b"key/123", b"", &[0], &[5], &[0xFF], &[0xFF, 0xFF], b"none"]
            {
                let range = ScanRange::prefix(prefix);
                let seen = collect(&tree, &range);
                assert!(seen == expected(&model, &range), "{name} {prefix:?}");
                assert!(seen.iter().all(|(key, _)| key.starts_with(prefix)));
                assert!(collect(&tree, &range.clone().reversed()) == expected(&model, &range.reversed()));
            }
        }
    });
}

#[test]
fn a_visitor_may_break_and_use_the_tree() {
    let tree = with_order(4);
    let model = filled(&tree, 500);
    let mut seen = 0;
    let visited = tree
        .scan(&ScanRange::all(), &mut Chunk::new(), &mut |key, _| {
            tree.delete(key).unwrap();
            seen += 1;
            if seen == 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(visited, 100);
    assert_same(&tree, &model.into_iter().skip(100).collect());
}
