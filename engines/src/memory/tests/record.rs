//! Models of the record that is replaced in place.

use super::shared_words;
use crate::memory::latch::VersionLatch;
use crate::memory::record::{Record, Replaced};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use loom::thread;

const OLD: &[u8] = b"old value of 2w";
const NEW: &[u8] = b"NEW VALUE";

fn value_of(record: Record<'_>) -> Vec<u8> {
    let mut value = Vec::new();
    assert!(record.append_value(&mut value));
    value
}

#[test]
fn a_reader_gets_a_whole_value() {
    loom::model(|| {
        let words = shared_words::<4>();
        Record::create(&words[..], b"key", OLD);
        let writer = {
            let words = words.clone();
            thread::spawn(move || assert_eq!(Record::of(&words[..]).replace(NEW), Replaced::Done))
        };
        let value = value_of(Record::of(&words[..]));
        assert!(value == OLD || value == NEW, "a torn value {value:?}");
        writer.join().unwrap();
        assert_eq!(value_of(Record::of(&words[..])), NEW);
    });
}

#[test]
fn of_two_replacements_none_is_lost() {
    loom::model(|| {
        let words = shared_words::<4>();
        Record::create(&words[..], b"key", OLD);
        let other = {
            let words = words.clone();
            thread::spawn(move || assert_eq!(Record::of(&words[..]).replace(NEW), Replaced::Done))
        };
        assert_eq!(Record::of(&words[..]).replace(b"another one"), Replaced::Done);
        other.join().unwrap();
        let value = value_of(Record::of(&words[..]));
        assert!(value == NEW || value == b"another one", "torn by two writers: {value:?}");
        // 17 bits of key length, 27 of value length, then the version.
        assert_eq!(words[0].load(Relaxed) >> 44, 2, "the version counts replacements");
    });
}

#[test]
fn a_dead_record_is_not_replaced() {
    loom::model(|| {
        let words = shared_words::<4>();
        Record::create(&words[..], b"key", OLD);
        let writer = {
            let words = words.clone();
            thread::spawn(move || Record::of(&words[..]).replace(NEW))
        };
        let record = Record::of(&words[..]);
        assert!(record.kill());
        let last = value_of(record);
        let replaced = writer.join().unwrap();
        assert_eq!(last, if replaced == Replaced::Done { NEW } else { OLD }, "{replaced:?}");
        assert_eq!(value_of(record), last, "replaced after its death");
        assert!(!record.kill());
    });
}

#[test]
fn a_record_is_killed_once() {
    loom::model(|| {
        let words = shared_words::<4>();
        Record::create(&words[..], b"key", OLD);
        let other = {
            let words = words.clone();
            thread::spawn(move || Record::of(&words[..]).kill())
        };
        let mine = Record::of(&words[..]).kill();
        assert!(mine != other.join().unwrap());
    });
}

/// Who finds a record by an acquire load of where it was published finds all of it.
#[test]
fn a_published_record_is_whole() {
    loom::model(|| {
        let (words, slot) = (shared_words::<4>(), shared_words::<1>());
        let writer = {
            let (words, slot) = (words.clone(), slot.clone());
            thread::spawn(move || {
                Record::create(&words[..], b"key", NEW);
                slot[0].store(1, Release);
            })
        };
        if slot[0].load(Acquire) == 1 {
            let record = Record::of(&words[..]);
            assert!(record.has_key(b"key") && value_of(record) == NEW);
        }
        writer.join().unwrap();
    });
}

/// The same without an acquire load, under a version that held afterwards.
#[test]
fn a_record_found_under_a_version_is_whole() {
    loom::model(|| {
        let (words, node) = (shared_words::<4>(), shared_words::<2>());
        let writer = {
            let (words, node) = (words.clone(), node.clone());
            thread::spawn(move || {
                Record::create(&words[..], b"key", NEW);
                let latch = VersionLatch::of(&node[0]);
                assert!(latch.lock());
                node[1].store(1, Relaxed);
                latch.unlock();
            })
        };
        let latch = VersionLatch::of(&node[0]);
        let version = latch.read().unwrap();
        let linked = node[1].load(Relaxed) == 1;
        if linked && latch.holds(version) {
            let record = Record::of(&words[..]);
            assert!(record.has_key(b"key") && value_of(record) == NEW);
        }
        writer.join().unwrap();
    });
}

/// Who looks at all blocks of a page finds them by no pointer: the header itself says that the rest is written.
#[test]
fn a_record_seen_by_its_header_is_whole() {
    loom::model(|| {
        let words = shared_words::<4>();
        let writer = {
            let words = words.clone();
            thread::spawn(move || {
                Record::create(&words[..], b"key", NEW);
            })
        };
        if words[0].load(Acquire) != 0 {
            let record = Record::of(&words[..]);
            assert!(record.has_key(b"key") && value_of(record) == NEW);
        }
        writer.join().unwrap();
    });
}
