//! Keys with a byte before them, for stores that take no empty key.
//!
//! The byte is the same for all, so the order stays. It costs a byte a record in files and caches, a byte of the longest key, and a
//! copy of each key into a buffer of the session.

use std::ops::Bound;

const MARK: u8 = b'k';

/// A buffer for a key with its mark.
#[derive(Default)]
pub(super) struct Prefixed(Vec<u8>);

impl Prefixed {
    /// The key as the store knows it.
    #[inline]
    pub(super) fn of(&mut self, key: &[u8]) -> &[u8] {
        self.0.clear();
        self.0.push(MARK);
        self.0.extend_from_slice(key);
        &self.0
    }

    /// The bound of a scan as the store knows it.
    pub(super) fn bound(key: Bound<&[u8]>) -> Bound<Vec<u8>> {
        key.map(|key| [&[MARK], key].concat())
    }
}

/// The key as we know it.
#[inline]
pub(super) fn bare(stored: &[u8]) -> &[u8] {
    stored.get(1..).unwrap_or_default()
}
