//! One memory trial: loads the records, overwrites and deletes them as the plan says, and tells after each what they take.
//! Nothing is timed: the counting allocator is on. Runs in a process of its own.
//!
//! Memory is told at rest, as the growth since before the engine was opened; what the harness needed meanwhile is released
//! first. Afterwards every record is read back: a wrong one is the trial's error.

use super::bulk::SortedRecords;
use super::job::Job;
use super::judge::{Looks, named};
use super::phase::message;
use super::progress::{Counters, reporting};
use super::settle::settle;
use crate::measure::allocator;
use crate::measure::footprint::Footprint;
use crate::measure::resources;
use crate::results::model::{LoadWay, MemoryEvent, MemoryStage, MemoryTrial};
use crate::workload::operation::Block;
use crate::workload::plan::{Bound, CellPlan, MemoryPlan, OverwritePlan, Plan};
use crate::workload::rewrite::{Rewrite, Visits, rewritten};
use crate::workload::stream::OperationStream;
use crate::workload::value::{LOADED, UNKNOWN_VERSION};
use engines::entry::OpenOptions;
use engines::{Engine, Existence, Session};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Operations prepared at once, and between two publications of progress.
const BLOCK: usize = 256;
/// Where there are more records than this, one in several is read back, evenly spread.
const MOST_READS: u64 = 20_000_000;
/// Reads before each look at memory, so that an engine that frees what it replaced only while it is used comes to do so.
const STIRRING_READS: u64 = 1_024;
/// Records of the rehearsal.
const REHEARSED_RECORDS: u64 = 256;

/// Runs the job, telling its progress to `sink`. Whatever goes wrong is the trial's `error`; the stages before are kept.
pub fn run(job: &Job, way: LoadWay, sink: &mut (dyn Write + Send)) -> MemoryTrial {
    allocator::start_counting();
    let mut trial = job.empty_memory_trial(way);
    let (Some(cell), Some(memory)) = (job.cell(), job.plan.memory.as_ref()) else {
        trial.error = Some(format!("the plan has no memory trial of cell {}", job.cell));
        return trial;
    };
    let passes = memory.overwrite.as_ref().map_or(0, |overwrite| overwrite.passes);
    let counters = Counters::new(memory.threads, 2 * (passes + 3));
    trial.error = reporting(&counters, sink, || {
        let options = OpenOptions {
            options: cell.options.clone(),
            durability: cell.durability,
            directory: job.directory.clone(),
        };
        let open = || engines::registry::open(&cell.engine, &options);
        measure((job, &cell, memory), &counters, &mut trial, &open)
    })
    .err();
    trial
}

/// Opens an engine.
type Opener<'a> = dyn Fn() -> engines::Result<Box<dyn Engine>> + 'a;

/// Opens the engine and takes it through all stages. An engine that failed is left to the end of the process.
fn measure(
    (job, cell, memory): (&Job, &CellPlan, &MemoryPlan),
    counters: &Counters,
    trial: &mut MemoryTrial,
    open: &Opener<'_>,
) -> Result<(), String> {
    let looks = Looks::new(&job.plan);
    let opened = || {
        catch_unwind(AssertUnwindSafe(open))
            .map_err(|panic| format!("{} panicked while opening: {}", cell.engine, message(panic.as_ref())))?
            .map_err(|error| format!("{} cannot be opened: {error}", cell.engine))
    };
    let guarded = |work: &mut dyn FnMut() -> Result<(), String>| {
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|panic| Err(format!("panicked: {}", message(panic.as_ref()))))
    };
    if job.directory.is_none() {
        // Code and buffers that are touched for the first time would be resident memory of the engine's otherwise.
        let plan = Plan { records: job.plan.records.min(REHEARSED_RECORDS), ..job.plan.clone() };
        let engine = opened()?;
        let course = Course { plan: &plan, memory, counters, looks: &looks, engine: engine.as_ref() };
        if let Err(error) = guarded(&mut || course.rehearse()) {
            std::mem::forget(engine);
            return Err(error);
        }
    }
    let before = Footprint::at_rest(|| ());
    allocator::restart_peak();
    let engine = opened()?;
    let course = Course { plan: &job.plan, memory, counters, looks: &looks, engine: engine.as_ref() };
    let way = trial.way;
    let outcome = guarded(&mut || course.run(way, before, &mut trial.stages));
    if outcome.is_err() {
        std::mem::forget(engine);
        return outcome;
    }
    engine.close().map_err(|error| format!("{} cannot be closed: {error}", cell.engine))
}

/// An open engine and what is to be done with it.
struct Course<'a> {
    plan: &'a Plan,
    memory: &'a MemoryPlan,
    counters: &'a Counters,
    looks: &'a Looks,
    engine: &'a dyn Engine,
}

/// What the engine must hold.
#[derive(Clone, Copy)]
struct Held {
    after: MemoryEvent,
    compacted: bool,
    /// Key and value bytes.
    live_bytes: u64,
    /// Passes of overwriting that are over.
    passes: u32,
    /// Bytes of the harness that the peak of the heap has in it.
    harness_bytes: i64,
}

impl Held {
    /// The version of a record, or nothing if it must not be there.
    fn version(self, record: u64) -> Option<u64> {
        match (self.after, self.passes.checked_sub(1)) {
            (MemoryEvent::Delete, _) => None,
            (_, None) => Some(LOADED),
            (_, Some(pass)) => Some(rewritten(pass, record)),
        }
    }

    /// For people.
    fn name(self) -> String {
        let what = match self.after {
            MemoryEvent::Load => "load",
            MemoryEvent::Overwrite => "overwriting",
            MemoryEvent::Delete => "deleting all",
        };
        if self.compacted { format!("{what} and compacting") } else { what.to_owned() }
    }
}

impl Course<'_> {
    fn run(&self, way: LoadWay, before: Footprint, stages: &mut Vec<MemoryStage>) -> Result<(), String> {
        let (live_bytes, harness_bytes) = match way {
            LoadWay::Inserts => (self.load()?, 0),
            LoadWay::Bulk => self.bulk_load()?,
        };
        let after = MemoryEvent::Load;
        let mut held = Held { after, compacted: false, live_bytes, passes: 0, harness_bytes };
        self.tell(held, before, stages)?;
        if way == LoadWay::Inserts {
            if let Some(overwrite) = &self.memory.overwrite {
                for pass in 0..overwrite.passes {
                    held.live_bytes = self.overwrite(overwrite, pass)?;
                }
                held = Held { after: MemoryEvent::Overwrite, passes: overwrite.passes, ..held };
                self.tell(held, before, stages)?;
            }
            self.compact(held, before, stages)?;
            if self.memory.delete_all {
                self.delete_all()?;
                held = Held { after: MemoryEvent::Delete, live_bytes: 0, ..held };
                self.tell(held, before, stages)?;
                self.compact(held, before, stages)?;
            }
        }
        self.engine.validate().map_err(|error| format!("at the end: {error}"))
    }

    /// Touches what a trial touches.
    fn rehearse(&self) -> Result<(), String> {
        let live_bytes = self.load()?;
        let after = MemoryEvent::Load;
        let held = Held { after, compacted: false, live_bytes, passes: 0, harness_bytes: 0 };
        self.tell(held, Footprint::default(), &mut Vec::new())
    }

    fn compact(&self, held: Held, before: Footprint, stages: &mut Vec<MemoryStage>) -> Result<(), String> {
        if !self.memory.compact {
            return Ok(());
        }
        self.engine.compact().map_err(|error| format!("compact: {error}"))?;
        self.tell(Held { compacted: true, ..held }, before, stages)
    }

    /// Inserts every record; returns their key and value bytes.
    fn load(&self) -> Result<u64, String> {
        self.each_worker("load", |worker, session, done| {
            let mut stream = OperationStream::load(self.plan, worker, self.memory.threads);
            let mut block = Block::default();
            let mut bytes = 0;
            while stream.fill(&mut block, BLOCK) > 0 {
                for operation in &block.operations {
                    let (key, value) = (block.key(operation), block.value(operation));
                    session.set(key, value).map_err(|error| format!("set of {}: {error}", named(key)))?;
                    bytes += (key.len() + value.len()) as u64;
                }
                done(stream.steps())?;
            }
            Ok(bytes)
        })
    }

    /// Loads every record at once; returns their key and value bytes, and those of the harness's own copy.
    fn bulk_load(&self) -> Result<(u64, i64), String> {
        let uncopied = allocator::counted().bytes;
        let records = SortedRecords::new(self.plan);
        let harness_bytes = allocator::counted().bytes - uncopied;
        // Making the copy took more than it holds; that is no peak of the engine.
        allocator::restart_peak();
        self.counters.begin("bulk load", Bound::Operations(self.plan.records));
        let mut count = 0;
        let mut iterator = records.iter().inspect(|_| {
            count += 1;
            if count % BLOCK as u64 == 0 {
                self.counters.publish(0, count);
            }
        });
        let loaded = self.engine.bulk_load(&mut iterator).map_err(|error| format!("bulk load: {error}"))?;
        if loaded != self.plan.records {
            return Err(format!(
                "bulk load: {loaded} records were loaded where {} were given",
                self.plan.records
            ));
        }
        Ok((records.live_bytes(), harness_bytes))
    }

    /// Overwrites every record once; returns key and value bytes of all.
    fn overwrite(&self, overwrite: &OverwritePlan, pass: u32) -> Result<u64, String> {
        self.each_worker("overwrite", |worker, session, done| {
            let mut rewrite = Rewrite::new(self.plan, overwrite, pass, worker, self.memory.threads);
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let (mut bytes, mut count) = (0, 0);
            while rewrite.next(&mut key, &mut value).is_some() {
                match session.update(&key, &value) {
                    Ok(true) => {}
                    Ok(false) => return Err(format!("update of {}: the record is missing", named(&key))),
                    Err(error) => return Err(format!("update of {}: {error}", named(&key))),
                }
                bytes += (key.len() + value.len()) as u64;
                count += 1;
                if count % BLOCK as u64 == 0 {
                    done(count)?;
                }
            }
            Ok(bytes)
        })
    }

    fn delete_all(&self) -> Result<(), String> {
        let deleted = self.each_worker("delete all", |worker, session, done| {
            let mut visits = Visits::new(self.plan, worker, self.memory.threads);
            let (mut key, mut count) = (Vec::new(), 0);
            while visits.next(&mut key).is_some() {
                match session.delete(&key) {
                    Ok(Existence::Present | Existence::Unknown) => {}
                    Ok(Existence::Absent) => {
                        return Err(format!("delete of {}: the record is missing", named(&key)));
                    }
                    Err(error) => return Err(format!("delete of {}: {error}", named(&key))),
                }
                count += 1;
                if count % BLOCK as u64 == 0 {
                    done(count)?;
                }
            }
            Ok(count)
        })?;
        debug_assert_eq!(deleted, self.plan.records);
        Ok(())
    }

    /// Runs the work on every thread, each with a session, and adds up what it returns. `done` publishes progress.
    fn each_worker(
        &self,
        name: &str,
        work: impl Fn(u32, &mut dyn Session, &dyn Fn(u64) -> Result<(), String>) -> Result<u64, String> + Sync,
    ) -> Result<u64, String> {
        self.counters.begin(name, Bound::Operations(self.plan.records));
        let one = |worker: u32| {
            let mut session = self.engine.session().map_err(|error| format!("no session: {error}"))?;
            work(worker, session.as_mut(), &|count| {
                self.counters.publish(worker, count);
                if self.counters.stopped() { Err("nobody waits for the result".to_owned()) } else { Ok(()) }
            })
        };
        let sums: Vec<Result<u64, String>> = std::thread::scope(|scope| {
            let one = &one;
            let workers: Vec<_> =
                (0..self.memory.threads).map(|worker| scope.spawn(move || one(worker))).collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker.join().unwrap_or_else(|panic| {
                        Err(format!("a worker panicked: {}", message(panic.as_ref())))
                    })
                })
                .collect()
        });
        sums.into_iter()
            .try_fold(0, |sum, found| Ok(sum + found?))
            .map_err(|error: String| format!("{name}: {error}"))
    }

    /// Waits for rest, tells what memory is held, and reads everything back.
    fn tell(&self, held: Held, before: Footprint, stages: &mut Vec<MemoryStage>) -> Result<(), String> {
        let started = Instant::now();
        settle(self.engine).map_err(|error| format!("after {}: {error}", held.name()))?;
        let mut fault = None;
        let now = Footprint::at_rest(|| fault = fault.take().or_else(|| self.stir().err()));
        if let Some(error) = fault {
            return Err(format!("after {}: {error}", held.name()));
        }
        let stats = self.engine.stats();
        let resident = |bytes: u64| bytes.cast_signed() - before.rss_bytes.cast_signed();
        stages.push(MemoryStage {
            after: held.after,
            compacted: held.compacted,
            records: if held.after == MemoryEvent::Delete { 0 } else { self.plan.records },
            live_bytes: held.live_bytes,
            heap_bytes: now.heap_bytes - before.heap_bytes,
            heap_blocks: now.heap_blocks - before.heap_blocks,
            heap_peak_bytes: allocator::counted().peak_bytes - before.heap_bytes - held.harness_bytes,
            rss_bytes: resident(now.rss_bytes),
            rss_peak_bytes: resident(resources::rss_peak_bytes()),
            engine_bytes: stats.memory_bytes,
            settle_seconds: started.elapsed().as_secs_f64(),
        });
        self.read_back(held).map_err(|error| format!("after {}: {error}", held.name()))
    }

    /// Reads a few records, whatever they are.
    fn stir(&self) -> Result<(), String> {
        let mut session = self.engine.session().map_err(|error| format!("no session: {error}"))?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for record in 0..STIRRING_READS {
            self.looks.key(record % self.plan.records.max(1), &mut key);
            session.get(&key, &mut value).map_err(|error| format!("get of {}: {error}", named(&key)))?;
        }
        Ok(())
    }

    /// Gets every record, or one in several, and compares what the engine counts.
    fn read_back(&self, held: Held) -> Result<(), String> {
        self.counters.begin("verify", Bound::Operations(self.plan.records));
        let mut session = self.engine.session().map_err(|error| format!("no session: {error}"))?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let step = self.plan.records.div_ceil(MOST_READS).max(1);
        let (mut wrong, mut read, mut first) = (0_u64, 0_u64, None);
        for record in (0..self.plan.records).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            self.looks.key(record, &mut key);
            let found =
                session.get(&key, &mut value).map_err(|error| format!("get of {}: {error}", named(&key)))?;
            read += 1;
            if read.is_multiple_of(BLOCK as u64) {
                self.counters.publish(0, record);
            }
            let fault = match (held.version(record), found) {
                (None, false) => continue,
                (None, true) => "is there but must not be".to_owned(),
                (Some(_), false) => "is missing".to_owned(),
                (Some(expected), true) => match self.looks.value(record, &value) {
                    Err(fault) => fault,
                    Ok(version) if version != expected && version != UNKNOWN_VERSION => {
                        format!("holds version {version:#x}, not {expected:#x}")
                    }
                    Ok(_) => continue,
                },
            };
            wrong += 1;
            first.get_or_insert_with(|| format!("{} {fault}", named(&key)));
        }
        if let Some(first) = first {
            return Err(format!("{wrong} of {read} records are wrong, the first: {first}"));
        }
        let stats = self.engine.stats();
        let expected = if held.after == MemoryEvent::Delete { 0 } else { self.plan.records };
        if stats.records != expected {
            return Err(format!("the engine counts {} records where {expected} must be", stats.records));
        }
        match stats.live_bytes {
            Some(bytes) if bytes != held.live_bytes => {
                Err(format!("the engine counts {bytes} live bytes where {} must be", held.live_bytes))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
