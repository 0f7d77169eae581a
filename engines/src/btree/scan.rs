//! Scans: the records of a range copied out of one leaf after the other, and visited when nothing is held.
//!
//! A scan proceeds in chunks: pinned, it copies records and follows the links from leaf to leaf; unpinned, it shows them
//! to the visitor; the next chunk starts with a new descent behind the last key. The first chunk is as large as a limit says, and
//! small without one, so that a short scan copies little more than it visits.
//!
//! # Thread safety / Invariants
//! A leaf's version is taken, then it is made sure that the leaf before still has its version and its link: so the two were
//! neighbours at that moment, and no key lies between them. Otherwise the scan comes down again behind the last key it copied. A
//! record is copied under its leaf's version: each is seen as it was at some time during the scan, in order and at most
//! once.

use super::BTree;
use super::buffer::Buffer;
use super::link::Node;
use super::page::Page;
use super::read::Visit;
use crate::engine::{ScanRange, Visitor};
use crate::memory::prefetch;
use crate::memory::words::{WORD_BYTES, Word};
use crate::sync::Wait;
use crossbeam::epoch::{self, Guard};
use std::ops::{Bound, ControlFlow};

/// Records of the first chunk of a scan without a limit; then they double.
const FIRST_RECORDS: usize = 32;
const MOST_RECORDS: usize = 1024;
/// A chunk is full when it holds this many bytes, whatever the number of records.
const MOST_BYTES: usize = 256 << 10;
/// Records ahead of the one copied whose lines are asked for.
const AHEAD: usize = 6;
/// Lines at the front of a leaf that hold all but the records.
const FRONT_LINES: usize = 8;
/// Records of the next leaf that make it worth while to ask for all of it.
const WHOLE_RECORDS: usize = 12;
/// Lines of the next leaf asked for with each record.
const LINES_PER_RECORD: usize = 3;
const LINE_WORDS: usize = prefetch::LINE_BYTES / WORD_BYTES;

impl BTree {
    /// See [`crate::engine::Session::scan`].
    pub(super) fn scan_range(&self, range: &ScanRange<'_>, buffer: &mut Buffer, visit: Visitor<'_>) -> u64 {
        let mut visited = 0;
        let mut left = range.limit;
        let mut records = if left == usize::MAX { FIRST_RECORDS } else { left.min(MOST_RECORDS / 4) };
        let mut last: Option<Vec<u8>> = None;
        if range.is_empty() {
            return 0;
        }
        loop {
            buffer.clear();
            let more = {
                let guard = epoch::pin();
                let mut chunk = Chunk {
                    tree: self,
                    guard: &guard,
                    range,
                    buffer,
                    records: records.min(left),
                    behind: last.as_deref(),
                };
                chunk.fill()
            };
            for (key, value) in buffer.iter() {
                visited += 1;
                if visit(key, value) == ControlFlow::Break(()) {
                    return visited;
                }
            }
            left -= buffer.len().min(left);
            let Some(key) = buffer.last_key() else { return visited };
            if !more || left == 0 {
                return visited;
            }
            let mut cursor = last.unwrap_or_default();
            cursor.clear();
            cursor.extend_from_slice(key);
            last = Some(cursor);
            records = (records * 2).min(MOST_RECORDS);
        }
    }
}

struct Chunk<'a, 'g> {
    tree: &'a BTree,
    guard: &'g Guard,
    range: &'a ScanRange<'a>,
    buffer: &'a mut Buffer,
    records: usize,
    /// The key that was visited last.
    behind: Option<&'a [u8]>,
}

/// What a leaf had to give.
enum Step<'g> {
    /// Go on with the neighbour.
    Next(Node<'g>),
    /// The range or the tree ends here.
    End,
    /// The chunk is full.
    Full,
}

impl<'g> Chunk<'_, 'g> {
    /// Fills the buffer; whether there may be more.
    fn fill(&mut self) -> bool {
        let wait = Wait::new();
        loop {
            if let Some(more) = self.walk() {
                return more;
            }
            wait.once();
        }
    }

    fn is_full(&self) -> bool {
        self.buffer.len() >= self.records || self.buffer.used() >= MOST_BYTES
    }

    /// Copies from leaf to leaf until one has changed: `None`, and what was copied is right.
    fn walk(&mut self) -> Option<bool> {
        // The bound at which the walk begins: behind what was copied, or what was visited, or of the range.
        let copied = self.buffer.last_key().map(<[u8]>::to_vec);
        let start = match copied.as_deref().or(self.behind) {
            Some(key) => Bound::Excluded(key),
            None if self.range.reverse => self.range.upper(),
            None => self.range.lower(),
        };
        let reverse = self.range.reverse;
        let mut leaf = match start {
            Bound::Included(key) | Bound::Excluded(key) => self.tree.leaf_of(self.guard, key),
            Bound::Unbounded if reverse => self.tree.leaf_by(self.guard, |page| page.len().saturating_sub(1)),
            Bound::Unbounded => self.tree.leaf_by(self.guard, |_| 0),
        };
        let mut start = Some(start);
        loop {
            let page = leaf.node.page();
            let len = self.buffer.len();
            let step = self.leaf(&leaf, &page, start.take());
            if step.is_none() || !leaf.holds() {
                self.buffer.truncate(len);
                return None;
            }
            match step? {
                Step::Next(node) => leaf = leaf.go_to_neighbour(node, !reverse)?,
                Step::End => return Some(false),
                Step::Full => return Some(true),
            }
        }
    }

    /// Copies what the range needs of a leaf. `None` if it is torn.
    #[inline]
    fn leaf(&mut self, leaf: &Visit<'g>, page: &Page<'g>, start: Option<Bound<&[u8]>>) -> Option<Step<'g>> {
        let (mut from, mut to) = (0, page.len());
        let mut ends = false;
        // Where the range ends is only looked for in the leaf in which it may end.
        if self.range.reverse {
            to = start.map_or(to, |bound| above(page, &bound).min(to));
            if let bound @ (Bound::Included(_) | Bound::Excluded(_)) = self.range.lower() {
                from = below(page, &bound);
                ends = from > 0;
            }
        } else {
            from = start.map_or(0, |bound| below(page, &bound));
            if let bound @ (Bound::Included(_) | Bound::Excluded(_)) = self.range.upper() {
                let end = above(page, &bound);
                ends = end < to;
                to = end.min(to);
            }
        }
        let neighbour = if self.range.reverse { leaf.node.previous() } else { leaf.node.next() };
        let count = to.saturating_sub(from);
        let left = self.records - self.buffer.len().min(self.records);
        let mut coming: &[Word] = &[];
        if count < left
            && !ends
            && let Some(next) = neighbour
        {
            next.prefetch(FRONT_LINES);
            // Most of its records will be wanted too: their lines are asked for by and by.
            if left - count >= WHOLE_RECORDS {
                coming = next.words().get(FRONT_LINES * LINE_WORDS..).unwrap_or_default();
            }
        }
        let with_value = !self.range.keys_only;
        let fitting = count.min(left);
        for step in 0..fitting {
            if self.buffer.used() >= MOST_BYTES {
                return Some(Step::Full);
            }
            let index = if self.range.reverse { to - 1 - step } else { from + step };
            let ahead = if self.range.reverse { index.saturating_sub(AHEAD) } else { index + AHEAD };
            if step + AHEAD < fitting {
                prefetch::lines(page.record_pointer(ahead), 2);
            }
            let (now, later) = coming.split_at(coming.len().min(LINES_PER_RECORD * LINE_WORDS));
            prefetch::lines(now.as_ptr(), now.len() / LINE_WORDS);
            coming = later;
            self.buffer.push(leaf.node, leaf.version, page, index, with_value)?;
        }
        Some(match neighbour {
            _ if fitting < count => Step::Full,
            _ if ends => Step::End,
            Some(_) if self.is_full() => Step::Full,
            Some(next) => Step::Next(next),
            None => Step::End,
        })
    }
}

/// The first entry that a lower bound lets in.
#[inline]
fn below(page: &Page<'_>, lower: &Bound<&[u8]>) -> usize {
    match lower {
        Bound::Included(key) => page.locate(key).unwrap_or_else(|index| index),
        Bound::Excluded(key) => page.locate(key).map_or_else(|index| index, |index| index + 1),
        Bound::Unbounded => 0,
    }
}

/// The entry behind the last one that an upper bound lets in.
#[inline]
fn above(page: &Page<'_>, upper: &Bound<&[u8]>) -> usize {
    match upper {
        Bound::Included(key) => page.locate(key).map_or_else(|index| index, |index| index + 1),
        Bound::Excluded(key) => page.locate(key).unwrap_or_else(|index| index),
        Bound::Unbounded => page.len(),
    }
}
