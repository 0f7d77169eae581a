//! Memory that readers look at while a writer changes it, and that is used again when it is free.
//!
//! Optimistic readers take no latch and write nothing: they read, and then check that nothing changed. Rust
//! allows that only where every shared word is read and written atomically, so everything here is made of
//! [`words::Word`]s; on the machines at hand a relaxed load of a word is a plain load. (The one exception are copies of long
//! runs by an instruction of the processor: see `words`.)
//!
//! - [`words`]: bytes in and out of runs of words, and comparison with them
//! - [`latch`]: a version and a lock bit in one word, for optimistic reading (H.-J. Boehm, *Can Seqlocks Get Along
//!   With Programming Language Memory Models?*, 2012; V. Leis et al., *The ART of Practical Synchronization*, 2016)
//! - [`slab`]: blocks of words from 2 MiB regions on huge pages, by size class, freed space used again, sparse
//!   pages found for evacuation; blocks that readers may still hold wait for the epoch to pass
//! - [`record`]: key and value in one block, the value replaced in place under a version of its own
//! - [`huge`], [`prefetch`]: hints to the kernel and to the processor
//!
//! The order in which things are taken, everywhere in this crate: pin the epoch, then latches of the structure from
//! the top down, then the lock of a record, then the slab. Nothing is pinned for the first time while a latch is held,
//! because pinning may run deferred frees, which take the slab.

#[cfg(not(loom))]
pub(crate) mod huge;
pub(crate) mod latch;
#[cfg(not(loom))]
pub(crate) mod prefetch;
pub(crate) mod record;
#[cfg(not(loom))]
pub(crate) mod slab;
pub(crate) mod words;

/// Words of the largest block that comes from a page of the slab. Larger ones come from the allocator, and a block's user says
/// by the number of words which it is; so a record that needs more never shrinks in place below this.
pub(crate) const SMALL_WORDS_MOST: usize = 1024;

#[cfg(loom)]
#[cfg(test)]
mod tests;
