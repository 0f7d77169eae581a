//! Pure functions from measurements to the figures that are shown.

pub mod interval;
pub mod memory;
pub mod percentile;
pub mod ranking;
pub mod reopening;
pub mod spread;
pub mod summary;
pub mod warning;
