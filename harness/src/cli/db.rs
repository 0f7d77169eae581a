//! `harness db`: a store in a directory, opened to be written, read, checked, looked at and saved from damage.

mod dump;
mod kv;
mod salvage;
mod spelling;
mod stats;
mod store;
mod verify;

use crate::exit::Failure;

/// Opens a store in a directory: writes, reads, checks and prints it
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// What the statuses mean, at the end of each verb's help.
const STATUSES: &str = "\
Exit status: 0 done, 2 flags or input are wrong, 4 data is damaged, 5 a file could not be read
or written, 6 another process has the directory open.";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Kv(kv::Arguments),
    Verify(verify::Arguments),
    Dump(dump::Arguments),
    Stats(stats::Arguments),
    Salvage(salvage::Arguments),
}

/// Runs the verb.
///
/// # Errors
/// As the statuses say.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        Verb::Kv(arguments) => kv::run(arguments),
        Verb::Verify(arguments) => verify::run(arguments),
        Verb::Dump(arguments) => dump::run(arguments),
        Verb::Stats(arguments) => stats::run(arguments),
        Verb::Salvage(arguments) => salvage::run(arguments),
    }
}
