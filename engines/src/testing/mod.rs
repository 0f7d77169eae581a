//! What tests of engines are made of. Compiled for tests and with the feature `testing`; not part of a release.
//!
//! [`checks`] is the conformance suite: each [`Check`] opens the engine of a [`Subject`] as often as it likes and panics
//! when the engine does not do what the traits [`crate::Engine`] and [`crate::Session`] and its own
//! [`crate::Capabilities`] promise. The [`Model`] says what is right, a [`Reference`] is an engine that is right.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the code of a test reports by panicking"
)]

mod agreement;
mod batches;
mod check;
mod contention;
pub mod crash;
mod eventually;
mod figures;
mod history;
mod limits;
mod linearizability;
mod loading;
mod model;
mod operation;
mod points;
mod random;
mod randomized;
mod reading;
mod record;
mod reentrancy;
mod reference;
mod refusals;
mod scans;
mod subject;
mod tally;
mod threads;
mod time_limit;
mod visibility;
mod workers;

pub use check::{Check, Group, checks};
pub use eventually::eventually;
pub use history::{Action, Clock, Event, History, Mark};
pub use linearizability::check_linearizable;
pub use model::Model;
pub use operation::{Bytes, Operation, ScanCall, operations};
pub use reference::Reference;
pub use subject::Subject;
pub use tally::Tally;
pub use time_limit::within;
