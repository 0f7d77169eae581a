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

#[cfg(test)]
mod tests {
    use super::super::chi_square::assert_fits;
    use super::*;
    use crate::workload::random::{Aspect, generator};

    #[test]
    fn records_are_all_alike() {
        let mut random = generator(1, 0, 0, Aspect::Record);
        for count in [1u64, 2, 3, 1_000] {
            let uniform = Uniform::new(count);
            let mut counts = vec![0; count as usize];
            for _ in 0..200_000 {
                counts[uniform.sample(&mut random) as usize] += 1;
            }
            assert_fits(&format!("uniform over {count}"), &counts, &vec![1.0; count as usize]);
        }
    }
}
