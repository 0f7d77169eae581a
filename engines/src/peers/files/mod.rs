//! Embedded stores of others that keep files, behind our traits, to be measured beside ours. A cargo feature each: `redb`, `fjall`,
//! `sled`, `lmdb`, `sqlite`, `rocksdb`.
//!
//! Each file holds what a user who knows the crate well would write with it for keys and values of any bytes. A durability class is
//! offered where the crate keeps it, by a setting or a call of its own; what was counted and killed to find out is in
//! `engines/docs/peers.md`, and in `engines/tests/peers_durability.rs` as a test. What a crate cannot do is said in its
//! capabilities, never papered over.
//!
//! Thread safety: that of each crate, as its file says; what is shared here besides says so in its own file.

mod failure;
#[cfg(feature = "fjall")]
mod fjall;
#[cfg(feature = "lmdb")]
mod lmdb;
mod peer;
#[cfg(any(feature = "fjall", feature = "lmdb"))]
mod prefixed;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
#[cfg(any(feature = "fjall", feature = "rocksdb"))]
mod stripes;

use crate::entry::Entry;

/// All that are built in, in the order they are listed.
pub(super) static ENTRIES: &[&Entry] = &[
    #[cfg(feature = "redb")]
    &redb::ENTRY,
    #[cfg(feature = "fjall")]
    &fjall::ENTRY,
    #[cfg(feature = "sled")]
    &sled::ENTRY,
    #[cfg(feature = "lmdb")]
    &lmdb::ENTRY,
    #[cfg(feature = "sqlite")]
    &sqlite::ENTRY,
    #[cfg(feature = "rocksdb")]
    &rocksdb::ENTRY,
];
