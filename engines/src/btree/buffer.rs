//! Records copied out of leaves, for a scan to visit when it holds nothing.
//!
//! Thread safety: plain data of one session.

use super::link::Node;
use super::page::{Found, Page, store_bytes};
use crate::memory::latch::Version;
use crate::memory::words::{WORD_BYTES, Word, words_for};

/// Memory that is kept from scan to scan.
const KEPT_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct Extent {
    start: usize,
    key_end: usize,
    end: usize,
}

/// Records in scan order. Reused, it allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// As long as it ever was; what counts is `used`.
    bytes: Vec<u8>,
    used: usize,
    extents: Vec<Extent>,
}

impl Buffer {
    /// Forgets all records. Gives the memory of very long ones back.
    pub(super) fn clear(&mut self) {
        if self.bytes.len() > KEPT_BYTES {
            self.bytes.truncate(KEPT_BYTES);
            self.bytes.shrink_to_fit();
        }
        self.truncate(0);
    }

    /// Forgets the records from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.extents.truncate(len);
        self.used = self.extents.last().map_or(0, |last| last.end);
    }

    /// Number of records.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.extents.len()
    }

    /// Bytes of all records.
    #[inline]
    pub(super) const fn used(&self) -> usize {
        self.used
    }

    fn record(&self, extent: &Extent) -> (&[u8], &[u8]) {
        let key = self.bytes.get(extent.start..extent.key_end).unwrap_or_default();
        (key, self.bytes.get(extent.key_end..extent.end).unwrap_or_default())
    }

    /// The records in the order they were pushed.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.extents.iter().map(|extent| self.record(extent))
    }

    /// The key pushed last.
    pub(super) fn last_key(&self) -> Option<&[u8]> {
        self.extents.last().map(|extent| self.record(extent).0)
    }

    /// Appends a record of a leaf that is read under a version, the value only if wanted. `None`, and nothing is
    /// appended, if it is torn.
    #[inline]
    pub(super) fn push(
        &mut self,
        node: Node<'_>,
        version: Version,
        page: &Page<'_>,
        index: usize,
        with_value: bool,
    ) -> Option<()> {
        let record = page.record(index);
        let value = if with_value { page.value(&record)? } else { Found::Inline(&[], 0) };
        let key_len = page.prefix_len() + record.suffix_len;
        let inline: (&[Word], usize) = match value {
            Found::Inline(words, len) => (words, len),
            Found::Large(_) => (&[], 0),
        };
        // Whole words are written, so that up to two may stand over behind key and value.
        let most = key_len + inline.1 + 3 * WORD_BYTES;
        let out = self.room(most)?;
        page.copy_key(index, &record, out)?;
        store_bytes(inline.0.get(..words_for(inline.1))?, out.get_mut(key_len..)?);
        let (start, key_end) = (self.used, self.used + key_len);
        let mut end = key_end + inline.1;
        if let Found::Large(large) = value {
            self.bytes.truncate(key_end);
            large.append(node, version, &mut self.bytes)?;
            end = self.bytes.len();
        }
        self.used = end;
        self.extents.push(Extent { start, key_end, end });
        Some(())
    }

    #[inline]
    fn room(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let end = self.used + bytes;
        if end > self.bytes.len() {
            self.grow(end);
        }
        self.bytes.get_mut(self.used..end)
    }

    #[cold]
    fn grow(&mut self, bytes: usize) {
        self.bytes.resize((bytes * 2).max(4 << 10), 0);
    }
}
