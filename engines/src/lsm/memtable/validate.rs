//! The check of all invariants.
//!
//! Thread safety: no write may be under way; reads may.

use super::NAME;
use super::lanes::Change;
use super::leaf::{Found, Leaf, address, fingerprint};
use super::record::{MARK, Record};
use super::table::Memtable;
use super::tree::{Node, node};
use crate::error::{Error, Result};
use crate::sync::Ordering;
use crossbeam::epoch::{self, Guard};
use std::collections::BTreeSet;
use std::ops::Bound;

/// What the walk through the tree has found.
#[derive(Default)]
struct Walk {
    change: Change,
    last: Option<Vec<u8>>,
    hiding: Vec<Vec<u8>>,
}

impl Memtable {
    /// See [`crate::engine::Engine::validate`].
    ///
    /// # Errors
    /// As there.
    pub fn validate(&self) -> Result<()> {
        let guard = &epoch::pin();
        self.check(guard).map_err(|message| Error::InvariantBroken { engine: NAME, message })
    }

    fn check(&self, guard: &Guard) -> std::result::Result<(), String> {
        let mut walk = Walk::default();
        self.check_node(self.tree.root(), (None, None), &mut walk, guard)?;
        let counted = self.lanes.total();
        if counted != walk.change {
            return Err(format!("{counted:?} counted, {:?} found", walk.change));
        }
        if self.limit > 0 && self.used.load(Ordering::Relaxed) != counted.used_bytes as u64 {
            return Err(format!(
                "{} bytes reserved, {} used",
                self.used.load(Ordering::Relaxed),
                counted.used_bytes
            ));
        }
        let mut queue = Vec::new();
        while let Some(hidden) = self.hidden.pop() {
            queue.push(hidden);
        }
        let queued: BTreeSet<Vec<u8>> = queue.iter().map(|hidden| hidden.key.to_vec()).collect();
        queue.into_iter().for_each(|hidden| self.hidden.push(hidden));
        match walk.hiding.iter().find(|key| !queued.contains(*key)) {
            Some(key) => Err(format!("{key:?} has older versions that nothing will drop")),
            None => Ok(()),
        }
    }

    fn check_node(
        &self,
        at: u64,
        (low, high): (Option<&[u8]>, Option<&[u8]>),
        walk: &mut Walk,
        guard: &Guard,
    ) -> std::result::Result<(), String> {
        let branch = match node(at, guard) {
            Node::Leaf(leaf) => return self.check_leaf(&leaf, (low, high), walk, guard),
            Node::Branch(branch) => branch,
        };
        if branch.len() < 2 {
            return Err("a branch with less than two children".to_owned());
        }
        for child in 0..branch.len() {
            let (from, to) = (branch.separator(child).or(low), branch.separator(child + 1).or(high));
            if from.is_some_and(|from| to.is_some_and(|to| from >= to) || low.is_some_and(|low| from < low)) {
                return Err(format!("separators out of order: {from:?}, {to:?}"));
            }
            if from.is_some_and(|from| branch.search(from) != child) {
                return Err(format!("{from:?} is not found in its branch"));
            }
            self.check_node(branch.child(child), (from, to), walk, guard)?;
        }
        Ok(())
    }

    fn check_leaf(
        &self,
        leaf: &Leaf<'_>,
        (low, high): (Option<&[u8]>, Option<&[u8]>),
        walk: &mut Walk,
        guard: &Guard,
    ) -> std::result::Result<(), String> {
        leaf.check(guard)?;
        let mut entries = Vec::new();
        leaf.ordered(Bound::Unbounded, Bound::Unbounded, usize::MAX, guard, &mut entries);
        if entries.len() != leaf.live() {
            return Err("entries out of order".to_owned());
        }
        for entry in entries {
            let Some(newest) = Record::at(address(entry), guard) else { continue };
            let key = newest.key();
            if walk.last.as_deref().is_some_and(|last| last >= key) {
                return Err(format!("{:?} before {key:?}", walk.last));
            }
            if low.is_some_and(|low| key < low) || high.is_some_and(|high| key >= high) {
                return Err(format!("{key:?} is not between {low:?} and {high:?}"));
            }
            match leaf.find(key, fingerprint(key), guard) {
                Found::Entry(_, _, found) if found.address() == newest.address() => {}
                _ => return Err(format!("{key:?} is not found in its leaf")),
            }
            self.check_chain(newest, walk, guard)?;
            walk.last = Some(key.to_vec());
        }
        Ok(())
    }

    fn check_chain(
        &self,
        newest: Record<'_>,
        walk: &mut Walk,
        guard: &Guard,
    ) -> std::result::Result<(), String> {
        let key = newest.key();
        if newest.is_live() {
            walk.change.records += 1;
            walk.change.live_bytes += newest.data_len() as i64;
        } else if newest.older_address() == 0 && !self.over_older {
            return Err(format!("{key:?} has a tombstone that hides nothing"));
        }
        if newest.older_address() != 0 {
            walk.hiding.push(key.to_vec());
        }
        let (mut record, mut newer) = (Some(newest), self.clock.now() + 1);
        while let Some(this) = record {
            let stamp = this.stamp().map_or(0, |stamp| stamp.load(Ordering::Acquire));
            if stamp == 0 || stamp >= newer {
                return Err(format!("{key:?} has number {stamp:#x} behind {newer}"));
            }
            if this.key() != key || this.older().is_none_or(|older| older.load(Ordering::Acquire) & MARK != 0)
            {
                return Err(format!("{key:?} has a version that is not its own"));
            }
            walk.change.versions += 1;
            walk.change.tombstones += i64::from(!this.is_live());
            walk.change.used_bytes += this.cost() as i64;
            newer = stamp;
            record = Record::at(this.older_address(), guard);
        }
        Ok(())
    }
}
