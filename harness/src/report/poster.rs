//! A chart that has to stand alone: with its title and its sentence above it, and a margin.

use super::charts::Chart;
use super::font;
use super::scene::{Anchor, Ink, Point, Scene, Shape};

const MARGIN: f64 = 28.0;
const TITLE: f64 = 19.0;
const SENTENCE: f64 = 13.0;
const LINE: f64 = 19.0;
const ORIGIN: f64 = 11.0;

/// The chart on white with its words above and where it comes from below.
pub fn poster(chart: &Chart, origin: &str) -> Scene {
    let lines = wrap(&chart.summary, chart.scene.width);
    let head = MARGIN + TITLE + 10.0 + lines.len() as f64 * LINE + 14.0;
    let (width, height) =
        (chart.scene.width + 2.0 * MARGIN, head + chart.scene.height + 2.0 * ORIGIN + MARGIN);
    let mut scene = Scene::new(width.ceil(), height.ceil());
    scene.rect((0.0, 0.0), scene.width, scene.height, Ink::Paper, 1.0);
    scene.bold((MARGIN, MARGIN + TITLE / 2.0), Anchor::Start, TITLE, Ink::Text, &chart.title);
    let mut y = MARGIN + TITLE + 10.0 + LINE / 2.0;
    for line in lines {
        scene.text((MARGIN, y), Anchor::Start, SENTENCE, Ink::Muted, line);
        y += LINE;
    }
    let origin = super::charts::fit(origin, ORIGIN, false, chart.scene.width);
    scene.text((MARGIN, scene.height - MARGIN), Anchor::Start, ORIGIN, Ink::Muted, origin);
    scene.shapes.extend(chart.scene.shapes.iter().map(|shape| shifted(shape, (MARGIN, head))));
    scene
}

fn shifted(shape: &Shape, (dx, dy): Point) -> Shape {
    let mut shape = shape.clone();
    let shift = |point: &mut Point| *point = (point.0 + dx, point.1 + dy);
    match &mut shape {
        Shape::Line { points, .. } | Shape::Area { points, .. } => points.iter_mut().for_each(shift),
        Shape::Disc { center: at, .. } | Shape::Text { at, .. } => shift(at),
    }
    shape
}

/// The words in lines that fit a width.
fn wrap(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match (lines.last_mut(), longer.filter(|longer| font::width(longer, SENTENCE, false) <= width)) {
            (Some(line), Some(longer)) => *line = longer,
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
