//! Checks that counts are exact and that memory moves the right way.

use super::agreement::{assert_agrees, assert_figures};
use super::check::{Check, Group, retains_writes};
use super::model::Model;
use super::random::Random;
use super::reading::get;
use super::record::{numbered_key, value};
use super::subject::Subject;
use crate::engine::{Engine, Session, WriteBatch};
use std::time::{Duration, Instant};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "counts are exact after every kind of write",
        group: Group::Figures,
        applies: retains_writes,
        run: counts,
    },
    Check {
        name: "memory grows with inserts and covers what is live",
        group: Group::Figures,
        applies: retains_writes,
        run: growth,
    },
    Check {
        name: "overwriting does not hold memory for ever",
        group: Group::Figures,
        applies: retains_writes,
        run: overwriting,
    },
    Check {
        name: "inserting and deleting in turn does not hold memory for ever",
        group: Group::Figures,
        applies: retains_writes,
        run: turnover,
    },
    Check {
        name: "deleting all and compacting gives memory back",
        group: Group::Figures,
        applies: retains_writes,
        run: shrinking,
    },
];

/// What an engine may hold beside its data, for pools and buffers, before growth counts as a leak.
const SLACK_BYTES: u64 = 4 << 20;
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// So long readers are waited for. The slowest scan of another check is far shorter.
const READERS_LIMIT: Duration = Duration::from_secs(10);

fn counts(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    let mut random = Random::new(23);
    for n in 0..2_000 {
        let (key, value) = (numbered_key(random.below(150)), value(random.below(90), n));
        match random.below(6) {
            0 | 1 => {
                session.set(&key, &value).expect("set");
                model.set(&key, &value);
            }
            2 => assert_eq!(session.update(&key, &value).expect("update"), model.update(&key, &value)),
            3 | 4 => {
                session.delete(&key).expect("delete");
                model.delete(&key);
            }
            _ => {
                let mut batch = WriteBatch::new();
                batch.set(&key, &value);
                batch.delete(&numbered_key(random.below(150)));
                batch.set(&key, b"twice in a batch");
                session.batch(&batch).expect("batch");
                model.batch(&batch);
            }
        }
        assert_figures(&*engine, &model, &format!("after write {n}"));
    }
    assert_agrees(&*engine, &model, "at the end");
}

fn growth(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut live_bytes = 0;
    let empty = engine.stats().memory_bytes;
    assert!(empty < 64 << 20, "an empty engine holds {empty} bytes");
    for step in 0..4 {
        for n in 0..5_000 {
            let (key, value) = (numbered_key(step * 5_000 + n), value(100, n as u64));
            session.set(&key, &value).expect("set");
            live_bytes += (key.len() + value.len()) as u64;
        }
        // What is being moved from one place to another is in both of them for a while.
        engine.flush().expect("flush");
        assert!(engine.wait_idle(IDLE_LIMIT).expect("wait_idle"), "idle within {IDLE_LIMIT:?}");
        let stats = engine.stats();
        assert_eq!(stats.records, (step as u64 + 1) * 5_000);
        if subject.is_in_memory() {
            let memory = stats.memory_bytes;
            assert!(memory >= live_bytes, "{memory} bytes of memory for {live_bytes} live bytes");
            // From one step to the next it may fall: what was moved away from is given back when its readers have gone on.
            assert!(memory > empty, "{memory} bytes of memory after inserts, {empty} before");
        }
    }
    engine.validate().expect("valid");
}

/// Whether memory stays near what it was when the data had its size for the first time. What was taken out is kept as long
/// as any reader may look at it, and the threads of other checks are readers too: they are waited for, while reads go on.
fn assert_bounded(engine: &dyn Engine, session: &mut dyn Session, first: u64, when: &str) {
    let bound = 4 * first + SLACK_BYTES;
    let start = Instant::now();
    while engine.stats().memory_bytes > bound {
        let memory = engine.stats().memory_bytes;
        assert!(start.elapsed() < READERS_LIMIT, "{when}: {memory} bytes of memory, {first} at first");
        (0..200).for_each(|n| drop(get(session, &numbered_key(n))));
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn overwriting(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    let mut first = 0;
    for round in 0..60 {
        for n in 0..1_000 {
            let (key, value) =
                (numbered_key(n), value(200 + (n * 7 + round) % 200, (round * 1_000 + n) as u64));
            session.set(&key, &value).expect("set");
            if round == 59 {
                model.set(&key, &value);
            }
        }
        if round == 0 {
            first = engine.stats().memory_bytes;
        }
        assert_bounded(&*engine, &mut *session, first, &format!("overwritten {round} times"));
    }
    assert_agrees(&*engine, &model, "after overwriting");
}

fn turnover(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut first = 0;
    for round in 0..60 {
        for n in 0..1_000 {
            let key = numbered_key(round * 1_000 + n);
            session.set(&key, &value(300, n as u64)).expect("set");
        }
        if round == 0 {
            first = engine.stats().memory_bytes;
        }
        for n in 0..1_000 {
            session.delete(&numbered_key(round * 1_000 + n)).expect("delete");
        }
        assert_bounded(&*engine, &mut *session, first, &format!("after {round} turns"));
    }
    assert_agrees(&*engine, &Model::new(), "after the last turn");
}

fn shrinking(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let empty = engine.stats().memory_bytes;
    for n in 0..20_000 {
        session.set(&numbered_key(n), &value(100 + n % 100, n as u64)).expect("set");
    }
    let full = engine.stats().memory_bytes;
    for n in 0..20_000 {
        session.delete(&numbered_key(n * 7_919 % 20_000)).expect("delete");
    }
    engine.flush().expect("flush");
    engine.compact().expect("compact");
    assert!(engine.wait_idle(IDLE_LIMIT).expect("wait_idle"), "idle within {IDLE_LIMIT:?}");
    assert_agrees(&*engine, &Model::new(), "after deleting all");
    if subject.is_in_memory() {
        let left = engine.stats().memory_bytes;
        let bound = empty + (full - empty) / 4;
        assert!(left <= bound, "{left} bytes of memory are left of {full}, {empty} when new");
    }
    session.set(b"again", b"value").expect("set");
    assert_agrees(&*engine, &Model::of([(b"again".to_vec(), b"value".to_vec())]), "used again");
}
