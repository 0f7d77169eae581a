//! From a YAML file to the operations of each worker: spec (as written) → plan (validated) → stream (operations).

pub mod cells;
pub mod diagnostic;
pub mod estimate;
pub mod file;
pub mod limits;
pub mod literal;
pub mod located;
pub mod operation;
pub mod overrides;
pub mod phases;
pub mod plan;
pub mod planner;
pub mod request;
pub mod schema;
pub mod size;
pub mod spec;
pub mod summary;

#[cfg(test)]
mod tests;
