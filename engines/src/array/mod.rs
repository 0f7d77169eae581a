//! `array`: an ordered map in one contiguous array that keeps gaps, a packed-memory array.
//!
//! Sources: Bender, Demaine & Farach-Colton, *Cache-Oblivious B-Trees* (density thresholds, rebalancing of windows);
//! Bender & Hu, *An Adaptive Packed-Memory Array* (uneven rebalancing where inserts hammer one spot).
//!
//! Good at: scans, which run through memory, and reads, a binary search over dense heads. Bad at: the tail latency of
//! inserts. An insert costs amortised O(log² n) moves of 24 bytes; single ones rebalance a large window, and the one
//! that fills the array doubles it, moving all n records while everybody waits. `stats` tells how much was moved: its
//! `slots_moved_max` is the longest such pause.
//!
//! Thread safety: one readers–writer latch around the whole array. Readers run in parallel but all of them write the
//! latch's one cache line; writers exclude everybody. A scan copies a chunk of records under the latch and visits them
//! without it.

mod cursor;
mod geometry;
mod options;
mod plan;
mod pma;
mod search;
mod slots;
#[cfg(test)]
mod tests;
mod validate;

use crate::chunk::{Chunk, scan_in_chunks};
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch, WriteOp,
};
use crate::entry::{Entry, Kind, OpenOptions, default_json, parse_options};
use crate::error::{Error, Result};
use crate::record::Record;
pub use options::ArrayOptions;
use parking_lot::RwLock;
use pma::Pma;

const NAME: &str = "array";

const CAPABILITIES: Capabilities =
    Capabilities { batch_atomic_visibility: true, ..Capabilities::IN_MEMORY_ORDERED };

/// The registry's view of this engine.
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "packed-memory array: contiguous, ordered, made for scans and reads; inserts move neighbours",
    kind: Kind::Own,
    capabilities: CAPABILITIES,
    options: options::DOCS,
    open,
    default_options: default_json::<ArrayOptions>,
};

fn open(options: &OpenOptions) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Array::new(parse_options(NAME, &options.options)?)?))
}

/// An ordered in-memory engine: a packed-memory array. See the module for what it is good at.
#[derive(Debug)]
pub struct Array {
    array: RwLock<Pma>,
}

impl Array {
    /// An empty array.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if an option is out of its range.
    pub fn new(options: ArrayOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { array: RwLock::new(Pma::new(&options)) })
    }
}

impl Direct for Array {
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        CAPABILITIES.check_key(key)?;
        let array = self.array.read();
        let found = array.get(key);
        value.extend_from_slice(found.unwrap_or_default());
        Ok(found.is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.array.write().set(key, value);
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        Ok(self.array.write().update(key, value))
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        let removed = self.array.write().remove(key);
        Ok(removed.is_some().into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        let mut array = self.array.write();
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => array.set(key, value),
                WriteOp::Delete { key } => drop(array.remove(key)),
            }
        }
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        values.reset(keys.len());
        let array = self.array.read();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = array.get(key) {
                values.put(index, value);
            }
        }
        Ok(())
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        scan_in_chunks(range, chunk, visit, |rest, chunk| {
            self.array.read().fill(rest, chunk);
            Ok(())
        })
    }
}

impl Engine for Array {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(DirectSession::new(self)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.scan(&ScanRange::all(), &mut Chunk::new(), visit).map(drop)
    }

    fn stats(&self) -> Stats {
        let array = self.array.read();
        let counters = array.counters;
        Stats {
            records: array.tally.records as u64,
            live_bytes: Some(array.tally.live_bytes as u64),
            memory_bytes: array.memory_bytes() as u64,
            details: vec![
                ("segments".to_owned(), array.slots.segments() as f64),
                ("density".to_owned(), array.tally.records as f64 / array.capacity() as f64),
                ("rebalances".to_owned(), counters.rebalances as f64),
                ("resizes".to_owned(), counters.resizes as f64),
                ("slots_moved".to_owned(), counters.slots_moved as f64),
                ("slots_moved_max".to_owned(), counters.slots_moved_max as f64),
                ("slots_shifted".to_owned(), counters.slots_shifted as f64),
            ],
        }
    }

    /// Lays the records out in one pass, as densely as `max_density` allows, while the keys ascend and the array is empty; from the first record that breaks
    /// this, one set after the other. The iterator runs under no latch.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut sorted: Vec<Record> = Vec::new();
        let mut refused = None;
        let mut unsorted = None;
        for (key, value) in &mut *records {
            if let Err(error) = CAPABILITIES.check_record(key, value) {
                refused = Some(error);
                break;
            }
            let record = Record::new(key, value);
            if sorted.last().is_some_and(|last| last.key() >= key) {
                unsorted = Some(record);
                break;
            }
            sorted.push(record);
        }
        let mut loaded = sorted.len() as u64;
        let mut array = self.array.write();
        if array.tally.records == 0 {
            array.build(sorted);
        } else {
            sorted.iter().for_each(|record| array.set(record.key(), record.value()));
        }
        drop(array);
        if let Some(error) = refused {
            return Err(error);
        }
        if let Some(record) = unsorted {
            self.set(record.key(), record.value())?;
            loaded += 1;
        }
        for (key, value) in records {
            self.set(key, value)?;
            loaded += 1;
        }
        Ok(loaded)
    }

    /// Gives back the slack of replaced records and shrinks the array until about one slot in 32 is free (none
    /// where segments have fewer). O(n) under the
    /// latch. Made for an array that is read from now on: the next insert into a full segment doubles it again.
    fn compact(&self) -> Result<()> {
        self.array.write().compact();
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        let checked = self.array.read().validate();
        checked.map_err(|message| Error::InvariantBroken { engine: NAME, message })
    }
}
