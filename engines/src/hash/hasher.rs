//! The hash function, with a fixed seed so that a run can be repeated exactly.

use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hasher};

const SEED: u64 = 0x5EED_0F7A_B1E5_0001;

/// The hash of a key. Foldhash in its quality variant, because all bits are used: the highest for the shard,
/// middle ones for the fingerprint, the lowest for the group.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(SEED).build_hasher();
    hasher.write(key);
    hasher.finish()
}
