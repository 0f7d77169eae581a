//! The engine: sessions, batches, visits and figures over the shards.
//!
//! Thread safety: see `shard`. Whoever needs several latches (a batch, a read of many keys that batches kept
//! disturbing) takes them in ascending order and holds all of them until it is done, so there is no cycle of waiting. No
//! latch is held while a visitor runs; the epoch is pinned, so what is freed meanwhile waits for it, a segment's worth at a time.

use super::arena::{Arena, LINE_BYTES, NODE_BYTES};
use super::control::SLOTS;
use super::evacuation::Evacuation;
use super::hasher::{KeyHash, KeyHasher};
use super::options::{HashOptions, OPTIONS};
use super::shard::{Common, DEPTH_MOST, Figures, InPlace, Latched, Shard};
use crate::chunk::Chunk;
use crate::direct::{Direct, DirectSession};
use crate::engine::{
    Capabilities, Durability, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
    WriteOp,
};
use crate::entry::{Entry, Kind, Storage, default_json, parse_options};
use crate::error::{Error, Result};
use crossbeam::epoch::{self, Guard};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const NAME: &str = "hash";
const CAPABILITIES: Capabilities = Capabilities {
    ordered_scan: false,
    reverse_scan: false,
    batch_atomic_visibility: true,
    durability: Durability::ALL,
    ..Capabilities::IN_MEMORY_ORDERED
};
/// How often `compact` evacuates again what became sparse meanwhile; other threads may go on with that for ever.
const EVACUATIONS_MOST: usize = 8;
/// How often it looks whether the epoch has passed, from when on it sleeps in between, and for how long.
const LOOKS_MOST: u32 = 200;
const LOOKS_AWAKE: u32 = 32;
const NAP: Duration = Duration::from_millis(1);

/// The registry's entry of [`struct@Hash`].
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "sharded hash table, readers without latches, growth in small steps: fast point operations, no order",
    kind: Kind::Own,
    storage: Storage::Memory,
    capabilities: CAPABILITIES,
    options: OPTIONS,
    open: |options| Ok(Box::new(Hash::new(parse_options(NAME, &options.options)?)?)),
    default_options: default_json::<HashOptions>,
};

/// A concurrent hash table from keys to values.
///
/// A point operation costs two dependent cache misses on average, a line of slots and the record; memory beyond keys
/// and values is about 28 bytes a record. Readers take no latch. A batch is seen as a whole: two successive reads never
/// see a later part of it and then miss an earlier one.
#[derive(Debug)]
pub struct Hash {
    shards: Box<[Shard]>,
    common: Common,
    evacuation: Evacuation,
}

impl Hash {
    /// An empty table.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if an option is out of its range.
    pub fn new(options: HashOptions) -> Result<Self> {
        Self::with_depth_most(options, DEPTH_MOST)
    }

    /// A table whose directory uses so many bits at most, a multiple of those of a node.
    pub(super) fn with_depth_most(options: HashOptions, depth_most: u32) -> Result<Self> {
        options.check(NAME)?;
        let common = Common {
            name: NAME,
            arena: Arena::new(),
            hasher: KeyHasher::new(options.seed),
            shard_bits: options.shards.trailing_zeros(),
            load_factor: options.load_factor,
            depth_most,
        };
        let pin = epoch::pin();
        let shards = (0..options.shards).map(|number| Shard::new(number, &options, &common, &pin)).collect();
        Ok(Self { shards, common, evacuation: Evacuation::default() })
    }

    #[inline]
    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    #[inline]
    pub(super) fn evacuation(&self) -> &Evacuation {
        &self.evacuation
    }

    /// The shard of a hash. There is one for every hash, so `None` never comes.
    #[inline]
    pub(super) fn shard(&self, hash: KeyHash) -> Option<&Shard> {
        self.shards.get(hash.shard(self.common.shard_bits))
    }

    /// The hash of a key, what it leads to being asked for, and a pin.
    #[inline]
    fn begin(&self, key: &[u8]) -> (KeyHash, Guard) {
        let hash = self.common.hasher.hash(key);
        if let Some(shard) = self.shard(hash) {
            shard.prefetch(&self.common, hash);
        }
        (hash, epoch::pin())
    }

    fn latch<'g>(&'g self, hash: KeyHash, pin: &'g Guard) -> Result<Latched<'g, 'g>> {
        let shard = self.shard(hash).ok_or_else(|| broken("a hash without a shard"))?;
        Ok(shard.latch(&self.common, pin))
    }

    /// Takes the latches of all these hashes' shards, in ascending order; each with its number.
    pub(super) fn latch_all<'g>(
        &'g self,
        hashes: impl Iterator<Item = KeyHash>,
        pin: &'g Guard,
    ) -> Vec<(usize, &'g Shard, Latched<'g, 'g>)> {
        let mut numbers: Vec<_> = hashes.map(|hash| hash.shard(self.common.shard_bits)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let latch = |number: usize| {
            let shard: &'g Shard = self.shards.get(number)?;
            Some((number, shard, shard.latch(&self.common, pin)))
        };
        numbers.into_iter().filter_map(latch).collect()
    }

    /// Moves all records out of sparse pages. Whether there was one.
    fn evacuate_all(&self) -> bool {
        let mut any = false;
        while self.evacuate_some(&epoch::pin()) {
            any = true;
            self.common.arena.flush_retired(&epoch::pin());
        }
        any
    }

    /// Waits until what was retired before is free, but not for ever: another thread may stay pinned. Whether it is.
    fn let_the_epoch_pass(&self) -> bool {
        self.common.arena.flush_retired(&epoch::pin());
        let passed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&passed);
        epoch::pin().defer(move || flag.store(true, Ordering::Relaxed));
        for look in 0..LOOKS_MOST {
            epoch::pin().flush();
            if passed.load(Ordering::Relaxed) {
                return true;
            }
            if look < LOOKS_AWAKE { thread::yield_now() } else { thread::sleep(NAP) }
        }
        false
    }

    fn figures(&self) -> Figures {
        let pin = epoch::pin();
        let mut all = Figures::default();
        for shard in &self.shards {
            let figures = shard.latch(&self.common, &pin).figures();
            all.records += figures.records;
            all.slots += figures.slots;
            all.segments += figures.segments;
            all.nodes += figures.nodes;
            all.splits += figures.splits;
            all.merges += figures.merges;
            all.resizes += figures.resizes;
            all.relocated += figures.relocated;
            all.moved_most = all.moved_most.max(figures.moved_most);
            all.zeroed_most = all.zeroed_most.max(figures.zeroed_most);
        }
        all
    }
}

fn broken(message: &str) -> Error {
    Error::InvariantBroken { engine: NAME, message: message.to_owned() }
}

impl Direct for Hash {
    #[inline]
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        CAPABILITIES.check_key(key)?;
        value.clear();
        Ok(self.read(key, value))
    }

    #[inline]
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        let (hash, pin) = self.begin(key);
        if let Some(shard) = self.shard(hash)
            && shard.replace_in_place(&self.common, hash, key, value, &pin) == InPlace::Done
        {
            return Ok(());
        }
        if self.latch(hash, &pin)?.set(hash, key, value)? {
            self.tidy(&pin);
        }
        Ok(())
    }

    #[inline]
    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        let (hash, pin) = self.begin(key);
        if let Some(shard) = self.shard(hash) {
            match shard.replace_in_place(&self.common, hash, key, value, &pin) {
                InPlace::Done => return Ok(true),
                InPlace::Absent => return Ok(false),
                InPlace::NeedsLatch => {}
            }
        }
        let (present, freed) = self.latch(hash, &pin)?.update(hash, key, value);
        if freed {
            self.tidy(&pin);
        }
        Ok(present)
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        let (hash, pin) = self.begin(key);
        let present = self.latch(hash, &pin)?.delete(hash, key);
        if present {
            self.tidy(&pin);
        }
        Ok(present.into())
    }

    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        let hashes: Vec<_> = batch.iter().map(|op| self.common.hasher.hash(op.key())).collect();
        let pin = epoch::pin();
        let mut latched = self.latch_all(hashes.iter().copied(), &pin);
        for (_, shard, _) in &latched {
            shard.batches.lock();
        }
        let mut outcome = Ok(());
        for (op, hash) in batch.iter().zip(hashes) {
            let number = hash.shard(self.common.shard_bits);
            let Ok(place) = latched.binary_search_by_key(&number, |(number, ..)| *number) else { continue };
            let Some((_, _, shard)) = latched.get_mut(place) else { continue };
            outcome = match op {
                WriteOp::Set { key, value } => outcome.and(shard.set(hash, key, value).map(|_| ())),
                WriteOp::Delete { key } => {
                    shard.delete(hash, key);
                    outcome
                }
            };
        }
        for (_, shard, _) in &latched {
            shard.batches.unlock();
        }
        drop(latched);
        self.tidy(&pin);
        outcome
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        self.read_many(keys, values);
        Ok(())
    }

    #[inline]
    fn prefetch(&self, key: &[u8]) {
        self.ask_for(key);
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
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for shard in &self.shards {
            let mut path = Some(0);
            while let Some(from) = path {
                let pin = epoch::pin();
                let mut slots = Vec::new();
                path = shard.latch(&self.common, &pin).gather(from, &mut slots);
                for slot in slots {
                    key.clear();
                    value.clear();
                    slot.record().append_key(&mut key);
                    slot.append_value(&mut value);
                    if visit(&key, &value) == ControlFlow::Break(()) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// O(number of shards).
    fn stats(&self) -> Stats {
        let all = self.figures();
        let fill = if all.slots == 0 { 0.0 } else { all.records as f64 / all.slots as f64 };
        let table_bytes = all.slots / SLOTS as u64 * LINE_BYTES as u64 + all.nodes * NODE_BYTES as u64;
        let details = [
            ("shards", self.shards.len() as f64),
            ("segments", all.segments as f64),
            ("directory_nodes", all.nodes as f64),
            ("buckets", all.slots as f64),
            ("fill_ratio", fill),
            ("splits", all.splits as f64),
            ("merges", all.merges as f64),
            ("resizes", all.resizes as f64),
            ("relocated_records", all.relocated as f64),
            ("table_bytes", table_bytes as f64),
            ("moved_per_operation_max_entries", all.moved_most as f64),
            ("zeroed_per_operation_max_bytes", all.zeroed_most as f64),
        ];
        let own = size_of::<Self>() + size_of_val(&*self.shards) + self.evacuation.bytes();
        Stats {
            records: all.records,
            live_bytes: Some(self.shards.iter().map(Shard::live_bytes).fold(0, u64::wrapping_add)),
            memory_bytes: own as u64 + self.common.arena.held_bytes(),
            details: details.map(|(name, figure)| (name.to_owned(), figure)).to_vec(),
        }
    }

    /// Joins segments that are half empty, moves records out of blocks that are too large and out of sparse pages. Other
    /// operations run in between.
    fn compact(&self) -> Result<()> {
        for shard in &self.shards {
            let mut path = Some(0);
            while let Some(from) = path {
                path = shard.latch(&self.common, &epoch::pin()).shrink_at(from);
            }
            let mut path = Some(0);
            while let Some(from) = path {
                path = shard.latch(&self.common, &epoch::pin()).tighten(from);
            }
        }
        self.common.arena.retry_stuck_pages();
        // Pages become sparse only when what was retired is free, by an evacuation too.
        self.evacuate_all();
        for _ in 0..EVACUATIONS_MOST {
            if !self.let_the_epoch_pass() || !self.evacuate_all() {
                return Ok(());
            }
        }
        self.let_the_epoch_pass();
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        let pin = epoch::pin();
        for (number, shard) in self.shards.iter().enumerate() {
            let latched = shard.latch(&self.common, &pin);
            latched
                .check(&self.common, number, shard.live_bytes())
                .map_err(|message| broken(&format!("shard {number}: {message}")))?;
        }
        Ok(())
    }
}
