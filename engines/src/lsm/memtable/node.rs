//! A node of the skip list: one version of one key.

use super::arena::Span;

/// Where no node is: the end of a list, and the head, which is never the target of a link.
pub(super) const NONE: u32 = 0;
/// The tallest tower. With one node in four reaching the next level, 4^16 nodes.
pub(super) const MAX_HEIGHT: usize = 16;

const TOMBSTONE: u32 = u32::MAX;

/// A version as its readers see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The number of the write that left it.
    pub sequence: u64,
    /// The value, or `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// The first eight bytes of a key as a number, padded with zeroes: keys with different prefixes compare as
/// these do.
#[inline]
pub(super) fn prefix(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(&bytes) => u64::from_be_bytes(bytes),
        None => key.iter().enumerate().fold(0, |prefix, (i, &byte)| prefix | (byte as u64) << (56 - 8 * i)),
    }
}

/// See the module. Key and value lie together in one span of the arena; the lowest link lies in the node, so
/// that three nodes in four need no tower elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// [`prefix`] of the key: most comparisons end here and do not touch the arena.
    pub(super) prefix: u64,
    pub(super) sequence: u64,
    pub(super) span: Span,
    pub(super) key_len: u32,
    value_len: u32,
    /// The next node.
    pub(super) next: u32,
    /// The node before.
    pub(super) previous: u32,
    /// The number of the first of `height - 1` links to the next nodes of the upper levels.
    pub(super) tower: u32,
    pub(super) height: u8,
    /// Whether it is in the list; otherwise it waits to be used again.
    pub(super) linked: bool,
}

impl Node {
    /// A node in no list and without a key.
    pub(super) const fn new(tower: u32, height: usize) -> Self {
        Self {
            prefix: 0,
            sequence: 0,
            span: Span::NOWHERE,
            key_len: 0,
            value_len: TOMBSTONE,
            next: NONE,
            previous: NONE,
            tower,
            height: height as u8,
            linked: false,
        }
    }

    /// Length of the value, unless it is a tombstone.
    #[inline]
    pub(super) const fn value_len(&self) -> Option<usize> {
        if self.value_len == TOMBSTONE { None } else { Some(self.value_len as usize) }
    }

    /// Sets the length of the value, or makes it a tombstone. Lengths were checked against the engine's
    /// limit.
    pub(super) fn set_value_len(&mut self, len: Option<usize>) {
        self.value_len = len.map_or(TOMBSTONE, |len| len as u32);
    }

    /// Whether it is a value, not a tombstone.
    pub(super) const fn is_live(&self) -> bool {
        self.value_len != TOMBSTONE
    }

    /// Bytes of key and value.
    pub(super) const fn data_len(&self) -> usize {
        self.key_len as usize + if self.is_live() { self.value_len as usize } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_order_as_keys_do() {
        let keys: [&[u8]; 9] = [
            b"",
            b"\0",
            b"\0\0",
            b"a",
            b"a\0",
            b"ab",
            b"abcdefgh",
            b"abcdefghi",
            b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        ];
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1] && prefix(pair[0]) <= prefix(pair[1]), "{pair:?}");
        }
        assert!(prefix(b"a") < prefix(b"ab"));
    }

    #[test]
    fn a_node_is_small() {
        assert_eq!(size_of::<Node>(), 56);
    }
}
