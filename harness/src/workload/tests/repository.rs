//! The workload files of this repository: each can be planned with the engines there are, and follows the schema.

use crate::exit::Failure;
use crate::workload::file;
use crate::workload::limits::MAX_FILE_BYTES;
use crate::workload::overrides::Overrides;
use crate::workload::plan::{Bound, Plan, RequestDistribution};
use crate::workload::{estimate, schema};
use engines::entry::{Kind, Storage};
use engines::registry::missing_feature;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads")
}

/// All workload files, by file name without its end, with their text.
pub fn files() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(directory())
        .expect("the workloads")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (stem, fs::read_to_string(&path).expect("text"))
        })
        .collect();
    files.sort();
    files
}

fn planned(name: &str) -> Plan {
    try_planned(name).expect("a plan")
}

fn try_planned(name: &str) -> Result<Plan, Failure> {
    let (_, text) = files().into_iter().find(|(stem, _)| stem == name).expect("the file");
    let engines: Vec<_> = engines::registry::entries().collect();
    file::plan(name, text.as_bytes(), &Overrides::default(), &engines)
}

/// Whether the file is about peers that this program was built without; it is refused, and the feature named.
fn needs_a_feature(name: &str) -> bool {
    let peers: &[&str] = match name {
        "peers-memory" | "peers-memory-scans" => &["std-btreemap"],
        "compare-persistent" | "compare-sync" => &["redb", "fjall", "lmdb", "sqlite", "rocksdb"],
        _ => &[],
    };
    let missing = peers.iter().find_map(|peer| Some((peer, missing_feature(peer)?)));
    if let Some((peer, feature)) = missing {
        let refused = try_planned(name).err().map(|failure| failure.to_string()).unwrap_or_default();
        let told = format!("engine '{peer}' is not built in: it needs the cargo feature '{feature}'");
        assert!(refused.contains(&told), "{name}: {refused}");
    }
    missing.is_some()
}

#[test]
fn every_file_is_planned_under_its_own_name_and_says_what_it_models() {
    let files = files();
    assert!(files.len() >= 13, "{} files", files.len());
    for (stem, text) in files {
        if !needs_a_feature(&stem) {
            let plan = planned(&stem);
            assert_eq!(plan.name, stem);
            assert!(!plan.description.is_empty(), "{stem} has no description");
        }
        let comment: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(comment.contains("How to read it:"), "{stem} does not say how to read its result");
        assert!((text.len() as u64) < MAX_FILE_BYTES);
    }
}

#[test]
fn ycsb_workloads_are_the_core_workloads() {
    let zipfian = RequestDistribution::YcsbZipfian { theta: 0.99 };
    let latest = RequestDistribution::Latest { theta: 0.99 };
    for (name, request, [read, update, insert, scan, read_modify_write]) in [
        ("ycsb-a", zipfian, [0.5, 0.5, 0.0, 0.0, 0.0]),
        ("ycsb-b", zipfian, [0.95, 0.05, 0.0, 0.0, 0.0]),
        ("ycsb-c", zipfian, [1.0, 0.0, 0.0, 0.0, 0.0]),
        ("ycsb-d", latest, [0.95, 0.0, 0.05, 0.0, 0.0]),
        ("ycsb-e", zipfian, [0.0, 0.0, 0.05, 0.95, 0.0]),
        ("ycsb-f", zipfian, [0.5, 0.0, 0.0, 0.0, 0.5]),
    ] {
        let plan = planned(name);
        assert!(plan.records >= 1_000_000, "{name}");
        let [phase] = plan.phases.as_slice() else { panic!("{name} has one phase") };
        assert_eq!(phase.request, request, "{name}");
        let mix = phase.mix;
        let found = [mix.read, mix.update, mix.insert, mix.scan, mix.read_modify_write];
        assert_eq!(found, [read, update, insert, scan, read_modify_write], "{name}");
    }
}

#[test]
fn quick_runs_every_own_engine_in_less_than_a_minute() {
    let plan = planned("quick");
    assert_eq!(plan.left_out, []);
    let own = engines::registry::entries().filter(|entry| entry.kind == Kind::Own).count();
    let threads: BTreeSet<_> = plan.cells.iter().map(|cell| cell.threads).collect();
    assert_eq!(plan.cells.len(), own * 2);
    assert!(threads.len() >= 2 && plan.records >= 100_000);
    // The null engine runs once for each thread count beside the cells of the plan.
    let with_null = estimate::duration(&plan).mul_f64((own + 1) as f64 / own as f64);
    assert!(with_null < Duration::from_secs(55), "{with_null:?}");
}

/// The figures that the issue of the peers asks for: every engine of ours and every peer that can, phases long enough.
#[test]
fn peers_run_beside_every_own_engine() {
    for (name, least) in [("peers-memory", 15), ("peers-memory-scans", 9)] {
        if needs_a_feature(name) {
            continue;
        }
        let plan = planned(name);
        let scans = plan.phases.iter().any(|phase| phase.mix.scan > 0.0);
        let expected: BTreeSet<_> = engines::registry::entries()
            .filter(|entry| entry.kind != Kind::Instrument)
            .filter(|entry| entry.kind == Kind::Own || entry.storage == Storage::Memory)
            .filter(|entry| !scans || entry.capabilities.ordered_scan)
            .map(|entry| entry.name)
            .collect();
        let found: BTreeSet<_> = plan.cells.iter().map(|cell| cell.engine.as_str()).collect();
        assert!(found == expected && found.len() >= least, "{name}: {found:?}");
        assert!(plan.trials >= 5 && plan.records >= 1_000_000);
        for phase in &plan.phases {
            assert!(matches!(phase.bound, Bound::Duration(time) if time >= Duration::from_secs(3)), "{name}");
        }
    }
}

#[test]
fn all_engines_are_ours() {
    let plan = planned("ycsb-a");
    let kind = |name: &str| engines::registry::find(name).expect("an engine").kind;
    assert!(plan.cells.iter().all(|cell| kind(&cell.engine) == Kind::Own));
}

#[test]
fn ci_takes_a_few_seconds() {
    assert!(estimate::duration(&planned("ci")) < Duration::from_secs(10));
}

#[test]
fn the_committed_schema_is_the_schema() {
    let committed = fs::read_to_string(directory().join("schema.json")).unwrap_or_default();
    let made = schema::text().expect("a schema");
    assert!(
        committed == made,
        "workloads/schema.json is not what the types say; make it anew with\n  \
         cargo run -q --bin harness -- workload schema > workloads/schema.json"
    );
}

#[test]
fn the_documentation_names_every_field_and_distribution() {
    let readme = fs::read_to_string(directory().join("README.md")).expect("workloads/README.md");
    let schema: serde_json::Value = serde_json::from_str(&schema::text().expect("a schema")).expect("JSON");
    let mut names = BTreeSet::new();
    collect_names(&schema, &mut names);
    assert!(names.contains("records") && names.contains("data_fraction") && names.contains("ycsb_zipfian"));
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "workloads/README.md does not explain `{name}`");
    }
}

#[test]
fn the_example_of_the_documentation_can_be_planned() {
    let readme = fs::read_to_string(directory().join("README.md")).expect("workloads/README.md");
    let example =
        readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let engines: Vec<_> = engines::registry::entries().collect();
    let plan = file::plan("README.md", example.as_bytes(), &Overrides::default(), &engines).expect("a plan");
    assert_eq!((plan.name.as_str(), plan.cells.len()), ("sessions", 4));
}

/// Names of all properties and of all values that can be chosen.
fn collect_names(schema: &serde_json::Value, names: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(object) => {
            if let Some(properties) = object.get("properties").and_then(|properties| properties.as_object()) {
                names.extend(properties.keys().cloned());
            }
            for choices in object.get("enum").and_then(|choices| choices.as_array()).into_iter().flatten() {
                names.extend(choices.as_str().map(str::to_owned));
            }
            names.extend(object.get("const").and_then(|name| name.as_str()).map(str::to_owned));
            object.values().for_each(|value| collect_names(value, names));
        }
        serde_json::Value::Array(array) => array.iter().for_each(|value| collect_names(value, names)),
        _ => {}
    }
}
