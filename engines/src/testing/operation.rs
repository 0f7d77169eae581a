//! Random sequences of operations, and what each must do.

use super::agreement::{assert_agrees, assert_figures, assert_same};
use super::model::Model;
use super::reading::{count_until, existence, get, get_many, scan_until};
use super::record::{numbered_key, value};
use crate::engine::{Capabilities, Engine, ScanRange, Session, WriteBatch};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::strategy::Union;
use std::fmt;
use std::ops::Bound;

/// Key or value bytes, shown shortened.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::agreement::shown(&self.0))
    }
}

/// One operation with all it needs.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Read a key.
    Get(Bytes),
    /// Insert or replace.
    Set(Bytes, Bytes),
    /// Replace if there.
    Update(Bytes, Bytes),
    /// Remove.
    Delete(Bytes),
    /// Sets (with a value) and deletes (without) as one batch.
    Batch(Vec<(Bytes, Option<Bytes>)>),
    /// Read keys.
    GetMany(Vec<Bytes>),
    /// Scan a range.
    Scan(ScanCall),
    /// Insert numbered keys from `.0`, `.1` of them, `.2` apart, in order.
    Fill(usize, usize, usize),
    /// Delete numbered keys from `.0`, `.1` of them, `.2` apart.
    Drain(usize, usize, usize),
    /// Visit everything up to a break at this record.
    ForEach(Option<usize>),
    /// Compact.
    Compact,
    /// Flush.
    Flush,
    /// Check the invariants.
    Validate,
    /// Check the figures.
    Stats,
}

/// The arguments of a scan.
#[derive(Clone, Debug)]
pub struct ScanCall {
    /// Instead of bounds.
    pub prefix: Option<Bytes>,
    /// The lower bound.
    pub lower: Bound<Bytes>,
    /// The upper bound.
    pub upper: Bound<Bytes>,
    /// Visit at most this many.
    pub limit: usize,
    /// From the upper end down.
    pub reverse: bool,
    /// Without values.
    pub keys_only: bool,
    /// Break at this record, counted from 1.
    pub stop_after: usize,
}

impl ScanCall {
    /// The range as an engine takes it.
    pub fn range(&self) -> ScanRange<'_> {
        fn borrowed(bound: &Bound<Bytes>) -> Bound<&[u8]> {
            bound.as_ref().map(|key| key.0.as_slice())
        }
        let range = match &self.prefix {
            Some(prefix) => ScanRange::prefix(&prefix.0),
            None => ScanRange::between(borrowed(&self.lower), borrowed(&self.upper)),
        };
        ScanRange { limit: self.limit, reverse: self.reverse, keys_only: self.keys_only, ..range }
    }
}

impl Operation {
    /// Runs the operation on the engine and on the model. The capabilities decide what must be right.
    ///
    /// # Panics
    /// When they differ.
    pub fn apply(&self, engine: &dyn Engine, session: &mut dyn Session, model: &mut Model) {
        match self {
            Self::Get(key) => {
                assert!(get(session, &key.0).as_deref() == model.get(&key.0), "{self:?} is wrong")
            }
            Self::Set(key, value) => {
                session.set(&key.0, &value.0).expect("set");
                model.set(&key.0, &value.0);
            }
            Self::Update(key, value) => {
                let found = session.update(&key.0, &value.0).expect("update");
                assert_eq!(found, model.update(&key.0, &value.0), "{self:?}");
            }
            Self::Delete(key) => {
                let found = session.delete(&key.0).expect("delete");
                assert_eq!(found, existence(engine, model.delete(&key.0)), "{self:?}");
            }
            Self::Batch(operations) => {
                let mut batch = WriteBatch::new();
                for (key, value) in operations {
                    match value {
                        Some(value) => batch.set(&key.0, &value.0),
                        None => batch.delete(&key.0),
                    }
                }
                session.batch(&batch).expect("batch");
                model.batch(&batch);
            }
            Self::GetMany(keys) => {
                let keys: Vec<&[u8]> = keys.iter().map(|key| key.0.as_slice()).collect();
                let expected: Vec<_> = keys.iter().map(|key| model.get(key).map(<[u8]>::to_vec)).collect();
                assert!(get_many(session, &keys) == expected, "{self:?} is wrong");
            }
            Self::Scan(call) => {
                let range = call.range();
                let mut expected = model.scan(&range);
                expected.truncate(call.stop_after);
                assert_same(&scan_until(session, &range, call.stop_after), &expected, &format!("{call:?}"));
            }
            Self::Fill(from, count, step) => {
                for n in 0..*count {
                    let (key, value) = (numbered_key(from + n * step), value(n % 40, (from + n) as u64));
                    session.set(&key, &value).expect("set");
                    model.set(&key, &value);
                }
            }
            Self::Drain(from, count, step) => {
                for n in 0..*count {
                    let key = numbered_key(from + n * step);
                    let found = session.delete(&key).expect("delete");
                    assert_eq!(found, existence(engine, model.delete(&key)), "key {n} of {self:?}");
                }
            }
            Self::ForEach(stop_after) => {
                let stop_after = stop_after.unwrap_or(usize::MAX);
                assert_eq!(count_until(engine, stop_after), model.len().min(stop_after), "{self:?}");
            }
            Self::Compact => engine.compact().expect("compact"),
            Self::Flush => engine.flush().expect("flush"),
            Self::Validate => engine.validate().unwrap_or_else(|error| panic!("{error}")),
            Self::Stats => assert_figures(engine, model, "within a sequence"),
        }
    }

    /// Runs a sequence on an engine that is still empty and compares it with the model at the end.
    ///
    /// # Panics
    /// When an operation or the end state is wrong.
    pub fn apply_all(operations: &[Self], engine: &dyn Engine) {
        let mut model = Model::new();
        let mut session = engine.session().expect("a session");
        for operation in operations {
            operation.apply(engine, &mut *session, &mut model);
        }
        assert_agrees(engine, &model, "at the end of the sequence");
    }
}

/// The least byte, two in the middle and the greatest.
const ALPHABET: [u8; 4] = [0x00, b'a', b'b', 0xFF];
/// Number of words of up to 4 letters: 1 + 4 + 16 + 64 + 256.
const WORDS: usize = 341;

/// Word number `n`, shortest first; word 0 is empty.
fn word(mut n: usize) -> Vec<u8> {
    let mut word = Vec::new();
    while n > 0 {
        n -= 1;
        word.push(ALPHABET[n % 4]);
        n /= 4;
    }
    word
}

/// Keys that meet again: words of a small alphabet, words behind long shared prefixes, numbered keys as
/// [`Operation::Fill`] inserts them, and rarely keys of the engine's limit.
fn keys(capabilities: Capabilities) -> impl Strategy<Value = Bytes> + Clone {
    let limit = capabilities.max_key_bytes;
    let behind = move |len: usize| {
        let len = len.min(limit.saturating_sub(4));
        (0..21_usize).prop_map(move |n| Bytes([&vec![b'p'; len], &word(n)[..]].concat())).boxed()
    };
    let longest = limit.min(crate::engine::MAX_KEY_BYTES);
    Union::new_weighted(vec![
        (24, (0..WORDS.min(85)).prop_map(|n| Bytes(word(n))).boxed()),
        (8, (0..WORDS).prop_map(|n| Bytes(word(n))).boxed()),
        (8, (0..1_200_usize).prop_map(|n| Bytes(numbered_key(n))).boxed()),
        (4, behind(8)),
        (4, behind(40)),
        (2, behind(300)),
        (1, (0..3_usize).prop_map(move |n| Bytes(vec![b'l'; (longest >> (2 * n)).max(1)])).boxed()),
    ])
}

/// Values of 0 to 299 bytes, rarely of many thousand.
fn values(capabilities: Capabilities) -> impl Strategy<Value = Bytes> + Clone {
    let limit = capabilities.max_value_bytes;
    let of = move |(len, seed): (usize, u8)| Bytes(value(len.min(limit), u64::from(seed)));
    prop_oneof![
        10 => (0..40_usize, any::<u8>()).prop_map(of),
        6 => (0..300_usize, any::<u8>()).prop_map(of),
        2 => Just(Bytes(Vec::new())),
        1 => (1_000..30_000_usize, any::<u8>()).prop_map(of),
    ]
}

fn bounds(capabilities: Capabilities) -> impl Strategy<Value = Bound<Bytes>> + Clone {
    prop_oneof![
        Just(Bound::Unbounded),
        keys(capabilities).prop_map(Bound::Included),
        keys(capabilities).prop_map(Bound::Excluded),
    ]
}

fn scans(capabilities: Capabilities) -> impl Strategy<Value = Operation> {
    let limit = prop_oneof![2 => Just(usize::MAX), 1 => 0..60_usize];
    let stop_after = prop_oneof![3 => Just(usize::MAX), 1 => 1..50_usize];
    let ends = (option::weighted(0.2, keys(capabilities)), bounds(capabilities), bounds(capabilities));
    (ends, limit, any::<bool>(), any::<bool>(), stop_after).prop_map(
        move |((prefix, lower, upper), limit, reverse, keys_only, stop_after)| {
            let reverse = reverse && capabilities.reverse_scan;
            Operation::Scan(ScanCall { prefix, lower, upper, limit, reverse, keys_only, stop_after })
        },
    )
}

fn operation(capabilities: Capabilities) -> impl Strategy<Value = Operation> {
    let (key, value) = (keys(capabilities), values(capabilities));
    let stretch = || (0..800_usize, 1..250_usize, 1..4_usize);
    let mut choices = vec![
        (30, (key.clone(), value.clone()).prop_map(|(key, value)| Operation::Set(key, value)).boxed()),
        (8, (key.clone(), value.clone()).prop_map(|(key, value)| Operation::Update(key, value)).boxed()),
        (14, key.clone().prop_map(Operation::Delete).boxed()),
        (10, key.clone().prop_map(Operation::Get).boxed()),
        (4, vec(key.clone(), 0..12).prop_map(Operation::GetMany).boxed()),
        (6, vec((key, option::weighted(0.7, value)), 0..12).prop_map(Operation::Batch).boxed()),
        (2, stretch().prop_map(|(from, count, step)| Operation::Fill(from, count, step)).boxed()),
        (2, stretch().prop_map(|(from, count, step)| Operation::Drain(from, count, step)).boxed()),
        (2, option::of(1..40_usize).prop_map(Operation::ForEach).boxed()),
        (1, Just(Operation::Compact).boxed()),
        (1, Just(Operation::Flush).boxed()),
        (2, Just(Operation::Validate).boxed()),
        (3, Just(Operation::Stats).boxed()),
    ];
    if capabilities.ordered_scan {
        choices.push((16, scans(capabilities).boxed()));
    }
    Union::new_weighted(choices)
}

/// Sequences of operations that an engine with these capabilities must do right: most of them short, some of some
/// hundred operations.
pub fn operations(capabilities: Capabilities) -> impl Strategy<Value = Vec<Operation>> {
    prop_oneof![
        15 => vec(operation(capabilities), 1..40),
        1 => vec(operation(capabilities), 100..300),
    ]
}
