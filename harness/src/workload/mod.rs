//! From a YAML file to the operations of each worker: spec (as written) → plan (validated) → stream (operations).

mod digest;
mod distribution;
pub mod expectation;
pub mod keyspace;
pub mod operation;
pub mod plan;
mod random;
mod sequence;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod value;
