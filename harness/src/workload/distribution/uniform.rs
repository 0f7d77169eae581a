//! Every record as likely as the other.

use crate::workload::random::{Random, below};

/// A sampler of record numbers.
#[derive(Clone, Copy, Debug)]
pub struct Uniform {
    count: u64,
}

impl Uniform {
    /// Over `0..count`.
    pub const fn new(count: u64) -> Self {
        Self { count }
    }

    /// A record number.
    #[inline]
    pub fn sample(&self, random: &mut Random) -> u64 {
        below(random, self.count)
    }
}
