//! A vector in segments: elements never move, so growing costs one segment and never a copy of everything.

/// Elements of a segment; a power of two.
const SEGMENT: usize = 1 << SEGMENT_BITS;
const SEGMENT_BITS: u32 = 12;

/// See the module. Elements are numbered by `u32` from 0.
pub(super) struct Segmented<T> {
    segments: Vec<Vec<T>>,
    len: usize,
}

impl<T> Segmented<T> {
    /// An empty vector.
    pub(super) const fn new() -> Self {
        Self { segments: Vec::new(), len: 0 }
    }

    /// Number of elements.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Appends an element and returns its number.
    pub(super) fn push(&mut self, element: T) -> u32 {
        if self.len.is_multiple_of(SEGMENT) {
            self.segments.push(Vec::with_capacity(SEGMENT));
        }
        if let Some(last) = self.segments.last_mut() {
            last.push(element);
        }
        self.len += 1;
        (self.len - 1) as u32
    }

    /// The element with this number.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "numbers come from push, and elements are never removed")]
    pub(super) fn get(&self, number: u32) -> &T {
        &self.segments[(number >> SEGMENT_BITS) as usize][number as usize % SEGMENT]
    }

    /// The element with this number, to be changed.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "numbers come from push, and elements are never removed")]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.segments[(number >> SEGMENT_BITS) as usize][number as usize % SEGMENT]
    }

    /// Bytes of memory held.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.segments.len() * SEGMENT * size_of::<T>() + self.segments.capacity() * size_of::<Vec<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_numbers() {
        let mut numbers = Segmented::new();
        for n in 0..10_000u32 {
            assert_eq!(numbers.push(n * 3), n);
        }
        *numbers.get_mut(4_096) = 1;
        assert_eq!([0, 4_095, 4_096, 9_999].map(|n| *numbers.get(n)), [0, 12_285, 1, 29_997]);
        assert_eq!(numbers.len(), 10_000);
        assert!(numbers.memory_bytes() >= 3 * SEGMENT * 4);
    }
}
