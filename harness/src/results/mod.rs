//! What was measured: the domain model, its versioned file format, and exports.

pub mod model;
#[cfg(test)]
pub mod synthetic;
pub mod wire;
