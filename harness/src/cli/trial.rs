//! `harness trial`, hidden: the process of one trial. Reads its job as JSON from standard input, writes events to standard
//! output; [`crate::runner::child`] is the other end. A job may be a timed trial or a memory trial.

use crate::exit::{Exit, Failure};
use crate::results::wire;
use crate::runner::event::Event;
use crate::runner::job::Job;
use crate::runner::{memory, trial};
use std::io::{Read, Write};

/// The longest job that is read: a plan is a few kilobytes.
const MOST_JOB_BYTES: u64 = 64 << 20;

/// Runs one trial for `harness run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the verb.
///
/// # Errors
/// If standard input is not a job or standard output is closed. A trial that goes wrong is no error here but a trial that says so.
pub fn run(_arguments: &Arguments) -> Result<(), Failure> {
    let mut text = Vec::new();
    std::io::stdin()
        .take(MOST_JOB_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| Failure::io("cannot read the job", &error))?;
    let job: Job = serde_json::from_slice(&text).map_err(|error| {
        Failure::usage(format!("standard input is not a job: {error}"))
            .hint("'harness trial' is called by 'harness run'")
    })?;
    let mut output = std::io::stdout();
    let event = match job.memory {
        None => Event::Trial { trial: wire::encode_trial(&trial::run(&job, &mut output)) },
        Some(way) => Event::Memory { trial: wire::encode_memory_trial(&memory::run(&job, way, &mut output)) },
    };
    let line = event
        .to_line()
        .map_err(|error| Failure::new(Exit::Io, format!("cannot encode the trial: {error}")))?;
    output
        .write_all(line.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| Failure::io("cannot write the trial", &error))
}
