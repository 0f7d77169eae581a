//! Several threads at work, with nodes so small that they are split and merged all the time.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::scope;

const THREADS: u32 = 4;

/// Small trees by entries and by bytes.
fn small_trees() -> [BTree; 3] {
    [with_order(3), with_order(8), with_size(512)]
}

#[test]
fn each_thread_finds_what_it_wrote() {
    within(LIMIT, "each thread finds what it wrote", || {
        for tree in small_trees() {
            let models: Vec<Model> = scope(|threads| {
                let workers: Vec<_> = (0..THREADS)
                    .map(|thread| {
                        threads.spawn({
                            let tree = &tree;
                            move || own_keys(tree, thread)
                        })
                    })
                    .collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).collect()
            });
            assert_same(&tree, &models.into_iter().flatten().collect());
            let changes = ["splits", "merges", "borrows"].map(|change| detail(&tree, change));
            assert!(changes.iter().all(|count| *count > 20.0), "{changes:?}");
        }
    });
}

/// Works on the keys that are `thread` modulo the number of threads, interleaved with those of the others in all leaves.
fn own_keys(tree: &BTree, thread: u32) -> Model {
    let mut rng = rng(u64::from(thread));
    let mut model = Model::new();
    let mut value = Vec::new();
    let mut chunk = Chunk::new();
    for step in 0..6_000_u32 {
        let n = rng.random_range(0..400) * THREADS + thread;
        let key = format!("key{n:05}").into_bytes();
        // Phases of growth and of decline, shifted between the threads.
        let deletes = if (step / 1_000 + thread).is_multiple_of(2) { 25 } else { 65 };
        match rng.random_range(0..100) {
            draw if draw < deletes => {
                assert_eq!(tree.delete(&key).unwrap(), model.remove(&key).is_some().into());
            }
            draw if draw < 85 => {
                let new = step.to_be_bytes().repeat(rng.random_range(1..8));
                tree.set(&key, &new).unwrap();
                model.insert(key, new);
            }
            draw if draw < 88 => {
                let mut batch = WriteBatch::new();
                for _ in 0..20 {
                    let key = format!("key{:05}", rng.random_range(0..400) * THREADS + thread).into_bytes();
                    if rng.random() {
                        batch.set(&key, b"batch");
                        model.insert(key, b"batch".to_vec());
                    } else {
                        batch.delete(&key);
                        model.remove(&key);
                    }
                }
                tree.batch(&batch).unwrap();
            }
            draw if draw < 90 => {
                // Of its own keys, a scan must show exactly the model; those of the others come and go.
                let mut range = ScanRange::from(&key).limit(60);
                range.reverse = rng.random();
                let (mut own, mut last) = (Vec::new(), None);
                tree.scan(&range, &mut chunk, &mut |key, value| {
                    let n: u32 = std::str::from_utf8(&key[3..]).unwrap().parse().unwrap();
                    if n % THREADS == thread {
                        own.push((key.to_vec(), value.to_vec()));
                    }
                    last = Some(key.to_vec());
                    ControlFlow::Continue(())
                })
                .unwrap();
                if let Some(last) = last {
                    let (low, high) = if range.reverse { (last, b"l".to_vec()) } else { (key.clone(), last) };
                    if range.reverse {
                        own.reverse();
                    }
                    let expected = model.range(low..=high).map(|(k, v)| (k.clone(), v.clone()));
                    assert_eq!(own, expected.collect::<Vec<_>>());
                }
            }
            _ => {
                assert_eq!(tree.get(&key, &mut value).unwrap(), model.contains_key(&key));
                assert_eq!(&value, model.get(&key).unwrap_or(&Vec::new()));
            }
        }
    }
    model
}

/// Times that the writers below have made the tree grow or shrink before the scans may end, both together.
const PHASES: u64 = 12;

#[test]
fn scans_miss_no_key_that_stays() {
    within(LIMIT, "scans miss no key that stays", || {
        for tree in small_trees() {
            let stays = |n: u32| n.is_multiple_of(10);
            let key = |n: u32| format!("key{n:05}").into_bytes();
            for n in (0..2_000).filter(|n| stays(*n)) {
                tree.set(&key(n), b"stays").unwrap();
            }
            let (running, phases) = (AtomicU64::new(2), AtomicU64::new(0));
            scope(|threads| {
                let (tree, running, phases) = (&tree, &running, &phases);
                for thread in 0..2 {
                    threads.spawn(move || {
                        let mut rng = rng(50 + thread);
                        let mut grows = true;
                        // Grows and shrinks the tree until the scanners have seen enough.
                        while running.load(Relaxed) > 0 {
                            for _ in 0..1_500 {
                                let n = rng.random_range(0..2_000);
                                if stays(n) {
                                    tree.update(&key(n), b"stays").unwrap();
                                } else if grows {
                                    tree.set(&key(n), &vec![1; rng.random_range(0..30)]).unwrap();
                                } else {
                                    tree.delete(&key(n)).unwrap();
                                }
                            }
                            grows = !grows;
                            phases.fetch_add(1, Relaxed);
                        }
                    });
                }
                for reverse in [false, true] {
                    threads.spawn(move || {
                        let _running = Running(running);
                        let mut chunk = Chunk::new();
                        // However the threads are run, the tree has grown and shrunk several times meanwhile.
                        for _ in (0..).take_while(|scans| *scans < 60 || phases.load(Relaxed) < PHASES) {
                            let (mut seen, mut last): (u32, Option<Vec<u8>>) = (0, None);
                            let mut range = ScanRange::all();
                            range.reverse = reverse;
                            tree.scan(&range, &mut chunk, &mut |key, value| {
                                if let Some(last) = &last {
                                    assert!(if reverse { &last[..] > key } else { &last[..] < key });
                                }
                                last = Some(key.to_vec());
                                seen += u32::from(value == b"stays");
                                ControlFlow::Continue(())
                            })
                            .unwrap();
                            assert_eq!(seen, 200);
                            tree.stats();
                        }
                    });
                }
            });
            tree.validate().unwrap();
            let changes = ["splits", "merges", "borrows"].map(|change| detail(&tree, change));
            assert!(changes.iter().all(|count| *count > 20.0), "{changes:?}");
        }
    });
}

/// Counts down when its thread ends, by a failed assertion too, so that nobody waits for it in vain.
struct Running<'a>(&'a AtomicU64);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[test]
fn writers_on_one_key_leave_one_of_their_values() {
    within(LIMIT, "writers on one key leave one of their values", || {
        for tree in small_trees() {
            let existed = AtomicU64::new(0);
            let inserted = AtomicU64::new(0);
            scope(|threads| {
                for thread in 0..THREADS {
                    let (tree, existed, inserted) = (&tree, &existed, &inserted);
                    threads.spawn(move || {
                        let mut value = Vec::new();
                        for step in 0..2_000_u32 {
                            let key = (step % 7).to_be_bytes();
                            if step % 3 == thread % 3 {
                                if tree.delete(&key).unwrap() == Existence::Present {
                                    existed.fetch_add(1, Relaxed);
                                }
                            } else if !tree.write(&epoch::pin(), &Write::set(&key, &[thread as u8; 40])) {
                                inserted.fetch_add(1, Relaxed);
                            }
                            if tree.get(&key, &mut value).unwrap() {
                                assert!(value.len() == 40 && value.iter().all(|byte| *byte == value[0]));
                            }
                        }
                    });
                }
            });
            tree.validate().unwrap();
            assert_eq!(tree.stats().records, inserted.load(Relaxed) - existed.load(Relaxed));
        }
    });
}

/// Each value says which key it belongs to, and is of one piece; its length changes, so that leaves are rearranged and values
/// move between page and block.
#[test]
fn readers_see_whole_values_while_the_shape_changes() {
    within(LIMIT, "readers see whole values while the shape changes", || {
        for tree in small_trees() {
            let key = |n: u32| format!("key{n:05}").into_bytes();
            let value =
                |n: u32, step: u32, len: usize| [n.to_be_bytes(), step.to_be_bytes()].concat().repeat(len);
            let whole = |key: &[u8], value: &[u8]| {
                let n: u32 = std::str::from_utf8(&key[3..]).unwrap().parse().unwrap();
                assert!(!value.is_empty() && value.len().is_multiple_of(8) && value[..4] == n.to_be_bytes());
                assert!(value.chunks(8).all(|chunk| *chunk == value[..8]), "a torn value");
            };
            for n in 0..500 {
                tree.set(&key(n), &value(n, 0, 1)).unwrap();
            }
            let running = AtomicU64::new(2);
            scope(|threads| {
                let (tree, running) = (&tree, &running);
                for thread in 0..2 {
                    threads.spawn(move || {
                        let _running = Running(running);
                        let mut rng = rng(70 + thread);
                        for step in 0..8_000 {
                            let n = rng.random_range(0..500);
                            match rng.random_range(0..10) {
                                0..3 => drop(tree.delete(&key(n)).unwrap()),
                                draw => {
                                    let len = if draw == 9 { 60 } else { rng.random_range(1..6) };
                                    tree.set(&key(n), &value(n, step, len)).unwrap();
                                }
                            }
                        }
                    });
                }
                for thread in 0..2 {
                    threads.spawn(move || {
                        let mut rng = rng(80 + thread);
                        let (mut found, mut many) = (Vec::new(), GetBuffer::new());
                        while running.load(Relaxed) > 0 {
                            let keys: Vec<Vec<u8>> = (0..20).map(|_| key(rng.random_range(0..500))).collect();
                            if tree.get(&keys[0], &mut found).unwrap() {
                                whole(&keys[0], &found);
                            }
                            let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                            tree.get_many(&borrowed, &mut many).unwrap();
                            for (index, key) in keys.iter().enumerate() {
                                many.get(index).into_iter().for_each(|value| whole(key, value));
                            }
                            let mut range = ScanRange::from(&keys[0]).limit(100);
                            range.reverse = rng.random();
                            let mut last: Option<Vec<u8>> = None;
                            tree.scan(&range, &mut Chunk::new(), &mut |key, value| {
                                whole(key, value);
                                let right = last.as_deref().is_none_or(|last| (last < key) != range.reverse);
                                assert!(right, "out of order");
                                last = Some(key.to_vec());
                                ControlFlow::Continue(())
                            })
                            .unwrap();
                        }
                    });
                }
            });
            tree.validate().unwrap();
        }
    });
}

#[test]
fn leaves_that_change_while_they_are_counted_are_counted_once() {
    within(LIMIT, "leaves that change while they are counted are counted once", || {
        let tree = with_size(512);
        let key = |n: u32| n.to_be_bytes();
        (0..400).for_each(|n| tree.set(&key(n), &[0; 30]).unwrap());
        let leaves = detail(&tree, "leaves");
        let (counting, written) = (AtomicU64::new(1), AtomicU64::new(0));
        scope(|threads| {
            for thread in 0..THREADS {
                let (tree, counting, written) = (&tree, &counting, &written);
                threads.spawn(move || {
                    // Values of one length, so that no shape changes.
                    for n in (0..400).cycle() {
                        tree.set(&key(n), &[thread as u8; 30]).unwrap();
                        written.fetch_add(1, Relaxed);
                        if counting.load(Relaxed) == 0 {
                            break;
                        }
                    }
                });
            }
            let (tree, counting, written) = (&tree, &counting, &written);
            threads.spawn(move || {
                let _counting = Running(counting);
                // However the threads are run, many leaves have changed meanwhile.
                for _ in (0..).take_while(|counts| *counts < 300 || written.load(Relaxed) < 1_000_000) {
                    assert_eq!(detail(tree, "leaves"), leaves);
                }
            });
        });
    });
}
