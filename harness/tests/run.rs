//! `harness run` as a process: exit statuses, files, interruption, crashes and determinism.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use engines::testing::within;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A workload of a few milliseconds, bounded by operations.
const SMALL: &str = "
name: small
description: A workload for tests
engines: [btree, hash]
threads: [1, 2]
trials: 2
records: 2_000
warmup: 0s
phases:
  - { name: mixed, operations: 6_000, request_distribution: zipfian, read_proportion: 0.6, update_proportion: 0.2, insert_proportion: 0.2 }
";

/// A workload that would take minutes.
const LONG: &str = "
name: long
description: A workload to be interrupted
engines: [btree]
threads: [1]
trials: 50
records: 1_000
warmup: 0s
phases:
  - { name: reads, duration: 2s, request_distribution: uniform, read_proportion: 1.0 }
";

/// A directory with workload files, and the program.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("a file");
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.current_dir(self.directory.path()).args(arguments).stdin(Stdio::null());
        command.env_remove("RUST_BACKTRACE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        within(Duration::from_secs(120), "the program", move || command.output()).expect("the program runs")
    }

    fn result(&self, path: &str) -> Value {
        let text = fs::read_to_string(self.path(path)).expect("a result file");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What the directory holds.
    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(directory)).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

fn status(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(name: &str, process: u32) {
    let done = Command::new("kill").args([name, &process.to_string()]).status().expect("kill exists");
    assert!(done.success());
}

/// The processes that any thread of a process has started and that still run.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
    let texts =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    texts
        .flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Waits for a process, but not for ever.
fn wait(mut child: Child, limit: Duration) -> Option<i32> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait().expect("can be waited for") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    panic!("still running after {limit:?}");
}

/// (label, threads, phase) and the digests of each worker, of every trial.
fn digests(result: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for trial in result["trials"].as_array().expect("trials") {
        for phase in trial["phases"].as_array().expect("phases") {
            let workers = phase["workers"].as_array().expect("workers");
            let digests: Vec<&Value> = workers.iter().map(|worker| &worker["digests"]).collect();
            let place = format!("{} {}", trial["threads"], phase["name"]);
            all.push((place, serde_json::to_string(&digests).expect("JSON")));
        }
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn a_run_leaves_results_and_a_report_and_nothing_else() {
    let place =
        Place::new(&[("small.yaml", SMALL), ("other.yaml", &SMALL.replace("name: small", "name: other"))]);
    let output = place.run(&["run", "small.yaml", "other.yaml"]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert_eq!(text.lines().last(), Some("report: reports/runs/small/report.html"), "{text}");
    let words = ["btree", "hash", "2 threads", "harness's own cost", "hit rate", "peak memory", "longest"];
    for words in words.into_iter().chain(["memory beyond key and value", "counted B/record"]) {
        assert!(text.contains(words), "{words}: {text}");
    }
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 2 * (12 + 2), "a line a trial: {told}");
    for file in [
        "small.json",
        "small.summary.csv",
        "small.memory.csv",
        "other.json",
        "environment.json",
        "report.html",
    ] {
        assert!(place.path("reports/runs/small").join(file).is_file(), "{file}");
    }
    assert!(place.names("reports/runs/small").iter().all(|name| !name.starts_with("trial-")));

    let result = place.result("reports/runs/small/small.json");
    assert_eq!(
        (&result["complete"], result["trials"].as_array().map(Vec::len)),
        (&Value::Bool(true), Some(12))
    );
    for trial in result["trials"].as_array().expect("trials") {
        assert_eq!(trial["error"], Value::Null);
        assert_eq!(trial["phases"][1]["operations"]["read"]["wrong"], 0);
        let null = trial["label"] == "null";
        assert_eq!(trial["verification"]["wrong"], if null { Value::Null } else { 0.into() }, "{trial}");
    }
}

#[test]
fn json_is_for_programs_and_quiet_is_quiet() {
    let place = Place::new(&[("small.yaml", SMALL)]);
    let arguments = [
        "run",
        "small.yaml",
        "--engines",
        "hash",
        "--threads",
        "2",
        "--trials",
        "1",
        "--format",
        "json",
        "--quiet",
    ];
    let output = place.run(&[&arguments[..], &["--out", "here", "--data-dir", "there"]].concat());
    assert_eq!((status(&output), stderr(&output).as_str()), (Some(0), ""));
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON and nothing else");
    let rankings = value["workloads"][0]["rankings"].as_array().expect("rankings");
    assert!(rankings.iter().all(|ranking| ranking["entries"][0]["label"] == "hash"), "{value}");
    assert!(place.path("here/small.json").is_file() && place.path("here/report.html").is_file());
    assert!(place.names("there").is_empty());
}

#[test]
fn the_seed_decides_every_operation() {
    let place = Place::new(&[("small.yaml", SMALL)]);
    let run = |out: &str, seed: &str| {
        let output =
            place.run(&["run", "small.yaml", "--quiet", "--trials", "2", "--seed", seed, "--out", out]);
        assert_eq!(status(&output), Some(0), "{}", stderr(&output));
        digests(&place.result(&format!("{out}/small.json")))
    };
    let one = run("one", "7");
    assert_eq!(one, run("again", "7"));
    let expected = ["1 \"load\"", "1 \"mixed\"", "2 \"load\"", "2 \"mixed\""];
    let places: Vec<&str> = one.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, expected, "the same in every engine and trial");
    let other = run("other", "8");
    for (mine, theirs) in one.iter().zip(&other).filter(|((place, _), _)| place.contains("mixed")) {
        assert_ne!(mine, theirs);
    }
}

#[test]
fn wrong_input_is_found_before_anything_is_begun() {
    let broken = SMALL.replace("read_proportion: 0.6", "read_proportion: 0.7");
    let place = Place::new(&[("small.yaml", SMALL), ("broken.yaml", &broken)]);
    let cases: [(&[&str], &str); 6] = [
        (&["run"], "FILE"),
        (&["run", "absent.yaml"], "absent.yaml: cannot be opened"),
        (&["run", "small.yaml", "broken.yaml"], "broken.yaml"),
        (&["run", "small.yaml", "small.yaml"], "names its workload 'small' too"),
        (&["run", "small.yaml", "--engines", "btre"], "btree"),
        (&["run", "small.yaml", "--format", "xml"], "xml"),
    ];
    for (arguments, words) in cases {
        let output = place.run(arguments);
        assert_eq!((status(&output), stdout(&output).as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!place.path("reports").exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_of_files() {
    let place = Place::new(&[("small.yaml", SMALL), ("file", "")]);
    let output = place.run(&["run", "small.yaml", "--out", "file/below"]);
    assert_eq!(status(&output), Some(5));
    assert!(stderr(&output).contains("file/below"), "{}", stderr(&output));
}

#[test]
fn figures_are_shown_even_if_their_file_cannot_be_written() {
    let place = Place::new(&[("small.yaml", SMALL)]);
    fs::create_dir_all(place.path("out/small.json")).expect("a directory in the way");
    let output = place.run(&["run", "small.yaml", "--out", "out", "--trials", "1"]);
    assert_eq!(status(&output), Some(5));
    assert!(stderr(&output).contains("small.json"), "{}", stderr(&output));
    assert!(stdout(&output).contains("hit rate: 100 %"), "{}", stdout(&output));
}

/// Every stage of a memory trial.
const MEMORY: &str = "
memory:
  overwrite: { passes: 2, value: { distribution: uniform, min: 50, max: 150 } }
  compact: true
  delete_all: true
  bulk_load: true
phases:";

/// Stages of a memory trial, by what was done last.
fn stages<'a>(result: &'a Value, label: &str, way: &str) -> Vec<&'a Value> {
    let mut trials = result["memory"].as_array().into_iter().flatten();
    let trial = trials.find(|trial| trial["label"] == label && trial["way"] == way).expect("a memory trial");
    assert_eq!(trial["error"], Value::Null);
    trial["stages"].as_array().expect("stages").iter().collect()
}

#[test]
fn memory_is_told_after_every_stage() {
    let workload =
        SMALL.replace("2_000", "50_000").replace("\nphases:", MEMORY).replace("[btree, hash]", "all");
    let place = Place::new(&[("small.yaml", &workload)]);
    let arguments = ["run", "small.yaml", "--out", "out", "--trials", "1", "--threads", "1"];
    let output = place.run(&arguments);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let result = place.result("out/small.json");
    let environment = &result["environment"]["allocator"];
    assert!(environment.as_str().is_some_and(|name| name.starts_with("mimalloc ")), "{environment}");
    let figure = |stage: &Value, name: &str| stage[name].as_i64().expect("a figure");
    for label in ["array", "rbtree", "hash", "btree", "lsm-memtable"] {
        let all = stages(&result, label, "inserts");
        let told: Vec<(&str, bool)> = all
            .iter()
            .map(|stage| (stage["after"].as_str().unwrap_or(""), stage["compacted"] == true))
            .collect();
        let expected =
            [("load", false), ("overwrite", false), ("overwrite", true), ("delete", false), ("delete", true)];
        assert_eq!(told, expected, "{label}");
        let bulk = stages(&result, label, "bulk");
        for stage in [&all[..3], &bulk[..]].concat() {
            let live = figure(stage, "live_bytes");
            let (heap, rss) = (figure(stage, "heap_bytes"), figure(stage, "rss_bytes"));
            // No engine compresses: keys and values are there, and not many times as much. Resident is at least what is live, but
            // for code and buffers that were touched before.
            assert!(heap >= live && heap < 8 * live, "{label}: {stage}");
            assert!(rss > live - (1 << 20) && rss < 8 * live + (8 << 20), "{label}: {stage}");
            assert!(figure(stage, "heap_peak_bytes") >= heap, "{label}: {stage}");
            assert!(figure(stage, "rss_peak_bytes") >= rss, "{label}: {stage}");
            assert!(figure(stage, "heap_blocks") > 0, "{label}: {stage}");
        }
        let left = figure(all[4], "heap_bytes");
        assert!(left < figure(all[0], "heap_bytes") && figure(all[4], "records") == 0, "{label}: {left}");
    }
    let csv = fs::read_to_string(place.path("out/small.memory.csv")).expect("the memory figures");
    assert_eq!(csv.lines().count(), 1 + 5 * 6, "{csv}");
    let text = stdout(&output);
    for words in ["2 overwrites, compact", "delete all, compact", "bulk load", "left, resident"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let page = fs::read_to_string(place.path("out/report.html")).expect("the report");
    assert!(page.contains("Memory beyond key and value") && place.path("out/small-memory.png").is_file());

    let again = ["run", "small.yaml", "--out", "again", "--trials", "1", "--threads", "1", "--quiet"];
    assert_eq!(status(&place.run(&again)), Some(0));
    let again = place.result("again/small.json");
    for label in ["hash", "btree"] {
        for (one, other) in stages(&result, label, "inserts").iter().zip(stages(&again, label, "inserts")) {
            assert_eq!(one["live_bytes"], other["live_bytes"], "the seed decides");
        }
        let loaded = |result: &Value| figure(stages(result, label, "inserts")[0], "heap_bytes");
        let (one, other) = (loaded(&result), loaded(&again));
        assert!((one - other).abs() <= one / 100, "{label}: {one} and {other}");
    }
}

#[test]
fn memory_trials_can_be_left_out() {
    let none = SMALL.replace("\nphases:", "\nmemory: none\nphases:");
    let place = Place::new(&[("small.yaml", SMALL), ("none.yaml", &none)]);
    for arguments in [&["run", "none.yaml"][..], &["run", "small.yaml", "--no-memory"]] {
        let output = place.run(&[arguments, &["--out", "out", "--trials", "1"]].concat());
        assert_eq!(status(&output), Some(0), "{}", stderr(&output));
        assert_eq!(place.result("out/small.json")["memory"].as_array().map(Vec::len), Some(0));
        assert!(!stdout(&output).contains("memory beyond"), "{}", stdout(&output));
        assert!(!stderr(&output).contains("memory"), "{}", stderr(&output));
    }
    let wrong = SMALL.replace("\nphases:", "\nmemory: { compct: true }\nphases:");
    let place = Place::new(&[("small.yaml", &wrong)]);
    let output = place.run(&["run", "small.yaml"]);
    assert_eq!(status(&output), Some(2));
    let told = stderr(&output);
    assert!(told.contains("small.yaml:9:11: unknown field 'compct'; did you mean 'compact'?"), "{told}");
    assert!(told.contains("hint: "), "{told}");
}

#[test]
fn wrong_data_in_a_memory_trial_is_no_success() {
    let liar = SMALL.replace("[btree, hash]", "[{ engine: liar, options: { every: 100 } }]");
    let place = Place::new(&[("small.yaml", &liar)]);
    let output = place.run(&["run", "small.yaml", "--out", "out", "--trials", "1", "--threads", "1"]);
    assert_eq!(status(&output), Some(1));
    let result = place.result("out/small.json");
    let error = result["memory"][0]["error"].as_str().unwrap_or_default();
    assert!(
        error.starts_with("after load: ") && error.contains("records are wrong, the first: user"),
        "{error}"
    );
    assert!(
        stdout(&output).contains("liar: the memory trial ended early: after load"),
        "{}",
        stdout(&output)
    );
    assert!(!stdout(&output).contains("counted B/record"), "figures of a liar are not shown");
}

#[test]
fn multigets_are_measured_beside_single_reads() {
    let phases = "phases:
  - { name: one-by-one, operations: 8_000, read_proportion: 1 }
  - { name: sixteen, operations: 500, multiget_proportion: 1, multiget_size: 16 }
  - { name: mixed, operations: 1_000, multiget_proportion: 0.5, insert_proportion: 0.25, delete_proportion: 0.25 }
";
    let head = SMALL.split("phases:").next().expect("the head");
    let workload = format!("{head}check_one_in: 1\nmemory: none\n{phases}");
    let place = Place::new(&[("small.yaml", &workload)]);
    let output = place.run(&["run", "small.yaml", "--out", "out", "--engines", "all", "--trials", "1"]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let result = place.result("out/small.json");
    for trial in result["trials"].as_array().expect("trials") {
        let sixteen = &trial["phases"][2]["operations"]["multiget"];
        assert_eq!((&sixteen["ok"], &sixteen["wrong"]), (&500.into(), &0.into()), "{sixteen}");
        assert_eq!(sixteen["records_scanned"], 16 * 500);
        let checked = if trial["label"] == "null" { 0 } else { 500 };
        assert_eq!(sixteen["checked"], checked, "every answer is compared");
        let sum: u64 = trial["phases"][2]["workers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|worker| worker["operations"].as_u64())
            .sum();
        assert_eq!(sum, 500, "a call is one operation");
    }
    let text = stdout(&output);
    assert!(text.contains("records/s") && text.contains("multiget p50"), "{text}");
    let one_by_one = text.split("\nsixteen").next().unwrap_or_default();
    assert!(!one_by_one.contains("records/s"), "single reads need no second rate: {one_by_one}");
    let csv = fs::read_to_string(place.path("out/small.summary.csv")).expect("the figures");
    assert!(csv.lines().next().unwrap_or_default().contains("records_scanned,records_per_second"), "{csv}");

    for (size, words) in [("0", "must be 1 to 1,024, not 0"), ("2000", "must be 1 to 1,024, not 2,000")] {
        let wrong = workload.replace("multiget_size: 16", &format!("multiget_size: {size}"));
        let place = Place::new(&[("small.yaml", &wrong)]);
        let output = place.run(&["run", "small.yaml"]);
        assert_eq!(status(&output), Some(2));
        assert!(
            stderr(&output).contains(words) && stderr(&output).contains("small.yaml:13:"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn the_longest_insert_of_the_load_is_told() {
    let stall = SMALL
        .replace("[btree, hash]", "[{ engine: stall, options: { pause_ms: 60, every_ms: 90 } }]")
        .replace("2_000", "200_000")
        .replace("warmup: 0s", "warmup: 0s\nlatency: { sampled: 1000 }\nmemory: none");
    let place = Place::new(&[("small.yaml", &stall)]);
    let arguments =
        ["run", "small.yaml", "--out", "out", "--trials", "1", "--threads", "1", "--format", "json"];
    let output = place.run(&arguments);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let rankings = value["workloads"][0]["rankings"].as_array().expect("rankings");
    let load = rankings.iter().find(|ranking| ranking["phase"] == "load").expect("the load");
    let longest = load["entries"][0]["latency_ns_max"].as_u64().expect("a time");
    assert!(longest >= 50_000_000, "{longest}: the pause falls on one insert of thousands, and is seen");
}

#[test]
fn a_reader_who_went_away_costs_nothing() {
    let place = Place::new(&[("small.yaml", SMALL)]);
    let full = || fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut command = place.command(&["run", "small.yaml", "--out", "out", "--trials", "1"]);
    command.stdout(Stdio::null()).stderr(full());
    assert_eq!(wait(command.spawn().expect("starts"), Duration::from_secs(60)), Some(0));
    assert_eq!(place.result("out/small.json")["complete"], true);
    let mut command = place.command(&["report", "nothing"]);
    command.stderr(full());
    assert_eq!(wait(command.spawn().expect("starts"), Duration::from_secs(60)), Some(5));
    let mut command = place.command(&["report", "out"]);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    drop(child.stdout.take());
    assert_eq!(wait(child, Duration::from_secs(60)), Some(0));
}

#[test]
fn verification_is_no_part_of_the_peak() {
    let records = SMALL.replace("2_000", "200_000").replace("6_000", "400_000").replace("[1, 2]", "1");
    let place = Place::new(&[("small.yaml", &records.replace("insert_", "read_modify_write_"))]);
    let output = place.run(&["run", "small.yaml", "--out", "out", "--trials", "1", "--engines", "btree"]);
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let result = place.result("out/small.json");
    let memory = |label: &str, figure: &str| {
        let trials = result["trials"].as_array().into_iter().flatten();
        let trial = trials.into_iter().find(|trial| trial["label"] == label).expect("a trial");
        trial["memory"][figure].as_u64().expect("a figure")
    };
    // Only updates of the same length: what the peak has over the load is the harness's own, which `null` shows too.
    let over = |label| memory(label, "rss_peak_bytes").saturating_sub(memory(label, "rss_loaded_bytes"));
    assert!(over("btree") < over("null") + (2 << 20), "{} and {}", over("btree"), over("null"));
    let empty = memory("null", "rss_loaded_bytes") - memory("null", "rss_before_bytes");
    // mimalloc keeps a little more for each thread than was asked for.
    assert!(empty < 5 << 19, "{empty} bytes of the harness are counted as the engine's");
}

#[test]
fn wrong_data_is_no_success() {
    let liar = SMALL.replace("[btree, hash]", "[btree, { engine: liar, options: { every: 100 } }]");
    let place = Place::new(&[("small.yaml", &liar)]);
    let output = place.run(&["run", "small.yaml", "--out", "out", "--trials", "1", "--threads", "1"]);
    assert_eq!(status(&output), Some(1));
    let last = stderr(&output).lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("error: small, liar at 1 thread, trial 0: "), "{last}");
    assert!(!last.contains("btree"), "{last}");
    assert_eq!(place.result("out/small.json")["complete"], true);
    assert!(place.path("out/report.html").is_file());
}

#[test]
fn an_interruption_keeps_what_is_complete() {
    let place = Place::new(&[("long.yaml", LONG)]);
    let mut child = place
        .command(&["run", "long.yaml", "--out", "out", "--duration", "300ms"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    for _ in 0..2 {
        let line = lines.next().expect("a trial ends").expect("text");
        assert!(line.starts_with("long "), "{line}");
    }
    let trial = children(child.id());
    signal("-INT", child.id());
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    assert_eq!(wait(child, Duration::from_secs(60)), Some(130));
    assert!(rest.join().expect("no panic").contains("interrupted"));
    assert!(
        trial.iter().all(|id| !PathBuf::from(format!("/proc/{id}")).exists()),
        "the trial's process has ended"
    );
    let result = place.result("out/long.json");
    let trials = result["trials"].as_array().expect("trials").len();
    assert_eq!(result["complete"], false);
    assert!((2..20).contains(&trials), "{trials}");
    assert!(place.path("out/report.html").is_file());
    assert!(place.names("out").iter().all(|name| !name.starts_with("trial-")));
}

#[test]
fn a_second_interruption_ends_at_once() {
    let place = Place::new(&[("long.yaml", LONG)]);
    let mut child = place
        .command(&["run", "long.yaml", "--out", "out", "--duration", "300ms"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(lines.next().is_some_and(|line| line.is_ok()), "a trial ends");
    // Two kinds, because of two pending signals of one kind the kernel keeps one.
    signal("-INT", child.id());
    signal("-TERM", child.id());
    assert_eq!(wait(child, Duration::from_secs(60)), Some(130));
}

#[test]
fn a_trial_that_is_killed_harms_only_itself() {
    let place = Place::new(&[("long.yaml", LONG)]);
    let child = place
        .command(&["run", "long.yaml", "--out", "out", "--trials", "1"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let started = Instant::now();
    let trial: u32 = loop {
        if let Some(first) = children(child.id()).first() {
            break *first;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no trial was started");
        std::thread::sleep(Duration::from_millis(5));
    };
    signal("-KILL", trial);
    assert_eq!(wait(child, Duration::from_secs(60)), Some(1));
    let result = place.result("out/long.json");
    let errors: Vec<&str> = result["trials"]
        .as_array()
        .expect("trials")
        .iter()
        .filter_map(|trial| trial["error"].as_str())
        .collect();
    assert_eq!((errors.len(), &result["complete"]), (1, &Value::Bool(true)));
    assert!(errors[0].contains("killed by signal 9"), "{errors:?}");
}

#[test]
fn the_verb_of_a_trial_takes_only_jobs() {
    let place = Place::new(&[]);
    let mut child = place
        .command(&["trial"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("piped").write_all(b"{}").expect("written");
    let output = child.wait_with_output().expect("ends");
    assert_eq!((status(&output), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("not a job"), "{}", stderr(&output));
    let help = stdout(&place.run(&["--help"]));
    assert!(help.contains("run") && !help.contains("trial "), "{help}");
    let help = stdout(&place.run(&["run", "--help"]));
    assert!(help.contains("Examples:") && help.contains("--data-dir"), "{help}");
}
