//! Throughput over time: how many operations were finished in each tenth of a second.
//!
//! Thread safety: each worker has a series of its own, counted from the start common to all; they are added up after the
//! phase.

/// Width of a bin, nanoseconds; [`crate::results::model::SERIES_BIN_SECONDS`] in the clock's unit.
pub const BIN_NS: u64 = 100_000_000;

/// Bins that are allocated at once: room for a minute, so that the usual phase allocates none while measuring.
const BINS_AT_START: usize = 600;

/// Operations finished in each bin.
#[derive(Clone, Debug)]
pub struct Series {
    bins: Vec<u64>,
}

impl Series {
    /// An empty series.
    pub fn new() -> Self {
        Self { bins: Vec::with_capacity(BINS_AT_START) }
    }

    /// Counts operations that were finished this long after the common start.
    #[inline]
    pub fn add(&mut self, since_start_ns: u64, operations: u64) {
        let bin = usize::try_from(since_start_ns / BIN_NS).unwrap_or(usize::MAX);
        if let Some(count) = self.bins.get_mut(bin) {
            *count += operations;
        } else {
            // A clock that jumps must not ask for all memory: an hour past the last bin is kept in the last bin.
            let bin = bin.min(self.bins.len().saturating_add(36_000));
            self.bins.resize(bin + 1, 0);
            if let Some(count) = self.bins.last_mut() {
                *count += operations;
            }
        }
    }

    /// Adds another worker's bins to the sum, which grows as needed.
    pub fn merge_into(self, sum: &mut Vec<u64>) {
        if sum.len() < self.bins.len() {
            sum.resize(self.bins.len(), 0);
        }
        for (total, count) in sum.iter_mut().zip(self.bins) {
            *total += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::model::SERIES_BIN_SECONDS;

    #[test]
    fn operations_fall_into_their_bin() {
        assert_eq!(BIN_NS as f64, SERIES_BIN_SECONDS * 1e9);
        let mut one = Series::new();
        one.add(0, 1);
        one.add(BIN_NS - 1, 2);
        one.add(3 * BIN_NS, 5);
        let mut two = Series::new();
        two.add(BIN_NS, 7);
        let mut sum = Vec::new();
        two.merge_into(&mut sum);
        one.merge_into(&mut sum);
        assert_eq!(sum, [3, 7, 0, 5]);
    }

    #[test]
    fn a_jump_of_the_clock_stays_bounded() {
        let mut series = Series::new();
        series.add(u64::MAX, 1);
        let mut sum = Vec::new();
        series.merge_into(&mut sum);
        assert!(sum.len() <= 36_001);
        assert_eq!(sum.iter().sum::<u64>(), 1);
    }
}
