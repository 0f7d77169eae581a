//! Sets, updates and deletes that stay within a segment.
//!
//! Invariants: a segment that a delete or a shorter value would leave nearly empty, or that has no room, is left
//! to [`super::restructure`], which does the same change together with its neighbours.
//!
//! Thread safety: the writer finds the segment as a reader does, and turns the version it found into the lock: so the
//! segment is the key's, and nothing in it has changed since. It holds one lock and waits for no other.

use super::Array;
use super::extent::Extent;
use super::look::{Look, Position};
use super::outside::Outside;
use super::segment::{Entry, KEY_BYTES_MOST, OUTSIDE_BYTES, Place, SLOT_BYTES};
use super::top::Top;
use crate::sync::Wait;
use crossbeam::epoch::{self, Guard};

/// What is to become of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Insert it, or replace its value.
    Set,
    /// Replace its value if it is there.
    Update,
    /// Remove it if it is there.
    Delete,
}

/// A write with its entry made ready; no entry for deletes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write<'a> {
    pub(super) kind: Kind,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) entry: Option<Entry<'a>>,
}

/// What became of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The key was there, and is changed.
    Found,
    /// The key was not there; it is now after a set, and nothing has changed otherwise.
    NotFound,
    /// The segment alone cannot do it.
    NoRoom,
    /// The segment was changed meanwhile.
    Stale,
}

/// Where a key was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'g> {
    pub(super) top: &'g Top,
    pub(super) extent: &'g Extent,
    pub(super) look: Look<'g, 'g>,
}

impl Array {
    /// The segment of a key; `None` if it was being changed.
    #[inline]
    pub(super) fn find<'g>(&self, key: &[u8], guard: &'g Guard) -> Option<Found<'g>> {
        let top = self.root.load(guard);
        let extent = top.extent(top.find(key))?;
        let (_, look) = extent.find(key, guard)?;
        Some(Found { top, extent, look })
    }

    /// Applies a write; returns whether the key was there.
    pub(super) fn write(&self, kind: Kind, key: &[u8], value: &[u8]) -> bool {
        if kind == Kind::Delete {
            return self.write_entry(&Write { kind, key, value, entry: None });
        }
        self.with_entry(key, value, |entry| self.write_entry(&Write { kind, key, value, entry: Some(entry) }))
    }

    /// Makes the entry of a record, in a block of its own if it is too long for a segment.
    pub(super) fn with_entry<T>(&self, key: &[u8], value: &[u8], then: impl FnOnce(Entry<'_>) -> T) -> T {
        if key.len() <= KEY_BYTES_MOST && 1 + key.len() + value.len() <= self.geometry.entry_bytes_most() {
            return then(Entry::inside(key, value));
        }
        let stripe = usize::from(key.last().copied().unwrap_or(0));
        then(Entry::outside(&self.outside.store(stripe, key, value).to_le_bytes()))
    }

    fn write_entry(&self, write: &Write<'_>) -> bool {
        let (key, guard) = (write.key, &epoch::pin());
        let wait = Wait::new();
        loop {
            let mut outcome = match self.find(key, guard) {
                Some(found) => self.write_in_segment(found, write, guard),
                None => Outcome::Stale,
            };
            if outcome == Outcome::NoRoom {
                outcome = self.restructure(write, guard);
            }
            match outcome {
                Outcome::Found => return true,
                Outcome::NotFound => {
                    if write.kind == Kind::Update
                        && let Some(address) = write.entry.and_then(|entry| entry.address())
                    {
                        self.outside.retire(Outside::unused(address), guard);
                    }
                    return false;
                }
                Outcome::NoRoom | Outcome::Stale => wait.once(),
            }
        }
    }

    fn write_in_segment(&self, found: Found<'_>, write: &Write<'_>, guard: &Guard) -> Outcome {
        let mut look = found.look;
        let header = look.segment().header();
        let at = match look.find(header, write.key) {
            Ok(Some(index)) => Position { index, found: true, shares: true },
            Ok(None) if write.kind != Kind::Set => {
                return if look.holds() { Outcome::NotFound } else { Outcome::Stale };
            }
            Ok(None) => match look.position(header, write.key) {
                Some(position) => position,
                None => return Outcome::Stale,
            },
            Err(_) => return Outcome::Stale,
        };
        if !look.lock() {
            return Outcome::Stale;
        }
        let is_alone = found.extent.len() == 1 && found.top.extents().len() == 1;
        let outcome = self.apply(&look, at, write, is_alone, guard);
        let latch = look.segment().latch();
        if outcome == Outcome::NoRoom {
            latch.unlock_unchanged()
        } else {
            latch.unlock()
        }
        outcome
    }

    /// Changes a segment whose lock is held, at a position found under it; changes nothing if there is no room, or if
    /// the segment would be left nearly empty and is not all there is.
    pub(super) fn apply(
        &self,
        look: &Look<'_, '_>,
        at: Position,
        write: &Write<'_>,
        is_alone: bool,
        guard: &Guard,
    ) -> Outcome {
        let segment = look.segment();
        if !at.found {
            return match write.entry {
                Some(entry) if write.kind == Kind::Set => self.insert(look, at, write.key, &entry),
                _ => Outcome::NotFound,
            };
        }
        let count = segment.header().count;
        if let Some(Place::Inside { key, key_len, value_len }) = segment.place(at.index, count)
            && write.entry.is_some()
            && value_len == write.value.len()
        {
            segment.overwrite(key + key_len, write.value);
            return Outcome::Found;
        }
        let (used, old) =
            (segment.used(), segment.offset(at.index + 1, count) - segment.offset(at.index, count));
        let left = write.entry.map_or(used - old - SLOT_BYTES, |entry| used - old + entry.len());
        if left < used && left < self.geometry.leaf_fewest() && !is_alone {
            return Outcome::NoRoom;
        }
        let orphan = Outside::orphan(look, at.index);
        match write.entry {
            Some(entry) if !segment.replace(at.index, &entry) => return Outcome::NoRoom,
            Some(_) => {}
            None => segment.remove(at.index),
        }
        if let Some(orphan) = orphan {
            self.outside.retire(orphan, guard);
        }
        Outcome::Found
    }

    fn insert(&self, look: &Look<'_, '_>, at: Position, key: &[u8], entry: &Entry<'_>) -> Outcome {
        let segment = look.segment();
        let header = segment.header();
        let run = segment.run_at(at.index);
        if !segment.insert(at.index, entry, super::segment::head(key, header.skip)) {
            return Outcome::NoRoom;
        }
        segment.set_hot(at.index, run);
        if !at.shares {
            Self::give_heads(look);
        }
        Outcome::NotFound
    }

    /// Gives the entries of a segment heads that skip what the first and the last key have in common.
    fn give_heads(look: &Look<'_, '_>) {
        let segment = look.segment();
        let header = segment.header();
        let key = |index| {
            let mut key = Vec::new();
            let appended = look.append_key(index, header, &mut key);
            debug_assert!(appended.is_some(), "a locked look holds");
            key
        };
        let skip = super::segment::common(&key(0), &key(header.count.saturating_sub(1)));
        segment.set_heads(skip, (0..header.count).map(|index| super::segment::head(&key(index), skip)));
    }
}

/// The most bytes that a record needs in a segment and its directory, whatever its length.
const _: () = assert!(OUTSIDE_BYTES + SLOT_BYTES <= (256 - super::segment::HEADER_BYTES) / 4);
