//! Tests of the array by its concrete type.

use super::*;
use crate::ordered_checks as checks;
use crate::testing::within;
use rand::RngExt;
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

fn array() -> Array {
    small(64)
}

fn small(segment_slots: usize) -> Array {
    Array::new(ArrayOptions { segment_slots, ..ArrayOptions::default() }).unwrap()
}

fn keys(numbers: impl Iterator<Item = u32>) -> Vec<Vec<u8>> {
    numbers.map(|n| format!("user{n:010}").into_bytes()).collect()
}

fn detail(engine: &Array, name: &str) -> f64 {
    engine.stats().details.iter().find(|(detail, _)| detail == name).unwrap().1
}

/// Moves of records per insert, rebalances and resizes together.
fn moves_per_insert(engine: &Array) -> f64 {
    detail(engine, "slots_moved") / engine.stats().records as f64
}

#[test]
fn mixed_operations_agree_with_the_model() {
    within(LIMIT, "mixed operations agree with the model", || {
        for (seed, segment_slots, max_density) in
            [(0, 8, 0.5), (1, 8, 0.95), (2, 16, 0.75), (3, 64, 0.75), (4, 1024, 0.9)]
        {
            let engine = Array::new(ArrayOptions { segment_slots, max_density }).unwrap();
            checks::mixed(&engine, seed, 10_000, 100);
        }
    });
}

#[test]
fn small_segments_keep_every_invariant_at_every_step() {
    within(LIMIT, "small segments keep every invariant at every step", || {
        for seed in 10..14 {
            checks::mixed(&small(8), seed, 3_000, 1);
        }
    });
}

#[test]
fn any_order_of_keys_will_do() {
    within(LIMIT, "any order of keys will do", || {
        for segment_slots in [8, 64] {
            checks::fill_empty_refill(&small(segment_slots), &keys(0..10_000));
            checks::fill_empty_refill(&small(segment_slots), &keys((0..10_000).rev()));
            checks::fill_empty_refill(&small(segment_slots), &keys((0..10_000).map(|n| n * 7919 % 10_000)));
        }
    });
}

/// Runs of neighbouring inserts, upwards and downwards, make room unevenly; runs of deletes empty the segments that were
/// just filled. Checked at every step, at the ends of the range of densities.
#[test]
fn runs_of_inserts_and_deletes_keep_every_invariant_at_every_step() {
    within(LIMIT, "runs of inserts and deletes keep every invariant at every step", || {
        for (seed, segment_slots, max_density) in [(1, 8, 0.5), (2, 8, 0.95), (3, 16, 0.95), (4, 8, 0.75)] {
            let engine = Array::new(ArrayOptions { segment_slots, max_density }).unwrap();
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
        checks::scans(&small(8));
    });
}

#[test]
fn keys_outside_the_common_prefix_keep_their_order() {
    within(LIMIT, "keys outside the common prefix keep their order", || {
        checks::outliers(&array());
        checks::outliers(&small(8));
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
        checks::bulk_loads(|| small(8));
    });
}

#[test]
fn threads_on_keys_of_their_own_get_exact_answers() {
    within(LIMIT, "threads on keys of their own get exact answers", || {
        checks::disjoint_threads(&array());
    });
}

#[test]
fn threads_on_the_same_keys_see_whole_batches() {
    within(LIMIT, "threads on the same keys see whole batches", || {
        checks::overlapping_threads(&array());
    });
}

#[test]
fn a_visitor_may_use_the_engine() {
    within(LIMIT, "a visitor may use the engine", || {
        checks::visitor_uses_engine(&array());
    });
}

#[test]
fn a_large_load_in_random_order_moves_few_slots() {
    within(LIMIT, "a large load in random order moves few slots", || {
        const RECORDS: u64 = 200_000;
        let (engine, rng) = (array(), &mut checks::rng(42));
        for _ in 0..RECORDS {
            let key = format!("user{:020}", rng.random::<u64>());
            engine.set(key.as_bytes(), &[7; 20]).unwrap();
        }
        engine.validate().unwrap();
        assert_eq!(engine.stats().records, RECORDS);
        let per_insert = moves_per_insert(&engine);
        println!("random order: {per_insert:.2} slots moved per insert, {:?}", engine.stats().details);
        assert!(per_insert < 12.0, "{per_insert}");
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
                engine.set(key(n).as_bytes(), b"").unwrap();
            }
            engine.validate().unwrap();
            assert_eq!(engine.stats().records, u64::from(HAMMERED) + 2_000);
            let per_insert = moves_per_insert(&engine);
            println!("{name}: {per_insert:.2} slots moved per insert, {:?}", engine.stats().details);
            per_insert
        };
        // Two spots in turn: no insert is next to the one before, so every spread is even.
        let even = hammer("two spots", |n| format!("{}-{n:08}", ["0500", "1500"][n as usize % 2]));
        let log2 = f64::from(HAMMERED).log2();
        assert!(even < log2 * log2, "{even}");
        let descending = hammer("descending", |n| format!("1000-{:08}", HAMMERED - n));
        let ascending = hammer("ascending", |n| format!("1000-{n:08}"));
        let inwards =
            hammer("inwards", |n| format!("1000-{:08}", if n % 2 == 0 { n } else { 2 * HAMMERED - n }));
        for adaptive in [descending, ascending, inwards] {
            assert!(adaptive * 2.0 < even, "{adaptive} is not much less than {even}");
        }
    });
}

#[test]
fn deleting_shrinks_the_array_and_compaction_packs_it() {
    within(LIMIT, "deleting shrinks the array and compaction packs it", || {
        let engine = array();
        let keys = keys((0..20_000).map(|n| n * 7919 % 20_000));
        for key in &keys {
            engine.set(key, b"value").unwrap();
        }
        let before = engine.stats().memory_bytes;
        for key in &keys[..19_000] {
            engine.delete(key).unwrap();
        }
        engine.validate().unwrap();
        assert!(engine.stats().memory_bytes * 5 < before, "halving gives memory back by itself");
        engine.compact().unwrap();
        engine.validate().unwrap();
        assert!(detail(&engine, "density") > 0.95 - 64.0 / 1_000.0, "{}", detail(&engine, "density"));
        for key in &keys {
            engine.set(key, b"again").unwrap();
        }
        engine.compact().unwrap();
        engine.validate().unwrap();
        assert!(detail(&engine, "density") > 0.95, "{}", detail(&engine, "density"));
        let mut value = Vec::new();
        for key in &keys {
            assert!(engine.get(key, &mut value).unwrap() && value == b"again");
        }
    });
}

#[test]
fn a_bulk_load_is_as_dense_as_the_options_say() {
    within(LIMIT, "a bulk load is as dense as the options say", || {
        for max_density in [0.5, 0.75, 0.95] {
            let engine = Array::new(ArrayOptions { max_density, ..ArrayOptions::default() }).unwrap();
            let keys = keys(0..50_000);
            engine.bulk_load(&mut keys.iter().map(|key| (key.as_slice(), &b"value"[..]))).unwrap();
            engine.validate().unwrap();
            let density = detail(&engine, "density");
            assert!((density - max_density).abs() < 0.02, "{density} instead of {max_density}");
            assert_eq!(detail(&engine, "slots_moved"), 0.0);
        }
    });
}

#[test]
fn options_change_the_array() {
    within(LIMIT, "options change the array", || {
        let loaded = |options| {
            let engine = Array::new(options).unwrap();
            for key in keys(0..7_000) {
                engine.set(&key, b"").unwrap();
            }
            (detail(&engine, "segments"), detail(&engine, "density"))
        };
        let default = loaded(ArrayOptions::default());
        let wide = loaded(ArrayOptions { segment_slots: 512, ..ArrayOptions::default() });
        let dense = loaded(ArrayOptions { max_density: 0.95, ..ArrayOptions::default() });
        assert!(wide.0 * 4.0 <= default.0, "{wide:?} {default:?}");
        assert!(dense.1 > default.1 * 1.5, "{dense:?} {default:?}");
    });
}

#[test]
fn options_out_of_range_are_refused() {
    within(LIMIT, "options out of range are refused", || {
        let open = |options| crate::registry::open(NAME, &OpenOptions { options, ..OpenOptions::default() });
        for good in [serde_json::json!({ "segment_slots": 8, "max_density": 0.5 }), serde_json::Value::Null] {
            assert!(open(good).is_ok());
        }
        for bad in [
            serde_json::json!({ "segment_slots": 4 }),
            serde_json::json!({ "segment_slots": 2048 }),
            serde_json::json!({ "segment_slots": 100 }),
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
        type Damage = fn(&mut Pma);
        let breaks: [(&str, Damage); 3] = [
            ("counted", |array| array.tally.live_bytes += 1),
            ("wrong head", |array| array.heads = crate::head::HeadMap::between(b"user00", b"user00")),
            ("out of order", |array| {
                let (from, to) =
                    (slots::Position { segment: 1, offset: 0 }, slots::Position { segment: 0, offset: 0 });
                let (record, _) = array.slots.remove(from).unwrap();
                let head = array.heads.head(record.key());
                array.slots.insert(to, head, record);
            }),
        ];
        for (expected, damage) in breaks {
            let engine = array();
            for key in keys(0..1_000) {
                engine.set(&key, b"value").unwrap();
            }
            engine.validate().unwrap();
            damage(&mut engine.array.write());
            let message = engine.validate().unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}: {message}");
        }
    });
}
