//! Mixed operations, each answer compared with the model's.

use super::*;

/// Keys of several shapes, so that prefixes come and go, from a space small enough for many hits.
fn key(rng: &mut Xoshiro256PlusPlus, space: u32) -> Vec<u8> {
    let n = rng.random_range(0..space);
    match n % 5 {
        0 => n.to_be_bytes().to_vec(),
        1 => format!("user{n:020}").into_bytes(),
        2 => [b"a common prefix of some length/".as_slice(), &n.to_be_bytes()].concat(),
        3 => vec![(n % 256) as u8; n as usize % 40],
        _ => [&[0xFF; 4][..n as usize % 4], &n.to_le_bytes()[..2]].concat(),
    }
}

fn value(rng: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let len = match rng.random_range(0..20) {
        0 => rng.random_range(0..3000),
        1..4 => 0,
        _ => rng.random_range(0..60),
    };
    vec![rng.random(); len]
}

fn batch(rng: &mut Xoshiro256PlusPlus, space: u32, model: &mut Model) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for _ in 0..rng.random_range(0..80) {
        let (key, value) = (key(rng, space), value(rng));
        if rng.random_range(0..3) == 0 {
            batch.delete(&key);
            model.remove(&key);
        } else {
            batch.set(&key, &value);
            model.insert(key, value);
        }
    }
    batch
}

fn run(name: &str, tree: &BTree, seed: u64, steps: u32) {
    let mut rng = rng(seed);
    let mut model = Model::new();
    let mut buffer = Vec::new();
    for step in 0..steps {
        // The share of deletes and the number of keys vary, so that the tree grows and shrinks several times.
        let space = if step / 1000 % 2 == 0 { 3000 } else { 200 };
        let deletes = if step / 1500 % 2 == 0 { 20 } else { 60 };
        let (key, value) = (key(&mut rng, space), value(&mut rng));
        match rng.random_range(0..100) {
            draw if draw < deletes => {
                let existed = Existence::from(model.remove(&key).is_some());
                assert_eq!(tree.delete(&key).unwrap(), existed, "{name} step {step}");
            }
            draw if draw < 75 => {
                tree.set(&key, &value).unwrap();
                model.insert(key, value);
            }
            draw if draw < 85 => {
                let known = model.get_mut(&key);
                assert_eq!(tree.update(&key, &value).unwrap(), known.is_some(), "{name} step {step}");
                if let Some(known) = known {
                    *known = value;
                }
            }
            draw if draw < 98 => {
                assert_eq!(tree.get(&key, &mut buffer).unwrap(), model.contains_key(&key));
                assert_eq!(&buffer, model.get(&key).unwrap_or(&Vec::new()), "{name} step {step}");
            }
            _ => tree.batch(&batch(&mut rng, space, &mut model)).unwrap(),
        }
        if step % 250 == 0 {
            assert_same(tree, &model);
        }
    }
    for n in 0..6_000 {
        let (key, value) = (key(&mut rng, 9_000), vec![0; n % 30]);
        tree.set(&key, &value).unwrap();
        model.insert(key, value);
    }
    assert_same(tree, &model);
    let mut deleted = 0;
    while model.len() > 1_000 {
        let key = key(&mut rng, 9_000);
        assert_eq!(tree.delete(&key).unwrap(), Existence::from(model.remove(&key).is_some()), "{name}");
        deleted += 1;
        if deleted % 1_000 == 0 {
            assert_same(tree, &model);
        }
    }
    assert_same(tree, &model);
    let keys: Vec<Vec<u8>> = (0..500).map(|_| key(&mut rng, 3000)).collect();
    let mut values = GetBuffer::new();
    tree.get_many(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut values).unwrap();
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(values.get(index), model.get(key).map(Vec::as_slice));
    }
}

#[test]
fn mixed_operations_agree_with_the_model() {
    within(LIMIT, "mixed operations agree with the model", || {
        for (name, tree) in trees() {
            run(name, &tree, 11, 12_000);
            let least = if ["order 100", "default", "32 KiB", "64 KiB"].contains(&name) { 1.0 } else { 50.0 };
            for change in ["splits", "merges", "borrows"] {
                assert!(detail(&tree, change) >= least, "{name}: {change} {}", detail(&tree, change));
            }
        }
        for seed in 0..4 {
            run("order 3", &with_order(3), seed, 6_000);
            run("512 B", &with_size(512), seed, 6_000);
        }
    });
}

#[test]
fn long_keys_and_values_find_their_place() {
    within(LIMIT, "long keys and values find their place", || {
        for (name, tree) in trees() {
            let mut rng = rng(5);
            let mut model = Model::new();
            for step in 0..600 {
                let len = [0, 1, 100, 3000, 20_000, 65_535, 65_536][rng.random_range(0..7)];
                let mut key = vec![b'k'; len];
                let at = rng.random_range(0..=len);
                key.splice(at..len, (at..len).map(|_| b'x').take(2));
                if step % 3 == 2 {
                    assert_eq!(
                        tree.delete(&key).unwrap(),
                        Existence::from(model.remove(&key).is_some()),
                        "{name}"
                    );
                } else {
                    let value = vec![
                        step as u8;
                        [0, 10, 1024, 1025, 16_384, 16_385, 100_000][rng.random_range(0..7)]
                    ];
                    tree.set(&key, &value).unwrap();
                    model.insert(key, value);
                }
                if step % 60 == 0 {
                    assert_same(&tree, &model);
                }
            }
            assert_same(&tree, &model);
            for key in model.keys() {
                assert_eq!(tree.delete(key).unwrap(), Existence::Present, "{name}");
            }
            assert_same(&tree, &Model::new());
            assert_eq!(detail(&tree, "height"), 1.0, "{name}");
            // A page of the slab is the least. Tests on other threads may keep the epoch from passing for a while.
            while tree.stats().memory_bytes > 200_000 {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn what_is_over_a_limit_is_refused_and_changes_nothing() {
    let tree = with_order(3);
    let (long, mut buffer) = (vec![0; crate::engine::MAX_KEY_BYTES + 1], vec![1]);
    assert!(matches!(tree.set(&long, b""), Err(Error::KeyTooLong { .. })));
    assert!(matches!(tree.get(&long, &mut buffer), Err(Error::KeyTooLong { .. })));
    assert!(matches!(tree.delete(&long), Err(Error::KeyTooLong { .. })));
    let mut batch = WriteBatch::new();
    batch.set(b"a", b"1");
    batch.delete(&long);
    assert!(matches!(tree.batch(&batch), Err(Error::KeyTooLong { .. })));
    assert_same(&tree, &Model::new());
}
