//! Storage engines behind one interface.
//!
//! Every engine implements [`Engine`] and hands a [`Session`] to each thread that works on it. Engines are
//! found by name in the [`registry`], opened with typed options and described by their [`Capabilities`]: what
//! an engine cannot do is an error that says so, never a silent skip. The concrete types offer the same
//! operations with `&self`, so a library user needs no trait object.
//!
//! Imports run downwards only: registry → instruments, durable → engines → log, snapshot → env → words everybody uses ([`engine`], [`entry`],
//! [`error`], [`options`], [`clock`]).

// Under `--cfg loom` these two are all of the crate: the protocols that the model checker explores.
pub(crate) mod memory;
pub(crate) mod sync;

#[cfg(not(loom))]
pub(crate) mod checksum;
#[cfg(not(loom))]
pub mod chunk;
#[cfg(not(loom))]
pub mod clock;
#[cfg(not(loom))]
pub(crate) mod coding;
#[cfg(not(loom))]
pub mod direct;
#[cfg(not(loom))]
pub mod engine;
#[cfg(not(loom))]
pub mod entry;
#[cfg(not(loom))]
pub mod env;
#[cfg(not(loom))]
pub mod error;
#[cfg(not(loom))]
pub mod log;
#[cfg(not(loom))]
pub mod options;
#[cfg(not(loom))]
pub mod snapshot;

#[cfg(not(loom))]
pub(crate) mod head;
#[cfg(not(loom))]
#[cfg(test)]
pub(crate) mod ordered_checks;

#[cfg(not(loom))]
pub mod array;
#[cfg(not(loom))]
pub mod btree;
#[cfg(not(loom))]
pub mod hash;
#[cfg(not(loom))]
pub mod lsm;
#[cfg(all(any(feature = "peers-memory", feature = "files-of-others"), not(loom)))]
pub mod peers;
#[cfg(not(loom))]
pub mod rbtree;

#[cfg(not(loom))]
pub mod durable;
#[cfg(not(loom))]
pub mod instruments;
#[cfg(not(loom))]
pub mod registry;

#[cfg(all(any(test, feature = "testing"), not(loom)))]
pub mod testing;

#[cfg(not(loom))]
pub use engine::{
    Capabilities, Durability, Engine, Existence, GetBuffer, ScanRange, Session, Stats, WriteBatch, WriteOp,
};
#[cfg(not(loom))]
pub use error::{Error, Result};
#[cfg(not(loom))]
pub use memory::huge::{mapped_bytes, mapped_peak_bytes, restart_mapped_peak};
