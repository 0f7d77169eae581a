//! A shard: what happens under its latch, and what needs none.
//!
//! Invariants
//! - Inserts, deletes, exchanges of records, and all changes of segments and directory happen under the latch. A value
//!   that fits is replaced under the lock of its record alone.
//! - A record is in one slot of the segments that can be reached. It is dead before it leaves its slot.
//! - `batches` is locked while a batch is applied, and by batches only, under the latches of all their shards: what was
//!   read while its version held belongs to no half of a batch, and a value is replaced without the latch only
//!   if, under the record's lock, the version still holds.
//! - No operation moves more than [`ENTRIES_MOVED_MOST`] entries, as long as no more keys
//!   than one segment holds have the same 30 bits of hash.
//!
//! Thread safety: readers write nothing but their own pin. Order of taking: pin, latches in ascending order of shards, lock of
//! a record, slab.
#![expect(
    unsafe_code,
    reason = "what was taken out of the table is retired, which asks for a proof at each place"
)]

use super::arena::{Arena, Entry, LINE_BYTES, LINES_MOST, NODE_BITS, NODE_BYTES, Root, Slot};
use super::control::SLOTS;
use super::directory::{Place, place_of, segment_of};
use super::hasher::{KeyHash, KeyHasher, TAG_BITS, tag};
use super::options::HashOptions;
use super::segment::{Found, Segment, Wanted};
use crate::error::{Error, Result};
use crate::memory::latch::{Version, VersionLatch};
use crate::memory::record::{Alike, Replaced};
use crossbeam::epoch::Guard;
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicU64, Ordering};

/// Entries that one operation moves at most.
pub const ENTRIES_MOVED_MOST: usize = 1024;
/// Lines of the largest segments that are still split.
const LINES_SPLIT_MOST: usize = 128;
/// Bits of the path that the directory uses at most; segments whose keys share more become longer instead.
pub(super) const DEPTH_MOST: u32 = 30;
const _: () = assert!(DEPTH_MOST.is_multiple_of(NODE_BITS));

/// What all shards share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) name: &'static str,
    pub(super) arena: Arena,
    pub(super) hasher: KeyHasher,
    pub(super) shard_bits: u32,
    pub(super) load_factor: f64,
    /// [`DEPTH_MOST`], or less in tests, which need not look for keys with so many equal bits then.
    pub(super) depth_most: u32,
}

/// How large the segments of a shard are.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Lines of a segment that is split when it is full.
    lines: usize,
    /// Lines of the first segment, and the least when it is the only one.
    lines_least: usize,
    /// Bits that all segments share at least.
    depth_least: u32,
}

/// What a shard did and has.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Figures {
    pub(super) records: u64,
    pub(super) slots: u64,
    pub(super) segments: u64,
    pub(super) nodes: u64,
    pub(super) splits: u64,
    pub(super) merges: u64,
    pub(super) resizes: u64,
    pub(super) relocated: u64,
    pub(super) moved_most: u64,
    pub(super) zeroed_most: u64,
}

#[derive(Debug)]
struct Writers {
    latch: Mutex<Figures>,
    /// Key and value bytes. Changed without the latch when a value of another length is put in place.
    live_bytes: AtomicU64,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Shard {
    root: Root,
    pub(super) batches: VersionLatch,
    number: usize,
    shape: Shape,
    writers: CachePadded<Writers>,
}

/// What a write without the latch came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InPlace {
    /// The value was replaced.
    Done,
    /// The key is not there.
    Absent,
    /// It takes the latch to do or to know it.
    NeedsLatch,
}

/// A shard whose latch is held.
pub(super) struct Latched<'s, 'g> {
    shard: &'g Shard,
    common: &'g Common,
    pin: &'g Guard,
    figures: MutexGuard<'s, Figures>,
    moved: u64,
    zeroed: u64,
}

impl Common {
    /// What is searched in a segment.
    #[inline]
    pub(super) fn wanted(&self, hash: KeyHash) -> Wanted {
        Wanted { hash, tag: tag(hash.path(self.shard_bits)) }
    }

    /// Records that a segment of so many lines holds before it grows: fewer than it has slots.
    fn limit(&self, lines: usize) -> u64 {
        (((lines * SLOTS) as f64 * self.load_factor) as u64).max(1)
    }
}

impl Shape {
    /// The sizes of the shards' segments lie evenly, in their logarithm, between `segment_lines` and twice as much: keys
    /// spread evenly over segments, so segments of one size would all be full, and all be half empty, at the same time.
    fn of(number: usize, options: &HashOptions) -> Self {
        let phase = number as f64 / options.shards as f64;
        let lines = options.segment_lines as f64 * phase.exp2();
        // The slab's classes are coarser; half a step less, because it rounds up.
        let lines = Arena::lines_served(((lines * 0.96).round() as usize).clamp(1, LINES_SPLIT_MOST));
        let share = options.buckets.div_ceil(options.shards);
        let slots = lines * SLOTS;
        if share <= slots {
            let least = Arena::lines_served(share.div_ceil(SLOTS)).min(lines);
            return Self { lines, lines_least: least, depth_least: 0 };
        }
        let depth = share.div_ceil(slots).next_power_of_two().trailing_zeros();
        Self { lines, lines_least: lines, depth_least: depth.min(DEPTH_MOST) }
    }
}

impl Shard {
    /// An empty shard.
    pub(super) fn new(number: usize, options: &HashOptions, common: &Common, pin: &Guard) -> Self {
        let shape = Shape::of(number, options);
        let entry = common.arena.new_segment(shape.lines_least, pin);
        let slots = Segment::of(entry).map_or(0, Segment::slots) as u64;
        let figures = Figures { segments: 1, slots, ..Figures::default() };
        let writers = Writers { latch: Mutex::new(figures), live_bytes: AtomicU64::new(0) };
        let root = Root::new(entry);
        let shard = Self { root, batches: VersionLatch::new(), number, shape, writers: writers.into() };
        shard.presize(common, pin);
        shard
    }

    fn presize(&self, common: &Common, pin: &Guard) {
        let mut latched = self.latch(common, pin);
        let mut path = Some(0);
        while let Some(from) = path {
            let Some(place) = latched.place(from) else { break };
            if place.depth() < self.shape.depth_least {
                latched.split(&place);
            } else {
                path = place.next_path(from);
            }
        }
        latched.figures.splits = 0;
    }

    /// Takes the latch.
    pub(super) fn latch<'g>(&'g self, common: &'g Common, pin: &'g Guard) -> Latched<'g, 'g> {
        Latched { shard: self, common, pin, figures: self.writers.latch.lock(), moved: 0, zeroed: 0 }
    }

    /// Key and value bytes of its records.
    pub(super) fn live_bytes(&self) -> u64 {
        self.writers.live_bytes.load(Ordering::Relaxed)
    }

    fn account(&self, added: usize, gone: usize) {
        if added != gone {
            let change = (added as u64).wrapping_sub(gone as u64);
            self.writers.live_bytes.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// The segment of a hash.
    #[inline]
    pub(super) fn segment<'g>(
        &'g self,
        common: &Common,
        hash: KeyHash,
        pin: &'g Guard,
    ) -> Option<Segment<'g>> {
        segment_of(&self.root, hash.path(common.shard_bits), pin)
    }

    /// Asks for the line where a search begins. A pin is a full barrier, which no later load may overtake; so who asks before
    /// it lets this miss, and with it the next operation's, overlap with those that are still under way.
    #[inline]
    pub(super) fn prefetch(&self, common: &Common, hash: KeyHash) {
        self.root.prefetch(hash.path(common.shard_bits), |lines| hash.home(lines));
    }

    /// Appends the value of a key; whether it is there. Takes no latch.
    #[inline]
    pub(super) fn read(
        &self,
        common: &Common,
        hash: KeyHash,
        key: &[u8],
        value: &mut Vec<u8>,
        pin: &Guard,
    ) -> bool {
        let Some(segment) = self.segment(common, hash, pin) else { return false };
        let wanted = common.wanted(hash);
        let Some((candidates, more)) = segment.home(wanted) else { return false };
        for slot in candidates {
            slot.prefetch();
            if slot.read(key, value) {
                return true;
            }
        }
        more && segment.search_from_second(wanted, &mut |slot| slot.read(key, value)).is_some()
    }

    /// Replaces a value without the latch, if it fits and no batch is under way.
    #[inline]
    pub(super) fn replace_in_place(
        &self,
        common: &Common,
        hash: KeyHash,
        key: &[u8],
        value: &[u8],
        pin: &Guard,
    ) -> InPlace {
        if self.batches.is_locked() {
            return InPlace::NeedsLatch;
        }
        let Some(version) = self.batches.read() else { return InPlace::NeedsLatch };
        let Some(segment) = self.segment(common, hash, pin) else { return InPlace::NeedsLatch };
        let wanted = common.wanted(hash);
        let Some((candidates, more)) = segment.home(wanted) else { return InPlace::NeedsLatch };
        // Most values are as long as those before them, and most records lie where the search begins. Few instructions
        // stand between this record and the next operation's first line, so that a processor asks for both at a time.
        for slot in candidates {
            slot.prefetch();
            let mut gone = 0;
            let allowed = |old| {
                gone = old;
                self.batches.holds(version)
            };
            match slot.replace_alike(key, value, allowed) {
                Some(Alike::Done) => {
                    self.account(value.len(), gone);
                    return InPlace::Done;
                }
                Some(Alike::Otherwise) => return self.replace_otherwise(slot, value, version),
                None => {}
            }
        }
        if more
            && let Some(found) = segment.search_from_second(wanted, &mut |slot| slot.record().has_key(key))
        {
            return self.replace_otherwise(found.slot, value, version);
        }
        if self.batches.holds(version) { InPlace::Absent } else { InPlace::NeedsLatch }
    }

    #[inline(never)]
    fn replace_otherwise(&self, slot: Slot<'_>, value: &[u8], version: Version) -> InPlace {
        let mut gone = 0;
        let allowed = |old| {
            gone = old;
            self.batches.holds(version)
        };
        match slot.replace_if(value, allowed) {
            Replaced::Done => {
                self.account(value.len(), gone);
                InPlace::Done
            }
            Replaced::NoRoom | Replaced::Dead => InPlace::NeedsLatch,
        }
    }
}

impl<'g> Latched<'_, 'g> {
    fn place(&self, path: u64) -> Option<Place<'g>> {
        place_of(&self.shard.root, path, self.pin)
    }

    fn place_of(&self, hash: KeyHash) -> Option<Place<'g>> {
        self.place(hash.path(self.common.shard_bits))
    }

    /// Sets a record; whether a block was freed.
    ///
    /// # Errors
    /// [`Error::Full`] if more keys than a segment can hold have the same hash.
    pub(super) fn set(&mut self, hash: KeyHash, key: &[u8], value: &[u8]) -> Result<bool> {
        let wanted = self.common.wanted(hash);
        let Some(place) = self.place_of(hash) else { return Err(self.full()) };
        if let Some(found) = place.segment.find(wanted, key) {
            return Ok(self.replace(&place, found, wanted, key, value));
        }
        let place = self.with_room(place, hash)?;
        let slot = self.common.arena.new_record(self.shard.number, wanted.tag, key, value, self.pin);
        let home = hash.home(place.segment.lines());
        let inserted = place.segment.insert(home, hash.fingerprint(), slot);
        debug_assert!(inserted, "there was room");
        place.set_count(place.count() + 1);
        self.figures.records += 1;
        self.shard.account(key.len() + value.len(), 0);
        self.note_work();
        Ok(false)
    }

    /// Replaces the value of a key that is there: whether it is, and whether a block was freed.
    pub(super) fn update(&mut self, hash: KeyHash, key: &[u8], value: &[u8]) -> (bool, bool) {
        let wanted = self.common.wanted(hash);
        let Some(place) = self.place_of(hash) else { return (false, false) };
        match place.segment.find(wanted, key) {
            Some(found) => (true, self.replace(&place, found, wanted, key, value)),
            None => (false, false),
        }
    }

    /// Removes a record; whether it was there.
    pub(super) fn delete(&mut self, hash: KeyHash, key: &[u8]) -> bool {
        let wanted = self.common.wanted(hash);
        let Some(place) = self.place_of(hash) else { return false };
        let Some(found) = place.segment.find(wanted, key) else { return false };
        let record = found.slot.record();
        record.kill();
        let gone = key.len() + record.value_len();
        place.segment.remove(hash, found);
        // SAFETY: the record was in this slot only, which is free now; whoever frees a slot does so under the latch.
        unsafe { self.common.arena.retire_record(self.shard.number, found.slot, self.pin) };
        place.set_count(place.count().saturating_sub(1));
        self.figures.records = self.figures.records.saturating_sub(1);
        self.shard.account(0, gone);
        self.shrink(&place, 1, 2);
        self.note_work();
        true
    }

    /// Moves a record to another block, if the table still leads to this one; whether it did.
    pub(super) fn relocate(&mut self, hash: KeyHash, address: u64) -> bool {
        let wanted = self.common.wanted(hash);
        let Some(place) = self.place_of(hash) else { return false };
        let Some(found) = place.segment.find_address(wanted, address) else { return false };
        let record = found.slot.record();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        record.append_key(&mut key);
        record.kill();
        found.slot.append_value(&mut value);
        self.exchange(&place, found, wanted, &key, &value);
        self.figures.relocated += 1;
        true
    }

    /// Moves the records of a segment whose blocks are larger than they need be. Returns the path behind the segment.
    pub(super) fn tighten(&mut self, path: u64) -> Option<u64> {
        let place = self.place(path)?;
        let loose: Vec<_> = place.segment.records().filter(|(_, slot, _)| Arena::is_loose(*slot)).collect();
        for (_, slot, _) in loose {
            let hash = self.hash_of(slot);
            self.relocate(hash, slot.address());
        }
        place.next_path(path)
    }

    fn replace(
        &mut self,
        place: &Place<'g>,
        found: Found<'g>,
        wanted: Wanted,
        key: &[u8],
        value: &[u8],
    ) -> bool {
        let mut gone = 0;
        let allowed = |old| {
            gone = old;
            true
        };
        let freed = found.slot.replace_if(value, allowed) != Replaced::Done;
        if freed {
            found.slot.record().kill();
            gone = found.slot.record().value_len();
            self.exchange(place, found, wanted, key, value);
        }
        self.shard.account(value.len(), gone);
        freed
    }

    /// Puts a new record in the place of one that is dead.
    fn exchange(&mut self, place: &Place<'g>, found: Found<'g>, wanted: Wanted, key: &[u8], value: &[u8]) {
        let (arena, stripe) = (&self.common.arena, self.shard.number);
        let slot = arena.new_record(stripe, wanted.tag, key, value, self.pin);
        place.segment.exchange(found, slot);
        // SAFETY: the old record was in this slot only, which leads to the new one now; slots change under the latch.
        unsafe { arena.retire_record(stripe, found.slot, self.pin) };
    }

    fn full(&self) -> Error {
        let bytes = self.common.arena.held_bytes();
        Error::Full { engine: self.common.name, used_bytes: bytes, limit_bytes: bytes }
    }

    /// The place of a hash, grown if it is full.
    fn with_room(&mut self, place: Place<'g>, hash: KeyHash) -> Result<Place<'g>> {
        let mut place = place;
        if place.count() < self.common.limit(place.segment.lines()) {
            return Ok(place);
        }
        loop {
            if !self.grow(&place) && place.count() >= place.segment.slots() as u64 {
                return Err(self.full());
            }
            place = self.place_of(hash).ok_or_else(|| self.full())?;
            if place.count() < place.segment.slots() as u64 {
                return Ok(place);
            }
        }
    }

    fn grow(&mut self, place: &Place<'g>) -> bool {
        let lines = place.segment.lines();
        if lines < self.shard.shape.lines {
            self.resize(place, Arena::lines_served(lines * 2).min(self.shard.shape.lines));
        } else if place.depth() < self.common.depth_most {
            self.split(place);
        } else if lines < LINES_MOST {
            self.resize(place, (lines * 2).min(LINES_MOST));
        } else {
            return false;
        }
        true
    }

    /// After deletes: joins the segment with its buddy, or makes it shorter when it is the only one or longer than the others,
    /// if what comes of it has no more than `part / whole` of the records that it may have. Whether it did.
    ///
    /// What counts is the size of the new segment, not that of the old one, which may be longer than the others.
    fn shrink(&mut self, place: &Place<'g>, part: u64, whole: u64) -> bool {
        let shape = self.shard.shape;
        let (count, lines) = (place.count(), place.segment.lines());
        let takes = |lines, records: u64| records * whole <= self.common.limit(lines) * part;
        if place.depth() > shape.depth_least
            && let Some((first, entry, buddy_count)) = place.buddy()
            && takes(shape.lines, count + buddy_count)
        {
            self.merge(place, first, entry, count + buddy_count);
            return true;
        }
        let least = if place.depth() == 0 { shape.lines_least } else { shape.lines };
        if lines <= least {
            return false;
        }
        let shorter = Arena::lines_served(lines.div_ceil(2)).clamp(least, lines - 1);
        if takes(shorter, count) {
            self.resize(place, shorter);
            return true;
        }
        false
    }

    /// Shrinks the segment of a path as far as it goes. Returns the path to go on from.
    pub(super) fn shrink_at(&mut self, path: u64) -> Option<u64> {
        let place = self.place(path)?;
        if self.shrink(&place, 3, 4) {
            self.note_work();
            // What became one may be half of another one.
            return Some(self.place(path)?.first_path(path));
        }
        place.next_path(path)
    }

    fn new_segment(&mut self, lines: usize) -> Entry<'g> {
        let entry = self.common.arena.new_segment(lines, self.pin);
        let segment = Segment::of(entry);
        self.zeroed += (segment.map_or(0, Segment::lines) * LINE_BYTES) as u64;
        self.figures.slots += segment.map_or(0, Segment::slots) as u64;
        self.figures.segments += 1;
        entry
    }

    /// Takes back a segment that no entry leads to any more.
    fn retire_segment(&mut self, entry: Entry<'_>) {
        self.figures.slots -= Segment::of(entry).map_or(0, Segment::slots) as u64;
        self.figures.segments -= 1;
        // SAFETY: each caller has just let all entries of the segment lead elsewhere; segments hang in one node, and
        // entries change under the latch only.
        unsafe { self.common.arena.retire_table(entry, self.pin) };
    }

    fn hash_of(&self, slot: Slot<'_>) -> KeyHash {
        let mut key = Vec::new();
        slot.record().append_key(&mut key);
        self.common.hasher.hash(&key)
    }

    /// Copies a record's slot into a segment that nobody can reach yet.
    fn adopt(&mut self, into: Entry<'g>, fingerprint: u8, slot: Slot<'g>, home: Option<usize>) {
        let Some(segment) = Segment::of(into) else { return };
        let home = home.unwrap_or_else(|| self.hash_of(slot).home(segment.lines()));
        let inserted = segment.insert(home, fingerprint, slot);
        debug_assert!(inserted, "the segment is large enough");
        self.moved += 1;
    }

    /// Splits a segment by the next bit of the path. Two new segments take its place, so that readers of the old one, which
    /// stays as it is, miss nothing that was there when they came.
    fn split(&mut self, place: &Place<'g>) {
        let lines = place.segment.lines();
        let halves = [self.new_segment(lines), self.new_segment(lines)];
        let mut counts = [0; 2];
        let bit = place.depth();
        for (fingerprint, slot, home) in place.segment.records() {
            let upper = if bit < TAG_BITS {
                slot.tag() >> (TAG_BITS - 1 - bit) & 1 != 0
            } else {
                self.hash_of(slot).path(self.common.shard_bits) >> (u64::BITS - 1 - bit) & 1 != 0
            };
            let [low, high] = halves;
            self.adopt(if upper { high } else { low }, fingerprint, slot, home);
            let [in_low, in_high] = &mut counts;
            *(if upper { in_high } else { in_low }) += 1;
        }
        let [low, high] = halves;
        let [in_low, in_high] = counts;
        if place.splits_here() {
            let depth = place.entry.depth() + 1;
            place.level.put(place.first, depth, low, in_low);
            place.level.put(place.first + place.span() / 2, depth, high, in_high);
        } else {
            let halves = [(low, in_low), (high, in_high)];
            let node = self.common.arena.new_node(halves, self.pin);
            self.zeroed += NODE_BYTES as u64;
            self.figures.nodes += 1;
            place.level.put_node(place.first, node);
        }
        self.figures.splits += 1;
        self.retire_segment(place.entry);
    }

    /// Joins a segment and its buddy.
    fn merge(&mut self, place: &Place<'g>, first: usize, buddy: Entry<'g>, count: u64) {
        let joined = self.new_segment(self.shard.shape.lines);
        for segment in [Some(place.segment), Segment::of(buddy)].into_iter().flatten() {
            let alike = segment.lines() == self.shard.shape.lines;
            for (fingerprint, slot, home) in segment.records() {
                self.adopt(joined, fingerprint, slot, home.filter(|_| alike));
            }
        }
        let depth = place.entry.depth().saturating_sub(1);
        match place.parent {
            Some((above, index)) if depth == 0 => {
                // The node is one segment now: the entry above leads to that at once.
                let Some(node) = above.entry(index) else { return };
                above.put(index, NODE_BITS, joined, count);
                self.figures.nodes -= 1;
                // SAFETY: only the entry above led to the node, and leads elsewhere now; entries change under the latch.
                unsafe { self.common.arena.retire_table(node, self.pin) };
            }
            _ => place.level.put(place.first.min(first), depth, joined, count),
        }
        self.figures.merges += 1;
        self.retire_segment(place.entry);
        self.retire_segment(buddy);
    }

    /// Gives a segment another number of lines.
    fn resize(&mut self, place: &Place<'g>, lines: usize) {
        let entry = self.new_segment(lines);
        for (fingerprint, slot, _) in place.segment.records() {
            self.adopt(entry, fingerprint, slot, None);
        }
        place.level.put(place.first, place.entry.depth(), entry, place.count());
        self.figures.resizes += 1;
        self.retire_segment(place.entry);
    }

    /// Notes what the operation moved and zeroed, if that is more than any did before.
    fn note_work(&mut self) {
        self.figures.moved_most = self.figures.moved_most.max(self.moved);
        self.figures.zeroed_most = self.figures.zeroed_most.max(self.zeroed);
        (self.moved, self.zeroed) = (0, 0);
    }

    /// The records of the segment of a path, from that path on, and the path behind it.
    pub(super) fn gather(&self, path: u64, slots: &mut Vec<Slot<'g>>) -> Option<u64> {
        let place = self.place(path)?;
        let whole = place.first_path(path) == path;
        let asked = |slot: &Slot<'g>| whole || self.hash_of(*slot).path(self.common.shard_bits) >= path;
        slots.extend(place.segment.records().map(|(_, slot, _)| slot).filter(asked));
        place.next_path(path)
    }

    /// The place of a path, to be checked.
    pub(super) fn place_at(&self, path: u64) -> Option<Place<'g>> {
        self.place(path)
    }

    /// What the shard did and has.
    pub(super) fn figures(&self) -> Figures {
        *self.figures
    }
}
