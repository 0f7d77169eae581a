//! A leaf: entries in order, and a log of those that came later.
//!
//! Layout: word count · counts (16 bits entries, 16 bits log, 32 bits prefix length) · vacated · prefix · heads · log · entries. A head is
//! four bytes of an entry's key behind the prefix that all keys of the leaf had in common when it was built; heads order the
//! entries and never change. An entry is a word: 16 bits fingerprint of the key, the record's address, and flags.
//!
//! Invariants
//! - Appending is a compare-exchange of the first empty word of the log. Who appends has looked at everything before that word,
//!   so that no key is in two entries, and the log has no gaps.
//! - A full log, or one that ends in [`SEAL`], takes nothing any more. A [`FROZEN`] entry never changes again; entries are
//!   frozen only after the log was sealed, so a leaf whose entries are all frozen stays as it is for ever, and any thread
//!   can build its successors (A. Braginsky, E. Petrank, *A Lock-Free B+tree*, SPAA 2012).
//! - A [`VACANT`] entry stays so; its key, inserted again, gets a new entry in the log.
//!
//! Thread safety: lock-free; nobody waits. A leaf that was replaced still tells readers what was true when it was replaced, which
//! was after they began, and its records are those of its successor.

use super::reach::{Blocks, Fresh, bytes, store_bytes};
use super::record::Record;
use crate::memory::prefetch;
use crate::memory::slab::Slab;
use crate::memory::words::{Word, words_for};
use crate::sync::Ordering;
use crossbeam::epoch::Guard;
use std::ops::Bound;

/// Entries of a leaf when it is built, at most.
pub(super) const LEAF_MOST: usize = if cfg!(test) { 12 } else { 96 };
/// Entries that its log takes, at least.
const LOG_WORDS: usize = if cfg!(test) { 4 } else { 24 };
/// Entries of a leaf, at most: a log fills its block.
const HEADER_WORDS: usize = 3;

/// In an entry: it will not change any more.
pub(super) const FROZEN: u64 = 1;
/// In an entry: its record was taken out.
const VACANT: u64 = 2;
/// In the log: it ends here.
const SEAL: u64 = 4;
const ADDRESS: u64 = ((1 << 48) - 1) & !7;

/// The entry of a record.
#[inline]
pub(super) const fn entry(fingerprint: u64, address: u64) -> u64 {
    fingerprint | address
}

/// The address of an entry's record; 0 if it is vacant.
#[inline]
pub(super) const fn address(entry: u64) -> u64 {
    entry & ADDRESS
}

/// Sixteen bits of a hash of the key, in the place where an entry has them.
#[inline]
pub(super) fn fingerprint(key: &[u8]) -> u64 {
    let (chunks, rest) = key.as_chunks::<8>();
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        product ^ (product >> 32)
    };
    let hash = chunks.iter().fold(key.len() as u64, |hash, chunk| mix(hash, u64::from_le_bytes(*chunk)));
    let last = rest.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte));
    mix(hash, last).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48 << 48
}

/// The head of a key under a prefix: monotone in the key, whatever the prefix (see [`crate::head`]).
#[inline]
fn head(prefix: &[u8], key: &[u8]) -> u32 {
    match key.strip_prefix(prefix) {
        Some(rest) => match rest.first_chunk::<4>() {
            Some(bytes) => u32::from_be_bytes(*bytes),
            None => rest.iter().rev().fold(0, |head, byte| (head >> 8) | (u32::from(*byte) << 24)),
        },
        None if key < prefix => 0,
        None => u32::MAX,
    }
}

/// What a leaf knows of a key.
pub(super) enum Found<'g> {
    /// Its entry: the word, what it held, and the record.
    Entry(&'g Word, u64, Record<'g>),
    /// It has none; this is the empty word of the log in which it would be put.
    Absent(&'g Word),
    /// It has none, and the log takes nothing any more.
    Sealed,
}

/// See the head of this file.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'g> {
    prefix: &'g [u8],
    heads: &'g [[u8; 4]],
    log: &'g [Word],
    entries: &'g [Word],
    vacated: Option<&'g Word>,
}

impl<'g> Leaf<'g> {
    /// A look at the words of a leaf.
    #[inline]
    pub(super) fn of(words: &'g [Word]) -> Self {
        let (header, rest) = words.split_at(words.len().min(HEADER_WORDS));
        let counts = header.get(1).map_or(0, |word| word.load(Ordering::Relaxed));
        let (entries, log, prefix) =
            (counts as usize & 0xFFFF, (counts >> 16) as usize & 0xFFFF, (counts >> 32) as usize);
        let (prefix_words, rest) = rest.split_at(rest.len().min(words_for(prefix)));
        let (head_words, rest) = rest.split_at(rest.len().min(words_for(entries * 4)));
        let (log, rest) = rest.split_at(rest.len().min(log));
        Self {
            prefix: bytes(prefix_words, prefix),
            heads: bytes(head_words, entries * 4).as_chunks().0,
            log,
            entries: rest.get(..entries).unwrap_or_default(),
            vacated: header.get(2),
        }
    }

    /// A new leaf of these entries, which ascend by key.
    pub(super) fn build(blocks: &Blocks, stripe: usize, records: &[(u64, &[u8])]) -> Fresh {
        let prefix_len = match records {
            [(_, first), .., (_, last)] => first.iter().zip(*last).take_while(|(a, b)| a == b).count(),
            _ => 0,
        };
        let prefix = records.first().and_then(|(_, key)| key.get(..prefix_len)).unwrap_or_default();
        let (prefix_words, head_words) = (words_for(prefix_len), words_for(records.len() * 4));
        let least = HEADER_WORDS + prefix_words + head_words + records.len() + LOG_WORDS;
        // The log takes what the block has over.
        let words = Slab::capacity(least);
        let log = words - least + LOG_WORDS;
        let fresh = blocks.allocate(stripe, words);
        let counts = records.len() as u64 | ((log as u64) << 16) | ((prefix_len as u64) << 32);
        let (header, rest) = fresh.words().split_at(HEADER_WORDS);
        for (word, content) in header.iter().zip([words as u64, counts, 0]) {
            word.store(content, Ordering::Relaxed);
        }
        let (prefix_part, rest) = rest.split_at(prefix_words);
        store_bytes(prefix_part, prefix);
        let (head_part, rest) = rest.split_at(head_words);
        for (word, pair) in head_part.iter().zip(records.chunks(2)) {
            let mut both = [0; 8];
            for (half, (_, key)) in both.as_chunks_mut::<4>().0.iter_mut().zip(pair) {
                *half = head(prefix, key).to_le_bytes();
            }
            store_bytes(std::slice::from_ref(word), &both);
        }
        let (log_part, entry_part) = rest.split_at(log);
        log_part.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        for (word, (entry, _)) in entry_part.iter().zip(records) {
            word.store(*entry, Ordering::Relaxed);
        }
        fresh
    }

    /// Number of entries it was built with.
    pub(super) const fn built(&self) -> usize {
        self.entries.len()
    }

    /// Entries that were vacated, about.
    pub(super) fn vacated(&self) -> usize {
        self.vacated.map_or(0, |word| word.load(Ordering::Relaxed)) as usize
    }

    /// Asks for the lines of heads and log.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch::lines(self.log.as_ptr(), 3);
    }

    /// How many entries come before a key's place among those the leaf was built with; those of the key itself too if `behind`.
    #[inline]
    fn rank(&self, key: &[u8], behind: bool, guard: &Guard) -> usize {
        let head = head(self.prefix, key);
        let mut rank = self.heads.partition_point(|at| u32::from_le_bytes(*at) < head);
        // Entries of the same head: a vacant one has no key any more, and comes before whatever.
        let mut at = rank;
        while self.heads.get(at).is_some_and(|equal| u32::from_le_bytes(*equal) == head) {
            let Some(word) = self.entries.get(at) else { break };
            at += 1;
            let Some(record) = Record::at(address(word.load(Ordering::Acquire)), guard) else { continue };
            match record.key().cmp(key) {
                std::cmp::Ordering::Less => rank = at,
                std::cmp::Ordering::Equal if behind => rank = at,
                _ => break,
            }
        }
        rank
    }

    /// Looks a key up.
    #[inline]
    pub(super) fn find(&self, key: &[u8], fingerprint: u64, guard: &'g Guard) -> Found<'g> {
        self.prefetch();
        let head = head(self.prefix, key);
        let holds = |word: &Word| {
            let entry = word.load(Ordering::Acquire);
            if entry & !((1 << 48) - 1) != fingerprint {
                return Err(entry);
            }
            match Record::at(address(entry), guard) {
                Some(record) if record.key() == key => Ok((entry, record)),
                _ => Err(entry),
            }
        };
        let start = self.heads.partition_point(|at| u32::from_le_bytes(*at) < head);
        let equal = self
            .heads
            .get(start..)
            .unwrap_or_default()
            .iter()
            .zip(self.entries.get(start..).unwrap_or_default());
        for (_, word) in equal.take_while(|(at, _)| u32::from_le_bytes(**at) == head) {
            if let Ok((entry, record)) = holds(word) {
                return Found::Entry(word, entry, record);
            }
        }
        for word in self.log {
            match holds(word) {
                Ok((entry, record)) => return Found::Entry(word, entry, record),
                Err(0) => return Found::Absent(word),
                Err(entry) if entry & SEAL != 0 => return Found::Sealed,
                Err(_) => {}
            }
        }
        Found::Sealed
    }

    /// The entry that a key most likely has, so that its record can be asked for ahead; 0 if none.
    #[inline]
    pub(super) fn guess(&self, key: &[u8], fingerprint: u64) -> u64 {
        let head = head(self.prefix, key);
        let start = self.heads.partition_point(|at| u32::from_le_bytes(*at) < head);
        let first = self.entries.get(start).map_or(0, |word| word.load(Ordering::Relaxed));
        let matches = |entry: &u64| entry & !((1 << 48) - 1) == fingerprint;
        if matches(&first) {
            return address(first);
        }
        self.log
            .iter()
            .map(|word| word.load(Ordering::Relaxed))
            .take_while(|entry| *entry != 0)
            .find(matches)
            .map_or(0, address)
    }

    /// Puts an entry into the word that [`Found::Absent`] gave. `false` if somebody else has put one there.
    #[inline]
    pub(super) fn append(word: &Word, entry: u64) -> bool {
        word.compare_exchange(0, entry, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Exchanges what [`Found::Entry`] gave. `false` if it has changed or is frozen.
    #[inline]
    pub(super) fn exchange(word: &Word, from: u64, to: u64) -> bool {
        from & FROZEN == 0 && word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes an entry out. `false` if it has changed or is frozen.
    pub(super) fn vacate(&self, word: &Word, from: u64) -> bool {
        let vacated = Self::exchange(word, from, VACANT);
        if vacated && let Some(count) = self.vacated {
            count.fetch_add(1, Ordering::Relaxed);
        }
        vacated
    }

    /// Whether so many entries are vacant that it should be built anew.
    pub(super) fn is_wasteful(&self) -> bool {
        let vacated = self.vacated();
        vacated * 2 >= self.built() + 8 || (vacated >= self.built() && self.live() == 0)
    }

    /// Entries that are not vacant.
    pub(super) fn live(&self) -> usize {
        self.entries.iter().chain(self.log).filter(|word| address(word.load(Ordering::Relaxed)) != 0).count()
    }

    /// Makes it take no further entries, and then lets none change. Lock-free, by as many threads as like.
    pub(super) fn freeze(&self) {
        for word in self.log {
            let mut entry = word.load(Ordering::Acquire);
            if entry == 0 {
                match word.compare_exchange(0, SEAL, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(other) => entry = other,
                }
            }
            if entry & SEAL != 0 {
                break;
            }
        }
        for word in self.log.iter().chain(self.entries) {
            let entry = word.load(Ordering::Relaxed);
            if address(entry) != 0 && entry & FROZEN == 0 {
                word.fetch_or(FROZEN, Ordering::AcqRel);
            }
        }
    }

    /// The first `most` entries between two bounds in the order of their keys, vacant ones left away. Returns how many of the leaf's
    /// entries are in the log, which makes this slow.
    pub(super) fn ordered(
        &self,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        most: usize,
        guard: &'g Guard,
        out: &mut Vec<u64>,
    ) -> usize {
        // The log first: what goes from the entries to the log meanwhile is new.
        let (mut late, logged) = self.logged(guard);
        let start = match lower {
            Bound::Included(key) => self.rank(key, false, guard),
            Bound::Excluded(key) => self.rank(key, true, guard),
            Bound::Unbounded => 0,
        };
        let end = match upper {
            Bound::Included(key) => self.rank(key, true, guard),
            Bound::Excluded(key) => self.rank(key, false, guard),
            Bound::Unbounded => self.entries.len(),
        };
        late.retain(|(key, _)| match lower {
            Bound::Included(low) => *key >= low,
            Bound::Excluded(low) => *key > low,
            Bound::Unbounded => true,
        });
        late.retain(|(key, _)| match upper {
            Bound::Included(high) => *key <= high,
            Bound::Excluded(high) => *key < high,
            Bound::Unbounded => true,
        });
        late.sort_unstable();
        let room = out.len() + most;
        let push_built = |from: usize, to: usize, out: &mut Vec<u64>| {
            let words = self.entries.get(from..to).unwrap_or_default().iter();
            let left = room.saturating_sub(out.len());
            let held = words.map(|word| word.load(Ordering::Acquire) & !FROZEN);
            out.extend(held.filter(|entry| address(*entry) != 0).take(left));
        };
        let mut at = start;
        for (key, entry) in late {
            let place = self.rank(key, false, guard).clamp(at, end.max(at));
            push_built(at, place, out);
            if out.len() >= room {
                return logged;
            }
            out.push(entry);
            at = place;
        }
        push_built(at, end, out);
        logged
    }

    /// The entries in the log with their keys, in no order, and how many words of it are used.
    fn logged(&self, guard: &'g Guard) -> (Vec<(&'g [u8], u64)>, usize) {
        let words = || {
            let entries = self.log.iter().map(|word| word.load(Ordering::Acquire));
            entries.take_while(|entry| *entry & SEAL == 0 && *entry != 0)
        };
        let used = words().inspect(|entry| Record::prefetch(address(*entry))).count();
        let keyed = words().take(used).filter_map(|entry| {
            let record = Record::at(address(entry), guard)?;
            Some((record.key(), entry & !FROZEN))
        });
        (if used == 0 { Vec::new() } else { keyed.collect() }, used)
    }

    /// Checks order and heads.
    pub(super) fn check(&self, guard: &Guard) -> Result<(), String> {
        let mut last = None;
        for (at, word) in self.heads.iter().zip(self.entries) {
            let at = u32::from_le_bytes(*at);
            if last.is_some_and(|last| last > at) {
                return Err("heads out of order".to_owned());
            }
            last = Some(at);
            let Some(record) = Record::at(address(word.load(Ordering::Acquire)), guard) else { continue };
            if head(self.prefix, record.key()) != at {
                return Err(format!("{:?} has a head that is not its own", record.key()));
            }
        }
        Ok(())
    }
}
