//! `harness report`: makes a page and pictures of results.

use super::output::print;
use crate::exit::Failure;
use crate::report::{self, terminal};
use crate::results::store;
use std::path::PathBuf;

/// Makes an HTML page and PNG files of results.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  harness report results/                        page and pictures of all results in results/
  harness report ycsb-a.json --out ycsb-a        of one result, into the directory ycsb-a
  harness report a/ycsb-a.json b/ycsb-c.json     several workloads on one page

The ranking is printed to standard output; the page is report.html and needs no network.")]
pub struct Arguments {
    /// Result files, or directories that hold them.
    #[arg(required = true, value_name = "RESULT")]
    results: Vec<PathBuf>,
    /// Directory to write to [default: where the first result is].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the verb.
///
/// # Errors
/// When a result cannot be read or is not one, or when the report cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut paths = Vec::new();
    for result in &arguments.results {
        if result.is_dir() {
            let found = store::list(result)?;
            if found.is_empty() {
                return Err(Failure::usage(format!("{} holds no results", result.display()))
                    .hint("name a directory that `harness run --out` wrote to, or a result file"));
            }
            paths.extend(found);
        } else {
            paths.push(result.clone());
        }
    }
    let sweeps = paths.iter().map(|path| store::read(path)).collect::<Result<Vec<_>, _>>()?;
    let beside = paths.first().and_then(|path| path.parent()).map(PathBuf::from).unwrap_or_default();
    let beside = if beside.as_os_str().is_empty() { PathBuf::from(".") } else { beside };
    let report = report::write(arguments.out.as_ref().unwrap_or(&beside), &sweeps)?;
    let tables: Vec<String> = sweeps.iter().map(terminal::ranking_table).collect();
    let pictures = report.pngs.len();
    let text = format!("{}\nReport: {} and {pictures} PNG files\n", tables.join("\n"), report.html.display());
    print(&text)
}
