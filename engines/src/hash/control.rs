//! Control words: eight control bytes in a `u64`, one a slot, compared all at once with ordinary integer
//! arithmetic (SWAR, as in Lamport's "Multiple byte processing with full-word instructions", 1975).
//!
//! A control byte is 0 for an empty slot, 1 for a tombstone, and `0x80 | 7 bits of the hash` for a slot in
//! use. Empty is 0 so that a new table is zeroed memory, which the allocator hands out without touching it.

/// Slots in a group, which is bytes in a control word.
pub(super) const SLOTS: usize = 8;
/// The control byte of a slot never used since the table was made.
pub(super) const EMPTY: u8 = 0;
/// The control byte of a slot whose record was removed while a probe sequence may lead past it.
pub(super) const TOMBSTONE: u8 = 1;

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The control byte of a record with this hash. Its bits are neither those that choose the shard (the highest
/// twelve) nor, up to 2^45 groups, those that choose the group (the lowest).
pub(super) const fn fingerprint(hash: u64) -> u8 {
    (hash >> 45) as u8 | 0x80
}

/// Some of the slots of a group, ascending.
#[derive(Clone, Copy)]
pub(super) struct SlotSet(u64);

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
/// subtraction makes a byte differing in its lowest bit look equal); it is in use all the same, so the key
/// comparison decides.
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

/// The slots that can take a record: empty ones and tombstones.
#[inline]
pub(super) const fn free(word: u64) -> SlotSet {
    SlotSet(!word & HIGH_BITS)
}

/// Whether a slot is empty, so that no probe sequence leads past this group.
#[inline]
pub(super) const fn has_empty(word: u64) -> bool {
    !word & (!word << 7) & HIGH_BITS != 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_a_loop_over_bytes() {
        let bytes = [EMPTY, TOMBSTONE, 0x80, 0x81, 0xFE, 0xFF];
        for n in 0..6usize.pow(6) {
            let mut word = 0;
            for slot in 0..SLOTS {
                word = with(word, slot, bytes[n / 6usize.pow(slot as u32 % 6) % 6]);
            }
            let slots = |keep: &dyn Fn(u8) -> bool| {
                (0..SLOTS).filter(|&slot| keep(get(word, slot))).collect::<Vec<_>>()
            };
            assert_eq!(in_use(word).collect::<Vec<_>>(), slots(&|byte| byte >= 0x80));
            assert_eq!(free(word).collect::<Vec<_>>(), slots(&|byte| byte < 0x80));
            assert_eq!(has_empty(word), !slots(&|byte| byte == EMPTY).is_empty());
            for tag in [0x80, 0x81, 0xFE, 0xFF] {
                let exact = slots(&|byte| byte == tag);
                let found = matching(word, tag).collect::<Vec<_>>();
                assert!(exact.iter().all(|slot| found.contains(slot)), "{word:x} {tag:x}");
                assert_eq!(exact.first(), found.first(), "{word:x} {tag:x}");
                assert!(found.iter().all(|&slot| get(word, slot) | 1 == tag | 1));
            }
        }
    }
}
