//! A workload file as it is written: its shape, not yet its meaning. The doc comments are the descriptions of the JSON
//! Schema; defaults and what fields mean together are decided by the [planner](super::planner).

use super::diagnostic::quote;
use super::limits::{
    DEFAULT_CHECK_ONE_IN, DEFAULT_MULTIGET_SIZE, DEFAULT_PASSES, DEFAULT_PREFIX, DEFAULT_RECORDS,
    DEFAULT_REQUEST, DEFAULT_SCAN_MAX, DEFAULT_SCAN_MIN, DEFAULT_SEED, DEFAULT_THREADS, DEFAULT_TRIALS,
    DEFAULT_VALUE_BYTES, DEFAULT_ZERO_PADDING, MAX_BUCKETS, MAX_DESCRIPTION_CHARS, MAX_ENGINES,
    MAX_MULTIGET_SIZE, MAX_NAME_CHARS, MAX_ONE_IN, MAX_OPERATIONS, MAX_PASSES, MAX_PHASES, MAX_PREFIX_BYTES,
    MAX_RECORDS, MAX_SCAN_LENGTH, MAX_THREADS, MAX_TRIALS, MAX_VALUE_BYTES, MAX_ZERO_PADDING,
};
use super::literal::{Bytes, Count, DurabilityClass, FromLiteral, Literal, Many, Number, TimeSpan};
use super::located::{Given, Located, Place};
use super::request::RequestSpec;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What a name looks like: safe as a file name everywhere.
pub const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9._-]*$";

/// One load and the phases that run over it, for several engines, durability classes and thread counts.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Workload of the harness")]
pub struct Spec {
    /// Name of the workload and of its result files: lower-case letters, digits, '.', '_' and '-'.
    #[schemars(extend("pattern" = NAME_PATTERN, "maxLength" = MAX_NAME_CHARS))]
    pub name: Located<String>,
    /// What it models, in a sentence.
    #[serde(default)]
    #[schemars(extend("maxLength" = MAX_DESCRIPTION_CHARS))]
    pub description: Given<String>,
    /// The engines: `all` (every own engine that can run the workload), a name, or a list.
    #[serde(default)]
    #[schemars(extend("default" = "all"))]
    pub engines: Given<EngineList>,
    /// When a write is acknowledged: none (memory only), buffered (survives the process) or sync (survives a power cut).
    #[serde(default)]
    #[schemars(extend("default" = "none"))]
    pub durability: Given<Many<DurabilityClass>>,
    /// Worker threads, 1 to 1,024; a list makes a cell of each.
    #[serde(default)]
    #[schemars(schema_with = "threads_schema", extend("default" = DEFAULT_THREADS))]
    pub threads: Given<Many<Count>>,
    /// Measured runs of each cell.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_TRIALS, "default" = DEFAULT_TRIALS))]
    pub trials: Given<Count>,
    /// Seed of every random draw.
    #[serde(default)]
    #[schemars(extend("default" = DEFAULT_SEED))]
    pub seed: Given<Count>,
    /// Records loaded before the first phase.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_RECORDS, "default" = DEFAULT_RECORDS))]
    pub records: Given<Count>,
    /// How keys are made.
    #[serde(default)]
    pub key: Given<KeySpec>,
    /// How values are made.
    #[serde(default)]
    pub value: Given<ValueSpec>,
    /// Time each phase runs before it is counted, 0s to 24h.
    #[serde(default)]
    #[schemars(extend("default" = "1s"))]
    pub warmup: Given<TimeSpan>,
    /// Which operations are timed on their own: `all`, or one in N.
    #[serde(default)]
    #[schemars(extend("default" = "all"))]
    pub latency: Given<LatencySpec>,
    /// One read in this many is compared with what was written; 0 compares none.
    #[serde(default)]
    #[schemars(extend("maximum" = MAX_ONE_IN, "default" = DEFAULT_CHECK_ONE_IN))]
    pub check_one_in: Given<Count>,
    /// Trials of their own that are not timed and tell what a record takes: `none`, or a mapping.
    #[serde(default)]
    pub memory: Given<MemorySpec>,
    /// Run phases, in order, after one load.
    #[schemars(extend("minItems" = 1, "maxItems" = MAX_PHASES))]
    pub phases: Located<Vec<Located<PhaseSpec>>>,
}

/// How a record number becomes a key: the prefix and decimal digits.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct KeySpec {
    /// Whether the digits are YCSB's hash of the record number, or the number itself.
    #[serde(default)]
    #[schemars(extend("default" = "hashed"))]
    pub order: Given<KeyOrderSpec>,
    /// What every key starts with: printable ASCII.
    #[serde(default)]
    #[schemars(extend("default" = DEFAULT_PREFIX, "maxLength" = MAX_PREFIX_BYTES))]
    pub prefix: Given<String>,
    /// Digits are padded with zeros to at least this many; 1 pads nothing.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_ZERO_PADDING, "default" = DEFAULT_ZERO_PADDING))]
    pub zero_padding: Given<Count>,
}

/// Where a record number lies in the key order.
#[derive(Clone, Copy, Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum KeyOrderSpec {
    /// The load arrives in random key order.
    Hashed,
    /// The load arrives in ascending key order.
    Ordered,
}

/// How long values are, and how well they compress. A size alone is constant.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ValueSpec {
    /// Length of every value, bytes; for the constant distribution.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_VALUE_BYTES, "default" = DEFAULT_VALUE_BYTES))]
    pub size: Given<Bytes>,
    /// How lengths are distributed.
    #[serde(default)]
    #[schemars(extend("default" = "constant"))]
    pub distribution: Given<SizeKind>,
    /// Least length, bytes; for uniform and zipfian.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_VALUE_BYTES))]
    pub min: Given<Bytes>,
    /// Greatest length, bytes; for uniform and zipfian.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_VALUE_BYTES))]
    pub max: Given<Bytes>,
    /// Width of a bucket, bytes; for histogram. Bucket i, from 0, stands for (i + 1) × block_size.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_VALUE_BYTES))]
    pub block_size: Given<Bytes>,
    /// Weight of each bucket; for histogram.
    #[serde(default)]
    #[schemars(extend("minItems" = 1, "maxItems" = MAX_BUCKETS))]
    pub weights: Given<Weights>,
    /// Share of each value's filling that compresses away, 0 to 1.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub compressibility: Given<Number>,
}

/// Weights of a histogram's buckets.
pub type Weights = Vec<Located<Count>>;

/// How lengths are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum SizeKind {
    /// Always `size`.
    Constant,
    /// Each from `min` to `max` as likely as the other.
    Uniform,
    /// `min` most likely, then zipfian with θ .99 up to `max`.
    Zipfian,
    /// By `weights`.
    Histogram,
}

/// How many records a scan asks for: a mapping, or a number for a constant length.
#[derive(Clone, Debug, Default)]
pub struct ScanLengthSpec(pub ScanLengthMapping);

/// How many records a scan asks for.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ScanLengthMapping {
    /// How lengths are distributed.
    #[serde(default)]
    #[schemars(extend("default" = "constant"))]
    pub distribution: Given<SizeKind>,
    /// Records of every scan; for the constant distribution.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_SCAN_LENGTH))]
    pub size: Given<Count>,
    /// Fewest records; for uniform and zipfian.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_SCAN_LENGTH))]
    pub min: Given<Count>,
    /// Most records; for uniform and zipfian.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_SCAN_LENGTH))]
    pub max: Given<Count>,
    /// Width of a bucket, records; for histogram. Bucket i, from 0, stands for (i + 1) × block_size.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_SCAN_LENGTH))]
    pub block_size: Given<Count>,
    /// Weight of each bucket; for histogram.
    #[serde(default)]
    #[schemars(extend("minItems" = 1, "maxItems" = MAX_BUCKETS))]
    pub weights: Given<Weights>,
}

/// Which operations are timed on their own.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum LatencySpec {
    /// Every operation.
    All,
    /// One in this many; for engines that answer in the time of a few clock readings.
    #[schemars(extend("additionalProperties" = false))]
    Sampled(#[schemars(extend("minimum" = 1, "maximum" = MAX_ONE_IN))] Located<Count>),
}

/// Trials that tell what a record takes in memory, or none of them.
#[derive(Clone, Debug)]
pub enum MemorySpec {
    /// No such trial.
    None,
    /// One for each engine and durability class, and another where records are loaded in bulk.
    Trial(Box<MemoryMapping>),
}

/// What a memory trial does after the load, after which memory is told.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct MemoryMapping {
    /// Threads that load, overwrite and delete, 1 to 1,024.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_THREADS, "default" = DEFAULT_THREADS))]
    pub threads: Given<Count>,
    /// Overwrite every record, in an order that is not the load's.
    #[serde(default)]
    pub overwrite: Given<OverwriteSpec>,
    /// Ask the engine to give back what it does not need, after the last overwrite (or the load) and after deleting all.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub compact: Given<bool>,
    /// Delete every record at the end, in an order that is not the load's.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub delete_all: Given<bool>,
    /// One more trial, in which the records are loaded in bulk, in key order.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub bulk_load: Given<bool>,
}

/// How a memory trial overwrites.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct OverwriteSpec {
    /// How often each record is overwritten.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_PASSES, "default" = DEFAULT_PASSES))]
    pub passes: Given<Count>,
    /// Lengths of the new values; as those of the load unless given.
    #[serde(default)]
    pub value: Given<ValueSpec>,
}

/// One run phase: a mix of operations for a time, or until a number of them is done.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct PhaseSpec {
    /// Its name, unique in the file and not 'load': lower-case letters, digits, '.', '_' and '-'.
    #[schemars(extend("pattern" = NAME_PATTERN, "maxLength" = MAX_NAME_CHARS))]
    pub name: Located<String>,
    /// How long it runs, 1ms to 24h; or give operations.
    #[serde(default)]
    pub duration: Given<TimeSpan>,
    /// How many operations all workers together do; or give duration.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_OPERATIONS))]
    pub operations: Given<Count>,
    /// Which records are asked for: a name, or a mapping of the name and its parameters.
    #[serde(default)]
    #[schemars(extend("default" = DEFAULT_REQUEST))]
    pub request_distribution: Given<RequestSpec>,
    /// Share of reads. The proportions of a phase sum to 1.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub read_proportion: Given<Number>,
    /// Share of updates: replace the value of a record that is there.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub update_proportion: Given<Number>,
    /// Share of inserts: add a new record.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub insert_proportion: Given<Number>,
    /// Share of scans: read records in key order from a start key.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub scan_proportion: Given<Number>,
    /// Share of read-modify-writes: read a value, then replace it by one that depends on it.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub read_modify_write_proportion: Given<Number>,
    /// Share of deletes: remove a record.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub delete_proportion: Given<Number>,
    /// Share of multigets: read the values of several keys with one call.
    #[serde(default)]
    #[schemars(extend("minimum" = 0, "maximum" = 1, "default" = 0.0))]
    pub multiget_proportion: Given<Number>,
    /// How many keys a multiget asks for.
    #[serde(default)]
    #[schemars(extend("minimum" = 1, "maximum" = MAX_MULTIGET_SIZE, "default" = DEFAULT_MULTIGET_SIZE))]
    pub multiget_size: Given<Count>,
    /// How many records a scan asks for: a number, or a mapping.
    #[serde(default)]
    #[schemars(extend("default" = { "distribution": "uniform", "min": DEFAULT_SCAN_MIN, "max": DEFAULT_SCAN_MAX }))]
    pub scan_length: Given<ScanLengthSpec>,
    /// Scan from the start key downwards.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub scan_reverse: Given<bool>,
    /// Scan keys without values.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub scan_keys_only: Given<bool>,
}

/// The engines of a workload.
#[derive(Clone, Debug)]
pub enum EngineList {
    /// Every own engine that can run it.
    All,
    /// These, in this order.
    Listed(Vec<Located<EngineSpec>>),
}

/// One engine of a list.
#[derive(Clone, Debug)]
pub struct EngineSpec {
    /// Its name.
    pub engine: Located<String>,
    /// What reports call it.
    pub label: Given<String>,
    /// Its options.
    pub options: Given<OptionsSpec>,
}

impl EngineSpec {
    /// An engine by its name alone.
    pub fn named(name: &str, place: Place) -> Self {
        Self {
            engine: Located { value: name.to_owned(), place },
            label: Given::default(),
            options: Given::default(),
        }
    }
}

/// Options of an engine, each with the place of its value.
#[derive(Clone, Debug, Default)]
pub struct OptionsSpec(pub Vec<(String, Located<serde_json::Value>)>);

/// An engine with a label or options of its own.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct EngineMapping {
    /// The engine's name, as `harness engines` lists it.
    engine: Located<String>,
    /// What reports call it; the engine's name unless given. Unique in the file.
    #[serde(default)]
    #[schemars(extend("maxLength" = MAX_NAME_CHARS))]
    label: Given<String>,
    /// Its options, as `harness engines` lists them.
    #[serde(default)]
    options: Given<OptionsSpec>,
}

struct EngineListVisitor;

impl<'de> Visitor<'de> for EngineListVisitor {
    type Value = EngineList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'all', the name of an engine, or a list of engines")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<EngineList, E> {
        Ok(match value {
            "all" => EngineList::All,
            name => {
                let value = EngineSpec::named(name, Place::Nowhere);
                EngineList::Listed(vec![Located { value, place: Place::Nowhere }])
            }
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<EngineList, A::Error> {
        let mut engines = Vec::new();
        while let Some(engine) = sequence.next_element()? {
            engines.push(engine);
        }
        Ok(EngineList::Listed(engines))
    }

    fn visit_map<A: MapAccess<'de>>(self, _map: A) -> Result<EngineList, A::Error> {
        Err(de::Error::custom("engines is 'all' or a list; put the mapping into a list, as [{ engine: … }]"))
    }
}

impl<'de> Deserialize<'de> for EngineList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EngineListVisitor)
    }
}

struct EngineVisitor;

impl<'de> Visitor<'de> for EngineVisitor {
    type Value = EngineSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an engine or a mapping of engine, label and options")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<EngineSpec, E> {
        Ok(EngineSpec::named(value, Place::Nowhere))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EngineSpec, A::Error> {
        let EngineMapping { engine, label, options } =
            EngineMapping::deserialize(MapAccessDeserializer::new(map))?;
        Ok(EngineSpec { engine, label, options })
    }
}

impl<'de> Deserialize<'de> for EngineSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EngineVisitor)
    }
}

struct OptionsVisitor;

impl<'de> Visitor<'de> for OptionsVisitor {
    type Value = OptionsSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OptionsSpec, A::Error> {
        let mut options = Vec::new();
        while let Some(option) = map.next_entry()? {
            options.push(option);
        }
        Ok(OptionsSpec(options))
    }
}

impl<'de> Deserialize<'de> for OptionsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OptionsVisitor)
    }
}

struct ScanLengthVisitor;

impl<'de> Visitor<'de> for ScanLengthVisitor {
    type Value = ScanLengthSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of records or a mapping of distribution, min and max")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<ScanLengthSpec, E> {
        let size = Given::of(Count(value));
        Ok(ScanLengthSpec(ScanLengthMapping { size, ..ScanLengthMapping::default() }))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<ScanLengthSpec, E> {
        self.visit_u64(Count::from_literal(Literal::Integer(i128::from(value))).map_err(E::custom)?.0)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<ScanLengthSpec, E> {
        self.visit_u64(Count::from_literal(Literal::Float(value)).map_err(E::custom)?.0)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<ScanLengthSpec, E> {
        self.visit_u64(Count::from_literal(Literal::Text(value)).map_err(E::custom)?.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScanLengthSpec, A::Error> {
        ScanLengthMapping::deserialize(MapAccessDeserializer::new(map)).map(ScanLengthSpec)
    }
}

impl<'de> Deserialize<'de> for ScanLengthSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScanLengthVisitor)
    }
}

struct MemoryVisitor;

impl<'de> Visitor<'de> for MemoryVisitor {
    type Value = MemorySpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'none' or a mapping of threads, overwrite, compact, delete_all and bulk_load")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<MemorySpec, E> {
        match value {
            "none" => Ok(MemorySpec::None),
            other => Err(E::custom(format!(
                "memory is 'none' or a mapping, as {{ compact: true }}, not {}",
                quote(other)
            ))),
        }
    }

    fn visit_unit<E: de::Error>(self) -> Result<MemorySpec, E> {
        Err(E::custom("memory is 'none' or a mapping, as { compact: true }, not nothing"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MemorySpec, A::Error> {
        let mapping = MemoryMapping::deserialize(MapAccessDeserializer::new(map))?;
        Ok(MemorySpec::Trial(Box::new(mapping)))
    }
}

impl<'de> Deserialize<'de> for MemorySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemoryVisitor)
    }
}

macro_rules! schema {
    ($type:ty, $name:literal, $generator:ident => $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

/// Thread counts with their range.
fn threads_schema(generator: &mut SchemaGenerator) -> Schema {
    let mut count = generator.subschema_for::<Count>();
    count.insert("minimum".to_owned(), 1.into());
    count.insert("maximum".to_owned(), MAX_THREADS.into());
    Many::<Count>::schema_of(count, generator)
}

schema!(EngineList, "EngineList", generator => {
    let mut list = generator.subschema_for::<Vec<EngineSpec>>();
    list.insert("minItems".to_owned(), 1.into());
    list.insert("maxItems".to_owned(), MAX_ENGINES.into());
    json_schema!({ "anyOf": [{ "type": "string", "description": "`all`, or the name of one engine." }, list] })
});
schema!(EngineSpec, "EngineSpec", generator => {
    let mapping = generator.subschema_for::<EngineMapping>();
    json_schema!({ "anyOf": [{ "type": "string", "description": "The engine's name." }, mapping] })
});
schema!(OptionsSpec, "OptionsSpec", _generator => json_schema!({ "type": "object" }));
schema!(ScanLengthSpec, "ScanLengthSpec", generator => {
    let mapping = generator.subschema_for::<ScanLengthMapping>();
    let mut number = generator.subschema_for::<Count>();
    number.insert("minimum".to_owned(), 1.into());
    number.insert("maximum".to_owned(), MAX_SCAN_LENGTH.into());
    json_schema!({ "anyOf": [number, mapping] })
});
schema!(MemorySpec, "MemorySpec", generator => {
    let mapping = generator.subschema_for::<MemoryMapping>();
    json_schema!({ "anyOf": [{ "const": "none", "description": "No memory trial." }, mapping] })
});
