//! Every default and every limit of a workload file, so that the reader, the schema and the documentation agree.

use std::time::Duration;

/// The longest file that is read, bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;
/// The deepest nesting of mappings and sequences.
pub const MAX_DEPTH: usize = 32;
/// The most mappings, sequences and scalars of a file.
pub const MAX_NODES: usize = 100_000;
/// The most anchors of a file, and the most aliases.
pub const MAX_ALIASES: usize = 100;
/// The most nodes that all aliases of a file may stand for.
pub const MAX_ALIASED_NODES: usize = 10_000;

/// The longest name of a workload or a phase, and the longest label of an engine, characters.
pub const MAX_NAME_CHARS: usize = 64;
/// The longest description, characters.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// The most engines in a list.
pub const MAX_ENGINES: usize = 256;
/// The most worker threads.
pub const MAX_THREADS: u64 = 1_024;
/// The most trials of a cell.
pub const MAX_TRIALS: u64 = 1_000;
/// The most cells of a sweep.
pub const MAX_CELLS: usize = 10_000;
/// The most phases.
pub const MAX_PHASES: usize = 64;
/// The most records.
pub const MAX_RECORDS: u64 = 1 << 40;
/// The most key and value bytes a load may amount to, by the mean size of a value: 16 TiB.
pub const MAX_LOAD_BYTES: u64 = 1 << 44;
/// The longest key prefix, bytes.
pub const MAX_PREFIX_BYTES: usize = 64;
/// The most digits a key is padded to.
pub const MAX_ZERO_PADDING: u64 = 100;
/// The longest value, bytes.
pub const MAX_VALUE_BYTES: u64 = engines::engine::MAX_VALUE_BYTES as u64;
/// The most records a scan may ask for.
pub const MAX_SCAN_LENGTH: u64 = 1 << 24;
/// The most buckets of a histogram.
pub const MAX_BUCKETS: usize = 65_536;
/// The greatest sum of a histogram's weights.
pub const MAX_WEIGHT: u64 = 1 << 48;
/// The most operations of a phase.
pub const MAX_OPERATIONS: u64 = 1 << 48;
/// The most inserts of a phase that is bounded by operations, half of the record numbers that it has for itself.
pub const MAX_INSERTS: u64 = 1 << 35;
/// The shortest phase.
pub const MIN_DURATION: Duration = Duration::from_millis(1);
/// The longest phase and the longest warm-up.
pub const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
/// The greatest N of `sampled: N` and of `check_one_in: N`.
pub const MAX_ONE_IN: u64 = 1_000_000;
/// The most keys a multiget may ask for.
pub const MAX_MULTIGET_SIZE: u64 = 1_024;
/// The most times a memory trial overwrites every record.
pub const MAX_PASSES: u64 = 100;
/// How far the proportions of a phase may be from 1 in sum.
pub const PROPORTION_TOLERANCE: f64 = 1e-6;

/// Seed, unless the file says otherwise.
pub const DEFAULT_SEED: u64 = 42;
/// Records, unless the file says otherwise.
pub const DEFAULT_RECORDS: u64 = 1_000_000;
/// Trials of a cell, unless the file says otherwise.
pub const DEFAULT_TRIALS: u64 = 3;
/// Worker threads, unless the file says otherwise.
pub const DEFAULT_THREADS: u64 = 1;
/// Warm-up of a phase, unless the file says otherwise.
pub const DEFAULT_WARMUP: Duration = Duration::from_secs(1);
/// One checked read in this many, unless the file says otherwise.
pub const DEFAULT_CHECK_ONE_IN: u64 = 256;
/// Key prefix, unless the file says otherwise.
pub const DEFAULT_PREFIX: &str = "user";
/// Digits of a key, unless the file says otherwise.
pub const DEFAULT_ZERO_PADDING: u64 = 20;
/// Length of a value, bytes, unless the file says otherwise.
pub const DEFAULT_VALUE_BYTES: u64 = 100;
/// Shortest scan, unless the file says otherwise.
pub const DEFAULT_SCAN_MIN: u64 = 1;
/// Longest scan, unless the file says otherwise.
pub const DEFAULT_SCAN_MAX: u64 = 100;
/// Keys of a multiget, unless the file says otherwise.
pub const DEFAULT_MULTIGET_SIZE: u64 = 16;
/// Times a memory trial overwrites every record, unless the file says otherwise.
pub const DEFAULT_PASSES: u64 = 1;
/// The request distribution, unless the file says otherwise; YCSB's default as well.
pub const DEFAULT_REQUEST: &str = "uniform";
