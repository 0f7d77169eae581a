//! A share of the operations goes evenly to a hot share of the records, the rest evenly to the others.
//!
//! As YCSB's `HotspotIntegerGenerator`: the hot records are the first ⌊n · fraction⌋.

use crate::workload::random::{Random, below, unit};

/// A sampler of record numbers.
#[derive(Clone, Copy, Debug)]
pub struct Hotspot {
    hot: u64,
    cold: u64,
    operation_fraction: f64,
}

impl Hotspot {
    /// Over `0..count`. If the hot or the other set is empty, all operations go to the one that is not.
    pub fn new(count: u64, data_fraction: f64, operation_fraction: f64) -> Self {
        let hot = ((count as f64 * data_fraction) as u64).min(count);
        let operation_fraction = match (hot, count - hot) {
            (0, _) => 0.0,
            (_, 0) => 1.0,
            _ => operation_fraction,
        };
        Self { hot, cold: count - hot, operation_fraction }
    }

    /// A record number.
    #[inline]
    pub fn sample(&self, random: &mut Random) -> u64 {
        if unit(random) < self.operation_fraction {
            below(random, self.hot)
        } else {
            self.hot + below(random, self.cold)
        }
    }
}
