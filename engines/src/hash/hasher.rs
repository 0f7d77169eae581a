//! The hash function, and what each bit of a hash is for.
//!
//! From the most significant bit: shard, path through the directory (16 bits of it are kept in a slot as its tag), fingerprint
//! in bits 32 to 38, and the lowest 32 for the line in a segment.

use foldhash::SharedSeed;
use foldhash::quality::{RandomState, SeedableRandomState};
use std::hash::{BuildHasher, Hasher};

/// Bits of the path that a slot holds.
pub(super) const TAG_BITS: u32 = 16;

/// The hash of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    /// The highest `bits` bits: the number of the shard.
    #[inline]
    pub(super) const fn shard(self, bits: u32) -> usize {
        // In two steps, as there may be no bit at all.
        (self.0 >> 1 >> (u64::BITS - 1 - bits)) as usize
    }

    /// The bits behind those of the shard, from the most significant bit on: the way through the directory.
    #[inline]
    pub(super) const fn path(self, shard_bits: u32) -> u64 {
        self.0 << shard_bits
    }

    /// The control byte of a slot in use.
    #[inline]
    pub(super) const fn fingerprint(self) -> u8 {
        (self.0 >> 32) as u8 | 0x80
    }

    /// The line of a segment with `lines` lines where a search begins.
    #[inline]
    pub(super) const fn home(self, lines: usize) -> usize {
        (((self.0 as u32) as u64 * lines as u64) >> 32) as usize
    }
}

/// The part of a path that a slot holds.
#[inline]
pub(super) const fn tag(path: u64) -> u16 {
    (path >> (u64::BITS - TAG_BITS)) as u16
}

/// Foldhash in its quality variant, because all bits are used, with a seed.
#[derive(Clone, Debug)]
pub(super) struct KeyHasher(SeedableRandomState);

impl KeyHasher {
    /// A seed gives the same hashes in every process; without one they differ from process to process and from table to
    /// table, so that nobody can choose keys that meet in one segment.
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self(match seed {
            Some(seed) => SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            None => SeedableRandomState::with_seed(
                RandomState::default().hash_one(0),
                SharedSeed::global_random(),
            ),
        })
    }

    /// The hash of a key.
    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> KeyHash {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        KeyHash(hasher.finish())
    }
}
