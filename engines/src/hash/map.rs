//! The engine: shards behind latches.
//!
//! Thread safety: each shard has a reader–writer latch of its own on cache lines of its own. Whoever needs
//! several (a batch, a read of many keys) takes them in ascending order and holds all of them until it is
//! done, so there is no cycle of waiting, a batch becomes visible at once, and a read of many keys is one
//! point in time. No latch is held while a visitor runs or while the memory of a resized table is freed.

#![expect(
    clippy::indexing_slicing,
    reason = "shard numbers are the highest bits of a hash, as many as number the shards"
)]

use super::hasher::hash;
use super::options::{HashOptions, OPTIONS};
use super::shard::{Figures, Shard};
use crate::chunk::Chunk;
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch, WriteOp,
};
use crate::entry::{Entry, Kind, default_json, parse_options};
use crate::error::{Error, Result};
use crossbeam::utils::CachePadded;
use parking_lot::{RwLock, RwLockWriteGuard};
use std::mem::take;
use std::ops::ControlFlow;

const NAME: &str = "hash";
const CAPABILITIES: Capabilities = Capabilities {
    ordered_scan: false,
    reverse_scan: false,
    batch_atomic_visibility: true,
    ..Capabilities::IN_MEMORY_ORDERED
};
/// Records that [`Engine::for_each`] copies under one latch.
const CHUNK_RECORDS: usize = 1024;
/// Groups whose records are trimmed under one latch.
const GROUPS_TRIMMED: usize = 128;

/// The registry's entry of [`struct@Hash`].
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "sharded hash table with fingerprints and resizing in small steps: fast point operations, no order",
    kind: Kind::Own,
    capabilities: CAPABILITIES,
    options: OPTIONS,
    open: |options| Ok(Box::new(Hash::new(parse_options(NAME, &options.options)?)?)),
    default_options: default_json::<HashOptions>,
};

/// A concurrent hash table from keys to values.
///
/// A point operation costs a constant number of cache misses on average: the group of slots and the record,
/// and both once more for a key whose shard is being resized. A batch is seen as a whole: two successive
/// reads never see a later part of it and then miss an earlier one.
pub struct Hash {
    shards: Box<[CachePadded<RwLock<Shard>>]>,
    shard_bits: u32,
}

impl Hash {
    /// An empty table.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if an option is out of its range.
    pub fn new(options: HashOptions) -> Result<Self> {
        options.check(NAME)?;
        let HashOptions { buckets, load_factor, shards } = options;
        let shard = || CachePadded::new(RwLock::new(Shard::new(buckets.div_ceil(shards), load_factor)));
        Ok(Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            shard_bits: shards.trailing_zeros(),
        })
    }

    #[inline]
    fn shard_of(&self, hash: u64) -> usize {
        hash.checked_shr(u64::BITS - self.shard_bits).unwrap_or(0) as usize
    }

    /// Runs a write on the shard of `hash` and frees what it leaves after the latch is released.
    fn write<T>(&self, hash: u64, change: impl FnOnce(&mut Shard) -> T) -> T {
        let mut shard = self.shards[self.shard_of(hash)].write();
        let answer = change(&mut shard);
        let garbage = take(&mut shard.garbage);
        drop(shard);
        drop(garbage);
        answer
    }

    /// Finishes the resize of a shard, in steps with the latch released between them.
    fn finish_resize(shard: &RwLock<Shard>) {
        loop {
            let mut latched = shard.write();
            let unfinished = latched.advance();
            let garbage = take(&mut latched.garbage);
            drop(latched);
            drop(garbage);
            if !unfinished {
                return;
            }
        }
    }
}

impl Direct for Hash {
    #[inline]
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        CAPABILITIES.check_key(key)?;
        value.clear();
        let hash = hash(key);
        let shard = self.shards[self.shard_of(hash)].read();
        let found = shard.get(hash, key);
        value.extend_from_slice(found.unwrap_or_default());
        Ok(found.is_some())
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        let hash = hash(key);
        self.write(hash, |shard| shard.set(hash, key, value));
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        let hash = hash(key);
        Ok(self.write(hash, |shard| shard.update(hash, key, value)))
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        let hash = hash(key);
        Ok(self.write(hash, |shard| shard.delete(hash, key)).into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        let hashes: Vec<u64> = batch.iter().map(|op| hash(op.key())).collect();
        let mut numbers: Vec<usize> = hashes.iter().map(|&hash| self.shard_of(hash)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut latched: Vec<RwLockWriteGuard<'_, Shard>> =
            numbers.iter().map(|&number| self.shards[number].write()).collect();
        for (op, &hash) in batch.iter().zip(&hashes) {
            let Ok(place) = numbers.binary_search(&self.shard_of(hash)) else { continue };
            match op {
                WriteOp::Set { key, value } => latched[place].set(hash, key, value),
                WriteOp::Delete { key } => _ = latched[place].delete(hash, key),
            }
        }
        let garbage: Vec<_> = latched.iter_mut().map(|shard| take(&mut shard.garbage)).collect();
        drop(latched);
        drop(garbage);
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        let hashes: Vec<u64> = keys.iter().map(|key| hash(key)).collect();
        let mut numbers: Vec<usize> = hashes.iter().map(|&hash| self.shard_of(hash)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let latched: Vec<_> = numbers.iter().map(|&number| self.shards[number].read()).collect();
        for (index, (key, &hash)) in keys.iter().zip(&hashes).enumerate() {
            let Ok(place) = numbers.binary_search(&self.shard_of(hash)) else { continue };
            if let Some(value) = latched[place].get(hash, key) {
                values.put(index, value);
            }
        }
        Ok(())
    }

    fn scan(&self, _: &ScanRange<'_>, _: &mut Chunk, _: Visitor<'_>) -> Result<u64> {
        Err(Error::Unsupported { engine: NAME, operation: "scan" })
    }
}

impl Engine for Hash {
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
        let mut chunk = Chunk::new();
        for shard in &self.shards {
            let slices = shard.read().slices();
            let mut slice = 0;
            while slice <= slices {
                chunk.reset(CHUNK_RECORDS);
                let latched = shard.read();
                while slice <= slices && !chunk.is_full() {
                    latched.visit_slice(slice, slices, &mut |key, value| chunk.push(key, value));
                    slice += 1;
                }
                drop(latched);
                for (key, value) in chunk.iter() {
                    if visit(key, value) == ControlFlow::Break(()) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// O(number of shards).
    fn stats(&self) -> Stats {
        let mut all = Figures::default();
        let mut resizing = 0;
        for shard in &self.shards {
            let figures = shard.read().figures();
            all.records += figures.records;
            all.live_bytes += figures.live_bytes;
            all.memory_bytes += figures.memory_bytes;
            all.slots += figures.slots;
            all.tombstones += figures.tombstones;
            all.resizes += figures.resizes;
            all.moved_per_operation_max = all.moved_per_operation_max.max(figures.moved_per_operation_max);
            resizing += usize::from(figures.resizing);
        }
        let details = [
            ("shards", self.shards.len() as f64),
            ("buckets", all.slots as f64),
            ("tombstones", all.tombstones as f64),
            ("resizes", all.resizes as f64),
            ("resizing_shards", resizing as f64),
            ("moved_per_operation_max", all.moved_per_operation_max as f64),
        ];
        Stats {
            records: all.records as u64,
            live_bytes: Some(all.live_bytes as u64),
            memory_bytes: (size_of::<Self>() + size_of_val(&*self.shards) + all.memory_bytes) as u64,
            details: details.map(|(name, figure)| (name.to_owned(), figure)).to_vec(),
        }
    }

    /// Finishes the resizes under way, so that look-ups need to search one table only.
    fn flush(&self) -> Result<()> {
        self.shards.iter().for_each(|shard| Self::finish_resize(shard));
        Ok(())
    }

    /// Shrinks what is mostly empty, removes tombstones, and gives back what shorter values left over. Other
    /// operations run in between.
    fn compact(&self) -> Result<()> {
        for shard in &self.shards {
            Self::finish_resize(shard);
            let mut wanted = shard.write().start_compaction(true);
            while wanted {
                Self::finish_resize(shard);
                wanted = shard.write().start_compaction(false);
            }
            let mut group = Some(0);
            while let Some(from) = group {
                group = shard.write().trim(from, GROUPS_TRIMMED);
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        self.shards.iter().enumerate().try_for_each(|(number, shard)| {
            let checked = shard.read().check(|hash| self.shard_of(hash) == number);
            checked.map_err(|message| Error::InvariantBroken {
                engine: NAME,
                message: format!("shard {number}: {message}"),
            })
        })
    }
}
