//! A sharded hash table: point reads and writes at a constant number of cache misses, no order.
//!
//! From the outside in: [`struct@Hash`] picks a shard by the high bits of a key's hash and takes that shard's latch;
//! a shard holds one open-addressing table, and a second one while it is being resized; a table is an array
//! of groups of eight slots, each group headed by a word of one-byte fingerprints that is searched eight at a
//! time; a slot owns one heap allocation that holds key and value. The probing follows the Swiss tables of
//! Abseil and the chunks of Folly's F14; the resizing in small steps is that of Redis dictionaries.
//!
//! No operation pays for a whole table: a resize moves [`SLOTS_MOVED_PER_OPERATION`] slots with each write to
//! its shard.

mod control;
mod hasher;
mod map;
mod options;
mod record;
mod shard;
mod table;

#[cfg(test)]
mod tests;

pub use map::{ENTRY, Hash};
pub use options::HashOptions;
pub use shard::SLOTS_MOVED_PER_OPERATION;
