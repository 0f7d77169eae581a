//! `harness db verify`: whether a store is whole.

use super::STATUSES;
use super::spelling::shown;
use super::store::{Absent, StoreArguments};
use crate::cli::engine_error::failure;
use crate::cli::output::print;
use crate::exit::{Exit, Failure};
use engines::{Engine, ScanRange, Session};
use std::ops::ControlFlow;
use std::time::Instant;

/// Checks a store: its files, its structure, and every record
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  harness db verify --engine btree --dir data
  harness db verify --engine btree --dir data && echo sound

Opening reads and checks the files, as every opening does. Then the engine checks its structure,
every record is visited, in order where the engine keeps one, and each is looked up by its key.

{STATUSES}"))]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
}

/// Runs the verb.
///
/// # Errors
/// A store that is not there, cannot be opened or is damaged, or standard output that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let started = Instant::now();
    let engine = arguments.store.open(Absent::Refused)?;
    let opened_seconds = started.elapsed().as_secs_f64();
    let found = check(engine.as_ref());
    let checked_seconds = started.elapsed().as_secs_f64() - opened_seconds;
    let closed = engine.close().map_err(failure);
    let found = found?;
    closed?;
    let Found { records, key_bytes, value_bytes } = found;
    print(&format!(
        "records        {records}\nkey_bytes      {key_bytes}\nvalue_bytes    {value_bytes}\n\
         open_seconds   {opened_seconds:.3}\ncheck_seconds  {checked_seconds:.3}\n{} is sound\n",
        arguments.store.name(),
    ))
}

/// What was visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    records: u64,
    key_bytes: u64,
    value_bytes: u64,
}

impl Found {
    const fn add(&mut self, key: &[u8], value: &[u8]) {
        self.records += 1;
        self.key_bytes += key.len() as u64;
        self.value_bytes += value.len() as u64;
    }
}

/// Checks the structure and every record.
fn check(engine: &dyn Engine) -> Result<Found, Failure> {
    engine.validate().map_err(failure)?;
    let mut reader = engine.session().map_err(failure)?;
    let mut read = Vec::new();
    let mut fault = None;
    let mut found = Found::default();
    let mut visit = |key: &[u8], value: &[u8]| {
        found.add(key, value);
        fault = agrees(reader.as_mut(), key, value, &mut read).err();
        if fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    engine.for_each(&mut visit).map_err(failure)?;
    fault.map_or(Ok(()), Err)?;
    let counted = engine.stats().records;
    if counted != found.records {
        return Err(damaged(format!("{} records are visited, and {counted} are counted", found.records)));
    }
    if engine.capabilities().ordered_scan {
        let scanned = in_order(engine)?;
        if scanned != found {
            return Err(damaged(format!(
                "a scan finds {} records of {} bytes where a visit finds {} of {}",
                scanned.records,
                scanned.key_bytes + scanned.value_bytes,
                found.records,
                found.key_bytes + found.value_bytes
            )));
        }
    }
    Ok(found)
}

/// Whether looking a record up yields what a visit has shown.
fn agrees(
    reader: &mut (dyn Session + '_),
    key: &[u8],
    value: &[u8],
    read: &mut Vec<u8>,
) -> Result<(), Failure> {
    if !reader.get(key, read).map_err(failure)? {
        return Err(damaged(format!("the record {} is visited and not found by its key", shown(key))));
    }
    if read != value {
        return Err(damaged(format!("the record {} has another value when it is looked up", shown(key))));
    }
    Ok(())
}

/// Scans everything: keys must ascend.
fn in_order(engine: &dyn Engine) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut before: Option<Vec<u8>> = None;
    let mut fault = None;
    let mut visit = |key: &[u8], value: &[u8]| {
        found.add(key, value);
        match &mut before {
            Some(before) if key <= before.as_slice() => {
                fault = Some(damaged(format!("the key {} comes after {}", shown(key), shown(before))));
                return ControlFlow::Break(());
            }
            Some(before) => key.clone_into(before),
            None => before = Some(key.to_vec()),
        }
        ControlFlow::Continue(())
    };
    let mut session = engine.session().map_err(failure)?;
    session.scan(&ScanRange::all(), &mut visit).map_err(failure)?;
    fault.map_or(Ok(found), Err)
}

fn damaged(message: String) -> Failure {
    Failure::new(Exit::Damaged, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::entry::OpenOptions;
    use engines::registry;

    fn filled(engine: &str, options: serde_json::Value) -> Box<dyn Engine> {
        let engine = registry::open(engine, &OpenOptions { options, ..OpenOptions::default() }).unwrap();
        let mut session = engine.session().unwrap();
        for number in 0..1_000 {
            session.set(format!("key{number:05}").as_bytes(), b"value").unwrap();
        }
        drop(session);
        engine
    }

    #[test]
    fn sound_engines_are_counted() {
        let expected = Found { records: 1_000, key_bytes: 8_000, value_bytes: 5_000 };
        for engine in ["btree", "hash", "array", "lsm-memtable"] {
            let found = check(filled(engine, serde_json::Value::Null).as_ref());
            assert_eq!(found.ok(), Some(expected), "{engine}");
        }
    }

    #[test]
    fn an_engine_that_answers_wrong_is_damaged() {
        let failure = check(filled("liar", serde_json::json!({ "every": 50 })).as_ref()).unwrap_err();
        assert_eq!(failure.exit, Exit::Damaged, "{failure}");
    }
}
