//! The list of all extents in key order, which is never changed, only exchanged as a whole.
//!
//! Thread safety: plain data that nobody changes; the extents in it guard themselves.

use super::extent::Extent;
use crate::head::HeadMap;
use std::sync::Arc;

/// Extents by their least keys.
#[derive(Debug)]
pub(super) struct Top {
    /// Tells this list from every other one of the same array.
    serial: u64,
    map: HeadMap,
    /// The heads of the lower ends, so that a search stays within one dense array.
    heads: Vec<u64>,
    extents: Vec<Arc<Extent>>,
}

impl Top {
    /// These extents, at least one, by ascending lower ends; the first one's is the empty key.
    pub(super) fn new(serial: u64, extents: Vec<Arc<Extent>>) -> Self {
        let map = match extents.as_slice() {
            // The first lower end is empty, and would leave nothing to skip.
            [_, second, .., last] => HeadMap::between(second.lower(), last.lower()),
            _ => HeadMap::default(),
        };
        let heads = extents.iter().map(|extent| map.head(extent.lower())).collect();
        Self { serial, map, heads, extents }
    }

    /// Tells this list from every other one of the same array.
    #[inline]
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// All extents, in order.
    pub(super) fn extents(&self) -> &[Arc<Extent>] {
        &self.extents
    }

    /// The extent at an index.
    #[inline]
    pub(super) fn extent(&self, index: usize) -> Option<&Extent> {
        self.extents.get(index).map(|extent| &**extent)
    }

    /// The extent in whose range a key lies: the last one whose lower end is not above it. O(log extents).
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> usize {
        let head = self.map.head(key);
        let mut above = self.heads.partition_point(|other| *other <= head);
        // Among equal heads the whole keys decide.
        if self.heads.get(above.wrapping_sub(1)) == Some(&head) {
            let start = self.heads.partition_point(|other| *other < head);
            let tied = self.extents.get(start..above).unwrap_or_default();
            above = start + tied.partition_point(|extent| extent.lower() <= key);
        }
        above.saturating_sub(1)
    }

    /// Bytes of memory held, without the extents' own.
    pub(super) fn memory_bytes(&self) -> usize {
        self.map.memory_bytes()
            + self.heads.capacity() * size_of::<u64>()
            + self.extents.capacity() * size_of::<Arc<Extent>>()
            + size_of::<Self>()
    }
}
