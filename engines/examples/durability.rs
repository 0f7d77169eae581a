//! What durability costs: synced writes beside the bare device, buffered writes beside none, recovery beside loading, and the pauses of a checkpoint.
//!
//! `cargo run --release -p engines --example durability [DIRECTORY [SECTION…]]`, on a machine that does nothing else. Sections: `sync`, `buffered`,
//! `recovery`, `checkpoint`; all of them unless some are named. What is compared takes turns; figures are medians and ranges of the turns.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "an example prints, and fails by panicking"
)]

use engines::durable::{Durable, DurableOptions};
use engines::entry::OpenOptions;
use engines::env::{FileSystem, OsFileSystem};
use engines::options::ByteSize;
use engines::{Durability, Engine, registry};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECORDS: u64 = 1_000_000;
const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(2);
/// Of writes that do not wait for a device, one in so many looks at the clock.
const LOOK_EVERY: u64 = 256;

fn key(n: u64) -> [u8; 24] {
    let mut key = *b"user00000000000000000000";
    let mut rest = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n.rotate_left(32);
    for digit in key.iter_mut().rev().take(20) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// Figures of turns.
struct Turns {
    name: String,
    figures: Vec<f64>,
}

impl Turns {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), figures: Vec::new() }
    }

    fn median(&self) -> f64 {
        let mut sorted = self.figures.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    fn print(&self, unit: &str) {
        let least = self.figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.figures.iter().copied().fold(0.0, f64::max);
        println!("  {:44} {:>12.0} {unit} ({least:.0}–{most:.0})", self.name, self.median());
    }
}

/// The median, least and greatest of the ratios turn by turn.
fn print_ratio(name: &str, above: &Turns, below: &Turns) {
    let mut ratios: Vec<_> =
        above.figures.iter().zip(&below.figures).map(|(above, below)| above / below).collect();
    ratios.sort_by(f64::total_cmp);
    println!("  {name}: {:.2} ({:.2}–{:.2})", ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1]);
}

fn inner(engine: &str) -> Box<dyn Engine> {
    registry::open(engine, &OpenOptions::default()).expect("opened")
}

fn durable(engine: &str, directory: &Path, class: Durability, options: DurableOptions) -> Durable {
    Durable::open(inner(engine), Arc::new(OsFileSystem), directory, class, options).expect("opened")
}

/// Writes for a while, by so many threads; returns writes a second and, if asked for, how long each took, nanoseconds.
fn writes(engine: &dyn Engine, threads: u64, time: Duration, records: u64, timed: bool) -> (f64, Vec<u64>) {
    let (is_over, total) = (&AtomicBool::new(false), &AtomicU64::new(0));
    let start = Instant::now();
    let times = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut session = engine.session().expect("a session");
                    let mut random = Xoshiro256PlusPlus::seed_from_u64(thread);
                    let value = [thread as u8; 100];
                    let (mut count, mut times) = (0_u64, Vec::new());
                    while !is_over.load(Ordering::Relaxed) {
                        for _ in 0..if timed { LOOK_EVERY } else { 16 } {
                            let key = key(random.next_u64() % records);
                            if timed {
                                let before = Instant::now();
                                session.set(&key, &value).expect("set");
                                times.push(before.elapsed().as_nanos() as u64);
                            } else {
                                session.set(&key, &value).expect("set");
                            }
                            count += 1;
                            if is_over.load(Ordering::Relaxed) {
                                break;
                            }
                        }
                    }
                    total.fetch_add(count, Ordering::Relaxed);
                    times
                })
            })
            .collect();
        thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    (total.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64(), times)
}

/// The rate at which a file that was allocated ahead takes 4 KiB and a `fdatasync`.
fn bare_syncs(directory: &Path, time: Duration, is_written: bool) -> f64 {
    const BLOCK: u64 = 4_096;
    const BYTES: u64 = 256 << 20;
    let path = directory.join("bare");
    let file = OsFileSystem.create(&path).expect("a file");
    file.allocate(BYTES).expect("room");
    if is_written {
        let zeros = vec![0; 1 << 20];
        (0..BYTES >> 20).for_each(|mib| file.write_all_at(&zeros, mib << 20).expect("written"));
    }
    file.sync().expect("synced");
    let (start, mut count, block) = (Instant::now(), 0, [7; BLOCK as usize]);
    while start.elapsed() < time {
        file.write_all_at(&block, count * BLOCK % BYTES).expect("written");
        file.sync_data().expect("synced");
        count += 1;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    OsFileSystem.remove(&path).expect("removed");
    rate
}

fn sync_section(directory: &Path) {
    println!("sync: writes of 24 + 100 bytes to hash and btree beside fdatasync of 4 KiB, a second");
    for engine in ["hash", "btree"] {
        let mut bare = Turns::new("fdatasync, 4 KiB appended to allocated room");
        let mut written = Turns::new("fdatasync, 4 KiB over room that was written");
        let mut by_threads: Vec<_> =
            [1, 2, 16].map(|threads| (threads, Turns::new(format!("{engine}, {threads} threads")))).into();
        let mut syncs = Vec::new();
        for turn in 0..TURNS {
            bare.figures.push(bare_syncs(directory, TURN, false));
            written.figures.push(bare_syncs(directory, TURN, true));
            for (threads, turns) in &mut by_threads {
                let place = directory.join(format!("sync-{engine}-{threads}-{turn}"));
                let store = durable(engine, &place, Durability::Sync, DurableOptions::default());
                // The first files of a log are small.
                let _warmed = writes(&store, *threads, TURN / 4, RECORDS, false);
                let before = store.syncs();
                let (rate, _) = writes(&store, *threads, TURN, RECORDS, false);
                syncs.push((*threads, rate * TURN.as_secs_f64() / (store.syncs() - before) as f64));
                turns.figures.push(rate);
            }
        }
        bare.print("/s");
        written.print("/s");
        by_threads.iter().for_each(|(_, turns)| turns.print("/s"));
        print_ratio("1 thread × fdatasync of allocated room", &by_threads[0].1, &bare);
        print_ratio("1 thread × fdatasync of written room", &by_threads[0].1, &written);
        print_ratio("2 threads × 1 thread", &by_threads[1].1, &by_threads[0].1);
        print_ratio("16 threads × 1 thread", &by_threads[2].1, &by_threads[0].1);
        for threads in [1, 2, 16] {
            let of: Vec<_> =
                syncs.iter().filter(|(found, _)| *found == threads).map(|(_, part)| *part).collect();
            println!("  writes a sync, {threads} threads: {:.1}", of.iter().sum::<f64>() / of.len() as f64);
        }
    }
}

fn load(engine: &dyn Engine, threads: u64) -> f64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let mut session = engine.session().expect("a session");
                for n in (thread..RECORDS).step_by(threads as usize) {
                    session.set(&key(n), &[n as u8; 100]).expect("set");
                }
            });
        }
    });
    RECORDS as f64 / start.elapsed().as_secs_f64()
}

fn buffered_section(directory: &Path) {
    println!("buffered: loads and overwrites of a million records, a second, beside durability none");
    for engine in ["hash", "btree"] {
        for threads in [1, 2] {
            let mut figures = ["none", "buffered"].map(|class| {
                ["load", "overwrite"]
                    .map(|what| Turns::new(format!("{engine}, {threads} threads, {class}, {what}")))
            });
            for turn in 0..TURNS {
                let place = directory.join(format!("buffered-{engine}-{threads}-{turn}"));
                let plain = inner(engine);
                figures[0][0].figures.push(load(&*plain, threads));
                figures[0][1].figures.push(writes(&*plain, threads, TURN, RECORDS, false).0);
                drop(plain);
                let store = durable(engine, &place, Durability::Buffered, DurableOptions::default());
                figures[1][0].figures.push(load(&store, threads));
                figures[1][1].figures.push(writes(&store, threads, TURN, RECORDS, false).0);
                drop(store);
                std::fs::remove_dir_all(&place).expect("removed");
            }
            figures.iter().flatten().for_each(|turns| turns.print("/s"));
            print_ratio("load, buffered × none", &figures[1][0], &figures[0][0]);
            print_ratio("overwrite, buffered × none", &figures[1][1], &figures[0][1]);
        }
    }
}

fn recovery_section(directory: &Path) {
    println!("recovery: a million records, by two threads, records a second");
    for engine in ["hash", "btree", "rbtree", "array", "lsm-memtable"] {
        let mut loads = Turns::new(format!("{engine}: its own load"));
        let mut replays = Turns::new(format!("{engine}: replay of the log"));
        let mut restores = Turns::new(format!("{engine}: restore of a snapshot"));
        let options = DurableOptions {
            checkpoint_bytes: ByteSize::mib(1 << 20),
            recovery_threads: Some(2),
            ..DurableOptions::default()
        };
        for turn in 0..TURNS {
            let place = directory.join(format!("recovery-{engine}-{turn}"));
            loads.figures.push(load(&*inner(engine), 2));
            let store = durable(engine, &place, Durability::Buffered, options);
            let _rate = load(&store, 2);
            drop(store);
            let store = durable(engine, &place, Durability::Buffered, options);
            let recovery = store.recovery();
            assert!(recovery.frames >= RECORDS, "{recovery:?}");
            replays.figures.push(RECORDS as f64 / recovery.log_seconds);
            store.snapshot().expect("a snapshot");
            drop(store);
            let store = durable(engine, &place, Durability::Buffered, options);
            let recovery = store.recovery();
            assert_eq!(recovery.snapshot_records, RECORDS);
            restores.figures.push(RECORDS as f64 / recovery.snapshot_seconds);
            drop(store);
            std::fs::remove_dir_all(&place).expect("removed");
        }
        loads.print("/s");
        replays.print("/s");
        restores.print("/s");
        print_ratio("replay × load", &replays, &loads);
        print_ratio("restore × replay", &restores, &replays);
    }
}

fn checkpoint_section(directory: &Path) {
    println!(
        "checkpoint: how long writes of 1 thread take while a snapshot is written, and while none is; ns"
    );
    let percentile = |times: &mut Vec<u64>, part: f64| {
        times.sort_unstable();
        times[(times.len() as f64 * part) as usize] as f64
    };
    for (engine, class) in
        [("hash", Durability::Buffered), ("btree", Durability::Buffered), ("btree", Durability::Sync)]
    {
        let options =
            DurableOptions { checkpoint_bytes: ByteSize::mib(1 << 20), ..DurableOptions::default() };
        let place = directory.join(format!("checkpoint-{engine}-{class}"));
        let store = durable(engine, &place, class, options);
        if class == Durability::Sync {
            let records: Vec<_> = (0..RECORDS).map(key).collect();
            store.bulk_load(&mut records.iter().map(|key| (&key[..], &[7; 100][..]))).expect("loaded");
        } else {
            let _rate = load(&store, 2);
        }
        let (mut without, mut with) = (Turns::new("p99.9 without"), Turns::new("p99.9 with"));
        let mut longest = [0, 0];
        for _ in 0..TURNS {
            let (_, mut times) = writes(&store, 1, TURN, RECORDS, true);
            without.figures.push(percentile(&mut times, 0.999));
            longest[0] = longest[0].max(times.last().copied().unwrap_or_default());
            let is_over = &AtomicBool::new(false);
            let store = &store;
            let (mut times, snapshots) = thread::scope(|scope| {
                // One after the other, so that all writes meet one.
                let snapshots = scope.spawn(move || {
                    let mut count = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        store.snapshot().expect("a snapshot");
                        count += 1;
                    }
                    count
                });
                let (_, times) = writes(store, 1, TURN, RECORDS, true);
                is_over.store(true, Ordering::Relaxed);
                (times, snapshots.join().expect("no panic"))
            });
            assert!(snapshots > 0);
            with.figures.push(percentile(&mut times, 0.999));
            longest[1] = longest[1].max(times.last().copied().unwrap_or_default());
        }
        println!("  {engine}, {class}");
        without.print("ns");
        with.print("ns");
        print_ratio("with × without", &with, &without);
        println!("  longest: {} without, {} with", longest[0], longest[1]);
        drop(store);
        std::fs::remove_dir_all(&place).expect("removed");
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let sections: Vec<_> = arguments.collect();
    let directory = tempfile::tempdir_in(parent).expect("a directory");
    let is_wanted = |name| sections.is_empty() || sections.iter().any(|wanted| wanted == name);
    if is_wanted("sync") {
        sync_section(directory.path());
    }
    if is_wanted("buffered") {
        buffered_section(directory.path());
    }
    if is_wanted("recovery") {
        recovery_section(directory.path());
    }
    if is_wanted("checkpoint") {
        checkpoint_section(directory.path());
    }
}
