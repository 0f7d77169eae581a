//! Looking many keys up at once: the walks take turns, so that each waits for its miss while the others go on.
//!
//! Interleaved by hand as in *group prefetching* (S. Chen, A. Ailamaki, P. Gibbons & T. Mowry, *Improving Hash Join
//! Performance through Prefetching*, 2004).
//!
//! Thread safety: as a single look-up; walks that found nothing are believed if the structure's version holds. All keys of one
//! call see a batch whole or not at all.

use super::arena::View;
use super::node::{Link, NIL, Node, Side};
use super::records::Records;
use super::shortcuts::Shortcuts;
use super::tree::{Mutexed, Tree, compare};
use crate::engine::GetBuffer;
use crate::memory::prefetch;
use crossbeam::epoch::{self, Guard};
use std::cmp::Ordering;

/// Walks that take turns.
const LANES: usize = 16;
/// A walk is no longer than this, its waits for records included.
const MOST_TURNS: usize = 256;

/// Where a walk is.
#[derive(Clone, Copy, Default)]
enum Lane<'g> {
    /// Its shortcut's slot was asked for.
    Short,
    /// The node of its shortcut was asked for.
    Try(Link),
    /// The record of that node was asked for.
    Confirm(Link),
    /// The next node of its walk was asked for.
    At(Link),
    /// The record of this node was asked for, because the heads are equal.
    Equal(Link),
    /// It has ended.
    #[default]
    Absent,
    Found(&'g Node),
}

impl<'g> View<'g> {
    /// The nodes of up to [`LANES`] keys.
    fn search_many(&self, keys: &[&[u8]], guard: &'g Guard) -> [Lane<'g>; LANES] {
        let (mut heads, mut hashes) = ([0; LANES], [0; LANES]);
        let mut lanes = [Lane::Absent; LANES];
        let root = self.root();
        for (((key, head), hash), lane) in keys.iter().zip(&mut heads).zip(&mut hashes).zip(&mut lanes) {
            *head = self.heads().head(key);
            *lane = Lane::At(root);
            if let Some(shortcuts) = self.shortcuts() {
                *hash = Shortcuts::hash(key);
                shortcuts.prefetch(*hash);
                *lane = Lane::Short;
            }
        }
        for _ in 0..MOST_TURNS {
            let mut walking = false;
            for (((key, head), hash), lane) in keys.iter().zip(heads).zip(hashes).zip(&mut lanes) {
                *lane = match *lane {
                    Lane::Short => match self.shortcuts().and_then(|shortcuts| shortcuts.get(hash)) {
                        Some(link) => self.ask(link, Lane::Try(link)),
                        None => Lane::At(root),
                    },
                    Lane::Try(link) => match self.node(link) {
                        Some(node) if node.head() == head && node.is_live() => {
                            Records::prefetch(node);
                            Lane::Confirm(link)
                        }
                        _ => Lane::At(root),
                    },
                    Lane::Confirm(link) => match self.confirm(link, key, guard) {
                        Some(node) => Lane::Found(node),
                        None => Lane::At(root),
                    },
                    Lane::At(NIL) => Lane::Absent,
                    Lane::At(link) => match self.node(link) {
                        None => Lane::Absent,
                        Some(node) if node.head() == head => {
                            Records::prefetch(node);
                            Lane::Equal(link)
                        }
                        Some(node) => self.step(node, Side::right_if(head > node.head())),
                    },
                    Lane::Equal(link) => match self
                        .node(link)
                        .map(|node| (node, compare(head, key, node, guard)))
                    {
                        None => Lane::Absent,
                        Some((node, Ordering::Equal)) => {
                            if let Some(shortcuts) = self.shortcuts() {
                                shortcuts.offer(hash, link);
                            }
                            Lane::Found(node)
                        }
                        Some((node, order)) => self.step(node, Side::right_if(order == Ordering::Greater)),
                    },
                    ended => ended,
                };
                walking |= !matches!(lane, Lane::Absent | Lane::Found(_));
            }
            if !walking {
                break;
            }
        }
        lanes
    }

    /// Asks for a node's line.
    #[inline]
    fn ask(&self, link: Link, lane: Lane<'g>) -> Lane<'g> {
        if let Some(node) = self.node(link) {
            prefetch::line(node);
        }
        lane
    }

    /// Goes on to a child.
    #[inline]
    fn step(&self, node: &Node, side: Side) -> Lane<'g> {
        let link = node.edge(side).link();
        self.ask(link, Lane::At(link))
    }
}

impl Tree {
    /// Reads many keys; answer *i* belongs to key *i*.
    pub(super) fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let guard = &epoch::pin();
        self.apart_from_batches(|mutexed| self.get_lanes(keys, values, guard, mutexed));
    }

    fn get_lanes(&self, keys: &[&[u8]], values: &mut GetBuffer, guard: &Guard, mutexed: Mutexed) {
        values.reset(keys.len());
        let mut value = Vec::new();
        for (group, keys) in keys.chunks(LANES).enumerate() {
            let look = self.look(guard);
            let lanes = look.view.search_many(keys, guard);
            let holds = self.holds(&look);
            for (index, (key, lane)) in keys.iter().zip(lanes).enumerate() {
                let node = match lane {
                    Lane::Found(node) => Some(node),
                    _ if holds => None,
                    _ => self.attempt(mutexed, guard, |view| view.find(key, guard)).map(|(_, node)| node),
                };
                if let Some(node) = node {
                    value.clear();
                    Records::append_value(node.address(), guard, &mut value);
                    values.put(group * LANES + index, &value);
                }
            }
        }
    }
}
