//! `harness db salvage`: what can still be read of a damaged store, copied into a new one.

use super::STATUSES;
use super::store::{Absent, StoreArguments, there};
use crate::cli::engine_error::failure;
use crate::cli::output::print;
use crate::exit::{Exit, Failure};
use engines::durable::{self, Outcome, Salvaged};
use engines::engine::{MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS};
use engines::entry::{OpenOptions, Storage};
use engines::env::OsFileSystem;
use engines::{Engine, WriteBatch, registry};
use std::path::PathBuf;
use std::sync::Arc;

/// Copies what can be read of a damaged store into a new one
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  harness db salvage --engine btree --dir data --out rescued
  harness db verify --engine btree --dir rescued

The store is read as far as its files allow, and not changed; the new directory must be empty or
not there yet. What was left out is counted. Where anything was, records may lack, hold an older
value than their last, or be there though they were deleted.

{STATUSES} And 1 if something could not be read and
the rest was copied."))]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Directory of the new store
    #[arg(long, short, value_name = "NEWDIR")]
    out: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// A store that is not there or in use, a directory that is in the way, and [`Exit::Negative`] where not everything could be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let options = arguments.store.checked(Absent::Refused)?;
    let entry = arguments.store.entry()?;
    let (Some(directory), Storage::Memory) = (&options.directory, entry.storage) else {
        return Err(Failure::usage(format!("{} keeps files of its own, and has no salvage", entry.name)));
    };
    let out = arguments.out.display();
    if there(&arguments.out)? {
        return Err(
            Failure::usage(format!("{out} is not empty")).hint("name a directory that is not there yet")
        );
    }
    let options = OpenOptions { directory: Some(arguments.out.clone()), ..options.clone() };
    let mut copy = Copy { name: entry.name, options: &options, engine: None, batch: WriteBatch::new() };
    let mut visit = |outcome: Outcome<'_>| copy.put(outcome);
    let found =
        durable::salvage(Arc::new(OsFileSystem), directory, entry.name, &mut visit).map_err(failure)?;
    let records = copy.end().map_err(failure)?;
    let Salvaged { snapshot_records, lost_blocks, frames, gaps } = found;
    print(&format!(
        "snapshot_records  {snapshot_records}\nsnapshot_losses   {lost_blocks}\nlog_frames        {frames}\n\
         log_gaps          {gaps}\nrecords           {records}\n"
    ))?;
    if found.is_whole() {
        return Ok(());
    }
    let message = format!("{} could not be read whole; {out} holds the rest", arguments.store.name());
    Err(Failure::new(Exit::Negative, message)
        .hint("records may lack, hold an older value than their last, or be there though they were deleted"))
}

/// The new store. It is made when the first record is found, so that nothing is made where nothing can be read.
struct Copy<'a> {
    name: &'static str,
    options: &'a OpenOptions,
    engine: Option<Box<dyn Engine>>,
    batch: WriteBatch,
}

impl Copy<'_> {
    /// Does what was done.
    fn put(&mut self, outcome: Outcome<'_>) -> engines::Result<()> {
        let bytes = outcome.key().len() + outcome.value().map_or(0, <[u8]>::len);
        if self.batch.len() == MAX_BATCH_OPERATIONS || self.batch.bytes() + bytes > MAX_BATCH_BYTES {
            self.write()?;
        }
        match outcome {
            Outcome::Set(key, value) => self.batch.set(key, value),
            Outcome::Delete(key) => self.batch.delete(key),
            // Whether it is there only the engine knows, when it has all that came before.
            Outcome::Update(key, value) => {
                self.write()?;
                if let Some(engine) = &self.engine {
                    engine.session()?.update(key, value)?;
                }
            }
        }
        Ok(())
    }

    /// Writes what was put.
    fn write(&mut self) -> engines::Result<()> {
        let engine = match &mut self.engine {
            Some(engine) => engine,
            none => none.insert(registry::open(self.name, self.options)?),
        };
        if !self.batch.is_empty() {
            engine.session()?.batch(&self.batch)?;
            self.batch.clear();
        }
        Ok(())
    }

    /// Writes the rest and closes the store, which is made if nothing was put. Returns how many records it holds.
    fn end(mut self) -> engines::Result<u64> {
        self.write()?;
        let records = self.engine.as_ref().map_or(0, |engine| engine.stats().records);
        self.engine.map_or(Ok(()), |engine| engine.sync().and_then(|()| engine.close()))?;
        Ok(records)
    }
}
