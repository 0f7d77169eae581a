//! The memtable: an ordered table of versions in memory, and the engine `lsm-memtable`.
//!
//! Each write takes the next sequence number and leaves a version: a value, or a tombstone for a delete.
//! Versions are ordered by key ascending, then by sequence number descending, so that a look-up finds the
//! newest first. A reader sees the table as of one sequence number: the latest, or that of a [`ReadView`],
//! which keeps the versions it needs.
//!
//! From the outside in: [`Memtable`] is the latch, the sequence numbers and the size limit; `versions`
//! decides which versions are kept; `skiplist` orders them (Pugh, "Skip lists", 1990, with the arena and the
//! 1-in-4 heights of LevelDB); `node` and `segmented` store the nodes; `arena` stores keys and values;
//! `views` knows the read views.
//!
//! A version that no read view needs is overwritten in place, and freed space is used again, so a hot key
//! costs the room of one version and a scan never walks through its past. A tombstone stays as long as it hides
//! something; in a table over older ones, that is until the table is written out. Freed space serves its own size
//! class only: when the sizes of all values change for good, `compact` gives back what the old ones held.

mod arena;
mod engine;
mod node;
mod options;
mod segmented;
mod skiplist;
mod table;
mod versions;
mod views;

#[cfg(test)]
mod tests;

/// The engine's name in the registry and in errors.
const NAME: &str = "lsm-memtable";

pub use engine::ENTRY;
pub use node::Version;
pub use options::MemtableOptions;
pub use table::{Memtable, ReadView, VersionsGuard};
