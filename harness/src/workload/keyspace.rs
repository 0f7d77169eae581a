//! From record numbers to keys.
//!
//! A key is the prefix and decimal digits: of the number itself (`ordered`), or of YCSB's hash of it (`hashed`), padded
//! with zeros to a least number of digits.
//!
//! *Collisions.* The hash has 63 bits. No two of the first 10⁸ record numbers hash alike (tried once; a test repeats it for
//! the first million). Of n random hashes n² / 2⁶⁴ pairs are alike on average: 5 · 10⁻⁶ for n = 10⁷, .05 for n = 10⁹.

use super::plan::{KeyOrder, KeyPlan};

/// Bytes of a key's slot in a block: a prefix of up to 16 bytes and up to 20 digits, rounded up.
const SLOT: usize = 40;
/// Digits of the greatest 64-bit number.
const DIGITS: usize = 20;
/// The longest prefix that the quick way takes.
const PREFIX: usize = 16;

/// YCSB's `fnvhash64`: FNV-1a over the eight bytes of the number, least significant first, then the absolute value as a
/// signed number.
#[inline]
pub fn fnv1a(number: u64) -> u64 {
    const PRIME: u64 = 1_099_511_628_211;
    const PRIME_2: u64 = PRIME.wrapping_mul(PRIME);
    let [a, b, c, d, rest @ ..] = number.to_le_bytes();
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let hash = [a, b, c, d].into_iter().fold(0xCBF2_9CE4_8422_2325, step);
    let hash = if number >> 32 == 0 {
        // Four bytes of zero: four multiplications in one.
        hash.wrapping_mul(PRIME_2.wrapping_mul(PRIME_2))
    } else {
        rest.into_iter().fold(hash, step)
    };
    hash.cast_signed().unsigned_abs()
}

/// Makes keys.
#[derive(Clone, Debug)]
pub struct KeySpace {
    order: KeyOrder,
    prefix: Vec<u8>,
    /// The prefix at the end of 16 bytes, so that it is copied in one move; `None` if it is longer.
    short_prefix: Option<[u8; PREFIX]>,
    /// Least number of digits, at least 1.
    padding: usize,
}

/// Where a key lies in a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeySpan {
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

impl KeySpace {
    /// The keys of a plan.
    pub fn new(plan: &KeyPlan) -> Self {
        let prefix = plan.prefix.as_bytes().to_vec();
        let padding = (plan.zero_padding as usize).max(1);
        let mut short = [0; PREFIX];
        let short_prefix = PREFIX
            .checked_sub(prefix.len())
            .and_then(|pad| short.get_mut(pad..))
            .map(|end| end.copy_from_slice(&prefix))
            .filter(|()| padding <= DIGITS)
            .map(|()| short);
        Self { order: plan.order, prefix, short_prefix, padding }
    }

    /// The most bytes a key and the room around it take.
    pub fn max_bytes(&self) -> usize {
        (self.prefix.len() + self.padding.max(DIGITS)).max(SLOT)
    }

    /// The number whose digits the key of a record has.
    #[inline]
    fn number(&self, record: u64) -> u64 {
        match self.order {
            KeyOrder::Hashed => fnv1a(record),
            KeyOrder::Ordered => record,
        }
    }

    /// Appends the key of one record.
    pub fn write(&self, record: u64, out: &mut Vec<u8>) {
        let number = self.number(record);
        let digits = digits(number);
        let significant = significant(number);
        out.extend_from_slice(&self.prefix);
        out.resize(out.len() + self.padding.saturating_sub(significant), b'0');
        out.extend_from_slice(digits.get(DIGITS - significant..).unwrap_or_default());
    }

    /// Writes the keys of all records into `keys`, over what was there, and where each lies into `spans`. There may be
    /// unused bytes between them. `numbers` is room for intermediate results.
    pub fn write_all(
        &self,
        records: &[u64],
        numbers: &mut Vec<u64>,
        keys: &mut Vec<u8>,
        spans: &mut Vec<KeySpan>,
    ) {
        spans.clear();
        let Some(prefix) = &self.short_prefix else {
            keys.clear();
            for &record in records {
                let start = keys.len();
                self.write(record, keys);
                spans.push(KeySpan { start: start as u32, len: (keys.len() - start) as u32 });
            }
            return;
        };
        numbers.clear();
        match self.order {
            KeyOrder::Hashed => numbers.extend(records.iter().map(|&record| fnv1a(record))),
            KeyOrder::Ordered => numbers.extend_from_slice(records),
        }
        keys.resize(records.len() * SLOT, 0);
        let (slots, _) = keys.as_chunks_mut::<SLOT>();
        let mut end = 0;
        spans.extend(slots.iter_mut().zip(numbers.iter()).map(|(slot, &number)| {
            end += SLOT as u32;
            // All digits at the end of the slot; then the prefix just before the first that counts, over leading zeros.
            let count = if self.padding >= DIGITS { DIGITS } else { significant(number).max(self.padding) };
            if let Some(place) = slot.last_chunk_mut::<DIGITS>() {
                *place = digits(number);
            }
            let place = slot.get_mut(..SLOT - count).and_then(|head| head.last_chunk_mut::<PREFIX>());
            if let Some(place) = place {
                *place = *prefix;
            }
            let len = (self.prefix.len() + count) as u32;
            KeySpan { start: end - len, len }
        }));
    }
}

/// How many digits a number has; 0 has one.
#[inline]
fn significant(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// All twenty digits of a number, with leading zeros.
#[inline]
fn digits(number: u64) -> [u8; DIGITS] {
    const EIGHT: u64 = 100_000_000;
    let (upper, low) = (number / EIGHT, (number % EIGHT) as u32);
    let (high, middle) = ((upper / EIGHT) as u32, (upper % EIGHT) as u32);
    let mut digits = [0; DIGITS];
    let (head, tail) = digits.split_at_mut(DIGITS - 16);
    if let (Some(head), Some((first, second))) =
        (head.first_chunk_mut::<4>(), tail.split_first_chunk_mut::<8>())
    {
        *head = four_digits(high).to_le_bytes();
        *first = eight_digits(middle).to_le_bytes();
        if let Some(second) = second.first_chunk_mut::<8>() {
            *second = eight_digits(low).to_le_bytes();
        }
    }
    digits
}

/// The eight ASCII digits of a number below 10⁸, the first in the lowest byte: split in halves three times, all parts of
/// a level in one word.
#[inline]
const fn eight_digits(number: u32) -> u64 {
    let number = number as u64;
    // Two numbers below 10⁴, then four below 100, then eight below 10; the multiplications divide exactly in that range.
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let quarters = hundreds | ((halves - hundreds * 100) << 16);
    let tens = ((quarters * 103) >> 10) & 0x000F_000F_000F_000F;
    let all = tens | ((quarters - tens * 10) << 8);
    all | 0x3030_3030_3030_3030
}

/// The four ASCII digits of a number below 10⁴, the first in the lowest byte.
#[inline]
const fn four_digits(number: u32) -> u32 {
    let hundreds = (number * 10_486) >> 20;
    let halves = hundreds | ((number - hundreds * 100) << 16);
    let tens = ((halves * 103) >> 10) & 0x000F_000F;
    (tens | ((halves - tens * 10) << 8)) | 0x3030_3030
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(order: KeyOrder, prefix: &str, zero_padding: u32) -> KeySpace {
        KeySpace::new(&KeyPlan { order, prefix: prefix.into(), zero_padding })
    }

    fn key(space: &KeySpace, record: u64) -> String {
        let mut one = Vec::new();
        space.write(record, &mut one);
        String::from_utf8(one).unwrap()
    }

    #[test]
    fn keys_are_those_of_ycsb() {
        let hashed = space(KeyOrder::Hashed, "user", 1);
        assert_eq!(key(&hashed, 0), "user6284781860667377211");
        assert_eq!(key(&hashed, 1), "user8517097267634966620");
        assert_eq!(key(&hashed, 2), "user1820151046732198393");
        assert_eq!(key(&space(KeyOrder::Ordered, "user", 1), 42), "user42");
        assert_eq!(key(&space(KeyOrder::Ordered, "", 12), 42), "000000000042");
    }

    #[test]
    fn all_at_once_is_the_same_as_one_by_one() {
        let records: Vec<u64> =
            (0..300).chain((0..20).map(|e| 10u64.pow(e))).chain([u64::MAX, 99_999_999]).collect();
        for order in [KeyOrder::Hashed, KeyOrder::Ordered] {
            for prefix in ["", "user", "sixteen bytes ok", "seventeen bytes x"] {
                for padding in [0, 1, 5, 19, 20, 21, 40] {
                    let space = space(order, prefix, padding);
                    let (mut numbers, mut keys, mut spans) = (vec![], vec![7; 9], vec![]);
                    space.write_all(&records, &mut numbers, &mut keys, &mut spans);
                    assert_eq!(spans.len(), records.len());
                    for (&record, span) in records.iter().zip(&spans) {
                        let (start, len) = (span.start as usize, span.len as usize);
                        let number = if order == KeyOrder::Hashed { fnv1a(record) } else { record };
                        let expected = format!("{prefix}{number:0width$}", width = (padding as usize).max(1));
                        assert_eq!(std::str::from_utf8(&keys[start..start + len]).unwrap(), expected);
                        assert_eq!(key(&space, record), expected);
                        assert!(len <= space.max_bytes());
                    }
                }
            }
        }
    }

    #[test]
    fn every_group_of_digits_is_right() {
        for number in 0..10_000u32 {
            assert_eq!(four_digits(number).to_le_bytes().as_slice(), format!("{number:04}").as_bytes());
            for number in [number, number * 10_000, number * 10_000 + number] {
                assert_eq!(eight_digits(number).to_le_bytes().as_slice(), format!("{number:08}").as_bytes());
            }
        }
    }

    #[test]
    fn no_two_of_the_first_million_hash_alike() {
        let mut hashes: Vec<u64> = (0..1_000_000).map(fnv1a).collect();
        hashes.sort_unstable();
        assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
