//! The typeface of the charts, built in so that no font of the system is needed and every machine draws the same PNG.
//! Inter (SIL Open Font License 1.1, see `fonts/OFL.txt`), cut down to Latin, Greek and the signs that are used.

use plotters::style::{FontFamily, FontStyle, register_font};
use plotters::style::{IntoFont, TextStyle};
use std::sync::OnceLock;

static REGULAR: &[u8] = include_bytes!("fonts/Inter-Regular.otf");
static SEMIBOLD: &[u8] = include_bytes!("fonts/Inter-SemiBold.otf");

/// The family's name for `plotters`, and in SVG where no style sheet says otherwise.
const FAMILY: &str = "sans-serif";

/// `plotters` takes a size of 1.24 em.
const SIZE_OF_EM: f64 = 1.24;

/// Makes the typeface known; returns whether both weights were read.
fn register() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        register_font(FAMILY, FontStyle::Normal, REGULAR).is_ok()
            && register_font(FAMILY, FontStyle::Bold, SEMIBOLD).is_ok()
    })
}

/// A style for text of this many pixels an em.
pub fn style(em: f64, bold: bool) -> TextStyle<'static> {
    register();
    let weight = if bold { FontStyle::Bold } else { FontStyle::Normal };
    (FontFamily::SansSerif, em * SIZE_OF_EM, weight).into_font().into()
}

/// The width of a text at this many pixels an em. Another typeface in the page may be up to a tenth wider.
pub fn width(text: &str, em: f64, bold: bool) -> f64 {
    // Measured large, because `plotters` tells whole pixels.
    let measured = style(100.0, bold).font.layout_box(text).map(|((left, _), (right, _))| right - left);
    measured.map_or(0.6 * text.chars().count() as f64, |pixels| f64::from(pixels) / 100.0) * em
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_typeface_is_read_and_measures_text() {
        assert!(register());
        let (narrow, wide) = (width("iiii", 10.0, false), width("MMMM", 10.0, false));
        assert!(narrow > 5.0 && wide > 2.0 * narrow && wide < 50.0, "{narrow} {wide}");
        assert!(width("engine", 10.0, true) > width("engine", 10.0, false));
        for sign in "µ×–−≥≤≈†‹›½".chars() {
            assert!(width(&sign.to_string(), 10.0, false) > 1.0, "{sign} is missing");
        }
    }
}
