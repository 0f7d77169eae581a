//! Checks of the whole tree.
//!
//! # Thread safety / Invariants
//! The mutex of structure changes is held; what is checked holds only while no write is under way.

use super::BTree;
use super::link::Node;
use super::page::{HEADER_WORDS, Page};
use super::reshape::Structure;
use crossbeam::epoch;

/// How many of a node's longest entries may stand beyond the limit of bytes, see `limits`.
const SOFT_ENTRIES: usize = 4;

/// Checks every invariant: order of keys in pages and across them, separators as bounds of what lies below them, the
/// same depth everywhere, entries and bytes within their limits, heads, prefixes, the accounting of the heap, links of the
/// leaves both ways, and that every latch is free.
///
/// # Errors
/// The first violation and the path to it.
pub(super) fn check(tree: &BTree) -> Result<(), String> {
    let guard = epoch::pin();
    let structure = tree.structure();
    let root = tree.root.node(&guard);
    let mut check = Check { tree, structure: &structure, path: Vec::new(), last_leaf: None };
    let checked = check.node(root, root.page().level(), None, None).and_then(|()| check.end());
    checked.map_err(|message| {
        let path: Vec<String> = check.path.iter().map(usize::to_string).collect();
        format!("node /{}: {message}", path.join("/"))
    })
}

struct Check<'a, 'g> {
    tree: &'a BTree,
    structure: &'a Structure<'a>,
    /// The child taken at each level.
    path: Vec<usize>,
    last_leaf: Option<Node<'g>>,
}

impl<'g> Check<'_, 'g> {
    fn node(
        &mut self,
        node: Node<'g>,
        level: usize,
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
    ) -> Result<(), String> {
        let page = node.page();
        if page.level() != level {
            return Err(format!("level {} where {level} is due", page.level()));
        }
        if node.latch().is_locked() || node.latch().read().is_none() {
            return Err("the latch is not free".to_owned());
        }
        page.check()?;
        self.limits(&page, level)?;
        bounds(&page, lower, upper)?;
        if level == 0 {
            return self.leaf(node);
        }
        for index in 0..page.len() {
            let left = (index > 0).then(|| page.key(index));
            let right = (index + 1 < page.len()).then(|| page.key(index + 1));
            let child = node.child_fixed(index, self.structure).ok_or("a branch without its child")?;
            self.path.push(index);
            self.node(child, level - 1, left.as_deref().or(lower), right.as_deref().or(upper))?;
            self.path.pop();
        }
        Ok(())
    }

    fn limits(&self, page: &Page<'_>, level: usize) -> Result<(), String> {
        let limits = &self.tree.limits;
        let count = page.len();
        let least = match (self.path.is_empty(), level) {
            (true, 0) => 0,
            (true, _) => 2,
            _ => limits.min_entries(level),
        };
        if count < least {
            return Err(format!("{count} entries are too few"));
        }
        let words = page.used_words().saturating_sub(soft_words(page));
        if !limits.fits(level, count, words) {
            return Err(format!("{count} entries, {words} words without the longest: too full"));
        }
        if page.used_words() > page.capacity() {
            return Err("more words in use than there are".to_owned());
        }
        Ok(())
    }

    fn leaf(&mut self, node: Node<'g>) -> Result<(), String> {
        if node.previous() != self.last_leaf || self.last_leaf.is_some_and(|last| last.next() != Some(node)) {
            return Err("the links between this leaf and the one before do not agree".to_owned());
        }
        self.last_leaf = Some(node);
        Ok(())
    }

    fn end(&self) -> Result<(), String> {
        match self.last_leaf.and_then(Node::next) {
            Some(_) => Err("the last leaf has one behind it".to_owned()),
            None => Ok(()),
        }
    }
}

/// Words of the longest entries; the prefix, which stands once for all of them, is part of the longest.
fn soft_words(page: &Page<'_>) -> usize {
    let mut words: Vec<usize> = (0..page.len()).map(|index| page.entry_words(index)).collect();
    words.sort_unstable();
    HEADER_WORDS + page.prefix().len() + words.iter().rev().take(SOFT_ENTRIES).sum::<usize>()
}

/// Keys ascend within a page, so the first and the last stand for all.
fn bounds(page: &Page<'_>, lower: Option<&[u8]>, upper: Option<&[u8]>) -> Result<(), String> {
    let first = usize::from(page.level() > 0);
    if page.len() <= first {
        return Ok(());
    }
    if lower.is_some_and(|lower| page.key(first).as_slice() < lower) {
        return Err("the first key lies below the separator on the left".to_owned());
    }
    if upper.is_some_and(|upper| page.key(page.len() - 1).as_slice() >= upper) {
        return Err("the last key lies not below the separator on the right".to_owned());
    }
    Ok(())
}
