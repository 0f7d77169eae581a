//! A model of what the engines rely on when they retire a block: unlink it, then let it be used again only when no reader who
//! was pinned before can look at it any more. The epoch itself is crossbeam's; here it is one reader's announcement, which
//! is what an epoch is about. The block is a cell, so that loom reports every look at it that is not ordered with its next use.

use crate::memory::words::Word;
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::fence;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

struct Structure {
    /// Whether the reader is pinned.
    pinned: Word,
    /// 1 leads to the block, 0 leads nowhere.
    link: Word,
    block: UnsafeCell<()>,
}

impl Structure {
    fn new() -> Arc<Self> {
        Arc::new(Self { pinned: Word::new(0), link: Word::new(1), block: UnsafeCell::new(()) })
    }

    fn pin(&self) {
        self.pinned.store(1, Relaxed);
        // Between the announcement and the first look at the structure, as in crossbeam.
        fence(SeqCst);
    }

    fn unpin(&self) {
        self.pinned.store(0, Release);
    }

    fn reaches_block(&self) -> bool {
        self.link.load(Acquire) == 1
    }

    fn look_at_block(&self) {
        self.block.with(|_| ());
    }

    fn unlink(&self) {
        self.link.store(0, Release);
    }

    /// Uses the block again if the reader cannot reach it any more; tells whether it did.
    fn use_again(&self) -> bool {
        fence(SeqCst);
        let free = self.pinned.load(Acquire) == 0;
        if free {
            self.block.with_mut(|_| ());
        }
        free
    }
}

#[test]
fn a_pinned_reader_never_finds_a_block_used_again() {
    loom::model(|| {
        let structure = Structure::new();
        let writer = {
            let structure = structure.clone();
            thread::spawn(move || {
                structure.unlink();
                structure.use_again();
            })
        };
        structure.pin();
        if structure.reaches_block() {
            structure.look_at_block();
        }
        structure.unpin();
        writer.join().unwrap();
    });
}

/// A reader that looks twice under one pin may keep what it found the first time; the next pin is another look-up.
#[test]
fn what_a_reader_found_stays_until_it_is_unpinned() {
    loom::model(|| {
        let structure = Structure::new();
        let writer = {
            let structure = structure.clone();
            thread::spawn(move || {
                structure.unlink();
                let _used_again = structure.use_again() || structure.use_again();
            })
        };
        for _ in 0..2 {
            structure.pin();
            if structure.reaches_block() {
                structure.look_at_block();
                thread::yield_now();
                structure.look_at_block();
            }
            structure.unpin();
        }
        writer.join().unwrap();
    });
}
