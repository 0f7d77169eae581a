//! A validated workload: what the YAML file means, with every default filled in and every cell spelled out.
//!
//! A [`Plan`] can only be made from a [`Spec`](super::spec::Spec) that has passed every check, is what a trial is run
//! from, and is part of the result file, so that a result says exactly what was measured.

use super::operation::OperationKind;
use engines::Durability;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything a sweep needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The workload's name.
    pub name: String,
    /// What it models, in a sentence.
    pub description: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// Records loaded before the first phase.
    pub records: u64,
    /// How keys are made from record numbers.
    pub key: KeyPlan,
    /// How values are made.
    pub value: ValuePlan,
    /// Measured runs of each cell.
    pub trials: u32,
    /// Time run before each phase is counted.
    #[serde(with = "seconds")]
    pub warmup: Duration,
    /// Which operations are timed on their own.
    pub latency: LatencyMode,
    /// One read in this many is compared with what was written; 0 compares none while measuring.
    pub check_one_in: u32,
    /// Trials that are not timed and tell what a record takes; absent in results of version 1.0.
    #[serde(default)]
    pub memory: Option<MemoryPlan>,
    /// Run phases, in order, after one load.
    pub phases: Vec<PhasePlan>,
    /// Engine × durability × threads, in the order of the file.
    pub cells: Vec<CellPlan>,
    /// Engines that `all` left out, and why.
    pub left_out: Vec<LeftOut>,
}

/// One engine with its options, under one durability class, with one thread count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellPlan {
    /// The engine's name in the registry.
    pub engine: String,
    /// What reports call it; the engine's name unless the file says otherwise. Unique among the engines of a plan.
    pub label: String,
    /// The engine's options as they were written.
    pub options: serde_json::Value,
    /// The durability class.
    pub durability: Durability,
    /// Worker threads, in the load as well.
    pub threads: u32,
}

/// An engine that `all` left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The engine's name.
    pub engine: String,
    /// What it lacks.
    pub reason: String,
}

/// How a record number becomes a key: `prefix` + decimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPlan {
    /// Hashed or in order of the record number.
    pub order: KeyOrder,
    /// What every key starts with.
    pub prefix: String,
    /// Digits are padded with zeros to at least this many (YCSB's `zeropadding`; 1 pads nothing).
    pub zero_padding: u32,
}

/// Where a record number lies in the key order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrder {
    /// The digits are YCSB's 64-bit FNV-1a hash of the number: the load arrives in random key order.
    Hashed,
    /// The digits are the number: the load arrives in ascending key order (if padded).
    Ordered,
}

/// How values are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValuePlan {
    /// Length, bytes.
    pub size: SizeDistribution,
    /// Share of each value's filling that compresses away, 0 to 1.
    pub compressibility: f64,
}

/// What memory trials do: one for each engine and durability class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryPlan {
    /// Threads that load, overwrite and delete.
    pub threads: u32,
    /// How records are overwritten after the load.
    pub overwrite: Option<OverwritePlan>,
    /// Whether the engine compacts, after the last overwrite (or the load) and after deleting all.
    pub compact: bool,
    /// Whether every record is deleted at the end.
    pub delete_all: bool,
    /// Whether there is one more trial that loads in bulk.
    pub bulk_load: bool,
}

/// How a memory trial overwrites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverwritePlan {
    /// How often each record is overwritten.
    pub passes: u32,
    /// Length of the new values, bytes.
    pub size: SizeDistribution,
}

/// A distribution of whole numbers: value sizes and scan lengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "distribution", rename_all = "snake_case")]
pub enum SizeDistribution {
    /// Always the same.
    Constant {
        /// The number.
        value: u64,
    },
    /// Each from `min` to `max` as likely as the other.
    Uniform {
        /// Least, included.
        min: u64,
        /// Greatest, included.
        max: u64,
    },
    /// `min` most likely, then zipfian with θ .99 up to `max`.
    Zipfian {
        /// Least, included, and most likely.
        min: u64,
        /// Greatest, included.
        max: u64,
    },
    /// By weights, as in YCSB's histogram file: bucket *i* stands for `(i + 1) × block_size`.
    Histogram {
        /// Width of a bucket.
        block_size: u64,
        /// Weight of each bucket.
        weights: Vec<u64>,
    },
}

/// One run phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhasePlan {
    /// Its name, unique in the plan; never `load`.
    pub name: String,
    /// When it ends.
    pub bound: Bound,
    /// How likely each kind of operation is.
    pub mix: Mix,
    /// Which records are asked for.
    pub request: RequestDistribution,
    /// Keys that a multiget asks for; results of version 1.0 have no multigets.
    #[serde(default)]
    pub multiget_size: u32,
    /// Scans of this phase.
    pub scan: ScanPlan,
    /// Whether every read of this phase must hit: no operation of this or an earlier phase deletes.
    pub every_read_hits: bool,
}

/// When a phase ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// After this time, each worker on its own clock from a common start.
    Duration(#[serde(with = "seconds")] Duration),
    /// After this many operations of all workers together, spread evenly.
    Operations(u64),
}

/// Proportions of the operations; they sum to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mix {
    pub read: f64,
    pub update: f64,
    pub insert: f64,
    pub scan: f64,
    pub read_modify_write: f64,
    pub delete: f64,
    #[serde(default)]
    pub multiget: f64,
}

impl Mix {
    /// The proportion of one kind.
    pub const fn of(&self, kind: OperationKind) -> f64 {
        match kind {
            OperationKind::Read => self.read,
            OperationKind::Update => self.update,
            OperationKind::Insert => self.insert,
            OperationKind::Scan => self.scan,
            OperationKind::ReadModifyWrite => self.read_modify_write,
            OperationKind::Delete => self.delete,
            OperationKind::Multiget => self.multiget,
        }
    }
}

/// Which records a phase asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum RequestDistribution {
    /// Every record as likely as the other.
    Uniform,
    /// Exactly Zipf over the records, the ranks scattered over them.
    Zipfian {
        /// Skew, above 0.
        theta: f64,
    },
    /// YCSB's scrambled zipfian, bit for bit: flatter than its name says.
    YcsbZipfian {
        /// Skew, between 0 and 1.
        theta: f64,
    },
    /// The newest records are the most likely, zipfian by age; a worker's own inserts count.
    Latest {
        /// Skew, above 0.
        theta: f64,
    },
    /// A share of the operations goes to a share of the records.
    Hotspot {
        /// Share of the records that is hot.
        data_fraction: f64,
        /// Share of the operations that go there.
        operation_fraction: f64,
    },
    /// YCSB's exponential by age.
    Exponential {
        /// Percentage of the operations that fall into `fraction` of the records.
        percentile: f64,
        /// Share of the records.
        fraction: f64,
    },
    /// One after the other, each worker from a place of its own, again from the start at the end.
    Sequential,
}

/// What the scans of a phase look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanPlan {
    /// How many records a scan asks for.
    pub length: SizeDistribution,
    /// From the start key downwards.
    pub reverse: bool,
    /// Without values.
    pub keys_only: bool,
}

/// Which operations are timed on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyMode {
    /// Every operation.
    All,
    /// One in this many; for engines that answer in the time of a few clock readings.
    Sampled(u32),
}

/// Durations as seconds in JSON.
pub mod seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use std::time::Duration;

    /// Writes seconds as a number.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        duration.as_secs_f64().serialize(serializer)
    }

    /// Reads a number of seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
