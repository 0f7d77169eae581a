//! From a YAML file to the operations of each worker: spec (as written) → plan (validated) → stream (operations).

pub mod cells;
mod checks;
pub mod diagnostic;
mod digest;
mod distribution;
pub mod estimate;
pub mod expectation;
pub mod file;
pub mod keyspace;
pub mod limits;
pub mod literal;
pub mod located;
mod memory;
pub mod operation;
pub mod overrides;
pub mod phases;
pub mod plan;
pub mod planner;
mod random;
pub mod request;
pub mod rewrite;
pub mod schema;
mod sequence;
pub mod size;
pub mod spec;
pub mod stream;
pub mod summary;
pub mod value;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
