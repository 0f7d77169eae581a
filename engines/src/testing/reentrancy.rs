//! Checks that a visitor may use the engine through a session of its own: it runs under no latch.

use super::agreement::assert_agrees;
use super::check::{Check, Group, retains, retains_writes, scans_in_order, writes_and_scans};
use super::model::Model;
use super::reading::{everything, get, scan};
use super::record::numbered;
use super::subject::Subject;
use crate::engine::{ScanRange, WriteBatch};
use std::ops::ControlFlow;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a scan's visitor may read",
        group: Group::Reentrancy,
        applies: scans_in_order,
        run: read_in_scan,
    },
    Check {
        name: "a scan's visitor may write",
        group: Group::Reentrancy,
        applies: writes_and_scans,
        run: write_in_scan,
    },
    Check {
        name: "the visitor of for_each may read",
        group: Group::Reentrancy,
        applies: retains,
        run: read_in_for_each,
    },
    Check {
        name: "the visitor of for_each may write",
        group: Group::Reentrancy,
        applies: retains_writes,
        run: write_in_for_each,
    },
];

fn read_in_scan(subject: &Subject) {
    let records = numbered(300);
    let engine = subject.holding(&records);
    let model = Model::of(records);
    let mut outer = engine.session().expect("a session");
    let mut inner = engine.session().expect("a session");
    for reverse in [false, true] {
        if reverse && !subject.capabilities().reverse_scan {
            continue;
        }
        let mut visited = 0;
        let result = outer.scan(&ScanRange { reverse, ..ScanRange::all() }, &mut |key, value| {
            visited += 1;
            assert!(get(&mut *inner, key).as_deref() == Some(value));
            assert_eq!(engine.stats().records, 300);
            if visited % 50 == 0 {
                let range = ScanRange::from(key).limit(40);
                assert_eq!(scan(&mut *inner, &range), model.scan(&range), "a scan within a scan");
                assert_eq!(everything(&*engine).len(), 300, "for_each within a scan");
            }
            ControlFlow::Continue(())
        });
        assert_eq!((result.expect("scan"), visited), (300, 300));
    }
}

/// The visitor deletes what it sees, replaces the value of another key and inserts keys that the scan has passed, so that the
/// scan must end.
fn write_in_scan(subject: &Subject) {
    for reverse in [false, true] {
        if reverse && !subject.capabilities().reverse_scan {
            continue;
        }
        let records = numbered(300);
        let engine = subject.holding(&records);
        let mut model = Model::of(records);
        let mut outer = engine.session().expect("a session");
        let mut inner = engine.session().expect("a session");
        let mut seen: Vec<Vec<u8>> = Vec::new();
        let passed = if reverse { &b"z"[..] } else { b"a" };
        let result = outer.scan(&ScanRange { reverse, ..ScanRange::all() }, &mut |key, _| {
            if let Some(last) = seen.last() {
                assert!(if reverse { last.as_slice() > key } else { last.as_slice() < key }, "in order");
            }
            seen.push(key.to_vec());
            inner.delete(key).expect("delete");
            model.delete(key);
            let behind = [passed, key].concat();
            inner.set(&behind, b"inserted by the visitor").expect("set");
            model.set(&behind, b"inserted by the visitor");
            let mut batch = WriteBatch::new();
            batch.set(&behind, b"by a batch");
            inner.batch(&batch).expect("batch");
            model.batch(&batch);
            ControlFlow::Continue(())
        });
        assert_eq!(result.expect("scan"), seen.len() as u64);
        assert_eq!(seen.len(), 300, "every record is there until it is visited");
        assert_agrees(&*engine, &model, "after a scan whose visitor wrote");
    }
}

fn read_in_for_each(subject: &Subject) {
    let records = numbered(300);
    let engine = subject.holding(&records);
    let mut session = engine.session().expect("a session");
    let mut visited = 0;
    let result = engine.for_each(&mut |key, value| {
        visited += 1;
        assert!(get(&mut *session, key).as_deref() == Some(value));
        if visited == 150 {
            assert_eq!(everything(&*engine).len(), 300, "for_each within for_each");
            assert_eq!(engine.stats().records, 300);
        }
        ControlFlow::Continue(())
    });
    result.expect("for_each");
    assert_eq!(visited, 300);
}

fn write_in_for_each(subject: &Subject) {
    let records = numbered(300);
    let engine = subject.holding(&records);
    let mut model = Model::of(records);
    let mut session = engine.session().expect("a session");
    let mut visited = 0;
    let result = engine.for_each(&mut |key, _| {
        visited += 1;
        session.set(key, b"replaced by the visitor").expect("set");
        model.set(key, b"replaced by the visitor");
        if visited % 3 == 0 {
            session.delete(key).expect("delete");
            model.delete(key);
        }
        ControlFlow::Continue(())
    });
    result.expect("for_each");
    assert_eq!(visited, 300, "replaced and deleted records were there until they were visited");
    assert_agrees(&*engine, &model, "after a for_each whose visitor wrote");
}
