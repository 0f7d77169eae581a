//! What the tests of every ordered engine have in common: the model, and the programmes run against it.
//!
//! Thread safety: each programme owns its engine; the concurrent ones join their threads before they check.

use crate::direct::Direct;
use crate::engine::{Capabilities, Engine, Existence, GetBuffer, ScanRange, WriteBatch};
use crate::error::Error;
use crate::testing::eventually;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

pub(crate) type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// An engine that can be called without a session.
pub(crate) trait Ordered: Engine + Direct {}
impl<E: Engine + Direct> Ordered for E {}

pub(crate) fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// Keys that share prefixes, are prefixes of each other, and contain the extreme bytes; about 3,000 different ones.
fn key(rng: &mut impl RngExt) -> Vec<u8> {
    let number: u32 = rng.random_range(0..1_000);
    match rng.random_range(0..8) {
        0 => number.to_be_bytes().iter().skip(2).map(|b| [0, 1, 0xFE, 0xFF][(b & 3) as usize]).collect(),
        1 => vec![b'u'; (number % 40) as usize],
        2 | 3 => format!("user{:08}", u64::from(number) * 99_991).into_bytes(),
        _ => format!("user{number:020}").into_bytes(),
    }
}

fn value(rng: &mut impl RngExt) -> Vec<u8> {
    let len = if rng.random_range(0..50) == 0 { 5_000 } else { rng.random_range(0..40) };
    vec![rng.random_range(0..=255); len]
}

/// Every record of a range, through the engine's scan; the count it returns is checked.
pub(crate) fn collect(engine: &impl Ordered, range: &ScanRange<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut seen = Vec::new();
    let mut session = engine.session().unwrap();
    let visited = session.scan(range, &mut |key, value| {
        seen.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    });
    assert_eq!(visited.unwrap(), seen.len() as u64);
    seen
}

/// Every record, every figure and every invariant.
pub(crate) fn agrees(engine: &impl Ordered, model: &Model) {
    engine.validate().unwrap();
    let expected: Vec<_> = model.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(collect(engine, &ScanRange::all()), expected);
    let stats = engine.stats();
    assert_eq!(stats.records, model.len() as u64);
    assert_eq!(stats.live_bytes, Some(model.iter().map(|(k, v)| (k.len() + v.len()) as u64).sum()));
    assert!(stats.memory_bytes > stats.live_bytes.unwrap());
}

/// Random operations of every kind; invariants are checked every `validate_every` operations.
pub(crate) fn mixed(engine: &impl Ordered, seed: u64, operations: usize, validate_every: usize) {
    let rng = &mut rng(seed);
    let mut model = Model::new();
    let mut found = Vec::new();
    for operation in 0..operations {
        // Growing and shrinking take turns, so that the structure does both many times.
        let deletes = if operation / 2_000 % 2 == 0 { 2 } else { 9 };
        let (key, value) = (key(rng), value(rng));
        match rng.random_range(0..16 + deletes) {
            0..6 => {
                engine.set(&key, &value).unwrap();
                model.insert(key, value);
            }
            6..8 => {
                assert_eq!(engine.update(&key, &value).unwrap(), model.contains_key(&key));
                model.entry(key).and_modify(|old| *old = value);
            }
            8..12 => {
                assert_eq!(engine.get(&key, &mut found).unwrap(), model.contains_key(&key));
                assert_eq!(&found, model.get(&key).unwrap_or(&Vec::new()));
            }
            12 => batch(engine, &mut model, rng),
            13 => lookups(engine, &model, rng),
            14 | 15 => bounds(engine, &model, rng),
            _ => {
                let expected = Existence::from(model.remove(&key).is_some());
                assert_eq!(engine.delete(&key).unwrap(), expected);
            }
        }
        if operation % validate_every == 0 {
            engine.validate().unwrap();
        }
        if operation % 3_000 == 2_999 {
            engine.compact().unwrap();
            agrees(engine, &model);
        }
    }
    assert!(model.len() > 100, "the programme left nothing to check");
    agrees(engine, &model);
}

fn batch(engine: &impl Ordered, model: &mut Model, rng: &mut impl RngExt) {
    let mut batch = WriteBatch::new();
    for _ in 0..rng.random_range(0..20) {
        let (key, value) = (key(rng), value(rng));
        if rng.random_range(0..3) == 0 {
            batch.delete(&key);
            model.remove(&key);
        } else {
            batch.set(&key, &value);
            model.insert(key, value);
        }
    }
    engine.batch(&batch).unwrap();
}

fn lookups(engine: &impl Ordered, model: &Model, rng: &mut impl RngExt) {
    let keys: Vec<_> = (0..rng.random_range(0..20)).map(|_| key(rng)).collect();
    let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
    let mut found = GetBuffer::new();
    engine.get_many(&keys, &mut found).unwrap();
    assert_eq!(found.len(), keys.len());
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(found.get(index), model.get(*key).map(Vec::as_slice));
    }
}

fn bounds(engine: &impl Ordered, model: &Model, rng: &mut impl RngExt) {
    let mut bound = || {
        let key = Cow::Owned(key(rng));
        match rng.random_range(0..4) {
            0 => Bound::Unbounded,
            1 => Bound::Excluded(key),
            _ => Bound::Included(key),
        }
    };
    let range = ScanRange { lower: bound(), upper: bound(), ..ScanRange::all() };
    let limit = [0, 1, 33, usize::MAX][rng.random_range(0..4)];
    compare_scan(engine, model, &range.limit(limit));
}

/// Compares a range in both directions, with values and without.
pub(crate) fn compare_scan(engine: &impl Ordered, model: &Model, range: &ScanRange<'_>) {
    for (reverse, keys_only) in [(false, false), (true, false), (false, true), (true, true)] {
        let range = ScanRange { reverse, keys_only, ..range.clone() };
        let mut expected: Vec<_> = model
            .iter()
            .filter(|(key, _)| range.contains(key))
            .map(|(k, v)| (k.clone(), if keys_only { Vec::new() } else { v.clone() }))
            .collect();
        if reverse {
            expected.reverse();
        }
        expected.truncate(range.limit);
        assert_eq!(collect(engine, &range), expected, "{range:?}");
    }
}

/// Every kind of bound at, between and outside the keys, prefixes and limits, over more than one chunk of records.
pub(crate) fn scans(engine: &impl Ordered) {
    compare_scan(engine, &Model::new(), &ScanRange::all());
    let mut model = Model::new();
    for number in 0..3_000u32 {
        let key = format!("key{:05}", number * 7919 % 3_000 * 2).into_bytes();
        engine.set(&key, &number.to_le_bytes()).unwrap();
        model.insert(key, number.to_le_bytes().to_vec());
    }
    let ends: [&[u8]; 9] = [
        b"",
        b"key",
        b"key00000",
        b"key00001",
        b"key02998",
        b"key03000\0",
        b"key05998",
        b"key05999",
        b"\xFF",
    ];
    let kinds = |key| [Bound::Unbounded, Bound::Included(key), Bound::Excluded(key)];
    for lower in ends {
        for upper in ends {
            for lower in kinds(lower) {
                for upper in kinds(upper) {
                    compare_scan(engine, &model, &ScanRange::between(lower, upper).limit(40));
                }
            }
        }
    }
    for limit in [0, 1, 31, 32, 33, 1_000, 2_999, 3_000, 3_001, usize::MAX] {
        compare_scan(engine, &model, &ScanRange::all().limit(limit));
        compare_scan(engine, &model, &ScanRange::from(b"key02001").limit(limit));
    }
    for prefix in [&b""[..], b"k", b"key0", b"key001", b"key05998", b"key059981", b"l", b"\xFF\xFF"] {
        compare_scan(engine, &model, &ScanRange::prefix(prefix));
    }
    let mut session = engine.session().unwrap();
    let mut left = 50;
    let visited = session.scan(&ScanRange::all(), &mut |_, _| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(visited.unwrap(), 50, "the record at which the visitor breaks counts");
}

/// Many keys outside the prefix that the heads skip: their heads are all equal, so whole keys decide, over many nodes
/// or segments.
pub(crate) fn outliers(engine: &impl Ordered) {
    let mut model = Model::new();
    let mut put = |key: String| {
        engine.set(key.as_bytes(), key.as_bytes()).unwrap();
        model.insert(key.clone().into_bytes(), key.into_bytes());
    };
    for n in 0..2_100u32 {
        put(format!("user{:06}", n * 7919 % 2_100));
    }
    for n in 0..900u32 {
        put(format!("a{:04}", n * 7919 % 900));
        put(format!("z{:04}", n * 7919 % 900));
    }
    for key in ["", "u", "user", "user\0", "uses", "v"] {
        put(key.to_owned());
    }
    agrees(engine, &model);
    for ends in [["a0500", "z0500"], ["", "a0001"], ["a0899", "user000007"], ["user", "v"], ["z0003x", "zz"]]
    {
        let [lower, upper] = ends.map(str::as_bytes);
        compare_scan(engine, &model, &ScanRange::between(Bound::Excluded(lower), Bound::Included(upper)));
        compare_scan(engine, &model, &ScanRange::between(Bound::Included(lower), Bound::Excluded(upper)));
    }
    let mut found = Vec::new();
    for key in model.keys() {
        assert!(engine.get(key, &mut found).unwrap() && &found == key);
        assert!(!engine.get(&[key, &b"!"[..]].concat(), &mut found).unwrap());
        assert_eq!(engine.delete(&[key, &b"!"[..]].concat()).unwrap(), Existence::Absent);
    }
    let gone: Vec<_> = model.keys().step_by(2).cloned().collect();
    for key in &gone {
        assert_eq!(engine.delete(key).unwrap(), Existence::Present);
        model.remove(key);
    }
    agrees(engine, &model);
}

/// Inserts the keys in the order given, checking invariants now and then; deletes everything in another order, and
/// inserts it again. Returns with all keys in the engine.
pub(crate) fn fill_empty_refill(engine: &impl Ordered, keys: &[Vec<u8>]) {
    let model: Model = keys.iter().map(|key| (key.clone(), key.repeat(2))).collect();
    for round in 0..2 {
        for (index, key) in keys.iter().enumerate() {
            engine.set(key, &key.repeat(2)).unwrap();
            if index % 1_000 == 0 {
                engine.validate().unwrap();
            }
        }
        agrees(engine, &model);
        if round == 1 {
            break;
        }
        let step = (keys.len() / 3) | 1;
        for index in 0..keys.len() {
            let key = &keys[index * step % keys.len()];
            assert_eq!(engine.delete(key).unwrap(), Existence::Present);
            if index % 1_000 == 0 {
                engine.validate().unwrap();
            }
        }
        agrees(engine, &Model::new());
    }
}

/// Keys and values at the limits, and one byte over them.
pub(crate) fn limits(engine: &impl Ordered) {
    let Capabilities { max_key_bytes, max_value_bytes, .. } = engine.capabilities();
    let longest = vec![b'k'; max_key_bytes];
    let mut model = Model::new();
    for (key, value) in [
        (vec![], vec![]),
        (longest.clone(), vec![1; 100_000]),
        (longest[1..].to_vec(), vec![]),
        (b"\0".to_vec(), vec![7; max_value_bytes]),
    ] {
        engine.set(&key, &value).unwrap();
        model.insert(key, value);
    }
    agrees(engine, &model);
    let too_long = vec![b'k'; max_key_bytes + 1];
    let mut found = Vec::new();
    assert!(matches!(engine.get(&too_long, &mut found), Err(Error::KeyTooLong { .. })));
    assert!(matches!(engine.set(&too_long, b""), Err(Error::KeyTooLong { .. })));
    assert!(matches!(engine.update(&too_long, b""), Err(Error::KeyTooLong { .. })));
    assert!(matches!(engine.delete(&too_long), Err(Error::KeyTooLong { .. })));
    assert!(matches!(engine.set(b"", &vec![0; max_value_bytes + 1]), Err(Error::ValueTooLong { .. })));
    let mut buffer = GetBuffer::new();
    assert!(matches!(engine.get_many(&[b"", &too_long], &mut buffer), Err(Error::KeyTooLong { .. })));
    let mut batch = WriteBatch::new();
    batch.set(b"new", b"");
    batch.delete(&too_long);
    assert!(matches!(engine.batch(&batch), Err(Error::KeyTooLong { .. })));
    agrees(engine, &model);
    for key in model.keys() {
        engine.set(key, b"short").unwrap();
    }
    model.values_mut().for_each(|value| *value = b"short".to_vec());
    agrees(engine, &model);
    // A page of a size class or two is kept; what was replaced goes when all who were pinned then, also by other tests, are so
    // no more.
    let bound = engine.stats().live_bytes.unwrap() + 200_000;
    let given_back = || {
        crossbeam::epoch::pin().flush();
        engine.stats().memory_bytes < bound
    };
    assert!(eventually(given_back), "the long values' memory: {}", engine.stats().memory_bytes);
}

/// Bulk loads: sorted into an empty engine, into a used one, unsorted, and with a record that is refused.
pub(crate) fn bulk_loads<E: Ordered>(open: impl Fn() -> E) {
    let load = |engine: &E, records: &[(Vec<u8>, Vec<u8>)]| {
        engine.bulk_load(&mut records.iter().map(|(key, value)| (key.as_slice(), value.as_slice())))
    };
    for len in (0..70).chain([127, 128, 129, 1_000, 5_000]) {
        let records: Vec<_> =
            (0..len).map(|n: u32| (format!("user{n:06}").into_bytes(), n.to_le_bytes().to_vec())).collect();
        let engine = open();
        assert_eq!(load(&engine, &records).unwrap(), u64::from(len));
        let mut model: Model = records.iter().cloned().collect();
        agrees(&engine, &model);
        assert_eq!(load(&engine, &records).unwrap(), u64::from(len), "into a used engine");
        agrees(&engine, &model);
        for n in 0..len {
            let key = format!("user{:06}x", n * 7919 % len).into_bytes();
            engine.set(&key, b"more").unwrap();
            model.insert(key, b"more".to_vec());
        }
        agrees(&engine, &model);
    }
    let records: Vec<_> =
        [&b"b"[..], b"c", b"c", b"a", b"d"].iter().zip(0u8..).map(|(k, n)| (k.to_vec(), vec![n])).collect();
    let engine = open();
    assert_eq!(load(&engine, &records).unwrap(), 5);
    agrees(&engine, &records.iter().cloned().collect());

    let engine = open();
    let mut refused = records[..2].to_vec();
    refused.push((vec![b'x'; engine.capabilities().max_key_bytes + 1], vec![]));
    assert!(matches!(load(&engine, &refused), Err(Error::KeyTooLong { .. })));
    agrees(&engine, &records[..2].iter().cloned().collect());
}

/// Four threads, each on keys of its own, next to those of the others; each checks its own answers.
pub(crate) fn disjoint_threads(engine: &impl Ordered) {
    const THREADS: usize = 4;
    let mut models: Vec<Model> = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let (rng, mut model, mut found) = (&mut rng(thread as u64), Model::new(), Vec::new());
                    let mut session = engine.session().unwrap();
                    for _ in 0..5_000 {
                        let key = format!("user{:05}-{thread}", rng.random_range(0..1_000)).into_bytes();
                        match rng.random_range(0..4) {
                            0 | 1 => {
                                let value = value(rng);
                                session.set(&key, &value).unwrap();
                                model.insert(key, value);
                            }
                            2 => {
                                let expected = Existence::from(model.remove(&key).is_some());
                                assert_eq!(session.delete(&key).unwrap(), expected);
                            }
                            _ => {
                                assert_eq!(session.get(&key, &mut found).unwrap(), model.contains_key(&key));
                                assert_eq!(&found, model.get(&key).unwrap_or(&Vec::new()));
                            }
                        }
                    }
                    model
                })
            })
            .collect();
        models.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
    });
    agrees(engine, &models.into_iter().flatten().collect());
}

/// Four threads on the same keys. Two write pairs of records in batches with equal values, one deletes and re-inserts, one
/// reads and scans: a pair read at once is never torn, a scan ascends, and what each writer wrote last decides.
pub(crate) fn overlapping_threads(engine: &impl Ordered) {
    const PAIRS: u32 = 200;
    const ROUNDS: u32 = 30;
    let pair = |n: u32| (format!("pair{n:04}-a").into_bytes(), format!("pair{n:04}-b").into_bytes());
    std::thread::scope(|scope| {
        for writer in 0..2u32 {
            scope.spawn(move || {
                let (mut session, mut batch) = (engine.session().unwrap(), WriteBatch::new());
                for round in 0..ROUNDS {
                    for n in 0..PAIRS {
                        let ((a, b), value) = (pair(n), (round * 2 + writer).to_be_bytes());
                        batch.clear();
                        batch.set(&a, &value);
                        batch.set(&b, &value);
                        session.batch(&batch).unwrap();
                        session.set(format!("mine{writer}-{n:04}").as_bytes(), &value).unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut session = engine.session().unwrap();
            for round in 0..ROUNDS {
                for n in 0..PAIRS {
                    let key = format!("pair{n:04}-aa").into_bytes();
                    session.set(&key, &[]).unwrap();
                    assert!(session.update(&key, &[1]).unwrap(), "round {round}");
                    assert_eq!(session.delete(&key).unwrap(), Existence::Present, "round {round}");
                }
            }
        });
        scope.spawn(|| {
            let (mut session, mut found) = (engine.session().unwrap(), GetBuffer::new());
            for round in 0..ROUNDS {
                for n in 0..PAIRS {
                    let (a, b) = pair(n);
                    engine.get_many(&[&a, &b], &mut found).unwrap();
                    assert_eq!(found.get(0), found.get(1), "a torn batch in round {round}");
                }
                let mut last = Vec::new();
                let visited = session.scan(&ScanRange::from(b"pair"), &mut |key, _| {
                    assert!(last.as_slice() < key, "a scan that steps back");
                    last = key.to_vec();
                    ControlFlow::Continue(())
                });
                visited.unwrap();
            }
        });
    });
    engine.validate().unwrap();
    let (mut a_value, mut b_value) = (Vec::new(), Vec::new());
    for n in 0..PAIRS {
        let (a, b) = pair(n);
        assert!(engine.get(&a, &mut a_value).unwrap() && engine.get(&b, &mut b_value).unwrap());
        assert_eq!(a_value, b_value);
        let last_round = (ROUNDS - 1) * 2;
        assert!([last_round.to_be_bytes(), (last_round + 1).to_be_bytes()].iter().any(|v| v[..] == a_value));
        for writer in 0..2u32 {
            assert!(engine.get(format!("mine{writer}-{n:04}").as_bytes(), &mut a_value).unwrap());
            assert_eq!(a_value, (last_round + writer).to_be_bytes());
        }
    }
    assert_eq!(engine.stats().records, u64::from(PAIRS) * 4);
}

/// A visitor that uses the engine must not deadlock; it sees each record at most once, in order.
pub(crate) fn visitor_uses_engine(engine: &impl Ordered) {
    for n in 0..500u32 {
        engine.set(&n.to_be_bytes(), b"old").unwrap();
    }
    let mut seen = Vec::new();
    engine
        .for_each(&mut |key, _| {
            engine.set(key, b"new").unwrap();
            engine.set(&[&[0xFF], key].concat(), b"").unwrap();
            seen.push(key.to_vec());
            if seen.len() == 700 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert_eq!(seen.len(), 700);
    let mut value = Vec::new();
    assert!(engine.get(&7u32.to_be_bytes(), &mut value).unwrap());
    assert_eq!(value, b"new");
    engine.validate().unwrap();
}
