//! What a record takes beyond key and value: a bar an engine, one panel a stage.

use super::super::font;
use super::super::memory::stage_name;
use super::super::number::{chosen, percent};
use super::super::scene::{Anchor, Ink, Scene};
use super::super::visible::visible;
use super::axis::{Axis, Spacing, linear_ticks};
use super::legend::fit;
use super::{Chart, Study, WIDTH};
use crate::analysis::memory::{Beyond, Holding, MemoryPlace, holdings};
use crate::analysis::summary::classes;

const ROW: f64 = 25.0;
const BAR: f64 = 14.0;
const HEADING: f64 = 30.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 44.0;
const NAME: f64 = 13.0;
/// The page's typeface may be wider than the one names are measured with.
const OTHER_FACE: f64 = 1.14;
const NAME_ROOM: f64 = 190.0;
/// Room at the right for two columns of figures.
const FIGURES_ROOM: f64 = 128.0;

/// Engines after one stage, those that take least first.
struct Panel<'a> {
    title: String,
    bars: Vec<Bar<'a>>,
}

struct Bar<'a> {
    holding: Holding<'a>,
    name: String,
    heap: Beyond,
    rss: Beyond,
}

/// One panel for each stage that leaves records, where there was a memory trial without an error.
pub fn chart(study: &Study<'_>) -> Option<Chart> {
    let panels = panels(study);
    panels.first()?;
    Some(Chart {
        name: "memory".to_owned(),
        title: "Memory beyond key and value".to_owned(),
        summary: summary(&panels),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: panels.iter().flat_map(|panel| panel.bars.iter().map(|bar| row(panel, bar))).collect(),
        scene: scene(study, &panels),
        secondary: false,
    })
}

fn panels<'a>(study: &Study<'a>) -> Vec<Panel<'a>> {
    let plan = &study.sweep.plan;
    let has_classes = classes(plan).len() > 1;
    let mut all = holdings(study.sweep);
    all.retain(|holding| holding.order().0 != MemoryPlace::Delete);
    all.sort_by_key(Holding::order);
    let mut panels: Vec<Panel<'a>> = Vec::new();
    for holding in all {
        let (Some(heap), Some(rss)) = (holding.heap_beyond(), holding.rss_beyond()) else { continue };
        let title = format!("After {}", stage_name(plan, &holding));
        let label = visible(&holding.trial.label);
        let name = if has_classes { format!("{label}, {}", holding.durability) } else { label };
        let bar = Bar { holding, name, heap, rss };
        match panels.last_mut().filter(|panel| panel.title == title) {
            Some(panel) => panel.bars.push(bar),
            None => panels.push(Panel { title, bars: vec![bar] }),
        }
    }
    for panel in &mut panels {
        panel.bars.sort_by(|left, right| left.heap.bytes_per_record.total_cmp(&right.heap.bytes_per_record));
    }
    panels
}

/// Who takes least and most after the first stage.
fn summary(panels: &[Panel<'_>]) -> String {
    let Some(panel) = panels.first() else { return String::new() };
    let told = |bar: &Bar<'_>| {
        let Beyond { bytes_per_record, share } = bar.heap;
        format!("{bytes_per_record:.1} bytes a record beyond key and value ({})", percent(share))
    };
    match panel.bars.as_slice() {
        [] => String::new(),
        [only] => format!("{} {} takes {}.", panel.title, only.name, told(only)),
        [least, .., most] => format!(
            "{} {} takes least, {}; {} most, {}.",
            panel.title,
            least.name,
            told(least),
            most.name,
            told(most)
        ),
    }
}

const COLUMNS: [&str; 11] = [
    "after",
    "engine",
    "durability",
    "records",
    "key_and_value_bytes",
    "counted_bytes",
    "counted_bytes_beyond_per_record",
    "counted_share",
    "resident_bytes",
    "resident_bytes_beyond_per_record",
    "resident_share",
];

fn row(panel: &Panel<'_>, bar: &Bar<'_>) -> Vec<String> {
    let stage = bar.holding.stage;
    let figures = |bytes: i64, beyond: Beyond| {
        [bytes.to_string(), format!("{:.2}", beyond.bytes_per_record), format!("{:.4}", beyond.share)]
    };
    let place = [
        panel.title.clone(),
        visible(&bar.holding.trial.label),
        bar.holding.durability.to_string(),
        stage.records.to_string(),
        stage.live_bytes.to_string(),
    ];
    let (heap, rss) = (figures(stage.heap_bytes, bar.heap), figures(stage.rss_bytes, bar.rss));
    place.into_iter().chain(heap).chain(rss).collect()
}

fn scene(study: &Study<'_>, panels: &[Panel<'_>]) -> Scene {
    let bars = || panels.iter().flat_map(|panel| &panel.bars);
    let figures = bars().flat_map(|bar| [bar.heap.bytes_per_record, bar.rss.bytes_per_record]);
    let ticks = linear_ticks(figures.fold(1.0, f64::max), 6);
    let names = bars().map(|bar| font::width(&bar.name, NAME, true));
    let left = 14.0 + names.fold(60.0, f64::max).min(NAME_ROOM) * OTHER_FACE;
    let right = WIDTH - FIGURES_ROOM;
    let height =
        TOP + BOTTOM + panels.iter().map(|panel| HEADING + panel.bars.len() as f64 * ROW).sum::<f64>();
    let bottom = height - BOTTOM;
    let top_tick = ticks.last().copied().unwrap_or(1.0);
    let axis = Axis { spacing: Spacing::Linear, min: 0.0, max: top_tick, start: left, end: right };
    let mut scene = Scene::new(WIDTH, height);
    for tick in &ticks {
        let x = axis.place(*tick);
        scene.line([(x, TOP), (x, bottom)], Ink::Grid, 1.0);
        scene.text((x, bottom + 14.0), Anchor::Middle, 12.0, Ink::Muted, chosen(*tick));
    }
    scene.text(
        ((left + right) / 2.0, bottom + 34.0),
        Anchor::Middle,
        12.0,
        Ink::Muted,
        "bytes a record beyond key and value (bar: counted; faint: resident)",
    );
    scene.text((WIDTH - 62.0, 12.0), Anchor::End, 11.0, Ink::Muted, "counted");
    scene.text((WIDTH - 4.0, 12.0), Anchor::End, 11.0, Ink::Muted, "resident");
    let mut y = TOP;
    for panel in panels {
        scene.bold((0.0, y + HEADING / 2.0 + 2.0), Anchor::Start, 13.0, Ink::Text, panel.title.clone());
        y += HEADING;
        for bar in &panel.bars {
            draw(&mut scene, study, bar, &axis, y + ROW / 2.0);
            y += ROW;
        }
    }
    scene.line([(left, TOP), (left, bottom)], Ink::Axis, 1.2);
    scene
}

fn draw(scene: &mut Scene, study: &Study<'_>, bar: &Bar<'_>, axis: &Axis, y: f64) {
    scene.bold((0.0, y), Anchor::Start, NAME, Ink::Text, fit(&bar.name, NAME, true, NAME_ROOM));
    let ink = study.cast.ink(&bar.holding.trial.label);
    for (beyond, opacity) in [(bar.rss, 0.3), (bar.heap, 0.85)] {
        let end = axis.place(beyond.bytes_per_record);
        scene.rect((axis.start, y - BAR / 2.0), end - axis.start, BAR, ink, opacity);
    }
    let figure = |beyond: Beyond| format!("{:.1}", beyond.bytes_per_record);
    scene.bold((WIDTH - 62.0, y), Anchor::End, NAME, Ink::Text, figure(bar.heap));
    scene.text((WIDTH - 4.0, y), Anchor::End, NAME, Ink::Muted, figure(bar.rss));
}
