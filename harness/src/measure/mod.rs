//! Recording of time and resources, the allocator, and the description of the machine.

pub mod allocator;
pub mod environment;
pub mod footprint;
pub mod resources;
pub mod series;
