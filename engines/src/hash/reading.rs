//! Reads: of one key, and of many with their cache misses overlapped.
//!
//! A read takes no latch and writes nothing that another thread reads. It notes the version of the batches of the key's
//! shard, reads, and begins anew if a batch came in between; whoever lost [`ATTEMPTS_MOST`] times takes the
//! latch, which keeps batches out.
//!
//! Thread safety: as in `shard`. A group of keys is read between batches as a whole.

use super::arena::Slot;
use super::hasher::KeyHash;
use super::map::Hash;
use super::segment::Segment;
use super::shard::Shard;
use crate::engine::GetBuffer;
use crate::memory::latch::Version;
use crossbeam::epoch::{self, Guard};

/// Keys whose cache misses overlap.
const GROUP: usize = 16;
/// Reads that batches may disturb before the latch is taken.
const ATTEMPTS_MOST: usize = 8;

/// One key of a group, and how far its search has come.
struct Search<'g, 'k> {
    key: &'k [u8],
    hash: KeyHash,
    shard: &'g Shard,
    version: Option<Version>,
    segment: Option<Segment<'g>>,
    candidate: Option<Slot<'g>>,
}

impl Hash {
    /// Appends the value of a key; whether it is there.
    #[inline]
    pub(super) fn read(&self, key: &[u8], value: &mut Vec<u8>) -> bool {
        let hash = self.common().hasher.hash(key);
        let Some(shard) = self.shard(hash) else { return false };
        shard.prefetch(self.common(), hash);
        let pin = epoch::pin();
        let Some(version) = shard.batches.read() else { return false };
        let present = shard.read(self.common(), hash, key, value, &pin);
        if shard.batches.holds(version) { present } else { self.read_again(shard, hash, key, value, &pin) }
    }

    #[cold]
    fn read_again(&self, shard: &Shard, hash: KeyHash, key: &[u8], value: &mut Vec<u8>, pin: &Guard) -> bool {
        for _ in 0..ATTEMPTS_MOST {
            value.clear();
            let Some(version) = shard.batches.read() else { break };
            let present = shard.read(self.common(), hash, key, value, pin);
            if shard.batches.holds(version) {
                return present;
            }
        }
        value.clear();
        let _latched = shard.latch(self.common(), pin);
        shard.read(self.common(), hash, key, value, pin)
    }

    /// Asks for the line and the record of a key; waits for the line.
    #[inline]
    pub(super) fn ask_for(&self, key: &[u8]) {
        let common = self.common();
        let hash = common.hasher.hash(key);
        let Some(shard) = self.shard(hash) else { return };
        shard.prefetch(common, hash);
        let pin = epoch::pin();
        let segment = shard.segment(common, hash, &pin);
        if let Some(slot) = segment.and_then(|segment| segment.candidate(common.wanted(hash))) {
            slot.prefetch();
        }
    }

    /// Reads many keys, a group at a time: first the lines of all are asked for, then their records, then both are read.
    pub(super) fn read_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(GROUP.min(keys.len())));
        for (group, keys) in keys.chunks(GROUP).enumerate() {
            let pin = epoch::pin();
            let mut attempts = 0;
            while !self.read_group(keys, &mut bytes, &mut ends, &pin) {
                attempts += 1;
                if attempts == ATTEMPTS_MOST {
                    self.read_group_latched(keys, &mut bytes, &mut ends, &pin);
                    break;
                }
            }
            let mut start = 0;
            for (index, end) in ends.iter().enumerate() {
                if let Some(end) = *end {
                    values.put(group * GROUP + index, bytes.get(start..end).unwrap_or_default());
                    start = end;
                }
            }
        }
    }

    /// Reads a group; `false` if a batch came in between. `ends` tells where the value of each key that is there ends.
    fn read_group(
        &self,
        keys: &[&[u8]],
        bytes: &mut Vec<u8>,
        ends: &mut Vec<Option<usize>>,
        pin: &Guard,
    ) -> bool {
        bytes.clear();
        ends.clear();
        let common = self.common();
        let mut searches: [Option<Search<'_, '_>>; GROUP] = [const { None }; GROUP];
        for (search, key) in searches.iter_mut().zip(keys) {
            let hash = common.hasher.hash(key);
            let Some(shard) = self.shard(hash) else { return true };
            shard.prefetch(common, hash);
            let version = shard.batches.read();
            *search = Some(Search { key, hash, shard, version, segment: None, candidate: None });
        }
        for search in searches.iter_mut().flatten() {
            search.segment = search.shard.segment(common, search.hash, pin);
            if let Some(segment) = search.segment {
                segment.prefetch(search.hash);
            }
        }
        for search in searches.iter_mut().flatten() {
            let wanted = common.wanted(search.hash);
            search.candidate = search.segment.and_then(|segment| segment.candidate(wanted));
            if let Some(slot) = search.candidate {
                slot.prefetch();
            }
        }
        for search in searches.iter().flatten() {
            let wanted = common.wanted(search.hash);
            let present = search.candidate.is_some_and(|slot| {
                slot.read(search.key, bytes)
                    || search.segment.is_some_and(|segment| segment.read(wanted, search.key, bytes))
            });
            ends.push(present.then_some(bytes.len()));
        }
        searches
            .iter()
            .flatten()
            .all(|search| search.version.is_some_and(|version| search.shard.batches.holds(version)))
    }

    #[cold]
    fn read_group_latched(
        &self,
        keys: &[&[u8]],
        bytes: &mut Vec<u8>,
        ends: &mut Vec<Option<usize>>,
        pin: &Guard,
    ) {
        bytes.clear();
        ends.clear();
        let hashes: Vec<_> = keys.iter().map(|key| self.common().hasher.hash(key)).collect();
        let _latched = self.latch_all(hashes.iter().copied(), pin);
        for (key, hash) in keys.iter().zip(hashes) {
            let present =
                self.shard(hash).is_some_and(|shard| shard.read(self.common(), hash, key, bytes, pin));
            ends.push(present.then_some(bytes.len()));
        }
    }
}
