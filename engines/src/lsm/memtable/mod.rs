//! The memtable: an ordered table of versions in memory, and the engine `lsm-memtable`.
//!
//! Each write takes a sequence number and leaves a version: a value, or a tombstone for a delete. A reader sees the table as
//! it is, or as of one sequence number, that of a [`ReadView`], which keeps the versions it needs.
//!
//! From the outside in: [`Memtable`] holds the parts together (`table` the
//! operations on one key, `batch`, `scan`, `cursor`, `upkeep`, `validate`); `sequence` says
//! when a write takes effect; `chain` which versions of a key are kept; `views` which views there are; `lanes` counts;
//! `tree`, `branch` and `leaf` order the keys; `record` is a version; `reach` turns links into references.
//!
//! Why not a skip list: a look-up among a million keys takes some twenty dependent cache misses there, because each
//! step leads to another small node. Here it takes three (the lower branch, the leaf, the record), and inserts and
//! reads are lock-free all the same: leaves are logs that are sealed, frozen and exchanged as a whole, which any thread can finish
//! (A. Braginsky, E. Petrank, *A Lock-Free B+tree*, SPAA 2012; J. Arulraj et al., *BzTree*, VLDB 2018).
//!
//! One entry a key: all its versions hang on the newest, so a scan never walks through a key's past. A version that no read
//! view needs goes with the write that hides it, or soon after the view has ended. A tombstone stays as long as
//! it hides something; in a table over older ones, until the table is written out. Freed space is used again, and records on pages
//! that became sparse are moved together.

mod batch;
mod branch;
mod chain;
mod cursor;
mod engine;
mod lanes;
mod leaf;
mod options;
mod pause;
mod reach;
mod record;
mod scan;
mod sequence;
mod table;
mod tree;
mod upkeep;
mod validate;
mod views;

#[cfg(test)]
mod tests;

/// The engine's name in the registry and in errors.
const NAME: &str = "lsm-memtable";

pub use cursor::Cursor;
pub use engine::ENTRY;
pub use options::MemtableOptions;
pub use record::Version;
pub use scan::{ReadView, VersionsGuard};
pub use table::Memtable;
