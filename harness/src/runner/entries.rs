//! What a scan returned: key and value bytes of every record, copied into one reused buffer.

/// Records in the order they were visited.
#[derive(Debug, Default)]
pub struct Entries {
    bytes: Vec<u8>,
    /// Where each record's key and value end; a record starts where the one before ends.
    ends: Vec<(usize, usize)>,
}

impl Entries {
    /// Forgets the records, keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Appends a record.
    #[inline]
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((key_end, self.bytes.len()));
    }

    /// Number of records.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Key and value bytes of all records.
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(key_end, end)| {
            let key = self.bytes.get(start..key_end).unwrap_or_default();
            start = end;
            (key, self.bytes.get(key_end..end).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_order_and_nothing_is_left_over() {
        let mut entries = Entries::default();
        for _ in 0..2 {
            entries.clear();
            entries.push(b"a", b"1");
            entries.push(b"", b"");
            entries.push(b"bc", b"23");
            let all: Vec<_> = entries.iter().collect();
            assert_eq!(all, [(&b"a"[..], &b"1"[..]), (b"", b""), (b"bc", b"23")]);
            assert_eq!((entries.len(), entries.bytes()), (3, 6));
        }
    }
}
