//! Names at the ends of lines, where the eye arrives, instead of a box that covers data.

use super::super::font;
use super::super::scene::{Anchor, Dash, Ink, Point};
use super::plot::Plot;

/// Distance of two names, pixels.
const GAP: f64 = 17.0;
const TEXT: f64 = 12.5;
/// Room for a name beside the plot.
const ROOM: f64 = 118.0;

/// The end of a line.
#[derive(Clone, Debug)]
pub struct End {
    /// Where the line ends.
    pub at: Point,
    /// The engine's place among the colours.
    pub engine: usize,
    /// Its name.
    pub name: String,
}

/// Writes each name beside the end of its line, moved up or down where names would overlap.
pub fn write(plot: &mut Plot, mut ends: Vec<End>) {
    ends.sort_by(|left, right| left.at.1.total_cmp(&right.at.1));
    let wanted: Vec<f64> = ends.iter().map(|end| end.at.1).collect();
    let places = spread(&wanted, plot.y.end, plot.y.start);
    let column = plot.x.end + 26.0;
    for (end, place) in ends.into_iter().zip(places) {
        let ink = Ink::Engine(end.engine);
        let (x, y) = end.at;
        let bends = [(x + 5.0, y), (plot.x.end + 8.0, y), (column - 4.0, place)];
        plot.scene.stroke(bends, ink, 1.0, Dash::Solid, 0.45);
        plot.scene.marker((column + 4.0, place), end.engine, 4.0, ink);
        plot.scene.bold(
            (column + 14.0, place),
            Anchor::Start,
            TEXT,
            Ink::Text,
            fit(&end.name, TEXT, true, ROOM),
        );
    }
}

/// A name cut to a width, with an ellipsis where it was cut.
pub fn fit(name: &str, size: f64, bold: bool, room: f64) -> String {
    if font::width(name, size, bold) <= room {
        return name.to_owned();
    }
    let mut cut: String = name.to_owned();
    while cut.pop().is_some() {
        let shown = format!("{}…", cut.trim_end());
        if font::width(&shown, size, bold) <= room {
            return shown;
        }
    }
    String::new()
}

/// Places as near as possible to those wanted (ascending), at least [`GAP`] apart where the room allows it: overlapping ones
/// are merged into a block about their mean, as in the pool-adjacent-violators algorithm. O(n).
fn spread(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let gap = GAP.min((bottom - top) / wanted.len().saturating_sub(1).max(1) as f64);
    // A block is (first place, members); members lie `gap` apart.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for want in wanted {
        let mut block = (*want, 1);
        while let Some((start, members)) =
            blocks.pop_if(|(start, members)| *start + *members as f64 * gap > block.0)
        {
            let own = block.0 + members as f64 * -gap;
            let all = members + block.1;
            block = ((start * members as f64 + own * block.1 as f64) / all as f64, all);
        }
        block.0 = block.0.clamp(top, (bottom - (block.1 - 1) as f64 * gap).max(top));
        blocks.push(block);
    }
    // Blocks pushed down by the upper bound may touch; a last pass from below settles them.
    let mut places: Vec<f64> = blocks
        .into_iter()
        .flat_map(|(start, members)| (0..members).map(move |member| start + member as f64 * gap))
        .collect();
    let mut limit = f64::INFINITY;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - gap;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_distance_and_their_order() {
        assert_eq!(spread(&[50.0, 100.0], 0.0, 200.0), [50.0, 100.0]);
        let places = spread(&[100.0, 101.0, 102.0], 0.0, 200.0);
        assert_eq!(places, [84.0, 101.0, 118.0]);
        for wanted in [vec![0.0; 8], vec![200.0; 8], vec![10.0, 20.0, 90.0, 91.0, 92.0, 199.0, 200.0]] {
            let places = spread(&wanted, 0.0, 200.0);
            assert_eq!(places.len(), wanted.len());
            for pair in places.windows(2) {
                assert!(pair[1] - pair[0] > GAP - 1e-6, "{wanted:?} → {places:?}");
            }
            assert!(places[0] >= -1e-6 && *places.last().unwrap() <= 200.0 + 1e-6, "{places:?}");
        }
        assert!(spread(&[], 0.0, 1.0).is_empty());
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(fit("btree", 12.0, false, 100.0), "btree");
        let cut = fit(&"long ".repeat(40), 12.0, false, 100.0);
        assert!(cut.ends_with('…') && cut.len() > 10 && font::width(&cut, 12.0, false) <= 100.0, "{cut}");
    }
}
