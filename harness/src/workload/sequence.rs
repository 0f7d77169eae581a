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

/// The kinds and records of one worker's operations. A multiget takes as many draws as it has keys; its record is that of its first key.
#[derive(Clone, Debug)]
pub struct Sequence {
    kinds: Kinds,
    requests: Requests,
    kind_random: Random,
    record_random: Random,
    left: u64,
    drawn_kinds: Vec<OperationKind>,
    drawn_records: Vec<u64>,
    /// Keys of a multiget; 0 where there are none.
    group_size: usize,
    /// Records of the multigets drawn last, group after group.
    groups: Vec<u64>,
    /// Kinds and records with an entry a key.
    wide_kinds: Vec<OperationKind>,
    wide_records: Vec<u64>,
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
        let mut sequence = Self::new(plan.seed, phase as u64 + 1, worker, kinds, requests, left);
        let grouped = plan.phases.get(phase).filter(|phase| phase.mix.multiget > 0.0);
        sequence.group_size = grouped.map_or(0, |phase| phase.multiget_size.max(1) as usize);
        sequence
    }

    /// Keys of a multiget; 0 where there are none.
    pub const fn group_size(&self) -> usize {
        self.group_size
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
            group_size: 0,
            groups: Vec::new(),
            wide_kinds: Vec::new(),
            wide_records: Vec::new(),
        }
    }

    /// Draws up to `count` operations; the first two slices hold the kind and the record of each, and are empty at the end. The
    /// third holds the records of all multigets, group after group.
    pub fn draw(&mut self, count: usize) -> (&[OperationKind], &[u64], &[u64]) {
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(count);
        self.left -= count as u64;
        self.drawn_kinds.resize(count, OperationKind::Read);
        self.drawn_records.resize(count, 0);
        self.kinds.fill(&mut self.kind_random, &mut self.drawn_kinds);
        if self.group_size == 0 {
            self.requests.fill(&mut self.record_random, &self.drawn_kinds, &mut self.drawn_records);
        } else {
            self.fill_groups();
        }
        (&self.drawn_kinds, &self.drawn_records, &self.groups)
    }

    /// Draws a record for each key, and keeps for each operation its first.
    fn fill_groups(&mut self) {
        let size = self.group_size;
        let keys = |kind: OperationKind| if kind == OperationKind::Multiget { size } else { 1 };
        self.wide_kinds.clear();
        for &kind in &self.drawn_kinds {
            self.wide_kinds.resize(self.wide_kinds.len() + keys(kind), kind);
        }
        self.wide_records.resize(self.wide_kinds.len(), 0);
        self.requests.fill(&mut self.record_random, &self.wide_kinds, &mut self.wide_records);
        self.groups.clear();
        let mut rest = self.wide_records.as_slice();
        for (&kind, record) in self.drawn_kinds.iter().zip(&mut self.drawn_records) {
            let (own, further) = rest.split_at(keys(kind).min(rest.len()));
            *record = own.first().copied().unwrap_or(0);
            if kind == OperationKind::Multiget {
                self.groups.extend_from_slice(own);
            }
            rest = further;
        }
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
        let grouped = Mix { read: 0.5, multiget: 0.5, ..Mix::default() };
        for mix in [MIXED, deleting, thirds, grouped, Mix { scan: 1.0, ..Mix::default() }] {
            let plan = plan(100, vec![phase(100_000, mix, REQUESTS[0])]);
            let mut sequence = Sequence::phase(&plan, 0, 0, 1);
            let mut counts = [0u64; OperationKind::ALL.len()];
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
    fn a_multiget_has_as_many_records_as_keys_and_the_others_draw_as_they_would() {
        // The same kinds and, key by key, the same records as a phase in which each key is a read of its own.
        for request in REQUESTS {
            let grouped = plan(100, vec![phase(9_999, Mix { multiget: 1.0, ..Mix::default() }, request)]);
            let single = plan(100, vec![phase(9_999, Mix { read: 1.0, ..Mix::default() }, request)]);
            let (kinds, records, groups) = {
                let mut sequence = Sequence::phase(&grouped, 0, 0, 1);
                assert_eq!(sequence.group_size(), 7);
                let (kinds, records, groups) = sequence.draw(50);
                (kinds.to_vec(), records.to_vec(), groups.to_vec())
            };
            assert_eq!((kinds.len(), groups.len()), (50, 350));
            assert!(records.iter().eq(groups.chunks(7).map(|group| &group[0])));
            assert_eq!(groups, Sequence::phase(&single, 0, 0, 1).draw(350).1, "{request:?}");
        }
        let mixed = Mix { read: 0.4, insert: 0.2, multiget: 0.4, ..Mix::default() };
        let mixed = plan(100, vec![phase(9_999, mixed, REQUESTS[3])]);
        let mut sequence = Sequence::phase(&mixed, 0, 0, 1);
        let (kinds, _, groups) = sequence.draw(1_000);
        let multigets = kinds.iter().filter(|kind| **kind == OperationKind::Multiget).count();
        assert!(multigets > 300 && groups.len() == multigets * 7);
        assert!(groups.iter().any(|record| *record >= 100), "its own inserts are asked for");
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
