//! What the traits cost the peers: each engine against a bare loop on its crate, in turns, in one process.
//!
//! `cargo bench -p engines --features peers-memory --bench peers -- [NAME…]`. Prints the time of the engine over the time of the bare
//! loop for reads, updates that are read back, and scans of 50: the median of the turns and the middle half of them.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and fails by panicking"
)]

use crossbeam::epoch;
use crossbeam_skiplist::SkipList;
use engines::entry::OpenOptions;
use engines::{ScanRange, Session, registry};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use intrusive_collections::{Bound as At, KeyAdapter, RBTree, RBTreeLink, intrusive_adapter};
use parking_lot::RwLock;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::hint::black_box;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: usize = 1_000_000;
/// Many and short, so that a turn is seldom interrupted and the median is of whole ones.
const TURNS: usize = 401;
const SCANNED: usize = 50;

type Bytes = Box<[u8]>;
type Pair = (Bytes, Bytes);

/// The crate in a loop of its own.
trait Bare {
    fn set(&mut self, key: &[u8], value: &[u8]);
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool;
    fn update(&self, key: &[u8], value: &[u8]) -> bool;
    fn scan(&self, from: &[u8], out: &mut Vec<u8>) -> usize;
}

fn copy(value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(value);
}

/// What a scan is for: both are read.
fn deliver(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

struct Latched<M>(RwLock<M>);

impl Bare for Latched<BTreeMap<Bytes, Bytes>> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.write().insert(key.into(), value.into());
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.0.read().get(key).map(|value| copy(value, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.0.write().get_mut(key).map(|place| place.copy_from_slice(value)).is_some()
    }
    fn scan(&self, from: &[u8], out: &mut Vec<u8>) -> usize {
        let map = self.0.read();
        let records = map.range::<[u8], _>((Bound::Included(from), Bound::Unbounded)).take(SCANNED);
        records.map(|(key, value)| deliver(key, value, out)).count()
    }
}

impl Bare for Latched<HashMap<Bytes, Bytes, FixedState>> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.write().insert(key.into(), value.into());
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.0.read().get(key).map(|value| copy(value, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.0.write().get_mut(key).map(|place| place.copy_from_slice(value)).is_some()
    }
    fn scan(&self, _: &[u8], _: &mut Vec<u8>) -> usize {
        0
    }
}

struct Sharded(Vec<RwLock<HashTable<Pair>>>);

impl Bare for Sharded {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        let hash = |key: &[u8]| FixedState::default().hash_one(key);
        let shard = &self.0[(hash(key) << 7 >> 58) as usize];
        let rehash = |record: &Pair| hash(&record.0);
        shard.write().insert_unique(hash(key), (key.into(), value.into()), rehash);
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        let hash = FixedState::default().hash_one(key);
        let shard = self.0[(hash << 7 >> 58) as usize].read();
        shard.find(hash, |record| *record.0 == *key).map(|record| copy(&record.1, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let hash = FixedState::default().hash_one(key);
        let mut shard = self.0[(hash << 7 >> 58) as usize].write();
        shard
            .find_mut(hash, |record| *record.0 == *key)
            .map(|record| record.1.copy_from_slice(value))
            .is_some()
    }
    fn scan(&self, _: &[u8], _: &mut Vec<u8>) -> usize {
        0
    }
}

impl Bare for dashmap::DashMap<Bytes, Bytes, FixedState> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.insert(key.into(), value.into());
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.get(key).map(|value| copy(&value, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.get_mut(key).map(|mut place| place.copy_from_slice(value)).is_some()
    }
    fn scan(&self, _: &[u8], _: &mut Vec<u8>) -> usize {
        0
    }
}

impl Bare for papaya::HashMap<Bytes, Bytes, FixedState> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.pin().insert(key.into(), value.into());
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.pin().get(key).map(|value| copy(value, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.pin().update(key.into(), |_| value.into()).is_some()
    }
    fn scan(&self, _: &[u8], _: &mut Vec<u8>) -> usize {
        0
    }
}

impl Bare for scc::HashMap<Bytes, Bytes, FixedState> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.upsert_sync(key.into(), value.into());
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.read_sync(key, |_, value| copy(value, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.update_sync(key, |_, place| place.copy_from_slice(value)).is_some()
    }
    fn scan(&self, _: &[u8], _: &mut Vec<u8>) -> usize {
        0
    }
}

impl Bare for scc::TreeIndex<Arc<[u8]>, Arc<[u8]>> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.upsert_sync(key.into(), value.into());
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.peek_with(key, |_, value| copy(value, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let Some(key) = self.peek_with(key, |key, _| Arc::clone(key)) else { return false };
        self.upsert_sync(key, value.into());
        true
    }
    fn scan(&self, from: &[u8], out: &mut Vec<u8>) -> usize {
        let guard = scc::Guard::new();
        let records = self.range::<[u8], _>((Bound::Included(from), Bound::Unbounded), &guard).take(SCANNED);
        records.map(|(key, value)| deliver(key, value, out)).count()
    }
}

impl Bare for ferntree::Tree<Arc<[u8]>, Arc<[u8]>> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.insert_defer(key.into(), value.into());
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.get_optimistic(key).map(|value| copy(&value, out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let mut leaf = self.raw_iter_mut();
        leaf.seek_exact(key) && leaf.next().map(|(_, place)| *place = value.into()).is_some()
    }
    fn scan(&self, from: &[u8], out: &mut Vec<u8>) -> usize {
        let mut records = self.range::<[u8]>(Bound::Included(from), Bound::Unbounded);
        let mut visited = 0;
        while visited < SCANNED
            && let Some((key, value)) = records.next()
        {
            deliver(key, value, out);
            visited += 1;
        }
        visited
    }
}

impl Bare for SkipList<Bytes, RwLock<Bytes>> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        let guard = &epoch::pin();
        self.insert(key.into(), RwLock::new(value.into()), guard).release(guard);
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.get(key, &epoch::pin()).map(|entry| copy(&entry.value().read(), out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let guard = &epoch::pin();
        self.get(key, guard).map(|entry| entry.value().write().copy_from_slice(value)).is_some()
    }
    fn scan(&self, from: &[u8], out: &mut Vec<u8>) -> usize {
        let guard = &epoch::pin();
        let records = self.range::<[u8], _>((Bound::Included(from), Bound::Unbounded), guard).take(SCANNED);
        records.map(|entry| deliver(entry.key(), &entry.value().read(), out)).count()
    }
}

struct Node {
    link: RBTreeLink,
    key: Bytes,
    /// Exchangeable without exclusive access: this loop runs on one thread.
    value: std::cell::RefCell<Bytes>,
}

intrusive_adapter!(Nodes = Box<Node>: Node { link => RBTreeLink });

impl<'a> KeyAdapter<'a> for Nodes {
    type Key = &'a [u8];
    fn get_key(&self, node: &'a Node) -> &'a [u8] {
        &node.key
    }
}

impl Bare for Latched<RBTree<Nodes>> {
    fn set(&mut self, key: &[u8], value: &[u8]) {
        let value = std::cell::RefCell::new(value.into());
        self.0.write().insert(Box::new(Node { link: RBTreeLink::new(), key: key.into(), value }));
    }
    fn get(&self, key: &[u8], out: &mut Vec<u8>) -> bool {
        self.0.read().find(key).get().map(|node| copy(&node.value.borrow(), out)).is_some()
    }
    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let mut tree = self.0.write();
        let at = tree.find_mut(key);
        at.get().map(|node| node.value.borrow_mut().copy_from_slice(value)).is_some()
    }
    fn scan(&self, from: &[u8], out: &mut Vec<u8>) -> usize {
        let tree = self.0.read();
        let mut at = tree.lower_bound(At::Included(from));
        let mut visited = 0;
        while visited < SCANNED
            && let Some(node) = at.get()
        {
            deliver(&node.key, &node.value.borrow(), out);
            visited += 1;
            at.move_next();
        }
        visited
    }
}

fn key(n: usize, out: &mut Vec<u8>) {
    use std::io::Write;
    out.clear();
    let hashed = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    write!(out, "user{hashed:020}").unwrap();
}

/// Nanoseconds an operation.
fn timed(operations: usize, mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64() * 1e9 / operations as f64
}

fn compare<B: Bare>(name: &str, mut bare: B) {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
        return;
    }
    let engine = registry::open(name, &OpenOptions::default()).unwrap();
    let mut session = engine.session().unwrap();
    let mut bytes = Vec::new();
    for n in 0..RECORDS {
        key(n, &mut bytes);
        bare.set(&bytes, &[1; 100]);
        session.set(&bytes, &[1; 100]).unwrap();
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut turns: [Vec<(f64, f64)>; 3] = Default::default();
    for turn in 0..TURNS {
        for (kind, operations) in [(0, 500), (1, 500), (2, 50)] {
            let mut draw = || -> Vec<Vec<u8>> {
                (0..operations)
                    .map(|_| {
                        key(random.random_range(0..RECORDS), &mut bytes);
                        bytes.clone()
                    })
                    .collect()
            };
            let (for_bare, for_engine) = (draw(), draw());
            let mut of_bare = 0.0;
            let mut of_engine = 0.0;
            // Whoever is first alternates.
            for second in 0..2 {
                if (turn + second) % 2 == 0 {
                    of_bare = timed(operations, || loop_bare(&bare, kind, &for_bare));
                } else {
                    of_engine = timed(operations, || loop_engine(&mut *session, kind, &for_engine));
                }
            }
            turns[kind].push((of_bare, of_engine));
        }
    }
    let ordered = registry::find(name).unwrap().capabilities.ordered_scan;
    for (what, turns) in ["read", "update", "scan"].iter().zip(turns).take(if ordered { 3 } else { 2 }) {
        let sorted = |of: fn(&(f64, f64)) -> f64| {
            let mut figures: Vec<f64> = turns.iter().map(of).collect();
            figures.sort_by(f64::total_cmp);
            [figures[TURNS / 4], figures[TURNS / 2], figures[TURNS * 3 / 4]]
        };
        let [low, middle, high] = sorted(|(bare, engine)| engine / bare);
        let [bare, engine] = [sorted(|turn| turn.0)[1], sorted(|turn| turn.1)[1]];
        println!(
            "{name:20} {what:7} {middle:5.2} ({low:.2}–{high:.2})   bare {bare:6.0} ns, engine {engine:6.0} ns"
        );
    }
}

/// The keys one after the other, each to be had only when the operation before has ended, as in a program that does something
/// with the answer: else a processor overlaps the misses of several rounds of a short loop, and what is compared is how many fit.
fn in_turn(keys: &[Vec<u8>], mut operate: impl FnMut(&[u8]) -> usize) {
    let (nothing, mut last) = (black_box(0), 0);
    for index in 0..keys.len() {
        last = operate(&keys[index ^ (last & nothing)]);
    }
}

fn loop_bare(bare: &impl Bare, kind: usize, keys: &[Vec<u8>]) {
    let mut out = vec![0];
    in_turn(keys, |key| {
        match kind {
            0 => assert!(bare.get(key, &mut out)),
            1 => assert!(bare.update(key, black_box(&[2; 100])) && bare.get(key, &mut out)),
            _ => return bare.scan(key, &mut out),
        }
        usize::from(out[0])
    });
}

fn loop_engine(session: &mut dyn Session, kind: usize, keys: &[Vec<u8>]) {
    let mut out = vec![0];
    in_turn(keys, |key| {
        match kind {
            0 => assert!(session.get(key, &mut out).unwrap()),
            1 => assert!(
                session.update(key, black_box(&[2; 100])).unwrap() && session.get(key, &mut out).unwrap()
            ),
            _ => {
                let visit = &mut |key: &[u8], value: &[u8]| {
                    deliver(key, value, &mut out);
                    ControlFlow::Continue(())
                };
                // Engines without order refuse, and are not asked what it took.
                return session.scan(&ScanRange::from(key).limit(SCANNED), visit).unwrap_or(0) as usize;
            }
        }
        usize::from(out[0])
    });
}

fn main() {
    compare("std-btreemap", Latched(RwLock::new(BTreeMap::new())));
    compare("std-hashmap", Latched(RwLock::new(HashMap::default())));
    compare("sharded-hashbrown", Sharded((0..64).map(|_| RwLock::new(HashTable::new())).collect()));
    compare("dashmap", dashmap::DashMap::default());
    compare("papaya", papaya::HashMap::default());
    compare("scc-hashmap", scc::HashMap::default());
    compare("scc-treeindex", scc::TreeIndex::new());
    compare("ferntree", ferntree::Tree::new());
    compare("crossbeam-skiplist", SkipList::new(epoch::default_collector().clone()));
    compare("intrusive-rbtree", Latched(RwLock::new(RBTree::default())));
}
