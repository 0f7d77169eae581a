//! Writes of all kinds, one after the other, with syncs, snapshots and openings in between, and what is there after each.

use super::subject::digest;
use crate::engine::{Engine, Session, WriteBatch, WriteOp};
use crate::env::sim::SimRandom;
use crate::error::Result;
use std::collections::BTreeMap;

/// Keys that the trace is about.
const KEYS: usize = 60;

/// What is done.
#[derive(Clone, Debug)]
pub enum Step {
    /// Insert or replace.
    Set(Vec<u8>, Vec<u8>),
    /// Replace if there.
    Update(Vec<u8>, Vec<u8>),
    /// Remove.
    Delete(Vec<u8>),
    /// Several at once.
    Batch(WriteBatch),
    /// Make durable what was written.
    Sync,
    /// Write a snapshot.
    Snapshot,
    /// Close the store and open it again.
    Reopen,
    /// Open it again after its process was killed.
    Kill,
}

/// A trace, and a number for what is there before its first step and after each.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What is done.
    pub steps: Vec<Step>,
    /// One more than there are steps.
    pub states: Vec<u64>,
}

impl Trace {
    /// So many steps.
    pub fn new(steps: usize, seed: u64) -> Self {
        let mut random = SimRandom::new(seed);
        let mut records = BTreeMap::new();
        let mut trace = Self { steps: Vec::new(), states: vec![digest(&records)] };
        for number in 0..steps {
            let step = step(number, &mut random);
            step.apply_to(&mut records);
            trace.steps.push(step);
            trace.states.push(digest(&records));
        }
        trace
    }
}

fn key(random: &mut SimRandom) -> Vec<u8> {
    match random.below(KEYS) {
        0 => Vec::new(),
        1 => vec![0],
        2 => vec![0, 0],
        3 => vec![0xFF; 3],
        number => format!("key {number:04}").into_bytes(),
    }
}

fn value(random: &mut SimRandom) -> Vec<u8> {
    let len = match random.below(40) {
        0 => 5_000,
        1..4 => 0,
        _ => random.below(120),
    };
    vec![random.next() as u8; len]
}

fn step(number: usize, random: &mut SimRandom) -> Step {
    match number % 211 {
        97 => return Step::Snapshot,
        150 => return Step::Reopen,
        200 => return Step::Kill,
        _ => {}
    }
    match random.below(20) {
        0..9 => Step::Set(key(random), value(random)),
        9..13 => Step::Update(key(random), value(random)),
        13..16 => Step::Delete(key(random)),
        16..19 => {
            let mut batch = WriteBatch::new();
            for _ in 0..random.below(6) {
                let key = key(random);
                if random.below(3) == 0 { batch.delete(&key) } else { batch.set(&key, &value(random)) }
            }
            Step::Batch(batch)
        }
        _ => Step::Sync,
    }
}

impl Step {
    fn apply_to(&self, records: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
        match self {
            Self::Set(key, value) => {
                records.insert(key.clone(), value.clone());
            }
            Self::Update(key, value) => {
                records.entry(key.clone()).and_modify(|old| old.clone_from(value));
            }
            Self::Delete(key) => {
                records.remove(key);
            }
            Self::Batch(batch) => {
                for operation in batch.iter() {
                    match operation {
                        WriteOp::Set { key, value } => records.insert(key.to_vec(), value.to_vec()),
                        WriteOp::Delete { key } => records.remove(key),
                    };
                }
            }
            Self::Sync | Self::Snapshot | Self::Reopen | Self::Kill => {}
        }
    }

    /// Whether it changes what is there.
    pub(super) const fn is_write(&self) -> bool {
        matches!(self, Self::Set(..) | Self::Update(..) | Self::Delete(_) | Self::Batch(_))
    }

    /// Whether all before it is durable when it was done.
    pub(super) const fn makes_durable(&self) -> bool {
        matches!(self, Self::Sync | Self::Snapshot | Self::Reopen | Self::Kill)
    }

    /// Does it, unless it is an opening.
    ///
    /// # Errors
    /// Of the engine.
    pub(super) fn run(&self, engine: &dyn Engine, session: &mut dyn Session) -> Result<()> {
        match self {
            Self::Set(key, value) => session.set(key, value),
            Self::Update(key, value) => session.update(key, value).map(drop),
            Self::Delete(key) => session.delete(key).map(drop),
            Self::Batch(batch) => session.batch(batch),
            Self::Sync => engine.sync(),
            Self::Snapshot => engine.snapshot(),
            Self::Reopen | Self::Kill => Ok(()),
        }
    }
}
