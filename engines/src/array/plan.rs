//! How many records each segment of a window gets in a rebalance.
//!
//! Evenly, as a rule. When inserts hammer one spot, an even spread puts most gaps where nobody inserts; the adaptive
//! packed-memory array (M. Bender & H. Hu, *An Adaptive Packed-Memory Array*, 2007) spreads unevenly instead, guided by
//! where the last inserts went. Here the guide is the simplest that serves: a run of inserts next to each other, which
//! ascending and descending loads are. At each level the half without the spot is filled to the middle of its own and its
//! parent's upper density, the half with the spot gets the rest. Half of the slack that the amortised bound
//! rests on stays in each half, so a change of the pattern costs at most twice as much as after an even spread.

#![expect(
    clippy::indexing_slicing,
    reason = "halves are cut from the window, whose length is the number of segments planned for"
)]

use super::geometry::Geometry;

/// Where a run of inserts is going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hot {
    /// The rank of the next insert among the records of the window.
    pub(super) rank: usize,
    /// The level of the window and of the whole array.
    pub(super) level: u32,
    pub(super) height: u32,
}

/// Spreads `records` evenly: two segments differ by one at the most.
pub(super) fn even(targets: &mut [u16], records: usize) {
    let segments = targets.len();
    for (index, target) in targets.iter_mut().enumerate() {
        *target = (records * (index + 1) / segments - records * index / segments) as u16;
    }
}

/// Spreads `records` so that the room is where the inserts are. The window holds enough records for each segment's
/// minimum and few enough to leave each segment a free slot; so does each segment afterwards.
pub(super) fn uneven(geometry: &Geometry, mut targets: &mut [u16], mut records: usize, hot: Hot) {
    let room = geometry.segment_slots() - 1;
    let fewest = geometry.leaf_fewest();
    let (mut rank, mut level) = (hot.rank, hot.level);
    while targets.len() > 1 {
        let left_len = targets.len().next_power_of_two() / 2;
        let (left, right) = targets.split_at_mut(left_len);
        let go_right = rank * (left.len() + right.len()) >= records * left.len();
        let (cold, hot_half) = if go_right { (left, right) } else { (right, left) };
        let density = (geometry.upper(level, hot.height) + geometry.upper(level - 1, hot.height)) / 2.0;
        let wanted = (density * (cold.len() * geometry.segment_slots()) as f64) as usize;
        let hot_fewest = geometry.fewest(level - 1, hot.height, hot_half.len());
        // The insert must land in the hot half, or else the cold one fills up at once.
        let up_to_spot = if go_right { rank.saturating_sub(1) } else { records.saturating_sub(rank) };
        let fair = records * cold.len() / (cold.len() + hot_half.len());
        let cold_records = wanted
            .min(records.saturating_sub(hot_fewest))
            .min(up_to_spot)
            .max(fair)
            .min(cold.len() * room)
            .min(records - hot_half.len() * fewest)
            .max(cold.len() * fewest)
            .max(records.saturating_sub(hot_half.len() * room));
        even(cold, cold_records);
        records -= cold_records;
        if go_right {
            rank = rank.saturating_sub(cold_records);
        }
        level -= 1;
        targets = hot_half;
    }
    targets[0] = records as u16;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ArrayOptions;

    #[test]
    fn every_plan_keeps_the_limits_of_a_segment() {
        for segment_slots in [8, 64] {
            let geometry = Geometry::new(&ArrayOptions { segment_slots, max_density: 0.75 });
            for segments in 1..40usize {
                let level = Geometry::height(segments);
                for height in [level, level + 5] {
                    let most = segments * (segment_slots - 1);
                    for records in (segments * geometry.leaf_fewest()..=most).step_by(7).chain([most]) {
                        for rank in [0, records / 3, records / 2, records - 1, records] {
                            let mut targets = vec![0; segments];
                            uneven(&geometry, &mut targets, records, Hot { rank, level, height });
                            assert_eq!(targets.iter().map(|t| usize::from(*t)).sum::<usize>(), records);
                            for target in targets {
                                let target = usize::from(target);
                                assert!(target < segment_slots && target >= geometry.leaf_fewest());
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_room_is_where_the_inserts_are() {
        let geometry = Geometry::new(&ArrayOptions { segment_slots: 64, max_density: 0.75 });
        let mut targets = [0; 16];
        uneven(&geometry, &mut targets, 700, Hot { rank: 700, level: 4, height: 10 });
        assert!(targets[15] < 30 && targets[0] > 55, "{targets:?}");
        uneven(&geometry, &mut targets, 700, Hot { rank: 0, level: 4, height: 10 });
        assert!(targets[0] < 30 && targets[15] > 55, "{targets:?}");
    }
}
