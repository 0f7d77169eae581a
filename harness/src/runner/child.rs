//! One trial in a process of its own: a fresh allocator, a fresh address space, and a crash that harms nobody else.
//!
//! Thread safety: the child is guarded by [`Interrupt`], which may kill it from another thread; its pipes then end, and with
//! them the reading here. Standard error is drained by a thread of its own, so that a talkative child cannot block.

use super::event::{Event, Progress};
use super::interrupt::Interrupt;
use super::job::Job;
use crate::results::model::{LoadWay, MemoryTrial, Trial};
use crate::results::wire;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// The longest line that is taken from a child; a trial with every histogram is far below.
const MOST_LINE_BYTES: u64 = 256 << 20;
/// How much of the end of a child's standard error is kept.
const MOST_ERROR_BYTES: usize = 4 << 10;

/// What is run for a trial.
#[derive(Clone, Debug)]
pub struct ChildCommand {
    /// The program, usually this one.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Runs a job in a child. A child that cannot be started, dies, or says what nobody understands is a trial with an `error`.
/// `None` if the user interrupted it.
pub fn run(
    command: &ChildCommand,
    job: &Job,
    interrupt: &Interrupt,
    on_progress: &mut dyn FnMut(&Progress),
) -> Option<Trial> {
    match converse(command, job, interrupt, on_progress, &trial_of) {
        Ok(trial) => Some(trial),
        Err(_) if interrupt.requested() => None,
        Err(error) => Some(Trial { error: Some(error), ..job.empty_trial() }),
    }
}

/// The same for a memory trial.
pub fn run_memory(
    command: &ChildCommand,
    job: &Job,
    way: LoadWay,
    interrupt: &Interrupt,
    on_progress: &mut dyn FnMut(&Progress),
) -> Option<MemoryTrial> {
    match converse(command, job, interrupt, on_progress, &memory_trial_of) {
        Ok(trial) => Some(trial),
        Err(_) if interrupt.requested() => None,
        Err(error) => Some(MemoryTrial { error: Some(error), ..job.empty_memory_trial(way) }),
    }
}

/// What ends a conversation: the answer that an event holds, or `None` if it is another's.
type Answer<T> = dyn Fn(&Job, &Event) -> Option<Result<T, Problem>>;

fn unreadable(error: &wire::WireError) -> Problem {
    Problem::Nonsense(format!("with a trial that cannot be read ({error})"))
}

fn another() -> Problem {
    Problem::Nonsense("with another trial than it was asked for".to_owned())
}

fn trial_of(job: &Job, event: &Event) -> Option<Result<Trial, Problem>> {
    let Event::Trial { trial } = event else { return None };
    Some(wire::decode_trial(trial).map_err(|error| unreadable(&error)).and_then(|trial| {
        if (trial.cell, trial.trial) == (job.cell, job.trial) { Ok(trial) } else { Err(another()) }
    }))
}

fn memory_trial_of(job: &Job, event: &Event) -> Option<Result<MemoryTrial, Problem>> {
    let Event::Memory { trial } = event else { return None };
    Some(wire::decode_memory_trial(trial).map_err(|error| unreadable(&error)).and_then(|trial| {
        if (trial.cell, Some(trial.way)) == (job.cell, job.memory) { Ok(trial) } else { Err(another()) }
    }))
}

fn converse<T>(
    command: &ChildCommand,
    job: &Job,
    interrupt: &Interrupt,
    on_progress: &mut dyn FnMut(&Progress),
    answer: &Answer<T>,
) -> Result<T, String> {
    let order = serde_json::to_string(job).map_err(|error| format!("the job cannot be written: {error}"))?;
    let mut child = Command::new(&command.program);
    // A Ctrl-C at the terminal goes to the whole group of processes; what happens to the child is the parent's decision.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut child, 0);
    let mut child = child
        .args(&command.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the trial's process cannot be started: {error}"))?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    interrupt.guard(child);
    let (Some(mut input), Some(output), Some(errors)) = pipes else {
        return Err("the trial's process has no pipes".to_owned());
    };
    let (trial, complaint) = std::thread::scope(|scope| {
        let complaint = scope.spawn(|| last_words(errors));
        // A child that ends without reading breaks this pipe; what it said tells more than that.
        let _ = input.write_all(order.as_bytes());
        drop(input);
        let trial = listen(BufReader::new(output), job, on_progress, answer);
        if trial.is_err()
            && let Some(mut child) = interrupt.release()
        {
            // It talks nonsense or has gone: it is not waited for longer than that.
            let _ = child.kill();
            interrupt.guard(child);
        }
        (trial, complaint.join().unwrap_or_default())
    });
    let status = interrupt.release().map(|mut child: Child| child.wait());
    let ended = match status {
        Some(Ok(status)) => describe(status),
        Some(Err(error)) => format!("cannot be waited for: {error}"),
        None => "was lost".to_owned(),
    };
    trial.map_err(|problem| {
        let complaint = complaint.trim();
        let separator = if complaint.is_empty() { "" } else { ": " };
        match problem {
            Problem::Silent => format!("the trial's process {ended} without a result{separator}{complaint}"),
            Problem::Nonsense(what) => format!("the trial's process answered {what}{separator}{complaint}"),
        }
    })
}

/// Why there is no trial.
enum Problem {
    Silent,
    Nonsense(String),
}

fn listen<T>(
    mut output: impl BufRead,
    job: &Job,
    on_progress: &mut dyn FnMut(&Progress),
    answer: &Answer<T>,
) -> Result<T, Problem> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = output.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line);
        if !matches!(read, Ok(bytes) if bytes > 0) {
            return Err(Problem::Silent);
        }
        match serde_json::from_slice(&line) {
            Ok(Event::Progress(progress)) => on_progress(&progress),
            Ok(event) => return answer(job, &event).unwrap_or_else(|| Err(another())),
            Err(_) => {
                let start: String = String::from_utf8_lossy(&line).chars().take(60).collect();
                return Err(Problem::Nonsense(format!("what is not an event ({:?})", start.trim_end())));
            }
        }
    }
}

/// Reads a stream to its end and keeps its last bytes.
fn last_words(mut stream: impl Read) -> String {
    let mut kept = VecDeque::new();
    let mut buffer = [0; 4096];
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        kept.extend(buffer.iter().take(read));
        kept.drain(..kept.len().saturating_sub(MOST_ERROR_BYTES));
    }
    String::from_utf8_lossy(kept.make_contiguous()).into_owned()
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    status.code().map_or_else(|| "ended".to_owned(), |code| format!("ended with status {code}"))
}
