//! Histories of threads that contend for few keys, while others make the structure around these keys change.
//!
//! Hot keys lie far apart; between them, threads insert and delete neighbours in waves, so that nodes and segments around the hot
//! keys are split and merged and tables grow and shrink. Every answer about a hot key is an event of its history: a
//! scan is a read of each hot key in its range, the ones it did not visit included, at some time during the scan. So a
//! scan that misses a key which was there throughout, or shows a value that was replaced before it began, makes
//! the history of this key impossible. Scans of an engine that is known to miss records are left out: they are no reads.
//!
//! Thread safety: see [`super::history`]; each neighbour is written by one thread only.

use super::check::{Check, Group, retains_writes};
use super::history::{Action, Clock, History, Mark};
use super::linearizability::check_linearizable;
use super::random::Random;
use super::reading::{everything, get, get_many, scan};
use super::record::numbered_key;
use super::subject::Subject;
use super::visibility::SCAN_AMONG_WRITES;
use super::workers::together;
use crate::engine::{Capabilities, Engine, Existence, ScanRange, Session, WriteBatch};
use std::collections::BTreeSet;
use std::ops::{Bound, Range};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "histories of few keys among waves of neighbours are linearizable",
    group: Group::Histories,
    applies: retains_writes,
    run: histories,
}];

const HOT_KEYS: usize = 24;
/// Numbers from one hot key to the next.
const SPACING: usize = 40;
const CONTENDERS: usize = 4;
const WAVE_MAKERS: usize = 2;
/// Operations of each contender; all of them together do more than 100,000.
const OPERATIONS: usize = 26_000;

fn hot_key(hot: usize) -> Vec<u8> {
    numbered_key(hot * SPACING)
}

/// The hot key with this number, if it is one.
fn hot_of(key: &[u8]) -> Option<usize> {
    let number: usize = std::str::from_utf8(key.strip_prefix(b"key")?).ok()?.parse().ok()?;
    number.is_multiple_of(SPACING).then_some(number / SPACING)
}

/// A value that says which key and write it is of, of a length of its own.
fn marked(key: &[u8], mark: Mark) -> Vec<u8> {
    let mut value = mark.to_le_bytes().to_vec();
    value.extend_from_slice(key);
    value.resize(value.len() + (mark.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize, mark as u8 ^ 0x5A);
    value
}

/// The mark of a value of this key.
fn mark_of(key: &[u8], value: &[u8]) -> Mark {
    let mark = value.first_chunk().map(|mark| Mark::from_le_bytes(*mark)).unwrap_or_default();
    assert!(
        value == marked(key, mark),
        "a torn value, or one of another key, at {}",
        String::from_utf8_lossy(key)
    );
    mark
}

/// Counts down when it is dropped, on a panic too.
struct Contending<'a>(&'a AtomicUsize);

impl Drop for Contending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

fn histories(subject: &Subject) {
    let engine = subject.open();
    let clock = Clock::default();
    let history = Mutex::new(History::new(HOT_KEYS));
    let contending = AtomicUsize::new(CONTENDERS);
    together(&*engine, CONTENDERS + WAVE_MAKERS, |worker, session| {
        if worker < CONTENDERS {
            let _contending = Contending(&contending);
            let mut contender = Contender::new(worker, session, &clock, engine.capabilities());
            (0..OPERATIONS).for_each(|_| contender.operate());
            history.lock().expect("no panic").merge(contender.history);
        } else {
            let mut random = Random::new(worker as u64);
            while contending.load(Acquire) > 0 {
                make_wave(&*engine, session, worker, &mut random);
            }
        }
    });
    let mut session = engine.session().expect("a session");
    let mut last = Contender::new(CONTENDERS, &mut *session, &clock, engine.capabilities());
    (0..HOT_KEYS).for_each(|hot| last.read(hot));
    if engine.capabilities().ordered_scan {
        last.scan(&ScanRange::all());
    }
    let mut history = history.into_inner().expect("no panic");
    history.merge(last.history);
    let events: usize = history.keys().map(<[_]>::len).sum();
    assert!(events >= 100_000, "a history of {events} operations only");
    for (hot, events) in history.keys().enumerate() {
        if let Err(message) = check_linearizable(events) {
            panic!("not linearizable at {}: {message}", String::from_utf8_lossy(&hot_key(hot)));
        }
    }
    for (key, value) in everything(&*engine) {
        assert!(
            hot_of(&key).is_some(),
            "a neighbour was deleted and is there: {}",
            String::from_utf8_lossy(&key)
        );
        mark_of(&key, &value);
    }
    engine.validate().expect("valid");
}

/// Inserts this thread's neighbours in some gaps between hot keys, and deletes them again.
fn make_wave(engine: &dyn Engine, session: &mut dyn Session, worker: usize, random: &mut Random) {
    let gaps = if random.below(4) == 0 { HOT_KEYS } else { 1 + random.below(3) };
    let first = random.below(HOT_KEYS);
    let mut keys: Vec<_> = (first * SPACING..(first + gaps) * SPACING)
        .map(|n| n % (HOT_KEYS * SPACING))
        .filter(|n| !n.is_multiple_of(SPACING) && n % WAVE_MAKERS == worker % WAVE_MAKERS)
        .map(numbered_key)
        .collect();
    if random.below(2) == 0 {
        keys = random.shuffled(&keys);
    }
    for key in &keys {
        session.set(key, &marked(key, random.next())).expect("set");
    }
    match random.below(6) {
        0 => engine.compact().expect("compact among writes"),
        1 => keys.reverse(),
        _ => {}
    }
    for key in &keys {
        let mark = mark_of(key, &get(session, key).expect("this thread's own neighbour"));
        assert!(
            session.update(key, &marked(key, mark.rotate_left(8))).expect("update"),
            "a neighbour is gone"
        );
        assert_ne!(session.delete(key).expect("delete"), Existence::Absent, "a neighbour is gone");
    }
}

/// A thread that reads and writes hot keys and records what it was told.
struct Contender<'a> {
    session: &'a mut dyn Session,
    clock: &'a Clock,
    capabilities: Capabilities,
    /// Whether scans visit all that is there; where they are known not to, there is nothing to learn from them.
    scans: bool,
    history: History,
    random: Random,
    next_mark: Mark,
}

impl<'a> Contender<'a> {
    fn new(
        worker: usize,
        session: &'a mut dyn Session,
        clock: &'a Clock,
        capabilities: Capabilities,
    ) -> Self {
        let (random, next_mark) = (Random::new(worker as u64), (worker as Mark + 1) << 32);
        let misses = capabilities.known_faults.iter().any(|fault| fault.check == SCAN_AMONG_WRITES);
        let scans = capabilities.ordered_scan && !misses;
        Self { session, clock, capabilities, scans, history: History::new(HOT_KEYS), random, next_mark }
    }

    /// Half of the time one of the first three, so that threads meet.
    fn choose(&mut self) -> usize {
        let most = if self.random.below(2) == 0 { 3 } else { HOT_KEYS };
        self.random.below(most)
    }

    fn mark(&mut self) -> Mark {
        self.next_mark += 1;
        self.next_mark
    }

    fn operate(&mut self) {
        let hot = self.choose();
        let key = hot_key(hot);
        match self.random.below(100) {
            0..30 => self.read(hot),
            30..50 => {
                let mark = self.mark();
                let value = marked(&key, mark);
                self.timed(hot, |session| {
                    session.set(&key, &value).expect("set");
                    Action::Set(mark)
                });
            }
            50..70 => {
                let mark = self.mark();
                let value = marked(&key, mark);
                self.timed(hot, |session| {
                    Action::Update(mark, session.update(&key, &value).expect("update"))
                });
            }
            70..85 => self.timed(hot, |session| {
                Action::Delete(match session.delete(&key).expect("delete") {
                    Existence::Present => Some(true),
                    Existence::Absent => Some(false),
                    Existence::Unknown => None,
                })
            }),
            85..90 => self.batch(hot),
            90..98 => self.read_many(),
            _ if self.scans => {
                let (a, b) = (self.random.below(HOT_KEYS), self.random.below(HOT_KEYS));
                let (lower, upper) =
                    (hot_key(a.min(b)), numbered_key(a.max(b) * SPACING + self.random.below(SPACING)));
                let mut range = ScanRange::between(Bound::Included(&lower), Bound::Included(&upper));
                if self.random.below(2) == 0 {
                    range = range.limit(1 + self.random.below(300));
                }
                range.keys_only = self.random.below(4) == 0;
                range.reverse = self.capabilities.reverse_scan && self.random.below(2) == 0;
                self.scan(&range);
            }
            _ => self.read(hot),
        }
    }

    fn timed(&mut self, hot: usize, operation: impl FnOnce(&mut dyn Session) -> Action) {
        let called = self.clock.called();
        let action = operation(self.session);
        self.history.record(hot, called, self.clock.returned(), action);
    }

    fn read(&mut self, hot: usize) {
        let key = hot_key(hot);
        self.timed(hot, |session| Action::Read(get(session, &key).map(|value| mark_of(&key, &value))));
    }

    fn read_many(&mut self) {
        let chosen: BTreeSet<_> = (0..5).map(|_| self.choose()).collect();
        let keys: Vec<_> = chosen.iter().map(|hot| hot_key(*hot)).collect();
        let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
        let called = self.clock.called();
        let values = get_many(self.session, &keys);
        let returned = self.clock.returned();
        for ((hot, key), value) in chosen.into_iter().zip(keys).zip(values) {
            self.history.record(hot, called, returned, Action::Read(value.map(|value| mark_of(key, &value))));
        }
    }

    /// Sets a key and deletes another.
    fn batch(&mut self, hot: usize) {
        let other = (hot + 1 + self.random.below(HOT_KEYS - 1)) % HOT_KEYS;
        let mark = self.mark();
        let mut batch = WriteBatch::new();
        batch.set(&hot_key(hot), &marked(&hot_key(hot), mark));
        batch.delete(&hot_key(other));
        let called = self.clock.called();
        self.session.batch(&batch).expect("batch");
        let returned = self.clock.returned();
        self.history.record(hot, called, returned, Action::Set(mark));
        self.history.record(other, called, returned, Action::Delete(None));
    }

    /// A read of each hot key in the range, as far as the scan came.
    fn scan(&mut self, range: &ScanRange<'_>) {
        let called = self.clock.called();
        let seen = scan(self.session, range);
        let returned = self.clock.returned();
        let in_order = seen
            .windows(2)
            .all(|pair| if range.reverse { pair[0].0 > pair[1].0 } else { pair[0].0 < pair[1].0 });
        assert!(in_order, "a scan out of order or with a key twice");
        assert!(
            seen.len() <= range.limit && seen.iter().all(|(key, _)| range.contains(key)),
            "a scan beyond its range"
        );
        let last = seen.last().filter(|_| seen.len() == range.limit).and_then(|(key, _)| {
            let number: usize = std::str::from_utf8(&key[3..]).ok()?.parse().ok()?;
            Some(number)
        });
        // The hot keys that the scan has answered for.
        let answered: Range<usize> = match last {
            None => 0..HOT_KEYS,
            Some(number) if range.reverse => number.div_ceil(SPACING)..HOT_KEYS,
            Some(number) => 0..number / SPACING + 1,
        };
        let mut missing: BTreeSet<_> = answered.filter(|hot| range.contains(&hot_key(*hot))).collect();
        for (key, value) in &seen {
            if !range.keys_only {
                mark_of(key, value);
            }
            let Some(hot) = hot_of(key) else { continue };
            missing.remove(&hot);
            let action = if range.keys_only { Action::Seen } else { Action::Read(Some(mark_of(key, value))) };
            self.history.record(hot, called, returned, action);
        }
        for hot in missing {
            self.history.record(hot, called, returned, Action::Read(None));
        }
    }
}
