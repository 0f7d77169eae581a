//! Who is faster, as far as the trials can tell. Ranks and ratios exist only among cells of one phase, one durability class
//! and one thread count.

use super::interval::Interval;
use super::spread::Spread;
use super::summary::{Summary, classes, phases, thread_counts};
use crate::workload::plan::Plan;
use engines::Durability;

/// The ranking of one phase in one durability class at one thread count.
#[derive(Clone, Debug)]
pub struct Ranking<'a> {
    /// The phase.
    pub phase: &'a str,
    /// The durability class.
    pub durability: Durability,
    /// Worker threads.
    pub threads: u32,
    /// Best first, those without a rank last.
    pub entries: Vec<Entry<'a>>,
}

/// An engine's place.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its figures.
    pub summary: &'a Summary,
    /// Its rank from 1, or why it has none.
    pub rank: Result<Rank, Unranked>,
    /// Its throughput as a share of the reference's; nothing where no trial pairs with the reference.
    pub ratio: Option<Ratio>,
}

/// A rank, and whether others have it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// From 1; the next rank after a shared one leaves out as many as share it.
    pub number: usize,
    /// Whether the trials cannot tell it from another.
    pub shared: bool,
}

/// Why an engine has no rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unranked {
    /// No trial finished the phase.
    NotMeasured,
    /// It gave wrong answers; how fast it did so is beside the point.
    WrongData,
}

/// Throughput as a share of another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Median over pairs of trials.
    pub median: f64,
    /// Where that median lies.
    pub interval: Interval,
    /// Pairs of trials.
    pub pairs: usize,
}

/// The ratio of two cells: trials of the same number make a pair, because they were run near each other.
pub fn ratio(summary: &Summary, reference: &Summary) -> Option<Ratio> {
    let pairs: Vec<f64> = summary
        .rates
        .iter()
        .filter_map(|(trial, rate)| {
            let (_, other) = reference.rates.iter().find(|(number, _)| number == trial)?;
            (*other > 0.0).then(|| rate / other)
        })
        .collect();
    let median = Spread::of(pairs.iter().copied())?.median;
    Some(Ratio { median, pairs: pairs.len(), interval: Interval::of_median(pairs)? })
}

/// All rankings of a sweep: by phase, class and threads.
pub fn rank<'a>(plan: &'a Plan, summaries: &'a [Summary]) -> Vec<Ranking<'a>> {
    let mut rankings = Vec::new();
    for phase in phases(plan) {
        for durability in classes(plan) {
            for threads in thread_counts(plan) {
                let cells = summaries.iter().filter(|summary| {
                    !summary.is_null
                        && summary.phase == phase
                        && summary.durability == durability
                        && summary.threads == threads
                });
                let entries = entries(cells.collect());
                if !entries.is_empty() {
                    rankings.push(Ranking { phase, durability, threads, entries });
                }
            }
        }
    }
    rankings
}

/// Ranks in order of the medians. An engine shares the rank of the one that leads it if the interval of their ratio
/// crosses 1, or if no trial pairs them and so nothing tells them apart; otherwise it leads the next rank.
fn entries(summaries: Vec<&Summary>) -> Vec<Entry<'_>> {
    let (mut ranked, unranked): (Vec<_>, Vec<_>) = summaries
        .into_iter()
        .map(|summary| (summary, eligible(summary)))
        .partition(|(_, median)| median.is_ok());
    // Stable, so engines of the same median stay in the order of the plan.
    ranked.sort_by(|(_, left), (_, right)| {
        right.unwrap_or(f64::NEG_INFINITY).total_cmp(&left.unwrap_or(f64::NEG_INFINITY))
    });
    let best = ranked.first().map(|(summary, _)| *summary);
    let to_best = |summary| best.and_then(|best| ratio(summary, best));
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut leader: Option<(usize, &Summary)> = None;
    for (position, (summary, _)) in ranked.into_iter().enumerate() {
        let tied = leader
            .filter(|(_, first)| ratio(summary, first).is_none_or(|ratio| ratio.interval.contains(1.0)));
        let (number, first) = tied.unwrap_or((position + 1, summary));
        leader = Some((number, first));
        if tied.is_some() {
            for entry in entries.iter_mut().rev() {
                match &mut entry.rank {
                    Ok(rank) if rank.number == number => rank.shared = true,
                    _ => break,
                }
            }
        }
        let rank = Ok(Rank { number, shared: tied.is_some() });
        entries.push(Entry { summary, rank, ratio: to_best(summary) });
    }
    for (summary, median) in unranked {
        let reason = median.err().unwrap_or(Unranked::NotMeasured);
        entries.push(Entry { summary, rank: Err(reason), ratio: None });
    }
    entries
}

fn eligible(summary: &Summary) -> Result<f64, Unranked> {
    if summary.wrong() > 0 {
        return Err(Unranked::WrongData);
    }
    match summary.throughput {
        Some(spread) if spread.median > 0.0 => Ok(spread.median),
        _ => Err(Unranked::NotMeasured),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::summary::summarize;
    use crate::results::model::SweepResult;
    use crate::results::synthetic::Synthetic;

    /// A sweep of one thread count whose run phase has these rates, engine by engine.
    fn sweep(rates: &[(&str, &[f64])]) -> SweepResult {
        let engines = rates.iter().map(|(label, _)| ((*label).to_owned(), 100.0, 0.0)).collect();
        let trials = rates.iter().map(|(_, rates)| rates.len()).max().unwrap() as u32;
        let mut sweep =
            Synthetic { engines, threads: vec![1], trials, bins: 5, ..Synthetic::default() }.build();
        for trial in &mut sweep.trials {
            let Some((_, rates)) = rates.get(trial.cell) else { continue };
            let worker = &mut trial.phases[1].workers[0];
            match rates.get(trial.trial as usize) {
                Some(rate) => (worker.operations, worker.busy_ns) = ((rate * 1e6) as u64, 1_000_000_000),
                None => trial.phases.truncate(1),
            }
        }
        sweep
    }

    fn ranks(rates: &[(&str, &[f64])]) -> Vec<(String, Result<Rank, Unranked>)> {
        let sweep = sweep(rates);
        let summaries = summarize(&sweep);
        let rankings = rank(&sweep.plan, &summaries);
        let mixed = rankings.iter().find(|ranking| ranking.phase == "mixed").unwrap();
        mixed.entries.iter().map(|entry| (entry.summary.label.clone(), entry.rank)).collect()
    }

    const fn at(number: usize, shared: bool) -> Result<Rank, Unranked> {
        Ok(Rank { number, shared })
    }

    #[test]
    fn ranks_are_shared_where_the_interval_crosses_one() {
        let found = ranks(&[
            ("slow", &[2.0, 2.1, 1.9, 2.0, 2.2]),
            ("first", &[8.0, 9.0, 7.0, 8.2, 8.1]),
            ("second", &[7.9, 8.9, 7.1, 8.0, 8.0]),
            ("third", &[6.0, 6.1, 6.2, 6.0, 6.1]),
        ]);
        let expected = [
            ("first", at(1, true)),
            ("second", at(1, true)),
            ("third", at(3, false)),
            ("slow", at(4, false)),
        ];
        assert_eq!(found, expected.map(|(label, rank)| (label.to_owned(), rank)));
    }

    #[test]
    fn a_machine_that_drifts_hides_nothing_because_trials_are_paired() {
        // The trials of each overlap widely, but in every pair the one is 5 % faster.
        let found = ranks(&[("a", &[10.0, 6.0, 8.0, 12.0, 7.0]), ("b", &[9.5, 5.7, 7.6, 11.4, 6.65])]);
        assert_eq!(found, [("a".to_owned(), at(1, false)), ("b".to_owned(), at(2, false))]);
    }

    #[test]
    fn the_ratio_is_the_median_over_pairs() {
        let sweep = sweep(&[("a", &[10.0, 10.0, 10.0, 10.0, 20.0]), ("b", &[5.0, 6.0, 7.0, 8.0, 6.0])]);
        let summaries = summarize(&sweep);
        let rankings = rank(&sweep.plan, &summaries);
        let mixed = rankings.iter().find(|ranking| ranking.phase == "mixed").unwrap();
        let ratio = mixed.entries[1].ratio.unwrap();
        assert_eq!((ratio.median, ratio.interval.low, ratio.interval.high, ratio.pairs), (0.6, 0.3, 0.8, 5));
        assert_eq!(ratio.interval.confidence, 0.9375);
        assert_eq!(mixed.entries[0].ratio.unwrap().median, 1.0);
    }

    #[test]
    fn engines_that_were_not_measured_or_were_wrong_have_no_rank() {
        let mut sweep = sweep(&[("a", &[1.0, 1.0]), ("b", &[]), ("c", &[9.0, 9.0])]);
        for trial in sweep.trials.iter_mut().filter(|trial| trial.label == "c") {
            trial.phases[1].operations.values_mut().next().unwrap().wrong = 1;
        }
        let summaries = summarize(&sweep);
        let rankings = rank(&sweep.plan, &summaries);
        let mixed = rankings.iter().find(|ranking| ranking.phase == "mixed").unwrap();
        let found: Vec<_> =
            mixed.entries.iter().map(|entry| (entry.summary.label.as_str(), entry.rank)).collect();
        assert_eq!(
            found,
            [("a", at(1, false)), ("b", Err(Unranked::NotMeasured)), ("c", Err(Unranked::WrongData))]
        );
    }

    #[test]
    fn engines_that_no_trial_pairs_are_not_told_apart() {
        let mut sweep = sweep(&[("a", &[2.0, 2.1, 2.0, 2.2]), ("b", &[1.0, 1.1, 1.0, 1.2])]);
        for trial in &mut sweep.trials {
            // The one broke off in the first two trials, the other in the last two.
            let broke_off = if trial.label == "a" { 0..2 } else { 2..4 };
            if broke_off.contains(&trial.trial) {
                trial.phases.truncate(1);
            }
        }
        let summaries = summarize(&sweep);
        let rankings = rank(&sweep.plan, &summaries);
        let mixed = rankings.iter().find(|ranking| ranking.phase == "mixed").unwrap();
        let found: Vec<_> = mixed.entries.iter().map(|entry| (entry.rank, entry.ratio.is_some())).collect();
        assert_eq!(found, [(at(1, true), true), (at(1, true), false)]);
    }

    #[test]
    fn classes_are_never_ranked_together() {
        let sweep = Synthetic {
            durability: vec![Durability::None, Durability::Sync],
            trials: 1,
            ..Synthetic::default()
        };
        let sweep = sweep.build();
        let summaries = summarize(&sweep);
        let rankings = rank(&sweep.plan, &summaries);
        assert_eq!(rankings.len(), 2 * 2 * 3);
        for ranking in rankings {
            assert_eq!(ranking.entries.len(), 4);
            assert!(ranking.entries.iter().all(|entry| entry.summary.durability == ranking.durability));
            assert_eq!(ranking.entries[0].rank.unwrap().number, 1, "each class has a best of its own");
        }
    }
}
