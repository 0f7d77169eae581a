//! The knobs of the hash engine.

use crate::entry::invalid;
use crate::error::Result;
use crate::options::OptionDoc;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// How a [`super::Hash`] is laid out.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashOptions {
    /// Buckets (slots for a record) in all shards together at the start; each shard rounds its share up to a
    /// power of two of at least 8 and never shrinks below it. 1 to 2^28.
    pub buckets: usize,
    /// The part of its buckets a shard fills before it grows. 0.1 to 0.9.
    pub load_factor: f64,
    /// Parts with a latch each; a power of two, 1 to 4,096.
    pub shards: usize,
}

impl Default for HashOptions {
    fn default() -> Self {
        Self { buckets: 1024, load_factor: 0.75, shards: 64 }
    }
}

const BUCKETS: RangeInclusive<usize> = 1..=1 << 28;
const LOAD_FACTOR: RangeInclusive<f64> = 0.1..=0.9;
const SHARDS: RangeInclusive<usize> = 1..=4096;

/// The documentation of [`HashOptions`].
pub(super) static OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        name: "buckets",
        range: "1–268435456",
        default: "1024",
        summary: "buckets in all shards at the start, and the least they shrink to; a shard rounds up to a power of two of at least 8",
    },
    OptionDoc {
        name: "load_factor",
        range: "0.1–0.9",
        default: "0.75",
        summary: "part of the buckets in use at which a shard doubles, a few buckets with each write",
    },
    OptionDoc {
        name: "shards",
        range: "power of two, 1–4096",
        default: "64",
        summary: "parts with a latch of their own; more let more threads write at once",
    },
];

impl HashOptions {
    /// Checks the ranges.
    pub(super) fn check(&self, engine: &str) -> Result<()> {
        let Self { buckets, load_factor, shards } = *self;
        if !BUCKETS.contains(&buckets) {
            return Err(invalid(engine, &format!("buckets is {buckets}; it must be 1 to 268435456")));
        }
        if !LOAD_FACTOR.contains(&load_factor) {
            return Err(invalid(engine, &format!("load_factor is {load_factor}; it must be 0.1 to 0.9")));
        }
        if !SHARDS.contains(&shards) || !shards.is_power_of_two() {
            return Err(invalid(
                engine,
                &format!("shards is {shards}; it must be a power of two, 1 to 4096"),
            ));
        }
        Ok(())
    }
}
