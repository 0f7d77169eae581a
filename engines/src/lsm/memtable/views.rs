//! The read views there are: a multiset of sequence numbers.

use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Views {
    counts: BTreeMap<u64, usize>,
    views: usize,
}

impl Views {
    /// Adds a view at a sequence number.
    pub(super) fn register(&mut self, sequence: u64) {
        *self.counts.entry(sequence).or_default() += 1;
        self.views += 1;
    }

    /// Removes one view at a sequence number.
    pub(super) fn unregister(&mut self, sequence: u64) {
        if let Some(count) = self.counts.get_mut(&sequence) {
            *count -= 1;
            self.views -= 1;
            if *count == 0 {
                self.counts.remove(&sequence);
            }
        }
    }

    /// Whether a view needs a version that was written at `written` and hidden at `hidden`.
    pub(super) fn need(&self, written: u64, hidden: u64) -> bool {
        written < hidden && self.counts.range(written..hidden).next().is_some()
    }

    /// The lowest sequence number of a view.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.counts.keys().next().copied()
    }

    /// Number of views.
    pub(super) const fn len(&self) -> usize {
        self.views
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_needed_from_its_writing_until_it_is_hidden() {
        let mut views = Views::default();
        assert!(!views.need(0, u64::MAX));
        views.register(5);
        views.register(5);
        views.register(9);
        assert!(views.need(5, 6) && views.need(1, 8) && views.need(9, 10));
        assert!(!views.need(1, 5) && !views.need(6, 9) && !views.need(10, 99) && !views.need(5, 5));
        views.unregister(5);
        assert!(views.need(5, 6));
        assert_eq!((views.oldest(), views.len()), (Some(5), 2));
        views.unregister(5);
        assert!(!views.need(5, 6));
        assert_eq!((views.oldest(), views.len()), (Some(9), 1));
    }
}
