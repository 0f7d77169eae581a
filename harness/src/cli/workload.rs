//! `harness workload`: what a workload file would run, which files there are, and the schema they follow.

use crate::exit::{Exit, Failure};
use crate::workload::diagnostic::grouped;
use crate::workload::overrides::Overrides;
use crate::workload::plan::{CellPlan, Plan};
use crate::workload::{estimate, file, planner, schema, summary};
use engines::entry::Entry;
use std::fs::File;
use std::io::{self, Write};
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
    /// How to tell it
    #[arg(long, value_enum, default_value_t = Format::Text)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// The plans as a JSON array
    Json,
}

/// Runs the verb.
///
/// # Errors
/// Faults of the files, all of them in one message; or standard output that cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match &arguments.verb {
        Verb::Check(check) => self::check(check, &mut out),
        Verb::List(list) => self::list(&list.directory, &mut out),
        Verb::Schema => {
            let text = schema::text().map_err(|error| Failure::new(Exit::Io, error.to_string()))?;
            write!(out, "{text}").map_err(unwritten)
        }
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

fn unwritten(error: io::Error) -> Failure {
    Failure::io("standard output cannot be written", &error)
}

fn check(arguments: &Check, out: &mut impl Write) -> Result<(), Failure> {
    let mut failures = Vec::new();
    let mut plans = Vec::new();
    for path in &arguments.files {
        match plan_file(path, &arguments.overrides) {
            Ok(plan) if arguments.format == Format::Text => {
                describe(&path.display().to_string(), &plan, out).map_err(unwritten)?;
            }
            Ok(plan) => plans.push(plan),
            Err(failure) => failures.push(failure),
        }
    }
    if arguments.format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, &plans).map_err(|error| unwritten(error.into()))?;
        writeln!(out).map_err(unwritten)?;
    }
    together(failures)
}

/// What the plan runs, in a few lines.
fn describe(file: &str, plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let distinct = |of: fn(&CellPlan) -> String| {
        let mut names: Vec<String> = Vec::new();
        for name in plan.cells.iter().map(of) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let (cells, trials) = (plan.cells.len(), plan.trials);
    let engines = distinct(|cell| {
        if cell.label == cell.engine {
            cell.label.clone()
        } else {
            format!("{} ({})", cell.label, cell.engine)
        }
    });
    let threads = distinct(|cell| cell.threads.to_string());
    let durability = distinct(|cell| cell.durability.to_string());
    writeln!(out, "{file}: {}", plan.name)?;
    if !plan.description.is_empty() {
        writeln!(out, "  {}", plan.description)?;
    }
    writeln!(out, "  cells       {cells}, {trials} {} each", if trials == 1 { "trial" } else { "trials" })?;
    writeln!(out, "  engines     {}", engines.join(", "))?;
    for left in &plan.left_out {
        writeln!(out, "  left out    {}: {}", left.engine, left.reason)?;
    }
    writeln!(out, "  durability  {}", durability.join(", "))?;
    writeln!(out, "  threads     {}", threads.join(", "))?;
    writeln!(out, "  load        {}", summary::load(plan))?;
    for phase in &plan.phases {
        writeln!(out, "  phase       {}", summary::phase(phase))?;
    }
    let seconds = estimate::duration(plan).as_secs().max(1);
    writeln!(
        out,
        "  time        about {} s for all {} trials",
        grouped(seconds),
        grouped(cells as u64 * u64::from(trials))
    )
}

fn list(directory: &Path, out: &mut impl Write) -> Result<(), Failure> {
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
        let heading = bytes_of(path).and_then(|bytes| {
            file::parse(&bytes)
                .and_then(|spec| Ok((spec.name.value.clone(), planner::description(&spec.description)?)))
                .map_err(|diagnostic| diagnostic.into_failure(&name))
        });
        match heading {
            Ok((workload, description)) => rows.push((workload, description)),
            Err(failure) => failures.push(failure),
        }
    }
    let width = rows.iter().map(|(workload, _)| workload.chars().count()).max().unwrap_or_default();
    for (workload, description) in &rows {
        writeln!(out, "{workload:width$}  {description}").map_err(unwritten)?;
    }
    together(failures)
}
