//! The engines of the registry as subjects of the suite.

use engines::entry::{Entry, Kind, OpenOptions, Storage};
use engines::options::{ByteSize, OptionDoc};
use engines::testing::Subject;
use engines::{Durability, Engine, Error, registry};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Random cases that each engine is put to, over all its subjects together.
const CASES: u32 = 2_400;

/// Every engine that stores data, own ones and peers: in each durability class it offers, with its default options, with
/// its least ones, and with its greatest sizes.
pub fn subjects() -> Vec<Subject> {
    let stores = |entry: &&'static Entry| entry.kind != Kind::Instrument;
    registry::entries().filter(stores).flat_map(subjects_of).collect()
}

/// Every instrument with its default options.
pub fn instruments() -> Vec<Subject> {
    let measures = |entry: &&'static Entry| entry.kind == Kind::Instrument;
    let has_own_engines = registry::entries().any(|entry| entry.kind == Kind::Own);
    let instruments = registry::entries().filter(measures);
    instruments
        .filter(|entry| match (entry.open)(&OpenOptions::default()) {
            Ok(_) => true,
            // A wrapper has nothing to wrap as long as the registry holds instruments only.
            Err(Error::UnknownEngine { .. }) if !has_own_engines => false,
            Err(error) => panic!("{}: {error}", entry.name),
        })
        .map(|entry| subject(entry, Value::Null, Durability::None))
        .collect()
}

/// The name of the subject with default options.
pub fn default_name(entry: &Entry, durability: Durability) -> String {
    format!("{} {durability}", entry.name)
}

fn subjects_of(entry: &'static Entry) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for class in entry.capabilities.durability {
        subjects.push(subject(entry, Value::Null, *class));
        // What is put around an engine that lives in memory does not know how it was made.
        if *class == Durability::None || entry.storage == Storage::Files {
            let others = least_options(entry).into_iter().chain(greatest_sizes(entry));
            subjects.extend(others.map(|options| subject(entry, options, *class)));
        }
    }
    let cases = CASES / u32::try_from(subjects.len()).unwrap_or(u32::MAX).max(1);
    subjects.into_iter().map(|subject| subject.with_cases(cases)).collect()
}

/// Every option whose documented range is `least–greatest`, at the least, so that few records make many nodes, buckets or
/// tables; then the same with the options that are `null` by default, since these choose another mode of the engine. Options
/// named a limit stay: they are meant to refuse.
fn least_options(entry: &Entry) -> Vec<Value> {
    let (mut with_modes, mut without) = (Map::new(), Map::new());
    for option in entry.options.iter().filter(|option| !option.name.contains("limit")) {
        let default: Value = serde_json::from_str(option.default).expect("a default is JSON");
        if let Some(least) = least(option, &default) {
            if !default.is_null() {
                without.insert(option.name.to_owned(), least.clone());
            }
            with_modes.insert(option.name.to_owned(), least);
        }
    }
    let mut choices = vec![without, with_modes];
    choices.dedup();
    choices.into_iter().filter(|set| !set.is_empty()).map(Value::Object).collect()
}

/// The least value of an option, if its range is a range: the last word before the dash.
fn least(option: &OptionDoc, default: &Value) -> Option<Value> {
    let (before, _) = option.range.split_once('–')?;
    let least = before.split_whitespace().last()?.replace(',', "");
    let parsed = match default {
        Value::String(_) => least.parse::<ByteSize>().ok().map(|_| json!(least)),
        Value::Number(number) if number.is_f64() => least.parse::<f64>().ok().map(|least| json!(least)),
        _ => least.parse::<u64>().ok().map(|least| json!(least)),
    };
    assert!(parsed.is_some(), "option {}: no least value in the range '{}'", option.name, option.range);
    parsed
}

/// Every option that is a size, at the greatest of its range, where what numbers the parts of a node or segment is used up.
fn greatest_sizes(entry: &Entry) -> Option<Value> {
    let greatest = |option: &OptionDoc| {
        let default: Value = serde_json::from_str(option.default).expect("a default is JSON");
        let (_, behind) = option.range.split_once('–')?;
        let greatest = behind.split([' ', ',']).next()?.to_owned();
        let is_size = default.is_string() && greatest.parse::<ByteSize>().is_ok();
        (is_size && !option.name.contains("limit")).then(|| (option.name.to_owned(), json!(greatest)))
    };
    let sizes: Map<String, Value> = entry.options.iter().filter_map(greatest).collect();
    (!sizes.is_empty()).then_some(Value::Object(sizes))
}

fn subject(entry: &'static Entry, options: Value, durability: Durability) -> Subject {
    let mut name = default_name(entry, durability);
    if !options.is_null() {
        name = format!("{name} {options}");
    }
    let without_directory = OpenOptions { options, durability, directory: None };
    if durability == Durability::None && (entry.open)(&without_directory).is_ok() {
        return Subject::new(name, move || open(entry, &without_directory));
    }
    let mut with_directory = without_directory;
    if entry.storage == Storage::Memory {
        // Small files and many snapshots, so that the suite runs across their seams.
        with_directory.options =
            json!({ "durable": { "segment_bytes": "64KiB", "checkpoint_bytes": "256KiB" } });
    }
    let directories = Directories::new(place());
    Subject::new(name, move || {
        let directory = Some(directories.next());
        open(entry, &OpenOptions { directory, ..with_directory.clone() })
    })
    .on_storage()
}

fn open(entry: &Entry, options: &OpenOptions) -> Box<dyn Engine> {
    registry::open(entry.name, options).unwrap_or_else(|error| panic!("{} {options:?}: {error}", entry.name))
}

/// Files lie in memory where the system has a directory for that: the suite asks what operations mean, a hundred thousand times,
/// and a sync costs nothing there. What syncs are worth is what `crash.rs`, `kills.rs` and `peers_durability.rs` ask.
fn place() -> &'static Path {
    let in_memory = Path::new("/dev/shm");
    if in_memory.is_dir() { in_memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) }
}

/// A directory for each engine opened; all are removed with their subject.
struct Directories {
    root: PathBuf,
    opened: AtomicU64,
}

impl Directories {
    fn new(place: &Path) -> Self {
        static SUBJECTS: AtomicU64 = AtomicU64::new(0);
        let subject = SUBJECTS.fetch_add(1, Relaxed);
        let name = format!("conformance-{}-{subject}", std::process::id());
        Self { root: place.join(name), opened: AtomicU64::new(0) }
    }

    fn next(&self) -> PathBuf {
        let directory = self.root.join(self.opened.fetch_add(1, Relaxed).to_string());
        fs::create_dir_all(&directory).expect("a directory for the engine");
        directory
    }
}

impl Drop for Directories {
    fn drop(&mut self) {
        // What cannot be removed stays in the build directory, which is nobody's data.
        let _ = fs::remove_dir_all(&self.root);
    }
}
