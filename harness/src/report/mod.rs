//! What people look at: HTML, charts, PNG and the table of the terminal.

mod charts;
mod facts;
mod font;
mod html;
mod memory;
mod number;
mod paint;
mod png;
mod poster;
mod reopening;
mod scene;
mod table;
pub mod terminal;
mod visible;

use crate::exit::Failure;
use crate::results::model::SweepResult;
use crate::results::publication::Publication;
use charts::{Study, figures};
use std::path::{Path, PathBuf};

/// The name of the page.
pub const PAGE_FILE: &str = "report.html";

/// What was written.
#[derive(Clone, Debug)]
pub struct Report {
    /// The page.
    pub html: PathBuf,
    /// A picture for each chart.
    pub pngs: Vec<PathBuf>,
}

/// Writes `report.html` and `<workload>-<chart>.png` files into a directory. A report that was there is replaced only when
/// everything is safely on disk.
///
/// # Errors
/// When a file cannot be written, or one of the names belongs to a file that is not ours.
pub fn write(directory: &Path, sweeps: &[SweepResult]) -> Result<Report, Failure> {
    let all: Vec<_> = sweeps.iter().map(figures).collect();
    let studies: Vec<Study<'_>> =
        sweeps.iter().zip(&all).map(|(sweep, summaries)| Study::new(sweep, summaries)).collect();
    let (page, pictures) = html::page(&studies)?;
    let mut publication = Publication::new(directory)?;
    publication.stage(PAGE_FILE, page.as_bytes(), html::is_ours)?;
    for picture in &pictures {
        let pixels = paint::pixels(&poster::poster(&picture.chart, &picture.origin))?;
        publication.stage(&picture.file, &png::encode(&pixels, directory)?, png::is_ours)?;
    }
    let mut paths = publication.commit()?.into_iter();
    let html = paths.next().unwrap_or_else(|| directory.join(PAGE_FILE));
    Ok(Report { html, pngs: paths.collect() })
}

#[cfg(test)]
mod tests;
