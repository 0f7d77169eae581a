//! `harness workload` as a program: what it prints, how it ends, and that wrong input creates nothing.
#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

use engines::testing::within;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

fn workloads() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads")
}

/// Runs the program in a directory, for at most ten seconds.
fn harness(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(directory).args(arguments);
    within(Duration::from_secs(10), "the program", move || command.output()).expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn check_tells_what_would_run() {
    let quick = workloads().join("quick.yaml").display().to_string();
    let output =
        harness(&workloads(), &["workload", "check", &quick, "--threads", "1,4", "--engines", "rbtree"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    for line in
        ["cells       2, 3 trials each", "engines     rbtree", "threads     1, 4", "phase       read-mostly"]
    {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

#[test]
fn check_prints_plans_for_programs() {
    let output = harness(&workloads(), &["workload", "check", "ci.yaml", "quick.yaml", "--format", "json"]);
    let plans: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(plans[0]["name"], "ci");
    assert_eq!(plans[1]["records"], 100_000);
}

#[test]
fn wrong_files_end_with_status_2_and_create_nothing() {
    let directory = TempDir::new().expect("a directory");
    let file = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).expect("written");
    file("good.yaml", b"name: good\nphases: [{ name: run, duration: 1s, read_proportion: 1 }]\n");
    file("misspelt.yaml", b"name: x\nrecrods: 5\n");
    file("garbage.yaml", &[0xff, 0x00, 0x9f]);
    let check =
        ["workload", "check", "good.yaml", "misspelt.yaml", "garbage.yaml", "missing.yaml", "--threads", "1"];
    let output = harness(directory.path(), &check);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    for line in [
        "error: 3 files cannot be used",
        "misspelt.yaml:2:1: unknown field 'recrods'; did you mean 'records'?",
        "garbage.yaml:1:1: the file is not UTF-8: byte 0xff",
        "missing.yaml: cannot be opened",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert!(text(&output.stdout).contains("good.yaml: good"), "the good file is told all the same");
    let left = fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 3, "nothing was created");
}

#[test]
fn what_is_no_file_is_wrong_usage() {
    let directory = TempDir::new().expect("a directory");
    for arguments in [
        ["workload", "check", "."],
        ["workload", "check", "--threads"],
        ["workload", "list", "nowhere"],
        ["workload", "list", "."],
        ["workload", "frobnicate", "x"],
    ] {
        assert_eq!(harness(directory.path(), &arguments).status.code(), Some(2), "{arguments:?}");
    }
    let wrong = ["workload", "check", "x.yaml", "--duration", "10 parsecs"];
    let told = text(&harness(directory.path(), &wrong).stderr);
    assert!(told.contains("'10 parsecs' is not a time"), "{told}");
}

#[test]
fn list_names_every_workload() {
    let root = workloads().join("..");
    let told = text(&harness(&root, &["workload", "list"]).stdout);
    let quick = told.lines().find(|line| line.starts_with("quick ")).expect("quick");
    assert!(quick.contains("A first look at every engine"), "{quick}");
    assert!(told.lines().count() >= 11, "{told}");
}

#[test]
fn help_shows_examples() {
    for verb in ["check", "list", "schema"] {
        let told = text(&harness(&workloads(), &["workload", verb, "--help"]).stdout);
        assert!(told.contains("Example"), "{told}");
    }
}
