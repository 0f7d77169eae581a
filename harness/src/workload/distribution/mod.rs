//! Which records a phase asks for, and how long values and scans are.
//!
//! Every sampler is exact (χ² tests against the formulas stand beside them) unless its name says that it follows YCSB.

mod alias;
#[cfg(test)]
mod chi_square;
mod exponential;
mod hotspot;
mod latest;
mod request;
mod scatter;
mod sequential;
mod size;
mod uniform;
mod ycsb_zipfian;
mod zipfian;

pub use request::{Inserts, Requests};
pub use scatter::Scatter;
pub use size::Size;
