//! Look-ups of one key and of many.
//!
//! Thread safety: optimistic reads under a guard; what was read is given to the caller only after its version was
//! checked.

use super::Array;
use super::segment::HEADER_BYTES;
use super::write::Found;
use crate::engine::GetBuffer;
use crate::memory::prefetch;
use crate::sync::Wait;
use crossbeam::epoch::{self, Guard};

/// Look-ups of `Array::get_many` that are under way at a time.
const TOGETHER: usize = 16;
/// Lines of a segment that hold its header and, as a rule, its directory.
const DIRECTORY_LINES: usize = (HEADER_BYTES + 64 * 4).div_ceil(prefetch::LINE_BYTES);
/// Lines of an entry of common length.
const ENTRY_LINES: usize = 3;
/// After so many look-ups of many keys that met a batch, the lock that excludes batches is taken.
const PATIENCE: usize = 8;

impl Array {
    /// Appends the value of a key; whether it was found.
    #[inline]
    pub(super) fn append(&self, key: &[u8], value: &mut Vec<u8>, guard: &Guard) -> bool {
        let wait = Wait::new();
        loop {
            if let Some(found) = self.find(key, guard)
                && let Some(found) = found.append(key, value)
            {
                return found;
            }
            wait.once();
        }
    }

    /// Asks for the directory of a key's segment.
    #[inline]
    fn prefetch(&self, key: &[u8], guard: &Guard) {
        let top = self.root.load(guard);
        if let Some(segment) = top.extent(top.find(key)).and_then(|extent| extent.guess(key)) {
            prefetch::lines(segment.words().as_ptr(), DIRECTORY_LINES);
        }
    }

    /// Looks many keys up, sixteen at a time, whose cache misses overlap.
    pub(super) fn append_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        for _ in 0..PATIENCE {
            let Some(version) = self.batches.read() else { continue };
            values.reset(keys.len());
            self.append_all(keys, values);
            if self.batches.holds(version) {
                return;
            }
        }
        let _no_batch = self.batching.lock();
        values.reset(keys.len());
        self.append_all(keys, values);
    }

    fn append_all(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let mut value = Vec::new();
        for (part, keys) in keys.chunks(TOGETHER).enumerate() {
            let guard = &epoch::pin();
            // The version of a segment lies in the segment, so that finding it must wait for what is asked for here.
            keys.iter().for_each(|key| self.prefetch(key, guard));
            let mut found: [Option<Found<'_>>; TOGETHER] = [None; TOGETHER];
            for (key, found) in keys.iter().zip(&mut found) {
                *found = self.find(key, guard);
                if let Some(found) = found {
                    let header = found.look.segment().header();
                    found.look.prefetch(header, key, ENTRY_LINES);
                }
            }
            for (index, (key, found)) in keys.iter().zip(&found).enumerate() {
                value.clear();
                let read = found.as_ref().and_then(|found| found.append(key, &mut value));
                if read.unwrap_or_else(|| self.append(key, &mut value, guard)) {
                    values.put(part * TOGETHER + index, &value);
                }
            }
        }
    }
}

impl Found<'_> {
    /// Appends the value of the key that was looked for; whether it is there. `None`, and nothing is appended, if the segment was changed
    /// meanwhile.
    #[inline]
    fn append(&self, key: &[u8], value: &mut Vec<u8>) -> Option<bool> {
        let header = self.look.segment().header();
        let before = value.len();
        let read = match self.look.find(header, key) {
            Ok(Some(index)) => self.look.append_value(index, header, value).map(|()| true),
            Ok(None) => Some(false),
            Err(_) => None,
        };
        if read.is_some() && self.look.holds() {
            return read;
        }
        value.truncate(before);
        None
    }
}
