//! The records that checks work with.

use super::random::Random;
use crate::engine::Capabilities;

/// A key and its value.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// Key number `n`: big-endian, so that byte order is the order of the numbers.
pub(super) fn numbered_key(n: usize) -> Vec<u8> {
    format!("key{n:08}").into_bytes()
}

/// A value of `len` bytes that differs from those of other seeds.
pub(super) fn value(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut value = Vec::with_capacity(len + 8);
    while value.len() < len {
        value.extend_from_slice(&random.next().to_le_bytes());
    }
    value.truncate(len);
    value
}

/// `count` records of ascending keys with values of 0 to 199 bytes.
pub(super) fn numbered(count: usize) -> Vec<Record> {
    (0..count).map(|n| (numbered_key(n), value((n * 37) % 200, n as u64))).collect()
}

/// Keys that are easily confused: empty, zero bytes, 0xFF bytes, prefixes of each other, long shared prefixes, and long
/// ones up to the limit. Ascending, without duplicates.
pub(super) fn awkward_keys(capabilities: &Capabilities) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
    let alphabet = [0x00, 0x01, b'a', 0x7F, 0x80, 0xFE, 0xFF];
    for a in alphabet {
        keys.push(vec![a]);
        for b in alphabet {
            keys.push(vec![a, b]);
            keys.push(vec![b'k', a, b, 0x00]);
        }
    }
    for shared in [7, 8, 9, 15, 16, 17, 63, 255, 256, 1_000] {
        for tail in [&[][..], &[0x00], &[0xFF], &[0x00, 0x00], b"x", b"xy"] {
            keys.push([&vec![b'p'; shared], tail].concat());
            keys.push([&vec![0xFF; shared], tail].concat());
            keys.push([&vec![0x00; shared], tail].concat());
        }
    }
    for len in [4_096, 60_000] {
        keys.push(vec![b'l'; len]);
        let mut other = vec![b'l'; len];
        other[len - 1] = b'm';
        keys.push(other);
    }
    keys.retain(|key| key.len() <= capabilities.max_key_bytes);
    keys.sort();
    keys.dedup();
    keys
}

/// A record for each of [`awkward_keys`].
pub(super) fn awkward(capabilities: &Capabilities) -> Vec<Record> {
    let keys = awkward_keys(capabilities).into_iter().enumerate();
    keys.map(|(n, key)| (key, value((n * 13) % 70, n as u64))).collect()
}
