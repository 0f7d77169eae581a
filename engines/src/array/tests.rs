//! Tests of the array by its concrete type.

use super::*;
use crate::options::ByteSize;
use crate::ordered_checks as checks;
use crate::testing::within;
use rand::RngExt;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64 as Counter};
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

fn array() -> Array {
    Array::new(ArrayOptions::default()).unwrap()
}

fn sized(segment_bytes: u64, extent_segments: usize, max_density: f64) -> Array {
    let segment_bytes = ByteSize(segment_bytes);
    Array::new(ArrayOptions { segment_bytes, extent_segments, max_density }).unwrap()
}

/// So small that everything happens often.
fn small() -> Array {
    sized(256, 4, 0.85)
}

fn keys(numbers: impl Iterator<Item = u32>) -> Vec<Vec<u8>> {
    numbers.map(|n| format!("user{n:010}").into_bytes()).collect()
}

fn detail(engine: &Array, name: &str) -> f64 {
    engine.stats().details.iter().find(|(detail, _)| detail == name).unwrap().1
}

/// Moves of records per insert, rebalances and rebuilds together.
fn moves_per_insert(engine: &Array) -> f64 {
    detail(engine, "records_moved") / engine.stats().records as f64
}

/// Bytes of memory for each live byte.
fn memory_per_live_byte(engine: &Array) -> f64 {
    let stats = engine.stats();
    stats.memory_bytes as f64 / stats.live_bytes.unwrap() as f64
}

#[test]
fn mixed_operations_agree_with_the_model() {
    within(LIMIT, "mixed operations agree with the model", || {
        for (seed, segment_bytes, extent_segments, max_density) in [
            (0, 256, 4, 0.5),
            (1, 256, 8, 0.95),
            (2, 1024, 16, 0.85),
            (3, 8192, 256, 0.85),
            (4, 32768, 4, 0.9),
        ] {
            checks::mixed(&sized(segment_bytes, extent_segments, max_density), seed, 10_000, 100);
        }
    });
}

#[test]
fn small_segments_keep_every_invariant_at_every_step() {
    within(LIMIT, "small segments keep every invariant at every step", || {
        for seed in 10..14 {
            checks::mixed(&small(), seed, 3_000, 1);
        }
    });
}

#[test]
fn any_order_of_keys_will_do() {
    within(LIMIT, "any order of keys will do", || {
        for open in [small, array] {
            checks::fill_empty_refill(&open(), &keys(0..10_000));
            checks::fill_empty_refill(&open(), &keys((0..10_000).rev()));
            checks::fill_empty_refill(&open(), &keys((0..10_000).map(|n| n * 7919 % 10_000)));
        }
    });
}

/// Runs of neighbouring inserts, upwards and downwards, make room unevenly; runs of deletes empty the segments that were
/// just filled. Checked at every step, at the ends of the range of densities.
#[test]
fn runs_of_inserts_and_deletes_keep_every_invariant_at_every_step() {
    within(LIMIT, "runs of inserts and deletes keep every invariant at every step", || {
        for (seed, segment_bytes, max_density) in
            [(1, 256, 0.5), (2, 256, 0.95), (3, 512, 0.95), (4, 256, 0.85)]
        {
            let engine = sized(segment_bytes, 4, max_density);
            let (rng, mut model) = (&mut checks::rng(seed), checks::Model::new());
            for _ in 0..120 {
                let (from, len) = (rng.random_range(0..600u32), rng.random_range(1..60u32));
                let (insert, upwards): (bool, bool) = (rng.random_range(0..5) < 3, rng.random());
                for step in 0..len {
                    let n = if upwards { from + step } else { (from + len) - step };
                    let key = format!("user{n:06}").into_bytes();
                    if insert {
                        engine.set(&key, &n.to_le_bytes()).unwrap();
                        model.insert(key, n.to_le_bytes().to_vec());
                    } else {
                        let expected = Existence::from(model.remove(&key).is_some());
                        assert_eq!(engine.delete(&key).unwrap(), expected);
                    }
                    engine.validate().unwrap();
                }
                if rng.random_range(0..20) == 0 {
                    engine.compact().unwrap();
                }
            }
            checks::agrees(&engine, &model);
        }
    });
}

#[test]
fn scans_agree_with_the_model() {
    within(LIMIT, "scans agree with the model", || {
        checks::scans(&array());
        checks::scans(&small());
    });
}

#[test]
fn keys_outside_the_common_prefix_keep_their_order() {
    within(LIMIT, "keys outside the common prefix keep their order", || {
        checks::outliers(&array());
        checks::outliers(&small());
    });
}

#[test]
fn limits_are_kept() {
    within(LIMIT, "limits are kept", || {
        checks::limits(&array());
    });
}

#[test]
fn bulk_loads_are_valid() {
    within(LIMIT, "bulk loads are valid", || {
        checks::bulk_loads(array);
        checks::bulk_loads(small);
    });
}

#[test]
fn threads_on_keys_of_their_own_get_exact_answers() {
    within(LIMIT, "threads on keys of their own get exact answers", || {
        checks::disjoint_threads(&array());
        checks::disjoint_threads(&small());
    });
}

#[test]
fn threads_on_the_same_keys_see_whole_batches() {
    within(LIMIT, "threads on the same keys see whole batches", || {
        checks::overlapping_threads(&array());
        checks::overlapping_threads(&small());
    });
}

#[test]
fn a_visitor_may_use_the_engine() {
    within(LIMIT, "a visitor may use the engine", || {
        checks::visitor_uses_engine(&array());
        checks::visitor_uses_engine(&small());
    });
}

#[test]
fn a_large_load_in_random_order_moves_few_records_and_wastes_little() {
    within(LIMIT, "a large load in random order moves few records", || {
        const RECORDS: u64 = 200_000;
        let (engine, rng) = (array(), &mut checks::rng(42));
        for _ in 0..RECORDS {
            let key = format!("user{:020}", rng.random::<u64>());
            engine.set(key.as_bytes(), &[7; 100]).unwrap();
        }
        engine.validate().unwrap();
        assert_eq!(engine.stats().records, RECORDS);
        let per_insert = moves_per_insert(&engine);
        println!("random order: {per_insert:.2} records moved per insert, {:?}", engine.stats());
        assert!(per_insert < 25.0, "{per_insert}");
        assert!(memory_per_live_byte(&engine) < 1.6);
    });
}

#[test]
fn hammering_one_spot_stays_within_the_amortised_bound() {
    within(LIMIT, "hammering one spot stays within the amortised bound", || {
        const HAMMERED: u32 = 60_000;
        let hammer = |name: &str, key: fn(u32) -> String| {
            let engine = array();
            for n in 0..2_000u32 {
                engine.set(format!("{:04}", n * 7919 % 2_000).as_bytes(), b"").unwrap();
            }
            for n in 0..HAMMERED {
                engine.set(key(n).as_bytes(), &[1; 50]).unwrap();
            }
            engine.validate().unwrap();
            assert_eq!(engine.stats().records, u64::from(HAMMERED) + 2_000);
            let per_insert = moves_per_insert(&engine);
            println!("{name}: {per_insert:.2} records moved per insert, {:?}", engine.stats().details);
            per_insert
        };
        // Three spots in turn in one segment, so that no insert is next to the one before: every spread is even.
        let even = hammer("three spots", |n| {
            format!("0500-{}-{:08}", n % 3, if n % 2 == 0 { n } else { 90_000_000 - n })
        });
        let log2 = f64::from(HAMMERED).log2();
        assert!(even < log2 * log2, "{even}");
        let descending = hammer("descending", |n| format!("1000-{:08}", HAMMERED - n));
        let ascending = hammer("ascending", |n| format!("1000-{n:08}"));
        for adaptive in [descending, ascending] {
            assert!(adaptive < 30.0, "{adaptive}");
        }
    });
}

#[test]
fn a_compacted_array_is_packed_and_an_emptied_one_is_small() {
    within(LIMIT, "a compacted array is packed and an emptied one is small", || {
        let (engine, rng) = (array(), &mut checks::rng(7));
        let keys: Vec<_> =
            (0..60_000).map(|_| format!("user{:020}", rng.random::<u64>()).into_bytes()).collect();
        for key in &keys {
            engine.set(key, &[1; 100]).unwrap();
        }
        let peak = engine.stats().memory_bytes;
        engine.compact().unwrap();
        engine.validate().unwrap();
        let packed = memory_per_live_byte(&engine);
        println!("packed: {packed:.4}");
        assert!(packed < 1.06, "{packed}");
        for round in 0..2 {
            for key in &keys {
                let len = 50 + rng.random_range(0..=100);
                engine.set(key, &vec![round; len]).unwrap();
            }
        }
        engine.validate().unwrap();
        let overwritten = memory_per_live_byte(&engine);
        println!("overwritten: {overwritten:.3}, {:?}", engine.stats());
        assert!(overwritten < 1.7, "{overwritten}");
        for key in &keys[..30_000] {
            engine.delete(key).unwrap();
        }
        engine.validate().unwrap();
        let halved = memory_per_live_byte(&engine);
        println!("halved: {halved:.3}");
        assert!(halved < 2.3, "{halved}");
        for key in &keys[30_000..] {
            assert_eq!(engine.delete(key).unwrap(), Existence::Present);
        }
        engine.validate().unwrap();
        assert_eq!(engine.stats().records, 0);
        let left = engine.stats().memory_bytes;
        assert!(left * 10 < peak, "{left} bytes of {peak} are left when all is deleted");
    });
}

#[test]
fn a_bulk_load_is_packed_and_moves_nothing() {
    within(LIMIT, "a bulk load is packed", || {
        let engine = array();
        let keys = keys(0..100_000);
        engine.bulk_load(&mut keys.iter().map(|key| (key.as_slice(), &[3; 100][..]))).unwrap();
        engine.validate().unwrap();
        assert!(memory_per_live_byte(&engine) < 1.06, "{:?}", engine.stats());
        assert_eq!(detail(&engine, "records_moved"), 0.0);
        assert!(detail(&engine, "extents") >= 5.0);
    });
}

/// Values say which key they belong to, at any length, inside and outside.
fn described(key: u32, seed: u32) -> Vec<u8> {
    let len = if seed.is_multiple_of(9) { 400 + seed as usize % 200 } else { seed as usize % 60 };
    let mut value = [key.to_le_bytes(), seed.to_le_bytes()].concat();
    value.extend((0..len).map(|n| (n as u32 ^ key ^ seed) as u8));
    value
}

fn assert_described(key: &[u8], value: &[u8]) {
    let number: u32 = std::str::from_utf8(key).unwrap()[4..].parse().unwrap();
    let seed = u32::from_le_bytes(value[4..8].try_into().unwrap());
    assert_eq!(value, described(number, seed), "a torn value, or one of another key");
}

/// Writers insert, overwrite and delete in tiny extents while readers check whole values and scanners check order
/// and that nothing that stays is missed.
#[test]
fn readers_and_scanners_are_right_while_extents_are_rebuilt() {
    within(LIMIT, "readers and scanners are right while extents are rebuilt", || {
        const KEYS: u32 = 2_000;
        for engine in [small(), sized(512, 8, 0.95)] {
            let name = |n: u32| format!("user{n:06}").into_bytes();
            for n in (0..KEYS).filter(|n| n % 5 == 0) {
                engine.set(&name(n), &described(n, n)).unwrap();
            }
            let (stop, writers_left, scans) = (AtomicBool::new(false), Counter::new(3), Counter::new(0));
            std::thread::scope(|scope| {
                for writer in 0..3 {
                    let (engine, stop, writers_left) = (&engine, &stop, &writers_left);
                    scope.spawn(move || {
                        let rng = &mut checks::rng(writer);
                        for step in 0..12_000u32 {
                            let n = rng.random_range(0..KEYS);
                            let (key, value) = (name(n), described(n, rng.random()));
                            match rng.random_range(0..8) {
                                0..3 => engine.set(&key, &value).unwrap(),
                                3 => drop(engine.update(&key, &value).unwrap()),
                                _ if n % 5 == 0 => engine.set(&key, &value).unwrap(),
                                4 if step % 500 == 0 => engine.compact().unwrap(),
                                _ => drop(engine.delete(&key).unwrap()),
                            }
                        }
                        if writers_left.fetch_sub(1, Ordering::SeqCst) == 1 {
                            stop.store(true, Ordering::SeqCst);
                        }
                    });
                }
                for reader in 10..12 {
                    let (engine, stop) = (&engine, &stop);
                    scope.spawn(move || {
                        let (rng, mut value, mut values) =
                            (&mut checks::rng(reader), Vec::new(), GetBuffer::new());
                        while !stop.load(Ordering::SeqCst) {
                            let n = rng.random_range(0..KEYS);
                            if engine.get(&name(n), &mut value).unwrap() {
                                assert_described(&name(n), &value);
                            } else {
                                assert!(n % 5 != 0, "a key that stays was not found");
                            }
                            let many: Vec<_> = (n..n + 40).map(name).collect();
                            engine
                                .get_many(&many.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut values)
                                .unwrap();
                            for (index, key) in many.iter().enumerate() {
                                if let Some(value) = values.get(index) {
                                    assert_described(key, value);
                                } else {
                                    assert!(
                                        !(n + index as u32).is_multiple_of(5) || n + index as u32 >= KEYS
                                    );
                                }
                            }
                        }
                    });
                }
                for reverse in [false, true] {
                    let (engine, stop, scans) = (&engine, &stop, &scans);
                    scope.spawn(move || {
                        let mut session = engine.session().unwrap();
                        while !stop.load(Ordering::SeqCst) {
                            let (mut before, mut staying) = (Vec::new(), 0);
                            let range = ScanRange { reverse, ..ScanRange::all() };
                            let visited = session.scan(&range, &mut |key, value| {
                                assert_described(key, value);
                                assert!(
                                    before.is_empty() || (before.as_slice() < key) != reverse,
                                    "out of order"
                                );
                                before = key.to_vec();
                                let number: u32 = std::str::from_utf8(key).unwrap()[4..].parse().unwrap();
                                staying += u32::from(number.is_multiple_of(5));
                                ControlFlow::Continue(())
                            });
                            visited.unwrap();
                            assert_eq!(staying, KEYS / 5, "a scan missed keys that stay");
                            scans.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                }
            });
            engine.validate().unwrap();
            assert!(scans.load(Ordering::SeqCst) > 0 && detail(&engine, "rebuilds") > 100.0);
        }
    });
}

/// The visitor takes away the key it is at and puts one above it, with the same head, which may belong to the segment
/// before: then a scan downwards must not visit it.
#[test]
fn a_scan_downwards_stays_below_the_key_it_visited_last() {
    within(LIMIT, "a scan downwards stays below the key it visited last", || {
        const KEYS: u32 = 300;
        for reverse in [false, true] {
            let engine = sized(256, 64, 0.85);
            let name = |n: u32| format!("user{:02}-the-same-in-many-keys-{n:04}", n / 100).into_bytes();
            (0..KEYS).for_each(|n| engine.set(&name(n), b"value").unwrap());
            let mut before = Vec::new();
            let mut session = engine.session().unwrap();
            let range = ScanRange { reverse, ..ScanRange::all() };
            let visited = session.scan(&range, &mut |key, _| {
                assert!(before.is_empty() || (before.as_slice() < key) != reverse, "out of order, or twice");
                before = key.to_vec();
                if key.last() != Some(&b'!') {
                    engine.delete(key).unwrap();
                    engine.set(&[key, &b"!"[..]].concat(), b"other").unwrap();
                }
                ControlFlow::Continue(())
            });
            assert!(visited.unwrap() >= u64::from(KEYS));
            engine.validate().unwrap();
            assert_eq!(engine.stats().records, u64::from(KEYS));
        }
    });
}

/// Everything that is `unsafe`, at a size that Miri can run: records outside, rebuilds, reclamation, two threads.
#[test]
fn a_few_records_go_through_every_path() {
    within(LIMIT, "a few records go through every path", || {
        let engine = small();
        let put = |from: u32| {
            let mut session = engine.session().unwrap();
            for n in from..from + 30 {
                let key = format!("user{:04}", n * 7919 % 1_000);
                session.set(key.as_bytes(), &vec![n as u8; if n % 4 == 0 { 90 } else { 9 }]).unwrap();
                session.set(key.as_bytes(), &vec![n as u8; if n % 3 == 0 { 90 } else { 9 }]).unwrap();
            }
            let mut bytes = 0;
            let visited = session.scan(&ScanRange::all(), &mut |_, value| {
                bytes += value.len();
                ControlFlow::Continue(())
            });
            assert!(visited.unwrap() >= 30 && bytes >= 270);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| put(0));
            scope.spawn(|| put(100));
        });
        engine.compact().unwrap();
        engine.validate().unwrap();
        assert_eq!(engine.stats().records, 60);
        for n in (0..30).chain(100..130) {
            let (key, mut value) = (format!("user{:04}", n * 7919 % 1_000), Vec::new());
            assert!(engine.get(key.as_bytes(), &mut value).unwrap());
            assert_eq!(value, vec![n as u8; if n % 3 == 0 { 90 } else { 9 }]);
            assert_eq!(engine.delete(key.as_bytes()).unwrap(), Existence::Present);
        }
        engine.validate().unwrap();
        assert_eq!(engine.stats().live_bytes, Some(0));
    });
}

/// Records of every length at once, in segments of which the longest inside take a quarter.
#[test]
fn lengths_may_be_mixed() {
    within(LIMIT, "lengths may be mixed", || {
        for (seed, engine) in [(1, small()), (2, sized(1024, 4, 0.95)), (3, array())] {
            let (rng, mut model) = (&mut checks::rng(seed), BTreeMap::new());
            for step in 0..6_000 {
                let mut key = vec![b'k'; [0, 1, 20, 200, 253, 254, 255, 300][rng.random_range(0..8)]];
                key.extend_from_slice(&rng.random_range(0..400u16).to_be_bytes());
                let longest = [1, 10, 60, 250, 2_040, 10_000][rng.random_range(0..6)];
                let value = vec![step as u8; rng.random_range(0..longest)];
                if rng.random_range(0..3) == 0 {
                    assert_eq!(engine.delete(&key).unwrap(), model.remove(&key).is_some().into());
                } else {
                    engine.set(&key, &value).unwrap();
                    model.insert(key, value);
                }
                if step % 200 == 0 {
                    engine.validate().unwrap();
                }
            }
            checks::agrees(&engine, &model);
        }
    });
}

#[test]
fn options_change_the_array() {
    within(LIMIT, "options change the array", || {
        let loaded = |options| {
            let engine = Array::new(options).unwrap();
            for key in keys((0..20_000).map(|n| n * 7919 % 20_000)) {
                engine.set(&key, &[0; 20]).unwrap();
            }
            (detail(&engine, "segments"), detail(&engine, "extents"), detail(&engine, "density"))
        };
        let default = loaded(ArrayOptions::default());
        let wide = loaded(ArrayOptions { segment_bytes: ByteSize(32 << 10), ..ArrayOptions::default() });
        let short = loaded(ArrayOptions { extent_segments: 16, ..ArrayOptions::default() });
        assert!(wide.0 * 3.0 <= default.0, "{wide:?} {default:?}");
        assert!(short.1 > default.1 * 3.0, "{short:?} {default:?}");
        let least_density = |max_density| {
            let engine = Array::new(ArrayOptions { max_density, ..ArrayOptions::default() }).unwrap();
            let mut least: f64 = 1.0;
            for (n, key) in keys((0..20_000).map(|n| n * 7919 % 20_000)).iter().enumerate() {
                engine.set(key, &[0; 20]).unwrap();
                if n > 5_000 && n % 100 == 0 {
                    least = least.min(detail(&engine, "density"));
                }
            }
            least
        };
        let (default, sparse) = (least_density(0.85), least_density(0.5));
        assert!(default > 0.65 && sparse < 0.45, "{default} {sparse}");
    });
}

#[test]
fn options_out_of_range_are_refused() {
    within(LIMIT, "options out of range are refused", || {
        let open = |options| crate::registry::open(NAME, &OpenOptions { options, ..OpenOptions::default() });
        let good = serde_json::json!({ "segment_bytes": "256B", "extent_segments": 4, "max_density": 0.5 });
        for good in [good, serde_json::Value::Null] {
            assert!(open(good).is_ok());
        }
        for bad in [
            serde_json::json!({ "segment_bytes": "128B" }),
            serde_json::json!({ "segment_bytes": "64KiB" }),
            serde_json::json!({ "segment_bytes": "5000B" }),
            serde_json::json!({ "extent_segments": 2 }),
            serde_json::json!({ "extent_segments": 2048 }),
            serde_json::json!({ "extent_segments": 100 }),
            serde_json::json!({ "max_density": 0.4 }),
            serde_json::json!({ "max_density": 0.99 }),
            serde_json::json!({ "segment": 64 }),
            serde_json::json!([]),
        ] {
            assert!(matches!(open(bad.clone()), Err(Error::InvalidOption { .. })), "{bad}");
        }
    });
}

#[test]
fn broken_invariants_are_found() {
    within(LIMIT, "broken invariants are found", || {
        type Damage = fn(segment::Segment<'_>);
        let breaks: [(&str, Damage); 6] = [
            ("wrong head", |segment| segment.set_heads(segment.header().skip, std::iter::once(0x7070))),
            ("start where it says", |segment| {
                let header = segment.header();
                segment.set_header(segment::Header { start: header.start - 1, ..header });
            }),
            ("entries are outside", |segment| {
                segment.set_header(segment::Header { outside: 1, ..segment.header() });
            }),
            ("out of order", |segment| {
                let key = b"user0000000000";
                (0..3).for_each(|_| segment.remove(1));
                segment.insert(
                    0,
                    &segment::Entry::inside(key, b""),
                    segment::head(key, segment.header().skip),
                );
            }),
            ("what heads skip", |segment| {
                (0..3).for_each(|_| segment.remove(1));
                segment.insert(segment.header().count, &segment::Entry::inside(b"v", b""), 0xFFFF);
            }),
            ("latch is not free", |segment| {
                segment.latch().lock();
            }),
        ];
        for (expected, damage) in breaks {
            let engine = array();
            for key in keys(0..1_000) {
                engine.set(&key, b"value").unwrap();
            }
            engine.validate().unwrap();
            let guard = epoch::pin();
            let extent = engine.root.load(&guard).extent(0).unwrap();
            damage(extent.segment(extent.len() - 1).unwrap());
            let message = engine.validate().unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}: {message}");
        }
    });
}
