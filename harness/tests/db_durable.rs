//! `harness db` and `harness run` on stores that outlast their process: what was acknowledged is there again, damage is found, and a
//! store has one process at a time.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

use engines::testing::within;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CLASSES: [&str; 2] = ["buffered", "sync"];

fn place() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn command(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(place.path()).args(arguments).env_remove("RUST_BACKTRACE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program on an input, to its end.
fn run(place: &TempDir, arguments: &[&str], input: &str) -> Output {
    let mut child = command(place, arguments).spawn().expect("the program runs");
    let (mut pipe, input) = (child.stdin.take().expect("piped"), input.to_owned());
    let writer = std::thread::spawn(move || {
        // A program that refuses its flags does not read.
        let _ = pipe.write_all(input.as_bytes());
    });
    let output = within(Duration::from_secs(120), "the program", move || child.wait_with_output());
    writer.join().expect("no panic");
    output.expect("the program ends")
}

/// Runs a verb of `db` on the store `data` of `btree`.
fn db(place: &TempDir, verb: &str, flags: &[&str], input: &str) -> Output {
    run(place, &[&["db", verb, "--engine", "btree", "--dir", "data"], flags].concat(), input)
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

/// A `kv` that is spoken with.
struct Talk {
    child: Child,
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Talk {
    fn begin(place: &TempDir, flags: &[&str]) -> Self {
        let arguments = [&["db", "kv", "--engine", "btree", "--dir", "data"], flags].concat();
        let mut child = command(place, &arguments).stderr(Stdio::null()).spawn().expect("the program runs");
        let input = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, input, answers }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("it reads");
        self.answers.next().expect("an answer").expect("text")
    }

    /// Ends it by a signal that it cannot handle.
    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }
}

/// Every file below a directory, sorted, with what it holds.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Inverts a byte in the middle of these bytes, wherever they lie in the store's files. Returns how often they were there.
fn damage(directory: &Path, needle: &[u8]) -> usize {
    let mut times = 0;
    for (path, mut bytes) in files(directory) {
        let places: Vec<usize> = bytes
            .windows(needle.len())
            .enumerate()
            .filter(|(_, found)| *found == needle)
            .map(|(at, _)| at)
            .collect();
        for at in &places {
            *bytes.get_mut(at + needle.len() / 2).expect("within the needle") ^= 0xFF;
        }
        if !places.is_empty() {
            fs::write(path, bytes).expect("written");
        }
        times += places.len();
    }
    times
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    for class in CLASSES {
        let place = place();
        let flags = ["--durability", class];
        let first = db(
            &place,
            "kv",
            &flags,
            "set b 2\nset a 1\nset c 3\nbatch\ndelete b\nset d 4 4\nend\nupdate a 9\n",
        );
        assert_eq!((status(&first), stderr(&first).as_str()), (Some(0), ""));
        assert_eq!(stdout(&first), "ack 1\nack 2\nack 3\nack 7\nack 8\n");
        let second = db(&place, "kv", &flags, "get a\nget b\nscan - - 9\ndelete c\n");
        assert_eq!(stdout(&second), "value 9\nnone\nrecords 3\na 9\nc 3\nd 4 4\nack 4\n", "{class}");
        let dump = db(&place, "dump", &flags, "");
        assert_eq!((status(&dump), stdout(&dump).as_str()), (Some(0), "a 9\nd 4 4\n"), "{class}");
        let verified = db(&place, "verify", &flags, "");
        let told = stdout(&verified);
        assert_eq!(status(&verified), Some(0), "{}", stderr(&verified));
        assert!(told.contains("records        2\n") && told.ends_with("data is sound\n"), "{told}");
        let stats = db(&place, "stats", &["--durability", class, "--format", "json"], "");
        let value: Value = serde_json::from_str(&stdout(&stats)).expect("JSON");
        assert_eq!((&value["records"], &value["engine"]), (&2.into(), &"btree".into()), "{value}");
    }
}

#[test]
fn the_strongest_class_needs_not_be_asked_for() {
    let place = place();
    assert_eq!(stdout(&db(&place, "kv", &[], "set a 1\n")), "ack 1\n");
    assert_eq!(stdout(&db(&place, "dump", &["--durability", "sync"], "")), "a 1\n");
    assert_eq!(stdout(&db(&place, "dump", &[], "")), "a 1\n");
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_so_does_no_lock() {
    for class in CLASSES {
        let place = place();
        let flags = ["--durability", class];
        let mut expected = String::new();
        for round in 0..5 {
            let mut talk = Talk::begin(&place, &flags);
            let talk = within(Duration::from_secs(60), "the conversation", move || {
                for number in 1..=40 {
                    let answer = talk.ask(&format!("set {round}-{number:02} value {number}"));
                    assert_eq!(answer, format!("ack {number}"));
                }
                talk
            });
            talk.kill();
            (1..=40).for_each(|number| expected += &format!("{round}-{number:02} value {number}\n"));
            let dump = db(&place, "dump", &flags, "");
            assert_eq!(
                (status(&dump), stdout(&dump)),
                (Some(0), expected.clone()),
                "{class}: {}",
                stderr(&dump)
            );
        }
        assert_eq!(status(&db(&place, "verify", &flags, "")), Some(0));
    }
}

#[test]
fn a_batch_survives_whole_and_not_before_its_end() {
    let place = place();
    let mut talk = Talk::begin(&place, &[]);
    let talk = within(Duration::from_secs(60), "the conversation", move || {
        assert_eq!(talk.ask("batch\nset a 1\nset b 2\nend"), "ack 4");
        writeln!(talk.input, "batch\nset c 3").expect("it reads");
        assert_eq!(talk.ask("nonsense").split(" there").next(), Some("error 7"));
        talk
    });
    talk.kill();
    assert_eq!(stdout(&db(&place, "dump", &[], "")), "a 1\nb 2\n");
}

#[test]
fn a_second_process_is_turned_away_at_once_and_let_in_afterwards() {
    let place = place();
    let mut talk = Talk::begin(&place, &[]);
    let talk = within(Duration::from_secs(60), "the conversation", move || {
        assert_eq!(talk.ask("set a 1"), "ack 1");
        talk
    });
    let mut fastest = Duration::MAX;
    for verb in ["kv", "dump", "verify", "stats"].iter().cycle().take(20) {
        let started = Instant::now();
        let output = db(&place, verb, &[], "set b 2\n");
        fastest = fastest.min(started.elapsed());
        assert_eq!((status(&output), stdout(&output).as_str()), (Some(6), ""), "{verb}: {}", stderr(&output));
        let told = stderr(&output);
        assert!(told.contains("data is in use by another process") && told.contains("hint: "), "{told}");
    }
    // The fastest of many, because the machine may be busy: it must not wait for the lock.
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    talk.kill();
    assert_eq!(stdout(&db(&place, "dump", &[], "")), "a 1\n");
}

#[test]
fn a_byte_that_flips_is_damage_to_every_verb_and_nothing_is_changed() {
    let place = place();
    let needle = "a value that is found in the files";
    let input: String = (0..100).map(|number| format!("set {number} {needle} {number}\n")).collect();
    assert_eq!(status(&db(&place, "kv", &[], &input)), Some(0));
    let directory = place.path().join("data");
    let times = damage(&directory, format!("{needle} 57").as_bytes());
    assert!(times > 0, "values lie in the files as they are");
    let before = files(&directory);
    for verb in ["verify", "dump", "stats", "kv"] {
        let output = db(&place, verb, &[], "get 1\n");
        let told = stderr(&output);
        assert_eq!((status(&output), stdout(&output).as_str()), (Some(4), ""), "{verb}: {told}");
        assert!(told.contains("is damaged at byte") && told.contains("harness db salvage"), "{verb}: {told}");
    }
    assert!(files(&directory) == before, "nothing was changed");
}

#[test]
fn what_can_be_read_of_a_damaged_store_is_saved_and_what_cannot_is_counted() {
    let place = place();
    let needle = "a value that is found in the files";
    let input: String = (100..200).map(|number| format!("set {number} {needle} {number}\n")).collect();
    assert_eq!(status(&db(&place, "kv", &[], &(input + "delete 150\n"))), Some(0));

    let sound = db(&place, "salvage", &["--out", "copy"], "");
    let figure = |output: &Output, name: &str| -> Option<u64> {
        let text = stdout(output);
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    assert_eq!(status(&sound), Some(0), "{}", stderr(&sound));
    assert_eq!(
        (figure(&sound, "records"), figure(&sound, "log_gaps")),
        (Some(99), Some(0)),
        "{}",
        stdout(&sound)
    );
    let dumped = |directory: &str| {
        let output = run(&place, &["db", "dump", "--engine", "btree", "--dir", directory], "");
        assert_eq!(status(&output), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let whole = dumped("data");
    assert_eq!(dumped("copy"), whole);

    let directory = place.path().join("data");
    assert!(damage(&directory, format!("{needle} 157").as_bytes()) > 0);
    let before = files(&directory);
    let output = db(&place, "salvage", &["--out", "rescued"], "");
    assert_eq!(status(&output), Some(1), "{}", stderr(&output));
    assert_eq!(
        (figure(&output, "records"), figure(&output, "log_gaps")),
        (Some(98), Some(1)),
        "{}",
        stdout(&output)
    );
    assert!(
        stderr(&output).contains("could not be read whole; rescued holds the rest"),
        "{}",
        stderr(&output)
    );
    assert!(files(&directory) == before, "nothing was changed");
    let expected: String =
        whole.lines().filter(|line| !line.starts_with("157 ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(dumped("rescued"), expected);
    let verified = run(&place, &["db", "verify", "--engine", "btree", "--dir", "rescued"], "");
    assert_eq!(status(&verified), Some(0), "{}", stderr(&verified));

    for (flags, words) in [
        (&["--engine", "btree", "--dir", "data", "--out", "rescued"][..], "rescued is not empty"),
        (&["--engine", "btree", "--dir", "absent", "--out", "new"], "there is no store"),
        (&["--engine", "hash", "--dir", "data", "--out", "new"], "--engine btree opens it"),
        (&["--engine", "btree", "--durability", "none", "--dir", "data", "--out", "new"], "keeps nothing"),
        (&["--engine", "btree", "--dir", "data"], "--out"),
    ] {
        let output = run(&place, &[&["db", "salvage"], flags].concat(), "");
        assert_eq!(status(&output), Some(2), "{flags:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{flags:?}: {}", stderr(&output));
    }
    assert!(!place.path().join("new").exists(), "nothing is made for nothing");
}

#[test]
fn what_is_no_store_of_this_engine_is_left_alone() {
    let place = place();
    fs::create_dir(place.path().join("empty")).expect("a directory");
    for verb in ["verify", "dump", "stats"] {
        for directory in ["absent", "empty"] {
            let output = run(&place, &["db", verb, "--engine", "btree", "--dir", directory], "");
            let told = stderr(&output);
            assert_eq!((status(&output), stdout(&output).as_str()), (Some(2), ""), "{verb} {directory}");
            assert!(told.contains("there is no store") && told.contains("`harness db kv` makes"), "{told}");
        }
        let output = run(&place, &["db", verb, "--engine", "btree"], "");
        assert!(status(&output) == Some(2) && stderr(&output).contains("--dir"), "{}", stderr(&output));
    }
    assert!(!place.path().join("absent").exists());
    assert_eq!(files(&place.path().join("empty")), []);

    fs::create_dir(place.path().join("mine")).expect("a directory");
    fs::write(place.path().join("mine/letter"), "dear").expect("a file");
    fs::write(place.path().join("file"), "mine").expect("a file");
    for verb in ["kv", "verify", "dump", "stats"] {
        let output = run(&place, &["db", verb, "--engine", "btree", "--dir", "mine"], "set a 1\n");
        assert_eq!(status(&output), Some(2), "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("is not a store"), "{verb}: {}", stderr(&output));
        let output = run(&place, &["db", verb, "--engine", "btree", "--dir", "file"], "set a 1\n");
        assert_eq!(status(&output), Some(2), "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("file is not a directory"), "{verb}: {}", stderr(&output));
    }
    assert_eq!(files(&place.path().join("mine")).len(), 1);

    assert_eq!(status(&db(&place, "kv", &[], "set a 1\n")), Some(0));
    let output = run(&place, &["db", "dump", "--engine", "hash", "--dir", "data"], "");
    assert_eq!(status(&output), Some(2));
    assert!(stderr(&output).contains("hint: --engine btree opens it"), "{}", stderr(&output));
}

#[test]
fn a_dump_fills_another_store() {
    let place = place();
    let input = "set - 00\nset 6120 0a\nset ff -\nset 61 6162\n";
    assert_eq!(status(&db(&place, "kv", &["--hex"], input)), Some(0));
    let dump = stdout(&db(&place, "dump", &["--hex"], ""));
    assert_eq!(dump, "- 00\n61 6162\n6120 0a\nff -\n");
    assert_eq!(stdout(&db(&place, "dump", &[], "")), " \\x00\na ab\na\\x20 \\x0a\n\\xff \n");
    let lines: String = dump.lines().map(|line| format!("set {line}\n")).collect();
    let copy = ["--engine", "hash", "--dir", "copy", "--hex"];
    assert_eq!(
        stdout(&run(&place, &[&["db", "kv"], &copy[..]].concat(), &lines)),
        "ack 1\nack 2\nack 3\nack 4\n"
    );
    assert_eq!(
        stdout(&run(&place, &[&["db", "dump"], &copy[..]].concat(), "")),
        dump,
        "sorted without an order"
    );
}

#[test]
fn a_run_reopens_what_is_durable_and_leaves_no_files_behind() {
    let place = place();
    let workload = "
name: small
engines: [btree, hash]
durability: [none, buffered, sync]
threads: [2]
trials: 2
records: 500
warmup: 0s
memory: none
phases:
  - { name: mixed, operations: 600, read_proportion: 0.5, update_proportion: 0.3, insert_proportion: 0.1, delete_proportion: 0.1 }
";
    fs::write(place.path().join("small.yaml"), workload).expect("a file");
    let output = run(&place, &["run", "small.yaml", "--out", "out", "--data-dir", "there"], "");
    assert_eq!(status(&output), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for words in ["mixed, durability buffered", "mixed, durability sync", "after closing and opening again"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(files(&place.path().join("there")), [], "directories of trials are removed");
    let result = fs::read_to_string(place.path().join("out/small.json")).expect("the result");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    let cells = result["plan"]["cells"].as_array().expect("cells");
    let trials = result["trials"].as_array().expect("trials");
    assert_eq!(trials.len(), 2 * (2 * 3 + 1));
    for trial in trials {
        assert_eq!(trial["error"], Value::Null, "{trial}");
        let cell = trial["cell"].as_u64().and_then(|cell| cells.get(usize::try_from(cell).expect("small")));
        let is_durable = cell.is_some_and(|cell| cell["durability"] != "none");
        let (reopened, verified) = (&trial["reopened"], &trial["verification"]);
        assert_eq!(reopened.is_object(), is_durable, "{trial}");
        if is_durable {
            assert_eq!(reopened["verification"]["records"], verified["records"]);
            assert_eq!(reopened["verification"]["wrong"], 0);
            assert!(
                reopened["close_seconds"].as_f64() > Some(0.0)
                    && reopened["open_seconds"].as_f64() > Some(0.0)
            );
        }
    }
    let csv = fs::read_to_string(place.path().join("out/small.summary.csv")).expect("the figures");
    assert!(
        csv.lines().next().is_some_and(|header| header.contains(",close_seconds,open_seconds,")),
        "{csv}"
    );
    let page = fs::read_to_string(place.path().join("out/report.html")).expect("the report");
    assert!(page.contains("After closing and opening again"));
}
