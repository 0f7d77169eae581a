//! Results on disk: one JSON file a workload, and what spreadsheets read beside it.

use super::model::SweepResult;
use super::publication::{Publication, file_stem};
use super::{export, wire};
use crate::exit::{Exit, Failure};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest result file that is read, bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The file that describes the machine.
pub const ENVIRONMENT_FILE: &str = "environment.json";

/// Writes `<workload>.json`, `<workload>.summary.csv`, `<workload>.series.csv`, `<workload>.memory.csv` and `environment.json` into
/// a directory and returns their paths in this order. Results that were there are replaced only when all are safely on disk.
///
/// # Errors
/// [`Exit::Io`] when a file cannot be written or one of these names belongs to somebody else; [`Exit::Negative`] when the result
/// contradicts itself, so that no file is written that could not be read.
pub fn write(directory: &Path, sweep: &SweepResult) -> Result<Vec<PathBuf>, Failure> {
    let text = wire::encode_sweep(sweep);
    wire::decode_sweep(&text).map_err(|error| {
        Failure::new(Exit::Negative, format!("the result of {:?} is not sound: {error}", sweep.plan.name))
    })?;
    let stem = file_stem(&sweep.plan.name);
    let text_is = |is_ours: fn(&str) -> bool| move |bytes: &[u8]| is_ours(&String::from_utf8_lossy(bytes));
    let mut publication = Publication::new(directory)?;
    publication.stage(&format!("{stem}.json"), text.as_bytes(), text_is(wire::is_sweep))?;
    let is_csv = |bytes: &[u8]| bytes.starts_with(export::FIRST_COLUMNS.as_bytes());
    publication.stage(&format!("{stem}.summary.csv"), &export::summary_csv(sweep)?, is_csv)?;
    publication.stage(&format!("{stem}.series.csv"), &export::series_csv(sweep)?, is_csv)?;
    publication.stage(&format!("{stem}.memory.csv"), &export::memory_csv(sweep)?, is_csv)?;
    let environment = wire::encode_environment(&sweep.environment);
    publication.stage(ENVIRONMENT_FILE, environment.as_bytes(), text_is(wire::is_environment))?;
    publication.commit()
}

/// Reads a result file.
///
/// # Errors
/// [`Exit::Io`] when it cannot be read, [`Exit::Usage`] when it is not a result that this program reads.
pub fn read(path: &Path) -> Result<SweepResult, Failure> {
    let failed = |error| Failure::io(format!("reading {}", path.display()), &error);
    let bad = |reason: String| Failure::usage(format!("{}: {reason}", path.display()));
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(bad("not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(bad(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| bad("not UTF-8".to_owned()))?;
    wire::decode_sweep(&text).map_err(|error| bad(error.to_string()))
}

/// The result files in a directory, by name; other files are passed over.
///
/// # Errors
/// [`Exit::Io`] when the directory cannot be read.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::io(format!("reading {}", directory.display()), &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            let mut beginning = Vec::new();
            File::open(&path).and_then(|file| file.take(4096).read_to_end(&mut beginning)).map_err(failed)?;
            if wire::is_sweep(&String::from_utf8_lossy(&beginning)) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::synthetic::Synthetic;

    fn small() -> SweepResult {
        Synthetic { threads: vec![1], trials: 2, bins: 5, ..Synthetic::default() }.build()
    }

    #[test]
    fn what_is_written_is_read_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let mut sweep = small();
        let paths = write(directory.path(), &sweep).unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        let csv = ["ycsb-a.summary.csv", "ycsb-a.series.csv", "ycsb-a.memory.csv"];
        assert_eq!(names, [&["ycsb-a.json"][..], &csv, &["environment.json"]].concat());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 5, "nothing else is left");
        assert_eq!(read(&paths[0]).unwrap().plan, sweep.plan);
        assert_eq!(list(directory.path()).unwrap(), [paths[0].clone()]);
        sweep.plan.seed = 7;
        write(directory.path(), &sweep).unwrap();
        assert_eq!(read(&paths[0]).unwrap().plan.seed, 7);
    }

    #[test]
    fn a_failure_leaves_the_result_that_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let mut sweep = small();
        let paths = write(directory.path(), &sweep).unwrap();
        let before: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        // The last file's name is taken by a directory: those before it must not change either.
        fs::remove_file(&paths[4]).unwrap();
        fs::create_dir(&paths[4]).unwrap();
        sweep.plan.seed = 7;
        assert_eq!(write(directory.path(), &sweep).unwrap_err().exit, Exit::Io);
        let after: Vec<_> = paths[..4].iter().map(|path| fs::read(path).unwrap()).collect();
        assert!(before[..4] == after[..]);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 5, "no half-written file is left");
        let file = directory.path().join("ycsb-a.json");
        assert_eq!(write(&file, &sweep).unwrap_err().exit, Exit::Io, "the directory is a file");
    }

    #[test]
    fn a_foreign_file_of_the_same_name_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ycsb-a.summary.csv");
        fs::write(&path, "date,amount\n").unwrap();
        assert!(write(directory.path(), &small()).unwrap_err().message.contains("not made by harness"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "date,amount\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_unsound_result_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut sweep = small();
        sweep.trials[0].phases[0].wall_seconds = f64::NAN;
        assert_eq!(write(directory.path(), &sweep).unwrap_err().exit, Exit::Negative);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        assert_eq!(read(&path).unwrap_err().exit, Exit::Io);
        for (content, words) in [
            ("", "EOF"),
            ("{}", "schema_version"),
            ("{\"schema_version\":\"2.0\",\"kind\":\"sweep\"}", "newer"),
            ("[1", "line 1"),
        ] {
            fs::write(&path, content).unwrap();
            let failure = read(&path).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(words) && failure.message.contains("x.json"), "{failure}");
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(read(&path).unwrap_err().message.contains("UTF-8"));
        assert_eq!(read(directory.path()).unwrap_err().exit, Exit::Usage);
        assert!(list(directory.path()).unwrap().is_empty());
    }

    /// The file was written by the first version of this format and is never written again.
    #[test]
    fn the_golden_file_of_1_0_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/result-1.0.json");
        let sweep = read(&path).unwrap();
        assert_eq!((sweep.plan.name.as_str(), sweep.plan.seed, sweep.complete), ("ycsb-a", 42, true));
        assert_eq!(sweep.trials.len(), 2 * (2 + 1));
        assert_eq!(
            (sweep.memory.len(), sweep.plan.memory.as_ref(), sweep.plan.phases[0].multiget_size),
            (0, None, 0)
        );
        assert_eq!(sweep.environment.cpu_model, "Example CPU @ 2.50GHz");
        let run = &sweep.trials[0].phases[1];
        let read = &run.operations[&crate::workload::operation::OperationKind::Read];
        assert_eq!((run.name.as_str(), run.series.len()), ("mixed", 5));
        assert_eq!((read.ok, read.latency_ns.len(), read.latency_ns.value_at_quantile(0.5)), GOLDEN_READ);
    }

    /// As above; 1.1 added memory trials, multigets and the allocator.
    #[test]
    fn the_golden_file_of_1_1_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/result-1.1.json");
        let sweep = read(&path).unwrap();
        assert_eq!((sweep.trials.len(), sweep.memory.len(), sweep.complete), (6, 4, true));
        assert_eq!(sweep.environment.allocator, "mimalloc 3.3.2");
        let [load, overwrite, delete] = sweep.memory[1].stages.as_slice() else { panic!("three stages") };
        assert_eq!((sweep.memory[1].label.as_str(), load.heap_bytes), ("btree", 133_500_000));
        assert_eq!((overwrite.records, delete.records, delete.rss_bytes), (1_000_000, 0, 15_000_000));
    }

    /// As above; 1.2 added what reopening yielded.
    #[test]
    fn the_golden_file_of_1_2_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/result-1.2.json");
        let sweep = read(&path).unwrap();
        assert_eq!((sweep.trials.len(), sweep.memory.len(), sweep.complete), (6, 4, true));
        let reopened = sweep.trials[0].reopened.as_ref().unwrap();
        assert_eq!((reopened.close_seconds, reopened.open_seconds), (0.125, 0.2375));
        assert_eq!((reopened.verification.records, reopened.verification.wrong), (1_000_000, 0));
        assert!(
            sweep.trials.iter().filter(|trial| trial.label == "null").all(|trial| trial.reopened.is_none())
        );
    }

    const GOLDEN_READ: (u64, u64, u64) = (2_346_954, 36_671, 107);
}
