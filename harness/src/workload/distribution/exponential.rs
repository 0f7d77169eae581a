//! YCSB's exponential by age: `percentile` % of the draws fall into the newest `fraction` of the records.
//!
//! γ = −ln(1 − percentile / 100) / (records · fraction); the age is ⌊−ln(u) / γ⌋, drawn again while it is older than
//! the oldest record.

use crate::workload::random::{Random, unit};

/// A sampler of ages.
#[derive(Clone, Copy, Debug)]
pub struct Exponential {
    mean: f64,
}

impl Exponential {
    /// For `records` loaded records.
    pub fn new(records: u64, percentile: f64, fraction: f64) -> Self {
        Self { mean: records as f64 * fraction / -(1.0 - percentile / 100.0).ln() }
    }

    /// An age below `count`, 0 for the newest record; 0 if there is none.
    #[inline]
    pub fn sample(&self, random: &mut Random, count: u64) -> u64 {
        loop {
            let age = (-unit(random).ln() * self.mean) as u64;
            if age < count.max(1) {
                return age;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chi_square::assert_fits;
    use super::*;
    use crate::workload::random::{Aspect, generator};

    #[test]
    fn ages_fall_off_exponentially() {
        let (records, percentile, fraction) = (500u64, 95.0f64, 0.857_142_857_1);
        let gamma = -(1.0 - percentile / 100.0).ln() / (records as f64 * fraction);
        let exponential = Exponential::new(records, percentile, fraction);
        let mut random = generator(1, 0, 0, Aspect::Record);
        for count in [records, records + 100] {
            let mut counts = vec![0; count as usize];
            for _ in 0..300_000 {
                counts[exponential.sample(&mut random, count) as usize] += 1;
            }
            let weights: Vec<f64> = (0..count)
                .map(|age| (-gamma * age as f64).exp() - (-gamma * (age + 1) as f64).exp())
                .collect();
            assert_fits("exponential", &counts, &weights);
        }
    }
}
