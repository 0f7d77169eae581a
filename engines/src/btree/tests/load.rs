//! Bulk load and batches.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn load(tree: &BTree, records: &[(Vec<u8>, Vec<u8>)]) -> Result<u64> {
    tree.bulk_load(&mut records.iter().map(|(key, value)| (&key[..], &value[..])))
}

fn sorted(len: u32, value_bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    (0..len).map(|n| (format!("user{n:012}").into_bytes(), vec![n as u8; value_bytes])).collect()
}

#[test]
fn sorted_records_make_full_nodes() {
    within(LIMIT, "sorted records make full nodes", || {
        for len in [0, 1, 2, 3, 4, 5, 7, 10, 11, 50, 101, 1_000, 9_001] {
            for (name, tree) in trees() {
                let records = sorted(len, 30);
                assert_eq!(load(&tree, &records).unwrap(), u64::from(len), "{name}");
                assert_same(&tree, &records.into_iter().collect());
                if len >= 1_000 && (name == "512 B" || name == "default") {
                    let fill = detail(&tree, "leaf_fill_ratio");
                    assert!(fill > 0.85, "{name} {len}: {fill}");
                }
                assert_eq!(detail(&tree, "splits"), 0.0);
            }
        }
    });
}

#[test]
fn a_loaded_tree_is_written_like_any_other() {
    within(LIMIT, "a loaded tree is written like any other", || {
        for (name, tree) in trees() {
            let records = sorted(2_000, 40);
            load(&tree, &records).unwrap();
            let mut model: Model = records.into_iter().collect();
            let mut rng = rng(21);
            for step in 0..6_000 {
                let key = format!("user{:012}", rng.random_range(0..2_500)).into_bytes();
                if rng.random_range(0..3) > 0 {
                    assert_eq!(tree.delete(&key).unwrap(), model.remove(&key).is_some().into(), "{name}");
                } else {
                    let value = vec![0; rng.random_range(0..80)];
                    tree.set(&key, &value).unwrap();
                    model.insert(key, value);
                }
                if step % 500 == 0 {
                    assert_same(&tree, &model);
                }
            }
            assert_same(&tree, &model);
        }
    });
}

#[test]
fn unsorted_records_are_loaded_nevertheless() {
    within(LIMIT, "unsorted records are loaded nevertheless", || {
        for (_, tree) in trees() {
            let mut records = sorted(3_000, 10);
            records.swap(1_000, 2_000);
            records.push((records[5].0.clone(), b"the later one wins".to_vec()));
            assert_eq!(load(&tree, &records).unwrap(), 3_001);
            assert_same(&tree, &records.into_iter().collect());
            let more = sorted(100, 3);
            assert_eq!(load(&tree, &more).unwrap(), 100, "a tree that is not empty is loaded by sets");
            tree.validate().unwrap();
            let mut value = Vec::new();
            assert!(tree.get(&more[50].0, &mut value).unwrap());
            assert_eq!(value.len(), 3);
        }
    });
}

#[test]
fn records_before_a_refused_one_are_kept() {
    let tree = with_size(512);
    let mut records = sorted(500, 10);
    records.insert(400, (vec![b'v'; crate::engine::MAX_KEY_BYTES + 1], Vec::new()));
    assert!(matches!(load(&tree, &records), Err(Error::KeyTooLong { .. })));
    records.truncate(400);
    assert_same(&tree, &records.into_iter().collect());
}

#[test]
fn a_load_that_meets_a_writer_keeps_both() {
    let tree = with_order(5);
    let records = sorted(300, 5);
    let mut next = 0;
    let mut source = std::iter::from_fn(|| {
        if next == 100 {
            tree.set(b"written meanwhile", b"1").unwrap();
        }
        next += 1;
        records.get(next - 1).map(|(key, value)| (&key[..], &value[..]))
    });
    assert_eq!(tree.bulk_load(&mut source).unwrap(), 300);
    let mut model: Model = records.iter().cloned().collect();
    model.insert(b"written meanwhile".to_vec(), b"1".to_vec());
    assert_same(&tree, &model);
}

/// Whether what is retired now is freed while this thread waits for it. Tests on other threads may keep the epoch for a while.
fn epoch_passes() -> bool {
    let passed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&passed);
    epoch::pin().defer(move || flag.store(true, Relaxed));
    eventually(|| {
        epoch::pin().flush();
        passed.load(Relaxed)
    })
}

#[test]
fn a_load_does_not_keep_the_epoch_from_passing() {
    within(LIMIT, "a load does not keep the epoch from passing", || {
        // Leaves are cut from time to time in a tree that is empty; records are set one by one in one that is not, or from
        // the first one on that does not ascend.
        for (written_before, descends) in [(false, false), (true, false), (false, true)] {
            let tree = with_size(4096);
            if written_before {
                tree.set(b"written before", b"1").unwrap();
            }
            let mut records = sorted(3_000, 1_000);
            if descends {
                records.swap(1_000, 2_000);
            }
            let mut looks = 0;
            let mut next = 0;
            let mut source = std::iter::from_fn(|| {
                if [1, 1_500, 2_999].contains(&next) {
                    assert!(epoch_passes(), "nothing is freed while record {next} comes");
                    looks += 1;
                }
                next += 1;
                records.get(next - 1).map(|(key, value)| (&key[..], &value[..]))
            });
            assert_eq!(tree.bulk_load(&mut source).unwrap(), 3_000);
            assert_eq!(looks, 3);
            let mut model: Model = records.iter().cloned().collect();
            if written_before {
                model.insert(b"written before".to_vec(), b"1".to_vec());
            }
            assert_same(&tree, &model);
        }
    });
}

#[test]
fn long_records_are_loaded_too() {
    within(LIMIT, "long records are loaded too", || {
        for (_, tree) in trees() {
            let records: Vec<_> = (0..60_u32)
                .map(|n| {
                    let mut key = n.to_be_bytes().to_vec();
                    key.resize([4, 5, 5_000, 65_536][n as usize % 4], b'k');
                    (key, vec![1; [0, 20, 2_000, 40_000][n as usize / 4 % 4]])
                })
                .collect();
            load(&tree, &records).unwrap();
            assert_same(&tree, &records.into_iter().collect());
        }
    });
}

#[test]
fn in_a_batch_the_last_operation_on_a_key_wins() {
    within(LIMIT, "in a batch the last operation on a key wins", || {
        for (_, tree) in trees() {
            let mut batch = WriteBatch::new();
            batch.set(b"a", b"1");
            batch.set(b"b", b"1");
            batch.delete(b"b");
            batch.delete(b"c");
            batch.set(b"c", b"1");
            batch.set(b"a", b"2");
            tree.batch(&batch).unwrap();
            let record = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
            assert_same(&tree, &Model::from([record("a", "2"), record("c", "1")]));
        }
    });
}
