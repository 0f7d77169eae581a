//! Control words: seven control bytes in a `u64`, one a slot, compared all at once with ordinary integer
//! arithmetic (SWAR, as in Lamport's "Multiple byte processing with full-word instructions", 1975).
//!
//! A control byte is 0 for a free slot and `0x80 | 7 bits of the hash` for a slot in use. The eighth, most significant byte
//! counts the entries that belong to this line or one before it and lie behind it, up to [`OVERFLOW_MOST`], where it
//! stays; its own highest bit is never set, as the first word of a slab's block demands.

/// Slots of a line.
pub(super) const SLOTS: usize = 7;
/// What the count of overflowed entries goes up to. From there it does not come down again.
pub(super) const OVERFLOW_MOST: u64 = 127;

const LOW_BITS: u64 = 0x0001_0101_0101_0101;
const HIGH_BITS: u64 = 0x0080_8080_8080_8080;
const OVERFLOW_SHIFT: u32 = 56;
const OVERFLOW_ONE: u64 = 1 << OVERFLOW_SHIFT;

/// Some of the slots of a line, ascending.
#[derive(Clone, Copy)]
pub(super) struct SlotSet(u64);

impl SlotSet {
    /// How many there are.
    pub(super) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }
}

impl Iterator for SlotSet {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

/// The slots with this fingerprint. Above a slot that matches there may be one that does not (a borrow of the
/// subtraction makes a byte differing in its lowest bit look equal); it is in use all the same, so the tag and the key
/// decide.
#[inline]
pub(super) const fn matching(word: u64, fingerprint: u8) -> SlotSet {
    let difference = word ^ (LOW_BITS * fingerprint as u64);
    SlotSet(difference.wrapping_sub(LOW_BITS) & !difference & HIGH_BITS)
}

/// The slots in use.
#[inline]
pub(super) const fn in_use(word: u64) -> SlotSet {
    SlotSet(word & HIGH_BITS)
}

/// The free slots.
#[inline]
pub(super) const fn free(word: u64) -> SlotSet {
    SlotSet(!word & HIGH_BITS)
}

/// The control byte of a slot.
#[inline]
pub(super) const fn get(word: u64, slot: usize) -> u8 {
    (word >> (slot * 8)) as u8
}

/// The word with the control byte of a slot replaced.
#[inline]
pub(super) const fn with(word: u64, slot: usize, byte: u8) -> u64 {
    word & !(0xFF << (slot * 8)) | (byte as u64) << (slot * 8)
}

/// How many entries were led past this line.
#[inline]
pub(super) const fn overflow(word: u64) -> u64 {
    word >> OVERFLOW_SHIFT
}

/// The word with one more entry led past the line.
#[inline]
pub(super) const fn overflowed(word: u64) -> u64 {
    if overflow(word) < OVERFLOW_MOST { word + OVERFLOW_ONE } else { word }
}

/// The word with one entry less led past the line.
#[inline]
pub(super) const fn withdrawn(word: u64) -> u64 {
    match overflow(word) {
        0 | OVERFLOW_MOST.. => word,
        _ => word - OVERFLOW_ONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_a_loop_over_bytes() {
        let bytes = [0, 0x80, 0x81, 0xFE, 0xFF];
        for n in 0..5usize.pow(5) {
            let mut word = (n as u64 % 128) << OVERFLOW_SHIFT;
            for slot in 0..SLOTS {
                word = with(word, slot, bytes[n / 5usize.pow(slot as u32 % 5) % 5]);
            }
            let slots = |keep: &dyn Fn(u8) -> bool| {
                (0..SLOTS).filter(|&slot| keep(get(word, slot))).collect::<Vec<_>>()
            };
            assert_eq!(in_use(word).collect::<Vec<_>>(), slots(&|byte| byte >= 0x80));
            assert_eq!(free(word).collect::<Vec<_>>(), slots(&|byte| byte < 0x80));
            assert_eq!(overflow(word), n as u64 % 128);
            for tag in [0x80, 0x81, 0xFE, 0xFF] {
                let exact = slots(&|byte| byte == tag);
                let found = matching(word, tag).collect::<Vec<_>>();
                assert!(exact.iter().all(|slot| found.contains(slot)), "{word:x} {tag:x}");
                assert_eq!(exact.first(), found.first(), "{word:x} {tag:x}");
                assert!(found.iter().all(|&slot| get(word, slot) | 1 == tag | 1));
            }
        }
    }

    #[test]
    fn a_count_that_is_used_up_stays() {
        let mut word = with(0, 3, 0x85);
        for passed in 1..200 {
            word = overflowed(word);
            assert_eq!(overflow(word), passed.min(OVERFLOW_MOST));
        }
        assert_eq!(withdrawn(word), word);
        assert_eq!(withdrawn(overflowed(with(0, 3, 0x85))), with(0, 3, 0x85));
        assert_eq!(withdrawn(0), 0);
        assert_eq!(word >> 63, 0);
        assert_eq!(get(word, 3), 0x85);
    }
}
