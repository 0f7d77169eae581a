//! Models of the version latch.

use super::shared_words;
use crate::memory::latch::VersionLatch;
use crate::memory::words::Word;
use crate::sync::Ordering::Relaxed;
use loom::thread;

/// Word 0 is the latch, 1 and 2 a pair that it keeps equal.
fn raise(words: &[Word; 3]) {
    let value = words[1].load(Relaxed) + 1;
    words[1].store(value, Relaxed);
    words[2].store(value, Relaxed);
}

#[test]
fn a_reader_never_accepts_half_a_change() {
    loom::model(|| {
        let words = shared_words::<3>();
        let writer = {
            let words = words.clone();
            thread::spawn(move || {
                let latch = VersionLatch::of(&words[0]);
                assert!(latch.lock());
                raise(&words);
                latch.unlock();
            })
        };
        let latch = VersionLatch::of(&words[0]);
        if let Some(version) = latch.read() {
            let pair = [words[1].load(Relaxed), words[2].load(Relaxed)];
            assert!(!latch.holds(version) || pair[0] == pair[1], "half a change was accepted");
        }
        writer.join().unwrap();
        let version = latch.read().unwrap();
        assert_eq!([words[1].load(Relaxed), words[2].load(Relaxed)], [1, 1]);
        assert!(latch.holds(version));
    });
}

/// A reader that sees the later version sees what was written before it.
#[test]
fn a_reader_of_a_later_version_sees_the_change() {
    loom::model(|| {
        let words = shared_words::<3>();
        let before = VersionLatch::of(&words[0]).read().unwrap();
        let writer = {
            let words = words.clone();
            thread::spawn(move || {
                let latch = VersionLatch::of(&words[0]);
                assert!(latch.upgrade(before));
                raise(&words);
                latch.unlock();
            })
        };
        let latch = VersionLatch::of(&words[0]);
        let version = latch.read().unwrap();
        let seen = words[2].load(Relaxed);
        if latch.holds(version) {
            assert_eq!(
                seen,
                u64::from(version != before),
                "the version and the value do not belong together"
            );
        }
        writer.join().unwrap();
    });
}

#[test]
fn writers_exclude_each_other() {
    loom::model(|| {
        let words = shared_words::<3>();
        let version = VersionLatch::of(&words[0]).read().unwrap();
        let upgrading = {
            let words = words.clone();
            thread::spawn(move || {
                let latch = VersionLatch::of(&words[0]);
                let taken = latch.upgrade(version);
                if taken {
                    raise(&words);
                    latch.unlock();
                }
                taken
            })
        };
        let latch = VersionLatch::of(&words[0]);
        assert!(latch.lock());
        raise(&words);
        latch.unlock();
        let upgraded = upgrading.join().unwrap();
        assert_eq!(words[1].load(Relaxed), 1 + u64::from(upgraded), "a change was lost");
        assert!(!latch.upgrade(version), "an old version became the lock");
    });
}

/// Of two that read the same version, one at most becomes the writer.
#[test]
fn a_version_is_upgraded_once() {
    loom::model(|| {
        let words = shared_words::<3>();
        let version = VersionLatch::of(&words[0]).read().unwrap();
        let attempt = move |words: &[Word; 3]| {
            let latch = VersionLatch::of(&words[0]);
            let taken = latch.upgrade(version);
            if taken {
                raise(words);
                latch.unlock();
            }
            taken
        };
        let other = {
            let words = words.clone();
            thread::spawn(move || attempt(&words))
        };
        let mine = attempt(&words);
        assert!(mine != other.join().unwrap(), "one of two must succeed, not both");
        assert_eq!(words[1].load(Relaxed), 1);
    });
}

/// Word 1 leads to what the latch protects; it is cut before the latch becomes obsolete.
#[test]
fn who_finds_the_latch_in_use_finds_it_linked() {
    loom::model(|| {
        let words = shared_words::<3>();
        words[1].store(1, Relaxed);
        let remover = {
            let words = words.clone();
            thread::spawn(move || {
                let latch = VersionLatch::of(&words[0]);
                assert!(latch.lock());
                words[1].store(0, Relaxed);
                latch.unlock_obsolete();
            })
        };
        let latch = VersionLatch::of(&words[0]);
        if let Some(version) = latch.read() {
            let link = words[1].load(Relaxed);
            assert!(!latch.holds(version) || link == 1, "an unlinked node was taken for a linked one");
        }
        remover.join().unwrap();
        assert!(latch.read().is_none() && !latch.lock());
    });
}
