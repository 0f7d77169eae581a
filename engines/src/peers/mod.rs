//! Stores of others behind our traits, to be measured beside ours: in memory (cargo feature `peers-memory`), and in files (the folder
//! `files`, a feature each).
//!
//! Each file holds what a user who knows the crate well would write with it for keys and values of any bytes, and
//! nothing that only our interface needs and the crate would have to pay for: no counters beside the crate's own, no
//! copies but the one a read delivers. What a crate cannot do is said in its capabilities, never papered over. Versions,
//! settings and what each cannot promise are in `engines/docs/peers.md`.
//!
//! Thread safety: that of each crate, as its file says; nothing is shared here.

#[cfg(feature = "peers-memory")]
mod crossbeam_skiplist;
#[cfg(feature = "peers-memory")]
mod dashmap;
#[cfg(feature = "peers-memory")]
mod ferntree;
#[cfg(feature = "files-of-others")]
mod files;
#[cfg(feature = "peers-memory")]
mod hash_latched;
#[cfg(feature = "peers-memory")]
mod hash_sharded;
#[cfg(feature = "peers-memory")]
mod intrusive_rbtree;
#[cfg(feature = "peers-memory")]
mod papaya;
#[cfg(feature = "peers-memory")]
mod peer;
#[cfg(feature = "peers-memory")]
mod scc_hashmap;
#[cfg(feature = "peers-memory")]
mod scc_treeindex;
#[cfg(feature = "peers-memory")]
mod std_btreemap;
#[cfg(feature = "peers-memory")]
mod store;

use crate::entry::Entry;

/// All peers that are built in, in the order they are listed.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    #[cfg(feature = "files-of-others")]
    let files = files::ENTRIES;
    #[cfg(not(feature = "files-of-others"))]
    let files: &[&Entry] = &[];
    #[cfg(feature = "peers-memory")]
    let memory = MEMORY;
    #[cfg(not(feature = "peers-memory"))]
    let memory: &[&Entry] = &[];
    memory.iter().chain(files).copied()
}

#[cfg(feature = "peers-memory")]
static MEMORY: &[&Entry] = &[
    &std_btreemap::ENTRY,
    &hash_latched::ENTRY,
    &hash_sharded::ENTRY,
    &dashmap::ENTRY,
    &papaya::ENTRY,
    &scc_hashmap::ENTRY,
    &scc_treeindex::ENTRY,
    &ferntree::ENTRY,
    &crossbeam_skiplist::ENTRY,
    &intrusive_rbtree::ENTRY,
];
