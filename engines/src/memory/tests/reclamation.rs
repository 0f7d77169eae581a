//! A model of what the engines rely on when they retire a block: unlink it, then let it be used again only when no reader who
//! was pinned before can look at it any more. The epoch itself is crossbeam's; here it is one reader's announcement, which
//! is what an epoch is about.

use super::shared_words;
use crate::memory::words::Word;
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::fence;
use loom::thread;

/// Where a reader says that it is pinned.
const PINNED: usize = 0;
/// The pointer of the structure: 1 leads to the block, 0 leads nowhere.
const LINK: usize = 1;
/// The block.
const BLOCK: usize = 2;

const LIVE: u64 = 7;
const USED_AGAIN: u64 = 8;

fn pin(words: &[Word]) {
    words[PINNED].store(1, Relaxed);
    // Between the announcement and the first look at the structure, as in crossbeam.
    fence(SeqCst);
}

fn unpin(words: &[Word]) {
    words[PINNED].store(0, Release);
}

/// Whether a block that was unlinked before may be used again.
fn nobody_is_pinned(words: &[Word]) -> bool {
    fence(SeqCst);
    words[PINNED].load(Acquire) == 0
}

fn shared() -> loom::sync::Arc<[Word; 3]> {
    let words = shared_words::<3>();
    words[LINK].store(1, Relaxed);
    words[BLOCK].store(LIVE, Relaxed);
    words
}

#[test]
fn a_pinned_reader_never_finds_a_block_used_again() {
    loom::model(|| {
        let words = shared();
        let writer = {
            let words = words.clone();
            thread::spawn(move || {
                words[LINK].store(0, Release);
                if nobody_is_pinned(&words[..]) {
                    words[BLOCK].store(USED_AGAIN, Relaxed);
                }
            })
        };
        pin(&words[..]);
        if words[LINK].load(Acquire) == 1 {
            assert_eq!(words[BLOCK].load(Relaxed), LIVE, "used again under a reader");
        }
        unpin(&words[..]);
        writer.join().unwrap();
    });
}

/// A reader that looks twice under one pin may keep what it found the first time.
#[test]
fn what_a_reader_found_stays_until_it_is_unpinned() {
    loom::model(|| {
        let words = shared();
        let writer = {
            let words = words.clone();
            thread::spawn(move || {
                words[LINK].store(0, Release);
                let mut used_again = false;
                for _ in 0..2 {
                    if !used_again && nobody_is_pinned(&words[..]) {
                        words[BLOCK].store(USED_AGAIN, Relaxed);
                        used_again = true;
                    }
                }
            })
        };
        pin(&words[..]);
        let found = words[LINK].load(Acquire) == 1;
        let first = words[BLOCK].load(Relaxed);
        thread::yield_now();
        let second = words[BLOCK].load(Relaxed);
        if found {
            assert_eq!([first, second], [LIVE, LIVE]);
        }
        unpin(&words[..]);
        writer.join().unwrap();
    });
}
