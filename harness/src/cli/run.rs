//! `harness run`: measures workload files and leaves results and a report.

mod display;
mod faults;
mod ranking;
mod summary;

use super::output::{Format, print};
use crate::exit::{Exit, Failure};
use crate::report;
use crate::results::model::SweepResult;
use crate::results::store;
use crate::runner::child::ChildCommand;
use crate::runner::interrupt::Interrupt;
use crate::runner::sweep::{self, Setting};
use crate::workload::file;
use crate::workload::overrides::Overrides;
use crate::workload::plan::Plan;
use display::Display;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

const EXAMPLES: &str = "\
Examples:
  harness run workloads/quick.yaml
  harness run workloads/ycsb-a.yaml --engines btree,hash --threads 1,2 --trials 5
  harness run workloads/ycsb-a.yaml workloads/ycsb-c.yaml --duration 2s --out reports/runs/mine
  harness run workloads/ycsb-a.yaml --format json --quiet > ranking.json

Each trial runs in a process of its own, cells in interleaved rounds, the null engine with them.
Results are the *.json files in the output directory; 'harness report' renders them again.

Of a workload with 'durability: [none, buffered, sync]' each class is measured: writes are in memory
only, survive the end of the process, or survive a power cut. Figures are compared within a class,
never across. After its last phase an engine that is not in memory only is closed, opened again from
its directory and read back once more; the times stand in the report.

Exit status: 0 done, 1 wrong data (before or after reopening), failed operations or a trial that
broke off, 2 a file or flag is wrong and nothing was begun, 5 a file could not be written, 130
interrupted, what was complete is kept.";

/// Measures workload files over engines and renders a report.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Workload files; all are read and checked before anything is run
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    /// Where results and report go [default: reports/runs/NAME, the name of the first workload]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where engines keep their files while they are measured [default: the output directory]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What is printed on standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the verb. It works on a thread of its own, so that a second Ctrl-C can end the program while a report is rendered.
///
/// # Errors
/// As the statuses in the examples say.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plans = plans(&arguments.files, &arguments.overrides)?;
    let Some(first) = plans.first() else { return Ok(()) };
    let out = arguments.out.clone().unwrap_or_else(|| Path::new("reports/runs").join(&first.name));
    let data = arguments.data_dir.clone().unwrap_or_else(|| out.clone());
    for directory in [&out, &data] {
        fs::create_dir_all(directory).map_err(|error| {
            Failure::io(format!("cannot make the directory {}", directory.display()), &error)
        })?;
    }
    let (tell, ended) = mpsc::channel();
    let at_once = tell.clone();
    let interrupt = Interrupt::listening(move || {
        // The receiver is gone only when the program ends anyway.
        let _ = at_once
            .send(Ok(Err(Failure::new(Exit::Interrupted, "interrupted twice; not everything was written"))));
    })?;
    let arguments = arguments.clone();
    thread::spawn(move || {
        let work = || measure(&arguments, &plans, &out, data, &interrupt);
        let _ = tell.send(catch_unwind(AssertUnwindSafe(work)));
    });
    match ended.recv() {
        Ok(outcome) => outcome.unwrap_or_else(|panic| resume_unwind(panic)),
        Err(mpsc::RecvError) => Err(Failure::new(Exit::Io, "the measurement was lost")),
    }
}

/// Runs all plans and writes and prints what they yielded.
fn measure(
    arguments: &Arguments,
    plans: &[Plan],
    out: &Path,
    data: PathBuf,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let setting = Setting { command: this_program()?, data_directory: data };
    let mut results = Vec::new();
    let mut stored = Ok(());
    for plan in plans {
        let mut display = Display::new(plan, arguments.quiet);
        let result = sweep::run(plan, &setting, interrupt, &mut display);
        display.finish();
        let result = result?;
        if result.trials.is_empty() {
            break;
        }
        stored = store::write(out, &result).map(drop);
        let complete = result.complete;
        results.push(result);
        if !complete || stored.is_err() {
            break;
        }
    }
    if results.is_empty() {
        return Err(Failure::new(
            Exit::Interrupted,
            "interrupted before the first trial was complete; nothing was kept",
        ));
    }
    // A file that cannot be written must not hide the figures.
    let written = report::write(out, &results);
    print(&text(arguments.format, &results))?;
    stored?;
    let report = written?;
    if arguments.format == Format::Text {
        print(&format!("report: {}\n", report.html.display()))?;
    }
    conclude(plans, &results)
}

/// Reads and plans all files; nothing is created.
fn plans(files: &[PathBuf], overrides: &Overrides) -> Result<Vec<Plan>, Failure> {
    let engines: Vec<_> = engines::registry::entries().collect();
    let mut names = BTreeSet::new();
    files
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let source = File::open(path)
                .map_err(|error| Failure::usage(format!("{name}: cannot be opened: {error}")))?;
            let plan = file::plan(&name, &file::read(&name, source)?, overrides, &engines)?;
            if !names.insert(plan.name.clone()) {
                return Err(Failure::usage(format!(
                    "{name}: another file names its workload '{}' too",
                    plan.name
                )));
            }
            Ok(plan)
        })
        .collect()
}

/// This program with the verb that runs one trial.
fn this_program() -> Result<ChildCommand, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::io("cannot find this program", &error))?;
    Ok(ChildCommand { program, arguments: vec!["trial".into()] })
}

/// What goes to standard output before the path of the report.
fn text(format: Format, results: &[SweepResult]) -> String {
    match format {
        Format::Text => results.iter().map(summary::text).collect(),
        Format::Json => ranking::json(results),
    }
}

/// The exit status, after everything has been written.
fn conclude(plans: &[Plan], results: &[SweepResult]) -> Result<(), Failure> {
    if let Some(fault) = results.iter().find_map(faults::first) {
        return Err(Failure::new(Exit::Negative, fault));
    }
    let complete = results.len() == plans.len() && results.iter().all(|result| result.complete);
    if complete {
        Ok(())
    } else {
        Err(Failure::new(Exit::Interrupted, "interrupted; the trials that were complete are kept"))
    }
}
