//! A sharded hash table whose readers take no latch: point reads and writes at two dependent cache misses, no order.
//!
//! The highest bits of a key's hash choose a shard, the next ones lead through a small trie of nodes of 64 to a
//! segment, and the lowest choose a cache line of it: one control word with seven fingerprints, and seven slots. A slot is
//! the address of a record, in which key and value lie together, and 16 more bits of the hash. So a look-up misses the
//! caches twice, for the line and for the record.
//!
//! Extendible hashing in segments is that of CCEH (M. Nam et al., *Write-Optimized Dynamic Hashing for Persistent
//! Memory*, FAST 2019) and Dash (B. Lu et al., VLDB 2020); lines with fingerprints and counts of what overflowed past
//! them are those of F14 (N. Bronson, X. Shi, Facebook, 2019). A trie takes the place of the directory, so that growth never
//! copies more than one segment: no operation moves more than [`ENTRIES_MOVED_MOST`] entries.
//!
//! From the outside in: `map` (the engine), `shard` (what its latch guards), `directory` (the trie), `segment`, `arena` (the
//! only file with `unsafe` code: addresses become references that live as long as a pin).

mod arena;
mod control;
mod directory;
mod evacuation;
mod hasher;
mod map;
mod options;
mod reading;
mod segment;
mod shard;
mod validate;

#[cfg(test)]
mod tests;

pub use map::{ENTRY, Hash};
pub use options::HashOptions;
pub use shard::ENTRIES_MOVED_MOST;
