//! Whether anything was seen in a sweep that makes its figures untrustworthy.

use crate::results::model::{SweepResult, Trial};

/// The first fault of a sweep, with its cell, trial and phase, and how many trials have one.
pub fn first(result: &SweepResult) -> Option<String> {
    let faults: Vec<String> = result
        .trials
        .iter()
        .filter_map(|trial| {
            let fault = of(trial)?;
            let threads =
                if trial.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", trial.threads) };
            Some(format!(
                "{}, {} at {threads}, trial {}: {fault}",
                result.plan.name, trial.label, trial.trial
            ))
        })
        .collect();
    let of_memory = result.memory.iter().filter_map(|trial| {
        let error = trial.error.as_ref()?;
        Some(format!("{}, {}, memory trial: {error}", result.plan.name, trial.label))
    });
    let faults: Vec<String> = faults.into_iter().chain(of_memory).collect();
    let first = faults.first()?;
    let others = faults.len() - 1;
    Some(if others == 0 { first.clone() } else { format!("{first} (and {others} more trials with faults)") })
}

/// The first fault of a trial: wrong answers before failed operations before an early end.
pub fn of(trial: &Trial) -> Option<String> {
    let counted = trial.phases.iter().flat_map(|phase| {
        phase.operations.iter().filter(|(_, found)| found.wrong + found.failed > 0).map(
            move |(kind, found)| {
                let first = found.first_fault.as_deref().unwrap_or("not told");
                let (wrong, failed) = (found.wrong, found.failed);
                format!(
                    "phase {}: {wrong} wrong and {failed} failed {} operations, the first: {first}",
                    phase.name,
                    kind.name()
                )
            },
        )
    });
    let verified =
        trial.verification.iter().filter(|verification| verification.wrong > 0).map(|verification| {
            let first = verification.first_fault.as_deref().unwrap_or("not told");
            format!("verification: {} wrong records, the first: {first}", verification.wrong)
        });
    let reopened = trial.reopened.iter().map(|reopened| &reopened.verification);
    let reopened = reopened.filter(|verification| verification.wrong > 0).map(|verification| {
        let first = verification.first_fault.as_deref().unwrap_or("not told");
        format!("verification after reopening: {} wrong records, the first: {first}", verification.wrong)
    });
    counted.chain(verified).chain(reopened).chain(trial.error.clone()).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;
    use engines::Durability;

    #[test]
    fn wrong_data_after_reopening_is_named_so() {
        let durability = vec![Durability::Sync];
        let mut sweep = Synthetic { threads: vec![1], trials: 1, durability, ..Synthetic::default() }.build();
        assert_eq!(first(&sweep), None);
        let again = &mut sweep.trials[1].reopened.as_mut().expect("reopened").verification;
        (again.wrong, again.first_fault) = (2, Some("k is missing".to_owned()));
        let told = first(&sweep).expect("a fault");
        assert!(
            told.ends_with("verification after reopening: 2 wrong records, the first: k is missing"),
            "{told}"
        );
        sweep.trials[1].error = Some("it broke".to_owned());
        assert_eq!(first(&sweep).as_deref(), Some(told.as_str()), "the cause before its effect");
    }
}
