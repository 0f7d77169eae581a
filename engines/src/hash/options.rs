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
    /// Buckets (slots for a record) in all shards together at the start, and the least that a shard shrinks to; a
    /// shard rounds its share up to whole cache lines of 7 and whole segments. 1 to 2^28.
    pub buckets: usize,
    /// The part of its buckets that a segment fills before it is split. 0.1 to 0.9.
    pub load_factor: f64,
    /// Parts with a writers' latch each; a power of two, 1 to 4,096.
    pub shards: usize,
    /// Cache lines of the smallest segments; the largest have twice as many, and the shards have different sizes in
    /// between, so that they do not all grow at the same time. 1 to 64.
    pub segment_lines: usize,
    /// Of the hash function. The same number gives the same layout in every process; none, a different one in each, so that
    /// nobody can prepare keys that collide.
    pub seed: Option<u64>,
}

impl Default for HashOptions {
    fn default() -> Self {
        Self { buckets: 1024, load_factor: 0.9, shards: 64, segment_lines: 64, seed: None }
    }
}

const BUCKETS: RangeInclusive<usize> = 1..=1 << 28;
const LOAD_FACTOR: RangeInclusive<f64> = 0.1..=0.9;
const SHARDS: RangeInclusive<usize> = 1..=4096;
const SEGMENT_LINES: RangeInclusive<usize> = 1..=64;

/// The documentation of [`HashOptions`].
pub(super) static OPTIONS: &[OptionDoc] = &[
    OptionDoc {
        name: "buckets",
        range: "1–268435456",
        default: "1024",
        summary: "buckets in all shards at the start, and the least they shrink to; a shard rounds up to whole cache lines of 7",
    },
    OptionDoc {
        name: "load_factor",
        range: "0.1–0.9",
        default: "0.9",
        summary: "part of its buckets in use at which a segment is split",
    },
    OptionDoc {
        name: "shards",
        range: "power of two, 1–4096",
        default: "64",
        summary: "parts with a latch of their own for inserts and deletes; more let more threads write at once",
    },
    OptionDoc {
        name: "segment_lines",
        range: "1–64",
        default: "64",
        summary: "cache lines of 7 buckets in the smallest segments, half of what the largest have; a split moves one segment",
    },
    OptionDoc {
        name: "seed",
        range: "0–18446744073709551615 | null",
        default: "null",
        summary: "seed of the hash function; null draws one in each process, so that colliding keys cannot be prepared",
    },
];

impl HashOptions {
    /// Checks the ranges.
    pub(super) fn check(&self, engine: &str) -> Result<()> {
        let Self { buckets, load_factor, shards, segment_lines, seed: _ } = *self;
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
        if !SEGMENT_LINES.contains(&segment_lines) {
            return Err(invalid(engine, &format!("segment_lines is {segment_lines}; it must be 1 to 64")));
        }
        Ok(())
    }
}
