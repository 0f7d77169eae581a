//! All trials of a plan, in interleaved rounds: each round runs every cell once, in a random order of its own, so that a
//! machine that drifts harms no engine more than another.

use super::child::{self, ChildCommand};
use super::event::Progress;
use super::interrupt::Interrupt;
use super::job::{Job, cells, memory_trials};
use crate::exit::Failure;
use crate::measure::environment;
use crate::measure::resources::MachineTime;
use crate::results::model::{LoadWay, MemoryTrial, SweepResult, Trial};
use crate::workload::plan::{CellPlan, Plan};
use engines::Durability;
use engines::clock::{self, Clock};
use engines::entry::Storage;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// Keeps the order of the cells independent of the draws of the workload, which use the same seed.
const ORDER_STREAM: u64 = 0x6f72_6465_7200_0001;

/// How a sweep is run; what it measures is the plan's business.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What is run for a trial.
    pub command: ChildCommand,
    /// Where the data directories of trials are made.
    pub data_directory: PathBuf,
}

/// Who watches a sweep.
pub trait Observer {
    /// A trial begins: the `number`-th, from 0, of `total`.
    fn begin(&mut self, number: usize, total: usize, cell: &CellPlan, trial: u32);
    /// It has come so far.
    fn progress(&mut self, progress: &Progress);
    /// It has ended.
    fn end(&mut self, plan: &Plan, trial: &Trial);
    /// A memory trial begins; numbers go on where trials stopped.
    fn begin_memory(&mut self, number: usize, total: usize, cell: &CellPlan, way: LoadWay);
    /// It has ended.
    fn end_memory(&mut self, plan: &Plan, trial: &MemoryTrial);
}

/// Runs the plan. An interrupted sweep keeps the trials that were complete.
///
/// # Errors
/// If a data directory cannot be made.
pub fn run(
    plan: &Plan,
    setting: &Setting,
    interrupt: &Interrupt,
    observer: &mut dyn Observer,
) -> Result<SweepResult, Failure> {
    let started = Instant::now();
    let started_unix_seconds = clock::unix_seconds();
    let mut environment = environment::describe(&setting.data_directory, &Clock::new());
    let machine = MachineTime::now();
    let all = cells(plan);
    let order = order(plan.seed, all.len(), plan.trials);
    let memory_order = memory_trials(plan);
    let total = order.len() + memory_order.len();
    let mut trials = Vec::with_capacity(order.len());
    for (number, &(trial, index)) in order.iter().enumerate() {
        let Some(cell) = all.get(index) else { continue };
        if interrupt.requested() {
            break;
        }
        let directory = data_directory(cell, &setting.data_directory)?;
        let path = directory.as_ref().map(|directory| directory.path().to_path_buf());
        let job = Job { plan: plan.clone(), cell: index, trial, memory: None, directory: path };
        observer.begin(number, total, cell, trial);
        let ended =
            child::run(&setting.command, &job, interrupt, &mut |progress| observer.progress(progress));
        let Some(ended) = ended else { break };
        observer.end(plan, &ended);
        trials.push(ended);
    }
    let mut memory = Vec::with_capacity(memory_order.len());
    for (number, &(index, way)) in (order.len()..).zip(&memory_order) {
        let Some(cell) = all.get(index) else { continue };
        if interrupt.requested() {
            break;
        }
        let directory = data_directory(cell, &setting.data_directory)?;
        let path = directory.as_ref().map(|directory| directory.path().to_path_buf());
        let job = Job { plan: plan.clone(), cell: index, trial: 0, memory: Some(way), directory: path };
        observer.begin_memory(number, total, cell, way);
        let on_progress = &mut |progress: &Progress| observer.progress(progress);
        let Some(ended) = child::run_memory(&setting.command, &job, way, interrupt, on_progress) else {
            break;
        };
        observer.end_memory(plan, &ended);
        memory.push(ended);
    }
    environment.steal_fraction = MachineTime::now().steal_fraction_since(machine);
    Ok(SweepResult {
        plan: plan.clone(),
        environment,
        complete: trials.len() + memory.len() == total,
        trials,
        memory,
        started_unix_seconds,
        elapsed_seconds: started.elapsed().as_secs_f64(),
    })
}

/// (trial, cell) in the order they are run. A function of its arguments.
pub fn order(seed: u64, cells: usize, trials: u32) -> Vec<(u32, usize)> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ ORDER_STREAM);
    let mut order = Vec::with_capacity(cells * trials as usize);
    for trial in 0..trials {
        let mut round: Vec<_> = (0..cells).map(|cell| (trial, cell)).collect();
        round.shuffle(&mut random);
        order.append(&mut round);
    }
    order
}

/// A fresh directory for an engine that keeps files, in this cell or always; the parent owns it, so that it is removed even if the
/// child is killed. Cells that live in memory only get none.
fn data_directory(cell: &CellPlan, parent: &Path) -> Result<Option<TempDir>, Failure> {
    let has_files = engines::registry::find(&cell.engine).is_ok_and(|entry| entry.storage == Storage::Files);
    if !has_files && cell.durability == Durability::None {
        return Ok(None);
    }
    tempfile::Builder::new()
        .prefix("trial-")
        .tempdir_in(parent)
        .map(Some)
        .map_err(|error| Failure::io(format!("cannot make a directory in {}", parent.display()), &error))
}

#[cfg(test)]
mod tests {
    use super::super::testing::plan;
    use super::*;
    use crate::workload::plan::MemoryPlan;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl Observer for Log {
        fn begin(&mut self, number: usize, total: usize, cell: &CellPlan, trial: u32) {
            self.0.push(format!("{number}/{total} {}×{} {trial}", cell.label, cell.threads));
        }

        fn progress(&mut self, progress: &Progress) {
            self.0.push(progress.phase.clone());
        }

        fn end(&mut self, _: &Plan, trial: &Trial) {
            self.0.push(trial.error.clone().unwrap_or_default());
        }

        fn begin_memory(&mut self, number: usize, total: usize, cell: &CellPlan, way: LoadWay) {
            self.0.push(format!("{number}/{total} {} {way:?}", cell.label));
        }

        fn end_memory(&mut self, _: &Plan, trial: &MemoryTrial) {
            self.0.push(trial.error.clone().unwrap_or_default());
        }
    }

    /// A setting whose trials are a shell script.
    fn script(text: &str) -> Setting {
        let arguments = ["-c", text].map(Into::into).to_vec();
        Setting {
            command: ChildCommand { program: "/bin/sh".into(), arguments },
            data_directory: std::env::temp_dir(),
        }
    }

    #[test]
    fn rounds_are_complete_shuffled_and_repeatable() {
        let one = order(7, 10, 20);
        assert_eq!(one, order(7, 10, 20));
        assert_ne!(one, order(8, 10, 20));
        for (trial, round) in one.chunks(10).enumerate() {
            let mut cells: Vec<_> = round.iter().map(|&(_, cell)| cell).collect();
            assert!(round.iter().all(|&(of, _)| of as usize == trial));
            cells.sort_unstable();
            assert_eq!(cells, (0..10).collect::<Vec<_>>());
        }
        let rounds: std::collections::BTreeSet<Vec<_>> =
            one.chunks(10).map(|round| round.iter().map(|&(_, cell)| cell).collect()).collect();
        assert!(rounds.len() > 15, "rounds are shuffled anew");
    }

    #[test]
    fn a_child_that_fails_is_a_trial_with_an_error_and_the_sweep_goes_on() {
        let cases = [
            ("echo 'out of memory' >&2; kill -9 $$", "killed by signal 9 without a result: out of memory"),
            ("exit 3", "ended with status 3 without a result"),
            ("echo garbage; exec sleep 60", "what is not an event (\"garbage\")"),
            (r#"echo '{"event":"trial","trial":"?"}'; exec sleep 60"#, "a trial that cannot be read"),
        ];
        for (text, expected) in cases {
            let mut log = Log::default();
            let plan = Plan { trials: 1, ..plan() };
            let result = run(&plan, &script(text), &Interrupt::default(), &mut log).expect("no failure");
            assert_eq!((result.trials.len(), result.complete), (4, true), "2 cells and 2 null cells");
            for trial in &result.trials {
                let error = trial.error.as_deref().unwrap_or_default();
                assert!(error.contains(expected), "{error}");
                assert!(["btree", "null"].contains(&trial.label.as_str()));
            }
            assert_eq!(log.0.len(), 8, "{:?}", log.0);
        }
    }

    #[test]
    fn memory_trials_come_last_and_fail_alone() {
        let mut plan = Plan { trials: 1, ..plan() };
        plan.memory = Some(MemoryPlan {
            threads: 1,
            overwrite: None,
            compact: false,
            delete_all: false,
            bulk_load: true,
        });
        let mut log = Log::default();
        let result = run(&plan, &script("exit 3"), &Interrupt::default(), &mut log).expect("no failure");
        assert_eq!((result.trials.len(), result.memory.len(), result.complete), (4, 2, true));
        let begun: Vec<&String> = log.0.iter().filter(|entry| entry.contains('/')).skip(4).collect();
        assert_eq!(begun, ["4/6 btree Inserts", "5/6 btree Bulk"]);
        for (trial, way) in result.memory.iter().zip([LoadWay::Inserts, LoadWay::Bulk]) {
            let error = trial.error.as_deref().unwrap_or_default();
            assert!(error.contains("ended with status 3 without a result"), "{error}");
            assert_eq!((trial.cell, trial.label.as_str(), trial.way), (0, "btree", way));
        }
        let wrong = r#"echo '{"event":"memory","trial":"?"}'; exec sleep 60"#;
        let result = run(&plan, &script(wrong), &Interrupt::default(), &mut log).expect("no failure");
        let error = |trial: Option<&String>| trial.cloned().unwrap_or_default();
        assert!(
            error(result.trials[0].error.as_ref()).contains("another trial"),
            "{:?}",
            result.trials[0].error
        );
        assert!(error(result.memory[0].error.as_ref()).contains("cannot be read"));
    }

    #[test]
    fn only_cells_that_keep_files_have_a_directory() {
        let parent = tempfile::tempdir().expect("a directory");
        let [cell, _] = plan().cells.try_into().expect("two cells");
        for (durability, expected) in
            [(Durability::None, false), (Durability::Buffered, true), (Durability::Sync, true)]
        {
            let cell = CellPlan { durability, ..cell.clone() };
            let directory = data_directory(&cell, parent.path()).expect("no failure");
            assert_eq!(directory.is_some(), expected, "{durability}");
        }
        assert_eq!(std::fs::read_dir(parent.path()).expect("a directory").count(), 0, "removed again");
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error_of_the_trial() {
        let mut setting = script("");
        setting.command.program = "/nonexistent/program".into();
        let plan = Plan { trials: 1, ..plan() };
        let result = run(&plan, &setting, &Interrupt::default(), &mut Log::default()).expect("no failure");
        assert!(
            result.trials.iter().all(|trial| trial.error.as_deref().unwrap_or_default().contains("started"))
        );
    }

    #[test]
    fn progress_reaches_the_observer() {
        let line = r#"echo '{"event":"progress","phase":"load","done":0.5,"operations":1,"rate":2.0}'"#;
        let mut log = Log::default();
        run(&Plan { trials: 1, ..plan() }, &script(line), &Interrupt::default(), &mut log)
            .expect("no failure");
        assert_eq!(log.0.iter().filter(|entry| *entry == "load").count(), 4);
    }

    #[test]
    fn an_interrupted_sweep_is_incomplete() {
        let interrupt = Interrupt::default();
        let from_outside = interrupt.clone();
        let started = Instant::now();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            from_outside.request();
        });
        let result =
            run(&plan(), &script("exec sleep 60"), &interrupt, &mut Log::default()).expect("no failure");
        killer.join().expect("no panic");
        assert!(!result.complete && result.trials.is_empty());
        assert!(started.elapsed().as_secs() < 30, "the child was killed, not waited for");
    }
}
