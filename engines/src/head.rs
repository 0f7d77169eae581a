//! Key heads: eight bytes of a key as an integer, so that most comparisons need not follow a pointer.
//!
//! The idea is the poor man's normalised key with prefix truncation (G. Graefe, *Modern B-Tree Techniques*, 2011).
//! Keys of one data set often start alike (`user…`), and then their first eight bytes tell nothing. A [`HeadMap`]
//! therefore skips a prefix. It is total and monotone: `a <= b` implies `head(a) <= head(b)` for *every* pair of
//! keys, with the prefix or without it, because a key below the prefix maps to 0 and a key above it to the largest
//! integer. Correctness thus never depends on the choice of the prefix: different heads order their keys, and
//! equal heads leave it to the whole keys.
//!
//! Thread safety: plain data; whoever holds it guards it.

/// The monotone map from keys to heads, for one prefix.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct HeadMap {
    prefix: Vec<u8>,
}

impl HeadMap {
    /// The map that tells apart best the keys from `first` to `last`: it skips what these two have in common, which is
    /// what all keys between them have in common. O(length).
    pub(crate) fn between(first: &[u8], last: &[u8]) -> Self {
        Self { prefix: first.iter().zip(last).map_while(|(a, b)| (a == b).then_some(*a)).collect() }
    }

    /// The head of a key.
    #[inline]
    pub(crate) fn head(&self, key: &[u8]) -> u64 {
        match key.strip_prefix(self.prefix.as_slice()) {
            Some(rest) => match rest.first_chunk::<8>() {
                Some(bytes) => u64::from_be_bytes(*bytes),
                None => rest.iter().rev().fold(0, |head, byte| (head >> 8) | (u64::from(*byte) << 56)),
            },
            None if key < self.prefix.as_slice() => 0,
            None => u64::MAX,
        }
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.prefix.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_never_contradict_the_order_of_keys() {
        let mut keys: Vec<Vec<u8>> = vec![vec![]];
        for len in 1..=3 {
            for code in 0..4u32.pow(len) {
                keys.push((0..len).map(|i| [0, b'a', b'b', 0xFF][(code >> (2 * i)) as usize & 3]).collect());
            }
        }
        keys.extend(
            [&b"ab01234567"[..], b"ab01234568", b"ab012345678", b"ab\0\0\0\0\0\0\0\0\0"].map(<[u8]>::to_vec),
        );
        keys.sort();
        for prefix in [&b""[..], b"a", b"ab", b"\0", b"\xFF", b"\xFF\xFF", b"ab0"] {
            let map = HeadMap { prefix: prefix.to_vec() };
            for pair in keys.windows(2) {
                assert!(map.head(&pair[0]) <= map.head(&pair[1]), "{prefix:?}: {pair:?}");
            }
        }
    }

    #[test]
    fn the_common_prefix_is_skipped() {
        let map = HeadMap::between(b"user0000001", b"user0999999");
        assert_eq!(map.prefix, b"user0");
        assert_eq!(map.head(b"user012345678"), u64::from_be_bytes(*b"12345678"));
        assert_eq!(map.head(b"user01"), u64::from_be_bytes(*b"1\0\0\0\0\0\0\0"));
        assert_eq!((map.head(b"user"), map.head(b"uses")), (0, u64::MAX));
        assert_eq!(HeadMap::between(b"", b"x"), HeadMap::default());
    }
}
