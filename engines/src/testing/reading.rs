//! Reads that check the contract of the call itself: the buffer, the number returned, the end at a break.

use super::record::Record;
use crate::engine::{Engine, Existence, GetBuffer, ScanRange, Session};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Reads a key with a used buffer.
pub(super) fn get(session: &mut dyn Session, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = b"left over from another key".to_vec();
    if session.get(key, &mut value).expect("get") {
        return Some(value);
    }
    assert!(value.is_empty(), "the buffer of a key that is not there must be empty");
    None
}

/// Reads many keys.
pub(super) fn get_many(session: &mut dyn Session, keys: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let mut values = GetBuffer::new();
    values.reset(3);
    values.put(0, b"left over");
    session.get_many(keys, &mut values).expect("get_many");
    assert_eq!(values.len(), keys.len(), "one answer a key");
    (0..keys.len()).map(|index| values.get(index).map(<[u8]>::to_vec)).collect()
}

/// The records of a scan.
pub(super) fn scan(session: &mut dyn Session, range: &ScanRange<'_>) -> Vec<Record> {
    scan_until(session, range, usize::MAX)
}

/// The records of a scan whose visitor breaks at record number `stop_after` (counted from 1).
pub(super) fn scan_until(session: &mut dyn Session, range: &ScanRange<'_>, stop_after: usize) -> Vec<Record> {
    let mut seen = Vec::new();
    let visited = session.scan(range, &mut |key, value| {
        assert!(seen.len() < stop_after, "visited after the break");
        seen.push((key.to_vec(), value.to_vec()));
        if seen.len() == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(visited.expect("scan"), seen.len() as u64, "the number a scan returns is what it visited");
    seen
}

/// Everything `for_each` visits; each key once.
pub(super) fn everything(engine: &dyn Engine) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = BTreeMap::new();
    let result = engine.for_each(&mut |key, value| {
        let twice = seen.insert(key.to_vec(), value.to_vec());
        assert!(twice.is_none(), "for_each visited a key twice");
        ControlFlow::Continue(())
    });
    result.expect("for_each");
    seen
}

/// How many records `for_each` visits if the visitor breaks at record number `stop_after` (counted from 1).
pub(super) fn count_until(engine: &dyn Engine, stop_after: usize) -> usize {
    let mut seen = 0;
    let result = engine.for_each(&mut |_, _| {
        seen += 1;
        if seen == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    result.expect("for_each");
    seen
}

/// What a delete must answer where the key was there or not.
pub(super) fn existence(engine: &dyn Engine, present: bool) -> Existence {
    if engine.capabilities().delete_reports { Existence::from(present) } else { Existence::Unknown }
}
