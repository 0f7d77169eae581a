//! Frames in the bytes of a segment.

use super::format::{
    FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, take_operation,
};
use crate::checksum::crc32c;

/// A frame that is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) header: FrameHeader,
    pub(super) payload: &'a [u8],
}

/// The frames of a segment from its first one on, as long as they are whole and their numbers go on.
#[derive(Clone, Debug)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    seed: u32,
    at: usize,
    expected: u64,
    is_sealed: bool,
}

impl<'a> Frames<'a> {
    pub(super) const fn new(bytes: &'a [u8], seed: u32, first: u64) -> Self {
        Self { bytes, seed, at: SEGMENT_HEADER_BYTES, expected: first, is_sealed: false }
    }

    /// The frames from the first one on that starts at this position or behind it, is whole, and has this number or a higher one.
    pub(super) fn first_behind(bytes: &'a [u8], seed: u32, from: usize, number: u64) -> Option<Self> {
        let mut at = from.next_multiple_of(FRAME_ALIGN);
        while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<FRAME_HEADER_BYTES>) {
            if chunk.iter().any(|byte| *byte != 0)
                && let Some(header) = FrameHeader::decode(chunk, seed)
                && header.sequence >= number
            {
                let frames = Self { bytes, seed, at, expected: header.sequence, is_sealed: false };
                if frames.clone().next().is_some() {
                    return Some(frames);
                }
            }
            at += FRAME_ALIGN;
        }
        None
    }

    /// Where the next frame starts, or would.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// The number of the next frame.
    pub(super) const fn expected(&self) -> u64 {
        self.expected
    }

    /// Whether the last frame said that the log goes on in the next segment.
    pub(super) const fn is_sealed(&self) -> bool {
        self.is_sealed
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.is_sealed {
            return None;
        }
        let rest = self.bytes.get(self.at..)?;
        let header = FrameHeader::decode(rest.first_chunk()?, self.seed)?;
        let payload = rest.get(FRAME_HEADER_BYTES..)?.get(..header.payload_len as usize)?;
        if header.sequence != self.expected || crc32c(0, payload) != header.payload_crc {
            return None;
        }
        self.at += header.frame_len();
        self.expected += 1;
        self.is_sealed = header.kind == FrameKind::Seal;
        Some(Frame { header, payload })
    }
}

/// The highest number that any frame behind a position knows to be durable, however much lies broken in between.
pub(super) fn highest_synced(bytes: &[u8], from: usize, seed: u32) -> Option<u64> {
    let mut highest = None;
    let mut at = from.next_multiple_of(FRAME_ALIGN);
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<FRAME_HEADER_BYTES>) {
        // Most of what is behind a log's end are zeros.
        if chunk.iter().any(|byte| *byte != 0)
            && let Some(header) = FrameHeader::decode(chunk, seed)
        {
            highest = highest.max(Some(header.synced));
        }
        at += FRAME_ALIGN;
    }
    highest
}

/// What a frame, or an operation of a batch, did to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome<'a> {
    /// It was inserted or replaced.
    Set(&'a [u8], &'a [u8]),
    /// It was replaced if it was there.
    Update(&'a [u8], &'a [u8]),
    /// It was removed.
    Delete(&'a [u8]),
}

impl<'a> Outcome<'a> {
    /// The key.
    pub const fn key(&self) -> &'a [u8] {
        match self {
            Self::Set(key, _) | Self::Update(key, _) | Self::Delete(key) => key,
        }
    }

    /// The value that it got.
    pub const fn value(&self) -> Option<&'a [u8]> {
        match self {
            Self::Set(_, value) | Self::Update(_, value) => Some(value),
            Self::Delete(_) => None,
        }
    }
}

impl Frame<'_> {
    /// Visits what it did. `false` if the frame is malformed, which its checksum makes as good as impossible.
    pub(super) fn outcomes(&self, visit: &mut impl FnMut(Outcome<'_>)) -> bool {
        match self.header.kind {
            FrameKind::Mark | FrameKind::Seal => true,
            FrameKind::Set | FrameKind::Update => {
                let Some((key, value)) = self.payload.split_at_checked(self.header.key_len as usize) else {
                    return false;
                };
                let is_set = self.header.kind == FrameKind::Set;
                visit(if is_set { Outcome::Set(key, value) } else { Outcome::Update(key, value) });
                true
            }
            FrameKind::Delete => {
                visit(Outcome::Delete(self.payload));
                true
            }
            FrameKind::Batch => {
                let mut rest = self.payload;
                while !rest.is_empty() {
                    let Some((key, value, behind)) = take_operation(rest) else { return false };
                    visit(value.map_or(Outcome::Delete(key), |value| Outcome::Set(key, value)));
                    rest = behind;
                }
                true
            }
        }
    }
}
