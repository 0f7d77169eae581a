//! The bytes of a file: live, as of the last sync, and what has changed in between.

use super::image::{Persistence, choose_states};
use super::random::SimRandom;
use std::collections::BTreeMap;

/// Bytes that a device writes as a whole, or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug)]
enum Change {
    /// Bytes at a position, which may make the file longer.
    Write { position: usize, bytes: Vec<u8> },
    /// Another length.
    Resize(usize),
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Inode {
    live: Vec<u8>,
    synced: Vec<u8>,
    changes: Vec<Change>,
    /// Sectors that were made durable by themselves, and how many of the changes came before that.
    durable_sectors: BTreeMap<usize, usize>,
}

impl Inode {
    /// One in which these bytes are durable.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self { synced: bytes.clone(), live: bytes, ..Self::default() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn write(&mut self, position: usize, bytes: &[u8]) {
        put(&mut self.live, position, bytes);
        self.changes.push(Change::Write { position, bytes: bytes.to_vec() });
    }

    pub(super) fn resize(&mut self, len: usize) {
        if len != self.live.len() {
            self.live.resize(len, 0);
            self.changes.push(Change::Resize(len));
        }
    }

    /// Writes bytes whose sectors are durable then, and no others.
    pub(super) fn write_durably(&mut self, position: usize, bytes: &[u8]) {
        self.write(position, bytes);
        let first = position / SECTOR_BYTES;
        for sector in first..(position + bytes.len()).div_ceil(SECTOR_BYTES) {
            let start = sector * SECTOR_BYTES;
            let end = (start + SECTOR_BYTES).min(self.live.len());
            let whole = self.live.get(start..end).unwrap_or_default().to_vec();
            put(&mut self.synced, start, &whole);
            self.durable_sectors.insert(sector, self.changes.len());
        }
    }

    /// Makes durable what has changed since the last sync, or since one that failed.
    pub(super) fn sync(&mut self) {
        self.durable_sectors.clear();
        for change in self.changes.drain(..) {
            match change {
                Change::Write { position, bytes } => put(&mut self.synced, position, &bytes),
                Change::Resize(len) => self.synced.resize(len, 0),
            }
        }
    }

    /// A sync has failed: its users go on seeing what has changed, the system takes it for written, and it is not. (So does Linux.)
    pub(super) fn fail_sync(&mut self) {
        self.durable_sectors.clear();
        self.changes.clear();
    }

    /// The bytes after a power cut. The length is that of some moment since the last sync. Each sector holds what it held at some
    /// moment since then, sectors being independent of one another; beyond the length of that moment it is zero, so a file may have grown
    /// and be empty there. With [`Persistence::Torn`] a sector may end in the middle of a write, at any byte.
    pub(super) fn image(&self, persistence: Persistence, random: &mut SimRandom) -> Vec<u8> {
        match persistence {
            Persistence::Nothing => return self.synced.clone(),
            Persistence::Everything => return self.live.clone(),
            Persistence::Sizes => {
                let mut bytes = self.synced.clone();
                bytes.resize(self.live.len(), 0);
                return bytes;
            }
            Persistence::Some | Persistence::Torn => {}
        }
        let mut bytes = self.synced.clone();
        let mut lens = vec![bytes.len()];
        for change in &self.changes {
            let len = lens.last().copied().unwrap_or_default();
            lens.push(match change {
                Change::Write { position, bytes } => len.max(position + bytes.len()),
                Change::Resize(len) => *len,
            });
        }
        let resized = choose_states(self.changes.len(), random);
        let len = lens.get(resized).copied().unwrap_or_default();
        bytes.resize(len, 0);
        let mut moments = BTreeMap::new();
        for (index, change) in self.changes.iter().enumerate() {
            match change {
                Change::Write { position, bytes: written } => {
                    for (start, piece) in by_sector(*position, written) {
                        let sector = start / SECTOR_BYTES;
                        let durable = self.durable_sectors.get(&sector).copied().unwrap_or(0);
                        let moment = *moments
                            .entry(sector)
                            .or_insert_with(|| choose_states(self.changes.len(), random).max(durable));
                        if index < durable {
                            // It lies in what is durable already.
                        } else if index < moment {
                            put_within(&mut bytes, start, piece);
                        } else if index == moment && persistence == Persistence::Torn {
                            let part = piece.get(..random.below(piece.len() + 1)).unwrap_or_default();
                            put_within(&mut bytes, start, part);
                        }
                    }
                }
                // What was cut off is gone, also if the file has become longer since.
                Change::Resize(len) if index < resized => {
                    bytes.iter_mut().skip(*len).for_each(|byte| *byte = 0)
                }
                Change::Resize(_) => {}
            }
        }
        bytes
    }
}

/// The pieces of some bytes that lie in different sectors, and where they start.
fn by_sector(position: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let first = (SECTOR_BYTES - position % SECTOR_BYTES).min(bytes.len());
    let (head, rest) = bytes.split_at(first);
    let rest_start = position + first;
    let rest = rest.chunks(SECTOR_BYTES).enumerate();
    std::iter::once((position, head))
        .chain(rest.map(move |(index, piece)| (rest_start + index * SECTOR_BYTES, piece)))
        .filter(|(_, piece)| !piece.is_empty())
}

/// Puts bytes there, and makes room for them.
fn put(bytes: &mut Vec<u8>, position: usize, new: &[u8]) {
    let end = position + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    put_within(bytes, position, new);
}

/// Puts there what there is room for.
fn put_within(bytes: &mut [u8], position: usize, new: &[u8]) {
    for (place, byte) in bytes.iter_mut().skip(position).zip(new) {
        *place = *byte;
    }
}
