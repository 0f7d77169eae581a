//! An engine that lies now and then, to prove that the harness looks at what it reads.
//!
//! Each session counts its reads: gets, each key of a get_many, and scans. Every `every`-th read is a lie: of a get, a byte of
//! the value is inverted, or the record is said to be missing if its value is empty; of a scan, the first two records
//! change places. A read that cannot carry the lie (nothing found, fewer than two records; an empty value in a get_many)
//! passes it on to the next that can; a later lie is not put off by that. Writes are never tampered with.
//!
//! Thread safety: each session lies by its own counter, which starts at a number drawn from the seed and the session's number; only
//! the count of lies is shared, an atomic.

use super::wrapper::{DEFAULT_INNER, Opener, check_range, open_inner};
use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, OpenOptions, Storage, default_json, parse_options};
use crate::error::Result;
use crate::options::OptionDoc;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const NAME: &str = "liar";
/// More reads than a session ever does.
const GREATEST_EVERY: u64 = 1_000_000_000_000;

/// How the registry knows it. `open` is [`open`] with the registry's opener, `capabilities` are those of the inner engine that
/// is the default.
pub const fn entry(open: fn(&OpenOptions) -> Result<Box<dyn Engine>>, capabilities: Capabilities) -> Entry {
    Entry {
        name: NAME,
        summary: "gives a wrong answer once in a while: a harness must find it",
        kind: Kind::Instrument,
        // The engine that it opens by name keeps them.
        storage: Storage::Files,
        capabilities,
        options: OPTIONS,
        open,
        default_options: default_json::<LiarOptions>,
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
        name: "every",
        range: "1–1000000000000",
        default: "10000",
        summary: "one read of a session in so many is a lie",
    },
    OptionDoc {
        name: "seed",
        range: "any whole number below 2^64",
        default: "42",
        summary: "decides which read of a session is its first lie",
    },
];

/// How often it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiarOptions {
    /// Name of the engine that does the work.
    pub inner: String,
    /// One read of a session in so many is a lie.
    pub every: u64,
    /// Decides where in the first `every` reads of a session the first lie falls.
    pub seed: u64,
}

impl Default for LiarOptions {
    fn default() -> Self {
        Self { inner: DEFAULT_INNER.to_owned(), every: 10_000, seed: 42 }
    }
}

/// Opens the inner engine by its name and puts the lies around it.
///
/// # Errors
/// [`crate::Error::InvalidOption`], and whatever opening the inner engine returns.
pub fn open(options: &OpenOptions, opener: Opener) -> Result<Box<dyn Engine>> {
    let parsed: LiarOptions = parse_options(NAME, &options.options)?;
    parsed.check()?;
    let inner = open_inner(NAME, &parsed.inner, options, opener)?;
    Ok(Box::new(Liar::around(inner, &parsed)?))
}

impl LiarOptions {
    fn check(&self) -> Result<()> {
        check_range(NAME, "every", self.every, 1, GREATEST_EVERY)
    }
}

/// An engine that lies.
pub struct Liar {
    inner: Box<dyn Engine>,
    every: u64,
    seed: u64,
    sessions: AtomicU64,
    lies: AtomicU64,
}

impl Liar {
    /// Puts lies around an engine. `options.inner` is not looked at.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] when `every` is out of its range.
    pub fn around(inner: Box<dyn Engine>, options: &LiarOptions) -> Result<Self> {
        options.check()?;
        let LiarOptions { every, seed, .. } = *options;
        Ok(Self { inner, every, seed, sessions: AtomicU64::new(0), lies: AtomicU64::new(0) })
    }
}

impl Engine for Liar {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        let number = self.sessions.fetch_add(1, Relaxed);
        Ok(Box::new(LiarSession {
            inner: self.inner.session()?,
            every: self.every,
            reads: mixed(self.seed, number) % self.every,
            due: 0,
            lies: &self.lies,
        }))
    }

    fn for_each(&self, visit: Visitor<'_>) -> Result<()> {
        self.inner.for_each(visit)
    }

    fn stats(&self) -> Stats {
        let mut stats = self.inner.stats();
        stats.details.push(("lies".to_owned(), self.lies.load(Relaxed) as f64));
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

/// A number that looks random, of a seed and a session: the finaliser of SplitMix64 (Steele, Lea, Flood, 2014).
const fn mixed(seed: u64, session: u64) -> u64 {
    let mut z = seed.wrapping_add(session.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

struct LiarSession<'a> {
    inner: Box<dyn Session + 'a>,
    every: u64,
    /// Reads since the last one that made a lie due, plus the seeded start.
    reads: u64,
    /// Lies that are due and not told yet.
    due: u64,
    lies: &'a AtomicU64,
}

impl LiarSession<'_> {
    /// Counts a read; tells whether it should be a lie.
    fn count_read(&mut self) -> bool {
        self.reads += 1;
        if self.reads == self.every {
            self.reads = 0;
            self.due += 1;
        }
        self.due > 0
    }

    fn told(&mut self) {
        self.due -= 1;
        self.lies.fetch_add(1, Relaxed);
    }

    /// Inverts one byte, a different one with each lie; tells whether there was one.
    fn falsify(&self, value: &mut [u8]) -> bool {
        let Some(index) = self.lies.load(Relaxed).checked_rem(value.len() as u64) else { return false };
        let byte = usize::try_from(index).ok().and_then(|index| value.get_mut(index));
        byte.map(|byte| *byte = !*byte).is_some()
    }
}

impl Session for LiarSession<'_> {
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        let found = self.inner.get(key, value)?;
        if !self.count_read() || !found {
            return Ok(found);
        }
        let found = self.falsify(value);
        self.told();
        Ok(found)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.inner.set(key, value)
    }

    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        self.inner.update(key, value)
    }

    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        self.inner.delete(key)
    }

    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        self.inner.batch(batch)
    }

    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        self.inner.get_many(keys, values)?;
        for index in 0..keys.len() {
            if !self.count_read() {
                continue;
            }
            let Some(mut value) = values.get(index).map(<[u8]>::to_vec) else { continue };
            if self.falsify(&mut value) {
                values.put(index, &value);
                self.told();
            }
        }
        Ok(())
    }

    fn scan(&mut self, range: &ScanRange<'_>, visit: Visitor<'_>) -> Result<u64> {
        if !self.count_read() {
            return self.inner.scan(range, visit);
        }
        let mut first: Option<(Vec<u8>, Vec<u8>)> = None;
        let mut visited = 0;
        let result = self.inner.scan(range, &mut |key, value| {
            if visited == 0 && first.is_none() {
                first = Some((key.to_vec(), value.to_vec()));
                return ControlFlow::Continue(());
            }
            visited += 1;
            let flow = visit(key, value);
            match first.take() {
                Some((key, value)) if flow == ControlFlow::Continue(()) => {
                    visited += 1;
                    visit(&key, &value)
                }
                _ => flow,
            }
        });
        result?;
        match first {
            Some((key, value)) => {
                let _ = visit(&key, &value);
                visited += 1;
            }
            None if visited > 0 => self.told(),
            None => {}
        }
        Ok(visited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::testing::{Group, Reference, Subject, checks};

    fn liar(every: u64, seed: u64) -> Liar {
        let options = LiarOptions { every, seed, ..LiarOptions::default() };
        let engine = Liar::around(Box::new(Reference::new()), &options).expect("valid options");
        let mut session = engine.inner.session().expect("a session");
        for n in 0..100_u8 {
            session.set(&[n], &vec![n; usize::from(n % 4)]).expect("set");
        }
        drop(session);
        engine
    }

    fn lies_told(engine: &Liar) -> f64 {
        engine
            .stats()
            .details
            .last()
            .map(|(name, lies)| (name == "lies", *lies))
            .filter(|(named, _)| *named)
            .expect("lies")
            .1
    }

    /// How a get differs from the truth: `None` if it does not.
    fn lie_of_get(session: &mut dyn Session, n: u8) -> Option<&'static str> {
        let mut value = Vec::new();
        let found = session.get(&[n], &mut value).expect("get");
        let truth = vec![n; usize::from(n % 4)];
        match (found, value == truth) {
            (true, true) => None,
            (false, _) if truth.is_empty() && value.is_empty() => Some("missing"),
            (true, false)
                if value.iter().zip(&truth).filter(|(a, b)| a != b).count() == 1
                    && value.len() == truth.len() =>
            {
                Some("byte")
            }
            other => panic!("an unexpected lie {other:?}"),
        }
    }

    #[test]
    fn exactly_one_get_in_so_many_is_a_lie() {
        for (every, seed) in [(1, 0), (2, 1), (7, 2), (100, 3), (1_000, 4), (1_001, 5)] {
            let engine = liar(every, seed);
            for session_number in 1..=3 {
                let mut session = engine.session().expect("a session");
                let lies: Vec<u64> = (0..every * 20)
                    .filter(|n| lie_of_get(&mut *session, (n % 100) as u8).is_some())
                    .collect();
                assert_eq!(lies.len(), 20, "every {every}");
                assert!(lies.windows(2).all(|pair| pair[1] - pair[0] == every), "every {every}: {lies:?}");
                assert_eq!(lies_told(&engine), f64::from(20 * session_number));
            }
        }
    }

    #[test]
    fn both_kinds_of_lies_about_gets_occur() {
        let engine = liar(3, 0);
        let mut session = engine.session().expect("a session");
        let kinds: Vec<_> = (0..100).filter_map(|n| lie_of_get(&mut *session, n)).collect();
        assert!(kinds.contains(&"byte") && kinds.contains(&"missing"), "{kinds:?}");
    }

    #[test]
    fn sessions_start_at_seeded_places() {
        let starts = |seed: u64| -> Vec<Option<u8>> {
            let engine = liar(100, seed);
            let mut sessions: Vec<_> = (0..8).map(|_| engine.session().expect("a session")).collect();
            sessions
                .iter_mut()
                .map(|session| (0..100).find(|n| lie_of_get(&mut **session, *n).is_some()))
                .collect()
        };
        assert_eq!(starts(9), starts(9), "the same seed, the same lies");
        assert_ne!(starts(9), starts(10));
        let mut distinct = starts(9);
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > 4, "sessions do not lie in step: {distinct:?}");
    }

    #[test]
    fn a_lie_about_a_scan_swaps_two_neighbours() {
        let engine = liar(4, 0);
        let mut session = engine.session().expect("a session");
        let mut wrong = 0;
        for n in 0..40 {
            let mut keys = Vec::new();
            let limit = 2 + n % 50;
            let visited = session.scan(&ScanRange::all().limit(limit), &mut |key, _| {
                keys.push(key[0]);
                ControlFlow::Continue(())
            });
            assert_eq!(visited.expect("scan"), limit as u64);
            let disorders = keys.windows(2).filter(|pair| pair[0] > pair[1]).count();
            assert!(disorders <= 1, "{keys:?}");
            wrong += disorders;
            keys.sort_unstable();
            assert!(keys.iter().copied().eq(0..limit as u8), "nothing is lost: {keys:?}");
        }
        assert_eq!(wrong, 10);
        assert_eq!(lies_told(&engine), 10.0);
    }

    #[test]
    fn what_cannot_carry_a_lie_passes_it_on() {
        let engine = liar(1, 0);
        let mut session = engine.session().expect("a session");
        let mut seen = 0;
        let visited = session.scan(&ScanRange::all().limit(1), &mut |key, _| {
            seen += 1;
            assert_eq!(key, [0]);
            ControlFlow::Continue(())
        });
        assert_eq!((visited.expect("scan"), seen), (1, 1));
        assert!(!session.get(b"not there", &mut Vec::new()).expect("get"));
        assert_eq!(lies_told(&engine), 0.0);
        let mut values = GetBuffer::new();
        session.get_many(&[&[0], &[1], &[2], &[3], b"not there"], &mut values).expect("get_many");
        assert_eq!(values.get(0), Some(&[][..]), "an empty value in a get_many stays");
        assert!(
            values.get(1) != Some(&[1])
                && values.get(2) != Some(&[2, 2])
                && values.get(3) != Some(&[3, 3, 3])
        );
        assert_eq!(values.get(4), None);
        assert_eq!(lies_told(&engine), 3.0);
        let mut first = None;
        let visited = session.scan(&ScanRange::all(), &mut |key, _| {
            first = Some(key.to_vec());
            ControlFlow::Break(())
        });
        assert_eq!((visited.expect("scan"), first), (1, Some(vec![1])), "a break at the wrong first record");
    }

    #[test]
    fn the_suite_finds_the_liar_and_passes_it_when_it_does_not_lie() {
        let subject = |every: u64| {
            let options = LiarOptions { every, ..LiarOptions::default() };
            Subject::new("liar", move || {
                Box::new(Liar::around(Box::new(Reference::new()), &options).expect("valid options"))
            })
        };
        let groups = [Group::Points, Group::Batches, Group::Scans, Group::Limits, Group::Reentrancy];
        for check in checks().filter(|check| groups.contains(&check.group)) {
            assert!(
                check.verify(&subject(GREATEST_EVERY), Duration::from_secs(60)),
                "{} applies",
                check.name
            );
        }
        for group in [Group::Points, Group::Scans] {
            let lying = subject(500);
            let mut checks = checks().filter(|check| check.group == group);
            assert!(
                checks.any(|check| check.failure(&lying, Duration::from_secs(60)).is_some()),
                "{group:?}"
            );
        }
    }

    #[test]
    fn options_out_of_range_are_refused() {
        for every in [0, GREATEST_EVERY + 1] {
            let options = LiarOptions { every, ..LiarOptions::default() };
            assert!(matches!(options.check(), Err(Error::InvalidOption { .. })), "{every}");
        }
    }
}
