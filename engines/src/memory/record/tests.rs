//! Replacing in place: when it is done, when refused, and what readers see meanwhile.

use super::*;
use crate::memory::words::WORD_BYTES;
use crate::testing::within;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

fn block(words: usize) -> Vec<Word> {
    (0..words).map(|_| Word::new(u64::MAX >> 2)).collect()
}

fn value_of(record: Record<'_>) -> Vec<u8> {
    let mut value = b"before".to_vec();
    assert!(record.append_value(&mut value));
    value.split_off(6)
}

fn key_of(record: Record<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    record.append_key(&mut key);
    key
}

#[test]
fn a_record_is_what_it_was_made_of() {
    within(LIMIT, "records of all lengths", || {
        let lengths = [0, 1, 7, 8, 9, 31, 64, 255];
        for key_len in lengths {
            for value_len in lengths {
                let (key, value) = (vec![0xAB; key_len], vec![0xCD; value_len]);
                let words = block(record_words(key_len, value_len));
                let record = Record::create(&words, &key, &value);
                assert_eq!((key_of(record), value_of(record)), (key.clone(), value));
                assert_eq!((record.key_len(), record.value_len()), (key_len, value_len));
                assert_eq!(record.used_words(), words.len());
                assert_eq!(Record::words_of(words[0].load(Ordering::Relaxed)), words.len());
                assert!(!record.is_dead() && record.has_key(&key));
                assert_eq!(record.compare(&key), cmp::Ordering::Equal);
                assert!(!record.has_key(&[&key[..], &[0]].concat()));
                assert_eq!(record.compare(&[&key[..], &[0]].concat()), cmp::Ordering::Less);
            }
        }
    });
}

#[test]
fn the_longest_key_and_value_fit_into_the_header() {
    let (key, value) = (crate::engine::MAX_KEY_BYTES as u64, crate::engine::MAX_VALUE_BYTES as u64);
    let header = key | value << VALUE_SHIFT;
    assert_eq!((key_len(header) as u64, value_len(header) as u64), (key, value));
    assert_eq!(VERSION_MOST & (DEAD | LOCKED | 1 << 63), 0);
}

#[test]
fn a_value_is_replaced_where_it_fits_and_wastes_little() {
    within(LIMIT, "replace", || {
        let least = |words: usize| (0..=words).find(|needed| words <= needed + needed / 8 + 2).unwrap_or(0);
        let blocks: &[usize] = if cfg!(miri) { &[2, 4, 17] } else { &[2, 3, 4, 10, 16, 17, 40] };
        for words in blocks.iter().copied() {
            for len in 0..words * WORD_BYTES + 9 {
                let words = block(words);
                let record = Record::create(&words, b"key", b"");
                let value = vec![len as u8; len];
                let needed = record_words(3, len);
                let fits = needed <= words.len() && needed >= least(words.len());
                let expected = if fits { Replaced::Done } else { Replaced::NoRoom };
                assert_eq!(record.replace(&value), expected, "{len} bytes into {} words", words.len());
                assert_eq!(value_of(record), if fits { value } else { Vec::new() });
                assert_eq!(key_of(record), b"key");
            }
        }
    });
}

#[test]
fn a_value_of_as_many_words_is_replaced_in_one_pass_or_not_at_all() {
    let words = block(record_words(3, 16));
    let record = Record::create(&words, b"key", &[1; 15]);
    let header = || words[0].load(Ordering::Relaxed);
    let mut before = None;
    let mut replace = |header, key: &[u8], len, allow| {
        record.replace_alike(header, key, &vec![2; len], |len| {
            before = Some(len);
            allow
        })
    };
    let first = header();
    assert_eq!(replace(first, b"kex", 15, true), None);
    assert_eq!(replace(first, b"keyy", 15, true), None);
    assert_eq!(replace(first, b"key", 8, true), Some(Alike::Otherwise), "fewer words");
    assert_eq!(replace(first, b"key", 17, true), Some(Alike::Otherwise), "more words");
    assert_eq!(replace(first, b"key", 15, false), Some(Alike::Otherwise), "not allowed");
    assert_eq!((header(), value_of(record)), (first, vec![1; 15]), "nothing has changed");
    assert_eq!(replace(first, b"key", 16, true), Some(Alike::Done));
    assert_eq!(value_of(record), [2; 16]);
    assert_eq!(replace(first, b"key", 15, true), Some(Alike::Otherwise), "a header that was replaced");
    assert_eq!(replace(header() | LOCKED, b"key", 15, true), Some(Alike::Otherwise));
    assert_eq!(replace(header() | VERSION_MOST, b"key", 15, true), Some(Alike::Otherwise));
    assert_eq!(before, Some(15), "asked about the value that was there");
    assert!(record.kill());
    assert_eq!(record.replace_alike(header(), b"key", b"a dead record's", |_| true), Some(Alike::Otherwise));
}

/// A look at a large block ends where the record does, so that nothing would tell how much of the block is unused.
#[test]
fn a_large_record_keeps_its_words() {
    let words = block(SMALL_WORDS_MOST + 10);
    let len = (SMALL_WORDS_MOST + 9) * WORD_BYTES;
    let record = Record::create(&words, b"", &vec![1; len]);
    assert_eq!(record.replace(&vec![2; len - 1]), Replaced::Done);
    assert_eq!(record.replace(&vec![3; len - WORD_BYTES]), Replaced::NoRoom);
    assert_eq!(record.used_words(), words.len());
}

/// A value that takes longer to copy than the time between two writes.
#[test]
fn readers_of_a_long_value_that_is_always_being_replaced_come_to_an_end() {
    within(LIMIT, "readers of a value that is always being replaced come to an end", || {
        let len = if cfg!(miri) { 1 << 10 } else { 1 << 20 };
        let words = &block(record_words(3, len));
        let record = Record::create(words, b"key", &vec![0; len]);
        let done = &AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(move || {
                let values = [vec![1; len], vec![2; len]];
                for value in values.iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                    assert_eq!(
                        record.replace(value),
                        Replaced::Done,
                        "it came to its end before the readers did"
                    );
                    (0..50).for_each(|_| std::hint::spin_loop());
                }
            });
            let mut value = Vec::new();
            for _ in 0..if cfg!(miri) { 2 } else { 50 } {
                value.clear();
                assert!(record.append_value(&mut value));
                assert!(value.len() == len && value.iter().all(|byte| *byte == value[0]), "a torn value");
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_dead_record_keeps_its_value() {
    let words = block(record_words(3, 16));
    let record = Record::create(&words, b"key", b"the last value");
    assert!(record.kill() && !record.kill() && record.is_dead());
    assert_eq!(record.replace(b"another value"), Replaced::Dead);
    assert_eq!(record.replace(&[0; 999]), Replaced::Dead, "dead comes before no room");
    assert_eq!((value_of(record), key_of(record)), (b"the last value".to_vec(), b"key".to_vec()));
}

#[test]
fn a_record_whose_versions_are_used_up_asks_for_another() {
    let words = block(3);
    let record = Record::create(&words, b"key", b"old");
    words[0].fetch_or(VERSION_MOST - VERSION_ONE, Ordering::Relaxed);
    assert_eq!(record.replace(b"new"), Replaced::Done);
    assert_eq!(words[0].load(Ordering::Relaxed) & VERSION_MOST, VERSION_MOST);
    assert_eq!(record.replace(b"newer"), Replaced::NoRoom);
    assert_eq!(value_of(record), b"new");
    assert!(record.kill(), "it is not locked");
}

#[test]
fn every_replaced_value_raises_the_version() {
    let words = block(3);
    let record = Record::create(&words, b"key", b"old");
    let version = || words[0].load(Ordering::Relaxed) & VERSION_MOST;
    for n in 1..9 {
        assert_eq!(record.replace(b"same"), Replaced::Done);
        assert_eq!(version(), n * VERSION_ONE);
    }
    assert!(record.kill());
    assert_eq!(version(), 8 * VERSION_ONE, "death changes no value");
}

/// A look that was made before the value grew does not reach to its end.
#[test]
fn a_value_that_outgrew_the_look_is_refused_and_not_waited_for() {
    within(LIMIT, "outgrown", || {
        let words = block(12);
        let record = Record::create(&words, b"key", &[1; 70]);
        let look = Record::of(&words[..record.used_words()]);
        assert_eq!(record.replace(&[2; 80]), Replaced::Done);
        let mut out = b"before".to_vec();
        assert!(!look.append_value(&mut out));
        assert_eq!(out, b"before");
        assert_eq!(value_of(Record::of(&words)), [2; 80]);
    });
}

/// Whatever a block holds, and however few of its words are looked at, nothing panics and nothing is out of bounds.
#[test]
fn looks_at_garbage_are_total() {
    within(LIMIT, "garbage", || {
        let headers = [0, 1, !LOCKED, (1 << KEY_BITS) - 1, VERSION_MOST, 1 << 63 | 0x7F12_3456_7890];
        for header in headers {
            for len in 0..4 {
                let words = block(len);
                if let Some(word) = words.first() {
                    word.store(header & !LOCKED, Ordering::Relaxed);
                }
                let record = Record::of(&words);
                let mut out = Vec::new();
                record.has_key(b"key");
                record.compare(b"key");
                record.is_dead();
                let _ = record.append_value(&mut out);
                assert!(out.len() <= len * WORD_BYTES);
            }
        }
    });
}

/// A value of a length of its own, every byte of which says which it is.
fn numbered(n: u64) -> Vec<u8> {
    vec![n as u8; 40 + (n % 5) as usize * 4]
}

#[test]
fn readers_get_whole_values_while_writers_replace_them() {
    const WRITERS: usize = 2;
    let rounds = if cfg!(miri) { 12 } else { 20_000 };
    within(LIMIT, "readers beside replacers", move || {
        let words = block(record_words(3, 56));
        let record = Record::create(&words, b"key", &numbered(0));
        let done = Word::new(0);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let done = &done;
                scope.spawn(move || {
                    for round in 0..rounds {
                        assert_eq!(
                            record.replace(&numbered(round * WRITERS as u64 + writer as u64)),
                            Replaced::Done
                        );
                    }
                    done.fetch_add(1, Ordering::Release);
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    while done.load(Ordering::Acquire) < WRITERS as u64 {
                        let value = value_of(record);
                        let first = value.first().copied().unwrap_or_default();
                        assert!(value.iter().all(|byte| *byte == first), "a torn value {value:?}");
                        assert!((40..=56).contains(&value.len()) && record.has_key(b"key"));
                    }
                });
            }
        });
        let version = (words[0].load(Ordering::Relaxed) & VERSION_MOST) >> VERSION_SHIFT;
        assert_eq!(version, rounds * WRITERS as u64, "a replacement was lost");
    });
}

#[test]
fn after_a_kill_nothing_is_replaced() {
    let rounds = if cfg!(miri) { 4 } else { 2_000 };
    within(LIMIT, "kill beside replace", move || {
        for _ in 0..rounds {
            let words = block(record_words(3, 8));
            let record = Record::create(&words, b"key", b"first");
            thread::scope(|scope| {
                let killers = [(); 2].map(|()| scope.spawn(|| record.kill().then(|| value_of(record))));
                let replacer = scope.spawn(|| (record.replace(b"second"), record.replace(b"third")));
                let killed: Vec<_> =
                    killers.into_iter().filter_map(|killer| killer.join().expect("no panic")).collect();
                let [last] = &killed[..] else { panic!("killed {} times", killed.len()) };
                let expected: &[u8] = match replacer.join().expect("no panic") {
                    (Replaced::Done, Replaced::Done) => b"third",
                    (Replaced::Done, Replaced::Dead) => b"second",
                    (Replaced::Dead, Replaced::Dead) => b"first",
                    other => panic!("{other:?}"),
                };
                assert_eq!((&last[..], value_of(record)), (expected, expected.to_vec()));
            });
        }
    });
}
