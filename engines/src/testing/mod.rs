//! What tests of engines are made of. Compiled for tests and with the feature `testing`; not part of a release.

#![expect(clippy::panic, reason = "the code of a test reports by panicking")]

mod time_limit;

pub use time_limit::within;
