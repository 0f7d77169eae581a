//! Whether the stores of others keep the durability classes they are offered in: a child process writes and is killed, and
//! what it was told is written must be there; and the syncs that it calls for are counted by `strace`, where that is installed.
//!
//! `cargo test -p engines --features all-peers --test peers_durability -- --nocapture` prints what it counts;
//! `PEERS_SETS=1000` before it counts over so many sets.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "the code of a test reports by panicking and prints what it tried"
)]

use engines::entry::{Entry, Kind, OpenOptions, Storage};
use engines::testing::within;
use engines::{Durability, Engine, WriteBatch, registry};
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Tells a process that it is the child, and what to do: a [`Task`] as JSON.
const TASK: &str = "PEERS_DURABILITY_TASK";
const LIMIT: Duration = Duration::from_secs(300);
/// Sets that are counted unless the environment says otherwise.
const SETS: usize = 200;
/// The child is killed when so many writes are acknowledged.
const ACKNOWLEDGED: usize = 400;
/// Every so-manieth write of the child is a batch of so many records.
const BATCH_EVERY: usize = 10;
const BATCH_RECORDS: usize = 5;

/// A store in a class, with options.
#[derive(Clone, Debug)]
struct Task {
    engine: String,
    class: Durability,
    options: Value,
    directory: PathBuf,
    /// How many sets; none: batches too, until it is killed.
    sets: Option<usize>,
}

impl Task {
    fn name(&self) -> String {
        format!("{} {} {}", self.engine, self.class, self.options)
    }

    fn open(&self) -> Box<dyn Engine> {
        let options = OpenOptions {
            options: self.options.clone(),
            durability: self.class,
            directory: Some(self.directory.clone()),
        };
        registry::open(&self.engine, &options).unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }

    fn to_json(&self) -> String {
        let Self { engine, class, options, directory, sets } = self;
        json!([engine, class, options, directory, sets]).to_string()
    }

    fn from_json(text: &str) -> Self {
        let (engine, class, options, directory, sets) = serde_json::from_str(text).expect("a task");
        Self { engine, class, options, directory, sets }
    }

    /// This program again, to run [`child`] with the task.
    fn command(&self, tracer: Option<&Path>) -> Command {
        let program = env::current_exe().expect("this program");
        let mut command = match tracer {
            None => Command::new(program),
            Some(output) => {
                let mut strace = Command::new("strace");
                strace.args(["-f", "-qq", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-o"]);
                strace.arg(output).arg(program);
                strace
            }
        };
        command.args(["--exact", "child", "--nocapture"]).env(TASK, self.to_json());
        command
    }
}

/// Every store with files of its own, in each class it offers that is better than none if `durable`, with default options and with
/// each option that can be `true`.
fn tasks(durable: bool) -> Vec<Task> {
    let mut tasks = Vec::new();
    for entry in
        registry::entries().filter(|entry| entry.kind == Kind::Peer && entry.storage == Storage::Files)
    {
        for class in entry.capabilities.durability {
            if durable && *class == Durability::None {
                continue;
            }
            for options in choices(entry) {
                let directory = directory();
                tasks.push(Task {
                    engine: entry.name.to_owned(),
                    class: *class,
                    options,
                    directory,
                    sets: None,
                });
            }
        }
    }
    assert!(!tasks.is_empty(), "no store with files is built in");
    tasks
}

fn choices(entry: &Entry) -> Vec<Value> {
    let switches = entry.options.iter().filter(|option| option.default == "false");
    let on =
        switches.map(|option| Value::Object([(option.name.to_owned(), json!(true))].into_iter().collect()));
    std::iter::once(json!({})).chain(on).collect()
}

/// On the disk, where syncs mean something.
fn directory() -> PathBuf {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let name = format!("durability-{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

fn key(n: usize) -> Vec<u8> {
    format!("user{n:020}").into_bytes()
}

fn batch_key(n: usize, part: usize) -> Vec<u8> {
    format!("batch{n:020}-{part}").into_bytes()
}

fn value(n: usize) -> Vec<u8> {
    format!("{n:0>100}").into_bytes()
}

/// What the child process does; nothing in any other.
#[test]
fn child() {
    let Ok(task) = env::var(TASK) else { return };
    let task = Task::from_json(&task);
    let engine = task.open();
    let mut session = engine.session().expect("a session");
    let mut told = std::io::stdout().lock();
    let mut batch = WriteBatch::new();
    for n in 0..task.sets.unwrap_or(usize::MAX) {
        if task.sets.is_none() && n % BATCH_EVERY == 0 {
            batch.clear();
            (0..BATCH_RECORDS).for_each(|part| batch.set(&batch_key(n, part), &value(n)));
            session.batch(&batch).expect("batch");
        } else {
            session.set(&key(n), &value(n)).expect("set");
        }
        if task.sets.is_none() {
            // Before the next write: the parent may kill at any moment.
            writeln!(told, "written {n}").and_then(|()| told.flush()).expect("the parent reads");
        }
    }
    drop(session);
    // Not closed: closing may sync.
    std::mem::forget(engine);
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if env::var(TASK).is_ok() {
        return;
    }
    for task in tasks(true) {
        let name = task.name();
        within(LIMIT, &name.clone(), move || survives(&task));
        println!("{name}: all there after a kill");
    }
}

fn survives(task: &Task) {
    let mut child = task.command(None).stdout(Stdio::piped()).spawn().expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut acknowledged = 0;
    let mut count = |line: String| {
        if let Some((_, n)) = line.split_once("written ") {
            assert_eq!(n.parse(), Ok(acknowledged), "in order");
            acknowledged += 1;
        }
        acknowledged
    };
    for line in lines.by_ref() {
        if count(line.expect("text")) >= ACKNOWLEDGED {
            break;
        }
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    // What was told between the decision and the kill; the last line may be cut off.
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    let whole = rest.len().saturating_sub(1);
    rest.into_iter().take(whole).for_each(|line| _ = count(line));
    assert!(acknowledged >= ACKNOWLEDGED, "the child ended by itself after {acknowledged}");

    let engine = task.open();
    let mut session = engine.session().expect("a session");
    let mut found = Vec::new();
    for n in 0..acknowledged {
        let keys = if n % BATCH_EVERY == 0 {
            (0..BATCH_RECORDS).map(|part| batch_key(n, part)).collect()
        } else {
            vec![key(n)]
        };
        for key in keys {
            assert!(session.get(&key, &mut found).expect("get"), "write {n} of {acknowledged} is gone");
            assert_eq!(found, value(n));
        }
    }
    // A batch that was not acknowledged is there as a whole or not at all.
    for n in (acknowledged..acknowledged + 2 * BATCH_EVERY).filter(|n| n % BATCH_EVERY == 0) {
        let parts =
            (0..BATCH_RECORDS).filter(|part| session.get(&batch_key(n, *part), &mut found).expect("get"));
        let parts = parts.count();
        assert!(parts == 0 || parts == BATCH_RECORDS, "{parts} of a batch of {BATCH_RECORDS}");
    }
    drop(session);
    engine.validate().expect("valid");
    engine.close().expect("close");
    let _ = fs::remove_dir_all(&task.directory);
}

/// What was closed is there when it is opened again, in whatever class it was written.
#[test]
fn what_was_closed_is_there_again() {
    if env::var(TASK).is_ok() {
        return;
    }
    for task in tasks(false) {
        let name = task.name();
        within(LIMIT, &name, move || {
            for round in 0..3 {
                let engine = task.open();
                let mut session = engine.session().expect("a session");
                let mut found = Vec::new();
                for n in 0..round * 100 {
                    assert!(session.get(&key(n), &mut found).expect("get") && found == value(n), "{n}");
                }
                (round * 100..(round + 1) * 100).for_each(|n| session.set(&key(n), &value(n)).expect("set"));
                drop(session);
                assert_eq!(engine.stats().records, (round as u64 + 1) * 100);
                engine.close().expect("close");
            }
            let _ = fs::remove_dir_all(&task.directory);
        });
    }
}

/// Syncs that a child calls for: those that count, and calls of `sync_file_range`, which do not.
fn syncs(task: &Task, sets: usize) -> Option<(usize, usize)> {
    let task = Task { sets: Some(sets), directory: directory(), ..task.clone() };
    let trace = task.directory.with_extension("trace");
    let output = task.command(Some(&trace)).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    if !output.success() {
        return None;
    }
    let text = fs::read_to_string(&trace).expect("the trace");
    // A call that another thread interrupts has a second line, "resumed".
    let calls = text.lines().filter(|line| !line.contains("resumed>"));
    let counts = |line: &&str| {
        line.contains("fsync(")
            || line.contains("fdatasync(")
            || (line.contains("msync(") && line.contains("MS_SYNC"))
    };
    let ranges = calls.clone().filter(|line| line.contains("sync_file_range(")).count();
    let found = calls.filter(counts).count();
    let _ = fs::remove_file(&trace);
    let _ = fs::remove_dir_all(&task.directory);
    Some((found, ranges))
}

#[test]
fn a_sync_is_a_sync_and_nothing_less_is_one() {
    if env::var(TASK).is_ok() {
        return;
    }
    let sets = env::var("PEERS_SETS").ok().and_then(|sets| sets.parse().ok()).unwrap_or(SETS);
    for task in tasks(false) {
        let name = task.name();
        within(LIMIT, &name.clone(), move || {
            // Opening alone calls for some, which are taken off.
            let (Some((opening, _)), Some((all, ranges))) = (syncs(&task, 0), syncs(&task, sets)) else {
                println!("{name}: strace is not installed, or may not trace: syncs are not counted");
                return;
            };
            let counted = all.saturating_sub(opening);
            println!("{name}: {counted} syncs for {sets} sets, {opening} to open, {ranges} sync_file_range");
            match task.class {
                Durability::Sync => assert!(counted >= sets, "{name}: {counted} syncs for {sets} sets"),
                Durability::None | Durability::Buffered => {
                    assert!(counted <= 10 + sets / 20, "{name}: {counted} syncs for {sets} sets");
                }
            }
        });
    }
}
