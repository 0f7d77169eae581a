//! An engine that is right and nothing else: a sorted map behind a readers–writer lock.
//!
//! Thread safety: every operation takes the one lock for its whole duration, visitors run after it is released. So
//! batches and scans are points in time.

use crate::chunk::{Chunk, scan_in_chunks};
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch, WriteOp,
};
use crate::error::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

const NAME: &str = "reference";
/// What a record costs beside its bytes; a fair guess of the map's nodes and two vectors.
const RECORD_OVERHEAD_BYTES: u64 = 64;

/// The engine that the suite must find right, and that tests of wrappers wrap.
#[derive(Debug)]
pub struct Reference {
    records: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    capabilities: Capabilities,
}

impl Reference {
    /// Everything a [`Reference`] can do.
    pub const CAPABILITIES: Capabilities = Capabilities {
        batch_atomic_visibility: true,
        scan_snapshot: true,
        max_key_bytes: 64 << 10,
        max_value_bytes: 4 << 20,
        ..Capabilities::IN_MEMORY_ORDERED
    };

    /// An empty engine that can do everything.
    pub fn new() -> Self {
        Self::with(Self::CAPABILITIES)
    }

    /// An empty engine that refuses what these capabilities do not name.
    pub fn with(capabilities: Capabilities) -> Self {
        Self { records: RwLock::default(), capabilities }
    }

    fn check_writable(&self) -> Result<()> {
        if self.capabilities.writes {
            return Ok(());
        }
        Err(Error::ReadOnly { engine: NAME, reason: "it was opened without writes" })
    }
}

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine for Reference {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(DirectSession::new(self)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        let records = self.records.read().clone();
        for (key, value) in &records {
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn stats(&self) -> Stats {
        let records = self.records.read();
        let live_bytes = records.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        let count = records.len() as u64;
        let memory_bytes = size_of::<Self>() as u64 + live_bytes + count * RECORD_OVERHEAD_BYTES;
        Stats { records: count, live_bytes: Some(live_bytes), memory_bytes, details: Vec::new() }
    }

    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut loaded = 0;
        for (key, value) in records {
            self.capabilities.check_record(key, value)?;
            self.records.write().insert(key.to_vec(), value.to_vec());
            loaded += 1;
        }
        Ok(loaded)
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

impl Direct for Reference {
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        self.capabilities.check_key(key)?;
        let records = self.records.read();
        let found = records.get(key);
        value.extend_from_slice(found.map_or(&[], Vec::as_slice));
        Ok(found.is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.check_writable()?;
        self.capabilities.check_record(key, value)?;
        self.records.write().insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.check_writable()?;
        self.capabilities.check_record(key, value)?;
        match self.records.write().get_mut(key) {
            Some(old) => {
                *old = value.to_vec();
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        self.check_writable()?;
        self.capabilities.check_key(key)?;
        let present = self.records.write().remove(key).is_some();
        Ok(if self.capabilities.delete_reports { present.into() } else { Existence::Unknown })
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        self.check_writable()?;
        self.capabilities.check_batch(batch)?;
        let mut records = self.records.write();
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => records.insert(key.to_vec(), value.to_vec()),
                WriteOp::Delete { key } => records.remove(key),
            };
        }
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        keys.iter().try_for_each(|key| self.capabilities.check_key(key))?;
        values.reset(keys.len());
        let records = self.records.read();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = records.get(*key) {
                values.put(index, value);
            }
        }
        Ok(())
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        if !self.capabilities.ordered_scan {
            return Err(Error::Unsupported { engine: NAME, operation: "scan" });
        }
        if range.reverse && !self.capabilities.reverse_scan {
            return Err(Error::Unsupported { engine: NAME, operation: "reverse scan" });
        }
        let whole = self.capabilities.scan_snapshot;
        scan_in_chunks(range, chunk, visit, |rest, chunk| {
            if whole {
                chunk.reset(usize::MAX);
            }
            let records = self.records.read();
            let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (rest.lower(), rest.upper());
            let mut found = records.range::<[u8], _>(bounds);
            for _ in 0..rest.limit {
                let Some((key, value)) = (if rest.reverse { found.next_back() } else { found.next() }) else {
                    break;
                };
                chunk.push(key, if rest.keys_only { &[] } else { value });
                if !whole && chunk.is_full() {
                    break;
                }
            }
            Ok(())
        })
    }
}
