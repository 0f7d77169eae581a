//! `sharded-hashbrown`: 64 hash tables, each behind a latch of its own: what a program writes that has outgrown one latch.
//!
//! Thread safety: each shard has a readers–writer latch on cache lines of its own. A key is hashed once: six bits of the
//! hash choose the shard, others the bucket and the tag within it. A batch takes the latches it needs in ascending order and holds all
//! of them until it is done, so there is no cycle of waiting and it becomes visible at once.

#![expect(clippy::indexing_slicing, reason = "a shard's number is six bits, and there are 64 shards")]

use super::peer::entry;
use super::store::{Store, replace};
use crate::chunk::Chunk;
use crate::engine::{Capabilities, ScanRange, Visitor, WriteBatch, WriteOp};
use crate::entry::Entry;
use crossbeam::utils::CachePadded;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use parking_lot::{RwLock, RwLockWriteGuard};
use std::array::from_fn;
use std::hash::BuildHasher;

pub(super) static ENTRY: Entry =
    entry::<ShardedHashTable>("64 hashbrown tables with foldhash, a readers–writer latch each: no order");

const SHARD_BITS: u32 = 6;
const SHARDS: usize = 1 << SHARD_BITS;
/// The tables take their tags from the seven highest bits of a hash and their buckets from the lowest.
const TAG_BITS: u32 = 7;

type Bytes = Box<[u8]>;
type Shard = HashTable<(Bytes, Bytes)>;

pub(super) struct ShardedHashTable {
    shards: Box<[CachePadded<RwLock<Shard>>; SHARDS]>,
}

impl Default for ShardedHashTable {
    fn default() -> Self {
        Self { shards: Box::new(from_fn(|_| CachePadded::new(RwLock::new(HashTable::new())))) }
    }
}

#[inline]
fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

#[inline]
const fn shard_of(hash: u64) -> usize {
    ((hash << TAG_BITS) >> (u64::BITS - SHARD_BITS)) as usize
}

/// Inserts or replaces; what is displaced is returned, to be freed when the latch is released.
fn insert(shard: &mut Shard, hash: u64, key: Bytes, value: Bytes) -> Option<(Bytes, Bytes)> {
    match shard.entry(hash, |record| record.0 == key, |record| self::hash(&record.0)) {
        Slot::Occupied(mut slot) => Some((key, std::mem::replace(&mut slot.get_mut().1, value))),
        Slot::Vacant(slot) => {
            slot.insert((key, value));
            None
        }
    }
}

fn remove(shard: &mut Shard, hash: u64, key: &[u8]) -> Option<(Bytes, Bytes)> {
    let slot = shard.find_entry(hash, |record| *record.0 == *key).ok()?;
    Some(slot.remove().0)
}

impl Store for ShardedHashTable {
    const NAME: &'static str = "sharded-hashbrown";
    const CAPABILITIES: Capabilities = Capabilities {
        ordered_scan: false,
        reverse_scan: false,
        batch_atomic_visibility: true,
        ..Capabilities::IN_MEMORY_ORDERED
    };

    #[inline]
    fn read(&self, key: &[u8], see: impl FnMut(&[u8])) -> bool {
        let hash = hash(key);
        let shard = self.shards[shard_of(hash)].read();
        shard.find(hash, |record| *record.0 == *key).map(|record| &*record.1).map(see).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        let hash = hash(key);
        let (key, value) = (key.into(), value.into());
        let displaced = insert(&mut self.shards[shard_of(hash)].write(), hash, key, value);
        drop(displaced);
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        let hash = hash(key);
        let mut shard = self.shards[shard_of(hash)].write();
        shard.find_mut(hash, |record| *record.0 == *key).map(|record| replace(&mut record.1, value)).is_some()
    }

    fn delete(&self, key: &[u8]) -> bool {
        let hash = hash(key);
        let removed = remove(&mut self.shards[shard_of(hash)].write(), hash, key);
        removed.is_some()
    }

    fn batch(&self, batch: &WriteBatch) {
        let mut latched: [Option<RwLockWriteGuard<'_, Shard>>; SHARDS] = from_fn(|_| None);
        let hashes: Vec<u64> = batch.iter().map(|operation| hash(operation.key())).collect();
        let mut wanted = hashes.iter().fold(0_u64, |wanted, hash| wanted | 1 << shard_of(*hash));
        while wanted != 0 {
            let number = wanted.trailing_zeros() as usize;
            latched[number] = Some(self.shards[number].write());
            wanted &= wanted - 1;
        }
        for (operation, hash) in batch.iter().zip(hashes) {
            let Some(shard) = &mut latched[shard_of(hash)] else { continue };
            match operation {
                WriteOp::Set { key, value } => drop(insert(shard, hash, key.into(), value.into())),
                WriteOp::Delete { key } => drop(remove(shard, hash, key)),
            }
        }
    }

    fn scan(&self, _: &ScanRange<'_>, _: &mut Chunk, _: Visitor<'_>) -> Option<u64> {
        None
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        for shard in self.shards.iter() {
            shard.read().iter().for_each(|(key, value)| see(key, value));
        }
    }

    /// A slot and a control byte for each bucket, of which seven in eight may be used.
    fn structure_bytes(&self, _: usize) -> usize {
        let capacity: usize = self.shards.iter().map(|shard| shard.read().capacity()).sum();
        size_of_val(&*self.shards) + capacity * 8 / 7 * (size_of::<(Bytes, Bytes)>() + 1)
    }

    fn compact(&self) {
        for shard in self.shards.iter() {
            shard.write().shrink_to_fit(|record| hash(&record.0));
        }
    }
}
