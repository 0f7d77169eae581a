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
