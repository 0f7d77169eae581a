//! The JSON Schema against files: what can be planned follows it, and what it can refuse it refuses. The validator here knows
//! the key words that the schema uses and fails on any other, so that none goes unnoticed.

use super::repository::files;
use crate::workload::schema;
use serde_json::{Map, Value};

/// A file as an editor sees it: YAML as JSON, numbers with underscores as text.
fn document(text: &str) -> Value {
    let options = serde_saphyr::options! { underscored_numbers_as_strings: true };
    serde_saphyr::from_str_with_options(text, options).expect("YAML")
}

fn schema() -> Value {
    serde_json::from_str(&schema::text().expect("a schema")).expect("JSON")
}

/// Why the value does not follow the schema, or nothing.
fn fault(schema: &Value, value: &Value) -> Option<String> {
    let schema = match schema {
        Value::Bool(true) => return None,
        Value::Bool(false) => return Some(format!("{value} where nothing is allowed")),
        schema => schema.as_object().expect("a schema"),
    };
    schema.iter().find_map(|(word, rule)| word_fault(schema, word, rule, value))
}

fn word_fault(schema: &Map<String, Value>, word: &str, rule: &Value, value: &Value) -> Option<String> {
    let holds = match word {
        "$schema" | "title" | "description" | "default" | "format" => true,
        "type" => match rule {
            Value::Array(types) => types.iter().any(|name| is_of_type(name, value)),
            name => is_of_type(name, value),
        },
        "enum" => rule.as_array().expect("choices").contains(value),
        "const" => rule == value,
        "anyOf" => rule.as_array().expect("schemas").iter().any(|schema| fault(schema, value).is_none()),
        "oneOf" => {
            rule.as_array().expect("schemas").iter().filter(|schema| fault(schema, value).is_none()).count()
                == 1
        }
        "minimum" => value.as_f64().is_none_or(|number| number >= limit(rule)),
        "maximum" => value.as_f64().is_none_or(|number| number <= limit(rule)),
        "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > limit(rule)),
        "exclusiveMaximum" => value.as_f64().is_none_or(|number| number < limit(rule)),
        "minItems" => value.as_array().is_none_or(|items| items.len() as f64 >= limit(rule)),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as f64 <= limit(rule)),
        "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as f64 <= limit(rule)),
        "uniqueItems" => {
            value.as_array().is_none_or(|items| (1..items.len()).all(|i| !items[..i].contains(&items[i])))
        }
        "pattern" => value.as_str().is_none_or(|text| follows(rule.as_str().expect("a pattern"), text)),
        "required" => value.as_object().is_none_or(|object| {
            rule.as_array()
                .expect("names")
                .iter()
                .all(|name| object.contains_key(name.as_str().expect("a name")))
        }),
        "items" => return value.as_array()?.iter().find_map(|item| fault(rule, item)),
        "properties" => {
            return rule.as_object().expect("properties").iter().find_map(|(name, schema)| {
                fault(schema, value.get(name)?).map(|fault| format!("{name}: {fault}"))
            });
        }
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            value.as_object().is_none_or(|object| {
                object.keys().all(|name| known.is_some_and(|known| known.contains_key(name)) || rule == true)
            })
        }
        other => panic!("the validator does not know '{other}'"),
    };
    (!holds).then(|| format!("{value} against {word} {rule}"))
}

fn limit(rule: &Value) -> f64 {
    rule.as_f64().expect("a number")
}

fn is_of_type(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("unknown type '{other}'"),
    }
}

/// The patterns of the schema, each as a function of its own.
fn follows(pattern: &str, text: &str) -> bool {
    let number = |text: &str| {
        !text.is_empty()
            && text.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let before_unit = |units: &str| {
        let mut units: Vec<_> = units.split('|').collect();
        units.sort_by_key(|unit| std::cmp::Reverse(unit.len()));
        units
            .iter()
            .find_map(|unit| text.strip_suffix(unit))
            .map(|text| text.strip_suffix(' ').unwrap_or(text))
    };
    match pattern {
        "^[a-z0-9][a-z0-9._-]*$" => {
            text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'))
        }
        "^[0-9]+(_[0-9]+)*$" => number(text),
        "^[0-9]+(_[0-9]+)* ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$" => {
            number(text) || before_unit("B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB").is_some_and(number)
        }
        "^[0-9][0-9_]*(\\.[0-9]+)? ?(ns|us|µs|ms|s|m|h)$" => {
            before_unit("ns|us|µs|ms|s|m|h").is_some_and(|text| text.replace('_', "").parse::<f64>().is_ok())
        }
        other => panic!("the validator does not know the pattern '{other}'"),
    }
}

#[test]
fn the_files_of_the_repository_follow_the_schema() {
    let schema = schema();
    for (name, text) in files() {
        assert_eq!(fault(&schema, &document(&text)), None, "{name}");
    }
}

#[test]
fn every_form_follows_the_schema() {
    let schema = schema();
    for line in [
        "engines: btree",
        "engines: [btree, { engine: lsm, label: small, options: { memtable: 4MiB } }]",
        "durability: [none, sync]",
        "threads: 4",
        "records: 1000",
        "value: { size: 4KiB }",
        "value: { distribution: histogram, block_size: 10, weights: [1, 2] }",
        "latency: all",
        "latency: { sampled: 64 }",
        "warmup: 1.5m",
        "memory: none",
        "memory: { compact: true, overwrite: { passes: 2, value: { distribution: uniform, min: 50, max: 150 } } }",
    ] {
        let text =
            format!("name: w\n{line}\nphases: [{{ name: run, operations: 1_000, read_proportion: 1 }}]\n");
        assert_eq!(fault(&schema, &document(&text)), None, "{line}");
    }
    for fields in [
        "request_distribution: latest",
        "request_distribution: { name: hotspot, data_fraction: 0.5 }",
        "scan_length: 10",
        "scan_length: { distribution: zipfian, min: 1, max: 10 }",
        "scan_reverse: true",
        "multiget_size: 16",
    ] {
        let text =
            format!("name: w\nphases: [{{ name: run, duration: 1s, scan_proportion: 1, {fields} }}]\n");
        assert_eq!(fault(&schema, &document(&text)), None, "{fields}");
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = schema();
    for line in [
        "recrods: 1000",
        "records: 0",
        "records: -5",
        "records: many",
        "records:",
        "trials: 1001",
        "threads: []",
        "threads: 0",
        "threads: [1, 2000]",
        "threads: [1, 1]",
        "durability: synch",
        "engines: []",
        "engines: [{ label: x }]",
        "latency: some",
        "latency: { sampled: 0 }",
        "latency: { sampled: 1, every: 2 }",
        "warmup: 10",
        "warmup: 10 parsecs",
        "key: { order: hash }",
        "value: { size: 10 parsecs }",
        "value: { compressibility: 2 }",
        "memory: some",
        "memory: { compct: true }",
        "memory: { overwrite: { passes: 0 } }",
    ] {
        let text = format!("name: w\n{line}\nphases: [{{ name: run, duration: 1s, read_proportion: 1 }}]\n");
        assert!(fault(&schema, &document(&text)).is_some(), "{line}");
    }
    for fields in [
        "name: Run",
        "read_proportion: 1.5",
        "request_distribution: zipfain",
        "request_distribution: { name: uniform, theta: 0.5 }",
        "request_distribution: { name: ycsb_zipfian, theta: 1 }",
        "scan_length: 0",
        "multiget_size: 2000",
        "multiget_proportion: 2",
        "operations: 0",
    ] {
        let name = if fields.starts_with("name") { "" } else { "name: run, " };
        let text = format!("name: w\nphases: [{{ {name}{fields} }}]\n");
        assert!(fault(&schema, &document(&text)).is_some(), "{fields}");
    }
    assert!(fault(&schema, &document("name: w")).is_some(), "no phases");
}
