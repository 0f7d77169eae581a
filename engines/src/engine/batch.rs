//! Write batches.

/// One operation of a [`WriteBatch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteOp<'a> {
    /// Insert or replace.
    Set {
        /// The key.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
    },
    /// Remove, if there.
    Delete {
        /// The key.
        key: &'a [u8],
    },
}

impl<'a> WriteOp<'a> {
    /// The key the operation is about.
    pub const fn key(&self) -> &'a [u8] {
        match self {
            Self::Set { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// Sets and deletes that are applied together, in order: of two operations on one key the later wins.
/// All bytes lie in one buffer; a cleared batch keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct WriteBatch {
    bytes: Vec<u8>,
    operations: Vec<BatchEntry>,
}

#[derive(Clone, Copy, Debug)]
struct BatchEntry {
    start: usize,
    key_len: usize,
    value_len: Option<usize>,
}

impl WriteBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an insert-or-replace.
    pub fn set(&mut self, key: &[u8], value: &[u8]) {
        self.operations.push(BatchEntry {
            start: self.bytes.len(),
            key_len: key.len(),
            value_len: Some(value.len()),
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// Adds a removal.
    pub fn delete(&mut self, key: &[u8]) {
        self.operations.push(BatchEntry { start: self.bytes.len(), key_len: key.len(), value_len: None });
        self.bytes.extend_from_slice(key);
    }

    /// Removes all operations and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.operations.clear();
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Key and value bytes of all operations.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The operations in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = WriteOp<'_>> {
        self.operations.iter().map(|entry| {
            let tail = self.bytes.get(entry.start..).unwrap_or_default();
            let (key, rest) = tail.split_at(entry.key_len);
            match entry.value_len {
                Some(len) => WriteOp::Set { key, value: rest.split_at(len).0 },
                None => WriteOp::Delete { key },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_returns_what_was_put_in() {
        let mut batch = WriteBatch::new();
        batch.set(b"", b"");
        batch.set(b"a", b"\0\xFF");
        batch.delete(b"a");
        let expected = [
            WriteOp::Set { key: b"", value: b"" },
            WriteOp::Set { key: b"a", value: b"\0\xFF" },
            WriteOp::Delete { key: b"a" },
        ];
        assert_eq!(batch.iter().collect::<Vec<_>>(), expected);
        assert_eq!((batch.len(), batch.bytes()), (3, 4));
        batch.clear();
        assert!(batch.is_empty());
    }
}
