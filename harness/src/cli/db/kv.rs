//! `harness db kv`: operations by line on standard input, answers by line on standard output.
//!
//! An answer is written and flushed before the next line is read. `ack N` says that the engine has taken the write in its durability
//! class, N being the number of the line, so whatever was acknowledged must be there after a crash.

mod line;
mod operation;

use super::STATUSES;
use super::spelling::Spelling;
use super::store::{Absent, StoreArguments};
use crate::cli::engine_error::failure;
use crate::exit::{Exit, Failure};
use engines::engine::{MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS};
use engines::{Error, ScanRange, Session, WriteBatch};
use line::Line;
use operation::Operation;
use std::io::{self, BufRead, ErrorKind, Write};
use std::ops::{Bound, ControlFlow};

/// The longest line that is read: room for the hexadecimal digits of the longest key and value that any engine takes.
const MOST_LINE_BYTES: usize = 160 << 20;
/// The most bytes of records that one scan answers with.
const MOST_SCAN_BYTES: usize = 256 << 20;

/// Does the operations that stand on standard input, a line each, and answers each on a line
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  printf 'set a 1\\nget a\\n' | harness db kv --engine btree --dir data
  printf 'batch\\nset a 1\\ndelete b\\nend\\nscan - - 10\\n' | harness db kv --engine btree --dir data
  printf 'set 00ff -\\n' | harness db kv --engine btree --dir data --hex
  harness db kv --engine btree --durability none        in memory only, to try it

  operation     what it does                                            answer
  set K V       insert, or replace the value                            ack N
  update K V    replace the value if the key is there                   ack N, or none
  delete K      remove, if there                                        ack N
  get K         read                                                    value V, or none
  scan A B M    at most M records from key A on, before key B,          records C, then C lines K V
                in order; - for A or B leaves that end open
  batch         the set and delete lines up to a line `end`             nothing
  end           apply them all, or none                                 ack N

N is the number of the line. `ack N` comes only once the write is as durable as its class promises,
and each answer is written before the next line is read. A line that cannot be done is answered
`error N` and the reason, changes nothing, and the next is read; a wrong line in a batch refuses
the whole batch. The end of the input closes the store.

V is the rest of the line after one space, and may be empty; K has no space. With --hex keys and
values are hexadecimal and - is the empty one, so that any bytes can be said. Empty lines are
passed over. The gravest of all refused lines decides the exit status.

{STATUSES}"))]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Read and write keys and values as hexadecimal digits
    #[arg(long)]
    hex: bool,
}

/// Runs the verb.
///
/// # Errors
/// A store that cannot be opened or closed, or the gravest of what was refused.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let engine = arguments.store.open(Absent::Made)?;
    let held = engine.session().map_err(failure).and_then(|session| {
        let talk = Conversation {
            session,
            spelling: Spelling::of(arguments.hex),
            output: io::stdout().lock(),
            line: 0,
            batch: None,
            refused: Refused::default(),
        };
        talk.hold(&mut io::stdin().lock())
    });
    let closed = engine.close().map_err(failure);
    match (held, closed) {
        (Err(held), Err(closed)) => {
            Err(if gravity(closed.exit) > gravity(held.exit) { closed } else { held })
        }
        (held, closed) => held.and(closed),
    }
}

/// What is worse is greater.
const fn gravity(exit: Exit) -> u8 {
    match exit {
        Exit::Damaged => 2,
        Exit::Io => 1,
        _ => 0,
    }
}

/// How many lines were refused, and the gravest of them, of equals the first.
#[derive(Default)]
struct Refused {
    lines: u64,
    gravest: Option<Failure>,
}

impl Refused {
    fn add(&mut self, line: u64, failure: Failure) {
        self.lines += 1;
        if self.gravest.as_ref().is_none_or(|gravest| gravity(failure.exit) > gravity(gravest.exit)) {
            self.gravest = Some(Failure { message: format!("line {line}: {}", failure.message), ..failure });
        }
    }

    fn conclude(self) -> Result<(), Failure> {
        let Some(mut gravest) = self.gravest else { return Ok(()) };
        if let others @ 1.. = self.lines - 1 {
            gravest.message +=
                &format!(" ({others} more {} refused)", if others == 1 { "line was" } else { "lines were" });
        }
        Err(gravest)
    }
}

/// A batch that has begun.
struct Open {
    /// The number of its first line.
    began: u64,
    operations: WriteBatch,
    /// The number of the first of its lines that was refused.
    wrong: Option<u64>,
}

/// A session, and the lines that go in and out.
struct Conversation<'a, W> {
    session: Box<dyn Session + 'a>,
    spelling: Spelling,
    output: W,
    /// The number of the line that was read last, from 1.
    line: u64,
    batch: Option<Open>,
    refused: Refused,
}

/// What an operation answers: a line without its end, or why not.
type Answer = Result<Vec<u8>, Failure>;

impl<W: Write> Conversation<'_, W> {
    /// Answers every line of the input. A reader of the answers that went away ends it like the end of the input.
    fn hold(mut self, input: &mut impl BufRead) -> Result<(), Failure> {
        let mut text = Vec::new();
        loop {
            let read = line::read(input, MOST_LINE_BYTES, &mut text)
                .map_err(|error| Failure::io("reading standard input", &error))?;
            if read == Line::End {
                break;
            }
            self.line += 1;
            let answer = match read {
                Line::TooLong => self.wrong(format!("the line is longer than {MOST_LINE_BYTES} bytes")),
                _ => self.answer(&text),
            };
            if !self.tell(answer)? {
                return self.refused.conclude();
            }
        }
        if let Some(open) = self.batch.take() {
            let message = format!("the input ended in the batch of line {}; it is not applied", open.began);
            self.tell(Some(Err(Failure::usage(message))))?;
        }
        self.refused.conclude()
    }

    /// Writes an answer, if there is one. Returns whether anybody reads it.
    fn tell(&mut self, answer: Option<Answer>) -> Result<bool, Failure> {
        let line = match answer {
            None => return Ok(true),
            Some(Ok(line)) => line,
            Some(Err(failure)) => {
                let line = format!("error {} {}", self.line, one_line(&failure.message)).into_bytes();
                self.refused.add(self.line, failure);
                line
            }
        };
        match self
            .output
            .write_all(&line)
            .and_then(|()| self.output.write_all(b"\n"))
            .and_then(|()| self.output.flush())
        {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::io("writing standard output", &error)),
        }
    }

    fn answer(&mut self, text: &[u8]) -> Option<Answer> {
        if text.is_empty() {
            return None;
        }
        let operation = match Operation::parse(text, self.spelling) {
            Ok(operation) => operation,
            Err(message) => return self.wrong(message),
        };
        match (operation, self.batch.take()) {
            (Operation::Batch, None) => {
                self.batch = Some(Open { began: self.line, operations: WriteBatch::new(), wrong: None });
                None
            }
            (Operation::End, None) => self.wrong("there is no batch to end".to_owned()),
            (Operation::End, Some(open)) => Some(self.apply(&open)),
            (operation, None) => Some(self.alone(&operation)),
            (operation, Some(open)) => {
                self.batch = Some(open);
                self.within(&operation)
            }
        }
    }

    /// A line that is refused, and its batch with it.
    fn wrong(&mut self, message: String) -> Option<Answer> {
        self.refuse(Failure::usage(message))
    }

    fn refuse(&mut self, failure: Failure) -> Option<Answer> {
        if let Some(open) = &mut self.batch {
            open.wrong.get_or_insert(self.line);
            open.operations = WriteBatch::new();
        }
        Some(Err(failure))
    }

    /// An operation of a batch. Of a batch that is refused nothing is kept.
    fn within(&mut self, operation: &Operation<'_>) -> Option<Answer> {
        let open = self.batch.as_mut()?;
        match operation {
            Operation::Set { .. } | Operation::Delete { .. } if open.wrong.is_some() => return None,
            Operation::Set { key, value } => open.operations.set(key, value),
            Operation::Delete { key } => open.operations.delete(key),
            _ => return self.wrong("a batch takes set and delete lines only, up to its end".to_owned()),
        }
        let (operations, bytes) = (open.operations.len(), open.operations.bytes());
        if operations > MAX_BATCH_OPERATIONS || (bytes > MAX_BATCH_BYTES && operations > 1) {
            let (max_operations, max_bytes) = (MAX_BATCH_OPERATIONS, MAX_BATCH_BYTES);
            return self.refuse(failure(Error::BatchTooLarge {
                operations,
                bytes,
                max_operations,
                max_bytes,
            }));
        }
        None
    }

    fn apply(&mut self, open: &Open) -> Answer {
        if let Some(wrong) = open.wrong {
            return Err(Failure::usage(format!(
                "the batch is not applied, because line {wrong} was refused"
            )));
        }
        self.session.batch(&open.operations).map_err(failure)?;
        Ok(self.ack())
    }

    /// An operation that stands for itself.
    fn alone(&mut self, operation: &Operation<'_>) -> Answer {
        match operation {
            Operation::Set { key, value } => self.session.set(key, value).map_err(failure)?,
            Operation::Delete { key } => drop(self.session.delete(key).map_err(failure)?),
            Operation::Update { key, value } => {
                if !self.session.update(key, value).map_err(failure)? {
                    return Ok(b"none".to_vec());
                }
            }
            Operation::Get { key } => return self.get(key),
            Operation::Scan { from, to, most } => {
                return self.scan(from.as_deref(), to.as_deref(), *most);
            }
            // Those that stand for no operation were answered before.
            Operation::Batch | Operation::End => {}
        }
        Ok(self.ack())
    }

    fn ack(&self) -> Vec<u8> {
        format!("ack {}", self.line).into_bytes()
    }

    fn get(&mut self, key: &[u8]) -> Answer {
        let mut value = Vec::new();
        if !self.session.get(key, &mut value).map_err(failure)? {
            return Ok(b"none".to_vec());
        }
        let mut answer = b"value ".to_vec();
        self.spelling.put_value(&value, &mut answer).map_err(Failure::usage)?;
        Ok(answer)
    }

    /// The records of a range. They are collected first, because their number comes before them.
    fn scan(&mut self, from: Option<&[u8]>, to: Option<&[u8]>, most: usize) -> Answer {
        let range = ScanRange::between(
            from.map_or(Bound::Unbounded, Bound::Included),
            to.map_or(Bound::Unbounded, Bound::Excluded),
        );
        let (spelling, mut lines, mut fault) = (self.spelling, Vec::new(), None);
        let mut put = |key: &[u8], value: &[u8]| {
            lines.push(b'\n');
            let said = spelling.put_key(key, &mut lines).and_then(|()| {
                lines.push(b' ');
                spelling.put_value(value, &mut lines)
            });
            let said = said.and_then(|()| match lines.len() {
                0..=MOST_SCAN_BYTES => Ok(()),
                _ => Err(format!("the records take more than {MOST_SCAN_BYTES} bytes; ask for fewer")),
            });
            fault = said.err();
            if fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let records = self.session.scan(&range.limit(most), &mut put).map_err(failure)?;
        fault.map_or(Ok(()), |fault| Err(Failure::usage(fault)))?;
        let mut answer = format!("records {records}").into_bytes();
        answer.append(&mut lines);
        Ok(answer)
    }
}

/// A message that keeps to its line.
fn one_line(message: &str) -> String {
    message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests;
