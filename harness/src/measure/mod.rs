//! Recording of time and resources, and the description of the machine.

pub mod environment;
pub mod resources;
pub mod series;
