//! What closing a durable engine and opening it again took, cell by cell.

use super::spread::Spread;
use crate::results::model::{Reopened, SweepResult, Trial};
use engines::Durability;

/// One cell, over all its trials that were reopened.
#[derive(Clone, Debug, PartialEq)]
pub struct Reopening<'a> {
    /// Index of the cell.
    pub cell: usize,
    /// The engine's label.
    pub label: &'a str,
    /// The durability class.
    pub durability: Durability,
    /// Worker threads.
    pub threads: u32,
    /// Time to close, seconds.
    pub close_seconds: Spread,
    /// Time to open again, seconds.
    pub open_seconds: Spread,
    /// Records that were read back, all trials together.
    pub records: u64,
    /// Those that were wrong.
    pub wrong: u64,
}

/// The cells that were reopened, in the order of the plan. O(cells × trials).
pub fn reopenings(sweep: &SweepResult) -> Vec<Reopening<'_>> {
    let cells = sweep.plan.cells.iter().enumerate();
    let reopened = cells.filter_map(|(index, cell)| {
        let of_cell = |trial: &&Trial| trial.cell == index;
        let all: Vec<&Reopened> =
            sweep.trials.iter().filter(of_cell).filter_map(|trial| trial.reopened.as_ref()).collect();
        let spread = |of: fn(&Reopened) -> f64| Spread::of(all.iter().map(|found| of(found)));
        Some(Reopening {
            cell: index,
            label: &cell.label,
            durability: cell.durability,
            threads: cell.threads,
            close_seconds: spread(|found| found.close_seconds)?,
            open_seconds: spread(|found| found.open_seconds)?,
            records: all.iter().map(|found| found.verification.records).sum(),
            wrong: all.iter().map(|found| found.verification.wrong).sum(),
        })
    });
    reopened.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;

    #[test]
    fn only_what_was_reopened_has_figures_and_they_are_those_of_its_trials() {
        let durability = vec![Durability::None, Durability::Sync];
        let mut sweep = Synthetic { threads: vec![1], trials: 3, durability, ..Synthetic::default() }.build();
        assert!(reopenings(&sweep).iter().all(|found| found.durability == Durability::Sync));
        for trial in sweep.trials.iter_mut().filter(|trial| trial.cell == 1) {
            let reopened = trial.reopened.as_mut().unwrap();
            reopened.open_seconds = f64::from(trial.trial);
            (reopened.verification.records, reopened.verification.wrong) = (100, 1);
        }
        let found = reopenings(&sweep);
        assert_eq!(found.len(), 4, "four engines");
        let first = &found[0];
        assert_eq!((first.cell, first.label, first.records, first.wrong), (1, "hash", 300, 3));
        assert_eq!(first.open_seconds, Spread { median: 1.0, min: 0.0, max: 2.0 });
        let wrong = crate::analysis::summary::summarize(&sweep);
        assert!(wrong.iter().all(|summary| summary.wrong() == if summary.cell == 1 { 3 } else { 0 }));
    }
}
