//! `array`: an ordered map in contiguous memory that keeps gaps, a packed-memory array of whole records.
//!
//! Sources: M. Bender, E. Demaine & M. Farach-Colton, *Cache-Oblivious B-Trees*, 2000 (density thresholds, rebalancing of
//! windows); M. Bender & H. Hu, *An Adaptive Packed-Memory Array*, 2007 (uneven rebalancing where inserts hammer one spot);
//! D. De Leo & P. Boncz, *Packed Memory Arrays – Rewired*, 2019 (segments of fixed size, an index over them, growth
//! without copying the whole array).
//!
//! Records lie packed in key order in `segment`s of 8 KiB, whose heads are searched first; 256 of these lie
//! side by side on one huge page, an `extent`; the list of all extents is one small array, the `top`.
//!
//! Good at: scans, which copy whole segments as they lie, and reads, which cost two misses beyond the index. Bad at: inserts.
//! Each shifts half of the bytes of a segment on average; a full segment makes its window rebalance, at amortised O(log² m)
//! records moved an insert, m being the records of an extent; a full extent is rebuilt, at about five records moved
//! an insert. The longest single write rewrites four full extents as five: about 56,000 records of 124 bytes. Unlike the
//! classical array it never moves all records at once, nor holds them twice. `stats` tells how much was moved.
//!
//! Thread safety: readers take no lock and write nothing shared. They read optimistically, segment by segment, and check
//! versions (see `extent`). A write that stays in a segment locks that segment; one that does not takes the lock of the
//! structure, and makes readers of the window wait. Order of locks: pin the epoch, then `batching`, the lock of the
//! structure, an extent, its segments, the slab. A batch raises `batches` while it is applied; operations that
//! begin meanwhile wait, so that whoever has seen a part of it sees all of it afterwards.

mod extent;
mod gathered;
mod geometry;
mod look;
mod options;
mod outside;
mod page;
mod plan;
mod read;
mod rebuild;
mod restructure;
mod root;
mod scan;
mod segment;
mod session;
mod shift;
mod stretch;
#[cfg(test)]
mod tests;
mod top;
mod validate;
mod write;

use crate::chunk::Chunk;
use crate::direct::Direct;
use crate::engine::{
    Capabilities, Durability, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
    WriteOp,
};
use crate::entry::{Entry, Kind, OpenOptions, Storage, default_json, parse_options};
use crate::error::{Error, Result};
use crate::memory::latch::VersionLatch;
use crate::sync::Ordering;
use crossbeam::epoch;
use extent::Extent;
use geometry::Geometry;
pub use options::ArrayOptions;
use outside::Outside;
use page::Page;
use parking_lot::Mutex;
use rebuild::Loading;
use restructure::Counters;
use root::Root;
use session::ArraySession;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use top::Top;

const NAME: &str = "array";

const CAPABILITIES: Capabilities = Capabilities {
    batch_atomic_visibility: true,
    durability: Durability::ALL,
    ..Capabilities::IN_MEMORY_ORDERED
};

/// The registry's view of this engine.
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "packed-memory array: contiguous, ordered, made for scans and reads; inserts move neighbours",
    kind: Kind::Own,
    storage: Storage::Memory,
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
    geometry: Geometry,
    root: Root,
    outside: Outside,
    /// The lock of the structure: of the list of extents, and of everything that takes more than one segment.
    structure: Mutex<Counters>,
    /// Locked while a batch is applied.
    batches: VersionLatch,
    /// One batch at a time.
    batching: Mutex<()>,
    /// Bytes of all stretches, those included that wait for readers.
    held: Arc<AtomicU64>,
}

/// How often the epoch is asked at once to free what was retired, which takes three advances…
const RECLAIM_ROUNDS: usize = 4;
/// …and how many milliseconds it is waited for at the most, where another thread is pinned and much is retired.
const RECLAIM_MILLISECONDS: usize = 50;

impl Array {
    /// An empty array.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if an option is out of its range.
    pub fn new(options: ArrayOptions) -> Result<Self> {
        options.check()?;
        let geometry = Geometry::new(&options);
        let held = Arc::new(AtomicU64::new(0));
        let extent = Extent::new(&geometry, 1, &[], &[], &[], &held);
        Ok(Self {
            geometry,
            root: Root::new(Top::new(0, vec![Arc::new(extent)])),
            outside: Outside::new(),
            structure: Mutex::default(),
            batches: VersionLatch::new(),
            batching: Mutex::new(()),
            held,
        })
    }

    /// Waits until no batch is being applied.
    #[inline]
    fn wait_for_batches(&self) {
        let _version = self.batches.read();
    }

    /// Lets the epoch free what was retired, as far as no reader is pinned.
    fn reclaim(&self) {
        for round in 0..RECLAIM_ROUNDS + RECLAIM_MILLISECONDS {
            let guard = epoch::pin();
            self.outside.flush(&guard);
            let held: u64 =
                self.root.load(&guard).extents().iter().map(|extent| extent.stretch_bytes()).sum();
            drop(guard);
            if round >= RECLAIM_ROUNDS {
                let retired =
                    self.held.load(Ordering::Relaxed).saturating_sub(held) + self.outside.retired_bytes();
                if retired * 8 <= held {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn is_empty(&self) -> bool {
        let guard = &epoch::pin();
        self.root
            .load(guard)
            .extents()
            .iter()
            .all(|extent| extent.iter().all(|segment| segment.header().count == 0))
    }

    /// Builds extents of the records up to the first that is refused or out of order. Returns how many, and that one.
    fn load(
        &self,
        records: &mut dyn Iterator<Item = (&[u8], &[u8])>,
        loading: &mut Loading,
    ) -> (u64, Result<Option<Owned>>) {
        let (mut last, mut loaded): (Option<Vec<u8>>, _) = (None, 0);
        for (key, value) in records {
            if let Err(error) = CAPABILITIES.check_record(key, value) {
                return (loaded, Err(error));
            }
            if last.as_deref().is_some_and(|last| last >= key) {
                return (loaded, Ok(Some((key.to_vec(), value.to_vec()))));
            }
            let guard = &epoch::pin();
            self.with_entry(key, value, |entry| loading.entries().push(&entry));
            loading.build(self, false, guard);
            let last = last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(key);
            loaded += 1;
        }
        (loaded, Ok(None))
    }
}

/// A record of its own memory.
type Owned = (Vec<u8>, Vec<u8>);

impl Direct for Array {
    #[inline]
    fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        CAPABILITIES.check_key(key)?;
        self.wait_for_batches();
        Ok(self.append(key, value, &epoch::pin()))
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.wait_for_batches();
        self.write(write::Kind::Set, key, value);
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        self.wait_for_batches();
        Ok(self.write(write::Kind::Update, key, value))
    }

    fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        self.wait_for_batches();
        Ok(self.write(write::Kind::Delete, key, &[]).into())
    }

    /// Applies the operations by ascending key, so that neighbours are written one after the other; those on one key
    /// in their order.
    fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        let mut operations: Vec<_> = batch.iter().collect();
        operations.sort_by_key(WriteOp::key);
        let _batching = self.batching.lock();
        self.batches.lock();
        for operation in operations {
            match operation {
                WriteOp::Set { key, value } => self.write(write::Kind::Set, key, value),
                WriteOp::Delete { key } => self.write(write::Kind::Delete, key, &[]),
            };
        }
        self.batches.unlock();
        Ok(())
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        self.append_many(keys, values);
        Ok(())
    }

    /// A session's scan keeps its buffer; this one makes one.
    fn scan(&self, range: &ScanRange<'_>, _chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        Ok(self.scan_pages(range, &mut Page::default(), visit))
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
        Ok(Box::new(ArraySession::new(self)))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.scan_pages(&ScanRange::all(), &mut Page::default(), visit);
        Ok(())
    }

    /// O(segments).
    fn stats(&self) -> Stats {
        self.reclaim();
        let counters = *self.structure.lock();
        let guard = &epoch::pin();
        let top = self.root.load(guard);
        let (mut records, mut outside, mut used, mut segments) = (0, 0, 0, 0);
        let mut index_bytes = size_of::<Self>() + top.memory_bytes();
        for extent in top.extents() {
            segments += extent.len();
            index_bytes += extent.memory_bytes();
            for segment in extent.iter() {
                let header = segment.header();
                records += header.count;
                outside += header.outside;
                used += segment.size() - header.start;
            }
        }
        let live_bytes = used - records - outside * (segment::OUTSIDE_BYTES - 1);
        let room = segments * self.geometry.room();
        let memory_bytes =
            self.held.load(Ordering::Relaxed) + self.outside.memory_bytes() + index_bytes as u64;
        Stats {
            records: records as u64,
            live_bytes: Some(live_bytes as u64 + self.outside.live_bytes()),
            memory_bytes,
            details: vec![
                ("extents".to_owned(), top.extents().len() as f64),
                ("segments".to_owned(), segments as f64),
                ("density".to_owned(), (used + records * segment::SLOT_BYTES) as f64 / room as f64),
                ("outside_records".to_owned(), outside as f64),
                ("rebalances".to_owned(), counters.rebalances as f64),
                ("rebuilds".to_owned(), counters.rebuilds as f64),
                ("records_moved".to_owned(), counters.moved as f64),
                ("records_moved_max".to_owned(), counters.moved_most as f64),
            ],
        }
    }

    /// Packs the records in one pass, as densely as [`Engine::compact`] does, while the keys ascend and the array is
    /// empty; from the first record that breaks this, one set after the other. The iterator runs under no lock.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut loaded = 0;
        if self.is_empty() {
            let mut loading = Loading::default();
            let (count, end) = self.load(records, &mut loading);
            loaded = count;
            let guard = &epoch::pin();
            loading.build(self, true, guard);
            if let Err(extents) = self.publish(loading.into_extents(), guard) {
                self.set_all(extents, guard);
            }
            if let Some((key, value)) = end? {
                self.set(&key, &value)?;
                loaded += 1;
            }
        }
        for (key, value) in records {
            self.set(key, value)?;
            loaded += 1;
        }
        Ok(loaded)
    }

    /// Packs all records, four extents after the other, each of them under the lock of the structure; readers wait for the
    /// four at hand only. Then gives free memory back. O(n). Made for an array that is read from now on: the next insert into
    /// a packed extent rebuilds it.
    fn compact(&self) -> Result<()> {
        let mut counters = self.structure.lock();
        let mut next = Some(0);
        while let Some(index) = next {
            next = self.pack_from(index, &mut counters, &epoch::pin());
        }
        drop(counters);
        self.reclaim();
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        self.check().map_err(|message| Error::InvariantBroken { engine: NAME, message })
    }
}
