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
            Sampler::Uniform(uniform) => each(records, || uniform.sample(random)),
            Sampler::Zipfian(zipfian, scatter) => {
                each(records, || zipfian.sample(random));
                for record in records.iter_mut() {
                    *record = scatter.record(*record);
                }
            }
            Sampler::Hotspot(hotspot) => each(records, || hotspot.sample(random)),
            Sampler::Sequential(sequential) => each(records, || sequential.sample()),
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

#[inline]
fn each(records: &mut [u64], mut draw: impl FnMut() -> u64) {
    for record in records {
        *record = draw();
    }
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
