//! What one worker records of its operations: counters and a latency histogram a kind, merged after the phase.
//!
//! Thread safety: a recorder belongs to one worker. Nothing here is shared, so recording costs no line that another
//! processor writes; merging is done by the one who joins the workers.

use crate::results::model::OperationResult;
use crate::workload::operation::OperationKind;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The longest latency that is told from a longer one: an hour.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Latencies are kept to three decimal digits.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Counters and histograms of one worker in one phase.
#[derive(Debug, Default)]
pub struct Recorder {
    kinds: [Option<Box<OperationResult>>; OperationKind::ALL.len()],
}

impl Recorder {
    /// A recorder with room for these kinds, so that none is allocated while measuring.
    pub fn new(kinds: impl IntoIterator<Item = OperationKind>) -> Self {
        let mut recorder = Self::default();
        for kind in kinds {
            recorder.of(kind);
        }
        recorder
    }

    /// The record of one kind; allocated the first time it is asked for. Its histogram saturates at an hour.
    #[inline]
    pub fn of(&mut self, kind: OperationKind) -> &mut OperationResult {
        let [read, update, insert, scan, read_modify_write, delete, multiget] = &mut self.kinds;
        let slot = match kind {
            OperationKind::Read => read,
            OperationKind::Update => update,
            OperationKind::Insert => insert,
            OperationKind::Scan => scan,
            OperationKind::ReadModifyWrite => read_modify_write,
            OperationKind::Delete => delete,
            OperationKind::Multiget => multiget,
        };
        slot.get_or_insert_with(|| Box::new(empty()))
    }

    /// The first fault of any kind.
    pub fn first_fault(&self) -> Option<&str> {
        self.kinds.iter().flatten().find_map(|result| result.first_fault.as_deref())
    }

    /// Adds what this worker did to what others did. Kinds that did not occur are left out.
    pub fn merge_into(self, all: &mut BTreeMap<OperationKind, OperationResult>) {
        for (kind, result) in OperationKind::ALL.into_iter().zip(self.kinds) {
            let Some(result) = result else { continue };
            let occurred = result.ok + result.missed + result.wrong + result.failed > 0;
            if !occurred {
                continue;
            }
            match all.entry(kind) {
                Entry::Vacant(entry) => {
                    entry.insert(*result);
                }
                Entry::Occupied(mut entry) => add(entry.get_mut(), *result),
            }
        }
    }
}

/// A kind of which nothing has happened.
fn empty() -> OperationResult {
    OperationResult {
        ok: 0,
        missed: 0,
        checked: 0,
        wrong: 0,
        failed: 0,
        first_fault: None,
        records_scanned: 0,
        latency_ns: histogram(),
    }
}

/// A histogram from 1 ns to an hour.
#[expect(clippy::expect_used, reason = "the constants satisfy 2 × low ≤ high and at most 5 digits")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, SIGNIFICANT_DIGITS).expect("constant bounds are valid")
}

fn add(sum: &mut OperationResult, other: OperationResult) {
    sum.ok += other.ok;
    sum.missed += other.missed;
    sum.checked += other.checked;
    sum.wrong += other.wrong;
    sum.failed += other.failed;
    sum.first_fault = sum.first_fault.take().or(other.first_fault);
    sum.records_scanned += other.records_scanned;
    // Both have the same bounds, so every value of the one fits into the other.
    let _ = sum.latency_ns.add(&other.latency_ns);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(recorder: &mut Recorder, nanoseconds: u64) {
        recorder.of(OperationKind::Read).latency_ns.saturating_record(nanoseconds);
    }

    #[test]
    fn latencies_keep_three_digits_and_saturate() {
        let mut recorder = Recorder::new([OperationKind::Read]);
        for nanoseconds in [1, 123_456_789, u64::MAX] {
            record(&mut recorder, nanoseconds);
        }
        let histogram = &recorder.of(OperationKind::Read).latency_ns;
        assert_eq!((histogram.len(), histogram.min()), (3, 1));
        let middle = histogram.value_at_quantile(0.5) as f64;
        assert!((middle / 123_456_789.0 - 1.0).abs() < 0.001, "{middle}");
        let longest = histogram.max() as f64;
        assert!(longest >= LONGEST_NS as f64 * 0.999, "{longest}");
    }

    #[test]
    fn workers_add_up_and_absent_kinds_stay_absent() {
        let mut all = BTreeMap::new();
        for (worker, latency) in [(0, 100), (1, 300)] {
            let mut recorder = Recorder::new([OperationKind::Read, OperationKind::Scan]);
            recorder.of(OperationKind::Read).ok += 2;
            recorder.of(OperationKind::Read).missed += worker;
            record(&mut recorder, latency);
            if worker == 1 {
                recorder.of(OperationKind::Delete).failed += 1;
                recorder.of(OperationKind::Delete).first_fault = Some("full".to_owned());
                assert_eq!(recorder.first_fault(), Some("full"));
            }
            recorder.merge_into(&mut all);
        }
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), [OperationKind::Read, OperationKind::Delete]);
        let read = &all[&OperationKind::Read];
        assert_eq!((read.ok, read.missed, read.latency_ns.len()), (4, 1, 2));
        assert_eq!((read.latency_ns.min(), read.latency_ns.max()), (100, 300));
        assert_eq!(all[&OperationKind::Delete].first_fault.as_deref(), Some("full"));
    }
}
