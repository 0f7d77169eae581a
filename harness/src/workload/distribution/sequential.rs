//! One record after the other, each worker from a place of its own, again from the start at the end.
//!
//! YCSB's workers share one counter. Here worker t of T starts at record ⌊t · n / T⌋, so that a worker's stream does
//! not depend on how fast the others are.

/// A walk over `0..count`.
#[derive(Clone, Copy, Debug)]
pub struct Sequential {
    count: u64,
    next: u64,
}

impl Sequential {
    /// The walk of one worker.
    pub fn new(count: u64, worker: u32, workers: u32) -> Self {
        let next = u128::from(count) * u128::from(worker) / u128::from(workers.max(1));
        Self { count, next: next as u64 }
    }

    /// The next record number.
    #[inline]
    pub fn sample(&mut self) -> u64 {
        let record = self.next;
        self.next = if record + 1 >= self.count { 0 } else { record + 1 };
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_start_apart_and_come_round() {
        let mut walk = Sequential::new(10, 2, 4);
        let seen: Vec<u64> = (0..12).map(|_| walk.sample()).collect();
        assert_eq!(seen, [5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(Sequential::new(10, 0, 4).sample(), 0);
        let mut one = Sequential::new(1, 3, 4);
        assert_eq!([one.sample(), one.sample()], [0, 0]);
    }
}
