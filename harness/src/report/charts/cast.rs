//! Which engine has which colour, the same in every chart of a sweep.

use super::super::scene::{ENGINE_INKS, Ink};
use crate::analysis::ranking::Ranking;
use crate::analysis::summary::labels;
use crate::results::model::LOAD_PHASE;
use crate::workload::plan::Plan;
use std::collections::BTreeMap;

/// The engines that are drawn as lines, in the order of the plan.
#[derive(Clone, Debug)]
pub struct Cast {
    shown: Vec<String>,
    left_out: usize,
}

impl Cast {
    /// All engines of the plan, or, where there are more than colours, those with the best ranks over the run phases.
    pub fn new(plan: &Plan, rankings: &[Ranking<'_>]) -> Self {
        let all = labels(plan);
        let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in
            rankings.iter().filter(|ranking| ranking.phase != LOAD_PHASE).flat_map(|ranking| &ranking.entries)
        {
            *ranks.entry(&entry.summary.label).or_default() +=
                entry.rank.map_or(all.len() + 1, |rank| rank.number);
        }
        let mut best = all.clone();
        best.sort_by_key(|label| ranks.get(label).copied().unwrap_or(usize::MAX));
        best.truncate(ENGINE_INKS);
        let shown =
            all.iter().filter(|label| best.contains(label)).map(|label| (*label).to_owned()).collect();
        Self { shown, left_out: all.len().saturating_sub(ENGINE_INKS) }
    }

    /// The place of an engine among those that are drawn as lines.
    pub fn index(&self, label: &str) -> Option<usize> {
        self.shown.iter().position(|shown| shown == label)
    }

    /// The colour of an engine.
    pub fn ink(&self, label: &str) -> Ink {
        self.index(label).map_or(Ink::Other, Ink::Engine)
    }

    /// How many engines are not drawn as lines.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }
}
