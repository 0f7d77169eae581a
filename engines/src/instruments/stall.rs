//! An engine that stops now and then, to prove that the harness shows it: each thread that begins an operation during a
//! pause waits until the pause ends.
//!
//! Time is cut into periods of `every_ms` from the opening on. In each period but the first, the operation that arrives first
//! opens a pause of `pause_ms`; it and all that arrive before the pause ends wait for its end. So under steady load there is
//! one pause a period, right at its start. An operation already under way is not stopped, and neither are calls to the
//! engine itself (`bulk_load`, `for_each`, `flush`, …): only sessions stall.
//!
//! Thread safety: the only state is the end of the latest pause, one atomic number. The thread that moves it on by compare and
//! swap has opened the pause; the others find the new end and wait for it, so no operation slips through in between.

use super::wrapper::{DEFAULT_INNER, Opener, check_range, open_inner};
use crate::clock::{Clock, Ticks};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, OpenOptions, Storage, default_json, parse_options};
use crate::error::Result;
use crate::options::OptionDoc;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const NAME: &str = "stall";
const NANOSECONDS_PER_MS: u64 = 1_000_000;
/// An hour; a longer period never comes in a measurement.
const GREATEST_MS: u64 = 3_600_000;

/// How the registry knows it. `open` is [`open`] with the registry's opener, `capabilities` are those of the inner engine that
/// is the default.
pub const fn entry(open: fn(&OpenOptions) -> Result<Box<dyn Engine>>, capabilities: Capabilities) -> Entry {
    Entry {
        name: NAME,
        summary: "stops all threads for a moment once in a while: a harness must show it in response times",
        kind: Kind::Instrument,
        // The engine that it opens by name keeps them.
        storage: Storage::Files,
        capabilities,
        options: OPTIONS,
        open,
        default_options: default_json::<StallOptions>,
    }
}

const OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        name: "inner",
        range: "name of an engine",
        default: "\"btree\"",
        summary: "the engine that does the work, with its default options",
    },
    OptionDoc {
        name: "pause_ms",
        range: "1–3600000, less than every_ms",
        default: "100",
        summary: "how long all threads stop, milliseconds",
    },
    OptionDoc {
        name: "every_ms",
        range: "2–3600000",
        default: "1000",
        summary: "how long from the start of one pause to the start of the next, milliseconds",
    },
];

/// When and how long it stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StallOptions {
    /// Name of the engine that does the work.
    pub inner: String,
    /// Length of a pause, milliseconds.
    pub pause_ms: u64,
    /// Length of a period, milliseconds; one pause in each.
    pub every_ms: u64,
}

impl Default for StallOptions {
    fn default() -> Self {
        Self { inner: DEFAULT_INNER.to_owned(), pause_ms: 100, every_ms: 1_000 }
    }
}

/// Opens the inner engine by its name and puts the pauses around it.
///
/// # Errors
/// [`crate::Error::InvalidOption`], and whatever opening the inner engine returns.
pub fn open(options: &OpenOptions, opener: Opener) -> Result<Box<dyn Engine>> {
    let parsed: StallOptions = parse_options(NAME, &options.options)?;
    parsed.check()?;
    let inner = open_inner(NAME, &parsed.inner, options, opener)?;
    Ok(Box::new(Stall::around(inner, &parsed)?))
}

impl StallOptions {
    fn check(&self) -> Result<()> {
        check_range(NAME, "every_ms", self.every_ms, 2, GREATEST_MS)?;
        check_range(NAME, "pause_ms", self.pause_ms, 1, self.every_ms - 1)
    }
}

/// An engine with pauses.
pub struct Stall {
    inner: Box<dyn Engine>,
    pauses: Pauses,
}

impl Stall {
    /// Puts pauses around an engine. Takes 40 ms to calibrate a clock. `options.inner` is not looked at.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] when a time is out of its range.
    pub fn around(inner: Box<dyn Engine>, options: &StallOptions) -> Result<Self> {
        options.check()?;
        let clock = Clock::new();
        let pauses = Pauses {
            clock,
            opened: clock.now(),
            pause_ns: options.pause_ms * NANOSECONDS_PER_MS,
            every_ns: options.every_ms * NANOSECONDS_PER_MS,
            end_ns: AtomicU64::new(0),
            count: AtomicU64::new(0),
        };
        Ok(Self { inner, pauses })
    }
}

struct Pauses {
    clock: Clock,
    opened: Ticks,
    pause_ns: u64,
    every_ns: u64,
    /// When the latest pause ends, nanoseconds after the opening; 0 before the first.
    end_ns: AtomicU64,
    count: AtomicU64,
}

impl Pauses {
    fn now_ns(&self) -> u64 {
        self.clock.nanoseconds(self.opened, self.clock.now())
    }

    /// Returns at once, or at the end of the pause that is on or due.
    #[inline]
    fn wait(&self) {
        if let Some(end) = self.pause_at(self.now_ns()) {
            self.sleep_until(end);
        }
    }

    /// When the pause ends that an operation beginning at `now` meets or opens.
    #[inline]
    fn pause_at(&self, now: u64) -> Option<u64> {
        let end = self.end_ns.load(Relaxed);
        if now < end {
            return Some(end);
        }
        let latest_start = end.saturating_sub(self.pause_ns);
        if now / self.every_ns <= latest_start / self.every_ns {
            return None;
        }
        let new_end = now + self.pause_ns;
        match self.end_ns.compare_exchange(end, new_end, Relaxed, Relaxed) {
            Ok(_) => {
                self.count.fetch_add(1, Relaxed);
                Some(new_end)
            }
            Err(end_by_another) => Some(end_by_another),
        }
    }

    #[cold]
    fn sleep_until(&self, end: u64) {
        loop {
            let left = end.saturating_sub(self.now_ns());
            if left == 0 {
                return;
            }
            thread::sleep(Duration::from_nanos(left));
        }
    }
}

impl Engine for Stall {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(StallSession { inner: self.inner.session()?, pauses: &self.pauses }))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.inner.for_each(visit)
    }

    fn stats(&self) -> Stats {
        let mut stats = self.inner.stats();
        stats.details.push(("pauses".to_owned(), self.pauses.count.load(Relaxed) as f64));
        stats
    }

    fn bulk_load(&self, records: &mut dyn Iterator<Item = (&[u8], &[u8])>) -> Result<u64> {
        self.inner.bulk_load(records)
    }

    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn compact(&self) -> Result<()> {
        self.inner.compact()
    }

    fn wait_idle(&self, limit: Duration) -> Result<bool> {
        self.inner.wait_idle(limit)
    }

    fn validate(&self) -> Result<()> {
        self.inner.validate()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.inner.close()
    }
}

struct StallSession<'a> {
    inner: Box<dyn Session + 'a>,
    pauses: &'a Pauses,
}

impl Session for StallSession<'_> {
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        self.pauses.wait();
        self.inner.get(key, value)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.pauses.wait();
        self.inner.set(key, value)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.pauses.wait();
        self.inner.update(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.pauses.wait();
        self.inner.delete(key)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        self.pauses.wait();
        self.inner.batch(batch)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        self.pauses.wait();
        self.inner.get_many(keys, values)
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        self.pauses.wait();
        self.inner.scan(range, visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::testing::{Group, Reference, Subject, checks, within};
    use std::sync::Barrier;
    use std::time::Instant;

    fn options(pause_ms: u64, every_ms: u64) -> StallOptions {
        StallOptions { pause_ms, every_ms, ..StallOptions::default() }
    }

    fn stall(pause_ms: u64, every_ms: u64) -> Stall {
        Stall::around(Box::new(Reference::new()), &options(pause_ms, every_ms)).expect("valid options")
    }

    #[test]
    fn there_is_one_pause_a_period_and_none_in_the_first() {
        const MS: u64 = NANOSECONDS_PER_MS;
        let pauses = stall(100, 1_000).pauses;
        assert_eq!(pauses.pause_at(0), None);
        assert_eq!(pauses.pause_at(1_000 * MS - 1), None, "the first period has no pause");
        assert_eq!(pauses.pause_at(1_002 * MS), Some(1_102 * MS), "who arrives first opens the pause");
        assert_eq!(
            pauses.pause_at(1_001 * MS),
            Some(1_102 * MS),
            "who read the clock a little earlier waits too"
        );
        assert_eq!(pauses.pause_at(1_102 * MS - 1), Some(1_102 * MS));
        assert_eq!(pauses.pause_at(1_102 * MS), None);
        assert_eq!(pauses.pause_at(2_000 * MS - 1), None);
        assert_eq!(pauses.pause_at(2_000 * MS), Some(2_100 * MS));
        assert_eq!(pauses.pause_at(5_950 * MS), Some(6_050 * MS), "idle periods had none");
        assert_eq!(pauses.pause_at(6_049 * MS), Some(6_050 * MS));
        assert_eq!(pauses.pause_at(6_050 * MS), Some(6_150 * MS), "the next period has begun meanwhile");
        assert_eq!(pauses.pause_at(6_900 * MS), None);
        assert_eq!(pauses.count.load(Relaxed), 4);
    }

    /// Three threads work without a break for five periods; each must be held up by the pauses. How often exactly depends on
    /// whether the machine lets all of them run in each period, so one pause may be missed.
    #[test]
    fn all_threads_stop_for_the_pauses() {
        let (pause, every) = (Duration::from_millis(40), Duration::from_millis(100));
        let held_up = within(Duration::from_secs(60), "three stalled threads", move || {
            let engine = stall(40, 100);
            let start = Barrier::new(3);
            let work = || {
                let mut session = engine.session().expect("a session");
                let mut held_up = 0;
                start.wait();
                let started = Instant::now();
                while started.elapsed() < every * 5 {
                    let before = Instant::now();
                    session.set(b"key", b"value").expect("set");
                    held_up += u64::from(before.elapsed() > pause / 2);
                }
                held_up
            };
            let held_up = thread::scope(|scope| {
                let threads = [scope.spawn(work), scope.spawn(work), scope.spawn(work)];
                threads.map(|thread| thread.join().expect("no panic"))
            });
            let pauses = engine.stats().details.last().cloned();
            assert!(pauses.is_some_and(|(name, count)| name == "pauses" && (3.0..=7.0).contains(&count)));
            held_up
        });
        assert!(held_up.iter().all(|pauses| *pauses >= 3), "{held_up:?} of about 5");
    }

    #[test]
    fn a_pause_lasts_as_long_as_it_should() {
        let engine = stall(30, 60);
        let mut session = engine.session().expect("a session");
        thread::sleep(Duration::from_millis(65));
        let before = Instant::now();
        session.set(b"key", b"value").expect("set");
        assert!(before.elapsed() >= Duration::from_millis(29), "{:?}", before.elapsed());
    }

    #[test]
    fn times_out_of_range_are_refused() {
        for (pause_ms, every_ms) in [(0, 1_000), (1_000, 1_000), (1, 1), (100, 3_600_001)] {
            let result = options(pause_ms, every_ms).check();
            assert!(
                matches!(result, Err(Error::InvalidOption { .. })),
                "{pause_ms} of {every_ms}: {result:?}"
            );
        }
        options(1, 2).check().expect("the least");
        let refused = open(&OpenOptions::default(), |name, _| {
            assert_eq!(name, "btree");
            Err(Error::UnknownEngine { name: name.to_owned(), suggestion: None })
        });
        assert!(
            matches!(refused.err(), Some(Error::UnknownEngine { .. })),
            "the inner engine is opened by name"
        );
        let itself =
            OpenOptions { options: serde_json::json!({ "inner": "stall" }), ..OpenOptions::default() };
        let refused = open(&itself, |_, _| Ok(Box::new(Reference::new())));
        assert!(matches!(refused.err(), Some(Error::InvalidOption { .. })), "it does not wrap itself");
    }

    #[test]
    fn apart_from_the_pauses_it_is_the_inner_engine() {
        let subject = Subject::new("stall", || Box::new(stall(1, 3_600_000)));
        let ran =
            [Group::Points, Group::Batches, Group::Scans, Group::Limits, Group::Loading, Group::Reentrancy];
        for check in checks().filter(|check| ran.contains(&check.group)) {
            assert!(check.verify(&subject, Duration::from_secs(60)), "{} applies", check.name);
        }
    }
}
