//! The rules of the house as a test: who may import whom, which words are banned, how long a file may be.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use engines::testing::within;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file past this length is split.
const MOST_LINES: usize = 800;

/// The only files in which `unsafe` is allowed, each with a proof at every block.
const UNSAFE_FILES: &[&str] = &[
    "engines/src/array/outside.rs",
    "engines/src/array/root.rs",
    "engines/src/array/stretch.rs",
    "engines/src/btree/link.rs",
    "engines/src/clock.rs",
    "engines/src/env/os/mapping.rs",
    "engines/src/lsm/memtable/reach.rs",
    "engines/src/hash/arena.rs",
    "engines/src/hash/shard.rs",
    "engines/src/memory/huge.rs",
    "engines/src/memory/latch.rs",
    "engines/src/memory/prefetch.rs",
    "engines/src/memory/slab.rs",
    "engines/src/memory/slab/class.rs",
    "engines/src/memory/slab/drain.rs",
    "engines/src/memory/words.rs",
    "engines/tests/cycles/allocator.rs",
    "engines/src/peers/files/lmdb.rs",
    "engines/src/peers/intrusive_rbtree.rs",
    "engines/src/rbtree/arena.rs",
    "engines/src/rbtree/records.rs",
    "harness/src/measure/allocator.rs",
];

/// Rooms of the harness, and the rooms that each must not know.
const HARNESS_WALLS: &[(&str, &[&str])] = &[
    ("workload", &["runner", "measure", "results", "analysis", "report", "cli"]),
    ("measure", &["workload", "runner", "analysis", "report", "cli"]),
    ("results", &["runner", "measure", "analysis", "report", "cli"]),
    ("analysis", &["runner", "measure", "report", "cli"]),
    ("report", &["runner", "measure", "cli"]),
    ("runner", &["analysis", "report", "cli"]),
];

/// Doors in these walls: a file, and the one room it may know all the same.
const DOORS: &[(&str, &str)] = &[
    // The CSV summary holds what analysis recomputes from the figures.
    ("harness/src/results/export.rs", "analysis"),
];

/// Rooms of the engines crate that know nothing of one another.
const ENGINE_ROOMS: &[&str] = &["array", "rbtree", "hash", "btree", "lsm", "peers"];
/// What stands above the engines: only these may be named by none of them.
const ABOVE_ENGINES: &[&str] = &["registry", "instruments", "testing", "durable"];
/// Rooms below and above the engines, and what each must not know besides: files below the log, the log below who keeps one.
const ENGINE_WALLS: &[(&str, &[&str])] = &[
    ("env", &["engine", "log", "snapshot", "chunk", "direct", "memory"]),
    ("log", &["snapshot"]),
    ("durable", &["array", "rbtree", "hash", "btree", "lsm", "peers", "registry", "instruments"]),
];

/// A source file, without its unit tests.
struct Source {
    /// Path from the root of the workspace, with `/`.
    path: String,
    /// The whole text.
    text: String,
    /// The text up to the unit tests; empty for files that are tests.
    product: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.product.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for directory in ["engines/src", "engines/tests", "engines/benches", "harness/src", "harness/tests"] {
        collect(&root().join(directory), &mut paths);
    }
    paths.sort();
    let files: Vec<_> = paths
        .iter()
        .map(|path| {
            let relative = path.strip_prefix(root()).expect("below the root");
            let text = fs::read_to_string(path).expect("a source file is text");
            (relative.to_string_lossy().replace('\\', "/"), text)
        })
        .collect();
    let test_modules: Vec<String> = files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let sources: Vec<_> = files
        .into_iter()
        .map(|(path, text)| {
            let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let is_test = ["/tests", "/testing/", "/benches/"].iter().any(|part| path.contains(part))
                || test_modules.iter().any(|test| module == test || module.starts_with(&format!("{test}/")));
            let product =
                if is_test { "" } else { text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("") };
            Source { product: product.to_owned(), path, text }
        })
        .collect();
    assert!(sources.len() > 20, "only {} source files found", sources.len());
    sources
}

/// The modules that a file declares for tests only, as paths without their ending.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let directory = match path
        .strip_suffix("/mod.rs")
        .or_else(|| path.strip_suffix("/lib.rs"))
        .or_else(|| path.strip_suffix("/main.rs"))
    {
        Some(directory) => directory,
        None => path.trim_end_matches(".rs"),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter_map(|pair| match pair {
        ["#[cfg(test)]", declaration] => {
            let (_, name) = declaration.strip_suffix(';')?.split_once("mod ")?;
            Some(format!("{directory}/{name}"))
        }
        _ => None,
    });
    declared.collect()
}

fn check(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn room<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    path.strip_prefix(base)?.split('/').next().map(|name| name.trim_end_matches(".rs"))
}

fn imports(line: &str, room: &str) -> bool {
    line.match_indices(&format!("crate::{room}")).any(|(at, found)| {
        !line[at + found.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
    })
}

#[test]
fn the_rooms_of_the_harness_import_in_one_direction() {
    within(Duration::from_secs(30), "harness walls", || {
        let walls: BTreeMap<_, _> = HARNESS_WALLS.iter().copied().collect();
        let mut faults = Vec::new();
        for source in sources() {
            let Some(forbidden) = room(&source.path, "harness/src/").and_then(|room| walls.get(room)) else {
                continue;
            };
            for (number, line) in source.code_lines() {
                let closed = |room: &&&str| !DOORS.contains(&(source.path.as_str(), **room));
                for room in forbidden.iter().filter(closed).filter(|room| imports(line, room)) {
                    faults.push(format!("{}:{number}: must not know `{room}`: {line}", source.path));
                }
            }
        }
        check(faults);
    });
}

#[test]
fn engines_know_the_ground_floor_only() {
    within(Duration::from_secs(30), "engine walls", || {
        let mut faults = Vec::new();
        for source in sources() {
            let Some(here) = room(&source.path, "engines/src/") else { continue };
            let is_above = ABOVE_ENGINES.contains(&here) || here == "lib";
            let below: &[&[&str]] = if is_above { &[] } else { &[ENGINE_ROOMS, ABOVE_ENGINES] };
            let walls =
                ENGINE_WALLS.iter().filter(|(room, _)| *room == here).map(|(_, forbidden)| *forbidden);
            let forbidden: Vec<_> =
                below.iter().copied().chain(walls).flatten().filter(|room| **room != here).collect();
            for room in forbidden {
                for (number, line) in source.code_lines().filter(|(_, line)| imports(line, room)) {
                    faults.push(format!("{}:{number}: must not know `{room}`: {line}", source.path));
                }
            }
        }
        check(faults);
    });
}

#[test]
fn banned_words_do_not_occur() {
    within(Duration::from_secs(30), "banned words", || {
        // In two pieces, so that this file does not contain them.
        let everywhere = [
            ["to", "do!("],
            ["unimple", "mented!("],
            ["#[al", "low("],
            ["#![al", "low("],
            ["#[ig", "nore"],
            ["FIX", "ME"],
            ["TO", "DO"],
            ["XX", "X"],
        ];
        let product = ["process::exit", "thread_rng", "rand::rng()", "from_ne_bytes", "to_ne_bytes"];
        let engines_only = ["std::fs", "println!", "eprintln!", "Instant::now"];
        let wall_clock = "SystemTime";
        let file_system_rooms = ["results", "report", "cli", "measure", "exit", "main"];
        let mut faults = Vec::new();
        for source in sources() {
            for word in everywhere.map(|pieces| pieces.concat()) {
                for (index, line) in source.text.lines().enumerate().filter(|(_, line)| line.contains(&word))
                {
                    faults.push(format!("{}:{}: {word}: {line}", source.path, index + 1));
                }
            }
            let in_engines = source.path.starts_with("engines/src/") && source.path != "engines/src/clock.rs";
            let is_file_system = source.path.starts_with("engines/src/env/os");
            for (number, line) in source.code_lines() {
                let mut hits: Vec<&str> =
                    product.iter().copied().filter(|word| line.contains(word)).collect();
                if line.contains(wall_clock) && source.path != "engines/src/clock.rs" {
                    hits.push(wall_clock);
                }
                if in_engines {
                    let banned =
                        |word: &&&str| line.contains(**word) && !(is_file_system && **word == "std::fs");
                    hits.extend(engines_only.iter().filter(banned));
                }
                let room = room(&source.path, "harness/src/");
                if room.is_some_and(|room| !file_system_rooms.contains(&room)) && line.contains("std::fs") {
                    hits.push("std::fs");
                }
                faults.extend(hits.iter().map(|word| format!("{}:{number}: {word}: {line}", source.path)));
            }
        }
        check(faults);
    });
}

#[test]
fn files_are_short_and_named_for_one_thing() {
    within(Duration::from_secs(30), "files", || {
        let mut faults = Vec::new();
        for source in sources() {
            let lines = source.text.lines().count();
            if lines > MOST_LINES {
                faults.push(format!("{}: {lines} lines, split past {MOST_LINES}", source.path));
            }
            let name = source.path.rsplit('/').next().unwrap_or_default();
            if ["utils.rs", "util.rs", "helpers.rs", "common.rs", "misc.rs"].contains(&name) {
                faults.push(format!("{}: a name for everything is a name for nothing", source.path));
            }
            if !source.text.starts_with("//!") {
                faults.push(format!("{}: does not say what it is for", source.path));
            }
        }
        check(faults);
    });
}

#[test]
fn shared_state_states_its_invariants() {
    within(Duration::from_secs(30), "invariants", || {
        let shared =
            ["parking_lot", "std::sync::atomic", "crossbeam", "std::sync::Mutex", "std::sync::RwLock"];
        let mut faults = Vec::new();
        for source in sources() {
            if !source.path.starts_with("engines/src/")
                || !source.code_lines().any(|(_, line)| shared.iter().any(|word| line.contains(word)))
            {
                continue;
            }
            let header: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
            if !header.contains("Thread safety") && !header.contains("Invariants") {
                faults.push(format!(
                    "{}: shared state without \"Thread safety\" or \"Invariants\" at its head",
                    source.path
                ));
            }
        }
        check(faults);
    });
}

#[test]
fn unsafe_stays_in_its_listed_files() {
    within(Duration::from_secs(30), "unsafe", || {
        let mut faults = Vec::new();
        for source in sources() {
            if UNSAFE_FILES.contains(&source.path.as_str()) || source.path == "harness/tests/tidy.rs" {
                continue;
            }
            for (number, line) in source.code_lines() {
                if line.contains("unsafe ") || line.contains("unsafe_code") {
                    faults.push(format!("{}:{number}: {line}", source.path));
                }
            }
        }
        check(faults);
    });
}

#[test]
fn the_harness_does_not_decide_by_an_engines_name() {
    within(Duration::from_secs(30), "engine names", || {
        let names: Vec<String> =
            engines::registry::entries().map(|entry| format!("\"{}\"", entry.name)).collect();
        let mut faults = Vec::new();
        for source in sources().iter().filter(|source| source.path.starts_with("harness/src/")) {
            for (number, line) in source.code_lines() {
                let is_definition =
                    source.path == "harness/src/results/model.rs" && line.contains("NULL_LABEL");
                for name in names.iter().filter(|name| line.contains(name.as_str()) && !is_definition) {
                    faults.push(format!("{}:{number}: {name}: {line}", source.path));
                }
            }
        }
        check(faults);
    });
}
