//! Snapshots: durable images of a store's records.
//!
//! An image is written while others write to the store. It holds, of each record, the state of some moment while it was
//! written; what was done before it was begun is in it for certain. Together with the log from there on it is the
//! store: each key that was written meanwhile is in the log as well, with its last outcome. So replaying the log over the image gives
//! what was there, and replaying it twice gives the same.
//!
//! Invariants
//! - A snapshot that has its final name is whole and durable, and so is the log up to the last frame whose effects may be in it.
//! - Blocks hold whole records; each block can be read, checked and restored by itself.
//!
//! Thread safety: a writer has one owner. A snapshot that was opened is shared: blocks are read by as many threads as like.

mod files;
mod format;
mod reader;
mod writer;

pub use files::{list, prune};
pub use reader::{Block, Snapshot};
pub use writer::SnapshotWriter;

#[cfg(test)]
mod tests;
