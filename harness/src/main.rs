//! `harness`: which storage engine for my workload, and did my change make it slower?
//!
//! A workload file becomes a plan ([`workload`]), the plan is measured ([`runner`], [`measure`]), what was measured is kept
//! ([`results`]), judged ([`analysis`]) and shown ([`report`]); [`cli`] has one file a verb.

mod analysis;
mod cli;
mod exit;
mod measure;
mod report;
mod results;
mod runner;
mod workload;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
