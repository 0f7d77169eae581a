//! What was there when the store was last open, from the newest snapshot and the log behind it.
//!
//! Each block of the snapshot is read, checked and restored by whichever thread is free; if its records are sorted and fit, they are read so and
//! loaded in one go. The log is replayed segment by segment, by all threads: each goes through all frames and applies those whose keys are
//! its own, so that each key's outcomes keep their order.
//!
//! Thread safety: nobody else has the engine yet. Threads end before their segment or snapshot does.

use super::directory::Directory;
use super::latches::hash;
use super::options::DurableOptions;
use crate::clock::Clock;
use crate::engine::{Durability, Engine, Session};
use crate::error::{Error, Result};
use crate::log::{Log, Outcome, Outcomes, Start};
use crate::snapshot::{self, Block, Snapshot};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Sorted snapshots up to this size are held in memory whole while they are loaded.
const BULK_BYTES_MOST: u64 = 1 << 30;
/// A segment with fewer bytes of frames than this is not worth threads.
const PARALLEL_FRAMES_LEAST: u64 = 4_096;

/// What a recovery did.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Recovery {
    /// The frame of the log up to which the snapshot held everything; `None` if there was no snapshot.
    pub snapshot: Option<u64>,
    /// Its bytes.
    pub snapshot_bytes: u64,
    /// Its records.
    pub snapshot_records: u64,
    /// How long it took to restore them.
    pub snapshot_seconds: f64,
    /// Frames of the log that were replayed.
    pub frames: u64,
    /// How long that took.
    pub log_seconds: f64,
    /// Bytes of an unfinished end that were erased.
    pub erased_bytes: u64,
}

/// Fills the empty engine, and opens the log to go on.
pub(super) fn recover(
    engine: &dyn Engine,
    directory: &Directory,
    class: Durability,
    options: &DurableOptions,
) -> Result<(Log, Recovery)> {
    let clock = Clock::system();
    let mut recovery = Recovery::default();
    let mut start = Start::default();
    let numbers = snapshot::list(&*directory.system, &directory.path)?;
    if let (Some(newest), Some(oldest)) = (numbers.first(), numbers.last()) {
        let before = clock.now();
        let snapshot = Snapshot::open(&*directory.system, &directory.path, directory.store, *newest)?;
        restore(engine, &snapshot, options.threads())?;
        start = Start { after: snapshot.after(), keep_after: *oldest, at_least: snapshot.at_least() };
        recovery.snapshot = Some(snapshot.after());
        recovery.snapshot_bytes = snapshot.bytes();
        recovery.snapshot_records = snapshot.records();
        recovery.snapshot_seconds = seconds(&clock, before);
        tracing::info!(records = snapshot.records(), bytes = snapshot.bytes(), "snapshot restored");
    }
    let before = clock.now();
    let mut replayed = 0_u64;
    let mut replay = |outcomes: &Outcomes<'_>| {
        replay(engine, outcomes, options.threads())?;
        replayed += outcomes.frames();
        tracing::info!(frames = replayed, "log replayed so far");
        Ok(())
    };
    let (log, recovered) = Log::open(
        Arc::clone(&directory.system),
        &directory.path,
        directory.store,
        options.log(class),
        start,
        &mut replay,
    )?;
    recovery.frames = recovered.frames;
    recovery.erased_bytes = recovered.erased_bytes;
    recovery.log_seconds = seconds(&clock, before);
    Ok((log, recovery))
}

fn seconds(clock: &Clock, before: u64) -> f64 {
    clock.nanoseconds(before, clock.now()) as f64 / 1e9
}

/// Puts the records of a snapshot into the empty engine.
pub(super) fn restore(engine: &dyn Engine, snapshot: &Snapshot, threads: usize) -> Result<()> {
    let restored = if snapshot.is_sorted() && snapshot.bytes() <= BULK_BYTES_MOST {
        let blocks = Mutex::new(Vec::new());
        blocks.lock().resize_with(snapshot.blocks(), Block::default);
        in_parallel(snapshot.blocks(), threads, || {
            Ok(|number| {
                let block = snapshot.block(number, Vec::new())?;
                if let Some(place) = blocks.lock().get_mut(number) {
                    *place = block;
                }
                Ok(())
            })
        })?;
        let blocks = blocks.into_inner();
        engine.bulk_load(&mut blocks.iter().flat_map(Block::records))?
    } else {
        in_parallel(snapshot.blocks(), threads, || {
            let (mut session, mut buffer) = (engine.session()?, Vec::new());
            Ok(move |number| {
                let block = snapshot.block(number, std::mem::take(&mut buffer))?;
                block.records().try_for_each(|(key, value)| session.set(key, value))?;
                buffer = block.into_buffer();
                Ok(())
            })
        })?;
        snapshot.records()
    };
    debug_assert_eq!(restored, snapshot.records(), "every record of the index is in a block");
    Ok(())
}

/// Does so many tasks by so many threads; each makes what it does them with.
fn in_parallel<W: FnMut(usize) -> Result<()>>(
    tasks: usize,
    threads: usize,
    worker: impl Fn() -> Result<W> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut act = worker()?;
        loop {
            // Relaxed: it deals out numbers, nothing else.
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                return Ok(());
            }
            act(task).inspect_err(|_| next.store(tasks, Ordering::Relaxed))?;
        }
    };
    run_on(threads.min(tasks), |_| work())
}

/// Runs it on so many threads, at least one; each is told its number.
fn run_on(threads: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    if threads <= 1 {
        return work(0);
    }
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || work(number))).collect();
        let mut answer = work(0);
        for other in others {
            let ended = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            answer = answer.and(ended);
        }
        answer
    })
}

/// Applies the outcomes of a segment.
fn replay(engine: &dyn Engine, outcomes: &Outcomes<'_>, threads: usize) -> Result<()> {
    let threads = if outcomes.frames() < PARALLEL_FRAMES_LEAST { 1 } else { threads };
    run_on(threads, |number| {
        let mut session = engine.session()?;
        let mut failed: Option<Error> = None;
        outcomes.for_each(|outcome| {
            let is_mine = || hash(outcome.key()) as usize / SPREAD % threads == number;
            if failed.is_none() && (threads == 1 || is_mine()) {
                failed = apply(&mut *session, outcome).err();
            }
        });
        failed.map_or(Ok(()), Err)
    })
}

/// The lowest bits choose the stripe of a latch; threads are told apart by others.
const SPREAD: usize = 1 << 16;

/// Does it again. That is right also where a snapshot shows more than the log up to here: if a key was there when an update found none, or the other way
/// round, then some frame behind this one set or removed it, and has the last word.
fn apply(session: &mut dyn Session, outcome: Outcome<'_>) -> Result<()> {
    match outcome {
        Outcome::Set(key, value) => session.set(key, value),
        Outcome::Update(key, value) => session.update(key, value).map(drop),
        Outcome::Delete(key) => session.delete(key).map(drop),
    }
}
