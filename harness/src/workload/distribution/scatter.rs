//! Which record has which rank: a fixed bijection of 0..n, so that the popular records are spread over the key space.
//!
//! 1. Multiplication modulo n by a number near n / φ (φ the golden ratio) that has no factor in common with n: the first
//!    ranks come to lie evenly over 0..n, but as regularly as the points of a lattice.
//! 2. n lies between two powers of two, 2ʲ ≤ n < 2ʲ⁺¹. Numbers below 2ʲ go through an invertible mix of j bits (xor-shift
//!    and multiplication by odd numbers, as in the finaliser of MurmurHash3); then all are turned by n − 2ʲ, which brings those
//!    that were not mixed yet below 2ʲ; then the mix comes again. That breaks the lattice.
//!
//! Each step is a bijection of 0..n, hence so is the whole, without a division, a branch that depends on the number, or a retry.

/// The bijection of 0..n; it depends on n alone.
#[derive(Clone, Copy, Debug)]
pub struct Scatter {
    count: u64,
    factor: u64,
    /// ⌊factor · 2⁶⁴ / count⌋, which makes the remainder a matter of multiplications (V. Shoup, in NTL).
    factor_by_count: u64,
    low: u64,
    mask: u64,
    shift: u32,
    turn: u64,
}

impl Scatter {
    /// The bijection of `0..count`, for `count` up to 2⁶²; a `count` of 0 counts as 1.
    pub fn new(count: u64) -> Self {
        let count = count.max(1);
        let bits = count.ilog2();
        let low = 1u64 << bits;
        let golden = ((count as f64 * 0.618_033_988_749_894_9) as u64).max(1);
        let factor = (golden..).find(|&factor| greatest_common_divisor(factor, count) == 1).unwrap_or(1);
        Self {
            count,
            factor,
            factor_by_count: ((u128::from(factor) << 64) / u128::from(count)) as u64,
            low,
            mask: low - 1,
            shift: bits.div_ceil(2).max(1),
            turn: count - low,
        }
    }

    /// rank · factor modulo count: the quotient is exact or one too small.
    #[inline]
    fn lattice(&self, rank: u64) -> u64 {
        let quotient = ((u128::from(rank) * u128::from(self.factor_by_count)) >> 64) as u64;
        let rest = rank.wrapping_mul(self.factor).wrapping_sub(quotient.wrapping_mul(self.count));
        if rest >= self.count { rest - self.count } else { rest }
    }

    #[inline]
    fn mix(&self, number: u64, add: u64, first: u64, second: u64) -> u64 {
        let mut mixed = number.wrapping_add(add) & self.mask;
        mixed ^= mixed >> self.shift;
        mixed = mixed.wrapping_mul(first) & self.mask;
        mixed ^= mixed >> self.shift;
        mixed = mixed.wrapping_mul(second) & self.mask;
        mixed ^= mixed >> self.shift;
        if number < self.low { mixed } else { number }
    }

    /// The record of a rank below `count`.
    #[inline]
    pub fn record(&self, rank: u64) -> u64 {
        let lattice = self.lattice(rank);
        let once = self.mix(lattice, 0x2545_F491_4F6C_DD1D, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB);
        let turned = once + self.turn;
        let turned = if turned >= self.count { turned - self.count } else { turned };
        self.mix(turned, 0x9E37_79B9_7F4A_7C15, 0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53)
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::super::chi_square::assert_fits;
    use super::*;

    #[test]
    fn is_a_bijection() {
        let sizes = (1..600).chain([1_000, 4_095, 4_096, 4_097, 65_535, 65_537, 1_000_000]);
        for count in sizes {
            let scatter = Scatter::new(count);
            let mut seen = vec![false; count as usize];
            for rank in 0..count {
                let record = scatter.record(rank) as usize;
                assert!(!std::mem::replace(&mut seen[record], true), "{count}: {record} twice");
            }
        }
    }

    #[test]
    fn the_first_ranks_are_spread_evenly() {
        for count in [1_000_000u64, (1 << 20) + 1, (1 << 21) - 1, 1 << 40, (1 << 40) - 12_345] {
            let scatter = Scatter::new(count);
            let mut buckets = vec![0; 100];
            for rank in 0..5_000 {
                let record = scatter.record(rank);
                assert!(record < count);
                buckets[(u128::from(record) * 100 / u128::from(count)) as usize] += 1;
            }
            assert_fits("scatter", &buckets, &[1.0; 100]);
        }
    }
}
