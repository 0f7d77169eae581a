//! What was measured: the domain model, its versioned file format, and exports.

pub mod export;
pub mod model;
pub mod publication;
pub mod store;
#[cfg(test)]
pub mod synthetic;
pub mod wire;
