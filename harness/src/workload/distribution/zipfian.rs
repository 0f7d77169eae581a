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
const SEGMENTS_PER_DOUBLING: i32 = 8;

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
    #[inline]
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
