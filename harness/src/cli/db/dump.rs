//! `harness db dump`: every record of a store, in the order of keys.

use super::STATUSES;
use super::spelling::{put_escaped, put_hex};
use super::store::{Absent, StoreArguments};
use crate::cli::engine_error::failure;
use crate::exit::{Exit, Failure};
use engines::{Engine, ScanRange};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::ops::ControlFlow;

/// Prints every record, a line each, sorted by key
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  harness db dump --engine btree --dir data
  harness db dump --engine btree --dir data --hex | sed 's/^/set /' |
      harness db kv --engine hash --dir copy --hex

A line is the key, a space and the value. What is not printable ASCII, the backslash and, in keys,
the space are written \\xNN. With --hex both are hexadecimal and no bytes at all are -, as
`db kv --hex` reads them. Of an engine without an order all keys are held in memory, to be sorted.

{STATUSES}"))]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Write keys and values as hexadecimal digits
    #[arg(long)]
    hex: bool,
}

/// Runs the verb.
///
/// # Errors
/// A store that is not there, cannot be opened or read, or standard output that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let engine = arguments.store.open(Absent::Refused)?;
    let mut output = Lines::new(io::stdout().lock(), arguments.hex);
    let visited = visit(engine.as_ref(), &mut output);
    let closed = engine.close().map_err(failure);
    visited.and(output.end()).and(closed)
}

/// Puts all records in order.
fn visit(engine: &dyn Engine, output: &mut Lines<impl Write>) -> Result<(), Failure> {
    let mut session = engine.session().map_err(failure)?;
    if engine.capabilities().ordered_scan {
        let visited = session.scan(&ScanRange::all(), &mut |key, value| output.put(key, value));
        return visited.map(drop).map_err(failure);
    }
    let mut keys = Vec::new();
    let mut keep = |key: &[u8], _: &[u8]| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    };
    engine.for_each(&mut keep).map_err(failure)?;
    keys.sort_unstable();
    let mut value = Vec::new();
    for key in keys {
        if !session.get(&key, &mut value).map_err(failure)? {
            return Err(Failure::new(Exit::Damaged, "a key that was visited is not found"));
        }
        if output.put(&key, &value).is_break() {
            break;
        }
    }
    Ok(())
}

/// Records as lines, until one cannot be written.
struct Lines<W: Write> {
    output: BufWriter<W>,
    line: Vec<u8>,
    hex: bool,
    fault: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    fn new(output: W, hex: bool) -> Self {
        Self { output: BufWriter::new(output), line: Vec::new(), hex, fault: None }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.line.clear();
        if self.hex {
            put_hex(key, &mut self.line);
            self.line.push(b' ');
            put_hex(value, &mut self.line);
        } else {
            put_escaped(key, true, &mut self.line);
            self.line.push(b' ');
            put_escaped(value, false, &mut self.line);
        }
        self.line.push(b'\n');
        match self.output.write_all(&self.line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.fault = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// A reader that went away is no failure.
    fn end(mut self) -> Result<(), Failure> {
        match self.fault.take().map_or_else(|| self.output.flush(), Err) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::io("writing standard output", &error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::entry::OpenOptions;
    use engines::registry;

    fn dumped(engine: &str, hex: bool) -> String {
        let engine = registry::open(engine, &OpenOptions::default()).unwrap();
        let mut session = engine.session().unwrap();
        let records = [(&b"b"[..], &b"2 2\n"[..]), (b"a b", b""), (b"", b"\\"), (b"a", b"\xFF")];
        for (key, value) in records {
            session.set(key, value).unwrap();
        }
        let mut written = Vec::new();
        let mut lines = Lines::new(&mut written, hex);
        visit(engine.as_ref(), &mut lines).unwrap();
        lines.end().unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn records_are_sorted_lines_whether_the_engine_has_an_order_or_not() {
        for engine in ["btree", "hash"] {
            assert_eq!(dumped(engine, false), " \\x5c\na \\xff\na\\x20b \nb 2 2\\x0a\n", "{engine}");
            assert_eq!(dumped(engine, true), "- 5c\n61 ff\n612062 -\n62 3220320a\n", "{engine}");
        }
    }

    /// Takes nothing.
    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_ends_it_and_a_full_disk_is_told() {
        let put = |kind| {
            let mut lines = Lines::new(Closed(kind), false);
            assert!(lines.put(b"k", &vec![0; 1 << 20]).is_break());
            lines.end()
        };
        assert!(put(ErrorKind::BrokenPipe).is_ok());
        assert_eq!(put(ErrorKind::StorageFull).unwrap_err().exit, Exit::Io);
    }
}
