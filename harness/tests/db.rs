//! `harness db` as a process: the conversation of `kv`, statuses, and what is refused before anything is made.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use engines::testing::within;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The store of most tests: in memory, gone at the end.
const MEMORY: [&str; 6] = ["db", "kv", "--engine", "btree", "--durability", "none"];

fn command(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(place.path()).args(arguments).env_remove("RUST_BACKTRACE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program on an input, to its end.
fn run(place: &TempDir, arguments: &[&str], input: impl Into<Vec<u8>>) -> Output {
    let mut child = command(place, arguments).spawn().expect("the program runs");
    let (mut pipe, input) = (child.stdin.take().expect("piped"), input.into());
    let writer = std::thread::spawn(move || {
        // A program that refuses its flags does not read.
        let _ = pipe.write_all(&input);
    });
    let output = within(Duration::from_secs(120), "the program", move || child.wait_with_output());
    writer.join().expect("no panic");
    output.expect("the program ends")
}

fn place() -> TempDir {
    tempfile::tempdir().expect("a directory")
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

/// Waits for a process, but not for ever.
fn wait(mut child: Child, limit: Duration) -> Option<i32> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait().expect("can be waited for") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    panic!("still running after {limit:?}");
}

#[test]
fn operations_are_answered_in_their_order() {
    let input = "set a 1\nset b two words\nbatch\nset c 3\ndelete a\nend\nupdate b 2\nupdate a 9\nget a\nget b\n\
        scan a - 5\ndelete zzz\n";
    let output = run(&place(), &MEMORY, input);
    let expected =
        "ack 1\nack 2\nack 6\nack 7\nnone\nnone\nvalue 2\nrecords 2\nb 2\nc 3\nack 12\n".to_owned();
    assert_eq!((status(&output), stdout(&output)), (Some(0), expected), "{}", stderr(&output));
    assert_eq!(stderr(&output), "note: with durability none nothing is kept when this ends\n");
}

#[test]
fn any_bytes_can_be_said_in_hexadecimal() {
    let input = "set - 00\nset 0a20 -\nset FFff 5c\nget -\nget 0a20\nscan - ffff 9\nscan 0a20 - 9\n";
    let output = run(&place(), &[&MEMORY[..], &["--hex"]].concat(), input);
    let expected =
        "ack 1\nack 2\nack 3\nvalue 00\nvalue -\nrecords 2\n- 00\n0a20 -\nrecords 2\n0a20 -\nffff 5c\n";
    assert_eq!((status(&output), stdout(&output).as_str()), (Some(0), expected), "{}", stderr(&output));
    let output = run(&place(), &MEMORY, b"set \xff\x01\r \xfe\x00\nget \xff\x01\r\n".to_vec());
    assert_eq!((status(&output), output.stdout.as_slice()), (Some(0), &b"ack 1\nvalue \xfe\x00\n"[..]));
}

#[test]
fn wrong_lines_are_told_and_passed_over() {
    let output = run(&place(), &MEMORY, "nonsense\nset a 1\nset b\nget a b\nend\nget a\nbatch\nset c 1\n");
    let answers = stdout(&output);
    let begins: Vec<String> =
        answers.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(begins, ["error 1", "ack 2", "error 3", "error 4", "error 5", "value 1", "error 8"]);
    assert_eq!(status(&output), Some(2));
    let told = stderr(&output);
    assert!(
        told.contains("error: line 1: there is no operation 'nonsense'") && told.contains("(4 more lines"),
        "{told}"
    );
}

#[test]
fn each_answer_comes_before_the_next_question() {
    let place = place();
    let mut child = command(&place, &MEMORY).spawn().expect("the program runs");
    let mut input = child.stdin.take().expect("piped");
    let mut answers = BufReader::new(child.stdout.take().expect("piped")).lines();
    within(Duration::from_secs(60), "the conversation", move || {
        for number in 1..=100 {
            // Without its line end nothing is done yet; with it the answer comes though the input stays open.
            write!(input, "set key{number} ").and_then(|()| input.flush()).expect("it reads");
            writeln!(input, "value").expect("it reads");
            assert_eq!(answers.next().expect("an answer").expect("text"), format!("ack {number}"));
        }
        drop(input);
        assert!(answers.next().is_none());
    });
    assert_eq!(wait(child, Duration::from_secs(60)), Some(0));
}

#[test]
fn the_largest_value_comes_back_and_longer_lines_cost_no_memory() {
    const MOST_VALUE_BYTES: usize = 64 << 20;
    const MOST_LINE_BYTES: usize = 160 << 20;
    let mut input = b"set 6b ".to_vec();
    input.resize(input.len() + 2 * MOST_VALUE_BYTES, b'a');
    input.extend_from_slice(b"\nget 6b\nset 6b ");
    input.resize(input.len() + 2 * MOST_VALUE_BYTES + 2, b'a');
    input.extend_from_slice(b"\nset 6b ");
    input.resize(input.len() + MOST_LINE_BYTES, b'a');
    input.extend_from_slice(b"\nset 6c 00\n");
    let output = run(&place(), &[&MEMORY[..], &["--hex"]].concat(), input);
    let answers: Vec<&[u8]> = output.stdout.split(|byte| *byte == b'\n').collect();
    assert_eq!((status(&output), answers.len()), (Some(2), 6), "{}", stderr(&output));
    assert_eq!(answers[0], b"ack 1");
    assert!(answers[1].len() == "value ".len() + 2 * MOST_VALUE_BYTES && answers[1].ends_with(b"aaaa"));
    let text = |index: usize| String::from_utf8_lossy(answers[index]).into_owned();
    assert!(text(2).starts_with("error 3 value of 67108865 bytes is over the limit"), "{}", text(2));
    assert!(text(3).starts_with("error 4 the line is longer than"), "{}", text(3));
    assert_eq!(text(4), "ack 5");
}

#[test]
fn who_stops_listening_ends_it() {
    let place = place();
    let mut child = command(&place, &MEMORY).spawn().expect("the program runs");
    drop(child.stdout.take());
    let mut input = child.stdin.take().expect("piped");
    let mut errors = child.stderr.take().expect("piped");
    let _ = input.write_all(b"set a 1\nset b 2\n");
    assert_eq!(wait(child, Duration::from_secs(60)), Some(0), "though the input is open");
    let mut told = String::new();
    std::io::Read::read_to_string(&mut errors, &mut told).expect("text");
    assert!(!told.contains("error"), "{told}");
    drop(input);

    let mut full = command(&place, &MEMORY);
    full.stdout(fs::File::options().write(true).open("/dev/full").expect("Linux has it"));
    let mut child = full.spawn().expect("the program runs");
    child.stdin.take().expect("piped").write_all(b"set a 1\n").expect("it reads");
    assert_eq!(wait(child, Duration::from_secs(60)), Some(5));
}

#[test]
fn what_cannot_be_opened_is_refused_with_a_hint_and_nothing_is_made() {
    let place = place();
    fs::create_dir(place.path().join("empty")).expect("a directory");
    fs::write(place.path().join("file"), "mine").expect("a file");
    let cases: [(&[&str], &str); 10] = [
        (&["kv"], "--engine"),
        (&["kv", "--engine", "btre", "--dir", "new"], "did you mean 'btree'"),
        (&["kv", "--engine", "null", "--dir", "new"], "hint: `harness db kv --durability none`"),
        (&["kv", "--engine", "btree", "--dir", "new", "--durability", "twice"], "none, buffered, sync"),
        (&["kv", "--engine", "btree", "--durability", "none", "--options", "[1]"], "must be an object"),
        (&["kv", "--engine", "btree", "--durability", "none", "--options", "{\"nod\": 1}"], "nod"),
        (&["verify", "--engine", "btree", "--dir", "new", "--durability", "none"], "keeps nothing"),
        (&["dump", "--engine", "null", "--dir", "empty"], "keeps nothing"),
        (&["stats", "--engine", "null"], "keeps nothing"),
        (&["nonsense"], "nonsense"),
    ];
    for (arguments, words) in cases {
        let output = run(&place, &[&["db"], arguments].concat(), "");
        assert_eq!((status(&output), stdout(&output).as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!place.path().join("new").exists());
    assert_eq!(fs::read_dir(place.path().join("empty")).expect("a directory").count(), 0);
}

#[test]
fn help_has_examples_and_statuses() {
    for verb in ["kv", "verify", "dump", "stats", "salvage"] {
        let output = run(&place(), &["db", verb, "--help"], "");
        let help = stdout(&output);
        for words in ["Examples:", "Exit status: 0 done", "--durability", "6 another process"] {
            assert!(
                help.contains(words) || help.replace('\n', " ").contains(words),
                "{verb}: {words}: {help}"
            );
        }
    }
}
