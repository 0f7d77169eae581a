//! Which entries go to which segment of a window.
//!
//! Evenly by their bytes, as a rule. When inserts hammer one spot, an even spread puts most room where nobody
//! inserts; the adaptive packed-memory array (M. Bender & H. Hu, *An Adaptive Packed-Memory Array*, 2007) spreads unevenly
//! instead, guided by where the last inserts went. Here the guide is the simplest that serves: a run of inserts next to
//! each other, which ascending and descending loads are. At each level the half without the spot is filled to the middle
//! of its own and its parent's upper density, the half with the spot gets the rest. Half of the slack that the amortised
//! bound rests on stays in each half, so a change of the pattern costs at most twice as much as after an even spread. After
//! a run of as many inserts as the window has segments, the half without the spot is packed: should the pattern change,
//! one even rebalance a level makes up for it, which the run has paid for.
//!
//! A plan is the list of the indexes at which segments begin, and behind them the number of entries.

use super::gathered::Gathered;
use super::geometry::Geometry;

/// Where a run of inserts is going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hot {
    /// The index among the entries of the one just inserted.
    pub(super) index: usize,
    /// How many inserts in a row went next to the one before.
    pub(super) run: usize,
}

/// How full the segments away from a long run are packed.
const PACKED: f64 = 0.97;
/// The segments where a run goes on keep one part in so many of their room in use, so that none gets empty.
const HOT_FEWEST_PART: usize = 6;
/// A run that is not longer than this may be chance.
const SHORT_RUN: usize = 8;

impl Hot {
    /// Whether it is worth an uneven spread.
    pub(super) fn is_hot(self) -> bool {
        self.run >= SHORT_RUN
    }
}

/// Spreads the entries over so many segments, each of which gets one at least. `None` if a segment would have to hold
/// more than its room, which entries of very different lengths can cause, or if there are too few entries.
pub(super) fn spread(
    geometry: &Geometry,
    entries: &Gathered,
    segments: usize,
    hot: Option<Hot>,
    level: u32,
    height: u32,
) -> Option<Vec<usize>> {
    if let Some(hot) = hot.filter(|hot| hot.is_hot() && segments > 1) {
        let mut targets = vec![0; segments];
        // The room belongs behind the inserted entry as well as before it.
        let spot = entries.cost_before(hot.index + 1).min(entries.cost());
        let packs = hot.run >= segments;
        uneven(geometry, &mut targets, entries.cost(), spot, packs, level, height);
        if let Some(plan) = cut(entries, &targets, geometry.room()) {
            return Some(plan);
        }
    }
    let mut targets = vec![0; segments];
    even(&mut targets, entries.cost());
    cut(entries, &targets, geometry.room())
}

/// Packs the entries from the front, each segment as full as it gets. Entries are shorter than a segment's room.
pub(super) fn pack(entries: &Gathered, room: usize) -> Vec<usize> {
    let mut plan = vec![0];
    let mut start = 0;
    for index in 0..entries.len() {
        if entries.cost_before(index + 1) - start > room {
            plan.push(index);
            start = entries.cost_before(index);
        }
    }
    plan.push(entries.len());
    plan
}

fn even(targets: &mut [usize], bytes: usize) {
    let segments = targets.len();
    for (index, target) in targets.iter_mut().enumerate() {
        *target = bytes * (index + 1) / segments - bytes * index / segments;
    }
}

/// Gives each segment of a window its share of so many bytes, the hot spot lying behind `spot` of them.
fn uneven(
    geometry: &Geometry,
    mut targets: &mut [usize],
    mut bytes: usize,
    mut spot: usize,
    packs: bool,
    mut level: u32,
    height: u32,
) {
    while targets.len() > 1 && level > 0 {
        let len = targets.len();
        let (left, right) = targets.split_at_mut(len.next_power_of_two() / 2);
        let go_right = spot * len >= bytes * left.len();
        let (cold, hot) = if go_right { (left, right) } else { (right, left) };
        let middle = f64::midpoint(geometry.upper(level, height), geometry.upper(level - 1, height));
        let density = if packs { PACKED } else { middle };
        let wanted = (density * (cold.len() * geometry.room()) as f64) as usize;
        // The next insert must land in the hot half, or else the cold one fills up at once.
        let up_to_spot = if go_right { spot } else { bytes - spot };
        let hot_fewest = hot.len() * geometry.room() / HOT_FEWEST_PART;
        let fair = bytes * cold.len() / len;
        let cold_bytes = wanted.min(bytes.saturating_sub(hot_fewest)).min(up_to_spot).max(fair).min(bytes);
        even(cold, cold_bytes);
        bytes -= cold_bytes;
        if go_right {
            spot = spot.saturating_sub(cold_bytes);
        }
        spot = spot.min(bytes);
        level -= 1;
        targets = hot;
    }
    even(targets, bytes);
}

/// Cuts the entries where the sums of the targets fall, to the nearest entry.
fn cut(entries: &Gathered, targets: &[usize], room: usize) -> Option<Vec<usize>> {
    let (mut plan, mut index, mut sum) = (vec![0], 0, 0);
    for (segment, target) in targets.iter().enumerate() {
        let start = index;
        sum += target;
        let behind = targets.len() - segment - 1;
        let last = entries.len().checked_sub(behind)?;
        if behind == 0 {
            index = last;
        } else {
            while index < last && entries.cost_before(index) + entries.cost_before(index + 1) <= 2 * sum {
                index += 1;
            }
            index = index.max(start + 1);
        }
        // Nothing takes one segment.
        let is_short = index <= start && targets.len() > 1;
        if is_short || index > last || entries.cost_before(index) - entries.cost_before(start) > room {
            return None;
        }
        plan.push(index);
    }
    Some(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ArrayOptions;
    use crate::array::segment::Entry;
    use crate::options::ByteSize;

    fn entries(count: usize, len: impl Fn(usize) -> usize) -> Gathered {
        let mut gathered = Gathered::default();
        let value = [0; 300];
        for n in 0..count {
            gathered.push(&Entry::inside(b"k", &value[..len(n)]));
        }
        gathered
    }

    #[test]
    fn every_plan_keeps_the_limits_of_a_segment() {
        for segment_bytes in [256, 1024] {
            let geometry = Geometry::new(&ArrayOptions {
                segment_bytes: ByteSize(segment_bytes),
                ..ArrayOptions::default()
            });
            let longest = geometry.entry_bytes_most() - 2;
            let mut made = 0;
            for segments in 1..if cfg!(miri) { 4 } else { 20 } {
                let height = Geometry::height(segments);
                for count in (segments..segments * 20).step_by(7) {
                    let entries = entries(count, |n| n * 7919 % longest);
                    for index in [0, count / 3, count - 1] {
                        for run in [0, 100] {
                            let plan = spread(
                                &geometry,
                                &entries,
                                segments,
                                Some(Hot { index, run }),
                                height,
                                height,
                            );
                            let Some(plan) = plan else { continue };
                            made += 1;
                            assert_eq!((plan.len(), plan[0], plan[segments]), (segments + 1, 0, count));
                            for pair in plan.windows(2) {
                                assert!(pair[0] < pair[1]);
                                let bytes = entries.cost_before(pair[1]) - entries.cost_before(pair[0]);
                                assert!(bytes <= geometry.room());
                            }
                        }
                    }
                    if entries.cost() * 4 <= segments * geometry.room() * 3 {
                        assert!(
                            spread(&geometry, &entries, segments, None, 0, 0).is_some(),
                            "three quarters full"
                        );
                    }
                }
            }
            assert!(made > 100 || cfg!(miri), "{made} plans");
        }
    }

    #[test]
    fn the_room_is_where_the_inserts_are() {
        let geometry =
            Geometry::new(&ArrayOptions { segment_bytes: ByteSize(1024), ..ArrayOptions::default() });
        let entries = entries(900, |_| 10);
        let sizes = |index| {
            let plan = spread(&geometry, &entries, 20, Some(Hot { index, run: 100 }), 5, 8).unwrap();
            plan.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
        };
        let (up, down) = (sizes(899), sizes(0));
        assert!(up[19] < 35 && up[0] > 50, "{up:?}");
        assert!(down[0] < 35 && down[19] > 50, "{down:?}");
    }

    #[test]
    fn packed_segments_have_no_room_for_the_entry_behind_them() {
        let entries = entries(1_000, |n| n * 7919 % 200);
        let plan = pack(&entries, 1_000);
        for pair in plan.windows(2) {
            let bytes = |end| entries.cost_before(end) - entries.cost_before(pair[0]);
            assert!(bytes(pair[1]) <= 1_000 && (pair[1] == 1_000 || bytes(pair[1] + 1) > 1_000));
        }
        assert_eq!(pack(&Gathered::default(), 1_000), [0, 0], "nothing takes one segment");
    }
}
