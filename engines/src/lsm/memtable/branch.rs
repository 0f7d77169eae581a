//! A branch: children and the separators between them.
//!
//! Layout: word count with [`BRANCH`] · counts (16 bits children, 32 bits prefix length) · prefix · heads · cells · separators (offset and length
//! in bytes) · their bytes. Child *i* has the keys from separator *i* up to separator *i + 1*; the first has no lower bound
//! here, the last no upper one. Heads are eight bytes behind the prefix of all separators.
//!
//! Invariants: all but the cells never changes. A cell leads to a child, or to the one that took its place; once it
//! is frozen it does not change any more. Other children need another branch: all cells are frozen, and a copy takes
//! the place of the branch in the same way, one floor up.
//!
//! Thread safety: lock-free; see `tree`.

use super::leaf::FROZEN;
use super::reach::{Blocks, Fresh, bytes, store_bytes};
use crate::memory::words::{Word, words_for};
use crate::sync::Ordering;

/// Children of a branch, at most.
pub(super) const BRANCH_MOST: usize = if cfg!(test) { 6 } else { 96 };
/// In the first word of a node: it is a branch.
pub(super) const BRANCH: u64 = 1 << 62;
const HEADER_WORDS: usize = 2;

/// A child and the separator before it.
pub(super) type Child<'a> = (&'a [u8], u64);

#[inline]
fn head(prefix: &[u8], key: &[u8]) -> u64 {
    match key.strip_prefix(prefix) {
        Some(rest) => match rest.first_chunk::<8>() {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => rest.iter().rev().fold(0, |head, byte| (head >> 8) | (u64::from(*byte) << 56)),
        },
        None if key < prefix => 0,
        None => u64::MAX,
    }
}

/// See the head of this file.
#[derive(Clone, Copy)]
pub(super) struct Branch<'g> {
    prefix: &'g [u8],
    /// Of the separators 1 and on.
    heads: &'g [[u8; 8]],
    cells: &'g [Word],
    places: &'g [[u8; 8]],
    separators: &'g [u8],
}

impl<'g> Branch<'g> {
    /// A look at the words of a branch.
    #[inline]
    pub(super) fn of(words: &'g [Word]) -> Self {
        let (header, rest) = words.split_at(words.len().min(HEADER_WORDS));
        let counts = header.get(1).map_or(0, |word| word.load(Ordering::Relaxed));
        let (children, prefix) = (counts as usize & 0xFFFF, (counts >> 32) as usize);
        let separators = children.saturating_sub(1);
        let (prefix_words, rest) = rest.split_at(rest.len().min(words_for(prefix)));
        let (head_words, rest) = rest.split_at(rest.len().min(separators));
        let (cells, rest) = rest.split_at(rest.len().min(children));
        let (place_words, rest) = rest.split_at(rest.len().min(separators));
        Self {
            prefix: bytes(prefix_words, prefix),
            heads: bytes(head_words, separators * 8).as_chunks().0,
            cells,
            places: bytes(place_words, separators * 8).as_chunks().0,
            separators: bytes(rest, rest.len() * 8),
        }
    }

    /// A new branch of these children; the separator of the first is not kept.
    pub(super) fn build(blocks: &Blocks, stripe: usize, children: &[Child<'_>]) -> Fresh {
        let separators = children.get(1..).unwrap_or_default();
        let prefix_len = match separators {
            [(first, _), .., (last, _)] => first.iter().zip(*last).take_while(|(a, b)| a == b).count(),
            _ => 0,
        };
        let prefix = separators.first().and_then(|(key, _)| key.get(..prefix_len)).unwrap_or_default();
        let byte_words: usize = separators.iter().map(|(key, _)| words_for(key.len())).sum();
        let words = HEADER_WORDS + words_for(prefix_len) + separators.len() * 2 + children.len() + byte_words;
        let fresh = blocks.allocate(stripe, words);
        let counts = children.len() as u64 | ((prefix_len as u64) << 32);
        let (header, rest) = fresh.words().split_at(HEADER_WORDS);
        for (word, content) in header.iter().zip([words as u64 | BRANCH, counts]) {
            word.store(content, Ordering::Relaxed);
        }
        let (prefix_part, rest) = rest.split_at(words_for(prefix_len));
        store_bytes(prefix_part, prefix);
        let (head_part, rest) = rest.split_at(separators.len());
        let (cell_part, rest) = rest.split_at(children.len());
        let (place_part, mut bytes_part) = rest.split_at(separators.len());
        for (word, (_, child)) in cell_part.iter().zip(children) {
            word.store(*child, Ordering::Relaxed);
        }
        let mut offset = 0_u64;
        for ((key, _), (head_word, place)) in separators.iter().zip(head_part.iter().zip(place_part)) {
            store_bytes(std::slice::from_ref(head_word), &head(prefix, key).to_le_bytes());
            let at = (offset << 32) | key.len() as u64;
            store_bytes(std::slice::from_ref(place), &at.to_le_bytes());
            let (own, rest) = bytes_part.split_at(words_for(key.len()));
            store_bytes(own, key);
            bytes_part = rest;
            offset += (own.len() * 8) as u64;
        }
        fresh
    }

    /// Number of children.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.cells.len()
    }

    /// The separator before a child; none before the first and behind the last.
    #[inline]
    pub(super) fn separator(&self, child: usize) -> Option<&'g [u8]> {
        let place = u64::from_le_bytes(*self.places.get(child.checked_sub(1)?)?);
        let (offset, len) = ((place >> 32) as usize, place as u32 as usize);
        self.separators.get(offset..)?.get(..len)
    }

    /// The child that has a key.
    #[inline]
    pub(super) fn search(&self, key: &[u8]) -> usize {
        self.search_by(key, |separator| separator <= key)
    }

    /// The child that has the greatest keys below a key.
    pub(super) fn search_below(&self, key: &[u8]) -> usize {
        self.search_by(key, |separator| separator < key)
    }

    #[inline]
    fn search_by(&self, key: &[u8], reached: impl Fn(&[u8]) -> bool) -> usize {
        let head = head(self.prefix, key);
        let mut child = self.heads.partition_point(|at| u64::from_le_bytes(*at) < head);
        while self.heads.get(child).is_some_and(|at| u64::from_le_bytes(*at) == head)
            && self.separator(child + 1).is_some_and(&reached)
        {
            child += 1;
        }
        child
    }

    /// The cell of a child.
    #[inline]
    pub(super) fn cell(&self, child: usize) -> Option<&'g Word> {
        self.cells.get(child)
    }

    /// The address of a child.
    #[inline]
    pub(super) fn child(&self, child: usize) -> u64 {
        self.cells.get(child).map_or(0, |word| word.load(Ordering::Acquire)) & !FROZEN
    }

    /// Lets no cell change any more. Lock-free, by as many threads as like.
    pub(super) fn freeze(&self) {
        for cell in self.cells {
            cell.fetch_or(FROZEN, Ordering::AcqRel);
        }
    }

    /// Its children with the separators before them.
    pub(super) fn children(&self) -> impl Iterator<Item = Child<'g>> {
        let branch = *self;
        (0..self.len()).map(move |child| (branch.separator(child).unwrap_or_default(), branch.child(child)))
    }
}
