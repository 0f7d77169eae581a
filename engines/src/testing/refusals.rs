//! Checks that what the capabilities leave out is refused as such, never skipped.

use super::agreement::assert_agrees;
use super::check::{Check, Group, retains};
use super::model::Model;
use super::record::numbered;
use super::subject::Subject;
use crate::engine::{Capabilities, Durability, Existence, ScanRange, WriteBatch};
use crate::error::Error;
use std::ops::ControlFlow;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "an engine without order refuses scans",
        group: Group::Refusals,
        applies: |capabilities| !capabilities.ordered_scan,
        run: unordered,
    },
    Check {
        name: "an engine that scans upwards only refuses reverse scans",
        group: Group::Refusals,
        applies: |capabilities| capabilities.ordered_scan && !capabilities.reverse_scan,
        run: upwards_only,
    },
    Check {
        name: "an engine without writes refuses each of them",
        group: Group::Refusals,
        applies: |capabilities| retains(capabilities) && !capabilities.writes,
        run: read_only,
    },
    Check {
        name: "a blind delete does not pretend to know",
        group: Group::Refusals,
        applies: |capabilities| capabilities.writes && !capabilities.delete_reports,
        run: blind_delete,
    },
    Check {
        name: "an engine that retains nothing refuses for_each",
        group: Group::Refusals,
        applies: |capabilities| !capabilities.retains_data,
        run: nothing_retained,
    },
    Check {
        name: "capabilities are sensible and stay",
        group: Group::Refusals,
        applies: |_| true,
        run: sensible,
    },
];

fn assert_scan_unsupported(subject: &Subject, range: &ScanRange<'_>) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    let result = session.scan(range, &mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(result, Err(Error::Unsupported { .. })), "{range:?} gave {result:?}");
}

fn unordered(subject: &Subject) {
    for range in
        [ScanRange::all(), ScanRange::prefix(b"k"), ScanRange::all().limit(0), ScanRange::all().reversed()]
    {
        assert_scan_unsupported(subject, &range);
    }
    let Capabilities { reverse_scan, scan_snapshot, .. } = subject.capabilities();
    assert!(!reverse_scan && !scan_snapshot, "flags about scans need scans");
}

fn upwards_only(subject: &Subject) {
    for range in [ScanRange::all().reversed(), ScanRange::prefix(b"k").reversed()] {
        assert_scan_unsupported(subject, &range);
    }
}

fn read_only(subject: &Subject) {
    let records = numbered(100);
    let engine = subject.holding(&records);
    let mut session = engine.session().expect("a session");
    let read_only = |error: Error| assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    let key = &records[3].0;
    let mut batch = WriteBatch::new();
    batch.set(key, b"new");
    read_only(session.set(key, b"new").expect_err("set"));
    read_only(session.update(key, b"new").expect_err("update"));
    read_only(session.delete(key).expect_err("delete"));
    read_only(session.batch(&batch).expect_err("batch"));
    assert_agrees(&*engine, &Model::of(records), "after refused writes");
}

fn blind_delete(subject: &Subject) {
    let engine = subject.open();
    let mut session = engine.session().expect("a session");
    session.set(b"key", b"value").expect("set");
    for _ in 0..2 {
        assert_eq!(session.delete(b"key").expect("delete"), Existence::Unknown);
    }
}

fn nothing_retained(subject: &Subject) {
    let engine = subject.open();
    let result = engine.for_each(&mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(result, Err(Error::Unsupported { .. })), "{result:?}");
    engine.validate().expect("nothing is always valid");
}

fn sensible(subject: &Subject) {
    let engine = subject.open();
    let capabilities = engine.capabilities();
    assert_eq!(capabilities, subject.capabilities(), "the same options give the same capabilities");
    assert!(!capabilities.durability.is_empty(), "an engine has a durability class");
    let mut classes: Vec<Durability> = capabilities.durability.to_vec();
    classes.dedup();
    assert_eq!(classes, capabilities.durability, "each class once");
    assert!(capabilities.max_key_bytes >= 1 && capabilities.max_value_bytes >= 1);
    assert_eq!(engine.stats().records, 0, "a new engine is empty");
    assert!(
        engine.wait_idle(std::time::Duration::from_secs(30)).expect("wait_idle"),
        "a new engine is soon idle"
    );
    engine.close().expect("close");
}
