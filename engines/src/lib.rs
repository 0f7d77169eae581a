//! Storage engines behind one interface.
//!
//! Every engine implements [`Engine`] and hands a [`Session`] to each thread that works on it. Engines are
//! found by name in the [`registry`], opened with typed options and described by their [`Capabilities`]: what
//! an engine cannot do is an error that says so, never a silent skip. The concrete types offer the same
//! operations with `&self`, so a library user needs no trait object.
//!
//! Imports run downwards only: registry → instruments → engines → words everybody uses ([`engine`], [`entry`],
//! [`error`], [`options`], [`clock`]).

pub(crate) mod memory;
pub(crate) mod sync;

pub mod chunk;
pub mod clock;
pub mod direct;
pub mod engine;
pub mod entry;
pub mod error;
pub mod options;

pub(crate) mod head;
#[cfg(test)]
pub(crate) mod ordered_checks;
pub(crate) mod record;

pub mod array;
pub mod btree;
#[cfg(not(loom))]
pub mod hash;
pub mod lsm;
pub mod rbtree;

pub mod instruments;
pub mod registry;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use engine::{
    Capabilities, Durability, Engine, Existence, GetBuffer, ScanRange, Session, Stats, WriteBatch, WriteOp,
};
pub use error::{Error, Result};
