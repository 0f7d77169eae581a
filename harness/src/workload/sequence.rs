//! What one worker does, without keys and values: the kind and the record of each of its operations.

use super::distribution::Requests;
use super::operation::OperationKind;
use super::plan::{Bound, Mix, Plan};
use super::random::{Aspect, Random, generator};
use rand_xoshiro::rand_core::Rng;

/// Draws kinds by their proportions.
#[derive(Clone, Debug)]
enum Kinds {
    /// Only this one; nothing is drawn.
    One(OperationKind),
    /// Of 63-bit words, those below entry *i* stand for kind *i*, unless they are below an earlier entry.
    Mixed([u64; OperationKind::ALL.len() - 1]),
}

impl Kinds {
    fn new(mix: &Mix) -> Self {
        let shares = OperationKind::ALL.map(|kind| mix.of(kind).max(0.0));
        let total: f64 = shares.iter().sum();
        let mut there = OperationKind::ALL.iter().filter(|&&kind| mix.of(kind) > 0.0);
        match (there.next(), there.next_back()) {
            (None, _) => Self::One(OperationKind::Read),
            (Some(&kind), None) => Self::One(kind),
            (Some(_), Some(&last)) => {
                let mut bounds = [1 << 63; OperationKind::ALL.len() - 1];
                let mut sum = 0.0;
                for ((bound, share), kind) in bounds.iter_mut().zip(shares).zip(OperationKind::ALL) {
                    sum += share / total;
                    // From the last kind on, the bound is 2⁶³: rounding must not make a kind that is not in the mix.
                    if kind < last {
                        *bound = ((sum * (1u64 << 63) as f64) as u64).min(1 << 63);
                    }
                }
                Self::Mixed(bounds)
            }
        }
    }

    fn fill(&self, random: &mut Random, kinds: &mut [OperationKind]) {
        match self {
            Self::One(kind) => kinds.fill(*kind),
            Self::Mixed(bounds) => {
                for kind in kinds {
                    let word = random.next_u64() >> 1;
                    let index: usize = bounds.iter().map(|&bound| usize::from(word >= bound)).sum();
                    *kind = OperationKind::ALL.get(index).copied().unwrap_or(OperationKind::Read);
                }
            }
        }
    }
}

/// The kinds and records of one worker's operations.
#[derive(Clone, Debug)]
pub struct Sequence {
    kinds: Kinds,
    requests: Requests,
    kind_random: Random,
    record_random: Random,
    left: u64,
    drawn_kinds: Vec<OperationKind>,
    drawn_records: Vec<u64>,
}

impl Sequence {
    /// Of the load.
    pub fn load(plan: &Plan, worker: u32, workers: u32) -> Self {
        let left = share(plan.records, worker, workers);
        Self::new(
            plan.seed,
            0,
            worker,
            Kinds::One(OperationKind::Insert),
            Requests::load(worker, workers),
            left,
        )
    }

    /// Of one phase; a phase that is not there has no operations.
    pub fn phase(plan: &Plan, phase: usize, worker: u32, workers: u32) -> Self {
        let (kinds, left) = match plan.phases.get(phase) {
            None => (Kinds::One(OperationKind::Read), 0),
            Some(found) => (
                Kinds::new(&found.mix),
                match found.bound {
                    Bound::Duration(_) => u64::MAX,
                    Bound::Operations(operations) => share(operations, worker, workers),
                },
            ),
        };
        let requests = Requests::phase(plan, phase, worker, workers);
        Self::new(plan.seed, phase as u64 + 1, worker, kinds, requests, left)
    }

    fn new(seed: u64, stage: u64, worker: u32, kinds: Kinds, requests: Requests, left: u64) -> Self {
        Self {
            kinds,
            requests,
            kind_random: generator(seed, stage, worker, Aspect::Kind),
            record_random: generator(seed, stage, worker, Aspect::Record),
            left,
            drawn_kinds: Vec::new(),
            drawn_records: Vec::new(),
        }
    }

    /// Draws up to `count` operations; the slices hold the kind and the record of each, and are empty at the end.
    pub fn draw(&mut self, count: usize) -> (&[OperationKind], &[u64]) {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(count);
        self.left -= count as u64;
        self.drawn_kinds.resize(count, OperationKind::Read);
        self.drawn_records.resize(count, 0);
        self.kinds.fill(&mut self.kind_random, &mut self.drawn_kinds);
        self.requests.fill(&mut self.record_random, &self.drawn_kinds, &mut self.drawn_records);
        (&self.drawn_kinds, &self.drawn_records)
    }
}

/// A worker's even share of `total`; the first workers take one more if it does not divide.
fn share(total: u64, worker: u32, workers: u32) -> u64 {
    let workers = u64::from(workers.max(1));
    total / workers + u64::from(u64::from(worker) < total % workers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::testing::{MIXED, REQUESTS, phase, plan};

    #[test]
    fn kinds_come_in_their_proportions() {
        let deleting = Mix { delete: 0.25, update: 0.75, ..Mix::default() };
        // Thirds do not sum to 1 exactly; zero shares must not come even so.
        let thirds = Mix { update: 1.0 / 3.0, insert: 1.0 / 3.0, scan: 1.0 / 3.0, ..Mix::default() };
        for mix in [MIXED, deleting, thirds, Mix { scan: 1.0, ..Mix::default() }] {
            let plan = plan(100, vec![phase(100_000, mix, REQUESTS[0])]);
            let mut sequence = Sequence::phase(&plan, 0, 0, 1);
            let mut counts = [0u64; 6];
            for &kind in sequence.draw(100_000).0 {
                counts[kind as usize] += 1;
            }
            for kind in OperationKind::ALL {
                let (found, share) = (counts[kind as usize] as f64 / 100_000.0, mix.of(kind));
                assert!((found - share).abs() < 0.006, "{kind:?}: {found} for {share}");
                assert!(share > 0.0 || found == 0.0);
            }
        }
    }

    #[test]
    fn shares_are_even_and_complete() {
        for (total, workers) in [(10, 3), (0, 2), (7, 7), (5, 8), (1_000_001, 4)] {
            let shares: Vec<u64> = (0..workers).map(|worker| share(total, worker, workers)).collect();
            assert_eq!(shares.iter().sum::<u64>(), total);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
