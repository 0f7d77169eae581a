//! The alias method: a draw from any finite distribution in constant time.
//!
//! A. J. Walker 1977, built in linear time as M. D. Vose 1991 describes: as many slots as items, each shared by at most
//! two items, so that a draw is one multiplication, one comparison and one load.

/// One slot: item *i* below the threshold, the alias from there on.
#[derive(Clone, Copy, Debug)]
struct Slot {
    threshold: u64,
    alias: u32,
}

/// A table to draw indices from by their weights.
#[derive(Clone, Debug)]
pub struct AliasTable {
    slots: Box<[Slot]>,
}

impl AliasTable {
    /// A table of at most 2³² weights; negative and non-finite ones count as 0. If all are 0, every index is as
    /// likely as the other.
    pub fn new(weights: &[f64]) -> Self {
        let clean = |weight: f64| if weight.is_finite() && weight > 0.0 { weight } else { 0.0 };
        let total: f64 = weights.iter().copied().map(clean).sum();
        let mean = total / weights.len() as f64;
        let mut shares: Vec<f64> =
            weights.iter().map(|&weight| if mean > 0.0 { clean(weight) / mean } else { 1.0 }).collect();
        let mut slots: Vec<Slot> =
            (0..weights.len() as u32).map(|alias| Slot { threshold: u64::MAX, alias }).collect();

        let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..weights.len() as u32)
            .partition(|&i| shares.get(i as usize).is_some_and(|&share| share < 1.0));
        while let (Some(less), Some(more)) = (small.pop(), large.pop()) {
            let share = shares.get(less as usize).copied().unwrap_or(1.0);
            if let Some(slot) = slots.get_mut(less as usize) {
                *slot = Slot { threshold: super::super::random::threshold(share), alias: more };
            }
            let Some(rest) = shares.get_mut(more as usize) else { continue };
            *rest -= 1.0 - share;
            if *rest < 1.0 { small.push(more) } else { large.push(more) }
        }
        // What is left over is 1 but for rounding, and keeps its whole slot.
        Self { slots: slots.into() }
    }

    /// The index that a random word stands for; 0 if the table is empty.
    #[inline]
    pub fn sample(&self, word: u64) -> usize {
        let product = u128::from(word) * self.slots.len() as u128;
        let index = (product >> 64) as usize;
        match self.slots.get(index) {
            Some(slot) => {
                if (product as u64) < slot.threshold {
                    index
                } else {
                    slot.alias as usize
                }
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chi_square::assert_fits;
    use super::*;
    use crate::workload::random::{Aspect, generator};
    use rand_xoshiro::rand_core::Rng;

    #[test]
    fn draws_follow_the_weights() {
        let mut random = generator(3, 0, 0, Aspect::Record);
        for weights in [vec![1.0], vec![1.0, 0.0, 3.0], vec![0.1, 5.0, 2.0, 0.0, 9.0, 1.0, 1.0]] {
            let table = AliasTable::new(&weights);
            let mut counts = vec![0; weights.len()];
            for _ in 0..200_000 {
                counts[table.sample(random.next_u64())] += 1;
            }
            assert_fits("alias", &counts, &weights);
        }
    }

    #[test]
    fn without_any_weight_all_are_alike() {
        let mut random = generator(4, 0, 0, Aspect::Record);
        let table = AliasTable::new(&[0.0; 5]);
        let mut counts = vec![0; 5];
        for _ in 0..50_000 {
            counts[table.sample(random.next_u64())] += 1;
        }
        assert_fits("alias of nothing", &counts, &[1.0; 5]);
        assert_eq!(AliasTable::new(&[]).sample(u64::MAX), 0);
    }
}
