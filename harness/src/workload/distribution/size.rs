//! Value sizes and scan lengths.

use super::alias::AliasTable;
use super::zipfian::Zipfian;
use crate::workload::plan::SizeDistribution;
use crate::workload::random::{Random, below};
use rand_xoshiro::rand_core::Rng;

/// The skew of zipfian sizes, as in YCSB.
const THETA: f64 = 0.99;

/// A sampler of whole numbers.
#[derive(Clone, Debug)]
pub enum Size {
    /// Always the same; draws nothing.
    Constant(u64),
    /// Each of `count` numbers from `min` on as likely as the other.
    Uniform {
        /// Least.
        min: u64,
        /// How many.
        count: u64,
    },
    /// `min` the most likely.
    Zipfian {
        /// Least.
        min: u64,
        /// What is added to it.
        ranks: Zipfian,
        /// How many numbers.
        count: u64,
    },
    /// By weights.
    Histogram {
        /// Width of a bucket.
        block_size: u64,
        /// The buckets.
        table: AliasTable,
        /// How many buckets.
        count: u64,
    },
}

impl Size {
    /// The sampler of a distribution. A `max` below its `min` counts as `min`.
    pub fn new(distribution: &SizeDistribution) -> Self {
        let span = |min: u64, max: u64| max.saturating_sub(min).saturating_add(1);
        match *distribution {
            SizeDistribution::Constant { value } => Self::Constant(value),
            SizeDistribution::Uniform { min, max } => Self::Uniform { min, count: span(min, max) },
            SizeDistribution::Zipfian { min, max } => {
                let count = span(min, max);
                Self::Zipfian { min, ranks: Zipfian::new(count, THETA), count }
            }
            SizeDistribution::Histogram { block_size, ref weights } => {
                let shares: Vec<f64> = weights.iter().map(|&weight| weight as f64).collect();
                Self::Histogram { block_size, table: AliasTable::new(&shares), count: weights.len() as u64 }
            }
        }
    }

    /// The greatest number that can be drawn.
    pub const fn max(&self) -> u64 {
        match *self {
            Self::Constant(value) => value,
            Self::Uniform { min, count } | Self::Zipfian { min, count, .. } => min + (count - 1),
            Self::Histogram { block_size, count, .. } => block_size.saturating_mul(count),
        }
    }

    /// A number.
    #[inline]
    pub fn sample(&self, random: &mut Random) -> u64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { min, count } => min + below(random, *count),
            Self::Zipfian { min, ranks, .. } => min + ranks.sample(random),
            Self::Histogram { block_size, table, .. } => {
                (table.sample(random.next_u64()) as u64 + 1).saturating_mul(*block_size)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chi_square::assert_fits;
    use super::*;
    use crate::workload::random::{Aspect, generator};

    /// Draws, counts by number, and compares with the weights of 0, 1, 2, …
    fn assert_weights(distribution: &SizeDistribution, weights: &[f64]) {
        let size = Size::new(distribution);
        assert_eq!(size.max() as usize + 1, weights.len());
        let mut random = generator(1, 0, 0, Aspect::ValueSize);
        let mut counts = vec![0; weights.len()];
        for _ in 0..200_000 {
            counts[size.sample(&mut random) as usize] += 1;
        }
        assert_fits(&format!("{distribution:?}"), &counts, weights);
    }

    #[test]
    fn sizes_follow_their_distributions() {
        assert_weights(&SizeDistribution::Constant { value: 3 }, &[0.0, 0.0, 0.0, 1.0]);
        assert_weights(&SizeDistribution::Uniform { min: 2, max: 4 }, &[0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_weights(&SizeDistribution::Uniform { min: 1, max: 1 }, &[0.0, 1.0]);
        let zipf: Vec<f64> =
            (0..=500).map(|i| if i < 3 { 0.0 } else { f64::from(i - 2).powf(-0.99) }).collect();
        assert_weights(&SizeDistribution::Zipfian { min: 3, max: 500 }, &zipf);
        let histogram = SizeDistribution::Histogram { block_size: 2, weights: vec![5, 0, 1] };
        assert_weights(&histogram, &[0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 1.0]);
    }
}
