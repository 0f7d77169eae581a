//! YCSB's `ScrambledZipfianGenerator`, bit for bit, as the default request distribution of its core workloads.
//!
//! A rank is drawn over 10,000,000,001 items by the approximation of Gray et al. ("Quickly Generating Billion-Record
//! Synthetic Databases", SIGMOD 1994), hashed by FNV-1a and reduced modulo the key space. Because so many ranks share
//! each record, the result is much flatter than Zipf over the records, whatever its name says; and Gray's method draws
//! rank 3 about a fifth too often. It is here so that results can be compared with YCSB's.

use crate::workload::keyspace::fnv1a;
use crate::workload::random::{Random, unit};

/// The items that YCSB draws over: 0 to 10¹⁰, both included.
const ITEMS: u64 = 10_000_000_001;
/// YCSB's precomputed ζ(10¹⁰, .99).
const ZETA_99: f64 = 26.469_028_201_783_02;

/// Gray's approximation of Zipf over a fixed number of items.
#[derive(Clone, Copy, Debug)]
pub struct GrayZipfian {
    items: f64,
    zeta: f64,
    alpha: f64,
    eta: f64,
    second: f64,
}

impl GrayZipfian {
    /// Over `items` with skew `theta` between 0 and 1, given ζ(items, theta).
    pub fn new(items: u64, theta: f64, zeta: f64) -> Self {
        let items = items as f64;
        let second = 1.0 + 0.5f64.powf(theta);
        let eta = (1.0 - (2.0 / items).powf(1.0 - theta)) / (1.0 - second / zeta);
        Self { items, zeta, alpha: 1.0 / (1.0 - theta), eta, second }
    }

    /// The rank, from 0, that a number from 0 to 1 stands for.
    #[inline]
    pub fn rank(&self, unit: f64) -> u64 {
        let scaled = unit * self.zeta;
        if scaled < 1.0 {
            0
        } else if scaled < self.second {
            1
        } else {
            (self.items * (self.eta * unit - self.eta + 1.0).powf(self.alpha)) as u64
        }
    }
}

/// ζ(n, θ) = Σ i^−θ for i from 1 to n: the first thousand terms one by one, the others by the formula of Euler and
/// Maclaurin up to the third derivative; the error is below 10⁻¹² of the sum.
pub fn zeta(n: u64, theta: f64) -> f64 {
    const DIRECT: u64 = 1_000;
    let term = |i: f64| i.powf(-theta);
    let direct: f64 = (1..=n.min(DIRECT)).rev().map(|i| term(i as f64)).sum();
    if n <= DIRECT {
        return direct;
    }
    let (a, b) = (DIRECT as f64, n as f64);
    let integral = if (theta - 1.0).abs() < 1e-9 {
        (b / a).ln()
    } else {
        (b.powf(1.0 - theta) - a.powf(1.0 - theta)) / (1.0 - theta)
    };
    let first = |x: f64| -theta * x.powf(-theta - 1.0);
    let third = |x: f64| -theta * (theta + 1.0) * (theta + 2.0) * x.powf(-theta - 3.0);
    // Sum over a < i ≤ b; the term of a itself is in the direct part.
    direct + integral + (term(b) - term(a)) / 2.0 + (first(b) - first(a)) / 12.0
        - (third(b) - third(a)) / 720.0
}

/// A sampler of keys in YCSB's key space.
#[derive(Clone, Copy, Debug)]
pub struct YcsbZipfian {
    ranks: GrayZipfian,
    space: u64,
}

impl YcsbZipfian {
    /// For `records` loaded records and `expected` new ones; YCSB expects twice the operations times the proportion of
    /// inserts, and its key space includes its upper end, hence one more.
    pub fn new(records: u64, expected: u64, theta: f64) -> Self {
        let sum = if theta == 0.99 { ZETA_99 } else { zeta(ITEMS, theta) };
        Self { ranks: GrayZipfian::new(ITEMS, theta, sum), space: records + expected + 1 }
    }

    /// A key in `0..space`, whether it is there yet or not.
    #[inline]
    pub fn key(&self, random: &mut Random) -> u64 {
        fnv1a(self.ranks.rank(unit(random))) % self.space
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::random::{Aspect, generator};

    #[test]
    fn zeta_is_the_sum() {
        // Summed term by term, exactly rounded, by another program.
        let sums = [
            (0.5, 892.967_954_524_629_2),
            (0.99, 13.558_760_829_368_557),
            (1.0, 12.783_290_810_429_623),
            (1.5, 2.607_903_218_320_651_6),
            (3.0, 1.202_056_903_147_094_2),
        ];
        for (theta, sum) in sums {
            assert!((zeta(200_000, theta) / sum - 1.0).abs() < 1e-12, "{theta}");
        }
        assert!((zeta(10_000_000_000, 0.99) - ZETA_99).abs() < 1e-6, "{}", zeta(10_000_000_000, 0.99));
        assert_eq!(zeta(3, 1.0), 1.0 / 3.0 + 0.5 + 1.0);
        assert_eq!((zeta(1, 2.0), zeta(0, 2.0)), (1.0, 0.0));
    }

    #[test]
    fn draws_are_those_of_ycsb() {
        // (u, rank, key of 1,000,000 records, key of 1,000 records), by another program.
        let golden = [
            (0.0, 0, 801_320, 144),
            (0.03, 0, 801_320, 144),
            (0.04, 1, 216_074, 610),
            (0.06, 2, 971_811, 213),
            (0.1, 6, 293_804, 942),
            (0.25, 296, 84_930, 809),
            (0.5, 134_552, 686_676, 367),
            (0.75, 42_924_421, 874_340, 767),
            (0.9, 1_170_869_537, 736_200, 991),
            (0.999, 9_790_013_524, 896_839, 483),
        ];
        let (million, thousand) = (YcsbZipfian::new(1_000_000, 0, 0.99), YcsbZipfian::new(1_000, 0, 0.99));
        for (unit, rank, of_million, of_thousand) in golden {
            assert_eq!(million.ranks.rank(unit), rank, "u = {unit}");
            assert_eq!(fnv1a(rank) % million.space, of_million);
            assert_eq!(fnv1a(rank) % thousand.space, of_thousand);
        }
    }

    /// The hottest key's share, and that of the hottest hundredth.
    fn shape(records: u64, draws: u64) -> (f64, f64) {
        let ycsb = YcsbZipfian::new(records, 0, 0.99);
        let mut random = generator(1, 0, 0, Aspect::Record);
        let mut counts = vec![0u64; records as usize + 1];
        for _ in 0..draws {
            counts[ycsb.key(&mut random) as usize] += 1;
        }
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let top: u64 = counts.iter().take(records as usize / 100).sum();
        (counts[0] as f64 / draws as f64, top as f64 / draws as f64)
    }

    #[test]
    fn the_shape_is_as_flat_as_ycsbs() {
        let (hottest, top) = shape(1_000_000, 2_000_000);
        assert!((0.036..0.040).contains(&hottest), "hottest of a million: {hottest}");
        // Counting the hottest of a sample takes lucky cold ones for hot: a little over the true 39 %.
        assert!((0.38..0.42).contains(&top), "hottest hundredth of a million: {top}");
        let (hottest, _) = shape(1_000, 500_000);
        assert!((0.037..0.041).contains(&hottest), "hottest of a thousand: {hottest}");
    }
}
