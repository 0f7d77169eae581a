//! Processes that are killed while they write: what they were told is there, and nothing else; and one process at a time has a store.
//!
//! The process is this program again, run with an environment variable. It does a fixed sequence of writes in each of its threads and
//! says after each that it was acknowledged. Whoever has killed it knows the sequence, and compares.
//! `KILLS=1000` kills more often; `scripts/crash.sh` does.

#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the code of a test reports by panicking"
)]

use engines::entry::{OpenOptions, Storage};
use engines::testing::within;
use engines::{Durability, Engine, Error, Session, WriteBatch, WriteOp, registry};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Seconds that all kills may take.
const LIMIT_SECONDS: u64 = 600;
const THREADS: u64 = 2;
const KEYS: u64 = 150;
/// Kills of each engine, in both classes together.
const KILLS: u64 = 50;
/// How long a second process may take to be refused.
const REFUSED_WITHIN: Duration = Duration::from_millis(100);
/// What a process says of a write: its thread, and its number.
const WORD_BYTES: usize = 9;

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(engine: &str, class: Durability, directory: &Path) -> engines::Result<Box<dyn Engine>> {
    // Small files and many snapshots, so that kills meet all of their moments.
    let options = json!({ "durable": { "segment_bytes": "64KiB", "checkpoint_bytes": "128KiB" } });
    registry::open(
        engine,
        &OpenOptions { options, durability: class, directory: Some(directory.to_path_buf()) },
    )
}

/// A number that looks random and is the same each time.
fn mixed(thread: u64, number: u64, salt: u64) -> u64 {
    let mut z = (thread << 56 ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(salt << 32);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn key(thread: u64, number: u64, salt: u64) -> Vec<u8> {
    format!("{thread} {:04}", mixed(thread, number, salt) % KEYS).into_bytes()
}

fn value(thread: u64, number: u64) -> Vec<u8> {
    let len = if number.is_multiple_of(97) { 9_000 } else { 8 + mixed(thread, number, 9) % 200 };
    let mut value = number.to_le_bytes().to_vec();
    value.resize(len as usize, number as u8);
    value
}

/// The n-th write of a thread as a batch, whatever it is done by.
fn outcome(thread: u64, number: u64) -> WriteBatch {
    let mut batch = WriteBatch::new();
    match number % 8 {
        0 => batch.delete(&key(thread, number, 1)),
        1 => {
            for salt in 1..5 {
                batch.set(&key(thread, number, salt), &value(thread, number));
            }
            batch.delete(&key(thread, number, 5));
        }
        _ => batch.set(&key(thread, number, 1), &value(thread, number)),
    }
    batch
}

fn write(session: &mut dyn Session, thread: u64, number: u64) -> engines::Result<()> {
    let batch = outcome(thread, number);
    let first = batch.iter().next();
    match (number % 8, first) {
        (1, _) | (_, None) => session.batch(&batch),
        (2, Some(WriteOp::Set { key, value })) => {
            // Whether it is there both know.
            if session.update(key, value)? { Ok(()) } else { session.set(key, value) }
        }
        (_, Some(WriteOp::Set { key, value })) => session.set(key, value),
        (_, Some(WriteOp::Delete { key })) => session.delete(key).map(drop),
    }
}

fn apply(records: &mut Records, thread: u64, number: u64) {
    for operation in outcome(thread, number).iter() {
        match operation {
            WriteOp::Set { key, value } => records.insert(key.to_vec(), value.to_vec()),
            WriteOp::Delete { key } => records.remove(key),
        };
    }
}

/// No test of its own: what the process does that is to be killed.
#[test]
fn the_process_that_is_killed() {
    let Ok(job) = std::env::var("KILLED_PROCESS") else { return };
    let job: (String, Durability, String, Vec<u64>) = serde_json::from_str(&job).expect("a job");
    let (engine, class, directory, done) = job;
    let engine = open(&engine, class, Path::new(&directory)).expect("opened");
    let engine = &*engine;
    let out = Mutex::new(std::io::stdout());
    let say = |thread: u64, number: u64| {
        let mut word = vec![thread as u8];
        word.extend_from_slice(&number.to_le_bytes());
        let mut out = out.lock().expect("not poisoned");
        out.write_all(&word).and_then(|()| out.flush()).expect("somebody reads");
    };
    say(u64::from(u8::MAX), 0);
    let say = &say;
    thread::scope(|scope| {
        for (thread, done) in (0..THREADS).zip(&done) {
            scope.spawn(move || {
                let mut session = engine.session().expect("a session");
                for number in done + 1.. {
                    write(&mut *session, thread, number).expect("written");
                    say(thread, number);
                }
            });
        }
    });
}

/// Starts the process.
fn start(engine: &str, class: Durability, directory: &Path, done: &[u64]) -> Child {
    let job = serde_json::to_string(&(engine, class, directory, done)).expect("a job");
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_process_that_is_killed", "--nocapture", "--test-threads", "1"])
        .env("KILLED_PROCESS", job)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("started")
}

/// Skips what the test's framework says, up to the first word.
fn skip_to_first_word(out: &mut impl Read) {
    let first = [&[u8::MAX][..], &0_u64.to_le_bytes()].concat();
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(&first) {
        out.read_exact(&mut byte).expect("the process opens the store");
        seen.push(byte[0]);
    }
}

/// What was killed, and what it had done.
#[derive(Debug, Default)]
struct Kills {
    kills: u64,
    writes: u64,
    snapshots: u64,
}

fn kill_again_and_again(engine: &str, class: Durability, kills: u64, counts: &mut Kills) {
    let parent = tempfile::tempdir().expect("a directory");
    let directory = parent.path().join("store");
    let mut done = vec![0; THREADS as usize];
    let mut expected = Records::new();
    for kill in 0..kills {
        let mut child = start(engine, class, &directory, &done);
        let mut out = child.stdout.take().expect("a pipe");
        skip_to_first_word(&mut out);
        let before = Instant::now();
        let refused = open(engine, class, &directory).err();
        assert!(matches!(refused, Some(Error::InUse { .. })), "{engine}: {refused:?}");
        assert!(before.elapsed() < REFUSED_WITHIN, "{:?}", before.elapsed());
        // Somebody must read, or the process waits.
        let reader = thread::spawn(move || {
            let mut said = Vec::new();
            out.read_to_end(&mut said).expect("read");
            said
        });
        thread::sleep(Duration::from_millis(2 + mixed(kill, kill, 3) % 40));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let said = reader.join().expect("no panic");
        let mut acknowledged = done.clone();
        for word in said.chunks_exact(WORD_BYTES) {
            let number = u64::from_le_bytes(word[1..].try_into().expect("eight bytes"));
            acknowledged[word[0] as usize] = number;
        }
        let opened =
            open(engine, class, &directory).unwrap_or_else(|error| panic!("{engine} {class}: {error}"));
        opened.validate().expect("sound");
        let mut found = Records::new();
        opened
            .for_each(&mut |key, value| {
                assert!(found.insert(key.to_vec(), value.to_vec()).is_none(), "twice");
                ControlFlow::Continue(())
            })
            .expect("visited");
        for thread in 0..THREADS {
            let (from, upto) = (done[thread as usize], acknowledged[thread as usize]);
            counts.writes += upto - from;
            (from + 1..=upto).for_each(|number| apply(&mut expected, thread, number));
            let of_thread = |records: &Records| -> Records {
                let prefix = format!("{thread} ").into_bytes();
                records
                    .iter()
                    .filter(|(key, _)| key.starts_with(&prefix))
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect()
            };
            let shown = of_thread(&found);
            let mut next = of_thread(&expected);
            done[thread as usize] = upto;
            if shown != next {
                // It was killed between a write and saying so.
                apply(&mut next, thread, upto + 1);
                assert!(
                    shown == next,
                    "{engine} {class}: kill {kill}: thread {thread} had {upto} writes acknowledged"
                );
                apply(&mut expected, thread, upto + 1);
                done[thread as usize] = upto + 1;
            }
        }
        assert_eq!(found, expected, "{engine} {class}: kill {kill}");
        let stats = opened.stats();
        let recovered = |name: &str| {
            stats.details.iter().find(|(found, _)| found == name).map_or(0.0, |(_, value)| *value)
        };
        counts.snapshots += u64::from(recovered("recovered_snapshot_records") > 0.0);
        counts.kills += 1;
        if kill % 3 == 0 {
            opened.close().expect("closed");
        }
    }
}

#[test]
fn what_was_acknowledged_survives_the_process() {
    let setting =
        |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (kills, limit) = (setting("KILLS", KILLS), setting("CRASH_LIMIT_SECONDS", LIMIT_SECONDS));
    within(Duration::from_secs(limit), "kills", move || {
        for entry in registry::entries().filter(|entry| entry.storage == Storage::Memory) {
            let classes: Vec<_> =
                entry.capabilities.durability.iter().filter(|class| **class != Durability::None).collect();
            let mut counts = Kills::default();
            for class in &classes {
                kill_again_and_again(entry.name, **class, kills.div_ceil(classes.len() as u64), &mut counts);
            }
            println!("{}: {counts:?} (openings from a snapshot)", entry.name);
            assert!(
                classes.is_empty() || (counts.kills >= kills && counts.writes > 20 * kills),
                "{counts:?}"
            );
            assert!(
                classes.is_empty() || counts.snapshots > 0,
                "{}: no kill after a snapshot: {counts:?}",
                entry.name
            );
        }
    });
}
