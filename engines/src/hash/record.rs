//! A record: one heap allocation with the lengths of key and value, the key, the value, and whatever a
//! shorter value left over.

/// Bytes of the two lengths, each a `u32`.
const HEADER: usize = 8;
/// A value is replaced in place if that leaves no more unused bytes than this, or than a quarter of the
/// allocation.
const SLACK: usize = 64;

/// A record as a slot owns it. A plain box, because a slot must be of a type whose empty state is known to
/// the standard library to be all zeroes.
pub(super) type Record = Box<[u8]>;

/// A record of its own. Both lengths were checked against the engine's limits, far below 2^32.
pub(super) fn new(key: &[u8], value: &[u8]) -> Record {
    let mut bytes = Vec::with_capacity(HEADER + key.len() + value.len());
    bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
    bytes.into_boxed_slice()
}

#[inline]
fn lengths(record: &[u8]) -> (usize, usize) {
    match record.split_first_chunk::<HEADER>() {
        Some((&[a, b, c, d, e, f, g, h], _)) => {
            (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize)
        }
        None => (0, 0),
    }
}

/// The key of a record.
#[inline]
pub(super) fn key(record: &[u8]) -> &[u8] {
    let (key_len, _) = lengths(record);
    record.get(HEADER..HEADER + key_len).unwrap_or_default()
}

/// The value of a record.
#[inline]
pub(super) fn value(record: &[u8]) -> &[u8] {
    let (key_len, value_len) = lengths(record);
    let start = HEADER + key_len;
    record.get(start..start + value_len).unwrap_or_default()
}

/// Unused bytes behind the value.
pub(super) fn slack(record: &[u8]) -> usize {
    let (key_len, value_len) = lengths(record);
    record.len() - HEADER - key_len - value_len
}

/// Replaces the value: in place if it fits and does not waste too much, otherwise in a new allocation.
pub(super) fn replace(record: &mut Record, value: &[u8]) {
    let (key_len, _) = lengths(record);
    let start = HEADER + key_len;
    let end = start + value.len();
    let in_place = record.len().checked_sub(end).is_some_and(|rest| rest <= SLACK.max(record.len() / 4));
    match record.get_mut(start..end) {
        Some(room) if in_place => {
            room.copy_from_slice(value);
            if let Some(length) = record.get_mut(4..HEADER) {
                length.copy_from_slice(&(value.len() as u32).to_le_bytes());
            }
        }
        _ => *record = new(key(record), value),
    }
}

/// Gives back unused bytes behind the value.
pub(super) fn trim(record: &mut Record) {
    if slack(record) > 0 {
        *record = new(key(record), value(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_in_place_while_it_fits() {
        let mut record = new(b"key", &[7; 100]);
        let address = record.as_ptr();
        for len in [100, 40, 100, 60] {
            replace(&mut record, &vec![len as u8; len]);
            assert_eq!((key(&record), value(&record)), (b"key".as_slice(), vec![len as u8; len].as_slice()));
            assert_eq!(record.as_ptr(), address);
        }
        assert_eq!(slack(&record), 40);
        trim(&mut record);
        assert_eq!((record.len(), slack(&record), value(&record)), (8 + 3 + 60, 0, [60; 60].as_slice()));
    }

    #[test]
    fn a_value_that_does_not_fit_or_wastes_gets_a_new_allocation() {
        let mut record = new(b"", b"");
        replace(&mut record, &[1; 1000]);
        assert_eq!((key(&record), value(&record), slack(&record)), (b"".as_slice(), [1; 1000].as_slice(), 0));
        replace(&mut record, b"short");
        assert_eq!((value(&record), slack(&record)), (b"short".as_slice(), 0));
    }
}
