//! The usual split: a full leaf gives records to a neighbour or to a new leaf, without a look at their keys.
//!
//! This is what `reshape` does in general, for the case that prefixes change by a few bytes at most: then records are moved
//! as they are or shifted by these bytes, and only the separator is made from keys. Everything else is left to the general way.
//!
//! # Thread safety / Invariants
//! Those of `reshape`: its mutex is held, and both leaves are latched from before the first look to the end.

use super::items::{Edit, Items};
use super::limits::Bias;
use super::link::Node;
use super::page::{Page, head, heap_words};
use super::reshape::{Piece, Reshape, shortest_between};
use super::write::copy_of;

/// How long the prefix of entries of a page with such first and last heads can be. Not all that they have in common, if
/// that ends with a zero: it might be one that stands for the end of a key.
fn common_len(page: &Page<'_>, (first, last): (u64, u64)) -> usize {
    let common = ((first ^ last).leading_zeros() / u8::BITS).min(7) as usize;
    let bytes = first.to_be_bytes();
    let longer = bytes.get(..common).unwrap_or_default().iter().rposition(|byte| *byte != 0);
    page.prefix_len() + longer.map_or(0, |last| last + 1)
}

impl<'g> Reshape<'_, 'g> {
    /// Makes room in a latched leaf by moving records, and makes the change. `false`, and nothing is changed but that the
    /// leaf stays latched, where that is not possible.
    pub(super) fn moved(&mut self, leaf: Node<'g>, edit: &Edit<'_>) -> bool {
        let tree = self.tree;
        let page = leaf.page();
        let (Some(suffix), Some(value)) = (page.suffix(edit.key), &edit.value) else { return false };
        let node_words = tree.limits.node_words(0);
        if tree.limits.has_order() || page.capacity() != node_words || page.len() < 4 {
            return false;
        }
        let added = 2 + heap_words(node_words, suffix.len(), value);
        if self.bias() == Bias::Back {
            return self.appended(leaf, &page, edit);
        }
        if self.bias() != Bias::Even {
            return false;
        }
        let suits = |other: &Page<'_>| {
            let (count, words) =
                (page.len() + other.len() + 1, page.used_words() + added + other.used_words());
            other.capacity() == node_words && tree.limits.shares(0, count, words, self.grows())
        };
        if let Some((other, is_right)) = self.neighbour(suits) {
            let surplus = page.used_words().saturating_sub(other.page().used_words());
            if self.transfer(leaf, Some(other), is_right, edit, suffix, surplus, added) {
                return true;
            }
            other.latch().unlock_unchanged();
        }
        self.transfer(leaf, None, true, edit, suffix, page.used_words(), added)
    }

    /// A new leaf for a record behind all others; the full one stays as it is.
    fn appended(&mut self, leaf: Node<'g>, page: &Page<'g>, edit: &Edit<'_>) -> bool {
        let (Err(_), Some(value), Some(last)) = (edit.at, edit.value, page.len().checked_sub(1)) else {
            return false;
        };
        let mut items = Items::with_capacity(1);
        items.push(edit.key, value);
        let separator = shortest_between(&page.key(last), edit.key).to_vec();
        let node = items.node(0, 0..1, &self.tree.limits, &self.tree.slab, self.guard);
        self.tree.counters.count_split();
        self.lead_to(&[leaf], vec![Piece { separator: Vec::new(), node: leaf }, Piece { separator, node }]);
        // Its range of keys ends earlier now, though its entries are the same.
        leaf.latch().unlock();
        true
    }

    /// Moves about half of the `surplus` words of a leaf to its neighbour, or to a new leaf on the right.
    #[expect(
        clippy::too_many_arguments,
        reason = "a leaf, its neighbour and an edit, each of which has parts that are used alone"
    )]
    fn transfer(
        &mut self,
        leaf: Node<'g>,
        other: Option<Node<'g>>,
        is_right: bool,
        edit: &Edit<'_>,
        suffix: &[u8],
        surplus: usize,
        added: usize,
    ) -> bool {
        let tree = self.tree;
        let page = leaf.page();
        let count = page.len();
        let (mut moved, mut words) = (0, 0);
        while moved + 1 < count && words * 2 < surplus {
            words += page.entry_words(if is_right { count - 1 - moved } else { moved });
            moved += 1;
        }
        let (kept, given) =
            if is_right { (0..count - moved, count - moved..count) } else { (moved..count, 0..moved) };
        let (Ok(at) | Err(at)) = edit.at;
        // A new record between the two goes to the neighbour.
        let goes =
            given.contains(&at) || (edit.at.is_err() && if is_right { at == count } else { at == moved });
        let most = tree.limits.node_words(0) * 15 / 16;
        let other_words = other.map_or(page.front_words(0), |node| node.page().used_words());
        let common = match other.map(|node| node.page()) {
            Some(other) => page.common_prefix_len(&other),
            None => Some(page.prefix_len()),
        };
        let Some(common) = common else { return false };
        // Where the prefix gets shorter, keys get longer, by a word each at most.
        let mut longer = if common < page.prefix_len() { given.len() + 1 } else { 0 };
        longer +=
            other.map_or(0, |node| if common < node.page().prefix_len() { node.page().len() } else { 0 });
        // In `words` each entry has two words of the front, which is up to half a word too much: right for a leaf that gets
        // entries, but what is kept must not be reckoned too small. It could even be less than nothing. As the leaf is latched,
        // the sums of its entries are parts of what it uses.
        let gone_words = page.front_words(count) - page.front_words(kept.len()) + (words - 2 * moved);
        let kept_words = page.used_words() - gone_words + if goes { 0 } else { added };
        let given_words = other_words + words + longer + if goes { added } else { 0 };
        if moved == 0 || kept_words > most || given_words > most {
            return false;
        }
        let copy = copy_of(leaf);
        let page = Page::of(&copy);
        let other_copy = other.map_or_else(Vec::new, copy_of);
        let other_page = if other.is_some() { Page::of(&other_copy) } else { page };
        let others = if other.is_some() { 0..other_page.len() } else { 0..0 };
        let head = head(suffix);
        let with_edit = |(first, last): (u64, u64), goes: bool| {
            if goes { (first.min(head), last.max(head)) } else { (first, last) }
        };
        let kept_prefix =
            common_len(&page, with_edit((page.head(kept.start), page.head(kept.end - 1)), !goes));
        let given_prefix = if common < page.prefix_len() || common < other_page.prefix_len() {
            common
        } else {
            let (first, last) = match (others.is_empty(), is_right) {
                (true, _) => (page.head(given.start), page.head(given.end - 1)),
                (_, true) => (page.head(given.start), other_page.head(others.end - 1)),
                (_, false) => (other_page.head(0), page.head(given.end - 1)),
            };
            common_len(&page, with_edit((first, last), goes))
        };
        let node = other.unwrap_or_else(|| Node::allocate(&tree.slab, page.capacity(), self.guard));
        let (given_part, other_part) = ((page, given.clone()), (other_page, others.clone()));
        Page::assemble(
            node.words(),
            if is_right { [given_part, other_part] } else { [other_part, given_part] },
            given_prefix,
        );
        Page::assemble(leaf.words(), [(page, kept.clone()), (page, 0..0)], kept_prefix);
        // Where the record is, or is to be, in the leaf it belongs to now.
        let moved_to = match (goes, is_right) {
            (true, true) => at - given.start,
            (true, false) => at + others.end,
            (false, _) => at - kept.start,
        };
        let edit = Edit { at: edit.at.map(|_| moved_to).map_err(|_| moved_to), ..*edit };
        let applied = tree.apply(if goes { node } else { leaf }, &edit);
        debug_assert!(applied.is_some(), "the room was checked");
        let (left, right) = if is_right { (leaf, node) } else { (node, leaf) };
        let greatest = left.page().key(left.page().len() - 1);
        let separator = shortest_between(&greatest, &right.page().key(0)).to_vec();
        let pieces = vec![Piece { separator: Vec::new(), node: left }, Piece { separator, node: right }];
        match other {
            Some(other) => {
                tree.counters.count_borrow();
                let old = if is_right { [leaf, other] } else { [other, leaf] };
                self.lead_to(&old, pieces);
                other.latch().unlock();
            }
            None => {
                tree.counters.count_split();
                self.lead_to(&[leaf], pieces);
            }
        }
        leaf.latch().unlock();
        true
    }
}
