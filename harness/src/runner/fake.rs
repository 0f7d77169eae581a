//! An engine for tests that does what it should, but for one fault that can be chosen.

use engines::engine::Visitor;
use engines::{
    Capabilities, Engine, Error, Existence, GetBuffer, Result, ScanRange, Session, Stats, WriteBatch, WriteOp,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every n-th update is acknowledged and forgotten.
    ForgetsUpdates(u64),
    /// Every n-th set is acknowledged and forgotten.
    ForgetsSets(u64),
    /// Every n-th read returns the value of another record.
    MixesUp(u64),
    /// Reads fail.
    Fails,
    /// The n-th read panics.
    Panics(u64),
    /// Deletes are acknowledged and not done.
    KeepsDeleted,
    /// Scans return at most this many records.
    CutsScans(usize),
    /// Scans leave out the first record.
    SkipsFirst,
    /// The first record is lost when it is closed.
    LosesOnClose,
    /// It is not closed.
    CannotClose,
}

/// Where records lie, so that they can outlast an engine.
pub type Records = Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>;

/// A map behind a mutex.
#[derive(Debug)]
pub struct Fake {
    records: Records,
    calls: AtomicU64,
    fault: Fault,
}

impl Fake {
    /// With a fault.
    pub fn new(fault: Fault) -> Self {
        Self::over(Records::default(), fault)
    }

    /// With a fault, and with records that are there already.
    pub fn over(records: Records, fault: Fault) -> Self {
        Self { records, calls: AtomicU64::new(0), fault }
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.records.lock().expect("panics happen outside the lock")
    }

    /// Whether this is the n-th call of its kind.
    fn strikes(&self, every: u64) -> bool {
        (self.calls.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every)
    }
}

impl Engine for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::IN_MEMORY_ORDERED
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(FakeSession(self)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        FakeSession(self).scan(&ScanRange::all(), visit).map(drop)
    }

    fn stats(&self) -> Stats {
        Stats { records: self.records().len() as u64, ..Stats::default() }
    }

    fn wait_idle(&self, _: Duration) -> Result<bool> {
        Ok(true)
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        match self.fault {
            Fault::LosesOnClose => drop(self.records().pop_first()),
            Fault::CannotClose => return Err(Error::Poisoned { reason: "sync the log".to_owned() }),
            _ => {}
        }
        Ok(())
    }
}

struct FakeSession<'a>(&'a Fake);

impl Session for FakeSession<'_> {
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        let mut asked = key.to_vec();
        match self.0.fault {
            Fault::Fails => return Err(Error::ReadOnly { engine: "fake", reason: "it was told so" }),
            Fault::Panics(at) if self.0.strikes(at) => panic!("told to panic"),
            Fault::MixesUp(every) if self.0.strikes(every) => {
                asked = self.0.records().keys().find(|other| **other != key).cloned().unwrap_or_default();
            }
            _ => {}
        }
        let records = self.0.records();
        let found = records.get(&asked);
        value.extend(found.into_iter().flatten());
        Ok(found.is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if !matches!(self.0.fault, Fault::ForgetsSets(every) if self.0.strikes(every)) {
            self.0.records().insert(key.to_vec(), value.to_vec());
        }
        Ok(())
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        let forgets = matches!(self.0.fault, Fault::ForgetsUpdates(every) if self.0.strikes(every));
        let mut records = self.0.records();
        let found = records.get_mut(key);
        let there = found.is_some();
        if let Some(found) = found.filter(|_| !forgets) {
            *found = value.to_vec();
        }
        Ok(there)
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        if self.0.fault == Fault::KeepsDeleted {
            return Ok(Existence::Unknown);
        }
        Ok(self.0.records().remove(key).is_some().into())
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => self.set(key, value)?,
                WriteOp::Delete { key } => drop(self.delete(key)?),
            }
        }
        Ok(())
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        let mut value = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            if self.get(key, &mut value)? {
                values.put(index, &value);
            }
        }
        Ok(())
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        let found: Vec<_> = {
            let records = self.0.records();
            let within = records.iter().filter(|(key, _)| range.contains(key));
            let pair = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
            if range.reverse { within.rev().map(pair).collect() } else { within.map(pair).collect() }
        };
        let whole = range.limit == usize::MAX;
        let (skipped, limit) = match self.0.fault {
            Fault::SkipsFirst if !whole => (1, range.limit),
            Fault::CutsScans(most) if !whole => (0, range.limit.min(most)),
            _ => (0, range.limit),
        };
        let mut visited = 0;
        for (key, value) in found.iter().skip(skipped).take(limit) {
            visited += 1;
            let value = if range.keys_only { &[][..] } else { value };
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(visited)
    }
}
