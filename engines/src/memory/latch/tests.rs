//! What the latch says to one thread, and that several never see half a change.

use super::*;
use crate::testing::within;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn a_version_holds_until_a_change() {
    let latch = VersionLatch::new();
    let version = latch.read().expect("a free latch");
    assert!(latch.holds(version) && !latch.is_locked());
    assert!(latch.lock() && latch.is_locked());
    assert!(!latch.holds(version), "a version holds while somebody writes");
    latch.unlock();
    assert!(!latch.holds(version) && !latch.upgrade(version), "a version holds after a change");
    let later = latch.read().expect("a free latch");
    assert_ne!(later, version);
    assert!(latch.upgrade(later));
    assert!(!latch.upgrade(later), "two writers");
    latch.unlock_unchanged();
    assert!(latch.holds(later) && !latch.is_locked(), "nothing was changed");
}

#[test]
fn an_obsolete_latch_stays_so() {
    let latch = VersionLatch::new();
    let version = latch.read().expect("a free latch");
    assert!(latch.lock());
    latch.unlock_obsolete();
    assert_eq!(latch.read(), None);
    assert!(!latch.lock() && !latch.upgrade(version) && !latch.holds(version) && !latch.is_locked());
}

#[test]
fn a_zero_word_is_a_free_latch_and_bit_63_stays_clear() {
    let word = Word::new(0);
    let latch = VersionLatch::of(&word);
    for _ in 0..9 {
        assert!(latch.lock());
        assert_eq!(word.load(Ordering::Relaxed) >> 63, 0);
        latch.unlock();
    }
    assert!(latch.lock());
    latch.unlock_obsolete();
    assert_eq!(word.load(Ordering::Relaxed), (10 * STEP) | OBSOLETE);
}

/// Writers keep two words equal and count in them; readers take only what a version held for.
#[test]
fn readers_never_accept_half_a_change() {
    const WRITERS: usize = 2;
    const READERS: usize = 2;
    let rounds: u64 = if cfg!(miri) { 20 } else { 20_000 };
    within(LIMIT, "readers beside writers", move || {
        let (latch, pair) = (VersionLatch::new(), [Word::new(0), Word::new(0)]);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (latch, pair) = (&latch, &pair);
                scope.spawn(move || {
                    for round in 0..rounds {
                        // Both ways of becoming the writer.
                        if (round + writer as u64).is_multiple_of(2) {
                            assert!(latch.lock());
                        } else {
                            while !latch.upgrade(latch.read().expect("not obsolete")) {
                                thread::yield_now();
                            }
                        }
                        let count = pair[0].load(Ordering::Relaxed) + 1;
                        pair[0].store(count, Ordering::Relaxed);
                        pair[1].store(count, Ordering::Relaxed);
                        latch.unlock();
                    }
                });
            }
            for _ in 0..READERS {
                scope.spawn(|| {
                    let mut last = 0;
                    while last < rounds * WRITERS as u64 {
                        let version = latch.read().expect("not obsolete");
                        let seen = [pair[0].load(Ordering::Relaxed), pair[1].load(Ordering::Relaxed)];
                        if latch.holds(version) {
                            assert_eq!(seen[0], seen[1], "half a change");
                            assert!(seen[0] >= last, "back from {last} to {}", seen[0]);
                            last = seen[0];
                        } else {
                            thread::yield_now();
                        }
                    }
                });
            }
        });
        assert_eq!(pair[0].load(Ordering::Relaxed), rounds * WRITERS as u64, "a writer was lost");
    });
}
