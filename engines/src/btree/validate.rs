//! Checks of the whole tree.
//!
//! # Thread safety / Invariants
//! Paths are latched shared; what is checked holds only while no write is under way.

use super::branch::Branch;
use super::latch::Latch;
use super::limits::{CHILD_BYTES, Limits};
use super::node::Node;
use super::page::{Page, RECORD_OVERHEAD_BYTES};

/// How many of a node's longest entries may stand beyond the limit of bytes, see `limits`.
const SOFT_ENTRIES: usize = 4;

/// Checks every invariant: order of keys in pages and across them, separators as bounds of what lies below them, the
/// same depth everywhere, entries and bytes within their limits, heads, prefixes, and the accounting of bytes.
///
/// # Errors
/// The first violation and the path to it.
pub(super) fn check(root: &Latch<Node>, limits: &Limits) -> Result<(), String> {
    let root = root.shared();
    let mut check = Check { limits, path: Vec::new() };
    check.node(&root, root.level(), None, None, true).map_err(|message| {
        let path: Vec<String> = check.path.iter().map(usize::to_string).collect();
        format!("node /{}: {message}", path.join("/"))
    })
}

struct Check<'a> {
    limits: &'a Limits,
    /// The child taken at each level.
    path: Vec<usize>,
}

impl Check<'_> {
    fn node(
        &mut self,
        node: &Node,
        level: u8,
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
        is_root: bool,
    ) -> Result<(), String> {
        if node.level() != level {
            return Err(format!("level {} where {level} is due", node.level()));
        }
        match node {
            Node::Leaf(leaf) => {
                leaf.check(self.limits)?;
                if !is_root && leaf.len() < self.limits.min_records() {
                    return Err(format!("{} records are too few", leaf.len()));
                }
                let used = leaf.page().used().saturating_sub(soft_bytes(leaf.page()));
                if !self.limits.leaf_fits(leaf.len(), used) {
                    return Err(format!(
                        "{} records, {used} bytes without the longest: too full",
                        leaf.len()
                    ));
                }
                bounds(leaf.page(), lower, upper)
            }
            Node::Branch(branch) => {
                branch.page().check()?;
                bounds(branch.page(), lower, upper)?;
                self.branch(branch, is_root)?;
                self.children(branch, lower, upper)
            }
        }
    }

    fn branch(&self, branch: &Branch, is_root: bool) -> Result<(), String> {
        let (children, separators) = (branch.len(), branch.page().len());
        if children != separators + 1 {
            return Err(format!("{children} children but {separators} separators"));
        }
        if children < if is_root { 2 } else { self.limits.min_children() } {
            return Err(format!("{children} children are too few"));
        }
        let used = branch.used().saturating_sub(soft_bytes(branch.page()) + SOFT_ENTRIES * CHILD_BYTES);
        if !self.limits.branch_fits(children, used) {
            return Err(format!(
                "{children} children, {used} bytes without the longest separators: too full"
            ));
        }
        Ok(())
    }

    fn children(
        &mut self,
        branch: &Branch,
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
    ) -> Result<(), String> {
        for index in 0..branch.len() {
            let left = index.checked_sub(1).map(|left| branch.separator(left));
            let right = (index + 1 < branch.len()).then(|| branch.separator(index));
            let (lower, upper) = (left.as_deref().or(lower), right.as_deref().or(upper));
            self.path.push(index);
            self.node(&branch.child(index).shared(), branch.level() - 1, lower, upper, false)?;
            self.path.pop();
        }
        Ok(())
    }
}

/// Bytes of the longest entries; the prefix, which stands once for all of them, is part of the longest.
fn soft_bytes(page: &Page) -> usize {
    let mut bytes: Vec<usize> = (0..page.len()).map(|index| page.record_bytes(index)).collect();
    bytes.sort_unstable();
    let longest: usize = bytes.iter().rev().take(SOFT_ENTRIES).sum();
    page.prefix().len() + longest + SOFT_ENTRIES * RECORD_OVERHEAD_BYTES
}

/// Keys ascend within a page, so the first and the last stand for all.
fn bounds(page: &Page, lower: Option<&[u8]>, upper: Option<&[u8]>) -> Result<(), String> {
    let Some(last) = page.len().checked_sub(1) else { return Ok(()) };
    if lower.is_some_and(|lower| page.key(0).as_slice() < lower) {
        return Err("the first key lies below the separator on the left".to_owned());
    }
    if upper.is_some_and(|upper| page.key(last).as_slice() >= upper) {
        return Err("the last key lies not below the separator on the right".to_owned());
    }
    Ok(())
}
