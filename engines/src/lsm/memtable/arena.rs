//! Memory for keys and values: 1 MiB blocks, cut into spans of size classes that are used again when they are
//! freed.
//!
//! Invariants: spans do not overlap. A span's capacity is the size of its class, or the whole of a block of
//! its own above [`LARGEST_CLASS`]. Freed spans of a class form a list whose links lie in the freed bytes
//! themselves, so being free costs no memory. The tail of a block that is too short for a request goes to the
//! free lists.

#![expect(
    clippy::indexing_slicing,
    reason = "spans come from alloc and lie within their block; classes are below CLASSES by construction"
)]

/// Bytes of a block that holds many spans.
const BLOCK: usize = 1 << 20;
const SMALLEST_CLASS: usize = 16;
/// The largest span that shares a block; a larger one gets a block of exactly its size.
const LARGEST_CLASS: usize = 128 << 10;
/// Eight classes between two powers of two: at most an eighth of a span is unused.
const CLASSES: usize = 105;
const NO_SPAN: u64 = u64::MAX;

/// The smallest class whose spans hold `len` bytes.
const fn class_of(len: usize) -> usize {
    if len <= SMALLEST_CLASS {
        return 0;
    }
    let last = len - 1;
    let power = last.ilog2();
    (power as usize - 4) * 8 + (last >> (power - 3)) - 8 + 1
}

/// The bytes of a span of a class.
const fn class_size(class: usize) -> usize {
    match class.checked_sub(1) {
        None => SMALLEST_CLASS,
        Some(above) => (9 + above % 8) << (above / 8 + 1),
    }
}

/// What a span for `len` bytes takes.
pub(super) const fn span_size(len: usize) -> usize {
    if len > LARGEST_CLASS { len } else { class_size(class_of(len)) }
}

/// Bytes in the arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Span {
    block: u32,
    offset: u32,
    capacity: u32,
}

impl Span {
    /// A span of no bytes.
    pub(super) const NOWHERE: Self = Self { block: 0, offset: 0, capacity: 0 };

    /// How many bytes it holds.
    pub(super) const fn capacity(self) -> usize {
        self.capacity as usize
    }

    /// Its place as one number, for comparing the order of spans.
    #[cfg(test)]
    pub(super) const fn address(self) -> u64 {
        (self.block as u64) << 32 | self.offset as u64
    }
}

/// See the module.
pub(super) struct Arena {
    blocks: Vec<Box<[u8]>>,
    /// The shared block that is being cut, and where its uncut rest starts.
    current: usize,
    cut: usize,
    /// For each class the first free span, block in the upper half and offset in the lower.
    free: [u64; CLASSES],
    /// Numbers of blocks whose memory was given back.
    vacant: Vec<u32>,
    used_bytes: usize,
    held_bytes: usize,
}

impl Arena {
    /// An arena without a block.
    pub(super) const fn new() -> Self {
        Self {
            blocks: Vec::new(),
            current: 0,
            cut: BLOCK,
            free: [NO_SPAN; CLASSES],
            vacant: Vec::new(),
            used_bytes: 0,
            held_bytes: 0,
        }
    }

    /// A span for `len` bytes, at most 2^32 − 1. Its bytes are whatever they were.
    pub(super) fn alloc(&mut self, len: usize) -> Span {
        let size = span_size(len);
        self.used_bytes += size;
        if size > LARGEST_CLASS {
            let block = self.add_block(size);
            return Span { block: block as u32, offset: 0, capacity: size as u32 };
        }
        let class = class_of(len);
        if let Some(span) = self.take_free(class) {
            return span;
        }
        if BLOCK - self.cut < size {
            self.free_rest();
            self.current = self.add_block(BLOCK);
            self.cut = 0;
        }
        let span = Span { block: self.current as u32, offset: self.cut as u32, capacity: size as u32 };
        self.cut += size;
        span
    }

    /// Gives a span back.
    pub(super) fn free(&mut self, span: Span) {
        self.used_bytes -= span.capacity();
        if span.capacity() > LARGEST_CLASS {
            self.held_bytes -= span.capacity();
            self.blocks[span.block as usize] = Box::default();
            self.vacant.push(span.block);
        } else {
            self.put_free(span);
        }
    }

    /// The bytes of a span.
    #[inline]
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        &self.blocks[span.block as usize][span.offset as usize..][..span.capacity()]
    }

    /// The bytes of a span, to be written.
    #[inline]
    pub(super) fn bytes_mut(&mut self, span: Span) -> &mut [u8] {
        &mut self.blocks[span.block as usize][span.offset as usize..][..span.capacity()]
    }

    /// Bytes of the spans in use.
    pub(super) const fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Bytes of all blocks.
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes that lie free between spans in use, the uncut rest of the current block not included.
    pub(super) const fn free_bytes(&self) -> usize {
        self.held_bytes - self.used_bytes - (BLOCK - self.cut)
    }

    /// Bytes of memory held, with what manages them.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.held_bytes + self.blocks.capacity() * size_of::<Box<[u8]>>() + self.vacant.capacity() * 4
    }

    fn add_block(&mut self, len: usize) -> usize {
        self.held_bytes += len;
        let block = vec![0; len].into_boxed_slice();
        if let Some(number) = self.vacant.pop() {
            self.blocks[number as usize] = block;
            return number as usize;
        }
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    /// Puts the uncut rest of the current block on the free lists, in pieces as large as possible. Fewer than
    /// 16 bytes are lost.
    fn free_rest(&mut self) {
        while BLOCK - self.cut >= SMALLEST_CLASS {
            let rest = (BLOCK - self.cut).min(LARGEST_CLASS);
            let class = class_of(rest);
            let size = if class_size(class) > rest { class_size(class - 1) } else { class_size(class) };
            self.put_free(Span {
                block: self.current as u32,
                offset: self.cut as u32,
                capacity: size as u32,
            });
            self.cut += size;
        }
    }

    fn put_free(&mut self, span: Span) {
        let class = class_of(span.capacity());
        let next = std::mem::replace(&mut self.free[class], (span.block as u64) << 32 | span.offset as u64);
        self.bytes_mut(span)[..8].copy_from_slice(&next.to_le_bytes());
    }

    fn take_free(&mut self, class: usize) -> Option<Span> {
        let first = self.free[class];
        if first == NO_SPAN {
            return None;
        }
        let span =
            Span { block: (first >> 32) as u32, offset: first as u32, capacity: class_size(class) as u32 };
        let link = self.bytes(span).first_chunk().map_or(NO_SPAN, |link| u64::from_le_bytes(*link));
        self.free[class] = link;
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn classes_are_the_tightest() {
        let mut class = 0;
        for len in 0..=LARGEST_CLASS {
            if len > class_size(class) {
                class += 1;
            }
            assert_eq!(class_of(len), class, "{len}");
            assert!(
                class_size(class) >= len && (len < 16 || class_size(class) <= len + len / 8 + 1),
                "{len}"
            );
        }
        assert_eq!(class, CLASSES - 1);
        assert_eq!(class_size(class), LARGEST_CLASS);
    }

    #[test]
    fn spans_do_not_overlap_and_are_used_again() {
        let mut random = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(1);
        let mut arena = Arena::new();
        let mut spans: Vec<(Span, usize, u8)> = Vec::new();
        for step in 0..20_000 {
            if spans.len() > 200 || (!spans.is_empty() && random.random_ratio(2, 5)) {
                let (span, len, byte) = spans.swap_remove(random.random_range(0..spans.len()));
                assert!(arena.bytes(span)[..len].iter().all(|&b| b == byte), "nobody wrote over it");
                arena.free(span);
            } else {
                let most = if step % 100 == 0 { 300_000 } else { 3_000 };
                let (len, byte) = (random.random_range(0..most), step as u8);
                let span = arena.alloc(len);
                arena.bytes_mut(span)[..len].fill(byte);
                spans.push((span, len, byte));
            }
            let used: usize = spans.iter().map(|(span, ..)| span.capacity()).sum();
            assert_eq!(arena.used_bytes(), used);
        }
        let most_used = 201 * 3_000 + 201 * 300_000 / 50;
        assert!(arena.held_bytes() < 4 * most_used, "{}", arena.held_bytes());
        spans.drain(..).for_each(|(span, ..)| arena.free(span));
        assert_eq!(arena.used_bytes(), 0);
        let held = arena.held_bytes();
        assert_eq!(held % BLOCK, 0, "blocks of one span are given back");
        let mut addresses: Vec<u64> = (0..300).map(|_| arena.alloc(1_000).address()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), 300);
        assert!(arena.held_bytes() <= held + BLOCK);
    }
}
