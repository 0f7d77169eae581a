//! The knobs of the memtable.

use crate::options::{ByteSize, OptionDoc};
use serde::{Deserialize, Serialize};

/// How a [`super::Memtable`] is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemtableOptions {
    /// The most bytes that keys, values and nodes may take; a write that would take more is refused. 0 is no
    /// limit.
    pub limit: ByteSize,
}

/// The documentation of [`MemtableOptions`].
pub(super) static OPTIONS: &[OptionDoc] = &[OptionDoc {
    name: "limit",
    range: "a size, 0 for none",
    default: "\"0\"",
    summary: "the most bytes of keys, values and nodes; a write that would need more is refused and changes nothing",
}];
