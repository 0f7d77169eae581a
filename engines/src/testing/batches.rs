//! Checks of batches on a quiet engine: order, and all or nothing.

use super::agreement::assert_agrees;
use super::check::{Check, Group, retains_writes};
use super::model::Model;
use super::random::Random;
use super::record::{numbered, numbered_key, value};
use super::subject::Subject;
use crate::engine::{MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS, WriteBatch};
use crate::error::Error;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "of two operations on one key the later wins",
        group: Group::Batches,
        applies: retains_writes,
        run: order,
    },
    Check {
        name: "mixed batches do what single operations do",
        group: Group::Batches,
        applies: retains_writes,
        run: mixed,
    },
    Check {
        name: "a batch with one refused operation changes nothing",
        group: Group::Batches,
        applies: retains_writes,
        run: refused,
    },
    Check {
        name: "the largest batch is taken, a larger one changes nothing",
        group: Group::Batches,
        applies: retains_writes,
        run: largest,
    },
];

fn order(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    let mut batch = WriteBatch::new();
    session.batch(&batch).expect("an empty batch");
    assert_agrees(&*engine, &model, "after an empty batch");
    for round in 0..4_u8 {
        batch.clear();
        batch.set(b"set, set", b"first");
        batch.set(b"set, set", &[round; 3]);
        batch.set(b"set, delete", b"value");
        batch.delete(b"set, delete");
        batch.delete(b"delete, set");
        batch.set(b"delete, set", &[round; 40]);
        batch.set(b"set, delete, set", b"first");
        batch.delete(b"set, delete, set");
        batch.set(b"set, delete, set", &[round]);
        batch.delete(b"delete");
        batch.delete(b"delete");
        batch.set(b"", &vec![round; usize::from(round) * 100]);
        session.batch(&batch).expect("batch");
        model.batch(&batch);
        assert_agrees(&*engine, &model, &format!("round {round}"));
        session.set(b"delete", b"there").expect("set");
        model.set(b"delete", b"there");
    }
}

fn mixed(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    let mut random = Random::new(5);
    let mut batch = WriteBatch::new();
    for round in 0..60 {
        batch.clear();
        for n in 0..random.below(120) {
            let key = numbered_key(random.below(400));
            if random.below(3) == 0 {
                batch.delete(&key);
            } else {
                batch.set(&key, &value(random.below(150), n as u64));
            }
        }
        session.batch(&batch).expect("batch");
        model.batch(&batch);
        if round % 10 == 9 {
            assert_agrees(&*engine, &model, &format!("round {round}"));
        }
    }
}

fn refused(subject: &Subject) {
    let records = numbered(50);
    let engine = subject.holding(&records);
    let model = Model::of(records.clone());
    let mut session = engine.session().expect("a session");
    for (what, poison) in poisons(subject) {
        for position in [0, 25, 50] {
            let mut batch = WriteBatch::new();
            for n in 0..=records.len() {
                if n == position {
                    poison(&mut batch);
                }
                match records.get(n) {
                    Some((key, _)) if n % 2 == 0 => batch.delete(key),
                    Some((key, _)) => batch.set(key, b"must not be seen"),
                    None => batch.set(b"new", b"must not be seen"),
                }
            }
            let result = session.batch(&batch);
            let typed = matches!(result, Err(Error::KeyTooLong { .. } | Error::ValueTooLong { .. }));
            assert!(typed, "a batch with a {what} at {position} gave {result:?}");
            assert_agrees(&*engine, &model, &format!("after a refused {what} at {position}"));
        }
    }
}

/// A name, and what adds the operation to a batch.
type Poison = (&'static str, Box<dyn Fn(&mut WriteBatch)>);

/// Operations that the engine must refuse, unless its limits are beyond what a batch holds.
fn poisons(subject: &Subject) -> Vec<Poison> {
    let capabilities = subject.capabilities();
    let mut poisons: Vec<Poison> = Vec::new();
    if capabilities.max_key_bytes < MAX_BATCH_BYTES / 2 {
        let key = vec![b'k'; capabilities.max_key_bytes + 1];
        let same = key.clone();
        poisons.push(("set of a too long key", Box::new(move |batch| batch.set(&key, b"value"))));
        poisons.push(("delete of a too long key", Box::new(move |batch| batch.delete(&same))));
    }
    if capabilities.max_value_bytes < MAX_BATCH_BYTES / 2 {
        let value = vec![b'v'; capabilities.max_value_bytes + 1];
        poisons.push(("set of a too long value", Box::new(move |batch| batch.set(b"key", &value))));
    }
    poisons
}

fn largest(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    let mut batch = WriteBatch::new();
    for n in 0..MAX_BATCH_OPERATIONS {
        batch.set(&numbered_key(n * 7919 % MAX_BATCH_OPERATIONS), &[n as u8; 9]);
    }
    session.batch(&batch).expect("a batch of as many operations as a batch may hold");
    model.batch(&batch);
    assert_agrees(&*engine, &model, "after the largest batch");
    batch.delete(b"one more");
    let result = session.batch(&batch);
    assert!(matches!(result, Err(Error::BatchTooLarge { .. })), "one operation more gave {result:?}");
    batch.clear();
    for n in 0..MAX_BATCH_OPERATIONS {
        batch.delete(&numbered_key(n));
    }
    batch.delete(b"one more");
    let result = session.batch(&batch);
    assert!(matches!(result, Err(Error::BatchTooLarge { .. })), "one delete more gave {result:?}");
    batch.clear();
    let part = subject.capabilities().max_value_bytes.min(MAX_BATCH_BYTES / 4);
    let parts = MAX_BATCH_BYTES / part + 1;
    if parts <= MAX_BATCH_OPERATIONS {
        for n in 0..parts {
            batch.set(&numbered_key(n), &vec![1; part]);
        }
        let result = session.batch(&batch);
        assert!(
            matches!(result, Err(Error::BatchTooLarge { .. })),
            "{} bytes gave {result:?}",
            batch.bytes()
        );
    }
    assert_agrees(&*engine, &model, "after batches that were too large");
}
