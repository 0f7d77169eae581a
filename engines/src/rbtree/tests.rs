//! Tests of the red-black tree by its concrete type.

use super::*;
use crate::ordered_checks as checks;
use crate::testing::{eventually, within};
use rand::RngExt;
use std::ops::ControlFlow;
use std::time::Duration;

/// How long a test may take on a busy machine before it counts as hung.
const LIMIT: Duration = Duration::from_secs(120);

fn tree() -> RbTree {
    RbTree::new(RbTreeOptions::default())
}

/// The tree alone, so that every look-up walks.
fn bare_tree() -> RbTree {
    RbTree::new(RbTreeOptions { shortcuts: false })
}

fn keys(numbers: impl Iterator<Item = u32>) -> Vec<Vec<u8>> {
    numbers.map(|n| format!("user{n:010}").into_bytes()).collect()
}

#[test]
fn mixed_operations_agree_with_the_model() {
    within(LIMIT, "mixed operations agree with the model", || {
        for seed in 0..4 {
            checks::mixed(&tree(), seed, 10_000, 100);
            checks::mixed(&bare_tree(), seed, 5_000, 100);
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
        checks::disjoint_threads(&bare_tree());
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
        let (black_height, rotations) = engine.edit(|edit| (edit.black_height(), edit.writer.rotations));
        // Ascending keys: without rebalancing the tree would be 10,000 high.
        assert!((6..=14).contains(&black_height), "{black_height}");
        assert!(rotations > 5_000);
    });
}

/// Lets deferred functions run, as far as no other test is pinned.
fn settle() {
    for _ in 0..300 {
        epoch::pin().flush();
    }
}

#[test]
fn freed_nodes_are_reused_and_chunks_go_back() {
    within(LIMIT, "freed nodes are reused and chunks go back", || {
        let engine = tree();
        let keys = keys(0..20_000);
        for key in &keys {
            engine.set(key, &[1; 50]).unwrap();
        }
        let full = engine.stats().memory_bytes;
        // Every seventh key stays, so that the last chunks hold nodes which must move before the chunks can go.
        for (index, key) in keys.iter().enumerate() {
            if index % 7 != 0 {
                engine.delete(key).unwrap();
            }
            if index % 50 == 0 {
                settle();
            }
            if index % 1_000 == 0 {
                engine.validate().unwrap();
            }
        }
        // Moves and releases go on with each delete, as fast as the threads of other tests let the epoch advance.
        let shrunk = eventually(|| {
            for n in 0..100u32 {
                engine.set(&n.to_be_bytes(), b"").unwrap();
                engine.delete(&n.to_be_bytes()).unwrap();
            }
            settle();
            engine.tree.arena.counts().bytes < 20_000 * 24 / 2 && engine.stats().memory_bytes < full / 2
        });
        assert!(shrunk, "{:?}, {} bytes of {full}", engine.tree.arena.counts(), engine.stats().memory_bytes);
        engine.validate().unwrap();
        for key in keys.iter().step_by(7) {
            engine.delete(key).unwrap();
            settle();
        }
        for key in &keys[..3_000] {
            engine.set(key, &[2; 50]).unwrap();
        }
        // What threads of other tests still keep from the epoch, a compaction cannot see as free.
        let given_back = eventually(|| {
            engine.compact().unwrap();
            settle();
            engine.stats().memory_bytes < full / 4
        });
        let after = engine.stats();
        assert!(given_back, "{} of {full}", after.memory_bytes);
        assert_eq!((after.records, engine.tree.arena.counts().used), (3_000, 3_001));
        engine.validate().unwrap();
        let mut value = Vec::new();
        assert!(engine.get(&keys[0], &mut value).unwrap() && value == [2; 50]);
        assert!(!engine.get(&keys[19_999], &mut value).unwrap() && value.is_empty());
    });
}

/// What was taken out may be freed while its page is listed, and then is no record any more.
#[test]
fn of_a_sparse_page_only_records_that_are_in_the_tree_are_listed() {
    within(LIMIT, "of a sparse page only records that are in the tree are listed", || {
        let engine = bare_tree();
        let (keys, records) = (keys(0..2_000), &engine.tree.records);
        let mut discarded = Vec::new();
        for key in &keys {
            engine.set(key, &[1; 50]).unwrap();
            discarded.extend((0..15).map(|_| records.create(key, &[1; 50])));
        }
        // Of each page a sixteenth is left, of which then half is retired, and cannot be freed yet.
        discarded.into_iter().for_each(|fresh| records.discard(fresh, &epoch::pin()));
        records.flush(&epoch::pin());
        assert!(eventually(|| {
            records.reclaim();
            records.is_sparse()
        }));
        let guard = &epoch::pin();
        let staying = keys.len() / 2;
        let find = |key: &Vec<u8>| engine.tree.arena.view(guard).search(key, guard).unwrap().1.address();
        let addresses: Vec<_> = keys.iter().map(find).collect();
        for key in keys.iter().skip(staying) {
            assert!(engine.edit(|edit| edit.remove(key)));
        }
        let mut listed = Vec::new();
        while records.sparse_page(guard, |address, _| listed.push(address)) {}
        assert!(listed.iter().all(|listed| addresses[..staying].contains(listed)));
        assert!(!listed.is_empty());
    });
}

#[test]
fn overwriting_with_other_sizes_keeps_memory_near_the_data() {
    within(LIMIT, "overwriting with other sizes keeps memory near the data", || {
        let engine = tree();
        let (keys, rng) = (keys(0..50_000), &mut checks::rng(5));
        for round in 0..3 {
            for key in &keys {
                let len = if round == 0 { 100 } else { rng.random_range(50..=150) };
                engine.set(key, &vec![round; len]).unwrap();
            }
            settle();
        }
        // Beside the 114 bytes of a record: node and header 32, padding 6, room in blocks and pages. While another test keeps the
        // epoch from going on, memory runs behind; it is made good a little with each write that follows.
        let mut again = keys.iter().cycle();
        let near = eventually(|| {
            for key in again.by_ref().take(100) {
                engine.set(key, &vec![3; rng.random_range(50..=150)]).unwrap();
            }
            settle();
            let stats = engine.stats();
            stats.memory_bytes < stats.live_bytes.unwrap() / 100 * 165
        });
        let stats = engine.stats();
        assert!(near, "{} for {:?}", stats.memory_bytes, stats.live_bytes);
        engine.validate().unwrap();
        for key in &keys {
            assert_eq!(engine.delete(key).unwrap(), Existence::Present);
        }
        let given_back = eventually(|| {
            settle();
            engine.stats().memory_bytes < stats.memory_bytes / 10
        });
        assert!(given_back, "{} of {}", engine.stats().memory_bytes, stats.memory_bytes);
    });
}

/// A value that tells whose it is and whether it is whole.
fn whole_value(key: &[u8], round: u32) -> Vec<u8> {
    let mut value = key.to_vec();
    value.resize(key.len() + 8 * (1 + round as usize % 12), round as u8);
    value
}

fn assert_whole(key: &[u8], value: &[u8]) {
    let rest = value.strip_prefix(key).unwrap_or_else(|| panic!("{value:?} under {key:?}"));
    assert!(!rest.is_empty() && rest.iter().all(|byte| byte == &rest[0]), "a torn value: {rest:?}");
    assert_eq!(rest.len(), 8 * (1 + usize::from(rest[0]) % 12), "a torn value: {rest:?}");
}

/// Writers that insert, replace and delete, so that nodes turn, leave and are used again, readers that check each value
/// and that what stays is always found, and a scanner. The common prefix of the keys changes under them.
#[test]
fn readers_are_right_while_the_tree_changes_under_them() {
    within(LIMIT, "readers are right while the tree changes under them", || {
        changing_under_readers(&tree());
        changing_under_readers(&bare_tree());
    });
}

fn changing_under_readers(engine: &RbTree) {
    let (count, rounds) = if cfg!(miri) { (60, 2) } else { (2_000, 20) };
    let keys = &keys(0..count);
    // Even ones stay, odd ones come and go.
    for key in keys.iter().step_by(2) {
        engine.set(key, &whole_value(key, 0)).unwrap();
    }
    let done = &std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 0..2 {
            scope.spawn(move || {
                let (rng, mut found) = (&mut checks::rng(seed), Vec::new());
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let index = rng.random_range(0..keys.len());
                    let present = engine.get(&keys[index], &mut found).unwrap();
                    assert!(present || index % 2 == 1, "{index} is gone");
                    if present {
                        assert_whole(&keys[index], &found);
                    }
                }
            });
        }
        scope.spawn(move || {
            let (mut session, mut many) = (engine.session().unwrap(), GetBuffer::new());
            let stay: Vec<_> = keys.iter().step_by(2).map(Vec::as_slice).collect();
            let mut reverse = false;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let mut range = ScanRange::prefix(b"user");
                range.reverse = reverse;
                let (mut last, mut stayed) = (Vec::new(), 0);
                let scanned = session.scan(&range, &mut |key, value| {
                    assert_whole(key, value);
                    let onward = if reverse { key < last.as_slice() } else { key > last.as_slice() };
                    assert!(last.is_empty() || onward, "a scan that steps back");
                    stayed += usize::from(stay.binary_search(&key).is_ok());
                    last = key.to_vec();
                    ControlFlow::Continue(())
                });
                scanned.unwrap();
                assert_eq!(stayed, stay.len(), "a scan with gaps");
                engine.get_many(&stay, &mut many).unwrap();
                (0..stay.len()).for_each(|index| assert_whole(stay[index], many.get(index).unwrap()));
                reverse = !reverse;
            }
        });
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                scope.spawn(move || {
                    for round in 0..rounds {
                        for (index, key) in keys.iter().enumerate().filter(|(n, _)| n / 2 % 2 == writer) {
                            if index % 2 == 0 {
                                assert!(engine.update(key, &whole_value(key, round)).unwrap());
                            } else {
                                engine.set(key, &whole_value(key, round)).unwrap();
                            }
                        }
                        if writer == 0 {
                            // A key outside the prefix, when the heads are looked over: all change.
                            engine.set(b"a", &whole_value(b"a", round)).unwrap();
                            engine.edit(|edit| edit.refocus());
                            engine.delete(b"a").unwrap();
                            engine.edit(|edit| edit.refocus());
                            engine.compact().unwrap();
                        }
                        for (_, key) in
                            keys.iter().enumerate().filter(|(n, _)| n % 2 == 1 && n / 2 % 2 == writer)
                        {
                            assert_eq!(engine.delete(key).unwrap(), Existence::Present);
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    engine.validate().unwrap();
    assert_eq!(engine.stats().records, keys.len() as u64 / 2);
}

/// Batches that come while a scan or a look-up is under way.
#[test]
fn who_was_under_way_sees_no_half_of_a_batch() {
    within(LIMIT, "who was under way sees no half of a batch", || {
        let rounds = if cfg!(miri) { 5 } else { 3_000 };
        let engine = &tree();
        let keys = &keys(0..if cfg!(miri) { 8 } else { 24 });
        let done = &std::sync::atomic::AtomicBool::new(false);
        // All keys with one value, or none of them; no more than are collected at once.
        std::thread::scope(|scope| {
            for reverse in [false, true] {
                scope.spawn(move || {
                    let mut session = engine.session().unwrap();
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let (mut range, mut seen) = (ScanRange::all().limit(64), Vec::new());
                        range.reverse = reverse;
                        let scanned = session.scan(&range, &mut |_, value| {
                            seen.push(value.to_vec());
                            ControlFlow::Continue(())
                        });
                        scanned.unwrap();
                        assert!(seen.is_empty() || seen.len() == keys.len(), "{} records", seen.len());
                        assert!(seen.iter().all(|value| *value == seen[0]), "values of two batches");
                    }
                });
            }
            // What a batch inserts and removes again is never there.
            scope.spawn(move || {
                let mut found = Vec::new();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(!engine.get(b"passing", &mut found).unwrap());
                    assert!(!engine.update(b"passing", b"by others").unwrap());
                    assert_eq!(engine.delete(b"passing").unwrap(), Existence::Absent);
                }
            });
            for round in 0..rounds {
                let mut batch = WriteBatch::new();
                batch.set(b"passing", b"by");
                for key in keys {
                    if round % 3 == 2 {
                        batch.delete(key)
                    } else {
                        batch.set(key, &whole_value(b"", round))
                    };
                }
                batch.delete(b"passing");
                engine.batch(&batch).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        engine.validate().unwrap();
    });
}

#[test]
fn what_is_not_there_is_not_found_while_the_tree_changes() {
    within(LIMIT, "what is not there is not found while the tree changes", || {
        // A reader that looks for a key which is moved back and forth by one writer sees exactly what that writer says.
        let (count, rounds) = if cfg!(miri) { (40, 2) } else { (500, 60) };
        let engine = &tree();
        let keys = &keys(0..count);
        std::thread::scope(|scope| {
            for thread in 0..4usize {
                scope.spawn(move || {
                    let mut found = Vec::new();
                    for round in 0..rounds {
                        for key in keys.iter().skip(thread).step_by(4) {
                            assert!(!engine.get(key, &mut found).unwrap(), "before its insert");
                            engine.set(key, &whole_value(key, round)).unwrap();
                            assert!(engine.get(key, &mut found).unwrap(), "after its insert");
                            assert_eq!(found, whole_value(key, round));
                        }
                        for key in keys.iter().skip(thread).step_by(4) {
                            assert_eq!(engine.delete(key).unwrap(), Existence::Present);
                            assert!(!engine.get(key, &mut found).unwrap(), "after its delete");
                        }
                    }
                });
            }
        });
        engine.validate().unwrap();
        assert_eq!(engine.stats().records, 0);
    });
}

#[test]
fn many_keys_at_once_are_the_same_as_one_by_one() {
    within(LIMIT, "many keys at once are the same as one by one", || {
        let engine = tree();
        let keys = keys(0..1_000);
        for key in keys.iter().step_by(3) {
            engine.set(key, &whole_value(key, 3)).unwrap();
        }
        let (mut many, mut one) = (GetBuffer::new(), Vec::new());
        for len in [0, 1, 15, 16, 17, 100] {
            let asked: Vec<_> = keys.iter().rev().step_by(7).take(len).map(Vec::as_slice).collect();
            engine.get_many(&asked, &mut many).unwrap();
            for (index, key) in asked.iter().enumerate() {
                let found = engine.get(key, &mut one).unwrap();
                assert_eq!(many.get(index), found.then_some(one.as_slice()));
            }
        }
    });
}

#[test]
fn wrong_shortcuts_mislead_nobody() {
    within(LIMIT, "wrong shortcuts mislead nobody", || {
        let engine = tree();
        let keys = keys(0..500);
        for key in &keys {
            engine.set(key, &whole_value(key, 3)).unwrap();
        }
        for key in keys.iter().step_by(3) {
            engine.delete(key).unwrap();
        }
        for wrong in 0..1_000u32 {
            let guard = &epoch::pin();
            let view = engine.tree.arena.view(guard);
            let key = &keys[wrong as usize % keys.len()];
            // Links to nodes of other keys, to free ones, to the sentinel and to none at all.
            view.shortcuts().unwrap().offer(shortcuts::Shortcuts::hash(key), wrong);
            let mut found = Vec::new();
            let present = !(wrong as usize % keys.len()).is_multiple_of(3);
            assert_eq!(engine.get(key, &mut found).unwrap(), present);
            assert_eq!(found, if present { whole_value(key, 3) } else { vec![] });
            view.shortcuts().unwrap().offer(shortcuts::Shortcuts::hash(key), wrong);
            let mut many = GetBuffer::new();
            engine.get_many(&[key], &mut many).unwrap();
            assert_eq!(many.get(0).is_some(), present);
            assert_eq!(engine.update(key, &whole_value(key, 3)).unwrap(), present);
        }
        engine.validate().unwrap();
    });
}

#[test]
fn broken_invariants_are_found() {
    use node::{Edge, NIL, ROOT, Side, Slot};
    within(LIMIT, "broken invariants are found", || {
        let filled = || {
            let engine = tree();
            for key in keys(0..200) {
                engine.set(&key, b"value").unwrap();
            }
            engine.delete(&keys(5..6)[0]).unwrap();
            engine.edit(|edit| edit.flush_retired());
            settle();
            engine.validate().unwrap();
            engine
        };
        /// The place of the last node, whose edge is red, and that of its parent.
        fn last(edit: &Edit<'_>) -> [Slot; 2] {
            let mut slots = [ROOT; 2];
            let mut slot = ROOT;
            while edit.edge(slot).link() != NIL {
                slots = [slot, slots[0]];
                slot = Slot { node: edit.edge(slot).link(), side: Side::Right };
            }
            assert!(edit.edge(slots[0]).is_red());
            slots
        }
        type Damage = fn(&mut Edit<'_>);
        let breaks: [(&str, Damage); 9] = [
            ("head", |edit| {
                let node = edit.node(edit.view.root()).unwrap();
                node.set_head(node.head() ^ 1);
            }),
            ("both red", |edit| {
                let [_, parent] = last(edit);
                edit.set_edge(parent, edit.edge(parent).coloured(true));
            }),
            ("black nodes", |edit| {
                let [leaf, _] = last(edit);
                edit.set_edge(leaf, edit.edge(leaf).coloured(false));
            }),
            ("the root is red", |edit| edit.set_edge(ROOT, edit.edge(ROOT).coloured(true))),
            ("an edge to nowhere is red", |edit| {
                let link = edit.edge(last(edit)[0]).link();
                edit.set_edge(Slot { node: link, side: Side::Left }, Edge::new(NIL, true));
            }),
            ("out of order", |edit| {
                let node = edit.node(edit.edge(last(edit)[0]).link()).unwrap();
                let fresh = edit.tree.records.create(b"t", &[0; 18]);
                node.fill(edit.view.heads().head(b"t"), fresh.block);
            }),
            ("counted", |edit| edit.tree.count_bytes(1, 0)),
            ("neither in the tree nor free", |edit| edit.set_edge(last(edit)[0], Edge::NIL)),
            ("is dead", |edit| {
                let node = edit.node(edit.view.root()).unwrap();
                records::Records::of(node, edit.guard).unwrap().kill();
            }),
        ];
        for (expected, damage) in breaks {
            let engine = filled();
            engine.edit(damage);
            if expected.starts_with("neither") {
                engine.tree.len.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
                engine.tree.count_bytes(0, 19);
            }
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
