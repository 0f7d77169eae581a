//! Operations, and the blocks they are prepared in before the clock starts.

use super::keyspace::KeySpan;
use serde::{Deserialize, Serialize};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum OperationKind {
    /// Reads the value of one key.
    Read,
    /// Replaces the value of a key that is there.
    Update,
    /// Adds a new key; the load is made of inserts.
    Insert,
    /// Reads records in key order from a start key.
    Scan,
    /// Reads a value, then replaces it by one that depends on it.
    ReadModifyWrite,
    /// Removes a key.
    Delete,
    /// Reads the values of several keys with one call.
    Multiget,
}

impl OperationKind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Update,
        Self::Insert,
        Self::Scan,
        Self::ReadModifyWrite,
        Self::Delete,
        Self::Multiget,
    ];

    /// The name in results, as in `read_proportion`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Update => "update",
            Self::Insert => "insert",
            Self::Scan => "scan",
            Self::ReadModifyWrite => "read_modify_write",
            Self::Delete => "delete",
            Self::Multiget => "multiget",
        }
    }
}

/// One prepared operation; its key and value lie in the block's buffers.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What to do.
    pub kind: OperationKind,
    /// Whether the answer is to be compared with what was written.
    pub check: bool,
    /// Number of the record.
    pub record: u64,
    /// Start of the key in [`Block::keys`].
    pub key_start: u32,
    /// Length of the key, bytes.
    pub key_len: u32,
    /// Start of the new value in [`Block::values`]; meaningless for reads, scans and deletes.
    pub value_start: u32,
    /// Length of the new value, bytes.
    pub value_len: u32,
    /// Records a scan asks for.
    pub scan_length: u32,
}

/// Operations of one worker, ready to run.
#[derive(Debug, Default)]
pub struct Block {
    /// The operations in order.
    pub operations: Vec<Operation>,
    /// Bytes of all keys.
    pub keys: Vec<u8>,
    /// Bytes of all new values.
    pub values: Vec<u8>,
    /// What the multigets ask for.
    pub groups: Groups,
}

/// The keys of multigets, group after group in the order of the operations.
#[derive(Debug, Default)]
pub struct Groups {
    /// Keys of each group; 0 where there are no multigets.
    pub size: usize,
    /// The record of each key.
    pub records: Vec<u64>,
    /// Where each key lies in [`Block::keys`].
    pub spans: Vec<KeySpan>,
}

impl Block {
    /// The key of an operation of this block.
    #[inline(always)]
    pub fn key(&self, operation: &Operation) -> &[u8] {
        let start = operation.key_start as usize;
        self.keys.get(start..start + operation.key_len as usize).unwrap_or_default()
    }

    /// The new value of an operation of this block.
    #[inline(always)]
    pub fn value(&self, operation: &Operation) -> &[u8] {
        let start = operation.value_start as usize;
        self.values.get(start..start + operation.value_len as usize).unwrap_or_default()
    }
}
