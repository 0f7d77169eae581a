//! Checks of the longest keys and values.

use super::agreement::{assert_agrees, assert_figures};
use super::check::{Check, Group, retains_writes};
use super::model::Model;
use super::reading::get;
use super::record::value;
use super::subject::Subject;
use crate::engine::{Capabilities, GetBuffer, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::error::Error;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a key of the limit is taken, one byte more changes nothing",
        group: Group::Limits,
        applies: retains_writes,
        run: keys,
    },
    Check {
        name: "a value of the limit is taken, one byte more changes nothing",
        group: Group::Limits,
        applies: retains_writes,
        run: values,
    },
    Check {
        name: "what is over a limit is refused by type",
        group: Group::Limits,
        applies: has_testable_limits,
        run: refusals,
    },
];

/// Limits above those of the engines of this crate are not tried: they would only test the machine's memory.
const fn has_testable_limits(capabilities: &Capabilities) -> bool {
    capabilities.writes
        && capabilities.max_key_bytes <= MAX_KEY_BYTES
        && capabilities.max_value_bytes <= MAX_VALUE_BYTES
}

fn keys(subject: &Subject) {
    let limit = subject.capabilities().max_key_bytes;
    if limit > MAX_KEY_BYTES {
        return;
    }
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    let mut longest = vec![b'k'; limit];
    for last in [b'a', b'b', 0x00, 0xFF] {
        longest[limit - 1] = last;
        session.set(&longest, &[last; 20]).expect("a key of the limit");
        model.set(&longest, &[last; 20]);
    }
    assert_agrees(&*engine, &model, "with keys of the limit");
    let over = vec![b'k'; limit + 1];
    let refused = session.set(&over, b"value");
    assert!(
        matches!(refused, Err(Error::KeyTooLong { len, limit: told }) if len == limit + 1 && told == limit),
        "{refused:?}"
    );
    assert_agrees(&*engine, &model, "after a refused key");
    for (key, _) in model.clone().iter() {
        session.delete(key).expect("delete");
        model.delete(key);
    }
    assert_agrees(&*engine, &model, "after deletes");
}

fn values(subject: &Subject) {
    let limit = subject.capabilities().max_value_bytes;
    if limit > MAX_VALUE_BYTES {
        return;
    }
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let mut model = Model::new();
    session.set(b"neighbour", b"value").expect("set");
    model.set(b"neighbour", b"value");
    let mut longest = vec![0; limit];
    let mark = value(limit.min(4_096), 1);
    longest[..mark.len()].copy_from_slice(&mark);
    longest[limit - mark.len()..].copy_from_slice(&mark);
    session.set(b"long", &longest).expect("a value of the limit");
    assert!(
        get(&mut *session, b"long").is_some_and(|found| found == longest),
        "the longest value reads back"
    );
    longest.push(1);
    for key in [&b"long"[..], b"neighbour", b"new"] {
        let refused = session.set(key, &longest);
        assert!(
            matches!(refused, Err(Error::ValueTooLong { len, limit: told }) if len == limit + 1 && told == limit),
            "{refused:?}"
        );
    }
    let refused = session.update(b"neighbour", &longest);
    assert!(matches!(refused, Err(Error::ValueTooLong { .. })), "{refused:?}");
    longest.pop();
    assert!(
        get(&mut *session, b"long").is_some_and(|found| found == longest),
        "a refused set changes nothing"
    );
    assert_eq!(get(&mut *session, b"neighbour"), Some(b"value".to_vec()));
    assert_eq!(get(&mut *session, b"new"), None);
    assert_eq!(engine.stats().records, 2);
    session.set(b"long", b"short").expect("set");
    model.set(b"long", b"short");
    assert_figures(&*engine, &model, "after the long value was replaced");
    assert_agrees(&*engine, &model, "after the long value was replaced");
}

fn refusals(subject: &Subject) {
    let capabilities = subject.capabilities();
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let key = vec![b'k'; capabilities.max_key_bytes + 1];
    let value = vec![0; capabilities.max_value_bytes + 1];
    let mut buffer = Vec::new();
    let too_long = |error: Error| assert!(matches!(error, Error::KeyTooLong { .. }), "{error:?}");
    too_long(session.get(&key, &mut buffer).expect_err("get"));
    too_long(session.set(&key, b"").expect_err("set"));
    too_long(session.update(&key, b"").expect_err("update"));
    too_long(session.delete(&key).expect_err("delete"));
    too_long(session.get_many(&[b"a", &key, b"b"], &mut GetBuffer::new()).expect_err("get_many"));
    let refused = session.set(b"key", &value);
    assert!(matches!(refused, Err(Error::ValueTooLong { .. })), "{refused:?}");
    let refused = engine.bulk_load(&mut [(&key[..], &b"value"[..])].into_iter());
    assert!(matches!(refused, Err(Error::KeyTooLong { .. })), "bulk load: {refused:?}");
    let refused = engine.bulk_load(&mut [(&b"key"[..], &value[..])].into_iter());
    assert!(matches!(refused, Err(Error::ValueTooLong { .. })), "bulk load: {refused:?}");
    assert_eq!(engine.stats().records, 0, "nothing was taken");
    engine.validate().expect("valid");
}
