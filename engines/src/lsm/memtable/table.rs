//! The memtable: versions, sequence numbers, read views and the size limit.
//!
//! Thread safety: one reader–writer latch over the versions and the sequence number of the last write, which
//! is raised when all versions of a write are in. The read views have a latch of their own, taken after the
//! first: whoever registers one holds the first shared, so that no writer decides meanwhile what is still
//! needed; to remove one takes the second alone. No visitor runs under a latch.
//!
//! Invariants: no version has a sequence number above the last write's. A registered view reads the same
//! forever.

use super::NAME;
use super::node::{NONE, Version};
use super::options::MemtableOptions;
use super::skiplist::node_bytes_max;
use super::versions::{Place, Versions};
use super::views::Views;
use crate::chunk::{Chunk, scan_in_chunks};
use crate::engine::{Capabilities, Existence, GetBuffer, ScanRange, Stats, Visitor, WriteBatch, WriteOp};
use crate::error::{Error, Result};
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What the engine can do; see [`crate::engine::Engine::capabilities`].
pub(super) const CAPABILITIES: Capabilities =
    Capabilities { batch_atomic_visibility: true, scan_snapshot: true, ..Capabilities::IN_MEMORY_ORDERED };
/// Keys whose older versions each write drops when the views they were kept for have ended. Each write keeps
/// one more key's older version at the most, so the queue shrinks.
const KEYS_RECLAIMED_PER_WRITE: usize = 4;

/// An ordered table of versions in memory. See the module above.
pub struct Memtable {
    state: RwLock<State>,
    views: Mutex<Views>,
    limit: u64,
    /// Whether a delete must leave a tombstone although the key is not here, because it may be in an older
    /// table.
    over_older: bool,
}

struct State {
    versions: Versions,
    /// The sequence number of the last write that is complete.
    visible: u64,
    frozen: bool,
}

impl Memtable {
    /// An empty table that stands alone: the first write has sequence number 1, and tombstones are kept only
    /// while they hide something.
    pub fn new(options: MemtableOptions) -> Self {
        Self::open(options, 0, false)
    }

    /// An empty table over older tables, whose writes follow `sequence`. A delete leaves a tombstone in any
    /// case, and [`Memtable::compact`] keeps them.
    pub fn over_older_tables(options: MemtableOptions, sequence: u64) -> Self {
        Self::open(options, sequence, true)
    }

    fn open(options: MemtableOptions, visible: u64, over_older: bool) -> Self {
        let state = State { versions: Versions::new(), visible, frozen: false };
        let views = Mutex::new(Views::default());
        Self { state: RwLock::new(state), views, limit: options.limit.bytes(), over_older }
    }

    /// The sequence number of the last write.
    pub fn sequence(&self) -> u64 {
        self.state.read().visible
    }

    /// Refuses all further writes with [`Error::ReadOnly`]. Writes under way are complete when this returns.
    pub fn freeze(&self) {
        self.state.write().frozen = true;
    }

    /// A view of the table as it is now. It keeps the versions it needs from being dropped, so it should not
    /// live long.
    pub fn read_view(&self) -> ReadView<'_> {
        let state = self.state.read();
        self.views.lock().register(state.visible);
        ReadView { table: self, sequence: state.visible }
    }

    /// All versions there are, to be written out. Holds the latch shared: meant for a frozen table, of any
    /// other it keeps the writers waiting. A writer that waits, if only to be refused, keeps later readers waiting
    /// too: whoever holds the guard must not use the table by another way meanwhile, or both wait for ever.
    pub fn versions(&self) -> VersionsGuard<'_> {
        VersionsGuard { state: self.state.read() }
    }

    /// The latch for a write, if the table takes any.
    fn writable(&self) -> Result<RwLockWriteGuard<'_, State>> {
        let state = self.state.write();
        if state.frozen {
            return Err(Error::ReadOnly { engine: NAME, reason: "it is frozen" });
        }
        Ok(state)
    }

    /// Refuses a write of at most `nodes` new nodes and `bytes` bytes that the limit does not leave room for.
    fn admit(&self, state: &State, nodes: usize, bytes: usize) -> Result<()> {
        let used_bytes = state.versions.list().used_bytes() as u64;
        let over = self.limit > 0 && used_bytes.saturating_add(bytes as u64) > self.limit;
        if over || !state.versions.list().has_numbers_for(nodes) {
            let limit_bytes = if over { self.limit } else { u64::MAX };
            return Err(Error::Full { engine: NAME, used_bytes, limit_bytes });
        }
        Ok(())
    }

    /// Writes one version where `wanted` agrees with what is there. Returns whether the key was live.
    fn write(&self, key: &[u8], value: Option<&[u8]>, wanted: impl FnOnce(bool) -> bool) -> Result<bool> {
        let mut state = self.writable()?;
        let views = self.views.lock();
        state.versions.reclaim(&views, KEYS_RECLAIMED_PER_WRITE, self.over_older);
        let place = state.versions.locate(key);
        let live = state.versions.is_live(&place);
        if wanted(live) {
            let sequence = state.visible + 1;
            let len = key.len() + value.map_or(0, <[u8]>::len);
            self.admit(&state, 1, state.versions.cost(&place, len, sequence, &views))?;
            state.versions.put(&place, key, sequence, value, &views);
            state.visible = sequence;
            if value.is_none() && !self.over_older {
                state.versions.drop_bare_tombstone(&place, key);
            }
        }
        Ok(live)
    }

    /// See [`crate::engine::Session::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.get_at(None, key, value)
    }

    /// The value as of a sequence number, or of the last write.
    fn get_at(&self, sequence: Option<u64>, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        CAPABILITIES.check_key(key)?;
        value.clear();
        let state = self.state.read();
        let found = state.versions.get_at(key, sequence.unwrap_or(state.visible));
        value.extend_from_slice(found.unwrap_or_default());
        Ok(found.is_some())
    }

    /// See [`crate::engine::Session::set`].
    ///
    /// # Errors
    /// As there.
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)?;
        self.write(key, Some(value), |_| true).map(|_| ())
    }

    /// See [`crate::engine::Session::update`].
    ///
    /// # Errors
    /// As there.
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        self.write(key, Some(value), |live| live)
    }

    /// See [`crate::engine::Session::delete`]. Tells whether the key was in this table.
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        self.write(key, None, |live| live || self.over_older).map(Existence::from)
    }

    /// See [`crate::engine::Session::batch`]. Each operation has a sequence number of its own.
    ///
    /// # Errors
    /// As there.
    pub fn batch(&self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)?;
        let mut state = self.writable()?;
        let views = self.views.lock();
        state.versions.reclaim(&views, KEYS_RECLAIMED_PER_WRITE * batch.len(), self.over_older);
        self.admit_batch(&state, &views, batch)?;
        let mut sequence = state.visible;
        for op in batch.iter() {
            let place = state.versions.locate(op.key());
            sequence += 1;
            match op {
                WriteOp::Set { key, value } => state.versions.put(&place, key, sequence, Some(value), &views),
                WriteOp::Delete { key } if self.needs_tombstone(&state, &place) => {
                    state.versions.put(&place, key, sequence, None, &views);
                }
                WriteOp::Delete { .. } => {}
            }
        }
        state.visible = sequence;
        if !self.over_older {
            // Not before the end: what the batch may take was reckoned with the nodes that its keys have.
            for op in batch.iter().filter(|op| matches!(op, WriteOp::Delete { .. })) {
                let place = state.versions.locate(op.key());
                state.versions.drop_bare_tombstone(&place, op.key());
            }
        }
        Ok(())
    }

    fn needs_tombstone(&self, state: &State, place: &Place) -> bool {
        self.over_older || state.versions.is_live(place)
    }

    /// Refuses a batch that may not fit: first as if every operation were a new node, and only if that does
    /// not fit by looking at each key as it is before the batch.
    fn admit_batch(&self, state: &State, views: &Views, batch: &WriteBatch) -> Result<()> {
        let len = |op: &WriteOp<'_>| match op {
            WriteOp::Set { key, value } => key.len() + value.len(),
            WriteOp::Delete { key } => key.len(),
        };
        let most = batch.iter().map(|op| node_bytes_max(len(&op))).sum();
        if self.admit(state, batch.len(), most).is_ok() {
            return Ok(());
        }
        let bytes = batch.iter().map(|op| {
            let place = state.versions.locate(op.key());
            match op {
                WriteOp::Delete { .. } if !self.needs_tombstone(state, &place) => 0,
                _ => state.versions.cost(&place, len(&op), state.visible + 1, views),
            }
        });
        self.admit(state, batch.len(), bytes.sum())
    }

    /// See [`crate::engine::Session::get_many`]. One point in time.
    ///
    /// # Errors
    /// As there.
    pub fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        keys.iter().try_for_each(|key| CAPABILITIES.check_key(key))?;
        let state = self.state.read();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = state.versions.get_at(key, state.visible) {
                values.put(index, value);
            }
        }
        Ok(())
    }

    /// See [`crate::engine::Session::scan`]. One point in time: it has a read view.
    ///
    /// # Errors
    /// As there.
    pub fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        self.read_view().scan(range, chunk, visit)
    }

    /// Builds the table anew without the versions that no view needs and without gaps. Holds the latch for
    /// O(n) and takes the memory twice meanwhile. A frozen table stays as it is.
    pub fn compact(&self) {
        let mut state = self.state.write();
        if !state.frozen {
            state.versions = state.versions.compacted(&self.views.lock(), self.over_older);
        }
    }

    /// Its state in figures, in O(1).
    pub fn stats(&self) -> Stats {
        let state = self.state.read();
        let (versions, list) = (&state.versions, state.versions.list());
        let details = [
            ("versions", list.len() as f64),
            ("tombstones", versions.tombstones() as f64),
            ("height", list.height() as f64),
            ("sequence", state.visible as f64),
            ("read_views", self.views.lock().len() as f64),
            ("used_bytes", list.used_bytes() as f64),
            ("arena_bytes", list.arena().held_bytes() as f64),
            ("arena_free_bytes", list.arena().free_bytes() as f64),
        ];
        Stats {
            records: versions.records() as u64,
            live_bytes: Some(versions.live_bytes() as u64),
            memory_bytes: (size_of::<Self>() + versions.memory_bytes()) as u64,
            details: details.map(|(name, figure)| (name.to_owned(), figure)).to_vec(),
        }
    }

    /// See [`crate::engine::Engine::validate`].
    ///
    /// # Errors
    /// As there.
    pub fn validate(&self) -> Result<()> {
        let state = self.state.read();
        let broken = |message| Error::InvariantBroken { engine: NAME, message };
        state.versions.check(state.visible).map_err(broken)?;
        let used = state.versions.list().used_bytes() as u64;
        if self.limit > 0 && used > self.limit {
            return Err(broken(format!("{used} bytes used, the limit is {}", self.limit)));
        }
        Ok(())
    }
}

/// A view of a [`Memtable`] at the moment it was taken; ends when it is dropped.
pub struct ReadView<'a> {
    table: &'a Memtable,
    sequence: u64,
}

impl ReadView<'_> {
    /// The sequence number of the last write it sees.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Reads the value of a key, as [`Memtable::get`] would have done.
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.table.get_at(Some(self.sequence), key, value)
    }

    /// Visits the records of a range, as [`Memtable::scan`] would have done.
    ///
    /// # Errors
    /// As there.
    pub fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Result<u64> {
        scan_in_chunks(range, chunk, visit, |rest, chunk| {
            self.table.state.read().versions.fill(rest, self.sequence, chunk);
            Ok(())
        })
    }
}

impl Drop for ReadView<'_> {
    fn drop(&mut self) {
        self.table.views.lock().unregister(self.sequence);
    }
}

/// All versions of a [`Memtable`]; no write runs while it lives.
pub struct VersionsGuard<'a> {
    state: RwLockReadGuard<'a, State>,
}

impl VersionsGuard<'_> {
    /// The versions by key ascending, then by sequence number descending.
    pub fn iter(&self) -> impl Iterator<Item = Version<'_>> {
        let list = self.state.versions.list();
        let node = |number| (number != NONE).then_some(number);
        std::iter::successors(node(list.first()), move |&number| node(list.next(number)))
            .map(|number| list.version(number))
    }
}
