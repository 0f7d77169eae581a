//! What was measured: the domain model, its versioned file format, and exports.

pub mod model;
