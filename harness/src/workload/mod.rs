//! From a YAML file to the operations of each worker: spec (as written) → plan (validated) → stream (operations).

pub mod operation;
pub mod plan;
