//! In-memory stores of others behind our traits, to be measured beside ours. Cargo feature `peers-memory`.
//!
//! Each file holds what a user who knows the crate well would write with it for keys and values of any bytes, and
//! nothing that only our interface needs and the crate would have to pay for: no counters beside the crate's own, no
//! copies but the one a read delivers. What a crate cannot do is said in its capabilities, never papered over. Versions,
//! settings and what each cannot promise are in `engines/docs/peers.md`.
//!
//! Thread safety: that of each crate, as its file says; nothing is shared here.

mod crossbeam_skiplist;
mod dashmap;
mod ferntree;
mod hash_latched;
mod hash_sharded;
mod intrusive_rbtree;
mod papaya;
mod peer;
mod scc_hashmap;
mod scc_treeindex;
mod std_btreemap;
mod store;

use crate::entry::Entry;

/// All peers, in the order they are listed.
pub static ENTRIES: [&Entry; 10] = [
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
