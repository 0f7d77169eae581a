//! Checks of what batches and scans show while others write.
//!
//! Thread safety: see [`super::workers`].

use super::check::{Check, Group, retains_writes, scans_in_order};
use super::random::Random;
use super::reading::{get, scan};
use super::record::{Record, numbered_key};
use super::subject::Subject;
use super::workers::{Crew, race};
use crate::engine::{Engine, ScanRange, Session, WriteBatch};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

/// An engine that is known to fail this one has scans that say nothing of the records they do not visit.
pub(super) const SCAN_AMONG_WRITES: &str =
    "a scan among writes is sorted, without duplicates, inventions and gaps";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a batch is seen whole or not at all",
        group: Group::Visibility,
        applies: |capabilities| retains_writes(capabilities) && capabilities.batch_atomic_visibility,
        run: atomic_batches,
    },
    Check {
        name: SCAN_AMONG_WRITES,
        group: Group::Visibility,
        applies: |capabilities| retains_writes(capabilities) && scans_in_order(capabilities),
        run: scans_among_writes,
    },
    Check {
        name: "for_each among writes visits what was there throughout, once",
        group: Group::Visibility,
        applies: retains_writes,
        run: for_each_among_writes,
    },
    Check {
        name: "a scan is a point in time",
        group: Group::Visibility,
        applies: |capabilities| {
            retains_writes(capabilities) && scans_in_order(capabilities) && capabilities.scan_snapshot
        },
        run: snapshots,
    },
];

fn number(value: &[u8]) -> u64 {
    u64::from_le_bytes(*value.first_chunk().expect("the value is whole"))
}

/// Records between the ones that a check looks at, so that they lie in different pages and buckets.
fn fill(engine: &dyn Engine, count: usize) {
    let mut session = engine.session().expect("a session");
    (0..count).for_each(|n| session.set(&numbered_key(n), &[b'f'; 40]).expect("set"));
}

/// Every batch sets the first and the last of some keys far apart to the same number. Whoever reads one and then another
/// must find the second at least as new.
fn atomic_batches(subject: &Subject) {
    let engine = subject.open();
    fill(&*engine, 1_000);
    let keys: Vec<_> = [10, 250, 499, 750, 990].map(|n| [&numbered_key(n)[..], b"!"].concat()).to_vec();
    let write = |_: usize, round: usize, session: &mut dyn Session| {
        let mut batch = WriteBatch::new();
        keys.iter().for_each(|key| batch.set(key, &(round as u64).to_le_bytes()));
        session.batch(&batch).expect("batch");
    };
    let read = |worker: usize, round: usize, session: &mut dyn Session| {
        let mut order: Vec<_> = keys.iter().collect();
        if (worker + round) % 2 == 1 {
            order.reverse();
        }
        let mut last = None;
        for key in order {
            let found = get(session, key).as_deref().map(number);
            assert!(found >= last, "a batch was seen in part: {found:?} after {last:?}");
            last = found;
        }
    };
    race(&*engine, Crew { threads: 1, rounds: 6_000 }, write, Crew { threads: 2, rounds: 3_000 }, read);
    engine.validate().expect("valid");
}

const KEYS: usize = 3_000;

/// Every fourth key stays, the others come and go.
const fn stays(n: usize) -> bool {
    n.is_multiple_of(4)
}

/// Inserts and deletes a whole stretch, so that pages split and empty, and some single keys.
fn come_and_go(worker: usize, round: usize, session: &mut dyn Session) {
    let mut random = Random::new((round * 2 + worker) as u64);
    let start = random.below(KEYS);
    let stretch = start..(start + 400).min(KEYS);
    for n in stretch.clone().filter(|n| !stays(*n)) {
        session.set(&numbered_key(n), &[b'g'; 60]).expect("set");
    }
    for n in stretch.filter(|n| !stays(*n)) {
        session.delete(&numbered_key(n)).expect("delete");
    }
    for _ in 0..100 {
        let n = random.below(KEYS);
        if stays(n) {
            session.update(&numbered_key(n), &vec![b's'; random.below(100)]).expect("update");
        } else {
            session.set(&numbered_key(n), b"single").expect("set");
        }
    }
}

/// Threads that come and go, and threads that look at it.
const COMING_AND_GOING: Crew = Crew { threads: 2, rounds: 20 };
const LOOKING: Crew = Crew { threads: 2, rounds: 60 };

/// Which number each key has; what is not in it was never written.
fn known() -> BTreeMap<Vec<u8>, usize> {
    (0..KEYS).map(|n| (numbered_key(n), n)).collect()
}

fn assert_scan_is_sound(seen: &[Record], range: &ScanRange<'_>, known: &BTreeMap<Vec<u8>, usize>) {
    for pair in seen.windows(2) {
        let ascending = pair[0].0 < pair[1].0;
        assert!(if range.reverse { pair[0].0 > pair[1].0 } else { ascending }, "not sorted, or a duplicate");
    }
    for (key, _) in seen {
        assert!(known.contains_key(key), "a key that was never written");
        assert!(range.contains(key), "a key out of range");
    }
    let mut covered = range.clone();
    if seen.len() == range.limit
        && let Some((last, _)) = seen.last()
    {
        let end = Bound::Included(last.clone().into());
        if range.reverse {
            covered.lower = end;
        } else {
            covered.upper = end;
        }
    }
    let expected = known.iter().filter(|(key, n)| stays(**n) && covered.contains(key)).count();
    let found = seen.iter().filter(|(key, _)| stays(known[key])).count();
    assert_eq!(found, expected, "a key that was there throughout was not seen");
}

fn hold_what_stays(engine: &dyn Engine) {
    let mut session = engine.session().expect("a session");
    (0..KEYS).filter(|n| stays(*n)).for_each(|n| session.set(&numbered_key(n), b"stays").expect("set"));
}

fn scans_among_writes(subject: &Subject) {
    let engine = subject.open();
    hold_what_stays(&*engine);
    let known = known();
    let read = |worker: usize, round: usize, session: &mut dyn Session| {
        let mut random = Random::new((worker * 1_000 + round) as u64);
        let (low, high) = (numbered_key(random.below(KEYS)), numbered_key(random.below(KEYS)));
        let between = ScanRange::between(Bound::Excluded(&low), Bound::Included(&high));
        let mut range = [ScanRange::all(), ScanRange::from(&low).limit(1 + random.below(200)), between]
            [round % 3]
            .clone();
        range.keys_only = random.below(2) == 0;
        range.reverse = engine.capabilities().reverse_scan && random.below(2) == 0;
        assert_scan_is_sound(&scan(session, &range), &range, &known);
    };
    race(&*engine, COMING_AND_GOING, come_and_go, LOOKING, read);
    engine.validate().expect("valid");
}

fn for_each_among_writes(subject: &Subject) {
    let engine = subject.open();
    hold_what_stays(&*engine);
    let known = known();
    let staying = (0..KEYS).filter(|n| stays(*n)).count();
    race(&*engine, COMING_AND_GOING, come_and_go, LOOKING, |_, _, _| {
        let mut seen = vec![false; KEYS];
        let result = engine.for_each(&mut |key, _| {
            let n = *known.get(key).expect("a key that was never written");
            assert!(!(stays(n) && seen[n]), "a key that was there throughout was seen twice");
            seen[n] = true;
            ControlFlow::Continue(())
        });
        result.expect("for_each");
        let found = (0..KEYS).filter(|n| stays(*n) && seen[*n]).count();
        assert_eq!(found, staying, "a key that was there throughout was not seen");
    });
    engine.validate().expect("valid");
}

/// One thread raises the keys from the first to the last, one after the other, again and again: at any point in time each
/// key is as new as the one behind it, and the first is at most one ahead of the last.
fn snapshots(subject: &Subject) {
    let engine = subject.open();
    fill(&*engine, 1_000);
    let keys: Vec<_> = (0..20).map(|n| [&numbered_key(n * 50)[..], b"!"].concat()).collect();
    let mut session = engine.session().expect("a session");
    keys.iter().for_each(|key| session.set(key, &0_u64.to_le_bytes()).expect("set"));
    let write = |_: usize, round: usize, session: &mut dyn Session| {
        keys.iter().for_each(|key| session.set(key, &(round as u64 + 1).to_le_bytes()).expect("set"));
    };
    let read = |_: usize, round: usize, session: &mut dyn Session| {
        let reverse = engine.capabilities().reverse_scan && round % 2 == 1;
        let mut found: Vec<_> = scan(session, &ScanRange { reverse, ..ScanRange::all() });
        if reverse {
            found.reverse();
        }
        let versions: Vec<_> =
            found.iter().filter(|(key, _)| key.ends_with(b"!")).map(|(_, value)| number(value)).collect();
        assert_eq!(versions.len(), keys.len());
        assert!(versions.is_sorted_by(|a, b| a >= b), "not a point in time: {versions:?}");
        assert!(versions[0] <= versions[versions.len() - 1] + 1, "not a point in time: {versions:?}");
    };
    race(&*engine, Crew { threads: 1, rounds: 800 }, write, Crew { threads: 2, rounds: 60 }, read);
    engine.validate().expect("valid");
}
