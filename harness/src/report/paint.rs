//! Draws a [`Scene`] on any backend of `plotters`: as SVG text for the page, as pixels for PNG files.
//!
//! Backends take whole pixels, so a scene is enlarged first: SVG by 10, because its reader scales it anyway, and pixels by
//! twice the size of the file, which is then averaged down, because `plotters` draws edges without smoothing them.

use super::font;
use super::scene::{Anchor, Dash, Ink, Point, Scene, Shape};
use crate::exit::{Exit, Failure};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor, ShapeStyle};

/// Pixels of an SVG's own coordinates to a logical pixel.
const SVG_SCALE: f64 = 10.0;
/// Pixels of a PNG to a logical pixel.
pub const PNG_SCALE: usize = 2;
/// Drawn pixels to a pixel of a PNG, in each direction.
const OVERSAMPLING: usize = 2;

/// How far below the place of a text its baseline has to be, in em: half the height of a capital.
const BASELINE_EM: f64 = 0.36;
/// Where the backends put it: SVG by `dy="0.5ex"`, the bitmap by half the difference of 1.24 em and 1 em.
const SVG_BASELINE_EM: f64 = 0.27;
const BITMAP_BASELINE_EM: f64 = 0.12;

/// The scene as an SVG element without a title, colours on white.
///
/// # Errors
/// Of the backend; none is known.
pub fn svg(scene: &Scene) -> Result<String, Failure> {
    let size = ((scene.width * SVG_SCALE).round() as u32, (scene.height * SVG_SCALE).round() as u32);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        paint(scene, &area, SVG_SCALE, BASELINE_EM - SVG_BASELINE_EM)?;
        area.present().map_err(failure)?;
    }
    Ok(text)
}

/// Pixels of a PNG file: rows from above, three bytes a pixel.
#[derive(Debug)]
pub struct Pixels {
    /// In each row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue.
    pub rgb: Vec<u8>,
}

/// The scene as pixels on white.
///
/// # Errors
/// Of the backend; none is known.
pub fn pixels(scene: &Scene) -> Result<Pixels, Failure> {
    let (width, height) =
        (scene.width.round() as usize * PNG_SCALE, scene.height.round() as usize * PNG_SCALE);
    let (fine_width, fine_height) = (width * OVERSAMPLING, height * OVERSAMPLING);
    let mut fine = vec![0xff_u8; fine_width * fine_height * 3];
    {
        let size = (fine_width as u32, fine_height as u32);
        let area = BitMapBackend::with_buffer(&mut fine, size).into_drawing_area();
        let scale = (PNG_SCALE * OVERSAMPLING) as f64;
        paint(scene, &area, scale, BASELINE_EM - BITMAP_BASELINE_EM)?;
        area.present().map_err(failure)?;
    }
    let mut rgb = Vec::with_capacity(width * height * 3);
    for rows in fine.chunks_exact(fine_width * 3 * OVERSAMPLING) {
        let mut sums = vec![0_u32; width * 3];
        for row in rows.chunks_exact(fine_width * 3) {
            for (sum, block) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * OVERSAMPLING)) {
                for pixel in block.chunks_exact(3) {
                    sum.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += u32::from(*part));
                }
            }
        }
        let parts = (OVERSAMPLING * OVERSAMPLING) as u32;
        rgb.extend(sums.into_iter().map(|sum| ((sum + parts / 2) / parts) as u8));
    }
    Ok(Pixels { width, height, rgb })
}

fn paint<B: DrawingBackend>(
    scene: &Scene,
    area: &DrawingArea<B, Shift>,
    scale: f64,
    text_shift_em: f64,
) -> Result<(), Failure> {
    let to = |(x, y): Point| ((x * scale).round() as i32, (y * scale).round() as i32);
    let length = |pixels: f64| (pixels * scale).round().max(1.0) as u32;
    for shape in &scene.shapes {
        match shape {
            Shape::Line { points, ink, width, dash, opacity } => {
                let style = style(*ink, *opacity).stroke_width(length(*width));
                for piece in dashes(points, *dash, *width) {
                    let piece: Vec<(i32, i32)> = piece.into_iter().map(to).collect();
                    area.draw(&PathElement::new(piece, style)).map_err(failure)?;
                }
            }
            Shape::Area { points, ink, opacity } => {
                let corners: Vec<(i32, i32)> = points.iter().copied().map(to).collect();
                area.draw(&Polygon::new(corners, style(*ink, *opacity).filled())).map_err(failure)?;
            }
            Shape::Disc { center, radius, ink, opacity } => {
                let style = style(*ink, *opacity).filled();
                area.draw(&Circle::new(to(*center), length(*radius), style)).map_err(failure)?;
            }
            Shape::Text { at, anchor, size, bold, ink, text } => {
                let side = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let color = color(*ink);
                let style = font::style(size * scale, *bold).pos(Pos::new(side, VPos::Center)).color(&color);
                let place = to((at.0, at.1 + text_shift_em * size));
                area.draw(&Text::new(text.clone(), place, style)).map_err(failure)?;
            }
        }
    }
    Ok(())
}

fn color(ink: Ink) -> RGBColor {
    let (red, green, blue) = ink.rgb();
    RGBColor(red, green, blue)
}

fn style(ink: Ink, opacity: f64) -> ShapeStyle {
    ShapeStyle { color: color(ink).mix(opacity), filled: false, stroke_width: 1 }
}

/// The strokes of an interrupted line: on and off lengths in multiples of its width, carried over its corners.
fn dashes(points: &[Point], dash: Dash, width: f64) -> Vec<Vec<Point>> {
    let (on, off) = match dash {
        Dash::Solid => return vec![points.to_vec()],
        Dash::Dotted => (1.6 * width.max(1.0), 3.2 * width.max(1.0)),
    };
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = pair else { continue };
        let total = (x1 - x0).hypot(y1 - y0);
        let mut done = 0.0;
        let at = |done: f64| (x0 + (x1 - x0) * done / total, y0 + (y1 - y0) * done / total);
        if drawing && piece.is_empty() {
            piece.push((*x0, *y0));
        }
        while total - done > left {
            done += left;
            if drawing {
                piece.push(at(done));
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece.push(at(done));
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= total - done;
        if drawing {
            piece.push((*x1, *y1));
        }
    }
    if piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Io, format!("drawing a chart: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Scene {
        let mut scene = Scene::new(120.0, 60.0);
        scene.rect((0.0, 0.0), 120.0, 60.0, Ink::Paper, 1.0);
        scene.rect((10.0, 10.0), 40.0, 20.0, Ink::Engine(0), 1.0);
        scene.stroke([(0.0, 50.0), (120.0, 50.0)], Ink::Axis, 1.0, Dash::Dotted, 1.0);
        scene.text((60.0, 20.0), Anchor::Start, 12.0, Ink::Text, "</text><script>\"'&");
        scene
    }

    #[test]
    fn svg_names_every_colour_and_lets_no_text_out() {
        let svg = svg(&sample()).unwrap();
        assert!(svg.starts_with("<svg width=\"1200\" height=\"600\"") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("fill=\"#0072B2\"") && svg.contains("stroke=\"#9AA3AD\""), "{svg}");
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&quot;&apos;&amp;") && !svg.contains("<script"));
    }

    #[test]
    fn pixels_are_where_the_scene_says() {
        let pixels = pixels(&sample()).unwrap();
        assert_eq!((pixels.width, pixels.height, pixels.rgb.len()), (240, 120, 240 * 120 * 3));
        let at = |x: usize, y: usize| pixels.rgb[(y * 240 + x) * 3..][..3].to_vec();
        assert_eq!(at(40, 40), [0x00, 0x72, 0xb2]);
        assert_eq!(at(4, 4), [0xff; 3]);
        let dark = (120..230)
            .flat_map(|x| (20..60).map(move |y| (x, y)))
            .filter(|(x, y)| at(*x, *y)[0] < 0x80)
            .count();
        assert!(dark > 100, "the text covers {dark} pixels");
    }

    #[test]
    fn dashes_cover_their_share_of_a_line_and_turn_corners() {
        // Strokes of 1.6 and gaps of 3.2 on a length of 48: ten periods, the seventh turns the corner.
        let pieces = dashes(&[(0.0, 0.0), (30.0, 0.0), (30.0, 18.0)], Dash::Dotted, 1.0);
        let long = |piece: &Vec<Point>| -> f64 {
            piece.windows(2).map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1)).sum()
        };
        assert_eq!(pieces.len(), 10);
        assert!(pieces.iter().all(|piece| (long(piece) - 1.6).abs() < 1e-9), "{pieces:?}");
        assert_eq!(pieces[6].len(), 3, "{pieces:?}");
        assert_eq!(dashes(&[(0.0, 0.0), (9.0, 0.0)], Dash::Solid, 1.0).len(), 1);
    }
}
