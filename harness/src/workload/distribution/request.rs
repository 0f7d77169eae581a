//! The record of each operation of one worker in one phase.
//!
//! *Record numbers.* The load inserts `0..records`. In phase p, worker t of T inserts `base + t`, `base + t + T`, … with
//! base = records + p · 2³⁶: the first phase goes on where the load stopped, and later ones start at a place that
//! does not depend on how far a time-bounded phase got.
//!
//! *Which of them are asked for.* All distributions draw over the loaded records. `latest`, `exponential` and
//! `ycsb_zipfian` also draw the worker's own inserts of the phase; YCSB shares the inserts of all workers through a
//! window, which makes a worker's stream depend on the others' speed. With one worker the two are the same.

use super::exponential::Exponential;
use super::hotspot::Hotspot;
use super::latest::Latest;
use super::scatter::Scatter;
use super::sequential::Sequential;
use super::uniform::Uniform;
use super::ycsb_zipfian::YcsbZipfian;
use super::zipfian::Zipfian;
use crate::workload::operation::OperationKind;
use crate::workload::plan::{Bound, Plan, RequestDistribution};
use crate::workload::random::Random;

/// Bits that the inserts of one phase have for themselves.
const PHASE_BITS: u32 = 36;

/// The record numbers that one worker inserts in one phase.
#[derive(Clone, Copy, Debug)]
pub struct Inserts {
    base: u64,
    worker: u64,
    workers: u64,
    count: u64,
}

impl Inserts {
    /// Of the load.
    pub fn load(worker: u32, workers: u32) -> Self {
        Self { base: 0, worker: worker.into(), workers: workers.max(1).into(), count: 0 }
    }

    /// Of a phase.
    pub fn phase(records: u64, phase: usize, worker: u32, workers: u32) -> Self {
        Self { base: records + ((phase as u64) << PHASE_BITS), ..Self::load(worker, workers) }
    }

    /// The record of the worker's insert number `index`.
    #[inline]
    pub const fn record(&self, index: u64) -> u64 {
        self.base + self.worker + index * self.workers
    }

    /// The next record to insert.
    #[inline]
    pub const fn next(&mut self) -> u64 {
        let record = self.record(self.count);
        self.count += 1;
        record
    }

    /// The index of the worker's own insert that comes `offset` after the base of all workers, if it is its own.
    #[inline]
    const fn index_of(&self, offset: u64) -> Option<u64> {
        match offset.checked_sub(self.worker) {
            Some(distance) if distance % self.workers == 0 => Some(distance / self.workers),
            _ => None,
        }
    }

    /// The phase, worker and index of an inserted record.
    pub const fn locate(record: u64, records: u64, workers: u32) -> Option<(usize, usize, u64)> {
        let Some(offset) = record.checked_sub(records) else { return None };
        let (phase, within) = (offset >> PHASE_BITS, offset & ((1 << PHASE_BITS) - 1));
        let workers = if workers == 0 { 1 } else { workers as u64 };
        Some((phase as usize, (within % workers) as usize, within / workers))
    }
}

/// The sampler behind a request distribution.
#[derive(Clone, Debug)]
enum Sampler {
    /// Nothing is asked for: every operation inserts.
    Nothing,
    Uniform(Uniform),
    Zipfian(Zipfian, Scatter),
    YcsbZipfian(YcsbZipfian),
    Latest(Latest),
    Hotspot(Hotspot),
    Exponential(Exponential),
    Sequential(Sequential),
}

/// Draws the record of each operation.
#[derive(Clone, Debug)]
pub struct Requests {
    sampler: Sampler,
    records: u64,
    inserts: Inserts,
    inserting: bool,
}

impl Requests {
    /// Of the load: every operation inserts.
    pub fn load(worker: u32, workers: u32) -> Self {
        let inserts = Inserts::load(worker, workers);
        Self { sampler: Sampler::Nothing, records: 0, inserts, inserting: true }
    }

    /// Of one phase; a phase that is not there asks for nothing.
    pub fn phase(plan: &Plan, phase: usize, worker: u32, workers: u32) -> Self {
        let inserts = Inserts::phase(plan.records, phase, worker, workers);
        let records = plan.records;
        let Some(phase) = plan.phases.get(phase) else {
            return Self { sampler: Sampler::Nothing, records, inserts, inserting: true };
        };
        let sampler = match phase.request {
            RequestDistribution::Uniform => Sampler::Uniform(Uniform::new(records)),
            RequestDistribution::Zipfian { theta } => {
                Sampler::Zipfian(Zipfian::new(records, theta), Scatter::new(records))
            }
            RequestDistribution::YcsbZipfian { theta } => {
                // A phase bounded by time expects no new records, as YCSB without an operation count.
                let expected = match phase.bound {
                    Bound::Operations(operations) => (operations as f64 * phase.mix.insert * 2.0) as u64,
                    Bound::Duration(_) => 0,
                };
                Sampler::YcsbZipfian(YcsbZipfian::new(records, expected, theta))
            }
            RequestDistribution::Latest { theta } => Sampler::Latest(Latest::new(records, theta)),
            RequestDistribution::Hotspot { data_fraction, operation_fraction } => {
                Sampler::Hotspot(Hotspot::new(records, data_fraction, operation_fraction))
            }
            RequestDistribution::Exponential { percentile, fraction } => {
                Sampler::Exponential(Exponential::new(records, percentile, fraction))
            }
            RequestDistribution::Sequential => Sampler::Sequential(Sequential::new(records, worker, workers)),
        };
        Self { sampler, records, inserts, inserting: phase.mix.insert > 0.0 }
    }

    /// Fills in the record of each operation, given the kinds.
    pub fn fill(&mut self, random: &mut Random, kinds: &[OperationKind], records: &mut [u64]) {
        match &mut self.sampler {
            Sampler::Nothing => records.fill(0),
            Sampler::Uniform(uniform) => each(random, records, |random| uniform.sample(random)),
            Sampler::Zipfian(zipfian, scatter) => {
                each(random, records, |random| zipfian.sample(random));
                let scatter = *scatter;
                for record in records.iter_mut() {
                    *record = scatter.record(*record);
                }
            }
            Sampler::Hotspot(hotspot) => each(random, records, |random| hotspot.sample(random)),
            Sampler::Sequential(sequential) => records.fill_with(|| sequential.sample()),
            Sampler::YcsbZipfian(_) | Sampler::Latest(_) | Sampler::Exponential(_) => {
                self.fill_growing(random, kinds, records);
                return;
            }
        }
        if self.inserting {
            for (record, &kind) in records.iter_mut().zip(kinds) {
                if kind == OperationKind::Insert {
                    *record = self.inserts.next();
                }
            }
        }
    }

    /// The distributions that also ask for what the worker inserted before, one operation after the other.
    fn fill_growing(&mut self, random: &mut Random, kinds: &[OperationKind], records: &mut [u64]) {
        let (loaded, inserts) = (self.records, &mut self.inserts);
        for (record, &kind) in records.iter_mut().zip(kinds) {
            let known = loaded + inserts.count;
            *record = match &mut self.sampler {
                _ if kind == OperationKind::Insert => inserts.next(),
                Sampler::Latest(latest) => by_age(latest.sample(random, known), loaded, inserts),
                Sampler::Exponential(exponential) => {
                    by_age(exponential.sample(random, known), loaded, inserts)
                }
                Sampler::YcsbZipfian(ycsb) => ycsb_record(ycsb, random, loaded, inserts),
                _ => 0,
            };
        }
    }
}

/// Draws every record, with the generator in registers.
#[inline]
fn each(random: &mut Random, records: &mut [u64], draw: impl Fn(&mut Random) -> u64) {
    let mut local = random.clone();
    for record in records {
        *record = draw(&mut local);
    }
    *random = local;
}

/// The record of an age: the worker's own inserts first, then the loaded records from the last to the first.
#[inline]
const fn by_age(age: u64, loaded: u64, inserts: &Inserts) -> u64 {
    if age < inserts.count {
        inserts.record(inserts.count - 1 - age)
    } else {
        (loaded + inserts.count).saturating_sub(1 + age)
    }
}

/// YCSB's redraw rule: keys that are not acknowledged yet are drawn again. What a worker knows to be acknowledged are
/// the loaded records and its own inserts; key k ≥ records stands for the record that comes k − records after the base.
#[inline]
fn ycsb_record(ycsb: &YcsbZipfian, random: &mut Random, loaded: u64, inserts: &Inserts) -> u64 {
    if loaded + inserts.count == 0 {
        return 0;
    }
    loop {
        let key = ycsb.key(random);
        let Some(offset) = key.checked_sub(loaded) else { return key };
        if let Some(index) = inserts.index_of(offset)
            && index < inserts.count
        {
            return inserts.record(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::plan::Mix;
    use crate::workload::random::{Aspect, generator};
    use crate::workload::testing::{REQUESTS, phase, plan};

    const INSERTING: Mix = Mix {
        read: 0.5,
        update: 0.0,
        insert: 0.5,
        scan: 0.0,
        read_modify_write: 0.0,
        delete: 0.0,
        multiget: 0.0,
    };

    #[test]
    fn only_records_that_are_there_are_asked_for() {
        let kinds: Vec<_> = [OperationKind::Read, OperationKind::Insert, OperationKind::Read].repeat(1_000);
        for request in REQUESTS {
            let plan = plan(50, vec![phase(3_000, INSERTING, request), phase(3_000, INSERTING, request)]);
            for number in [0, 1] {
                let mut requests = Requests::phase(&plan, number, 1, 3);
                let mut random = generator(1, 1, 1, Aspect::Record);
                let mut records = vec![0; kinds.len()];
                requests.fill(&mut random, &kinds, &mut records);
                let base = 50 + ((number as u64) << PHASE_BITS);
                let (mut inserted, mut own_reads) = (0, 0);
                for (&kind, &record) in kinds.iter().zip(&records) {
                    if kind == OperationKind::Insert {
                        assert_eq!(record, base + 1 + 3 * inserted, "{request:?}");
                        assert_eq!(Inserts::locate(record, 50, 3), Some((number, 1, inserted)));
                        inserted += 1;
                    } else if record >= 50 {
                        own_reads += 1;
                        assert!(record >= base && (record - base) % 3 == 1);
                        assert!((record - base) / 3 < inserted, "{request:?}: {record} is not there yet");
                    }
                }
                let growing = matches!(
                    request,
                    RequestDistribution::Latest { .. }
                        | RequestDistribution::Exponential { .. }
                        | RequestDistribution::YcsbZipfian { .. }
                );
                assert_eq!(own_reads > 0, growing, "{request:?}");
            }
        }
    }

    #[test]
    fn alone_a_worker_asks_as_ycsb_does() {
        // YCSB's algorithm, word for word, with one client: keys above the last acknowledged insert are drawn again.
        let (records, operations) = (200u64, 4_000u64);
        let plan = plan(
            records,
            vec![phase(operations, INSERTING, RequestDistribution::YcsbZipfian { theta: 0.99 })],
        );
        let kinds = [OperationKind::Insert, OperationKind::Read].repeat(operations as usize / 2);
        let mut found = vec![0; kinds.len()];
        Requests::phase(&plan, 0, 0, 1).fill(&mut generator(3, 1, 0, Aspect::Record), &kinds, &mut found);

        let mut random = generator(3, 1, 0, Aspect::Record);
        let chooser = YcsbZipfian::new(records, operations, 0.99);
        let mut last_acknowledged = records - 1;
        for (&kind, &record) in kinds.iter().zip(&found) {
            let expected = if kind == OperationKind::Insert {
                last_acknowledged += 1;
                last_acknowledged
            } else {
                loop {
                    let key = chooser.key(&mut random);
                    if key <= last_acknowledged {
                        break key;
                    }
                }
            };
            assert_eq!(record, expected);
        }
    }

    #[test]
    fn the_newest_records_are_the_latest() {
        let plan = plan(100, vec![phase(0, INSERTING, RequestDistribution::Latest { theta: 0.99 })]);
        let mut requests = Requests::phase(&plan, 0, 0, 1);
        let kinds = [OperationKind::Insert, OperationKind::Read].repeat(20_000);
        let mut records = vec![0; kinds.len()];
        requests.fill(&mut generator(2, 1, 0, Aspect::Record), &kinds, &mut records);
        let newest = records.chunks(2).filter(|pair| pair[0] == pair[1]).count() as f64 / 20_000.0;
        // 1 / ζ(20,100, .99) to 1 / ζ(101, .99).
        assert!((0.09..0.12).contains(&newest), "{newest}");
    }

    #[test]
    fn zipfian_ranks_lie_scattered() {
        let plan = plan(1_000, vec![phase(0, Mix { read: 1.0, ..Mix::default() }, REQUESTS[1])]);
        let mut requests = Requests::phase(&plan, 0, 0, 1);
        let kinds = [OperationKind::Read; 10_000];
        let mut records = vec![0; kinds.len()];
        requests.fill(&mut generator(2, 1, 0, Aspect::Record), &kinds, &mut records);
        let scatter = Scatter::new(1_000);
        let hottest = records.iter().filter(|&&record| record == scatter.record(0)).count();
        assert!((1_150..1_450).contains(&hottest), "12.9 % expected: {hottest}");
        assert_ne!(scatter.record(0) + 1, scatter.record(1));
    }

    #[test]
    fn without_records_nothing_hangs() {
        for request in REQUESTS {
            let plan = plan(0, vec![phase(10, INSERTING, request)]);
            let mut records = vec![9; 10];
            Requests::phase(&plan, 0, 0, 1).fill(
                &mut generator(1, 1, 0, Aspect::Record),
                &[OperationKind::Read; 10],
                &mut records,
            );
            assert_eq!(records, [0; 10], "{request:?}");
        }
    }
}
