//! Checks of bulk load.

use super::agreement::assert_agrees;
use super::check::{Check, Group, retains, retains_writes};
use super::model::Model;
use super::random::Random;
use super::reading::everything;
use super::record::{Record, awkward, numbered, numbered_key};
use super::subject::Subject;
use crate::engine::Engine;
use crate::error::Result;

pub(super) const CHECKS: &[Check] = &[
    Check { name: "sorted records load", group: Group::Loading, applies: retains, run: sorted },
    Check {
        name: "a loaded engine takes writes",
        group: Group::Loading,
        applies: retains_writes,
        run: writes_after_load,
    },
    Check {
        name: "loading into records that are there corrupts nothing",
        group: Group::Loading,
        applies: retains_writes,
        run: nonempty,
    },
    Check {
        name: "loading unsorted records corrupts nothing",
        group: Group::Loading,
        applies: retains,
        run: unsorted,
    },
];

fn load(engine: &dyn Engine, records: &[Record]) -> Result<u64> {
    engine.bulk_load(&mut records.iter().map(|(key, value)| (&key[..], &value[..])))
}

fn sorted(subject: &Subject) {
    let mut sets = vec![awkward(&subject.capabilities())];
    sets.extend([0, 1, 2, 3, 10, 100, 1_000, 5_000].map(numbered));
    for records in sets {
        let engine = subject.open();
        assert_eq!(load(&*engine, &records).expect("bulk load"), records.len() as u64);
        assert_agrees(&*engine, &Model::of(records.clone()), &format!("{} records loaded", records.len()));
    }
}

fn writes_after_load(subject: &Subject) {
    let records: Vec<Record> = numbered(2_000).into_iter().step_by(2).collect();
    let engine = subject.open();
    load(&*engine, &records).expect("bulk load");
    let mut model = Model::of(records);
    let mut session = engine.session().expect("a session");
    let mut random = Random::new(31);
    for n in 0..3_000 {
        let key = numbered_key(random.below(2_000));
        if n % 3 == 0 {
            session.delete(&key).expect("delete");
            model.delete(&key);
        } else {
            session.set(&key, b"after the load").expect("set");
            model.set(&key, b"after the load");
        }
        if n % 1_000 == 500 {
            assert_agrees(&*engine, &model, &format!("{n} writes after the load"));
        }
    }
    assert_agrees(&*engine, &model, "in the end");
}

/// After a load that need not succeed: all of it if it says so; otherwise nothing that was not there or loaded, nothing
/// lost that was not loaded, and an engine that is whole.
fn assert_whole(engine: &dyn Engine, before: &Model, loaded: &[Record], result: Result<u64>) {
    let mut all = before.clone();
    loaded.iter().for_each(|(key, value)| all.set(key, value));
    let Err(error) = result else {
        assert_eq!(result.unwrap_or_default(), loaded.len() as u64, "every record was loaded");
        assert_agrees(engine, &all, "after a load");
        return;
    };
    let found = Model::of(everything(engine));
    for (key, value) in found.iter() {
        let was_loaded = || loaded.iter().any(|(k, v)| k == key && v == value);
        assert!(before.get(key) == Some(value) || was_loaded(), "an unknown record after {error}");
    }
    for (key, _) in before.iter() {
        assert!(found.get(key).is_some(), "a record was lost by {error}");
    }
    assert_agrees(engine, &found, &format!("after {error}"));
}

/// Where the incoming records lie, and which are there before.
type Layout = (&'static str, fn(usize) -> bool);

fn nonempty(subject: &Subject) {
    let records = numbered(600);
    let layouts: [Layout; 4] =
        [("before", |n| n >= 300), ("behind", |n| n < 300), ("between", |n| n % 2 == 0), ("over", |_| true)];
    for (place, is_there) in layouts {
        let there: Vec<Record> =
            records.iter().enumerate().filter(|(n, _)| is_there(*n)).map(|(_, r)| r.clone()).collect();
        let incoming: Vec<Record> = records
            .iter()
            .enumerate()
            .filter(|(n, _)| place == "over" || !is_there(*n))
            .map(|(_, (key, _))| (key.clone(), place.as_bytes().to_vec()))
            .collect();
        let engine = subject.holding(&there);
        let result = load(&*engine, &incoming);
        assert_whole(&*engine, &Model::of(there), &incoming, result);
        let mut session = engine.session().expect("a session");
        session.set(b"still", b"alive").expect("set");
        engine.validate().expect("valid");
    }
}

fn unsorted(subject: &Subject) {
    let sorted = numbered(400);
    let mut twice: Vec<Record> = sorted.iter().flat_map(|record| [record.clone(), record.clone()]).collect();
    for (n, record) in twice.iter_mut().enumerate() {
        record.1 = vec![n as u8; n % 7];
    }
    let mut last_out_of_place = sorted.clone();
    last_out_of_place.push((b"a".to_vec(), b"least".to_vec()));
    let reversed = sorted.iter().rev().cloned().collect();
    for records in [Random::new(2).shuffled(&sorted), reversed, twice, last_out_of_place] {
        let engine = subject.open();
        let result = load(&*engine, &records);
        assert_whole(&*engine, &Model::new(), &records, result);
    }
}
