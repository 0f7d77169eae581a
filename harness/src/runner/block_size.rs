//! How many operations are prepared at once.
//!
//! Large blocks make the two clock readings around a block cheap; small ones keep the deadline sharp, the series honest and
//! the prepared values in the cache. The size never changes which operations a worker runs, only how they are cut.

/// The most operations in a block.
pub const MOST_OPERATIONS: usize = 256;
/// A block should take no longer than this.
const MOST_NS: u64 = 1_000_000;
/// A block should hold no more bytes of values, its answers included, than this.
const MOST_BYTES: u64 = 1 << 20;

/// The size of the next block, from what the last one cost.
#[derive(Clone, Copy, Debug)]
pub struct BlockSize {
    operations: usize,
}

impl BlockSize {
    /// One operation at first: neither its time nor its size is known.
    pub const fn new() -> Self {
        Self { operations: 1 }
    }

    /// Operations in the next block.
    pub const fn operations(self) -> usize {
        self.operations
    }

    /// Adapts to a block that ran: at most doubles, and shrinks at once to what fits into a millisecond and a mebibyte.
    pub fn adapt(&mut self, ran: usize, nanoseconds: u64, bytes: u64) {
        let ran_wide = ran as u64;
        let fits = |limit: u64, used: u64| (limit * ran_wide).checked_div(used).unwrap_or(u64::MAX);
        let fitting = fits(MOST_NS, nanoseconds).min(fits(MOST_BYTES, bytes));
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.operations = fitting.min(self.operations.saturating_mul(2)).clamp(1, MOST_OPERATIONS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size that a steady cost an operation leads to, and after how many blocks it was reached.
    fn settled(nanoseconds: u64, bytes: u64) -> usize {
        let mut size = BlockSize::new();
        for _ in 0..20 {
            let ran = size.operations();
            size.adapt(ran, nanoseconds * ran as u64, bytes * ran as u64);
        }
        size.operations()
    }

    #[test]
    fn fast_operations_fill_the_block() {
        assert_eq!(settled(50, 100), MOST_OPERATIONS);
        assert_eq!(settled(0, 0), MOST_OPERATIONS);
    }

    #[test]
    fn slow_operations_end_within_a_millisecond() {
        assert_eq!(settled(20_000, 100), 50);
        assert_eq!(settled(5_000_000, 100), 1);
    }

    #[test]
    fn large_values_stay_within_a_mebibyte() {
        assert_eq!(settled(100, 64 << 10), 16);
        assert_eq!(settled(100, 64 << 20), 1);
    }

    #[test]
    fn one_stall_does_not_keep_blocks_small() {
        let mut size = BlockSize::new();
        size.adapt(256, 10_000_000_000, 0);
        assert_eq!(size.operations(), 1);
        for _ in 0..8 {
            size.adapt(size.operations(), 100, 100);
        }
        assert_eq!(size.operations(), MOST_OPERATIONS);
    }
}
