//! What a chart is made of before anybody draws it: shapes in logical pixels, inks instead of colours.
//!
//! A chart is a pure function to a [`Scene`]; [`super::paint`] draws any scene on any backend of `plotters`, so that the SVG in
//! the page and the PNG beside it cannot differ.

/// A place, logical pixels from the upper left corner.
pub type Point = (f64, f64);

/// Shapes in the order they are drawn, and the size of the sheet.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Width, logical pixels.
    pub width: f64,
    /// Height, logical pixels.
    pub height: f64,
    /// What is drawn; later shapes cover earlier ones.
    pub shapes: Vec<Shape>,
}

/// What colour means, see [`Ink::rgb`] and [`Ink::dark_rgb`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The sheet itself.
    Paper,
    /// Text that matters.
    Text,
    /// Text beside it: ticks, units.
    Muted,
    /// Axes.
    Axis,
    /// Grid lines.
    Grid,
    /// Ground of a region that is to be told apart.
    Shade,
    /// The n-th engine that has a colour of its own.
    Engine(usize),
    /// Engines beyond those.
    Other,
}

/// Engines with a colour and a marker of their own; more in one chart cannot be told apart.
pub const ENGINE_INKS: usize = 8;

/// Okabe and Ito's palette ("Color Universal Design", 2008), its yellow darkened and its black replaced so that all have
/// contrast on white and none is taken for text.
const ENGINES: [(u8, u8, u8); ENGINE_INKS] = [
    (0x00, 0x72, 0xb2),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x9e, 0x73),
    (0xb4, 0x4d, 0x8e),
    (0xe0, 0x9a, 0x00),
    (0x46, 0xa8, 0xdd),
    (0x6b, 0x4a, 0x2b),
    (0x86, 0x8e, 0x00),
];

impl Ink {
    /// The colour on white. Each ink has a value of its own, which the page's style sheet selects by in dark mode.
    pub fn rgb(self) -> (u8, u8, u8) {
        match self {
            Self::Paper => (0xff, 0xff, 0xff),
            Self::Text => (0x1b, 0x1f, 0x24),
            Self::Muted => (0x5b, 0x64, 0x70),
            Self::Axis => (0x9a, 0xa3, 0xad),
            Self::Grid => (0xe4, 0xe7, 0xeb),
            Self::Shade => (0xf1, 0xf3, 0xf6),
            Self::Engine(index) => ENGINES.into_iter().cycle().nth(index % ENGINE_INKS).unwrap_or_default(),
            Self::Other => (0x7c, 0x85, 0x90),
        }
    }

    /// The colour on a dark ground.
    pub fn dark_rgb(self) -> (u8, u8, u8) {
        match self {
            Self::Paper => (0x1a, 0x1e, 0x23),
            Self::Text => (0xe8, 0xeb, 0xef),
            Self::Muted => (0xa3, 0xac, 0xb7),
            Self::Axis => (0x6d, 0x77, 0x83),
            Self::Grid => (0x31, 0x38, 0x40),
            Self::Shade => (0x22, 0x28, 0x2f),
            Self::Engine(index) => {
                DARK_ENGINES.into_iter().cycle().nth(index % ENGINE_INKS).unwrap_or_default()
            }
            Self::Other => (0x8d, 0x96, 0xa1),
        }
    }
}

/// The same hues for a dark ground.
const DARK_ENGINES: [(u8, u8, u8); ENGINE_INKS] = [
    (0x4f, 0xa8, 0xe8),
    (0xff, 0x8c, 0x42),
    (0x2e, 0xc4, 0x98),
    (0xe5, 0x8f, 0xc6),
    (0xf5, 0xc0, 0x4a),
    (0x9a, 0xd8, 0xff),
    (0xc9, 0xa2, 0x7c),
    (0xc3, 0xcb, 0x45),
];

/// How a line is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// Not at all.
    Solid,
    /// Dots.
    Dotted,
}

/// Which end of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The left end.
    Start,
    /// The middle.
    Middle,
    /// The right end.
    End,
}

/// Something to draw.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A line through points.
    Line {
        /// In order.
        points: Vec<Point>,
        /// Colour.
        ink: Ink,
        /// Width, logical pixels.
        width: f64,
        /// Interruptions.
        dash: Dash,
        /// 0 to 1.
        opacity: f64,
    },
    /// A filled polygon.
    Area {
        /// Corners in order.
        points: Vec<Point>,
        /// Colour.
        ink: Ink,
        /// 0 to 1.
        opacity: f64,
    },
    /// A filled circle.
    Disc {
        /// Its middle.
        center: Point,
        /// Logical pixels.
        radius: f64,
        /// Colour.
        ink: Ink,
        /// 0 to 1.
        opacity: f64,
    },
    /// A line of text, centred vertically on its place.
    Text {
        /// See [`Anchor`].
        at: Point,
        /// Which end is at `at`.
        anchor: Anchor,
        /// Size, logical pixels.
        size: f64,
        /// Semibold instead of regular.
        bold: bool,
        /// Colour.
        ink: Ink,
        /// The text, already [`visible`](super::visible::visible).
        text: String,
    },
}

impl Scene {
    /// An empty sheet.
    pub const fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// Draws a solid line.
    pub fn line(&mut self, points: impl Into<Vec<Point>>, ink: Ink, width: f64) {
        self.stroke(points, ink, width, Dash::Solid, 1.0);
    }

    /// Draws any line.
    pub fn stroke(&mut self, points: impl Into<Vec<Point>>, ink: Ink, width: f64, dash: Dash, opacity: f64) {
        self.shapes.push(Shape::Line { points: points.into(), ink, width, dash, opacity });
    }

    /// Fills a rectangle from its upper left corner.
    pub fn rect(&mut self, (x, y): Point, width: f64, height: f64, ink: Ink, opacity: f64) {
        let points = vec![(x, y), (x + width, y), (x + width, y + height), (x, y + height)];
        self.shapes.push(Shape::Area { points, ink, opacity });
    }

    /// Fills a circle.
    pub fn disc(&mut self, center: Point, radius: f64, ink: Ink, opacity: f64) {
        self.shapes.push(Shape::Disc { center, radius, ink, opacity });
    }

    /// Writes regular text.
    pub fn text(&mut self, at: Point, anchor: Anchor, size: f64, ink: Ink, text: impl Into<String>) {
        self.shapes.push(Shape::Text { at, anchor, size, bold: false, ink, text: text.into() });
    }

    /// Writes semibold text.
    pub fn bold(&mut self, at: Point, anchor: Anchor, size: f64, ink: Ink, text: impl Into<String>) {
        self.shapes.push(Shape::Text { at, anchor, size, bold: true, ink, text: text.into() });
    }

    /// Draws the marker of an engine, so that engines differ in shape as well as in colour.
    pub fn marker(&mut self, (x, y): Point, engine: usize, radius: f64, ink: Ink) {
        let polygon =
            |corners: &[Point]| corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
        let corners: &[Point] = match engine % ENGINE_INKS {
            0 => return self.disc((x, y), radius, ink, 1.0),
            1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            2 => &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
            3 => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            4 => &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
            5 => &[
                (-1.2, -0.45),
                (-0.45, -0.45),
                (-0.45, -1.2),
                (0.45, -1.2),
                (0.45, -0.45),
                (1.2, -0.45),
                (1.2, 0.45),
                (0.45, 0.45),
                (0.45, 1.2),
                (-0.45, 1.2),
                (-0.45, 0.45),
                (-1.2, 0.45),
            ],
            6 => &[(-1.25, -0.5), (1.25, -0.5), (1.25, 0.5), (-1.25, 0.5)],
            _ => &[(-0.5, -1.25), (0.5, -1.25), (0.5, 1.25), (-0.5, 1.25)],
        };
        self.shapes.push(Shape::Area { points: polygon(corners), ink, opacity: 1.0 });
    }
}
