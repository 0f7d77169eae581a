//! `harness workload`: what a workload file would run, which files there are, and the schema they follow.

use super::output::{Format, print};
use crate::exit::Failure;
use crate::workload::diagnostic::grouped;
use crate::workload::overrides::Overrides;
use crate::workload::plan::{CellPlan, Plan};
use crate::workload::{estimate, file, schema, summary};
use engines::entry::Entry;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Checks, lists and documents workload files
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Tells what each file would run, without running it
    #[command(after_help = "\
Examples:
  harness workload check workloads/*.yaml
  harness workload check workloads/ycsb-a.yaml --engines btree,hash --threads 1,2
  harness workload check my.yaml --format json

Every fault is told as file:line:column and ends with exit status 2.")]
    Check(Check),
    /// Lists the workloads of a directory with their descriptions
    #[command(after_help = "\
Examples:
  harness workload list
  harness workload list my/workloads")]
    List(List),
    /// Prints the JSON Schema of workload files, for editors
    #[command(after_help = "\
Example:
  harness workload schema > workloads/schema.json")]
    Schema,
}

#[derive(Debug, clap::Args)]
struct Check {
    /// Workload files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How it is told; json prints the plans as an array
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Debug, clap::Args)]
struct List {
    /// The directory
    #[arg(default_value = "workloads", value_name = "DIR")]
    directory: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// Faults of the files, all of them in one message; or standard output that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        Verb::Check(arguments) => check(arguments),
        Verb::List(arguments) => list(&arguments.directory),
        Verb::Schema => print(&schema::text().map_err(unprintable)?),
    }
}

/// Reads a workload file and plans it with the engines of the registry.
///
/// # Errors
/// Every fault of the file, as a failure of the input.
pub fn plan_file(path: &Path, overrides: &Overrides) -> Result<Plan, Failure> {
    let engines: Vec<&Entry> = engines::registry::entries().collect();
    file::plan(&path.display().to_string(), &bytes_of(path)?, overrides, &engines)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let name = path.display().to_string();
    let source = File::open(path)
        .map_err(|error| Failure::usage(format!("{name}: cannot be opened: {error}")))
        .map_err(|failure| match path.extension() {
            Some(_) => failure,
            None => {
                failure.hint("workload files end in .yaml; 'harness workload list' shows those there are")
            }
        })?;
    file::read(&name, source)
}

/// A failure that stands for all, or none.
fn together(failures: Vec<Failure>) -> Result<(), Failure> {
    let mut failures = failures;
    if failures.len() <= 1 {
        return failures.pop().map_or(Ok(()), Err);
    }
    let number = failures.len();
    let lines: Vec<_> = failures.iter().map(ToString::to_string).collect();
    Err(Failure::usage(format!("{number} files cannot be used\n{}", lines.join("\n"))))
}

fn unprintable(error: serde_json::Error) -> Failure {
    Failure::io("making JSON", &error.into())
}

fn check(arguments: &Check) -> Result<(), Failure> {
    let mut failures = Vec::new();
    let mut plans = Vec::new();
    for path in &arguments.files {
        match plan_file(path, &arguments.overrides) {
            Ok(plan) => plans.push((path.display().to_string(), plan)),
            Err(failure) => failures.push(failure),
        }
    }
    print(&match arguments.format {
        Format::Text => plans.iter().map(|(file, plan)| describe(file, plan)).collect::<String>(),
        Format::Json => {
            let plans: Vec<_> = plans.iter().map(|(_, plan)| plan).collect();
            serde_json::to_string_pretty(&plans).map_err(unprintable)? + "\n"
        }
    })?;
    together(failures)
}

/// What the plan runs, in a few lines.
fn describe(file: &str, plan: &Plan) -> String {
    let distinct = |of: fn(&CellPlan) -> String| {
        let mut names: Vec<String> = Vec::new();
        for name in plan.cells.iter().map(of) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let trials = plan.trials;
    let cells = plan.cells.len() as u64;
    let engines = distinct(|cell| match cell.label == cell.engine {
        true => cell.label.clone(),
        false => format!("{} ({})", cell.label, cell.engine),
    });
    let mut lines = vec![format!("{file}: {}", plan.name)];
    let mut line = |heading: &str, text: String| lines.push(format!("  {heading:<11} {text}"));
    if !plan.description.is_empty() {
        line("models", plan.description.clone());
    }
    line("cells", format!("{cells}, {trials} {} each", if trials == 1 { "trial" } else { "trials" }));
    line("engines", engines.join(", "));
    for left in &plan.left_out {
        line("left out", format!("{}: {}", left.engine, left.reason));
    }
    line("durability", distinct(|cell| cell.durability.to_string()).join(", "));
    line("threads", distinct(|cell| cell.threads.to_string()).join(", "));
    line("load", summary::load(plan));
    for phase in &plan.phases {
        line("phase", summary::phase(phase));
    }
    line("memory", plan.memory.as_ref().map_or_else(|| "no trials".to_owned(), summary::memory));
    let seconds = grouped(estimate::duration(plan).as_secs().max(1));
    line("time", format!("about {seconds} s for {} trials", grouped(cells * u64::from(trials))));
    lines.join("\n") + "\n"
}

fn list(directory: &Path) -> Result<(), Failure> {
    let unread =
        |error: io::Error| Failure::usage(format!("{}: cannot be listed: {error}", directory.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::usage(format!("{}: no workload files (*.yaml) here", directory.display())));
    }
    let mut failures = Vec::new();
    let mut rows = Vec::new();
    for path in &paths {
        let name = path.display().to_string();
        let heading = bytes_of(path)
            .and_then(|bytes| file::heading(&bytes).map_err(|diagnostic| diagnostic.into_failure(&name)));
        match heading {
            Ok(row) => rows.push(row),
            Err(failure) => failures.push(failure),
        }
    }
    let width = rows.iter().map(|(workload, _)| workload.chars().count()).max().unwrap_or_default();
    let table: String =
        rows.iter().map(|(workload, description)| format!("{workload:width$}  {description}\n")).collect();
    print(&table)?;
    together(failures)
}
