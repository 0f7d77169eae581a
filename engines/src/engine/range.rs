//! What a scan visits.

use std::borrow::Cow;
use std::ops::Bound;

/// Which records a scan visits, in which direction, and how many at the most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanRange<'a> {
    /// The lower end, whatever the direction.
    pub lower: Bound<Cow<'a, [u8]>>,
    /// The upper end, whatever the direction.
    pub upper: Bound<Cow<'a, [u8]>>,
    /// Visit at most this many records.
    pub limit: usize,
    /// Start at the upper end and run down.
    pub reverse: bool,
    /// The visitor gets empty values; the engine need not touch them.
    pub keys_only: bool,
}

impl<'a> ScanRange<'a> {
    /// Every record, in order.
    pub const fn all() -> Self {
        Self {
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
            limit: usize::MAX,
            reverse: false,
            keys_only: false,
        }
    }

    /// From `key` (included) upwards.
    pub fn from(key: &'a [u8]) -> Self {
        Self { lower: Bound::Included(Cow::Borrowed(key)), ..Self::all() }
    }

    /// Between two bounds.
    pub fn between(lower: Bound<&'a [u8]>, upper: Bound<&'a [u8]>) -> Self {
        Self { lower: lower.map(Cow::Borrowed), upper: upper.map(Cow::Borrowed), ..Self::all() }
    }

    /// Every key that starts with `prefix`. Allocates the upper bound, the least key greater than all of them.
    pub fn prefix(prefix: &'a [u8]) -> Self {
        let upper = match prefix.iter().rposition(|&byte| byte != 0xFF) {
            None => Bound::Unbounded,
            Some(last) => {
                let mut successor = prefix.get(..=last).unwrap_or_default().to_vec();
                if let Some(byte) = successor.last_mut() {
                    *byte += 1;
                }
                Bound::Excluded(Cow::Owned(successor))
            }
        };
        Self { lower: Bound::Included(Cow::Borrowed(prefix)), upper, ..Self::all() }
    }

    /// The same range, cut after `limit` records.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The same range from its upper end down.
    #[must_use]
    pub const fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// The same range without values.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    /// The lower bound, borrowed.
    pub fn lower(&self) -> Bound<&[u8]> {
        self.lower.as_ref().map(|key| key.as_ref())
    }

    /// The upper bound, borrowed.
    pub fn upper(&self) -> Bound<&[u8]> {
        self.upper.as_ref().map(|key| key.as_ref())
    }

    /// Whether no key lies below the lower end.
    #[inline]
    pub fn reaches_down_to(&self, key: &[u8]) -> bool {
        match self.lower() {
            Bound::Included(low) => key >= low,
            Bound::Excluded(low) => key > low,
            Bound::Unbounded => true,
        }
    }

    /// Whether the key lies not above the upper end.
    #[inline]
    pub fn reaches_up_to(&self, key: &[u8]) -> bool {
        match self.upper() {
            Bound::Included(high) => key <= high,
            Bound::Excluded(high) => key < high,
            Bound::Unbounded => true,
        }
    }

    /// Whether the key lies between the bounds.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.reaches_down_to(key) && self.reaches_up_to(key)
    }

    /// Whether no key at all can lie between the bounds (so a reversed pair of bounds is an empty scan, not an
    /// error), or the limit is 0.
    pub fn is_empty(&self) -> bool {
        self.limit == 0
            || match (self.lower(), self.upper()) {
                (Bound::Included(low), Bound::Included(high)) => low > high,
                (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high))
                | (Bound::Excluded(low), Bound::Included(high)) => low >= high,
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_its_successor() {
        let upper = |prefix: &'static [u8]| ScanRange::prefix(prefix).upper;
        assert_eq!(upper(b"ab"), Bound::Excluded(Cow::Borrowed(b"ac".as_slice())));
        assert_eq!(upper(b"a\xFF\xFF"), Bound::Excluded(Cow::Borrowed(b"b".as_slice())));
        assert_eq!(upper(b"\xFF"), Bound::Unbounded);
        assert_eq!(upper(b""), Bound::Unbounded);
    }

    #[test]
    fn reversed_bounds_are_empty() {
        use Bound::{Excluded, Included, Unbounded};
        let empty = |lower, upper| ScanRange::between(lower, upper).is_empty();
        assert!(empty(Included(b"b"), Included(b"a")));
        assert!(!empty(Included(b"a"), Included(b"a")));
        assert!(empty(Included(b"a"), Excluded(b"a")));
        assert!(empty(Excluded(b"a"), Included(b"a")));
        assert!(!empty(Excluded(b"a"), Unbounded));
        assert!(ScanRange::all().limit(0).is_empty());
    }
}
