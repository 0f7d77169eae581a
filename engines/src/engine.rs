//! The one interface: [`Engine`] and [`Session`], and the words they are spoken in.
//!
//! An engine is shared by all threads; each thread opens a session of its own, which holds what must not be
//! shared (buffers, handles). Keys and values are any bytes, the empty ones included.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::time::Duration;

/// The longest key an engine takes unless its [`Capabilities`] say less: 64 KiB.
pub const MAX_KEY_BYTES: usize = 64 << 10;
/// The longest value an engine takes unless its [`Capabilities`] say less: 64 MiB.
pub const MAX_VALUE_BYTES: usize = 64 << 20;
/// The most operations a batch may hold.
pub const MAX_BATCH_OPERATIONS: usize = 10_000;
/// The most key and value bytes a batch may hold, 16 MiB; a batch of one operation may hold any value that fits.
pub const MAX_BATCH_BYTES: usize = 16 << 20;

/// When a write is acknowledged. Figures are compared only within one class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Memory only: lost with the process.
    #[default]
    None,
    /// Survives the end of the process, not of the machine.
    Buffered,
    /// Survives a power cut.
    Sync,
}

impl Durability {
    /// The name used in workload files and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Buffered => "buffered",
            Self::Sync => "sync",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an engine can do. The harness decides by these flags, never by an engine's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Capabilities {
    /// Scans run in key order between bounds. Without it [`Session::scan`] is unsupported.
    pub ordered_scan: bool,
    /// Scans may run from the upper bound down.
    pub reverse_scan: bool,
    /// Sets, updates, deletes and batches are taken.
    pub writes: bool,
    /// [`Session::delete`] tells whether the key was there (else [`Existence::Unknown`]).
    pub delete_reports: bool,
    /// Whoever has seen one operation of a batch sees all of them in every read begun later. (A scan that is no snapshot
    /// sees each record at a time of its own, so a batch may come in between.) A batch is all or nothing across errors in
    /// any case.
    pub batch_atomic_visibility: bool,
    /// A scan is one point in time; without it a scan sees each record at some time during the scan.
    pub scan_snapshot: bool,
    /// What is written can be read back. False only for instruments that measure the harness itself.
    pub retains_data: bool,
    /// The longest key, bytes.
    pub max_key_bytes: usize,
    /// The longest value, bytes.
    pub max_value_bytes: usize,
    /// The durability classes that may be asked for.
    pub durability: &'static [Durability],
}

impl Capabilities {
    /// An ordered in-memory engine without a snapshot of scans: the common case, to be adapted with `..`.
    pub const IN_MEMORY_ORDERED: Self = Self {
        ordered_scan: true,
        reverse_scan: true,
        writes: true,
        delete_reports: true,
        batch_atomic_visibility: false,
        scan_snapshot: false,
        retains_data: true,
        max_key_bytes: MAX_KEY_BYTES,
        max_value_bytes: MAX_VALUE_BYTES,
        durability: &[Durability::None],
    };

    /// Checks a key against the limit.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`].
    #[inline]
    pub const fn check_key(&self, key: &[u8]) -> Result<()> {
        if key.len() > self.max_key_bytes {
            return Err(Error::KeyTooLong { len: key.len(), limit: self.max_key_bytes });
        }
        Ok(())
    }

    /// Checks a key and a value against the limits.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::ValueTooLong`].
    #[inline]
    pub const fn check_record(&self, key: &[u8], value: &[u8]) -> Result<()> {
        if value.len() > self.max_value_bytes {
            return Err(Error::ValueTooLong { len: value.len(), limit: self.max_value_bytes });
        }
        self.check_key(key)
    }

    /// Checks a whole batch, so that it can be refused before its first operation is applied.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`], [`Error::KeyTooLong`], [`Error::ValueTooLong`].
    pub fn check_batch(&self, batch: &WriteBatch) -> Result<()> {
        let (operations, bytes) = (batch.len(), batch.bytes());
        if operations > MAX_BATCH_OPERATIONS || (bytes > MAX_BATCH_BYTES && operations > 1) {
            let (max_operations, max_bytes) = (MAX_BATCH_OPERATIONS, MAX_BATCH_BYTES);
            return Err(Error::BatchTooLarge { operations, bytes, max_operations, max_bytes });
        }
        batch.iter().try_for_each(|op| match op {
            WriteOp::Set { key, value } => self.check_record(key, value),
            WriteOp::Delete { key } => self.check_key(key),
        })
    }
}

/// Whether a key was there before it was deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existence {
    /// It was there.
    Present,
    /// It was not.
    Absent,
    /// The engine deletes blindly and does not know.
    Unknown,
}

impl From<bool> for Existence {
    fn from(present: bool) -> Self {
        if present { Self::Present } else { Self::Absent }
    }
}

/// One operation of a [`WriteBatch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteOp<'a> {
    /// Insert or replace.
    Set {
        /// The key.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
    },
    /// Remove, if there.
    Delete {
        /// The key.
        key: &'a [u8],
    },
}

impl<'a> WriteOp<'a> {
    /// The key the operation is about.
    pub const fn key(&self) -> &'a [u8] {
        match self {
            Self::Set { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// Sets and deletes that are applied together, in order: of two operations on one key the later wins.
/// All bytes lie in one buffer; a cleared batch keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    bytes: Vec<u8>,
    operations: Vec<BatchEntry>,
}

#[derive(Clone, Copy, Debug)]
struct BatchEntry {
    start: usize,
    key_len: usize,
    value_len: Option<usize>,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an insert-or-replace.
    pub fn set(&mut self, key: &[u8], value: &[u8]) {
        self.operations.push(BatchEntry {
            start: self.bytes.len(),
            key_len: key.len(),
            value_len: Some(value.len()),
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// Adds a removal.
    pub fn delete(&mut self, key: &[u8]) {
        self.operations.push(BatchEntry { start: self.bytes.len(), key_len: key.len(), value_len: None });
        self.bytes.extend_from_slice(key);
    }

    /// Removes all operations and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.operations.clear();
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Key and value bytes of all operations.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The operations in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = WriteOp<'_>> {
        self.operations.iter().map(|entry| {
            let tail = self.bytes.get(entry.start..).unwrap_or_default();
            let (key, rest) = tail.split_at(entry.key_len);
            match entry.value_len {
                Some(len) => WriteOp::Set { key, value: rest.split_at(len).0 },
                None => WriteOp::Delete { key },
            }
        })
    }
}

/// Which records a scan visits, in which direction, and how many at the most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanRange<'a> {
    /// The lower end, whatever the direction.
    pub lower: Bound<Cow<'a, [u8]>>,
    /// The upper end, whatever the direction.
    pub upper: Bound<Cow<'a, [u8]>>,
    /// Visit at most this many records.
    pub limit: usize,
    /// Start at the upper end and run down.
    pub reverse: bool,
    /// The visitor gets empty values; the engine need not touch them.
    pub keys_only: bool,
}

impl<'a> ScanRange<'a> {
    /// Every record, in order.
    pub const fn all() -> Self {
        Self {
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
            limit: usize::MAX,
            reverse: false,
            keys_only: false,
        }
    }

    /// From `key` (included) upwards.
    pub fn from(key: &'a [u8]) -> Self {
        Self { lower: Bound::Included(Cow::Borrowed(key)), ..Self::all() }
    }

    /// Between two bounds.
    pub fn between(lower: Bound<&'a [u8]>, upper: Bound<&'a [u8]>) -> Self {
        Self { lower: lower.map(Cow::Borrowed), upper: upper.map(Cow::Borrowed), ..Self::all() }
    }

    /// Every key that starts with `prefix`. Allocates the upper bound, the least key greater than all of them.
    pub fn prefix(prefix: &'a [u8]) -> Self {
        let upper = match prefix.iter().rposition(|&byte| byte != 0xFF) {
            None => Bound::Unbounded,
            Some(last) => {
                let mut successor = prefix.get(..=last).unwrap_or_default().to_vec();
                if let Some(byte) = successor.last_mut() {
                    *byte += 1;
                }
                Bound::Excluded(Cow::Owned(successor))
            }
        };
        Self { lower: Bound::Included(Cow::Borrowed(prefix)), upper, ..Self::all() }
    }

    /// The same range, cut after `limit` records.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The same range from its upper end down.
    #[must_use]
    pub const fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// The same range without values.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    /// The lower bound, borrowed.
    pub fn lower(&self) -> Bound<&[u8]> {
        self.lower.as_ref().map(|key| key.as_ref())
    }

    /// The upper bound, borrowed.
    pub fn upper(&self) -> Bound<&[u8]> {
        self.upper.as_ref().map(|key| key.as_ref())
    }

    /// Whether no key lies below the lower end.
    #[inline]
    pub fn reaches_down_to(&self, key: &[u8]) -> bool {
        match self.lower() {
            Bound::Included(low) => key >= low,
            Bound::Excluded(low) => key > low,
            Bound::Unbounded => true,
        }
    }

    /// Whether the key lies not above the upper end.
    #[inline]
    pub fn reaches_up_to(&self, key: &[u8]) -> bool {
        match self.upper() {
            Bound::Included(high) => key <= high,
            Bound::Excluded(high) => key < high,
            Bound::Unbounded => true,
        }
    }

    /// Whether the key lies between the bounds.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.reaches_down_to(key) && self.reaches_up_to(key)
    }

    /// Whether no key at all can lie between the bounds (so a reversed pair of bounds is an empty scan, not an
    /// error), or the limit is 0.
    pub fn is_empty(&self) -> bool {
        self.limit == 0
            || match (self.lower(), self.upper()) {
                (Bound::Included(low), Bound::Included(high)) => low > high,
                (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high))
                | (Bound::Excluded(low), Bound::Included(high)) => low >= high,
                _ => false,
            }
    }
}

/// Where [`Session::get_many`] puts its answers: one buffer for all values, one slot a key. Reused, it allocates
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct GetBuffer {
    bytes: Vec<u8>,
    slots: Vec<Option<(usize, usize)>>,
}

impl GetBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the answers, keeps the memory, and makes room for `keys` answers, all "not found".
    pub fn reset(&mut self, keys: usize) {
        self.bytes.clear();
        self.slots.clear();
        self.slots.resize(keys, None);
    }

    /// Stores the value found for the key at `index`; an index out of range is ignored.
    pub fn put(&mut self, index: usize, value: &[u8]) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some((self.bytes.len(), value.len()));
            self.bytes.extend_from_slice(value);
        }
    }

    /// The value found for the key at `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (start, len) = (*self.slots.get(index)?)?;
        self.bytes.get(start..start + len)
    }

    /// Number of keys asked for.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no key was asked for.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// What an engine knows of itself at this moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Live records. Exact when no write is under way.
    pub records: u64,
    /// Key and value bytes of the live records, where the engine tracks them.
    pub live_bytes: Option<u64>,
    /// Bytes of memory the engine holds for its data and structure, from its own accounting.
    pub memory_bytes: u64,
    /// Figures of this engine alone, by name with the unit last (`splits`, `height`, `probe_length_max`).
    pub details: Vec<(String, f64)>,
}

/// A visitor of records: gets key and value, and says whether to go on.
pub type Visitor<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// A store of key–value records, shared by threads. Opened through the [`crate::registry`] or by its concrete type.
pub trait Engine: Send + Sync {
    /// Its name in the registry.
    fn name(&self) -> &'static str;

    /// What it can do, with the options it was opened with.
    fn capabilities(&self) -> Capabilities;

    /// A session for the calling thread.
    ///
    /// # Errors
    /// Whatever keeps the engine from serving another thread.
    fn session(&self) -> Result<Box<dyn Session + '_>>;

    /// Visits every live record once, in no particular order. Records written meanwhile may or may not be seen.
    /// The visitor runs under no latch and may use the engine.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where nothing is retained.
    fn for_each(&self, visit: Visitor<'_>) -> Result<()>;

    /// Its state in figures. O(1), or O(number of nodes) where noted by the engine.
    fn stats(&self) -> Stats;

    /// Loads records that are sorted by strictly ascending key into an empty engine; engines with a faster way than
    /// one set after the other override this. Returns how many were loaded.
    ///
    /// # Errors
    /// As [`Session::set`]; records before the failing one are kept.
    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        let mut session = self.session()?;
        let mut loaded = 0;
        for (key, value) in records {
            session.set(key, value)?;
            loaded += 1;
        }
        Ok(loaded)
    }

    /// Moves buffered writes to where they finally live.
    ///
    /// # Errors
    /// Of the engine's storage.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Makes every acknowledged write as durable as the engine can.
    ///
    /// # Errors
    /// Of the engine's storage.
    fn sync(&self) -> Result<()> {
        Ok(())
    }

    /// Gives back space that deleted or replaced records hold.
    ///
    /// # Errors
    /// Of the engine's storage.
    fn compact(&self) -> Result<()> {
        Ok(())
    }

    /// Waits until no background work is left, or the time is over; tells which (`true`: idle).
    ///
    /// # Errors
    /// Of a background job that failed.
    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        let _ = limit;
        Ok(true)
    }

    /// Checks every invariant of the structure. O(n); no write may be under way.
    ///
    /// # Errors
    /// [`Error::InvariantBroken`] with the first violation.
    fn validate(&self) -> Result<()>;

    /// Ends the engine: flushes, stops background work, releases resources. Dropping does the same and swallows errors.
    ///
    /// # Errors
    /// Of the engine's storage.
    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// One thread's access to an engine.
///
/// Each operation is atomic. A write that returned is seen by every operation that starts later, on any session.
pub trait Session {
    /// Reads the value of `key` into `value`, replacing what is there. Returns whether the key was found; if not,
    /// `value` is empty.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], or of the engine's storage.
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool>;

    /// Inserts the record, or replaces its value.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::ValueTooLong`], [`Error::Full`], [`Error::ReadOnly`], or of the engine's storage.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Replaces the value if the key is there; otherwise changes nothing and returns `false`.
    ///
    /// # Errors
    /// As [`Session::set`].
    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool>;

    /// Removes the record if it is there.
    ///
    /// # Errors
    /// As [`Session::set`].
    fn delete(&mut self, key: &[u8]) -> Result<Existence>;

    /// Applies all operations of the batch, or none if one of them is refused.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`], and as [`Session::set`].
    fn batch(&mut self, batch: &WriteBatch) -> Result<()>;

    /// Reads many keys; answer *i* belongs to key *i*. Not one point in time. Engines that can overlap the cache misses
    /// of the look-ups override this.
    ///
    /// # Errors
    /// As [`Session::get`].
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

    /// Visits the records of a range in key order (from the upper end down if reversed) until the range or the limit is
    /// exhausted or the visitor breaks. Returns how many were visited, the one it broke at included. A reversed pair of bounds is an empty scan.
    /// The visitor runs under no latch.
    ///
    /// # Errors
    /// [`Error::Unsupported`] by engines without [`Capabilities::ordered_scan`], or of the engine's storage.
    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_returns_what_was_put_in() {
        let mut batch = WriteBatch::new();
        batch.set(b"", b"");
        batch.set(b"a", b"\0\xFF");
        batch.delete(b"a");
        let expected = [
            WriteOp::Set { key: b"", value: b"" },
            WriteOp::Set { key: b"a", value: b"\0\xFF" },
            WriteOp::Delete { key: b"a" },
        ];
        assert_eq!(batch.iter().collect::<Vec<_>>(), expected);
        assert_eq!((batch.len(), batch.bytes()), (3, 4));
        batch.clear();
        assert!(batch.is_empty());
    }

    #[test]
    fn a_prefix_ends_before_its_successor() {
        let upper = |prefix: &'static [u8]| ScanRange::prefix(prefix).upper;
        assert_eq!(upper(b"ab"), Bound::Excluded(Cow::Borrowed(b"ac".as_slice())));
        assert_eq!(upper(b"a\xFF\xFF"), Bound::Excluded(Cow::Borrowed(b"b".as_slice())));
        assert_eq!(upper(b"\xFF"), Bound::Unbounded);
        assert_eq!(upper(b""), Bound::Unbounded);
    }

    #[test]
    fn reversed_bounds_are_empty() {
        use Bound::{Excluded, Included, Unbounded};
        let empty = |lower, upper| ScanRange::between(lower, upper).is_empty();
        assert!(empty(Included(b"b"), Included(b"a")));
        assert!(!empty(Included(b"a"), Included(b"a")));
        assert!(empty(Included(b"a"), Excluded(b"a")));
        assert!(empty(Excluded(b"a"), Included(b"a")));
        assert!(!empty(Excluded(b"a"), Unbounded));
        assert!(ScanRange::all().limit(0).is_empty());
    }

    #[test]
    fn a_batch_over_the_limits_is_refused() {
        let capabilities = Capabilities::IN_MEMORY_ORDERED;
        let mut batch = WriteBatch::new();
        batch.set(b"k", &vec![0; MAX_BATCH_BYTES + 1]);
        assert!(capabilities.check_batch(&batch).is_ok(), "one large value is a batch");
        batch.delete(b"k");
        assert!(matches!(capabilities.check_batch(&batch), Err(Error::BatchTooLarge { operations: 2, .. })));
        batch.clear();
        batch.delete(&vec![0; MAX_KEY_BYTES + 1]);
        assert!(matches!(capabilities.check_batch(&batch), Err(Error::KeyTooLong { .. })));
    }
}
