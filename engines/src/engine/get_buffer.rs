//! Answers of a look-up of many keys.

/// Where [`Session::get_many`](super::Session::get_many) puts its answers: one buffer for all values, one slot a key. Reused, it allocates
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct GetBuffer {
    bytes: Vec<u8>,
    slots: Vec<Option<(usize, usize)>>,
}

impl GetBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the answers, keeps the memory, and makes room for `keys` answers, all "not found".
    pub fn reset(&mut self, keys: usize) {
        self.bytes.clear();
        self.slots.clear();
        self.slots.resize(keys, None);
    }

    /// Stores the value found for the key at `index`; an index out of range is ignored.
    pub fn put(&mut self, index: usize, value: &[u8]) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some((self.bytes.len(), value.len()));
            self.bytes.extend_from_slice(value);
        }
    }

    /// The value found for the key at `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (start, len) = (*self.slots.get(index)?)?;
        self.bytes.get(start..start + len)
    }

    /// Number of keys asked for.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no key was asked for.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
