//! Values that describe themselves, at no more cost than filling them.
//!
//! A value starts with up to four words of eight bytes, little-endian, as many as fit: the *check word*, the *version*, the
//! *link* and the *record*. The rest is the filling: a slice of a pool of bytes made beforehand, from a place that
//! follows from record, version and length, so that writing a value is one copy and checking it one comparison. Successive
//! versions (in the load: records) take successive slices, so that the processor fetches the pool ahead.
//!
//! | length | what can be told |
//! |---|---|
//! | ≥ 32 | version, link, whose value it is; any flipped bit shows |
//! | 24–31 | version, link; any flipped bit shows, a foreign record as damage |
//! | 16–23 | version; the same, but the value of a read-modify-write cannot depend on the one read |
//! | < 16 | bytes that follow from the record alone: a foreign record shows, the version is unknown |
//!
//! *Check word* = seal(record, version, length) ⊕ mix(link). Both parts are bijections of each single word, so that a change of
//! one word always shows, and the link can be put in later without knowing the rest.

use super::limits;
use super::plan::Plan;
use super::random::{Aspect, generator, mix};
use rand_xoshiro::rand_core::Rng;
use thiserror::Error;

/// Places in the pool that a slice may start at. A compressor's window over many values should rarely meet one twice.
const POOL: usize = 1 << 20;
/// Bytes of filling taken from one place of the pool.
const PIECE: usize = 1 << 16;
/// Bytes of the pool in which the compressible share is kept.
const GRAIN: usize = 64;
/// Bytes of a word.
const WORD: usize = 8;
/// Least length of a value with a version.
const LEAST_SEALED: usize = 2 * WORD;

/// Bits of a version that hold the step.
const STEP_BITS: u32 = 44;
/// Bits of a version that hold the worker.
const WORKER_BITS: u32 = 12;

/// The version of a loaded record.
pub const LOADED: u64 = 0;
/// What [`ValuePool::check`] returns for a value too short to hold its version.
pub const UNKNOWN_VERSION: u64 = u64::MAX;
/// The most phases that versions can tell apart.
const MAX_PHASES: usize = 254;
/// The most workers that versions can tell apart.
const MAX_WORKERS: u32 = 1 << WORKER_BITS;
const _: () = assert!(limits::MAX_PHASES <= MAX_PHASES && limits::MAX_THREADS <= MAX_WORKERS as u64);

/// The version that operation `step` of a worker in a phase writes.
#[inline]
pub const fn version(phase: usize, worker: u32, step: u64) -> u64 {
    ((phase as u64 + 1) << (STEP_BITS + WORKER_BITS)) | ((worker as u64) << STEP_BITS) | step
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ValueFault {
    /// It is a sound value, but another record's.
    #[error("the value belongs to record {record}")]
    Foreign {
        /// The record it was written for.
        record: u64,
    },
    /// Its check word does not fit record, version, link and length.
    #[error("the check word of a value of {length} bytes does not fit")]
    Header {
        /// Length found, bytes.
        length: usize,
    },
    /// Its filling is not what was written.
    #[error("the bytes from {at} on are not those that were written")]
    Filling {
        /// Start of the piece in which a byte differs.
        at: usize,
    },
}

/// The bytes that values are filled with.
#[derive(Debug)]
pub struct ValuePool {
    bytes: Box<[u8]>,
}

/// The words that a value of some length has room for.
#[derive(Clone, Copy)]
struct Header {
    check: u64,
    version: u64,
    link: Option<u64>,
    record: Option<u64>,
    bytes: usize,
}

impl Header {
    fn read(value: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            value.get(at * WORD..).and_then(|rest| rest.first_chunk()).map(|bytes| u64::from_le_bytes(*bytes))
        };
        Some(Self {
            check: word(0)?,
            version: word(1)?,
            link: word(2),
            record: word(3),
            bytes: header_bytes(value.len()),
        })
    }
}

/// Bytes of the header of a value of `len` bytes.
#[inline]
const fn header_bytes(len: usize) -> usize {
    match len / WORD {
        0 | 1 => 0,
        2 => 2 * WORD,
        3 => 3 * WORD,
        _ => 4 * WORD,
    }
}

#[inline]
const fn seal(record: u64, version: u64, len: usize) -> u64 {
    let mut word = (record ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    word = ((word ^ (word >> 32)) ^ version).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    word = ((word ^ (word >> 29)) ^ len as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    word ^ (word >> 32)
}

impl ValuePool {
    /// The pool of a plan: it follows from its seed and its compressibility.
    pub fn new(plan: &Plan) -> Self {
        let mut random = generator(plan.seed, 0, 0, Aspect::Filling);
        let mut bytes = vec![0; POOL + PIECE].into_boxed_slice();
        let repeated = (plan.value.compressibility.clamp(0.0, 1.0) * GRAIN as f64).round() as usize;
        for grain in bytes.chunks_mut(GRAIN) {
            let (head, tail) = grain.split_at_mut(repeated);
            head.fill(random.next_u64() as u8);
            random.fill_bytes(tail);
        }
        Self { bytes }
    }

    /// The filling of a value, piece by piece.
    #[inline]
    fn pieces(&self, record: u64, version: u64, len: usize, bytes: usize) -> impl Iterator<Item = &[u8]> {
        let number = if version == LOADED { record } else { version };
        // An odd distance reaches every place; phases and workers start at places of their own.
        let first = number.wrapping_mul(len as u64 | 1).wrapping_add(mix(version >> STEP_BITS)) as usize;
        (0..bytes).step_by(PIECE).filter_map(move |from| {
            let start = first.wrapping_add(from) % POOL;
            self.bytes.get(start..start + (bytes - from).min(PIECE))
        })
    }

    /// Appends the value of a record in a version.
    #[inline]
    pub fn write(&self, record: u64, version: u64, len: usize, out: &mut Vec<u8>) {
        if len < LEAST_SEALED {
            out.extend_from_slice(short(record).get(..len).unwrap_or_default());
            return;
        }
        let seal = seal(record, version, len);
        let mut header = [0; 4 * WORD];
        let (words, _) = header.as_chunks_mut::<WORD>();
        for (place, word) in words.iter_mut().zip([seal, version, 0, record]) {
            *place = word.to_le_bytes();
        }
        let bytes = header_bytes(len);
        out.extend_from_slice(header.get(..bytes).unwrap_or_default());
        for piece in self.pieces(record, version, len, len - bytes) {
            out.extend_from_slice(piece);
        }
    }

    /// Checks the value that was found for a record, and returns its version.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, record: u64, value: &[u8]) -> Result<u64, ValueFault> {
        let length = value.len();
        let Some(header) = Header::read(value) else {
            return match short(record).get(..length) == Some(value) {
                true => Ok(UNKNOWN_VERSION),
                false => Err(ValueFault::Filling { at: 0 }),
            };
        };
        let fits =
            |record| header.check == seal(record, header.version, length) ^ mix(header.link.unwrap_or(0));
        if !fits(record) || header.record.is_some_and(|found| found != record) {
            return Err(match header.record.filter(|&other| other != record && fits(other)) {
                Some(record) => ValueFault::Foreign { record },
                None => ValueFault::Header { length },
            });
        }
        let mut rest = value.get(header.bytes..).unwrap_or_default();
        for piece in self.pieces(record, header.version, length, rest.len()) {
            let Some((found, after)) = rest.split_at_checked(piece.len()) else { break };
            if found != piece {
                return Err(ValueFault::Filling { at: length - rest.len() });
            }
            rest = after;
        }
        Ok(header.version)
    }
}

/// The record that a value of at least 32 bytes says it was written for.
pub fn record_of(value: &[u8]) -> Option<u64> {
    Header::read(value)?.record
}

/// Makes the new value of a read-modify-write depend on the one that was read: folds two of its words into the link.
/// Does nothing to values shorter than 24 bytes, which have no link.
#[inline]
pub fn link(value: &mut [u8], read: &[u8]) {
    let Some(Header { check, link: Some(before), .. }) = Header::read(value) else { return };
    let first = read.first_chunk().map_or(read.len() as u64, |word| u64::from_le_bytes(*word));
    let last = read.last_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let after = first ^ last.rotate_left(23);
    let check = check ^ mix(before) ^ mix(after);
    let (words, _) = value.as_chunks_mut::<WORD>();
    if let [place, _, link, ..] = words {
        *place = check.to_le_bytes();
        *link = after.to_le_bytes();
    }
}

/// The bytes of values too short for a version.
fn short(record: u64) -> [u8; LEAST_SEALED] {
    let first = mix(record.wrapping_add(1));
    ((u128::from(mix(first)) << 64) | u128::from(first)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::testing::plan;

    fn pool() -> ValuePool {
        ValuePool::new(&plan(1, Vec::new()))
    }

    fn value(pool: &ValuePool, record: u64, version: u64, len: usize) -> Vec<u8> {
        let mut value = Vec::new();
        pool.write(record, version, len, &mut value);
        assert_eq!(value.len(), len);
        value
    }

    #[test]
    fn what_was_written_is_recognised() {
        let pool = pool();
        for len in (0..300).chain([4_096, PIECE, PIECE + 32, PIECE + 33, 3 * PIECE + 5, POOL * 2]) {
            for record in [0, 1, 12_345, u64::MAX] {
                for version in [LOADED, version(0, 0, 0), version(3, 9, 1 << 40)] {
                    let value = value(&pool, record, version, len);
                    let expected = if len < LEAST_SEALED { UNKNOWN_VERSION } else { version };
                    assert_eq!(pool.check(record, &value), Ok(expected), "{len} bytes");
                    assert_eq!(record_of(&value), (len >= 32).then_some(record));
                }
            }
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let pool = pool();
        for len in [1, 7, 8, 15, 16, 23, 24, 31, 32, 33, 40, 100, 200] {
            for linked in [false, true] {
                let mut value = value(&pool, 77, version(1, 2, 3), len);
                if linked {
                    link(&mut value, b"what was read before");
                }
                for bit in 0..len * 8 {
                    value[bit / 8] ^= 1 << (bit % 8);
                    assert!(pool.check(77, &value).is_err(), "bit {bit} of {len} bytes");
                    value[bit / 8] ^= 1 << (bit % 8);
                }
                assert!(pool.check(77, &value).is_ok());
            }
        }
    }

    #[test]
    fn foreign_truncated_and_torn_values_are_noticed() {
        let pool = pool();
        for len in [8, 16, 24, 32, 100] {
            let ours = value(&pool, 5, version(0, 0, 8), len);
            let expected = match len {
                8 => ValueFault::Filling { at: 0 },
                16 | 24 => ValueFault::Header { length: len },
                _ => ValueFault::Foreign { record: 5 },
            };
            assert_eq!(pool.check(6, &ours), Err(expected));
            if len >= LEAST_SEALED {
                assert!(pool.check(5, &ours[..len - 1]).is_err());
                assert!(pool.check(5, &[&ours[..], &[0]].concat()).is_err());
            }
        }
        for len in [17, 25, 33, 100] {
            let ours = value(&pool, 5, version(0, 0, 8), len);
            let cut = &ours[..len - 1];
            assert_eq!(pool.check(5, cut), Err(ValueFault::Header { length: len - 1 }));
        }
        let (old, new) = (value(&pool, 5, version(0, 0, 8), 100), value(&pool, 5, version(0, 0, 9), 100));
        let torn = [&new[..60], &old[60..]].concat();
        assert_eq!(pool.check(5, &torn), Err(ValueFault::Filling { at: 32 }));
        assert!(pool.check(5, &[0; 100]).is_err());
    }

    #[test]
    fn a_linked_value_depends_on_the_one_read_and_is_still_sound() {
        let pool = pool();
        for len in [24, 31, 32, 100] {
            let mut links = std::collections::HashSet::new();
            for previous in 0..50 {
                let read = value(&pool, 5, version(0, 0, previous), 64);
                let mut new = value(&pool, 5, version(1, 1, 1), len);
                link(&mut new, &read);
                assert_eq!(pool.check(5, &new), Ok(version(1, 1, 1)));
                assert!(links.insert(new.clone()));
                // Linked twice, the last link counts.
                link(&mut new, b"");
                assert_eq!(pool.check(5, &new), Ok(version(1, 1, 1)));
            }
        }
        for len in [0, 8, 16, 23] {
            let mut short = value(&pool, 5, version(1, 1, 1), len);
            let before = short.clone();
            link(&mut short, b"anything");
            assert_eq!(short, before);
        }
    }

    #[test]
    fn the_filling_repeats_as_much_as_it_should() {
        for compressibility in [0.0, 0.25, 0.5, 1.0] {
            let mut plan = plan(1, Vec::new());
            plan.value.compressibility = compressibility;
            let pool = ValuePool::new(&plan);
            let (mut repeated, mut bytes) = (0, 0);
            for step in 0..1_000 {
                let value = value(&pool, step, version(0, 0, step), 132);
                repeated += value[32..].windows(2).filter(|pair| pair[0] == pair[1]).count();
                bytes += 100;
            }
            let share = f64::from(repeated as u32) / f64::from(bytes);
            assert!((share - compressibility).abs() < 0.03, "{compressibility}: {share}");
        }
    }

    #[test]
    fn successive_values_do_not_repeat_one_another() {
        let pool = pool();
        for len in [100, 1_024] {
            for base in [version(0, 0, 0), version(0, 1, 0), version(1, 0, 0)] {
                let values: Vec<_> = (0..50).map(|step| value(&pool, 9, base + step, len)).collect();
                for (i, a) in values.iter().enumerate() {
                    assert!(values[..i].iter().all(|b| a[32..96] != b[32..96]));
                }
            }
        }
    }

    #[test]
    fn versions_are_all_different() {
        let mut seen = std::collections::HashSet::from([LOADED, UNKNOWN_VERSION]);
        for phase in [0, 1, MAX_PHASES - 1] {
            for worker in [0, 1, MAX_WORKERS - 1] {
                for step in [0, 1, (1 << STEP_BITS) - 1] {
                    assert!(seen.insert(version(phase, worker, step)));
                }
            }
        }
    }
}
