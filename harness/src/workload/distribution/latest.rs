//! The newest records are the most likely: the age of the record asked for is exactly zipfian.
//!
//! The number of records grows while it is drawn from. The table is built for more ages than there are, and ages that do
//! not exist yet are drawn again: conditional on r ≤ n, Zipf over more than n ranks is Zipf over n. It is built anew,
//! a quarter larger, whenever the records outgrow it.
//!
//! YCSB's `SkewedLatestGenerator` draws `newest − zipf(newest)` by Gray's approximation and so never asks for record 0;
//! this draws over all of them, exactly.

use super::zipfian::Zipfian;
use crate::workload::random::Random;

/// A sampler of ages.
#[derive(Clone, Debug)]
pub struct Latest {
    theta: f64,
    capacity: u64,
    ages: Zipfian,
}

impl Latest {
    /// Over at first `count` records.
    pub fn new(count: u64, theta: f64) -> Self {
        Self { theta, capacity: count.max(1), ages: Zipfian::new(count, theta) }
    }

    /// An age below `count`, 0 for the newest record; 0 if there is none.
    #[inline]
    pub fn sample(&mut self, random: &mut Random, count: u64) -> u64 {
        if count > self.capacity {
            self.grow(count);
        }
        loop {
            let age = self.ages.sample(random);
            if age < count.max(1) {
                return age;
            }
        }
    }

    #[cold]
    fn grow(&mut self, count: u64) {
        self.capacity = count + count / 4 + 8;
        self.ages = Zipfian::new(self.capacity, self.theta);
    }
}

#[cfg(test)]
mod tests {
    use super::super::chi_square::assert_fits;
    use super::*;
    use crate::workload::random::{Aspect, generator};

    #[test]
    fn ages_are_zipfian_over_as_many_records_as_there_are() {
        for theta in [0.5, 0.99, 1.2] {
            let mut latest = Latest::new(1, theta);
            let mut random = generator(1, 0, 0, Aspect::Record);
            for count in [1u64, 2, 9, 10, 40, 400, 1_000] {
                let mut counts = vec![0; count as usize];
                for _ in 0..200_000 {
                    counts[latest.sample(&mut random, count) as usize] += 1;
                }
                let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-theta)).collect();
                assert_fits(&format!("latest({theta}) of {count}"), &counts, &weights);
            }
        }
    }
}
