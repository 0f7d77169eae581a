//! Random generators: one for each aspect of each worker's stream.
//!
//! Each aspect (which kind, which record, how long a value, …) steps a generator of its own, so that what one operation
//! draws for one aspect never moves what another draws for a different one, and the stream does not depend on the
//! size of the blocks it is prepared in.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The generator of all draws: xoshiro256++ of Blackman and Vigna, 256 bits of state.
pub type Random = Xoshiro256PlusPlus;

/// What a generator is used for.
#[derive(Clone, Copy, Debug)]
pub enum Aspect {
    /// The kind of an operation.
    Kind,
    /// The record it asks for.
    Record,
    /// The length of a new value.
    ValueSize,
    /// The length of a scan.
    ScanLength,
    /// Which reads are checked.
    Check,
    /// The bytes that values are filled with.
    Filling,
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of the 64-bit words that mixes every bit into
/// every other.
pub const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The generator of one aspect of one worker in one stage; stage 0 is the load, stage *p* + 1 is phase *p*.
pub fn generator(seed: u64, stage: u64, worker: u32, aspect: Aspect) -> Random {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut state = mix(seed.wrapping_add(STEP));
    for word in [stage, u64::from(worker), aspect as u64] {
        state = mix((state ^ word).wrapping_add(STEP));
    }
    Random::seed_from_u64(state)
}

/// A number from 0 (included) to 1 (excluded), a multiple of 2⁻⁵³.
#[inline]
pub fn unit(random: &mut Random) -> f64 {
    (random.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A whole number below `bound`, each exactly as likely as the other (Lemire 2019); 0 if `bound` is 0.
#[inline]
pub fn below(random: &mut Random, bound: u64) -> u64 {
    loop {
        let product = u128::from(random.next_u64()) * u128::from(bound);
        let low = product as u64;
        if low >= bound || low >= bound.wrapping_neg().checked_rem(bound).unwrap_or(0) {
            return (product >> 64) as u64;
        }
    }
}

/// `share` (0 to 1) of the 64-bit words: a word is drawn below it with that probability; 1 becomes the greatest word.
pub fn threshold(share: f64) -> u64 {
    // 2⁶⁴ as a float; the cast saturates.
    (share * 18_446_744_073_709_551_616.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_stage_worker_and_aspect_has_a_generator_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for seed in [0, 1, u64::MAX] {
            for stage in 0..4 {
                for worker in 0..4 {
                    for aspect in [Aspect::Kind, Aspect::Record, Aspect::ValueSize, Aspect::ScanLength] {
                        assert!(seen.insert(generator(seed, stage, worker, aspect).next_u64()));
                    }
                }
            }
        }
        let (mut a, mut b) = (generator(7, 1, 2, Aspect::Kind), generator(7, 1, 2, Aspect::Kind));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
    }

    #[test]
    fn below_stays_below_and_reaches_every_number() {
        let mut random = generator(1, 0, 0, Aspect::Record);
        for bound in [1, 2, 3, 7, 100] {
            let mut seen = vec![false; bound as usize];
            for _ in 0..bound * 40 {
                seen[below(&mut random, bound) as usize] = true;
            }
            assert!(seen.iter().all(|&s| s), "bound {bound}");
        }
        assert_eq!(below(&mut random, 0), 0);
    }
}
