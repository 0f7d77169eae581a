//! How the program ends: one exit status a meaning, and the failure that carries it to `main`.

use std::fmt;
use std::process::ExitCode;

/// The meanings of the exit status. 0 is "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The answer is no: a regression, or wrong data seen while measuring.
    Negative = 1,
    /// The command line or an input file is wrong; nothing was begun.
    Usage = 2,
    /// Files do not hold what was written to them.
    Damaged = 4,
    /// A file could not be read or written.
    Io = 5,
    /// Somebody has the directory open.
    InUse = 6,
    /// Interrupted; what was complete has been kept.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended without doing all it was asked for.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What happened, for people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    /// Wrong usage or input.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file that could not be read or written.
    pub fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Exit::Io, format!("{doing}: {error}"))
    }

    /// The same failure with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for Failure {}
