//! The log-structured merge tree and its parts.
//!
//! Writes gather in a [`memtable`], an ordered table of versions in memory, which is frozen when it is full
//! and then written out as a sorted file. So far the memtable is here, which is an engine of its own as well.

pub mod memtable;
