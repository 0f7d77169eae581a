//! Checks of get, set, update, delete and get_many.

use super::agreement::assert_agrees;
use super::check::{Check, Group, retains, retains_writes};
use super::model::Model;
use super::random::Random;
use super::reading::{existence, get, get_many};
use super::record::{awkward, numbered, numbered_key, value};
use super::subject::Subject;

pub(super) const CHECKS: &[Check] = &[
    Check { name: "an empty engine is empty", group: Group::Points, applies: retains_writes, run: empty },
    Check { name: "awkward keys stay apart", group: Group::Points, applies: retains, run: awkward_keys },
    Check {
        name: "a replaced value has its new length",
        group: Group::Points,
        applies: retains_writes,
        run: overwrites,
    },
    Check {
        name: "a deleted record is gone and can come back",
        group: Group::Points,
        applies: retains_writes,
        run: deletes,
    },
    Check {
        name: "records go in any order they came in",
        group: Group::Points,
        applies: retains_writes,
        run: orders,
    },
    Check { name: "an update only replaces", group: Group::Points, applies: retains_writes, run: updates },
    Check {
        name: "get_many answers each key in its place",
        group: Group::Points,
        applies: retains,
        run: many,
    },
    Check {
        name: "sessions see each other's writes",
        group: Group::Points,
        applies: retains_writes,
        run: sessions,
    },
];

fn empty(subject: &Subject) {
    let engine = subject.open();
    let mut model = Model::new();
    assert_agrees(&*engine, &model, "at first");
    let mut session = engine.session().expect("a session");
    for key in [&b""[..], b"\0", b"key"] {
        assert_eq!(get(&mut *session, key), None);
        assert!(!session.update(key, b"value").expect("update"));
        assert_eq!(session.delete(key).expect("delete"), existence(&*engine, false));
    }
    assert_agrees(&*engine, &model, "after updates and deletes of nothing");
    session.set(b"", b"").expect("set");
    model.set(b"", b"");
    assert_agrees(&*engine, &model, "with the empty record");
    engine.flush().expect("flush");
    engine.sync().expect("sync");
    engine.compact().expect("compact");
    assert_agrees(&*engine, &model, "after flush, sync and compact");
    drop(session);
    engine.close().expect("close");
}

fn awkward_keys(subject: &Subject) {
    let records = awkward(&subject.capabilities());
    let engine = subject.holding(&records);
    assert_agrees(&*engine, &Model::of(records.clone()), "all");
    let half: Vec<_> = records.iter().step_by(2).cloned().collect();
    let engine = subject.holding(&half);
    assert_agrees(&*engine, &Model::of(half), "every other");
    let mut session = engine.session().expect("a session");
    for (key, _) in records.iter().skip(1).step_by(2) {
        assert_eq!(get(&mut *session, key), None, "a key that was not set");
    }
}

fn overwrites(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    let lengths = [0, 1, 300, 10, 5_000, 0, 64, 7, 8, 9, 100_000, 3, 255, 256, 257, 65_535, 65_536, 2];
    for (round, len) in
        lengths.into_iter().filter(|len| *len <= subject.capabilities().max_value_bytes).enumerate()
    {
        for n in 0..5 {
            let (key, value) = (numbered_key(n), value(len + n, (round * 5 + n) as u64));
            model.set(&key, &value);
            if round > 0 && n % 2 == 1 {
                assert!(session.update(&key, &value).expect("update"), "the key is there");
            } else {
                session.set(&key, &value).expect("set");
            }
        }
        assert_agrees(&*engine, &model, &format!("values of about {len} bytes"));
    }
}

fn deletes(subject: &Subject) {
    let records = numbered(500);
    let engine = subject.holding(&records);
    let mut model = Model::of(records.clone());
    let mut session = engine.session().expect("a session");
    for round in 0..3 {
        for (n, (key, _)) in records.iter().enumerate().filter(|(n, _)| n % 3 == round) {
            assert_eq!(session.delete(key).expect("delete"), existence(&*engine, true), "record {n}");
            assert_eq!(session.delete(key).expect("delete"), existence(&*engine, false), "record {n} again");
            assert_eq!(get(&mut *session, key), None, "record {n}");
            assert!(!session.update(key, b"resurrected").expect("update"), "record {n}");
            model.delete(key);
        }
        assert_agrees(&*engine, &model, &format!("after delete round {round}"));
        for (key, value) in records.iter().filter(|(_, value)| value.len() % 2 == 0) {
            session.set(key, &value[..value.len() / 2]).expect("set");
            model.set(key, &value[..value.len() / 2]);
        }
        assert_agrees(&*engine, &model, &format!("after insert round {round}"));
    }
    for (key, _) in &records {
        let present = model.delete(key);
        assert_eq!(session.delete(key).expect("delete"), existence(&*engine, present));
    }
    assert_agrees(&*engine, &Model::new(), "when all is deleted");
}

fn orders(subject: &Subject) {
    let ascending = numbered(1_500);
    let descending: Vec<_> = ascending.iter().rev().cloned().collect();
    let shuffled = Random::new(3).shuffled(&ascending);
    for (inserted, incoming) in [("up", &ascending), ("down", &descending), ("shuffled", &shuffled)] {
        for (removed, outgoing) in [("up", &ascending), ("down", &descending), ("shuffled", &shuffled)] {
            let engine = subject.open();
            let mut session = engine.session().expect("a session");
            let mut model = Model::new();
            for (key, value) in incoming {
                session.set(key, value).expect("set");
                model.set(key, value);
            }
            assert_agrees(&*engine, &model, &format!("inserted {inserted}"));
            for (n, (key, _)) in outgoing.iter().enumerate() {
                session.delete(key).expect("delete");
                model.delete(key);
                if n % 500 == 250 {
                    assert_agrees(&*engine, &model, &format!("inserted {inserted}, {n} removed {removed}"));
                }
            }
            assert_agrees(&*engine, &model, &format!("inserted {inserted}, removed {removed}"));
        }
    }
}

fn updates(subject: &Subject) {
    let records = numbered(200);
    let (here, missing) = records.split_at(100);
    let engine = subject.holding(here);
    let mut model = Model::of(here.to_vec());
    let mut session = engine.session().expect("a session");
    for (n, (key, _)) in here.iter().enumerate() {
        let value = value(n * 3, 1_000 + n as u64);
        assert!(session.update(key, &value).expect("update"), "the key is there");
        model.set(key, &value);
    }
    for (key, value) in missing {
        assert!(!session.update(key, value).expect("update"), "the key is not there");
        assert_eq!(get(&mut *session, key), None, "an update must not insert");
    }
    assert_agrees(&*engine, &model, "after updates");
}

fn many(subject: &Subject) {
    let records = awkward(&subject.capabilities());
    let half: Vec<_> = records.iter().step_by(2).cloned().collect();
    let engine = subject.holding(&half);
    let model = Model::of(half);
    let mut session = engine.session().expect("a session");
    let mut random = Random::new(11);
    for count in [0, 1, 2, 3, 7, 8, 9, 16, 31, 100, 1_000] {
        let keys: Vec<&[u8]> =
            (0..count).map(|_| records[random.below(records.len())].0.as_slice()).collect();
        let expected: Vec<_> = keys.iter().map(|key| model.get(key).map(<[u8]>::to_vec)).collect();
        assert!(get_many(&mut *session, &keys) == expected, "get_many of {count} keys");
    }
}

fn sessions(subject: &Subject) {
    let engine = subject.open();
    let mut one = engine.session().expect("a session");
    let mut other = engine.session().expect("a second session on one thread");
    let key = b"key";
    one.set(key, b"1").expect("set");
    assert_eq!(get(&mut *other, key), Some(b"1".to_vec()));
    assert!(other.update(key, b"22").expect("update"));
    assert_eq!(get(&mut *one, key), Some(b"22".to_vec()));
    one.delete(key).expect("delete");
    assert_eq!(get(&mut *other, key), None);
    other.set(key, b"333").expect("set");
    drop(other);
    assert_eq!(get(&mut *one, key), Some(b"333".to_vec()), "writes outlive their session");
}
