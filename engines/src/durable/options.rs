//! The knobs of durability, the same for every engine that lives in memory: `options: { durable: { … } }`.

use crate::engine::Durability;
use crate::entry::invalid;
use crate::error::Result;
use crate::log::LogOptions;
use crate::options::{ByteSize, OptionDoc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::num::NonZeroUsize;
use std::thread;

/// The key under which these options stand among those of an engine.
pub const KEY: &str = "durable";

const SEGMENT_MIN: u64 = 4 << 10;
const SEGMENT_MAX: u64 = 1 << 30;
const THREADS_MAX: u32 = 256;
/// An hour.
const SYNC_EVERY_MS_MAX: u64 = 3_600_000;
const SNAPSHOTS_MAX: u32 = 1_000;
/// Files of the log that are kept to be used again, beside those between two snapshots; and all of them at most.
const SPARE_SEGMENTS: u64 = 2;
const SPARE_SEGMENTS_MOST: u64 = 64;

/// Options of [`super::Durable`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DurableOptions {
    /// With `buffered`: what was acknowledged survives a power cut after so many milliseconds, and the time of a sync. `null`: whenever the
    /// system writes it.
    pub sync_every_ms: Option<u64>,
    /// With `buffered`: a power cut loses fewer writes than this, since the writer that would make them so many waits for a sync. `null`: any
    /// number.
    pub sync_every_operations: Option<u64>,
    /// A snapshot is written when the log behind the last one has so many bytes, and as many as the snapshot.
    pub checkpoint_bytes: ByteSize,
    /// Snapshots that are kept, with the log from the oldest of them on.
    pub keep_snapshots: u32,
    /// Bytes of a file of the log; the first ones are smaller.
    pub segment_bytes: ByteSize,
    /// Threads that restore and replay when a store is opened; `null`: one a processor.
    pub recovery_threads: Option<u32>,
}

impl Default for DurableOptions {
    fn default() -> Self {
        Self {
            sync_every_ms: Some(1_000),
            sync_every_operations: None,
            checkpoint_bytes: ByteSize::mib(512),
            keep_snapshots: 1,
            segment_bytes: ByteSize::mib(64),
            recovery_threads: None,
        }
    }
}

impl DurableOptions {
    /// Takes these options out of those of an engine; what is left are the engine's own.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn take(engine: &str, options: &Value) -> Result<(Self, Value)> {
        let mut rest = options.clone();
        let Some(own) = rest.as_object_mut().and_then(|rest| rest.remove(KEY)) else {
            return Ok((Self::default(), rest));
        };
        let parsed = match own {
            Value::Null => Self::default(),
            own => Self::deserialize(own).map_err(|error| invalid(engine, &format!("{KEY}: {error}")))?,
        };
        parsed.check(engine)?;
        Ok((parsed, rest))
    }

    fn check(&self, engine: &str) -> Result<()> {
        let refuse = |name: &str, range: &str| Err(invalid(engine, &format!("{KEY}.{name} must be {range}")));
        if self.sync_every_ms.is_some_and(|ms| !(1..=SYNC_EVERY_MS_MAX).contains(&ms)) {
            return refuse("sync_every_ms", &format!("1 to {SYNC_EVERY_MS_MAX}, or null"));
        }
        if self.sync_every_operations == Some(0) {
            return refuse("sync_every_operations", "at least 1, or null");
        }
        if !(1..=SNAPSHOTS_MAX).contains(&self.keep_snapshots) {
            return refuse("keep_snapshots", &format!("1 to {SNAPSHOTS_MAX}"));
        }
        if !(SEGMENT_MIN..=SEGMENT_MAX).contains(&self.segment_bytes.bytes()) {
            return refuse("segment_bytes", "4KiB to 1GiB");
        }
        if self.recovery_threads.is_some_and(|threads| !(1..=THREADS_MAX).contains(&threads)) {
            return refuse("recovery_threads", &format!("1 to {THREADS_MAX}, or null"));
        }
        Ok(())
    }

    /// What the log is made with.
    pub(super) fn log(&self, class: Durability) -> LogOptions {
        let segment_bytes = self.segment_bytes.bytes();
        let spares = self.checkpoint_bytes.bytes() / segment_bytes.max(1) + SPARE_SEGMENTS;
        LogOptions {
            segment_bytes,
            spare_segments: spares.min(SPARE_SEGMENTS_MOST) as usize,
            fills_segments: class == Durability::Sync,
        }
    }

    /// How many threads recover.
    pub(super) fn threads(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.recovery_threads.map_or_else(processors, |threads| threads as usize).max(1)
    }

    /// How many writes may be acknowledged and not be synced, in a class.
    pub(super) fn unsynced_most(&self, class: Durability) -> u64 {
        match class {
            Durability::Sync => 0,
            Durability::Buffered | Durability::None => {
                self.sync_every_operations.map_or(u64::MAX, |operations| operations - 1)
            }
        }
    }
}

/// The documentation of [`DurableOptions`].
pub static OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        name: "sync_every_ms",
        range: "1–3600000, or null",
        default: "1000",
        summary: "with buffered: the log is synced in the background so often; null: when the system likes",
    },
    OptionDoc {
        name: "sync_every_operations",
        range: "at least 1, or null",
        default: "null",
        summary: "with buffered: a power cut loses fewer writes than this; who would make them so many waits for a sync",
    },
    OptionDoc {
        name: "checkpoint_bytes",
        range: "a size",
        default: "\"512MiB\"",
        summary: "a snapshot is written when the log behind the last one is as long, and as long as that snapshot",
    },
    OptionDoc {
        name: "keep_snapshots",
        range: "1–1000",
        default: "1",
        summary: "snapshots that are kept, with the log from the oldest on, for salvage from a damaged one",
    },
    OptionDoc {
        name: "segment_bytes",
        range: "4KiB–1GiB",
        default: "\"64MiB\"",
        summary: "size of a file of the log; the first ones are smaller",
    },
    OptionDoc {
        name: "recovery_threads",
        range: "1–256, or null",
        default: "null",
        summary: "threads that read and replay when the store is opened; null: one a processor",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn options_are_taken_from_those_of_the_engine() {
        let (durable, rest) =
            DurableOptions::take("e", &json!({ "order": 5, "durable": { "keep_snapshots": 3 } })).unwrap();
        assert_eq!((durable.keep_snapshots, rest), (3, json!({ "order": 5 })));
        let (durable, rest) = DurableOptions::take("e", &Value::Null).unwrap();
        assert_eq!((durable, rest), (DurableOptions::default(), Value::Null));
        for wrong in [
            json!({ "durable": { "keep": 3 } }),
            json!({ "durable": 3 }),
            json!({ "durable": { "sync_every_ms": 0 } }),
            json!({ "durable": { "sync_every_operations": 0 } }),
            json!({ "durable": { "keep_snapshots": 0 } }),
            json!({ "durable": { "segment_bytes": "4095" } }),
            json!({ "durable": { "recovery_threads": 0 } }),
        ] {
            let refused = DurableOptions::take("e", &wrong).unwrap_err().to_string();
            assert!(refused.contains("engine 'e': durable"), "{refused}");
        }
    }

    #[test]
    fn documented_options_are_the_options() {
        let defaults = serde_json::to_value(DurableOptions::default()).unwrap();
        let fields: BTreeSet<_> = defaults
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_string()))
            .collect();
        let documented: BTreeSet<_> =
            OPTIONS.iter().map(|option| (option.name, option.default.to_owned())).collect();
        assert_eq!(documented, fields);
    }
}
