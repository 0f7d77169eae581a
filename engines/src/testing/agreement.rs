//! Whether a quiet engine holds exactly what the model holds, by every way there is to look at it.

use super::model::Model;
use super::reading::{everything, get, get_many, scan};
use super::record::Record;
use crate::engine::{Engine, ScanRange};

/// Checks invariants, counts, `for_each`, every key by get and get_many, and whole scans in both directions.
pub(super) fn assert_agrees(engine: &dyn Engine, model: &Model, when: &str) {
    engine.validate().unwrap_or_else(|error| panic!("{when}: {error}"));
    assert_figures(engine, model, when);
    let mut session = engine.session().expect("a session");
    for (key, value) in model.iter() {
        let found = get(&mut *session, key);
        assert!(found.as_deref() == Some(value), "{when}: get({}) is wrong", shown(key));
    }
    let keys: Vec<&[u8]> = model.iter().map(|(key, _)| key).collect();
    let found = get_many(&mut *session, &keys);
    for ((key, value), found) in model.iter().zip(&found) {
        assert!(found.as_deref() == Some(value), "{when}: get_many({}) is wrong", shown(key));
    }
    let all = everything(engine).into_iter().collect::<Vec<_>>();
    assert_same(&all, &model.scan(&ScanRange::all()), &format!("{when}: for_each"));
    let capabilities = engine.capabilities();
    if capabilities.ordered_scan {
        let range = ScanRange::all();
        assert_same(&scan(&mut *session, &range), &model.scan(&range), &format!("{when}: scan"));
        if capabilities.reverse_scan {
            let range = range.reversed();
            assert_same(&scan(&mut *session, &range), &model.scan(&range), &format!("{when}: reverse scan"));
        }
    }
}

/// Checks the exact figures: records, and live bytes where the engine tracks them.
pub(super) fn assert_figures(engine: &dyn Engine, model: &Model, when: &str) {
    let stats = engine.stats();
    assert_eq!(stats.records, model.len() as u64, "{when}: records");
    if let Some(live_bytes) = stats.live_bytes {
        assert_eq!(live_bytes, model.live_bytes(), "{when}: live bytes");
    }
}

/// Compares records and reports the first difference, shortened.
pub(super) fn assert_same(found: &[Record], expected: &[Record], when: &str) {
    if found == expected {
        return;
    }
    let difference = found.iter().zip(expected).position(|(a, b)| a != b);
    let index = difference.unwrap_or(found.len().min(expected.len()));
    let record = |records: &[Record]| {
        let Some((key, value)) = records.get(index) else { return "nothing".to_owned() };
        format!("{} = {}", shown(key), shown(value))
    };
    panic!(
        "{when}: {} records where {} are right; at {index} {} where {} is right",
        found.len(),
        expected.len(),
        record(found),
        record(expected)
    );
}

/// Bytes as text, shortened.
pub(super) fn shown(bytes: &[u8]) -> String {
    match bytes.get(..40) {
        Some(start) => format!("\"{}…\" ({} bytes)", start.escape_ascii(), bytes.len()),
        None => format!("\"{}\"", bytes.escape_ascii()),
    }
}
