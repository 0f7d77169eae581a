//! Scans: the next records of a range are collected by expanding subtrees side by side, so that their misses overlap.
//!
//! A walk from node to successor would wait for one miss after the other. Here the tree is unfolded from the top: a
//! list holds, in scan order, nodes that were met and subtrees that were not yet; a round replaces subtrees by their left
//! part, node and right part, having asked for all lines before. From each subtree's depth its size is guessed, and
//! a round unfolds no more subtrees than are likely to be needed, so that it goes down a single path at first and broadens
//! where the records of the scan lie. A scan of n records takes about the tree's height of rounds, whatever n.
//!
//! Thread safety: what is collected is checked against the structure's version; then it stands, and keys and values
//! are copied without any check, since records stay while the scanner is pinned.

use super::arena::View;
use super::node::{Link, NIL, Node, ROOT, Side};
use super::records::Records;
use super::tree::{Tree, compare};
use crate::chunk::Chunk;
use crate::engine::ScanRange;
use crate::memory::prefetch;
use crossbeam::epoch::{self, Guard};
use std::cmp::Ordering;
use std::ops::Bound;

/// Records collected at once, at least and at most.
const FEWEST: usize = 32;
const MOST: usize = 256;
/// Rounds after which a collection that was misled is given up: more than the height of the highest tree.
const MOST_ROUNDS: usize = 128;
/// Records whose lines are asked for ahead of the one that is copied.
const AHEAD: usize = 8;

/// A part of the list.
#[derive(Clone, Copy)]
enum Part<'g> {
    /// A node that is inside the range as far as is known.
    Met(&'g Node),
    /// A subtree at a depth; whether it may reach beyond the near end of the range.
    Below { link: Link, depth: u32, bounded: bool },
}

/// One end of a range, with the head of its key.
#[derive(Clone, Copy)]
struct End<'k> {
    key: Option<&'k [u8]>,
    head: u64,
    included: bool,
}

impl<'k> End<'k> {
    fn new(bound: Bound<&'k [u8]>, view: &View<'_>) -> Self {
        let (key, included) = match bound {
            Bound::Unbounded => (None, true),
            Bound::Included(key) => (Some(key), true),
            Bound::Excluded(key) => (Some(key), false),
        };
        Self { key, included, head: key.map_or(0, |key| view.heads().head(key)) }
    }
}

/// Which way a scan goes, from where to where.
struct Course<'k> {
    /// The side on which the next records lie.
    onward: Side,
    near: End<'k>,
    far: End<'k>,
}

impl<'k> Course<'k> {
    fn new(range: &'k ScanRange<'_>, view: &View<'_>) -> Self {
        let (lower, upper) = (End::new(range.lower(), view), End::new(range.upper(), view));
        if range.reverse {
            Self { onward: Side::Left, near: upper, far: lower }
        } else {
            Self { onward: Side::Right, near: lower, far: upper }
        }
    }

    /// Whether the node lies before the near end.
    fn before(&self, node: &Node, guard: &Guard) -> bool {
        let Some(key) = self.near.key else { return false };
        let order = compare(self.near.head, key, node, guard);
        let outside = if self.onward == Side::Right { Ordering::Greater } else { Ordering::Less };
        order == outside || (order == Ordering::Equal && !self.near.included)
    }

    /// Whether the node lies behind the far end, as far as its head tells.
    fn behind(&self, node: &Node) -> bool {
        self.far.key.is_some()
            && if self.onward == Side::Right {
                node.head() > self.far.head
            } else {
                node.head() < self.far.head
            }
    }
}

/// The first `want` nodes of a course, or fewer at its end; `None` if the view shows no tree.
fn collect<'g>(
    view: &View<'g>,
    course: &Course<'_>,
    want: usize,
    len: usize,
    guard: &'g Guard,
) -> Option<Vec<&'g Node>> {
    let root = view.node(NIL)?.edge(ROOT.side).link();
    let mut parts = vec![Part::Below { link: root, depth: 0, bounded: course.near.key.is_some() }];
    let mut next: Vec<Part<'g>> = Vec::with_capacity(want + 64);
    for _ in 0..MOST_ROUNDS {
        let (mut met, mut likely, mut unfolded) = (0, 0, false);
        for (index, part) in parts.iter().enumerate() {
            if met >= want {
                break;
            }
            match *part {
                Part::Met(_) => {
                    next.push(*part);
                    met += 1;
                    likely += 1;
                }
                Part::Below { link: NIL, .. } => {}
                Part::Below { depth, .. } if unfolded && likely >= want => {
                    next.push(*part);
                    likely += len >> depth.min(63);
                }
                Part::Below { link, depth, bounded } => {
                    unfolded = true;
                    likely += (len >> depth.min(63)).max(1);
                    let node = view.node(link)?;
                    let below = |side: Side, bounded| {
                        let link = node.edge(side).link();
                        if let Some(child) = view.node(link) {
                            prefetch::line(child);
                        }
                        Part::Below { link, depth: depth + 1, bounded }
                    };
                    if bounded && course.before(node, guard) {
                        next.push(below(course.onward, true));
                        continue;
                    }
                    next.push(below(course.onward.opposite(), bounded));
                    if course.behind(node) {
                        break;
                    }
                    next.push(Part::Met(node));
                    met += 1;
                    next.push(below(course.onward, false));
                    let _ = index;
                }
            }
        }
        std::mem::swap(&mut parts, &mut next);
        next.clear();
        if !unfolded {
            return Some(
                parts
                    .iter()
                    .filter_map(|part| if let Part::Met(node) = part { Some(*node) } else { None })
                    .collect(),
            );
        }
    }
    None
}

impl Tree {
    /// Pushes the first records of the range, in its direction, until the chunk is full.
    pub(super) fn fill(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        let guard = &epoch::pin();
        self.wait_for_batch();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let mut rest = range.clone();
        loop {
            let want = chunk.len().clamp(FEWEST, MOST).min(range.limit - chunk.len().min(range.limit));
            let nodes = self.attempt_whole(guard, |view| {
                collect(view, &Course::new(&rest, view), want, self.len(), guard)
            });
            let mut ahead = nodes.iter();
            ahead.by_ref().take(AHEAD).for_each(|node| Records::prefetch(node));
            for node in &nodes {
                if let Some(node) = ahead.next() {
                    Records::prefetch(node);
                }
                if chunk.is_full() {
                    return;
                }
                let Some(record) = Records::of(node, guard) else { continue };
                key.clear();
                record.append_key(&mut key);
                let inside =
                    if range.reverse { range.reaches_down_to(&key) } else { range.reaches_up_to(&key) };
                if !inside {
                    return;
                }
                value.clear();
                if !range.keys_only {
                    Records::append_value(node.address(), guard, &mut value);
                }
                chunk.push(&key, &value);
            }
            if nodes.len() < want || chunk.is_full() {
                return;
            }
            let cursor = Bound::Excluded(std::borrow::Cow::Owned(key.clone()));
            if range.reverse {
                rest.upper = cursor;
            } else {
                rest.lower = cursor;
            }
        }
    }
}
