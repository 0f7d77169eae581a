//! The check against the model: random sequences of a fixed seed, shrunk to the shortest that fails.

use super::check::{Check, Group, retains_writes};
use super::operation::{Operation, operations};
use super::subject::Subject;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::sync::atomic::Ordering::Relaxed;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "random sequences of operations do what the model does",
    group: Group::Randomized,
    applies: retains_writes,
    run,
}];

fn run(subject: &Subject) {
    let config = Config {
        cases: subject.cases(),
        // A sequence that still fails after as many steps is reported even if it could be shorter.
        max_shrink_iters: subject.cases(),
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let result = runner.run(&operations(subject.capabilities()), |operations| {
        Operation::apply_all(&operations, &*subject.open());
        subject.tally().cases.fetch_add(1, Relaxed);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{}: {error}", subject.name());
    }
}
