//! The knobs of a log.

/// Bytes of a log's first segment; each of the next has [`GROWTH`] times as many, up to those of the options.
const FIRST_SEGMENT_BYTES: u64 = 1 << 20;
const GROWTH: u64 = 4;
/// A segment is not smaller, whatever is asked for.
const SEGMENT_BYTES_LEAST: u64 = 256;

/// Options of a [`super::Log`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// Bytes of a segment; the first ones are smaller. A frame that is larger gets a segment of its own.
    pub segment_bytes: u64,
    /// Segments that are kept to be used again, at most.
    pub spare_segments: usize,
    /// Whether segments are filled with zeros when they are made. A sync of blocks that were written before changes data alone, where those that
    /// are only reserved have to be noted as written: worth it where every write waits for a sync, and twice the writing elsewhere.
    pub fills_segments: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, spare_segments: 2, fills_segments: true }
    }
}

impl LogOptions {
    /// Bytes of the segment with this number, which counts from 1: so a store that holds little takes little.
    pub(super) fn capacity(&self, number: u64) -> u64 {
        let steps = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX);
        let grown = FIRST_SEGMENT_BYTES.saturating_mul(GROWTH.saturating_pow(steps));
        self.segment_bytes.min(grown).max(SEGMENT_BYTES_LEAST)
    }
}
