//! Zipf's distribution, exactly: P(rank r) ∝ r^−θ for ranks 1..n, any θ > 0, any n up to 2⁴⁰.
//!
//! No sum over n is needed. The first ranks stand alone, the others lie in segments that grow geometrically, at most a
//! few hundred in all. A segment [a, b] is drawn by an alias table with the hat weight (b − a + 1) · a^−θ, a rank x in it
//! evenly, and x is taken with probability (x / a)^−θ; otherwise the draw starts anew. Rejection from an exact hat leaves
//! exactly the target (von Neumann 1951), up to the 2⁻²⁴ that remain of a word after a rank was taken from it. As b / a is
//! near 1, nearly every draw lies below (b / a)^−θ, the squeeze, and is taken without a power.

use super::alias::AliasTable;
use crate::workload::random::{Random, threshold};
use rand_xoshiro::rand_core::Rng;

/// Ranks that stand alone.
const SINGLES: u64 = 256;
/// Segments in each doubling of the rank.
const SEGMENTS_PER_DOUBLING: i32 = 16;

/// Consecutive ranks, drawn evenly and thinned out by rejection.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: u64,
    len: u64,
    /// Words up to this are below every acceptance probability in the segment.
    squeeze: u64,
}

/// A sampler of ranks.
#[derive(Clone, Debug)]
pub struct Zipfian {
    theta: f64,
    table: AliasTable,
    segments: Box<[Segment]>,
}

impl Zipfian {
    /// Over `count` ranks (at least 1) with skew `theta`; takes a few microseconds, whatever the count.
    pub fn new(count: u64, theta: f64) -> Self {
        let mut segments = Vec::new();
        let mut weights = Vec::new();
        let mut start = 1;
        let growth = 2f64.powf(1.0 / f64::from(SEGMENTS_PER_DOUBLING));
        while start <= count.max(1) {
            let end = if start <= SINGLES { start + 1 } else { (start as f64 * growth).ceil() as u64 };
            let end = end.min(count.max(1) + 1);
            let (first, last) = (start as f64, (end - 1) as f64);
            let least = (last / first).powf(-theta);
            // A hair below the true bound, so that rounding never takes what had to be tested.
            let squeeze = if end - start == 1 { u64::MAX } else { threshold(least * (1.0 - 1e-12)) };
            segments.push(Segment { start, len: end - start, squeeze });
            weights.push((end - start) as f64 * first.powf(-theta));
            start = end;
        }
        Self { theta, table: AliasTable::new(&weights), segments: segments.into() }
    }

    /// A rank from 0, the most likely.
    #[inline(always)]
    pub fn sample(&self, random: &mut Random) -> u64 {
        loop {
            let segment = self.table.sample(random.next_u64());
            let product = random.next_u64();
            let Some(segment) = self.segments.get(segment) else { return 0 };
            let product = u128::from(product) * u128::from(segment.len);
            let rank = segment.start + (product >> 64) as u64;
            let rest = product as u64;
            if rest <= segment.squeeze || self.accepts(segment, rank, rest) {
                return rank - 1;
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn accepts(&self, segment: &Segment, rank: u64, rest: u64) -> bool {
        rest < threshold((rank as f64 / segment.start as f64).powf(-self.theta))
    }
}

#[cfg(test)]
mod tests {
    use super::super::chi_square::{assert_fits, critical, statistic};
    use super::super::ycsb_zipfian::{GrayZipfian, zeta};
    use super::*;
    use crate::workload::random::{Aspect, generator, unit};

    /// Counts of ranks: the first ones each, then in growing bins; and their exact weights.
    fn bins(count: u64, theta: f64) -> (Vec<u64>, Vec<f64>) {
        let (mut ends, mut weights, mut end, mut sum) = (Vec::new(), Vec::new(), 0u64, 0.0);
        while end < count {
            end = (end + 1 + end / 20).min(count);
            ends.push(end);
            let total = zeta(end, theta);
            weights.push(total - sum);
            sum = total;
        }
        (ends, weights)
    }

    fn binned(ends: &[u64], draws: usize, mut draw: impl FnMut() -> u64) -> Vec<u64> {
        let mut counts = vec![0; ends.len()];
        for _ in 0..draws {
            let rank = draw();
            counts[ends.partition_point(|&end| end <= rank)] += 1;
        }
        counts
    }

    #[test]
    fn ranks_are_exactly_zipfian() {
        for theta in [0.5, 0.99, 1.0, 1.5] {
            for count in [1, 2, 3, 10, 255, 256, 257, 300, 1_000, 65_536, 1_000_000] {
                let (ends, weights) = bins(count, theta);
                let zipfian = Zipfian::new(count, theta);
                let mut random = generator(count, 0, 0, Aspect::Record);
                let counts = binned(&ends, 300_000, || zipfian.sample(&mut random));
                assert_fits(&format!("zipf({theta}) of {count}"), &counts, &weights);
            }
        }
    }

    #[test]
    fn every_rank_behind_the_singles_has_its_share() {
        for theta in [0.5, 0.99, 4.0] {
            let count = 2_000u64;
            let zipfian = Zipfian::new(count, theta);
            let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-theta)).collect();
            let mut counts = vec![0; count as usize];
            let mut random = generator(9, 0, 0, Aspect::Record);
            for _ in 0..2_000_000 {
                counts[zipfian.sample(&mut random) as usize] += 1;
            }
            assert_fits(&format!("each rank of zipf({theta})"), &counts, &weights);
        }
    }

    #[test]
    fn segments_are_thinned_out_towards_their_ends() {
        // Few cells, so that a bias of half a percent shows: the singles, and the two halves of all segments together.
        let (count, theta) = (1u64 << 20, 0.99);
        let zipfian = Zipfian::new(count, theta);
        let part = |rank: u64| {
            let place = zipfian.segments.partition_point(|segment| segment.start <= rank + 1) - 1;
            let segment = zipfian.segments[place];
            usize::from(segment.len > 1) * (1 + usize::from(rank + 1 - segment.start >= segment.len / 2))
        };
        let (mut weights, mut counts) = ([0.0; 3], [0; 3]);
        for rank in 0..count {
            weights[part(rank)] += ((rank + 1) as f64).powf(-theta);
        }
        let mut random = generator(8, 0, 0, Aspect::Record);
        for _ in 0..3_000_000 {
            counts[part(zipfian.sample(&mut random))] += 1;
        }
        assert_fits("halves of segments", &counts, &weights);
    }

    #[test]
    fn a_tail_of_two_to_the_forty_has_the_right_shape() {
        let count = 1u64 << 40;
        for theta in [0.3, 0.99, 1.0, 1.1] {
            let (ends, weights) = bins(count, theta);
            let zipfian = Zipfian::new(count, theta);
            assert!(zipfian.segments.len() < 1_000, "the table is to fit into a first-level cache");
            let mut random = generator(5, 0, 0, Aspect::Record);
            let counts = binned(&ends, 400_000, || zipfian.sample(&mut random));
            assert_fits(&format!("zipf({theta}) of 2^40"), &counts, &weights);
        }
    }

    #[test]
    fn extreme_skews_are_drawn_too() {
        let mut random = generator(6, 0, 0, Aspect::Record);
        let steep = Zipfian::new(1 << 40, 200.0);
        assert!((0..1_000).all(|_| steep.sample(&mut random) == 0));
        let flat = Zipfian::new(1_000, 1e-9);
        let counts = binned(&(1..=1_000).collect::<Vec<_>>(), 100_000, || flat.sample(&mut random));
        assert_fits("zipf(0)", &counts, &[1.0; 1_000]);
    }

    #[test]
    fn the_test_finds_the_bias_of_grays_approximation() {
        let (count, theta) = (1_000_000, 0.99);
        let (ends, weights) = bins(count, theta);
        let gray = GrayZipfian::new(count, theta, zeta(count, theta));
        let mut random = generator(7, 0, 0, Aspect::Record);
        let counts = binned(&ends, 300_000, || gray.rank(unit(&mut random)));
        let (found, degrees) = statistic(&counts, &weights);
        assert!(found > 2.0 * critical(degrees), "χ² {found} does not show the bias");
        let expected = weights[2] / weights.iter().sum::<f64>() * 300_000.0;
        let excess = counts[2] as f64 / expected;
        assert!((1.1..1.3).contains(&excess), "rank 3 comes {excess} times as often as it should");
    }
}
