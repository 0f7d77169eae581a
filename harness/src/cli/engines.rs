//! `harness engines`: what can be measured.

use crate::exit::Failure;

/// Lists the engines, what they can do and their options.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the verb.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(_arguments: &Arguments) -> Result<(), Failure> {
    Ok(())
}
