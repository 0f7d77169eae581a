//! A model of the order in which the hash table fills and frees a slot of a line, for searches without a latch: the control byte
//! tells whether a slot is worth a look, the slot what lies there. Both records have the same fingerprint, so that a search may
//! hold the control word of one and find the other.

use super::shared_words;
use crate::memory::words::Word;
use crate::sync::Ordering::{Acquire, Release};
use loom::thread;

/// The line's control word, its one slot, and what tells that a write returned.
type Line = [Word; 3];

fn insert([control, slot, _]: &Line, record: u64) {
    control.store(1, Release);
    slot.store(record, Release);
}

fn remove([control, slot, _]: &Line) {
    control.store(0, Release);
    slot.store(0, Release);
}

fn finds([control, slot, _]: &Line, record: u64) -> bool {
    control.load(Acquire) == 1 && slot.load(Acquire) == record
}

#[test]
fn what_a_search_found_in_a_line_the_next_one_finds() {
    loom::model(|| {
        let line = shared_words::<3>();
        insert(&line, 1);
        let writer = {
            let line = line.clone();
            thread::spawn(move || {
                remove(&line);
                insert(&line, 2);
            })
        };
        if finds(&line, 2) {
            assert!(finds(&line, 2), "a record that was there is missed");
        }
        writer.join().unwrap();
        assert!(finds(&line, 2));
    });
}

#[test]
fn what_left_a_line_is_not_found_again() {
    loom::model(|| {
        let line = shared_words::<3>();
        insert(&line, 1);
        let writer = {
            let line = line.clone();
            thread::spawn(move || {
                remove(&line);
                insert(&line, 2);
            })
        };
        if !finds(&line, 1) {
            assert!(!finds(&line, 1), "a record that had left is found");
        }
        writer.join().unwrap();
    });
}

/// What another thread learns of a write, by whatever means, its search agrees with.
#[test]
fn a_write_to_a_line_that_returned_is_seen() {
    loom::model(|| {
        let line = shared_words::<3>();
        insert(&line, 1);
        let writer = {
            let line = line.clone();
            thread::spawn(move || {
                remove(&line);
                line[2].store(1, Release);
                insert(&line, 2);
                line[2].store(2, Release);
            })
        };
        match line[2].load(Acquire) {
            0 => {}
            1 => assert!(!finds(&line, 1), "a deleted record is found"),
            _ => assert!(finds(&line, 2), "an inserted record is missed"),
        }
        writer.join().unwrap();
    });
}
