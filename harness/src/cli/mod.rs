//! The command line: one file a verb.

mod completions;
mod db;
mod engine_error;
mod engines;
pub mod output;
mod report;
mod run;
mod trial;
mod workload;

use crate::exit::Failure;
use clap::{CommandFactory, Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Which storage engine for my workload, and did my change make it slower?
#[derive(Debug, Parser)]
#[command(name = "harness", version, max_term_width = 110, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Arguments),
    #[command(hide = true)]
    Trial(trial::Arguments),
    Engines(engines::Arguments),
    Db(db::Arguments),
    Completions(completions::Arguments),
    Workload(workload::Arguments),
    Report(report::Arguments),
}

/// Runs the command line and tells how it ended.
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Trial(arguments) => trial::run(&arguments),
        Verb::Engines(arguments) => engines::run(&arguments),
        Verb::Db(arguments) => db::run(&arguments),
        Verb::Completions(arguments) => completions::run(&arguments, Arguments::command()),
        Verb::Workload(arguments) => workload::run(&arguments),
        Verb::Report(arguments) => report::run(&arguments),
    };
    outcome.map_or_else(tell, |()| ExitCode::SUCCESS)
}

fn tell(failure: Failure) -> ExitCode {
    // Where nobody reads it any more, the status still tells.
    let _ = writeln!(std::io::stderr(), "error: {failure}");
    failure.exit.into()
}
