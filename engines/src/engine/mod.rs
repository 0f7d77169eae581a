//! The one interface: [`Engine`] and [`Session`], and the words they are spoken in.
//!
//! An engine is shared by all threads; each thread opens a session of its own, which holds what must not be
//! shared (buffers, handles). Keys and values are any bytes, the empty ones included.

mod batch;
mod capabilities;
mod durability;
mod get_buffer;
mod range;

pub use batch::{WriteBatch, WriteOp};
pub use capabilities::{
    Capabilities, KnownFault, MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS, MAX_KEY_BYTES, MAX_VALUE_BYTES,
};
pub use durability::Durability;
pub use get_buffer::GetBuffer;
pub use range::ScanRange;

use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::time::Duration;

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
    /// [`Error::Unsupported`](crate::Error::Unsupported) where nothing is retained.
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

    /// Writes an image of all records, from which the next opening starts, and gives up the part of the log that is no longer needed.
    /// Writers go on meanwhile.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) by engines that keep no such images, or of the engine's storage.
    fn snapshot(&self) -> Result<()> {
        Err(crate::Error::Unsupported { engine: self.name(), operation: "snapshot" })
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
    /// [`Error::InvariantBroken`](crate::Error::InvariantBroken) with the first violation.
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
    /// [`Error::KeyTooLong`](crate::Error::KeyTooLong), or of the engine's storage.
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool>;

    /// Inserts the record, or replaces its value.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`](crate::Error::KeyTooLong), [`Error::ValueTooLong`](crate::Error::ValueTooLong), [`Error::Full`](crate::Error::Full), [`Error::ReadOnly`](crate::Error::ReadOnly), or of the engine's storage.
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
    /// [`Error::BatchTooLarge`](crate::Error::BatchTooLarge), and as [`Session::set`].
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

    /// Says that this key is about to be looked up or written: an engine may begin to bring what that will need into the processor's
    /// caches. A hint, which changes nothing.
    fn prefetch(&mut self, key: &[u8]) {
        let _ = key;
    }

    /// Visits the records of a range in key order (from the upper end down if reversed) until the range or the limit is
    /// exhausted or the visitor breaks. Returns how many were visited, the one it broke at included. A reversed pair of bounds is an empty scan.
    /// The visitor runs under no latch.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) by engines without [`Capabilities::ordered_scan`], or of the engine's storage.
    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64>;
}
