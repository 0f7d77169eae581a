//! Checks of scans and `for_each` on a quiet engine.

use super::agreement::{assert_agrees, assert_same, shown};
use super::check::{Check, Group, retains, scans_in_order, writes_and_scans};
use super::model::Model;
use super::reading::{count_until, scan, scan_until};
use super::record::{Record, awkward, numbered, numbered_key};
use super::subject::Subject;
use crate::engine::{Engine, ScanRange};
use std::ops::Bound;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a scan honours every kind of bound",
        group: Group::Scans,
        applies: scans_in_order,
        run: bounds,
    },
    Check {
        name: "a prefix scan visits what has the prefix",
        group: Group::Scans,
        applies: scans_in_order,
        run: prefixes,
    },
    Check { name: "a long scan has no seams", group: Group::Scans, applies: scans_in_order, run: long_scans },
    Check {
        name: "a scan visits no deleted record",
        group: Group::Scans,
        applies: writes_and_scans,
        run: after_deletes,
    },
    Check { name: "for_each ends at a break", group: Group::Scans, applies: retains, run: broken_for_each },
];

/// Compares one scan with the model: with and without values, in the directions the engine has.
fn compare(engine: &dyn Engine, model: &Model, range: &ScanRange<'_>, stop_after: usize) {
    let mut session = engine.session().expect("a session");
    for (reverse, keys_only) in [(false, false), (false, true), (true, false), (true, true)] {
        if reverse && !engine.capabilities().reverse_scan {
            continue;
        }
        let range = ScanRange { reverse, keys_only, ..range.clone() };
        let mut expected = model.scan(&range);
        expected.truncate(stop_after);
        let found = scan_until(&mut *session, &range, stop_after);
        if found != expected {
            let bound = |bound: Bound<&[u8]>| format!("{:?}", bound.map(shown));
            let when = format!(
                "scan from {} to {}, limit {}, reverse {reverse}, keys only {keys_only}, break at {stop_after}",
                bound(range.lower()),
                bound(range.upper()),
                range.limit
            );
            assert_same(&found, &expected, &when);
        }
    }
}

/// Keys to bound a scan with: some that are there, some between, before all and behind all.
fn probes(records: &[Record]) -> Vec<Vec<u8>> {
    let mut probes = vec![Vec::new(), vec![0xFF; 300]];
    for n in [0, 1, records.len() / 3, records.len() / 2, records.len() - 1] {
        let key = &records[n].0;
        probes.push(key.clone());
        probes.push([key, &[0x00][..]].concat());
    }
    probes.sort();
    probes.dedup();
    probes
}

fn bounds(subject: &Subject) {
    let few: Vec<_> =
        awkward(&subject.capabilities()).into_iter().filter(|(key, _)| key.len() < 300).collect();
    let even: Vec<_> = (0..90).map(|n| (numbered_key(n * 2), vec![n as u8; n % 5])).collect();
    for records in [few, even] {
        let engine = subject.holding(&records);
        let model = Model::of(records.clone());
        let probes = probes(&records);
        let mut ends = vec![Bound::Unbounded];
        for probe in &probes {
            ends.push(Bound::Included(probe.as_slice()));
            ends.push(Bound::Excluded(probe.as_slice()));
        }
        for (n, lower) in ends.iter().enumerate() {
            for (m, upper) in ends.iter().enumerate() {
                let range = ScanRange::between(*lower, *upper);
                compare(&*engine, &model, &range, usize::MAX);
                let limit = [0, 1, 2, 7, 40][(n + m) % 5];
                compare(&*engine, &model, &range.clone().limit(limit), usize::MAX);
                compare(&*engine, &model, &range, 1 + (n * 3 + m) % 11);
            }
        }
    }
}

fn prefixes(subject: &Subject) {
    let records = awkward(&subject.capabilities());
    let engine = subject.holding(&records);
    let model = Model::of(records.clone());
    let long = vec![b'p'; 200];
    let all_ff = vec![0xFF; 260];
    let prefixes = [
        &b""[..],
        b"\0",
        b"\0\0",
        b"\xFF",
        b"\xFF\xFF",
        b"a",
        b"k",
        b"k\xFF",
        b"p",
        b"nothing",
        &long,
        &all_ff,
    ];
    for prefix in prefixes {
        let range = ScanRange::prefix(prefix);
        let mut session = engine.session().expect("a session");
        let with_prefix: Vec<_> =
            records.iter().filter(|(key, _)| key.starts_with(prefix)).cloned().collect();
        assert_same(&scan(&mut *session, &range), &with_prefix, &format!("prefix {}", shown(prefix)));
        for limit in [1, 3, usize::MAX] {
            compare(&*engine, &model, &range.clone().limit(limit), usize::MAX);
        }
    }
}

fn long_scans(subject: &Subject) {
    let records = numbered(3_000);
    let engine = subject.holding(&records);
    let model = Model::of(records);
    let (low, high) = (numbered_key(17), numbered_key(2_711));
    let ranges = [
        ScanRange::all(),
        ScanRange::from(&low),
        ScanRange::between(Bound::Excluded(&low), Bound::Included(&high)),
        ScanRange::between(Bound::Unbounded, Bound::Excluded(&high)),
    ];
    let counts = [1, 31, 32, 33, 63, 64, 95, 96, 97, 1_023, 1_024, 1_025, 2_984, usize::MAX];
    for (n, range) in ranges.into_iter().enumerate() {
        for (m, count) in counts.into_iter().enumerate() {
            if (n + m) % 2 == 0 {
                compare(&*engine, &model, &range.clone().limit(count), usize::MAX);
            } else {
                compare(&*engine, &model, &range, count);
            }
        }
    }
}

fn after_deletes(subject: &Subject) {
    let records = numbered(3_000);
    let engine = subject.holding(&records);
    let mut model = Model::of(records.clone());
    let mut session = engine.session().expect("a session");
    let gone = |n: usize| n < 100 || (1_000..1_900).contains(&n) || n.is_multiple_of(3) || n > 2_950;
    for (_, (key, _)) in records.iter().enumerate().filter(|(n, _)| gone(*n)) {
        session.delete(key).expect("delete");
        model.delete(key);
    }
    assert_agrees(&*engine, &model, "after deletes");
    for start in (0..3_000).step_by(97) {
        let (low, high) = (numbered_key(start), numbered_key(start + 1_200));
        compare(&*engine, &model, &ScanRange::from(&low).limit(10), usize::MAX);
        compare(
            &*engine,
            &model,
            &ScanRange::between(Bound::Included(&low), Bound::Excluded(&high)),
            usize::MAX,
        );
    }
}

fn broken_for_each(subject: &Subject) {
    let records = numbered(2_000);
    let engine = subject.holding(&records);
    for stop_after in [1, 2, 32, 33, 1_999, 2_000, 2_001] {
        assert_eq!(count_until(&*engine, stop_after), stop_after.min(2_000), "break at {stop_after}");
    }
}
