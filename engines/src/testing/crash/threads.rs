//! Cuts of the power while several threads write and snapshots are written.

use super::subject::{CrashSubject, records};
use crate::engine::Durability;
use crate::env::sim::{Persistence, SimFileSystem, SimRandom};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// What was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ThreadCuts {
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Images that were opened.
    pub images: u64,
    /// Snapshots that were written meanwhile.
    pub snapshots: u64,
}

const THREADS: u64 = 4;
/// Keys of each thread, written one after the other, round and round.
const KEYS: u64 = 5;
/// Writes of each thread between two cuts, at most: neither the writers nor who looks runs ahead.
const WRITES_PER_IMAGE: u64 = 20;

/// The n-th write of a thread: its key and its value, in which lies n.
fn write(thread: u64, number: u64) -> (Vec<u8>, Vec<u8>) {
    let key = format!("thread {thread} key {}", number % KEYS).into_bytes();
    let mut value = number.to_le_bytes().to_vec();
    value.resize(8 + (number * 13 % 90) as usize, thread as u8);
    (key, value)
}

/// Lets threads write keys of their own, and cuts the power at any time.
///
/// # Panics
/// If a thread's writes are not there up to one that is no earlier than the last it had an acknowledgement of, or there is anything else.
pub fn power_cuts_among_threads(subject: &CrashSubject, images: u64, seed: u64) -> ThreadCuts {
    let system = SimFileSystem::new();
    let engine = subject.open(&system).expect("a new store");
    let acknowledged: [AtomicU64; THREADS as usize] = Default::default();
    let (budget, is_done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut cuts = ThreadCuts::default();
    let (engine, acknowledged, budget, is_done) = (&*engine, &acknowledged, &budget, &is_done);
    thread::scope(|scope| {
        // Threads end also when an image is found wrong.
        let _ends = Ending(is_done);
        let writers: Vec<_> = (0..THREADS)
            .map(|writer| {
                scope.spawn(move || {
                    let mut session = engine.session().expect("a session");
                    for number in 1.. {
                        while budget.load(Ordering::SeqCst) < number {
                            if is_done.load(Ordering::SeqCst) {
                                return number - 1;
                            }
                            thread::yield_now();
                        }
                        let (key, value) = write(writer, number);
                        session.set(&key, &value).expect("set");
                        acknowledged[writer as usize].store(number, Ordering::SeqCst);
                    }
                    0
                })
            })
            .collect();
        let snapshots = scope.spawn(move || {
            let mut count = 0;
            while !is_done.load(Ordering::SeqCst) {
                engine.snapshot().expect("a snapshot");
                count += 1;
                thread::yield_now();
            }
            count
        });
        let mut random = SimRandom::new(seed);
        while cuts.images < images && writers.iter().all(|writer| !writer.is_finished()) {
            budget.fetch_add(WRITES_PER_IMAGE, Ordering::SeqCst);
            (0..random.below(100)).for_each(|_| thread::yield_now());
            let before: Vec<_> = acknowledged.iter().map(|number| number.load(Ordering::SeqCst)).collect();
            let kind = Persistence::ALL[random.below(Persistence::ALL.len())];
            let image = system.image(kind, &mut random);
            check(subject, &image, &before, kind);
            cuts.images += 1;
        }
        is_done.store(true, Ordering::SeqCst);
        cuts.writes = writers.into_iter().map(|writer| writer.join().expect("no panic")).sum();
        cuts.snapshots = snapshots.join().expect("no panic");
    });
    cuts
}

/// Lets the others end when it is dropped.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Each thread's keys must be as after one of its writes.
fn check(subject: &CrashSubject, image: &SimFileSystem, acknowledged: &[u64], kind: Persistence) {
    let what = format!("{kind:?} among threads");
    let engine = subject.open(image).unwrap_or_else(|error| panic!("{}: {what}: {error}", subject.name()));
    let mut found = records(&*engine);
    for (thread, acknowledged) in (0..THREADS).zip(acknowledged) {
        let keys = (1..=KEYS).map(|number| write(thread, number).0);
        let shown: Vec<_> = keys.filter_map(|key| found.remove(&key).map(|value| (key, value))).collect();
        let number_of = |value: &[u8]| u64::from_le_bytes(value[..8].try_into().expect("eight bytes"));
        let last = shown.iter().map(|(_, value)| number_of(value)).max().unwrap_or(0);
        let least = if subject.class() == Durability::Sync { *acknowledged } else { 0 };
        assert!(
            last >= least,
            "{}: {what}: thread {thread} ends at {last}, {acknowledged} were acknowledged",
            subject.name()
        );
        // What is there is what its writes up to the last one left.
        let first = last.saturating_sub(KEYS - 1).max(1);
        let mut expected: Vec<_> = (first..=last).map(|number| write(thread, number)).collect();
        expected.sort();
        let mut shown = shown;
        shown.sort();
        assert!(shown == expected, "{}: {what}: thread {thread}: a hole before write {last}", subject.name());
    }
    assert!(found.is_empty(), "{}: {what}: keys that nobody wrote", subject.name());
}
