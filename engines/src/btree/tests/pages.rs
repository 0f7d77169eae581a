//! Single pages: against a sorted vector, and as garbage that a reader may see.

use super::*;
use crate::btree::link::Large;
use crate::btree::page::{Found, Page, Value};
use crate::engine::MAX_VALUE_BYTES;
use crate::memory::words::{self, Word};
use crate::sync::Ordering::Relaxed;

const PAGE_WORDS: usize = 512;

fn page_of(words: &[Word], records: &[(Vec<u8>, Vec<u8>)], prefix: &[u8]) {
    let entries = records.iter().map(|(key, value)| (key.as_slice(), Value::Bytes(value)));
    Page::build(words, 0, prefix, entries);
}

fn blank() -> Vec<Word> {
    (0..PAGE_WORDS).map(|_| Word::new(0)).collect()
}

fn contents(page: &Page<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let record = |index: usize| {
        let mut value = Vec::new();
        match page.value(&page.record(index)) {
            Some(Found::Inline(found, len)) => words::append(found, len, &mut value).unwrap(),
            other => panic!("{other:?}"),
        }
        (page.key(index), value)
    };
    (0..page.len()).map(record).collect()
}

#[test]
fn a_page_holds_what_was_put_into_it() {
    within(LIMIT, "a page holds what was put into it", || {
        let steps = if cfg!(miri) { 150 } else { 20_000 };
        let mut rng = rng(31);
        let prefix = b"user/";
        let words = blank();
        page_of(&words, &[], prefix);
        let mut model = Model::new();
        for step in 0..steps {
            let page = Page::of(&words);
            let len = rng.random_range(0..14);
            let suffix: Vec<u8> = (0..len).map(|_| [0, 1, b'a', 0xFF][rng.random_range(0..4)]).collect();
            let key = [&prefix[..], &suffix].concat();
            let value = vec![step as u8; [0, 3, 8, 17, 40][rng.random_range(0..5)]];
            let at = page.locate(&key);
            assert_eq!(at.is_ok(), model.contains_key(&key));
            assert_eq!(at.unwrap_or_else(|at| at), model.range(..key.clone()).count());
            let done = match (at, rng.random_range(0..3)) {
                (Ok(index), 0) => {
                    page.remove(index);
                    model.remove(&key);
                    true
                }
                (Ok(index), _) => {
                    let done = page.replace(index, &Value::Bytes(&value));
                    if done {
                        model.insert(key, value);
                    }
                    done
                }
                (Err(index), _) => {
                    let done = page.insert(index, &suffix, &Value::Bytes(&value));
                    if done {
                        model.insert(key, value);
                    }
                    done
                }
            };
            Page::of(&words).check().unwrap();
            if !done || step % 100 == 0 {
                let records: Vec<_> = model.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                assert!(contents(&Page::of(&words)) == records);
                // A full page is made anew with half of its records.
                let copy: Vec<Word> = words.iter().map(|word| Word::new(word.load(Relaxed))).collect();
                let half = if done { 0..records.len() } else { 0..records.len() / 2 };
                Page::assemble(
                    &words,
                    [(Page::of(&copy), half.clone()), (Page::of(&copy), 0..0)],
                    prefix.len(),
                );
                Page::of(&words).check().unwrap();
                model = records[half].iter().cloned().collect();
            }
        }
    });
}

#[test]
fn prefixes_change_without_a_look_at_the_keys() {
    for common in 1..8 {
        for (tail, more) in [(0, 0), (0, 5), (2, 9), (20, 0), (495, 30), (600, 1)] {
            let key = |n: u8, len: usize| [&b"prefix!"[..common], &[n], &vec![b'k'; len]].concat();
            let records: Vec<_> =
                (0..5_u8).map(|n| (key(n, if n % 2 == 0 { tail } else { more }), vec![n; 30])).collect();
            // From pages with any prefix to one with any other.
            for (left, right) in [(0, 0), (common, common), (0, common), (common, 0)] {
                for to in 0..=common {
                    let (a, b, made) = (blank(), blank(), blank());
                    page_of(&a, &records[..2], &b"prefix!"[..left]);
                    page_of(&b, &records[2..], &b"prefix!"[..right]);
                    Page::assemble(&made, [(Page::of(&a), 0..2), (Page::of(&b), 0..3)], to);
                    let page = Page::of(&made);
                    page.check().unwrap();
                    assert_eq!(page.prefix_len(), to);
                    assert!(contents(&page) == records, "{common} {tail} {more} {left} {right} {to}");
                }
            }
        }
    }
}

/// A reader that sums up lengths must not overflow, whatever it reads where the length of a value should stand.
#[test]
fn a_torn_length_is_no_longer_than_a_value_can_be() {
    let words = blank();
    let large = Large::from_parts([8, 5_000]);
    let key = &b"key"[..];
    Page::build(&words, 0, b"", [(key, Value::Large(large))].into_iter());
    assert_eq!(Page::of(&words).live_bytes(0), key.len() + 5_000);
    words[PAGE_WORDS - 2..].iter().for_each(|word| word.store(u64::MAX, Relaxed));
    let torn = Page::of(&words).live_bytes(0);
    assert!(torn <= key.len() + 2 * MAX_VALUE_BYTES, "{torn}");
}

/// What an optimistic reader may see while a writer is at work is any words. It must neither panic nor loop.
#[test]
fn garbage_is_read_without_harm() {
    within(LIMIT, "garbage is read without harm", || {
        let mut rng = rng(32);
        let rounds = if cfg!(miri) { 10 } else { 3_000 };
        for round in 0..rounds {
            let words: Vec<Word> = (0..64 + round % 64).map(|_| Word::new(rng.random())).collect();
            if round % 2 == 0 {
                // A plausible head of the page over a torn body.
                let meta = rng.random_range(0..40_u64) | rng.random_range(0..20_u64) << 20;
                words[1].store(meta, Relaxed);
            }
            let page = Page::of(&words);
            let key: Vec<u8> = (0..rng.random_range(0..40)).map(|_| rng.random()).collect();
            let _ = (page.locate(&key), page.child_of(&key), page.used_words());
            let mut out = vec![0; 100];
            for index in 0..page.len().min(50) + 2 {
                let record = page.record(index);
                let _ = (page.value(&record), page.child_word(index), page.record_pointer(index));
                let _ = page.copy_key(index, &record, &mut out);
                let _ = (page.append_key(index, &mut Vec::new()), page.live_bytes(index));
            }
        }
    });
}
