//! Where addresses become references: lines, segments, nodes and records in the blocks of a slab.
//!
//! A *slot* is a word with the address of a record in bits 3 to 47, how far the line is from where a search for the key
//! begins in bits 0 to 2, and a tag of the hash in bits 48 to 63. An *entry* is a word with the address of a
//! segment, the lines of it from bit 48 on and its depth in bits 0 to 2, or with the address of a node and no lines.
//!
//! Invariants
//! - Slots and entries with an address are made here only, from blocks that were filled before; who stores one
//!   releases that, and who loads one acquires it.
//! - The word of a slot lies in a segment, that of an entry in a node or a shard, and a reference to either was got under
//!   a pin, whose lifetime it has; so has what its word leads to.
//! - What is retired was taken out of every word that a thread which pins itself later can reach. Segments and nodes that
//!   were taken out are not changed any more; the records that they lead to may be.
//! - A record of more words than a page serves keeps its length, so that its header tells where it came from.
//!
//! Thread safety: all words are atomics. Any number of threads may read; who stores holds the latch of the shard.
#![expect(unsafe_code, reason = "addresses in words become references bound to a pin")]

use super::control::SLOTS;
use crate::memory::SMALL_WORDS_MOST;
use crate::memory::prefetch;
use crate::memory::record::{Alike, Pass, Record, Replaced, record_words};
use crate::memory::slab::{Block, Slab, UNMOVED};
use crate::memory::words::{WORD_BYTES, Word};
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::array;
use std::marker::PhantomData;
use std::sync::Arc;

const ADDRESS: u64 = (1 << 48) - 8;
const LOW: u64 = 7;
const HIGH_SHIFT: u32 = 48;
/// Words of a line.
const LINE_WORDS: usize = SLOTS + 1;
/// Bytes of a line.
pub(super) const LINE_BYTES: usize = LINE_WORDS * WORD_BYTES;
/// Lines of the largest segment that an entry can tell, which leaves bit 63 clear.
pub(super) const LINES_MOST: usize = (1 << 15) - 1;
/// Bits of the path that a node consumes.
pub(super) const NODE_BITS: u32 = 6;
/// Entries of a node.
pub(super) const FAN_OUT: usize = 1 << NODE_BITS;
const NODE_WORDS: usize = 2 * FAN_OUT;
/// Bytes of a node.
pub(super) const NODE_BYTES: usize = NODE_WORDS * WORD_BYTES;
/// The distance that says no more than that it is not less.
pub(super) const FAR: usize = LOW as usize;

/// What leads to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot<'g> {
    word: u64,
    pin: PhantomData<&'g Guard>,
}

/// The word of a slot.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct SlotWord(Word);

/// Control word and slots: as much as a cache line.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Line {
    pub(super) control: Word,
    pub(super) slots: [SlotWord; SLOTS],
}

/// What leads to a segment or a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry<'g> {
    word: u64,
    pin: PhantomData<&'g Guard>,
}

/// The word of an entry; always leads somewhere once it is filled.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct EntryWord(Word);

/// The first node of a shard. Only a pinned thread gets at it, so that nothing which it leads to outlives the pin.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Root(Node);

/// A node of the directory: entries, and for each segment, beside the first entry that leads to it, how many records it has.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node {
    pub(super) entries: [EntryWord; FAN_OUT],
    pub(super) counts: [Word; FAN_OUT],
}

const _: () = assert!(size_of::<Line>() == LINE_BYTES && align_of::<Line>() == align_of::<Word>());
const _: () = assert!(size_of::<Node>() == NODE_BYTES && align_of::<Node>() == align_of::<Word>());

/// Where an entry leads.
pub(super) enum Target<'g> {
    Segment(&'g [Line]),
    Node(&'g Node),
}

/// The slab. Segments and nodes lie in pages of their own in it, because they cannot be moved out of a sparse one.
#[derive(Debug)]
pub(super) struct Arena {
    slab: Arc<Slab>,
}

impl SlotWord {
    /// The slot; `None` if it leads nowhere.
    #[inline]
    pub(super) fn load(&self) -> Option<Slot<'_>> {
        let word = self.0.load(Ordering::Acquire);
        (word & ADDRESS != 0).then_some(Slot { word, pin: PhantomData })
    }

    /// Makes it lead to a record, or nowhere.
    #[inline]
    pub(super) fn store(&self, slot: Option<Slot<'_>>) {
        self.0.store(slot.map_or(0, |slot| slot.word), Ordering::Release);
    }
}

impl<'g> Slot<'g> {
    /// 16 bits of the hash.
    #[inline]
    pub(super) const fn tag(self) -> u16 {
        (self.word >> HIGH_SHIFT) as u16
    }

    /// Lines from where a search begins to where it lies; [`FAR`] for that many and more.
    #[inline]
    pub(super) const fn distance(self) -> usize {
        (self.word & LOW) as usize
    }

    /// The same record, so many lines from where a search begins.
    #[inline]
    pub(super) const fn at_distance(self, lines: usize) -> Self {
        let lines = if lines < FAR { lines } else { FAR };
        Self { word: self.word & !LOW | lines as u64, pin: PhantomData }
    }

    /// The address of the record.
    #[inline]
    pub(super) const fn address(self) -> u64 {
        self.word & ADDRESS
    }

    /// Asks for the first lines of the record.
    #[inline]
    pub(super) fn prefetch(self) {
        prefetch::lines(self.address() as *const u8, 3);
    }

    #[inline]
    fn block(self) -> Option<Block> {
        Block::at(self.address())
    }

    /// `count` words of the record's block.
    ///
    /// # Safety
    /// The block has that many.
    #[inline]
    unsafe fn words(self, count: usize) -> &'g [Word] {
        // SAFETY: the block was filled with a record before it got into a slot, and was reachable through it when the
        // thread had pinned itself, which it is for 'g. The caller vouches for the count.
        self.block().map_or(&[], |block| unsafe { block.words(count) })
    }

    /// The record as long as it is at this moment.
    #[inline]
    pub(super) fn record(self) -> Record<'g> {
        // SAFETY: a block has a first word, which is the record's header, and at every moment the header tells no more
        // words than the block has.
        unsafe {
            let header = self.words(1).first().map_or(0, |word| word.load(Ordering::Acquire));
            Record::of(self.words(Record::words_of(header)))
        }
    }

    /// Appends the value that it had at some moment between call and return.
    #[inline(never)]
    pub(super) fn append_value(self, out: &mut Vec<u8>) {
        // Only a value that grew meanwhile asks for another look.
        while !self.record().append_value(out) {}
    }

    /// Appends the value if it is the record of `key`; whether it is.
    #[inline]
    pub(super) fn read(self, key: &[u8], out: &mut Vec<u8>) -> bool {
        // SAFETY: as in `record`.
        let (header, words) = unsafe {
            let header = self.words(1).first().map_or(0, |word| word.load(Ordering::Acquire));
            (header, self.words(Record::words_of(header)))
        };
        match Record::of(words).read(header, key, out) {
            Pass::OtherKey => false,
            Pass::Whole => true,
            Pass::Torn => {
                self.append_value(out);
                true
            }
        }
    }

    /// Replaces the value in place if it is the record of `key`: [`Record::replace_alike`].
    #[inline(always)]
    pub(super) fn replace_alike(
        self,
        key: &[u8],
        value: &[u8],
        allowed: impl FnOnce(usize) -> bool,
    ) -> Option<Alike> {
        // SAFETY: as in `record`.
        let (header, words) = unsafe {
            let header = self.words(1).first().map_or(0, |word| word.load(Ordering::Acquire));
            (header, self.words(Record::words_of(header)))
        };
        Record::of(words).replace_alike(header, key, value, allowed)
    }

    /// Replaces the value in place: [`Record::replace_if`].
    #[inline]
    pub(super) fn replace_if(self, value: &[u8], allowed: impl FnOnce(usize) -> bool) -> Replaced {
        let record = self.record();
        let (used, needed) = (record.used_words(), record.words_with(value.len()));
        let words = if used == needed {
            used
        } else if used.max(needed) > SMALL_WORDS_MOST {
            return if record.is_dead() { Replaced::Dead } else { Replaced::NoRoom };
        } else {
            // SAFETY: the block is reachable and the thread pinned; it is not large, as large records keep their length.
            self.block().map_or(used, |block| unsafe { Slab::capacity_of(block, used) })
        };
        // SAFETY: so many words the header told, or the slab.
        Record::of(unsafe { self.words(words) }).replace_if(value, allowed)
    }
}

impl Root {
    /// A root whose entries all lead to one segment.
    pub(super) fn new(entry: Entry<'_>) -> Self {
        Self(Node {
            entries: array::from_fn(|_| EntryWord(Word::new(entry.word))),
            counts: array::from_fn(|_| Word::new(0)),
        })
    }

    /// Asks for what a search on `path` looks at next, where `home` tells the line in a segment of so many lines. Needs no
    /// pin, because it follows nothing.
    #[inline]
    pub(super) fn prefetch(&self, path: u64, home: impl FnOnce(usize) -> usize) {
        let index = (path >> (u64::BITS - NODE_BITS)) as usize;
        let Some(entry) = self.0.entries.get(index) else { return };
        let word = entry.0.load(Ordering::Relaxed);
        let (address, lines) = ((word & ADDRESS) as *const u8, (word >> HIGH_SHIFT) as usize);
        if lines == 0 {
            let index = (path << NODE_BITS >> (u64::BITS - NODE_BITS)) as usize;
            prefetch::line(address.wrapping_add(index * WORD_BYTES));
        } else {
            prefetch::line(address.wrapping_add(home(lines) * LINE_BYTES));
        }
    }

    /// Its node.
    #[inline]
    pub(super) fn node<'g>(&'g self, _pin: &'g Guard) -> &'g Node {
        &self.0
    }
}

impl EntryWord {
    /// The entry.
    #[inline]
    pub(super) fn load(&self) -> Entry<'_> {
        Entry { word: self.0.load(Ordering::Acquire), pin: PhantomData }
    }

    /// Makes it lead elsewhere.
    #[inline]
    pub(super) fn store(&self, entry: Entry<'_>) {
        self.0.store(entry.word, Ordering::Release);
    }
}

impl<'g> Entry<'g> {
    /// Bits of the path, of those that its node consumes, which the keys of the segment share.
    #[inline]
    pub(super) const fn depth(self) -> u32 {
        (self.word & LOW) as u32
    }

    /// The same segment at another depth.
    pub(super) const fn at_depth(self, depth: u32) -> Self {
        Self { word: self.word & !LOW | (depth as u64 & LOW), pin: PhantomData }
    }

    /// Where it leads.
    #[inline]
    pub(super) fn target(self) -> Target<'g> {
        let (address, lines) = (self.word & ADDRESS, (self.word >> HIGH_SHIFT) as usize);
        let Some(block) = Block::at(address) else { return Target::Segment(&[]) };
        if lines == 0 {
            // SAFETY: an entry without lines leads to a node that was filled before, reachable when the thread had pinned
            // itself; a node is as large as the block that was allocated for it and is made of atomic words.
            return Target::Node(unsafe { &*block.as_ptr().cast() });
        }
        // SAFETY: as above; a line is made of eight atomic words, and the block has so many times eight.
        Target::Segment(unsafe { std::slice::from_raw_parts(block.as_ptr().cast(), lines) })
    }
}

impl Arena {
    /// A slab without memory.
    pub(super) fn new() -> Self {
        Self { slab: Slab::new() }
    }

    /// Bytes of the pages and blocks that are in use.
    pub(super) fn held_bytes(&self) -> u64 {
        self.slab.held_bytes()
    }

    /// Whether pages of records should be evacuated.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        self.slab.is_sparse()
    }

    /// Lets pages of records that were not emptied be chosen again.
    pub(super) fn retry_stuck_pages(&self) {
        self.slab.retry_stuck_pages();
    }

    /// Whether a smaller block would do for a record.
    pub(super) fn is_loose(slot: Slot<'_>) -> bool {
        let used = slot.record().used_words();
        // SAFETY: the block is reachable and the thread pinned; large records keep their length.
        let capacity = slot.block().map_or(used, |block| unsafe { Slab::capacity_of(block, used) });
        capacity > Slab::capacity(used)
    }

    /// Lines of the block that serves for so many.
    pub(super) fn lines_served(lines: usize) -> usize {
        Slab::capacity(lines * LINE_WORDS) / LINE_WORDS
    }

    /// A segment whose lines are empty, at most [`LINES_MOST`]. Reached by nobody yet.
    pub(super) fn new_segment<'g>(&self, lines: usize, _pin: &'g Guard) -> Entry<'g> {
        let lines = lines.clamp(1, LINES_MOST);
        let block = self.slab.allocate(UNMOVED, lines * LINE_WORDS);
        // SAFETY: the block is ours alone and has so many words, each of which is written before it can be read.
        unsafe { block.words(lines * LINE_WORDS) }.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        Entry { word: block.address() | (lines as u64) << HIGH_SHIFT, pin: PhantomData }
    }

    /// A node whose lower half of entries leads to one segment of depth 1 and the upper half to another.
    pub(super) fn new_node<'g>(&self, halves: [(Entry<'g>, u64); 2], _pin: &'g Guard) -> Entry<'g> {
        let block = self.slab.allocate(UNMOVED, NODE_WORDS);
        // SAFETY: the block is ours alone, has the words of a node, and each is written before it can be read.
        let words = unsafe { block.words(NODE_WORDS) };
        let (entries, counts) = words.split_at(FAN_OUT);
        for (half, (entry, count)) in halves.into_iter().enumerate() {
            let start = half * FAN_OUT / 2;
            entries.iter().skip(start).for_each(|word| word.store(entry.at_depth(1).word, Ordering::Relaxed));
            counts.iter().skip(start).for_each(|word| word.store(0, Ordering::Relaxed));
            counts.iter().skip(start).take(1).for_each(|word| word.store(count, Ordering::Relaxed));
        }
        Entry { word: block.address(), pin: PhantomData }
    }

    /// Gives a segment or a node back when nobody can look at it any more.
    ///
    /// # Safety
    /// No word leads to it any more but words in segments and nodes that were retired too; nobody else retires it.
    pub(super) unsafe fn retire_table(&self, entry: Entry<'_>, pin: &Guard) {
        let words = match (entry.word >> HIGH_SHIFT) as usize {
            0 => NODE_WORDS,
            lines => lines * LINE_WORDS,
        };
        if let Some(block) = Block::at(entry.word & ADDRESS) {
            // SAFETY: it was allocated here with so many words; the rest is the caller's promise.
            unsafe { self.slab.retire(pin, UNMOVED, block, words) };
        }
    }

    /// A new record that nobody can reach yet.
    #[inline]
    pub(super) fn new_record<'g>(
        &self,
        stripe: usize,
        tag: u16,
        key: &[u8],
        value: &[u8],
        _pin: &'g Guard,
    ) -> Slot<'g> {
        let words = record_words(key.len(), value.len());
        let block = self.slab.allocate(stripe, words);
        // SAFETY: the block is ours alone and has so many words, each of which is written before it can be read.
        Record::create(unsafe { block.words(words) }, key, value);
        Slot { word: block.address() | u64::from(tag) << HIGH_SHIFT, pin: PhantomData }
    }

    /// Gives the block of a record back when nobody can look at it any more.
    ///
    /// # Safety
    /// The record is dead, and no slot leads to it any more but slots of segments that were retired; nobody else
    /// retires it.
    #[inline]
    pub(super) unsafe fn retire_record(&self, stripe: usize, slot: Slot<'_>, pin: &Guard) {
        let words = slot.record().used_words();
        if let Some(block) = slot.block() {
            // SAFETY: it was allocated here, as small or large as it is now; the rest is the caller's promise.
            unsafe { self.slab.retire(pin, stripe, block, words) };
        }
    }

    /// Chooses a sparse page of records and tells address and key of those in it. Some may not be in the table any more.
    /// Returns whether there was such a page.
    pub(super) fn visit_sparse_page(&self, pin: &Guard, mut visit: impl FnMut(u64, &[u8])) -> bool {
        let (mut blocks, mut key) = (Vec::new(), Vec::new());
        if !self.slab.sparse_page(pin, &mut blocks) {
            return false;
        }
        for block in blocks {
            // SAFETY: blocks that were listed under this pin may be looked at: the first word always, and the record if it
            // is live, because then it is not freed before the pin ends.
            let record = unsafe {
                let header = block.words(1).first().map_or(0, |word| word.load(Ordering::Acquire));
                Record::is_live(header).then(|| Record::of(block.words(Record::words_of(header))))
            };
            if let Some(record) = record {
                key.clear();
                record.append_key(&mut key);
                visit(block.address(), &key);
            }
        }
        true
    }

    /// Hands what was retired to the epoch.
    pub(super) fn flush_retired(&self, pin: &Guard) {
        self.slab.flush_retired(pin);
    }
}
