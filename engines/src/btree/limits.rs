//! How full a node may and should be: by number of entries if an order is set, by bytes otherwise.
//!
//! # Invariants
//! Splitting and joining cannot alternate: a split leaves two nodes of about 50 %, a node is underfull below 40 %, two
//! nodes are merged only up to 80 %, and what is redistributed leaves two nodes of more than 40 %. So at least 10 % of
//! a node must be written between any two changes of its shape, except where single entries are that large.
//!
//! The byte limit is soft: a leaf may hold one record of any length, a branch three children with separators of any
//! length, and a node is split in two only, so that a half may keep a very long entry beside others. Such a node gets a block
//! as large as it needs. Order limits are exact, and an order's nodes are as large as their entries make them.

use super::items::Sizes;
use super::page::{ENTRIES_MOST, INLINE_BYTES_MOST};
use crate::memory::words::WORD_BYTES;
use std::ops::Range;

/// What a branch must be able to hold whatever the length of its separators, so that splitting it leaves two children each.
const FREE_CHILDREN: usize = 3;
/// Branches are smaller than leaves, so that the whole of one can be asked for at once when it is chosen: then a level costs
/// one cache miss. What is lost in fan-out is won in the width of a search.
const BRANCH_FRACTION: usize = 4;
const LEAST_WORDS: usize = 64;
/// Two neighbours share their entries instead of splitting one of them as long as both together are no fuller than this,
/// in percent: what random inserts cost in rearrangement against how full they leave the leaves.
const SHARED_PERCENT: usize = 85;
/// The same where a record gets longer. Inserts come to each leaf in turn, but records that grow and shrink leave leaves unevenly full
/// for ever.
const GROWING_PERCENT: usize = 88;

/// The limits of one tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    order: Option<usize>,
    node_words: usize,
}

impl Limits {
    /// From checked options.
    pub(super) const fn new(order: Option<usize>, node_bytes: usize) -> Self {
        Self { order, node_words: node_bytes / WORD_BYTES }
    }

    /// Whether the number of entries is what limits nodes.
    pub(super) const fn has_order(&self) -> bool {
        self.order.is_some()
    }

    /// Words of a node of this level whose size is limited.
    #[inline]
    pub(super) fn node_words(&self, level: usize) -> usize {
        if level == 0 { self.node_words } else { (self.node_words / BRANCH_FRACTION).max(LEAST_WORDS) }
    }

    /// The longest value kept in the page, bytes: a quarter of it.
    #[inline]
    pub(super) fn inline_value_bytes(&self) -> usize {
        (self.node_words * WORD_BYTES / 4).min(INLINE_BYTES_MOST)
    }

    /// The fewest entries of a node beside the root.
    pub(super) fn min_entries(&self, level: usize) -> usize {
        let floor = if level > 0 { 2 } else { 1 };
        self.order.map_or(floor, |order| (order * 2 / 5).max(floor))
    }

    /// Words to allocate for a node that needs so many.
    pub(super) fn capacity(&self, level: usize, needed: usize) -> usize {
        match self.order {
            // A quarter more, so that not every insert makes the node anew.
            Some(_) => needed + needed / 4 + 8,
            None => needed.max(self.node_words(level)),
        }
    }

    /// Whether a node may take one more entry, as far as their number goes.
    #[inline]
    pub(super) fn takes_entry(&self, count: usize) -> bool {
        count < self.order.unwrap_or(ENTRIES_MOST)
    }

    /// Whether a node may be so full.
    pub(super) fn fits(&self, level: usize, count: usize, words: usize) -> bool {
        let free = if level > 0 { FREE_CHILDREN } else { 1 };
        match self.order {
            Some(order) => count <= order,
            None => count <= free || (words <= self.node_words(level) && count <= ENTRIES_MOST),
        }
    }

    /// Whether a node that a write did not fit into should be written anew, instead of being given room: it should have some
    /// left then, so that the next write need not do the same.
    pub(super) fn fits_with_room(&self, level: usize, count: usize, words: usize) -> bool {
        self.fits(level, count, words + if self.order.is_some() { 0 } else { self.node_words(level) / 16 })
    }

    /// Whether a node beside the root is too empty.
    #[inline]
    pub(super) fn is_underfull(&self, level: usize, count: usize, words: usize) -> bool {
        count < self.min_entries(level) || (self.order.is_none() && words < self.node_words(level) * 2 / 5)
    }

    /// Whether two nodes with so much in all should become one.
    pub(super) fn merges(&self, level: usize, count: usize, words: usize) -> bool {
        let free = if level > 0 { FREE_CHILDREN } else { 1 };
        match self.order {
            Some(order) => count <= (order * 4 / 5).max(2 * self.min_entries(level) - 1),
            None => count <= free || words <= self.node_words(level) * 4 / 5,
        }
    }

    /// Whether two nodes with so much in all should share it rather than one of them be split.
    pub(super) fn shares(&self, level: usize, count: usize, words: usize, grows: bool) -> bool {
        let percent = if grows { GROWING_PERCENT } else { SHARED_PERCENT };
        match self.order {
            Some(order) => count * 100 <= order * 2 * percent,
            None => words * 100 <= self.node_words(level) * 2 * percent,
        }
    }

    /// Where to cut entries in two: evenly, by number if that is limited, by size otherwise.
    pub(super) fn cut(&self, level: usize, range: &Range<usize>, sizes: &Sizes, bias: Bias) -> usize {
        let count = range.len();
        let least = self.min_entries(level).min(count / 2).max(1);
        let most = count.saturating_sub(least).max(1);
        let cut = match bias {
            Bias::Back => most,
            Bias::Front => least,
            Bias::Even if self.order.is_some() => count / 2,
            Bias::Even => {
                let (first, last) = (sizes.before(range.start), sizes.before(range.end));
                let mut low = 0;
                let mut high = count;
                // The first entry that ends beyond the middle.
                while low < high {
                    let middle = low.midpoint(high);
                    if sizes.before(range.start + middle + 1) * 2 <= first + last {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                low
            }
        };
        range.start + cut.clamp(least, most)
    }
}

/// Where the next entries are expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bias {
    /// Anywhere.
    Even,
    /// At the end: what is before it stays full.
    Back,
    /// At the front.
    Front,
}
