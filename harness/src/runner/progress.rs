//! How far the workers of a trial are, for whoever watches.
//!
//! Thread safety: each worker publishes its count with a relaxed store to a cache line of its own, once a block and outside
//! the timed section; nobody waits for it, and a stale figure harms only the display. A reporter thread adds the counts up
//! five times a second. `stopped` is set once, when nobody listens any more, and workers look at it once a block.

use super::event::{Event, Progress};
use crate::workload::plan::Bound;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time between two events.
const INTERVAL: Duration = Duration::from_millis(200);

/// A counter that shares its cache line (and the neighbour that the processor fetches with it) with nobody.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

/// The counters of all workers, and the phase they are in.
#[derive(Debug)]
pub struct Counters {
    workers: Vec<Padded>,
    stopped: AtomicBool,
    phase: Mutex<Option<Running>>,
    phases: u32,
}

/// The phase that runs.
#[derive(Clone, Debug)]
struct Running {
    name: String,
    index: u32,
    bound: Bound,
    started: Instant,
}

impl Counters {
    /// Counters for this many workers and phases, verification counted as one.
    pub fn new(workers: u32, phases: u32) -> Self {
        let workers = (0..workers).map(|_| Padded::default()).collect();
        Self { workers, stopped: AtomicBool::new(false), phase: Mutex::new(None), phases }
    }

    /// Sets all counters to 0 and names the phase that begins. No worker may be running.
    pub fn begin(&self, name: &str, bound: Bound) {
        let mut phase = self.phase();
        for worker in &self.workers {
            worker.0.store(0, Ordering::Relaxed);
        }
        let index = phase.as_ref().map_or(0, |before| before.index + 1);
        *phase = Some(Running { name: name.to_owned(), index, bound, started: Instant::now() });
    }

    /// Starts the time of the phase again, after its warm-up.
    pub fn restart(&self) {
        if let Some(phase) = self.phase().as_mut() {
            phase.started = Instant::now();
        }
    }

    /// Publishes how many operations a worker has finished in this phase.
    #[inline]
    pub fn publish(&self, worker: u32, operations: u64) {
        if let Some(counter) = self.workers.get(worker as usize) {
            counter.0.store(operations, Ordering::Relaxed);
        }
    }

    /// Whether workers should end: nobody would read the result.
    #[inline]
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn phase(&self) -> MutexGuard<'_, Option<Running>> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to tell now; `last` is what was told last and when, and is replaced.
    fn event(&self, last: &mut Last) -> Option<Progress> {
        let phase = self.phase().clone()?;
        let operations = self.workers.iter().map(|worker| worker.0.load(Ordering::Relaxed)).sum();
        let done_of_phase = match phase.bound {
            Bound::Operations(all) => operations as f64 / all.max(1) as f64,
            Bound::Duration(time) => phase.started.elapsed().as_secs_f64() / time.as_secs_f64().max(1e-9),
        };
        let now = Instant::now();
        let (since, finished) = if last.phase == phase.index && last.operations <= operations {
            (last.at, operations - last.operations)
        } else {
            (phase.started, operations)
        };
        let rate = finished as f64 / now.saturating_duration_since(since).as_secs_f64().max(1e-9);
        *last = Last { phase: phase.index, operations, at: now };
        let done = (f64::from(phase.index) + done_of_phase.clamp(0.0, 1.0)) / f64::from(self.phases.max(1));
        Some(Progress { phase: phase.name, done: done.min(1.0), operations, rate })
    }
}

/// What was told last.
struct Last {
    phase: u32,
    operations: u64,
    at: Instant,
}

/// Runs `work` while another thread writes progress to `sink`. Returns what `work` returns; the sink is free again then.
pub fn reporting<T>(counters: &Counters, sink: &mut (dyn Write + Send), work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (ended, wait_for_end): (Sender<()>, _) = channel();
        scope.spawn(move || report(counters, sink, &wait_for_end));
        // Dropped also when `work` panics, or the scope would wait for the reporter for ever.
        let _ended = ended;
        work()
    })
}

fn report(counters: &Counters, sink: &mut (dyn Write + Send), ended: &Receiver<()>) {
    let mut last = Last { phase: u32::MAX, operations: 0, at: Instant::now() };
    while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let Some(progress) = counters.event(&mut last) else { continue };
        let Ok(line) = Event::Progress(progress).to_line() else { continue };
        if sink.write_all(line.as_bytes()).and_then(|()| sink.flush()).is_err() {
            counters.stopped.store(true, Ordering::Relaxed);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn phases_follow_each_other_from_nothing_to_all() {
        let counters = Counters::new(2, 2);
        let mut last = Last { phase: u32::MAX, operations: 0, at: Instant::now() };
        assert!(counters.event(&mut last).is_none());
        counters.begin("load", Bound::Operations(100));
        counters.publish(0, 20);
        counters.publish(1, 30);
        let progress = counters.event(&mut last).expect("a phase runs");
        assert_eq!((progress.phase.as_str(), progress.operations, progress.done), ("load", 50, 0.25));
        counters.publish(1, 80);
        assert_eq!(counters.event(&mut last).expect("a phase runs").done, 0.5);
        counters.begin("run", Bound::Duration(Duration::from_secs(3600)));
        let progress = counters.event(&mut last).expect("a phase runs");
        assert_eq!((progress.phase.as_str(), progress.operations), ("run", 0));
        assert!((0.5..0.51).contains(&progress.done), "{}", progress.done);
    }

    #[test]
    fn events_are_lines_and_end_with_the_work() {
        let counters = Counters::new(1, 1);
        counters.begin("load", Bound::Operations(10));
        let mut sink = Vec::new();
        let answer = reporting(&counters, &mut sink, || {
            std::thread::sleep(INTERVAL * 3);
            counters.publish(0, 10);
            7
        });
        assert_eq!(answer, 7);
        let text = String::from_utf8(sink).expect("text");
        assert!(text.lines().count() >= 1);
        for line in text.lines() {
            assert!(matches!(serde_json::from_str(line), Ok(Event::Progress(_))), "{line}");
        }
    }

    #[test]
    fn workers_stop_when_nobody_listens() {
        let counters = Counters::new(1, 1);
        counters.begin("load", Bound::Operations(10));
        reporting(&counters, &mut Closed, || {
            let waiting = Instant::now();
            while !counters.stopped() {
                assert!(waiting.elapsed() < Duration::from_secs(10), "still running");
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    }
}
