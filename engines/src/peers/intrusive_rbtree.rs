//! `intrusive-rbtree`: the red-black tree of `intrusive-collections` behind one latch: each record is one node with its links.
//!
//! Thread safety: one readers–writer latch around the whole tree. A value lies in a cell that is read under the latch taken shared
//! and changed under the latch taken exclusively, since the crate hands out nodes by shared reference only.
//! A set allocates before it takes the latch; scans copy a chunk of records under it.

#![expect(
    unsafe_code,
    reason = "the crate's cursors give no exclusive reference to a node, so its value lies in a cell"
)]

use super::peer::entry;
use super::store::{Store, fill, replace};
use crate::chunk::{Chunk, scan_in_chunks};
use crate::engine::{Capabilities, GetBuffer, ScanRange, Visitor, WriteBatch, WriteOp};
use crate::entry::Entry;
use intrusive_collections::rbtree::{Cursor, Entry as Place};
use intrusive_collections::{Bound, KeyAdapter, RBTree, RBTreeLink, intrusive_adapter};
use parking_lot::RwLock;
use std::cell::UnsafeCell;
use std::iter::from_fn;

pub(super) static ENTRY: Entry =
    entry::<LatchedRbTree>("intrusive_collections::RBTree behind a readers–writer latch: ordered");

type Bytes = Box<[u8]>;

struct Node {
    link: RBTreeLink,
    key: Bytes,
    value: UnsafeCell<Bytes>,
}

intrusive_adapter!(Nodes = Box<Node>: Node { link => RBTreeLink });

impl<'a> KeyAdapter<'a> for Nodes {
    type Key = &'a [u8];

    fn get_key(&self, node: &'a Node) -> &'a [u8] {
        &node.key
    }
}

/// The tree, which alone looks into the cells of its nodes.
#[derive(Default)]
struct Tree(RBTree<Nodes>);

// SAFETY: nodes own their bytes, so the tree may move to another thread with them.
unsafe impl Send for Tree {}
// SAFETY: a shared tree reads links, keys and cells and changes none of them: `value` takes the tree shared and
// `replace_at` takes it exclusively, so no cell is read while it is changed.
unsafe impl Sync for Tree {}

impl Tree {
    /// The value of a node of this tree.
    #[inline]
    fn value<'a>(&'a self, node: &'a Node) -> &'a [u8] {
        // SAFETY: the tree is borrowed shared for as long as the value is, and cells are changed by methods that take
        // the tree exclusively only.
        unsafe { &*node.value.get() }
    }

    #[inline]
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.find(key).get().map(|node| self.value(node))
    }

    /// Replaces the value of `key` and returns `true` if it is there.
    fn update(&mut self, key: &[u8], value: &[u8]) -> bool {
        let at = self.0.find_mut(key);
        let Some(node) = at.get() else { return false };
        // SAFETY: the tree is borrowed exclusively, so nobody else looks into its cells.
        replace(unsafe { &mut *node.value.get() }, value);
        true
    }

    /// Inserts the node, or gives its value to the one that has its key. What is displaced is returned, to be freed when the
    /// latch is released.
    fn insert(&mut self, mut node: Box<Node>) -> Option<Box<Node>> {
        match self.0.entry(&*node.key) {
            Place::Vacant(place) => {
                place.insert(node);
                None
            }
            Place::Occupied(at) => {
                if let Some(there) = at.get() {
                    // SAFETY: the tree is borrowed exclusively, so nobody else looks into its cells.
                    std::mem::swap(unsafe { &mut *there.value.get() }, node.value.get_mut());
                }
                Some(node)
            }
        }
    }

    fn remove(&mut self, key: &[u8]) -> Option<Box<Node>> {
        self.0.find_mut(key).remove()
    }

    /// The first node of a range in its direction.
    fn seek(&self, range: &ScanRange<'_>) -> Cursor<'_, Nodes> {
        if range.reverse {
            self.0.upper_bound(bound(range.upper()))
        } else {
            self.0.lower_bound(bound(range.lower()))
        }
    }

    /// Pushes the first records of a range, in its direction, until the chunk is full.
    fn fill(&self, range: &ScanRange<'_>, chunk: &mut Chunk) {
        let mut at = self.seek(range);
        let mut first = true;
        let records = from_fn(|| {
            if !std::mem::take(&mut first) {
                if range.reverse { at.move_prev() } else { at.move_next() }
            }
            let node = at.get()?;
            let inside =
                if range.reverse { range.reaches_down_to(&node.key) } else { range.reaches_up_to(&node.key) };
            inside.then(|| (&*node.key, self.value(node)))
        });
        fill(chunk, range.keys_only, records);
    }
}

fn bound(bound: std::ops::Bound<&[u8]>) -> Bound<&[u8]> {
    match bound {
        std::ops::Bound::Included(key) => Bound::Included(key),
        std::ops::Bound::Excluded(key) => Bound::Excluded(key),
        std::ops::Bound::Unbounded => Bound::Unbounded,
    }
}

fn node(key: &[u8], value: &[u8]) -> Box<Node> {
    Box::new(Node { link: RBTreeLink::new(), key: key.into(), value: UnsafeCell::new(value.into()) })
}

#[derive(Default)]
pub(super) struct LatchedRbTree {
    tree: RwLock<Tree>,
}

impl Store for LatchedRbTree {
    const NAME: &'static str = "intrusive-rbtree";
    const CAPABILITIES: Capabilities =
        Capabilities { batch_atomic_visibility: true, ..Capabilities::IN_MEMORY_ORDERED };

    #[inline]
    fn read(&self, key: &[u8], see: impl FnMut(&[u8])) -> bool {
        self.tree.read().get(key).map(see).is_some()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        let node = node(key, value);
        let displaced = self.tree.write().insert(node);
        drop(displaced);
    }

    fn update(&self, key: &[u8], value: &[u8]) -> bool {
        self.tree.write().update(key, value)
    }

    fn delete(&self, key: &[u8]) -> bool {
        let removed = self.tree.write().remove(key);
        removed.is_some()
    }

    fn batch(&self, batch: &WriteBatch) {
        let mut tree = self.tree.write();
        for operation in batch.iter() {
            match operation {
                WriteOp::Set { key, value } => drop(tree.insert(node(key, value))),
                WriteOp::Delete { key } => drop(tree.remove(key)),
            }
        }
    }

    fn get_many(&self, keys: &[&[u8]], values: &mut GetBuffer) {
        let tree = self.tree.read();
        for (index, key) in keys.iter().enumerate() {
            if let Some(value) = tree.get(key) {
                values.put(index, value);
            }
        }
    }

    fn scan(&self, range: &ScanRange<'_>, chunk: &mut Chunk, visit: Visitor<'_>) -> Option<u64> {
        let fill_from = |rest: &ScanRange<'_>, chunk: &mut Chunk| {
            self.tree.read().fill(rest, chunk);
            Ok(())
        };
        scan_in_chunks(range, chunk, visit, fill_from).ok()
    }

    fn walk(&self, see: &mut dyn FnMut(&[u8], &[u8])) {
        let tree = self.tree.read();
        tree.0.iter().for_each(|node| see(&node.key, tree.value(node)));
    }

    /// A node a record.
    fn structure_bytes(&self, records: usize) -> usize {
        records * size_of::<Node>()
    }
}
