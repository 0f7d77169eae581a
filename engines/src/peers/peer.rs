//! The engine around a [`Store`]: checks of limits, sessions, figures. Compiled for each store, so that nothing stands between
//! a session and the crate but the checks of the lengths.

use super::store::Store;
use crate::chunk::Chunk;
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, OpenOptions, Storage, default_json, parse_options};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Options of a peer: none, each runs with the settings of its documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerOptions {}

/// A store of somebody else as an engine.
#[derive(Default)]
pub(super) struct Peer<S>(S);

/// The registry's view of a peer.
pub(super) const fn entry<S: Store>(summary: &'static str) -> Entry {
    Entry {
        name: S::NAME,
        summary,
        kind: Kind::Peer,
        storage: Storage::Memory,
        capabilities: S::CAPABILITIES,
        options: &[],
        open: open::<S>,
        default_options: default_json::<PeerOptions>,
    }
}

fn open<S: Store>(options: &OpenOptions) -> Result<Box<dyn Engine>> {
    let PeerOptions {} = parse_options(S::NAME, &options.options)?;
    Ok(Box::<Peer<S>>::default())
}

impl<S: Store> Direct for Peer<S> {
    #[inline]
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        S::CAPABILITIES.check_key(key)?;
        Ok(self.0.read(key, |found| {
            value.clear();
            value.extend_from_slice(found);
        }))
    }

    #[inline]
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        S::CAPABILITIES.check_record(key, value)?;
        self.0.set(key, value);
        Ok(())
    }

    #[inline]
    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        S::CAPABILITIES.check_record(key, value)?;
        Ok(self.0.update(key, value))
    }

    #[inline]
    fn delete(&self, key: &[u8]) -> Result<Existence> {
        S::CAPABILITIES.check_key(key)?;
        Ok(self.0.delete(key).into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        S::CAPABILITIES.check_batch(batch)?;
        self.0.batch(batch);
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| S::CAPABILITIES.check_key(key))?;
        self.0.get_many(keys, values);
        Ok(())
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        let unsupported = |operation| Error::Unsupported { engine: S::NAME, operation };
        if range.reverse && !S::CAPABILITIES.reverse_scan {
            return Err(unsupported("reverse scan"));
        }
        if S::CAPABILITIES.ordered_scan && range.is_empty() {
            return Ok(0);
        }
        self.0.scan(range, chunk, visit).ok_or_else(|| unsupported("scan"))
    }
}

impl<S: Store> Engine for Peer<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn capabilities(&self) -> Capabilities {
        S::CAPABILITIES
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(DirectSession::new(self)))
    }

    /// Stores without order copy everything out first, since none of them can go on where it stopped: O(n) memory.
    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        let mut chunk = Chunk::new();
        if S::CAPABILITIES.ordered_scan {
            return self.scan(&ScanRange::all(), &mut chunk, visit).map(drop);
        }
        self.0.walk(&mut |key, value| chunk.push(key, value));
        for (key, value) in chunk.iter() {
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    /// O(n): walks over all records, so that no operation has to count. What the structure takes is an estimate.
    fn stats(&self) -> Stats {
        let (mut records, mut live_bytes) = (0, 0);
        self.0.walk(&mut |key, value| {
            records += 1;
            live_bytes += key.len() + value.len();
        });
        let structure = self.0.structure_bytes(records);
        Stats {
            records: records as u64,
            live_bytes: Some(live_bytes as u64),
            memory_bytes: (size_of::<Self>() + live_bytes + structure) as u64,
            details: Vec::new(),
        }
    }

    fn compact(&self) -> Result<()> {
        self.0.compact();
        Ok(())
    }

    /// Whether each record that is visited is found by its key, and in order where there is one. The crates' own invariants
    /// are theirs to check.
    fn validate(&self) -> Result<()> {
        let mut last: Option<Vec<u8>> = None;
        let mut fault = None;
        self.for_each(&mut |key, value| {
            let mut same = false;
            let ordered = !S::CAPABILITIES.ordered_scan || last.as_deref().is_none_or(|last| last < key);
            if !self.0.read(key, |found| same = found == value) || !same {
                fault = Some(format!("the look-up of {} finds another value or none", key.escape_ascii()));
            } else if !ordered {
                fault = Some(format!("{} is visited out of order", key.escape_ascii()));
            }
            let last = last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(key);
            if fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        match fault {
            Some(message) => Err(Error::InvariantBroken { engine: S::NAME, message }),
            None => Ok(()),
        }
    }
}
