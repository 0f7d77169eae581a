//! Every input that must be refused: where the fault is said to be, in which words, and how soon.

use super::fake::ENGINES;
use crate::exit::Exit;
use crate::workload::file::plan;
use crate::workload::overrides::Overrides;
use engines::testing::within;
use std::time::Duration;

/// A file is refused within this time, in an unoptimised build as well.
const LIMIT: Duration = Duration::from_secs(1);

/// The message for a file, which must be refused in time as wrong input.
fn refusal(bytes: &[u8]) -> String {
    let bytes = bytes.to_vec();
    within(LIMIT, "a refusal", move || {
        let failure = plan("w.yaml", &bytes, &Overrides::default(), ENGINES).expect_err("refused");
        assert_eq!(failure.exit, Exit::Usage);
        failure.to_string()
    })
}

#[track_caller]
fn refused(text: &str, message: &str) {
    let told = refusal(text.as_bytes());
    let first = told.lines().next().unwrap_or_default();
    let shown: String = text.chars().take(500).collect();
    assert_eq!(first, format!("w.yaml:{message}"), "\n{shown}\n{told}");
}

const PHASE: &str = "phases: [{ name: run, duration: 1s, read_proportion: 1 }]\n";

/// A file with one more line before its phases, so that the line is the second.
#[track_caller]
fn refused_line(line: &str, message: &str) {
    refused(&format!("name: w\n{line}\n{PHASE}"), message);
}

/// A file with these fields in its only phase, which is the third line.
#[track_caller]
fn refused_phase(fields: &str, message: &str) {
    refused(&format!("name: w\nphases:\n  - {{ name: run, {fields} }}\n"), message);
}

#[test]
fn misspelt_fields() {
    refused_line("recrods: 1000", "2:1: unknown field 'recrods'; did you mean 'records'?");
    refused_line("key: { ordre: hashed }", "2:8: unknown field 'ordre'; did you mean 'order'?");
    refused_phase(
        "reed_proportion: 1",
        "3:18: unknown field 'reed_proportion'; did you mean 'read_proportion'?",
    );
    refused_line("qqqq: 1", "2:1: unknown field 'qqqq'");
    refused_line("latency: { sampld: 64 }", "2:12: unknown value 'sampld'; did you mean 'sampled'?");
    refused_line("key: { order: hash }", "2:15: unknown value 'hash'; did you mean 'hashed'?");
    let told = refusal(format!("name: w\nrecrods: 1\n{PHASE}").as_bytes());
    assert!(told.contains("hint: known here: name, description, engines"), "{told}");
}

#[test]
fn missing_and_duplicate_fields() {
    refused(PHASE, "1:1: missing field 'name'");
    refused("name: w\n", "1:1: missing field 'phases'");
    refused_line("trials: 1\ntrials: 2", "3:1: duplicate key 'trials'");
    refused_phase("duration: 1s, read_proportion: 1, duration: 2s", "3:52: duplicate key 'duration'");
    refused_line(
        "engines: [{ engine: btree, options: { order: 5, order: 6 } }]",
        "2:49: duplicate key 'order'",
    );
    refused_line(
        "records:",
        "2:8: nothing is not a count; write a whole number such as 1000000 or 1_000_000",
    );
}

#[test]
fn proportions() {
    refused_phase(
        "duration: 1s, read_proportion: 0.6, update_proportion: 0.5",
        "3:5: the proportions of phase 'run' sum to 1.1, not 1 (read 0.6 + update 0.5)",
    );
    refused_phase("duration: 1s", "3:5: phase 'run' does nothing; give it a '…_proportion'");
    refused_phase("duration: 1s, read_proportion: 1.5", "3:49: 'read_proportion' must be 0 to 1, not 1.5");
    refused_phase("duration: 1s, read_proportion: -0.5", "3:49: 'read_proportion' must be 0 to 1, not -0.5");
    refused_phase("duration: 1s, read_proportion: .nan", "3:49: value `.nan` is not a finite number");
    refused_phase("duration: 1s, read_proportion: .inf", "3:49: value `.inf` is not a finite number");
    refused_phase("duration: 1s, read_proportion: 1e999", "3:49: value `1e999` is not a finite number");
    refused_phase("duration: 1s, read_proportion: half", "3:49: 'half' is not a number; write it as 0.5");
}

#[test]
fn numbers() {
    refused_line("records: -5", "2:10: -5 is negative; write a whole number such as 1000000 or 1_000_000");
    refused_line("records: 0", "2:10: 'records' must be 1 to 1,099,511,627,776, not 0");
    refused_line(
        "records: 2000000000000",
        "2:10: 'records' must be 1 to 1,099,511,627,776, not 2,000,000,000,000",
    );
    refused_line("records: 99999999999999999999999999", "2:10: 1e26 is too large for a count");
    refused_line(
        "records: 1.5",
        "2:10: 1.5 is not a count; write a whole number such as 1000000 or 1_000_000",
    );
    refused_line(
        "records: 1M",
        "2:10: '1M' is not a count; write a whole number such as 1000000 or 1_000_000",
    );
    refused_line(
        "records: [1]",
        "2:10: a sequence is not a count; write a whole number such as 1000000 or 1_000_000",
    );
    refused_line(
        "records: true",
        "2:10: true is not a count; write a whole number such as 1000000 or 1_000_000",
    );
    refused_line(
        "records: 1_000_000_000_000",
        "2:10: 1,000,000,000,000 records are about 113 TiB, over the limit of 16 TiB",
    );
    refused_line("trials: 1001", "2:9: 'trials' must be 1 to 1,000, not 1,001");
    refused_line("seed: 18446744073709551616", "2:7: 1.8446744073709552e19 is too large for a count");
    refused_line("threads: 0", "2:10: 'threads' must be 1 to 1,024, not 0");
    refused_line("threads: [1, 2000]", "2:14: 'threads' must be 1 to 1,024, not 2,000");
    refused_line("threads: [1, 2, 1]", "2:17: 'threads' lists 1 twice");
    refused_line("threads: []", "2:10: 'threads' is an empty list");
    refused_line("check_one_in: 1000001", "2:15: 'check_one_in' must be 0 to 1,000,000, not 1,000,001");
    refused_line("latency: { sampled: 0 }", "2:21: 'sampled' must be 1 to 1,000,000, not 0");
    refused_line("key: { zero_padding: 101 }", "2:22: 'zero_padding' must be 1 to 100, not 101");
    refused_phase(
        "read_proportion: 1, operations: 1_000_000_000_000_000_000",
        "3:50: 'operations' must be 1 to 281,474,976,710,656, not 1,000,000,000,000,000,000",
    );
}

#[test]
fn times() {
    let example = "write it with a unit, as 10s, 500ms, 2m or 1h";
    refused_phase(
        "read_proportion: 1, duration: 10 parsecs",
        &format!("3:48: '10 parsecs' is not a time; {example}"),
    );
    refused_phase("read_proportion: 1, duration: 10", &format!("3:48: time 10 has no unit; {example}"));
    refused_phase("read_proportion: 1, duration: 10S", &format!("3:48: '10S' is not a time; {example}"));
    refused_phase("read_proportion: 1, duration: -1s", &format!("3:48: '-1s' is not a time; {example}"));
    refused_phase("read_proportion: 1, duration: 25h", "3:48: 'duration' must be 1ms to 24h, not 90000s");
    refused_phase("read_proportion: 1, duration: 0s", "3:48: 'duration' must be 1ms to 24h, not 0ns");
    let eons = "9".repeat(400);
    let cut = "9".repeat(60);
    refused_phase(
        &format!("read_proportion: 1, duration: {eons}s"),
        &format!("3:48: '{cut}…' is too long a time"),
    );
    refused_line("warmup: 1d", &format!("2:9: '1d' is not a time; {example}"));
}

#[test]
fn phases() {
    refused("name: w\nphases: []\n", "2:9: a workload has 1 to 64 phases, not 0");
    refused("name: w\nphases: {}\n", "2:9: expected sequence start");
    let phase = "  - { name: run, duration: 1s, read_proportion: 1 }\n";
    let twice = format!("name: w\nphases:\n{phase}{phase}");
    refused(&twice, "4:13: two phases are called 'run'");
    refused(&format!("name: w\nphases:\n{}", phase.repeat(65)), "3:3: a workload has 1 to 64 phases, not 65");
    refused_phase("read_proportion: 1", "3:5: phase 'run' has no end; give it a 'duration' or 'operations'");
    refused_phase(
        "read_proportion: 1, duration: 1s, operations: 5",
        "3:64: phase 'run' has both 'duration' and 'operations'; give it one of them",
    );
    refused(
        "name: w\nphases: [{ name: load, duration: 1s, read_proportion: 1 }]",
        "2:18: a phase cannot be called 'load'; that is the load before all phases",
    );
    refused_phase(
        "read_proportion: 1, duration: 1s, scan_reverse: true",
        "3:66: 'scan_reverse' has no effect: phase 'run' does not scan",
    );
}

#[test]
fn inserts() {
    refused_phase(
        "insert_proportion: 1, operations: 100_000_000_000",
        "3:52: phase 'run' inserts more than 34,359,738,368 records",
    );
}

#[test]
fn distributions() {
    let phase = |distribution: &str| {
        format!("read_proportion: 1, duration: 1s, request_distribution: {distribution}")
    };
    refused_phase(&phase("zipfain"), "3:74: unknown request distribution 'zipfain'; did you mean 'zipfian'?");
    refused_phase(
        &phase("{ theta: 0.9 }"),
        "3:74: the distribution has no name; write { name: hotspot, data_fraction: 0.2 }",
    );
    refused_phase(
        &phase("{ name: zipfian, teta: 0.9 }"),
        "3:97: 'zipfian' has no parameter 'teta'; did you mean 'theta'?",
    );
    refused_phase(&phase("{ name: uniform, theta: 0.9 }"), "3:98: 'uniform' has no parameter 'theta'");
    refused_phase(
        &phase("{ name: zipfian, theta: 0 }"),
        "3:98: 'theta' must be above 0 and at most 10, not 0",
    );
    refused_phase(
        &phase("{ name: ycsb_zipfian, theta: 1 }"),
        "3:103: 'theta' must be above 0 and below 1, not 1",
    );
    refused_phase(
        &phase("{ name: hotspot, data_fraction: 1.5 }"),
        "3:106: 'data_fraction' must be above 0 and at most 1, not 1.5",
    );
    refused_phase(&phase("{ name: zipfian, theta: 1, theta: 2 }"), "3:101: duplicate key 'theta'");
}

#[test]
fn sizes() {
    refused_line("value: { size: 0 }", "2:16: 'size' of 'value' must be 1 to 67,108,864, not 0");
    refused_line("value: { size: 65MiB }", "2:16: 'size' of 'value' must be 1 to 67,108,864, not 68,157,440");
    refused_line(
        "value: { size: 10 parsecs }",
        "2:16: '10 parsecs' is not a size; write bytes as 4096, or with a unit as 4KiB or 1MiB",
    );
    refused_line(
        "value: { distribution: uniform, size: 5 }",
        "2:39: 'size' does not belong to the uniform distribution of 'value'",
    );
    refused_line(
        "value: { min: 5, max: 6 }",
        "2:15: 'min' does not belong to the constant distribution of 'value'",
    );
    refused_line("value: { distribution: uniform, min: 5 }", "2:8: 'value' lacks 'max'");
    refused_line(
        "value: { distribution: zipfian, min: 9, max: 3 }",
        "2:46: 'max' of 'value' is 3, less than 'min', 9",
    );
    refused_line(
        "value: { distribution: histogram, block_size: 10, weights: [0, 0] }",
        "2:60: 'weights' must sum to 1 to 281,474,976,710,656, not 0",
    );
    refused_line(
        "value: { distribution: histogram, block_size: 64MiB, weights: [1, 1] }",
        "2:63: the last bucket of 'value' is 134,217,728 long, over the limit of 67,108,864",
    );
    refused_line(
        "value: { distribution: histogram, block_size: 10, weights: [1, -1] }",
        "2:64: -1 is negative; write a whole number such as 1000000 or 1_000_000",
    );
    refused_line("value: { compressibility: 2 }", "2:27: 'compressibility' must be 0 to 1, not 2");
    let scan = "duration: 1s, scan_proportion: 1, scan_length";
    refused_phase(&format!("{scan}: 0"), "3:65: 'size' of 'scan_length' must be 1 to 16,777,216, not 0");
    refused_phase(
        &format!("{scan}: -1"),
        "3:65: -1 is negative; write a whole number such as 1000000 or 1_000_000",
    );
    refused_phase(
        &format!("{scan}: {{ distribution: uniform, min: 1, max: 1e9 }}"),
        "3:103: 1000000000 is not a count; write a whole number such as 1000000 or 1_000_000",
    );
}

#[test]
fn multigets() {
    let phase = "duration: 1s, read_proportion: 0.5, multiget_proportion: 0.5, multiget_size";
    refused_phase(&format!("{phase}: 0"), "3:95: 'multiget_size' must be 1 to 1,024, not 0");
    refused_phase(&format!("{phase}: 1025"), "3:95: 'multiget_size' must be 1 to 1,024, not 1,025");
    refused_phase(
        &format!("{phase}: many"),
        "3:95: 'many' is not a count; write a whole number such as 1000000 or 1_000_000",
    );
    refused_phase(
        "duration: 1s, read_proportion: 1, multiget_size: 16",
        "3:67: 'multiget_size' has no effect: phase 'run' has no multigets",
    );
    refused_phase(
        "duration: 1s, read_proportion: 0.5, multiget_proportion: 0.6",
        "3:5: the proportions of phase 'run' sum to 1.1, not 1 (read 0.5 + multiget 0.6)",
    );
    let told =
        refusal(b"name: w\nphases: [{ name: run, duration: 1s, read_proportion: 1, multiget_size: 2 }]\n");
    assert!(told.contains("hint: give the phase a 'multiget_proportion', or drop the field"), "{told}");
}

#[test]
fn memory_trials() {
    refused_line("memory: some", "2:9: memory is 'none' or a mapping, as { compact: true }, not 'some'");
    refused_line("memory:", "2:7: memory is 'none' or a mapping, as { compact: true }, not nothing");
    refused_line("memory: { compct: true }", "2:11: unknown field 'compct'; did you mean 'compact'?");
    refused_line("memory: { threads: 0 }", "2:20: 'threads' must be 1 to 1,024, not 0");
    refused_line("memory: { overwrite: { passes: 0 } }", "2:32: 'passes' must be 1 to 100, not 0");
    refused_line(
        "memory: { overwrite: { value: { distribution: uniform, min: 5 } } }",
        "2:31: 'value' lacks 'max'",
    );
    refused_line(
        "memory: { overwrite: { value: { size: 5, compressibility: 0.5 } } }",
        "2:59: 'compressibility' has no effect on overwritten values: they are filled as those of the load",
    );
    refused_line(
        "engines: [lsm-memtable]\nmemory: { overwrite: { value: { size: 2MiB } } }",
        "2:11: engine 'lsm-memtable' cannot run this workload: values are up to 2,097,152 bytes long, over its limit of \
         1,048,576 bytes",
    );
}

#[test]
fn names_and_labels() {
    refused(
        &format!("name: ../w\n{PHASE}"),
        "1:7: '../w' is not a name for a workload; it must match ^[a-z0-9][a-z0-9._-]*$",
    );
    refused(
        &format!("name: \"\"\n{PHASE}"),
        "1:7: '' is not a name for a workload; it must match ^[a-z0-9][a-z0-9._-]*$",
    );
    let long = "w".repeat(65);
    refused(
        &format!("name: {long}\n{PHASE}"),
        "1:7: the name of the workload has 65 characters, more than 64",
    );
    refused_line(
        "description: \"a\\u202Eb\"",
        "2:14: 'description' holds a character that does not show, \\u{202e}",
    );
    refused_line(
        "engines: [{ engine: btree, label: \"a\\e[2J\" }]",
        "2:35: 'label' must be 1 to 64 printable characters without space at its ends, not 'a\\u{1b}[2J'",
    );
    refused_line("engines: [btree, btree]", "2:18: two engines are called 'btree'");
    refused_line("engines: [btree, { engine: hash, label: btree }]", "2:41: two engines are called 'btree'");
    refused_line(
        "key: { prefix: 'a b' }",
        "2:16: 'prefix' must be at most 64 printable ASCII characters, not 'a b'",
    );
}

#[test]
fn engines() {
    refused_line("engines: [btree, btreee]", "2:18: unknown engine 'btreee'; did you mean 'btree'?");
    refused_line("engines: hahs", "2:10: unknown engine 'hahs'; did you mean 'hash'?");
    refused_line(
        "engines:\n  - engine: lsm\n    label: x",
        "3:13: unknown engine 'lsm'; did you mean 'lsm-memtable'?",
    );
    refused_line(
        "engines: [btree, all]",
        "2:18: 'all' stands alone, as engines: all; it is not one of a list",
    );
    refused_line("engines: []", "2:10: 'engines' must list 1 to 256 engines, not 0");
    refused_line(
        "engines: { engine: btree }",
        "2:10: engines is 'all' or a list; put the mapping into a list, as [{ engine: … }]",
    );
    refused_line(
        "durability: synch",
        "2:13: unknown durability class 'synch'; did you mean 'sync'?; there are none, buffered, sync",
    );
    refused_line(
        "engines: [btree]\ndurability: [none, sync]",
        "3:20: engine 'btree' cannot run this workload: durability 'sync' is not offered (offered: none)",
    );
    refused_line(
        "engines: [frozen]",
        "2:11: engine 'frozen' cannot run this workload: it takes no writes, which the load is made of",
    );
    refused_line(
        "engines: [btree, lsm-memtable]\nvalue: { size: 2MiB }",
        "2:18: engine 'lsm-memtable' cannot run this workload: values are up to 2,097,152 bytes long, over its limit of \
         1,048,576 bytes",
    );
    let scans = "phases: [{ name: run, duration: 1s, scan_proportion: 1, scan_reverse: true }]";
    refused(
        &format!("name: w\nengines: [btree, hash]\n{scans}"),
        "2:18: engine 'hash' cannot run this workload: phase 'run' scans, and it keeps no order",
    );
    refused(
        &format!("name: w\nengines: [rbtree]\n{scans}"),
        "2:11: engine 'rbtree' cannot run this workload: phase 'run' scans downwards, which it cannot",
    );
    refused_line("durability: buffered", "1:1: no engine can run this workload");
}

#[test]
fn options() {
    refused_line(
        "engines: [{ engine: btree, options: { ordr: 5 } }]",
        "2:45: engine 'btree' has no option 'ordr'; did you mean 'order'?",
    );
    refused_line(
        "engines:\n  - engine: btree\n    options:\n      short_values: true\n      order: 2",
        "6:14: engine 'fake': order must be 3 to 1000, not 2",
    );
    refused_line("engines: [{ engine: btree, options: [1] }]", "2:37: expected mapping start");
    refused_line(
        "engines: [{ engine: btree, options: { order: .nan } }]",
        "2:46: value `.nan` is not a finite number",
    );
    refused_line(
        "engines: [{ engine: btree, options: { short_values: true } }]",
        "2:21: engine 'btree' cannot run this workload: values are up to 100 bytes long, over its limit of 10 bytes",
    );
}

#[test]
fn too_many_cells() {
    let engines: Vec<_> = (0..11).map(|i| format!("{{ engine: btree, label: b{i} }}")).collect();
    let threads: Vec<_> = (1..=1_000).map(|threads| threads.to_string()).collect();
    let line = format!("engines: [{}]\nthreads: [{}]", engines.join(", "), threads.join(", "));
    refused_line(&line, "2:10: the workload has 11000 cells, over the limit of 10000");
}

#[test]
fn alias_bombs() {
    let mut bomb = "  a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (inner, outer) in ('a'..='i').zip('b'..='j') {
        let ten = vec![format!("*{inner}"); 10].join(", ");
        bomb += &format!("  {outer}: &{outer} [{ten}]\n");
    }
    let options =
        format!("name: w\nengines:\n - engine: btree\n   options:\n{}", bomb.replace("  ", "     "));
    refused(&options, "8:41: the aliases stand for more than 10000 nodes");
    refused(&format!("name: w\nbomb:\n{bomb}"), "2:1: unknown field 'bomb'");
    refused_line("records: *nothing", "2:10: reference to unknown value");
    let many: String = (0..200).map(|i| format!("&a{i} {i}, ")).collect();
    refused_line(&format!("threads: [{many}]"), "2:897: more than 100 anchors or aliases");
}

#[test]
fn deep_nesting() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let option = |value: &str| format!("engines: [{{ engine: btree, options: {{ order: {value} }} }}]");
    refused_line(&option(&deep(100)), "2:75: nested more than 32 deep");
    refused_line(&option(&deep(100_000)), "2:75: nested more than 32 deep");
    let block: String = (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused(
        &format!("name: w\nengines:\n - engine: btree\n   options:\n{}", block.replace("a:", "    a:")),
        "34:34: nested more than 32 deep",
    );
}

#[test]
fn what_is_no_yaml() {
    refused("", "1:1: the file is empty");
    refused("# nothing but a comment\n\n", "1:1: the file is empty");
    refused("a sentence", "1:1: expected mapping start");
    refused("[1, 2]", "1:1: expected mapping start");
    refused(
        &format!("name: w\n{PHASE}---\nname: v\n"),
        "3:1: a second document begins here; a file holds one workload",
    );
    refused_line("\trecords: 5", "1:7: while scanning a plain scalar, found a tab");
    refused_line("records: !!python/object:os.system x", "2:36: unsupported tag `!!python/object:os.system`");
}

#[test]
fn what_is_no_text() {
    assert_eq!(refusal(b"name: w\nrecords: \xff5\n"), "w.yaml:2:10: the file is not UTF-8: byte 0xff");
    let garbage: Vec<u8> = (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert!(refusal(&garbage).starts_with("w.yaml:1:"));
    let zeros = refusal(&[0; 10_000]);
    assert!(zeros.starts_with("w.yaml:1:1: "), "{zeros}");
    assert!(zeros.chars().all(|c| !c.is_control() || c == '\n'), "{zeros}");
}

#[test]
fn what_is_too_long() {
    let comment = format!("{}\n", "# x".repeat(400_000));
    assert_eq!(refusal(comment.as_bytes()), "w.yaml:1:1: the file is longer than 1 MiB");
    let many = "1,".repeat(500_000);
    let text =
        format!("name: w\nvalue: {{ distribution: histogram, block_size: 1, weights: [{many}] }}\n{PHASE}");
    let told = refusal(text.as_bytes());
    assert!(told.contains("more than 100000 nodes"), "{told}");
}

#[test]
fn flags() {
    let told = |overrides: &Overrides| {
        let text = format!("name: w\n{PHASE}");
        plan("w.yaml", text.as_bytes(), overrides, ENGINES).expect_err("refused").to_string()
    };
    let engines = Some(vec!["btre".to_owned()]);
    let message = told(&Overrides { engines, ..Overrides::default() });
    assert!(
        message.starts_with("--engines: unknown engine 'btre'; did you mean 'btree'? (w.yaml)"),
        "{message}"
    );
    let threads = Some(vec!["5000".parse().expect("a count")]);
    let message = told(&Overrides { threads, ..Overrides::default() });
    assert_eq!(message, "--threads: 'threads' must be 1 to 1,024, not 5,000 (w.yaml)");
}
