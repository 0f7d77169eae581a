//! What records take in memory beyond their keys and values, from the memory trials of a sweep.

use crate::results::model::{LoadWay, MemoryEvent, MemoryStage, MemoryTrial, SweepResult};
use engines::Durability;

/// One stage of one memory trial that gave no wrong answer.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// The trial.
    pub trial: &'a MemoryTrial,
    /// The durability class.
    pub durability: Durability,
    /// What was done last.
    pub stage: &'a MemoryStage,
}

/// Memory that is not key or value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beyond {
    /// Bytes a record; negative where an engine takes less than its records.
    pub bytes_per_record: f64,
    /// Share of the bytes of keys and values.
    pub share: f64,
}

impl Holding<'_> {
    /// By the counting allocator; nothing where no records are left.
    pub fn heap_beyond(&self) -> Option<Beyond> {
        self.beyond(self.stage.heap_bytes)
    }

    /// By the resident size; nothing where no records are left.
    pub fn rss_beyond(&self) -> Option<Beyond> {
        self.beyond(self.stage.rss_bytes)
    }

    fn beyond(&self, bytes: i64) -> Option<Beyond> {
        let (records, live) = (self.stage.records as f64, self.stage.live_bytes as f64);
        let beyond = bytes as f64 - live;
        let has_both = records > 0.0 && live > 0.0;
        has_both.then(|| Beyond { bytes_per_record: beyond / records, share: beyond / live })
    }

    /// Live allocations a record.
    pub fn blocks_per_record(&self) -> Option<f64> {
        (self.stage.records > 0).then(|| self.stage.heap_blocks as f64 / self.stage.records as f64)
    }

    /// Share of the most bytes that were ever live which still is, by the counting allocator, after all was deleted.
    pub fn heap_left(&self) -> Option<f64> {
        self.left(self.stage.heap_bytes, self.stage.heap_peak_bytes)
    }

    /// The same of the resident size.
    pub fn rss_left(&self) -> Option<f64> {
        self.left(self.stage.rss_bytes, self.stage.rss_peak_bytes)
    }

    fn left(&self, now: i64, peak: i64) -> Option<f64> {
        let is_deleted = self.stage.after == MemoryEvent::Delete;
        (is_deleted && peak > 0).then(|| now.max(0) as f64 / peak as f64)
    }

    /// Where the stage stands among those that can be compared: the load, the load in bulk, what follows.
    pub fn order(&self) -> (MemoryPlace, bool) {
        let place = match (self.stage.after, self.trial.way) {
            (MemoryEvent::Load, LoadWay::Inserts) => MemoryPlace::Load,
            (MemoryEvent::Load, LoadWay::Bulk) => MemoryPlace::BulkLoad,
            (MemoryEvent::Overwrite, _) => MemoryPlace::Overwrite,
            (MemoryEvent::Delete, _) => MemoryPlace::Delete,
        };
        (place, self.stage.compacted)
    }
}

/// What was done last, the way of loading told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryPlace {
    /// Loaded by inserts.
    Load,
    /// Loaded in bulk.
    BulkLoad,
    /// Overwritten.
    Overwrite,
    /// Deleted.
    Delete,
}

/// All stages of all trials without an error, engine by engine in the order of the plan, each in the order of
/// [`Holding::order`] with compaction after what it follows.
pub fn holdings(sweep: &SweepResult) -> Vec<Holding<'_>> {
    let sound = sweep.memory.iter().filter(|trial| trial.error.is_none());
    let mut all: Vec<Holding<'_>> = sound
        .flat_map(|trial| {
            let cell = sweep.plan.cells.get(trial.cell);
            let durability = cell.map_or(Durability::None, |cell| cell.durability);
            trial.stages.iter().map(move |stage| Holding { trial, durability, stage })
        })
        .collect();
    all.sort_by_key(|holding| (holding.trial.cell, holding.order()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;

    #[test]
    fn bytes_beyond_are_those_that_are_not_key_or_value() {
        let mut sweep = Synthetic { threads: vec![1, 2], ..Synthetic::default() }.build();
        let stage = &mut sweep.memory[0].stages[0];
        (stage.records, stage.live_bytes) = (1_000, 124_000);
        (stage.heap_bytes, stage.heap_blocks, stage.rss_bytes) = (186_000, 2_500, 93_000);
        let all = holdings(&sweep);
        let loaded = &all[0];
        assert_eq!((loaded.trial.label.as_str(), loaded.order()), ("hash", (MemoryPlace::Load, false)));
        assert_eq!(loaded.heap_beyond(), Some(Beyond { bytes_per_record: 62.0, share: 0.5 }));
        assert_eq!(loaded.rss_beyond(), Some(Beyond { bytes_per_record: -31.0, share: -0.25 }));
        assert_eq!((loaded.blocks_per_record(), loaded.heap_left()), (Some(2.5), None));
    }

    #[test]
    fn stages_come_engine_by_engine_and_faulty_trials_not_at_all() {
        let mut sweep = Synthetic { threads: vec![1], ..Synthetic::default() }.build();
        sweep.memory[1].error = Some("2 records are wrong".to_owned());
        let all = holdings(&sweep);
        let places: Vec<_> = all.iter().take(6).map(Holding::order).collect();
        use MemoryPlace::{BulkLoad, Delete, Load, Overwrite};
        let expected = [
            (Load, false),
            (BulkLoad, false),
            (Overwrite, false),
            (Overwrite, true),
            (Delete, false),
            (Delete, true),
        ];
        assert_eq!(places, expected);
        assert_eq!(all.len(), 6 + 1 + 6 + 6, "of btree the bulk load alone");
        let deleted = &all[4];
        assert_eq!((deleted.heap_beyond(), deleted.blocks_per_record()), (None, None));
        assert_eq!(deleted.heap_left(), Some(0.05));
        assert!(deleted.rss_left().is_some_and(|left| (left - 15.0 / 220.0).abs() < 1e-9));
    }
}
