//! The knobs of a log.

/// Options of a [`super::Log`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// Bytes of a segment. A frame that is larger gets a segment of its own.
    pub segment_bytes: u64,
    /// Segments that are kept to be used again, at most.
    pub spare_segments: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, spare_segments: 2 }
    }
}
