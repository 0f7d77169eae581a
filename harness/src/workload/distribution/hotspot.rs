//! A share of the operations goes evenly to a hot share of the records, the rest evenly to the others.
//!
//! As YCSB's `HotspotIntegerGenerator`: the hot records are the first ⌊n · fraction⌋.

use crate::workload::random::{Random, below, unit};
use std::hint::select_unpredictable;

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
        let hot = unit(random) < self.operation_fraction;
        let (start, count) = select_unpredictable(hot, (0, self.hot), (self.hot, self.cold));
        start + below(random, count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::chi_square::assert_fits;
    use super::*;
    use crate::workload::random::{Aspect, generator};

    #[test]
    fn hot_and_cold_records_get_their_shares() {
        let mut random = generator(1, 0, 0, Aspect::Record);
        for (count, data, operations, hot) in
            [(100, 0.2, 0.8, 20), (7, 0.5, 0.9, 3), (10, 0.01, 0.8, 0), (10, 1.0, 0.3, 10)]
        {
            let hotspot = Hotspot::new(count, data, operations);
            let mut counts = vec![0; count as usize];
            for _ in 0..200_000 {
                counts[hotspot.sample(&mut random) as usize] += 1;
            }
            let share = if hot == 0 || hot == count { hot as f64 / count as f64 } else { operations };
            let weights: Vec<f64> = (0..count)
                .map(|i| if i < hot { share / hot as f64 } else { (1.0 - share) / (count - hot) as f64 })
                .collect();
            assert_fits(&format!("hotspot of {count}"), &counts, &weights);
        }
    }
}
