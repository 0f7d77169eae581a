//! Durable engines against everything that may happen to their files: cuts of the power, cuts within recovery, flipped bits, files that are
//! missing or exchanged, calls that fail; on the simulated file system, so that one seed gives one result.
//!
//! What must hold is that a store which opens holds what a prefix of its writes left, and that the prefix is no shorter than what was
//! acknowledged as durable. Each check returns how much it tried, for tests to print and to insist on.

mod cuts;
mod damage;
mod faults;
mod subject;
mod threads;
mod trace;

pub use cuts::{Cuts, Sampling, cuts_within_recovery, power_cuts};
pub use damage::{Damage, exchanged_files, flipped_bits};
pub use faults::{Faults, failing_calls};
pub use subject::CrashSubject;
pub use threads::{ThreadCuts, power_cuts_among_threads};
pub use trace::{Step, Trace};
