//! The ground of a chart with two axes: grid, ticks and titles.

use super::super::scene::{Anchor, Dash, Ink, Scene};
use super::WIDTH;
use super::axis::{Axis, Spacing};

/// Room at the left for the labels of the ticks.
const LEFT: f64 = 62.0;
/// Room at the right for the engines' names.
const RIGHT: f64 = 168.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 50.0;
const TICK_TEXT: f64 = 12.0;

/// A tick: its figure, what is written there (nothing for a grid line between), and whether the grid line is drawn.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Where.
    pub figure: f64,
    /// What is written.
    pub label: Option<String>,
}

impl Tick {
    /// A tick with a label.
    pub fn labelled(figure: f64, label: impl Into<String>) -> Self {
        Self { figure, label: Some(label.into()) }
    }
}

/// What an axis spans and says.
#[derive(Clone, Debug)]
pub struct Side {
    /// Spacing.
    pub spacing: Spacing,
    /// Least and greatest figure.
    pub range: (f64, f64),
    /// Its ticks.
    pub ticks: Vec<Tick>,
    /// What is measured, with the unit.
    pub title: String,
}

/// A scene with its ground drawn.
#[derive(Debug)]
pub struct Plot {
    /// The drawing.
    pub scene: Scene,
    /// Left to right.
    pub x: Axis,
    /// Bottom to top.
    pub y: Axis,
}

impl Plot {
    /// Axes on an empty sheet. `shade` is a range of x that is to be told apart, with its name.
    pub fn new(height: f64, x: &Side, y: &Side, shade: Option<(f64, f64, &str)>) -> Self {
        let (left, right, top, bottom) = (LEFT, WIDTH - RIGHT, TOP, height - BOTTOM);
        let x_axis = Axis { spacing: x.spacing, min: x.range.0, max: x.range.1, start: left, end: right };
        let y_axis = Axis { spacing: y.spacing, min: y.range.0, max: y.range.1, start: bottom, end: top };
        let mut scene = Scene::new(WIDTH, height);
        if let Some((from, to, name)) = shade {
            let (from, to) = (x_axis.place(from), x_axis.place(to));
            scene.rect((from, top), to - from, bottom - top, Ink::Shade, 1.0);
            scene.text(((from + to) / 2.0, top + 11.0), Anchor::Middle, 11.0, Ink::Muted, name);
        }
        for tick in &y.ticks {
            let place = y_axis.place(tick.figure);
            let opacity = if tick.label.is_some() { 1.0 } else { 0.55 };
            scene.stroke([(left, place), (right, place)], Ink::Grid, 1.0, Dash::Solid, opacity);
            if let Some(label) = &tick.label {
                scene.text((left - 9.0, place), Anchor::End, TICK_TEXT, Ink::Muted, label);
            }
        }
        for tick in &x.ticks {
            let place = x_axis.place(tick.figure);
            if let Some(label) = &tick.label {
                scene.line([(place, bottom), (place, bottom + 4.0)], Ink::Axis, 1.0);
                scene.text((place, bottom + 15.0), Anchor::Middle, TICK_TEXT, Ink::Muted, label);
            }
        }
        scene.line([(left, bottom), (right, bottom)], Ink::Axis, 1.2);
        scene.text((left - 50.0, 12.0), Anchor::Start, TICK_TEXT, Ink::Muted, &y.title);
        scene.text(((left + right) / 2.0, bottom + 36.0), Anchor::Middle, TICK_TEXT, Ink::Muted, &x.title);
        Self { scene, x: x_axis, y: y_axis }
    }
}
