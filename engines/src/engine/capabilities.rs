//! What an engine can do, as flags and limits, and the checks that follow from them.

use super::batch::{WriteBatch, WriteOp};
use super::durability::Durability;
use crate::error::{Error, Result};
use serde::Serialize;

/// The longest key an engine takes unless its [`Capabilities`] say less: 64 KiB.
pub const MAX_KEY_BYTES: usize = 64 << 10;
/// The longest value an engine takes unless its [`Capabilities`] say less: 64 MiB.
pub const MAX_VALUE_BYTES: usize = 64 << 20;
/// The most operations a batch may hold.
pub const MAX_BATCH_OPERATIONS: usize = 10_000;
/// The most key and value bytes a batch may hold, 16 MiB; a batch of one operation may hold any value that fits.
pub const MAX_BATCH_BYTES: usize = 16 << 20;

/// What an engine is known to break, so that whoever compares it can tell. Own engines have none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct KnownFault {
    /// The check of the conformance suite that fails, by its name there.
    pub check: &'static str,
    /// What goes wrong, and why the engine cannot help it.
    pub reason: &'static str,
    /// Whether it goes wrong so seldom that a test which does not see it says nothing.
    pub rare: bool,
}

/// What an engine can do. The harness decides by these flags, never by an engine's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Capabilities {
    /// Scans run in key order between bounds. Without it [`Session::scan`](super::Session::scan) is unsupported.
    pub ordered_scan: bool,
    /// Scans may run from the upper bound down.
    pub reverse_scan: bool,
    /// Sets, updates, deletes and batches are taken.
    pub writes: bool,
    /// [`Session::delete`](super::Session::delete) tells whether the key was there (else [`Existence::Unknown`](super::Existence::Unknown)).
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
    /// What it promises by its kind and does not keep.
    pub known_faults: &'static [KnownFault],
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
        known_faults: &[],
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

#[cfg(test)]
mod tests {
    use super::*;

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
