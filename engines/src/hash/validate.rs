//! The check of every invariant of a shard.
//!
//! Thread safety: under the shard's latch.

use super::arena::FAR;
use super::control::{OVERFLOW_MOST, SLOTS};
use super::directory::Place;
use super::hasher::tag;
use super::segment::Segment;
use super::shard::{Common, Latched};
use std::collections::HashSet;

/// What the segments of a shard add up to.
#[derive(Default)]
struct Sum {
    records: u64,
    bytes: u64,
    slots: u64,
    segments: u64,
}

impl Latched<'_, '_> {
    /// Checks the shard; the first violation in words.
    pub(super) fn check(&self, common: &Common, number: usize, live_bytes: u64) -> Result<(), String> {
        let (mut sum, mut addresses) = (Sum::default(), HashSet::new());
        let mut path = Some(0);
        while let Some(from) = path {
            let place = self.place_at(from).ok_or_else(|| format!("path {from:x} leads nowhere"))?;
            if place.first_path(from) != from {
                return Err(format!("the segment at path {from:x} begins before it"));
            }
            check_segment(&place, common, number, from, &mut sum, &mut addresses)
                .map_err(|message| format!("segment at path {from:x}: {message}"))?;
            path = place.next_path(from);
        }
        let figures = self.figures();
        if sum.records != figures.records || sum.slots != figures.slots || sum.segments != figures.segments {
            return Err(format!(
                "{} records in {} slots of {} segments, but {figures:?}",
                sum.records, sum.slots, sum.segments
            ));
        }
        if sum.bytes != live_bytes {
            return Err(format!("{} bytes of keys and values, but {live_bytes} accounted", sum.bytes));
        }
        Ok(())
    }
}

fn check_segment(
    place: &Place<'_>,
    common: &Common,
    number: usize,
    from: u64,
    sum: &mut Sum,
    addresses: &mut HashSet<u64>,
) -> Result<(), String> {
    let segment = place.segment;
    if segment.count() as u64 != place.count() {
        return Err(format!("{} records, {} counted", segment.count(), place.count()));
    }
    if !place.entries_agree() {
        return Err("its entries do not agree".to_owned());
    }
    let lines = segment.lines();
    let mut passed = vec![0_u64; lines];
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut seen = 0;
    for (fingerprint, slot, home) in segment.records() {
        key.clear();
        value.clear();
        let record = slot.record();
        record.append_key(&mut key);
        slot.append_value(&mut value);
        let hash = common.hasher.hash(&key);
        let path = hash.path(common.shard_bits);
        if hash.shard(common.shard_bits) != number || place.first_path(path) != from {
            return Err(format!("key {key:?} does not belong here"));
        }
        if hash.fingerprint() != fingerprint || tag(path) != slot.tag() {
            return Err(format!("fingerprint or tag of key {key:?} is wrong"));
        }
        if record.is_dead() {
            return Err(format!("key {key:?} is dead"));
        }
        if !addresses.insert(slot.address()) {
            return Err(format!("key {key:?} is in two slots"));
        }
        let begins = hash.home(lines);
        if home.is_some_and(|home| home != begins) {
            return Err(format!("home of key {key:?} is {begins}, not {home:?}"));
        }
        let distance = distance_of(segment, begins, slot.address()).ok_or("a record beyond its lines")?;
        if distance.min(FAR) != slot.distance() {
            return Err(format!("key {key:?} lies {distance} lines from home, not {}", slot.distance()));
        }
        let (before, behind) = passed.split_at_mut(begins);
        behind.iter_mut().chain(before).take(distance).for_each(|count| *count += 1);
        let found = segment.find(common.wanted(hash), &key);
        if found.map(|found| found.slot) != Some(slot) {
            return Err(format!("key {key:?} is not found, or twice there"));
        }
        seen += 1;
        sum.bytes += (key.len() + value.len()) as u64;
    }
    if seen != segment.count() {
        return Err(format!("{seen} slots lead to records, {} are in use", segment.count()));
    }
    for (line, ((in_use, overflow), passed)) in segment.occupancy().zip(passed).enumerate() {
        if in_use.len() > SLOTS || (overflow != passed && overflow != OVERFLOW_MOST) {
            return Err(format!("line {line} counts {overflow} led past it, {passed} were"));
        }
    }
    sum.records += seen as u64;
    sum.slots += segment.slots() as u64;
    sum.segments += 1;
    Ok(())
}

/// Lines from a home to the one that a record lies in.
fn distance_of(segment: Segment<'_>, home: usize, address: u64) -> Option<usize> {
    segment.line_of(address).map(|line| (line + segment.lines() - home) % segment.lines())
}
