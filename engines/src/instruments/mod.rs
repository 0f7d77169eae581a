//! Engines that test or calibrate the harness. None is meant to store anything for anybody.
//!
//! [`null`] costs next to nothing: what is measured with it is the harness. [`stall`] stops every thread now and
//! then: what a harness does not report of it, it hides. [`liar`] gives wrong answers: a harness that does not
//! complain does not look.
//!
//! The wrappers open their inner engine by name, but know no registry: whoever makes their [`Entry`](crate::entry::Entry)
//! hands them the function that opens engines. So imports still run downwards only.

pub mod liar;
pub mod null;
pub mod stall;
mod wrapper;

pub use wrapper::Opener;
