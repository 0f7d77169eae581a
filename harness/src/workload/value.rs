//! Values that describe themselves, at no more cost than filling them.
//!
//! A value starts with up to four words of eight bytes, little-endian, as many as fit: the *check word*, the *version*, the
//! *link* and the *record*. The rest is the filling: a slice of a pool of bytes made beforehand, from a place that
//! follows from record, version and length, so that writing a value is one copy and checking it one comparison.
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

use super::plan::Plan;
use super::random::{Aspect, generator, mix};
use rand_xoshiro::rand_core::Rng;
use thiserror::Error;

/// Bytes of the pool. A compressor's window over many values should rarely meet one slice twice.
const POOL: usize = 1 << 20;
/// Bytes of filling taken from one place of the pool.
const PIECE: usize = 1 << 16;
/// Bytes of the pool in which the compressible share is kept.
const GRAIN: usize = 64;
/// Bytes of a word.
const WORD: usize = 8;
/// Least length of a value with a version.
const LEAST_SEALED: usize = 2 * WORD;

/// The version of a loaded record.
pub const LOADED: u64 = 0;
/// What [`ValuePool::check`] returns for a value too short to hold its version.
pub const UNKNOWN_VERSION: u64 = u64::MAX;
/// The most phases that versions can tell apart.
pub const MAX_PHASES: usize = 254;
/// The most workers that versions can tell apart.
pub const MAX_WORKERS: u32 = 1 << 12;

/// The version that operation `step` of a worker in a phase writes.
#[inline]
pub const fn version(phase: usize, worker: u32, step: u64) -> u64 {
    ((phase as u64 + 1) << 56) | ((worker as u64) << 44) | step
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
        let mut bytes = vec![0; POOL].into_boxed_slice();
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
    fn pieces(&self, seal: u64, bytes: usize) -> impl Iterator<Item = &[u8]> {
        let mut left = bytes;
        let mut place = seal;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let len = left.min(PIECE);
            left -= len;
            let start = ((u128::from(place) * (POOL - PIECE) as u128) >> 64) as usize;
            place = mix(place);
            self.bytes.get(start..start + len)
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
        for piece in self.pieces(seal, len - bytes) {
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
        let fits = |record: u64| {
            let seal = seal(record, header.version, length);
            (header.check == seal ^ mix(header.link.unwrap_or(0))).then_some(seal)
        };
        let Some(seal) = fits(record).filter(|_| header.record.is_none_or(|found| found == record)) else {
            return Err(match header.record.filter(|&other| other != record && fits(other).is_some()) {
                Some(record) => ValueFault::Foreign { record },
                None => ValueFault::Header { length },
            });
        };
        let mut rest = value.get(header.bytes..).unwrap_or_default();
        for piece in self.pieces(seal, rest.len()) {
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
