//! Every offset, length and alignment against the same thing done with plain bytes.

use super::*;
use crate::testing::within;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// Words of a run that is long enough for a lead, two whole words and a rest at every offset.
const WORDS: usize = if cfg!(miri) { 3 } else { 5 };

fn run(bytes: &[u8]) -> Vec<Word> {
    assert!(bytes.len().is_multiple_of(WORD_BYTES));
    bytes.as_chunks().0.iter().map(|chunk| Word::new(u64::from_le_bytes(*chunk))).collect()
}

fn bytes_of(words: &[Word]) -> Vec<u8> {
    words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect()
}

/// Bytes without zeros and without repetition in short runs, so that a byte in the wrong place shows.
fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|n| (n as u8).wrapping_mul(37).wrapping_add(seed) | 1).collect()
}

/// All offsets and lengths within a run, and a few that reach beyond it.
fn spans() -> impl Iterator<Item = (usize, usize)> {
    let room = WORDS * WORD_BYTES;
    (0..=room + 9).flat_map(move |at| (0..=room + 9).map(move |len| (at, len)))
}

#[test]
fn words_that_hold_bytes() {
    assert_eq!([0, 1, 7, 8, 9, 16, 17].map(words_for), [0, 1, 1, 1, 2, 2, 3]);
    assert_eq!(words_for(usize::MAX), usize::MAX / 8 + 1);
}

#[test]
fn bytes_are_stored_from_the_start_and_the_rest_of_the_last_word_is_zero() {
    within(LIMIT, "store", || {
        let before = pattern(WORDS * WORD_BYTES, 7);
        for len in 0..=before.len() + 9 {
            let words = run(&before);
            let bytes = pattern(len, 100);
            assert_eq!(store(&words, &bytes), len <= before.len());
            let mut expected = before.clone();
            if len <= before.len() {
                expected[..words_for(len) * WORD_BYTES].fill(0);
                expected[..len].copy_from_slice(&bytes);
            }
            assert_eq!(bytes_of(&words), expected, "{len} bytes");
        }
    });
}

#[test]
fn bytes_are_stored_at_any_offset_and_those_around_stay() {
    within(LIMIT, "store_at", || {
        let before = pattern(WORDS * WORD_BYTES, 7);
        for (at, len) in spans() {
            let words = run(&before);
            let bytes = pattern(len, 100);
            let fits = at + len <= before.len();
            assert_eq!(store_at(&words, at, &bytes), fits, "{len} bytes at {at}");
            let mut expected = before.clone();
            if fits {
                expected[at..at + len].copy_from_slice(&bytes);
            }
            assert_eq!(bytes_of(&words), expected, "{len} bytes at {at}");
        }
    });
}

#[test]
fn bytes_are_appended_from_any_offset() {
    within(LIMIT, "append", || {
        let bytes = pattern(WORDS * WORD_BYTES, 7);
        let words = run(&bytes);
        let mut out = Vec::new();
        for (at, len) in spans() {
            out.clear();
            out.extend_from_slice(b"before");
            let expected = bytes.get(at..at + len);
            assert_eq!(
                append_at(&words, at, len, &mut out).is_some(),
                expected.is_some(),
                "{len} bytes at {at}"
            );
            assert_eq!(
                out.strip_prefix(b"before"),
                Some(expected.unwrap_or_default()),
                "{len} bytes at {at}"
            );
            if at == 0 {
                out.truncate(6);
                assert_eq!(append(&words, len, &mut out).is_some(), expected.is_some(), "{len} bytes");
                assert_eq!(out.strip_prefix(b"before"), Some(expected.unwrap_or_default()), "{len} bytes");
            }
        }
    });
}

#[test]
fn blocks_are_appended_whole() {
    let bytes: Vec<u8> =
        (0..3 * BLOCK_WORDS as u64).flat_map(|n| (n * 0x9E37_79B9 + 1).to_le_bytes()).collect();
    let words = run(&bytes);
    for count in [BLOCK_WORDS - 1, BLOCK_WORDS, BLOCK_WORDS + 1, 2 * BLOCK_WORDS + 3, 3 * BLOCK_WORDS] {
        for len in count * WORD_BYTES - 7..=count * WORD_BYTES {
            let mut out = b"before".to_vec();
            append(&words, len, &mut out).expect("there are so many");
            assert_eq!(out.strip_prefix(b"before"), bytes.get(..len), "{len} bytes");
        }
    }
}

#[test]
fn bytes_are_equal_or_not() {
    within(LIMIT, "equal", || {
        let bytes = pattern(WORDS * WORD_BYTES, 7);
        let words = run(&bytes);
        for len in 0..=bytes.len() {
            assert!(equal(&words, &bytes[..len]), "{len} bytes");
            for wrong in 0..len {
                let mut other = bytes[..len].to_vec();
                other[wrong] ^= 0x80;
                assert!(!equal(&words, &other), "{len} bytes, byte {wrong} differs");
            }
        }
        assert!(!equal(&words, &pattern(bytes.len() + 1, 7)), "longer than the run");
        assert!(equal(&[], &[]) && !equal(&[], &[0]));
    });
}

/// Bytes that differ early, late, in length only, and on both sides of 0x80.
fn contenders() -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for len in [1, 7, 8, 9, 15, 16, 17] {
        let base = pattern(len, 7);
        for at in [0, len / 2, len - 1] {
            for byte in [0x00, 0x7F, 0x80, 0xFF] {
                let mut one = base.clone();
                one[at] = byte;
                all.push(one);
            }
        }
        all.push(base);
        all.push(vec![0; len]);
    }
    all.truncate(if cfg!(miri) { 20 } else { usize::MAX });
    all
}

#[test]
fn bytes_compare_as_slices_do() {
    within(LIMIT, "compare", || {
        let all = contenders();
        for ours in &all {
            for skip in 0..9 {
                let mut placed = vec![0xA5; (skip + ours.len()).next_multiple_of(WORD_BYTES)];
                placed[skip..skip + ours.len()].copy_from_slice(ours);
                let words = run(&placed);
                for theirs in &all {
                    assert_eq!(
                        compare_at(&words, skip, ours.len(), theirs),
                        Some(ours.cmp(theirs)),
                        "{ours:?} at {skip} and {theirs:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn torn_offsets_and_lengths_are_refused() {
    let words = run(&pattern(24, 7));
    let absurd = [25, 26, 1 << 20, 1 << 32, usize::MAX / 8, usize::MAX - 7, usize::MAX];
    let mut out = b"before".to_vec();
    for large in absurd {
        assert_eq!(append(&words, large, &mut out), None);
        assert_eq!(append(&[], large, &mut out), None);
        for small in [0, 1, 8, 23] {
            assert_eq!(append_at(&words, large, small, &mut out), None, "{small} bytes at {large}");
            assert_eq!(append_at(&words, small, large, &mut out), None, "{large} bytes at {small}");
            assert_eq!(compare_at(&words, small, large, b"key"), None);
            assert!(!store_at(&words, large, &vec![1; small]));
            let beyond = compare_at(&words, large, small, b"key");
            assert!(beyond.is_none(), "{small} bytes at {large}: {beyond:?}");
        }
        for other in absurd {
            assert_eq!(append_at(&words, large, other, &mut out), None);
            assert_eq!(compare_at(&words, large, other, b"key"), None);
        }
    }
    assert_eq!(out, b"before");
    assert_eq!(bytes_of(&words), pattern(24, 7));
}
