//! The report as one page that needs nothing else: no script, no font, no image is fetched.

use super::charts::{Chart, Study, charts, sections};
use super::facts::{self, Fact};
use super::memory::{self, MemoryTable};
use super::number::{moment, whole};
use super::paint;
use super::reopening::{self, ReopeningRow};
use super::scene::{ENGINE_INKS, Ink};
use super::table::{Table, table};
use super::visible::visible;
use crate::analysis::summary::labels;
use crate::exit::{Exit, Failure};
use crate::results::export;
use crate::results::model::LOAD_PHASE;
use crate::results::publication::file_stem;
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

/// Begins every report; decides what may be overwritten.
const GENERATOR: &str = "<meta name=\"generator\" content=\"harness";

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    kicker: String,
    version: &'static str,
    dark_inks: String,
    sweeps: Vec<SweepView>,
}

struct SweepView {
    id: String,
    name: String,
    description: String,
    headlines: Vec<String>,
    warnings: Vec<String>,
    run: Vec<Fact>,
    cells: Vec<CellView>,
    left_out: Vec<(String, String)>,
    sections: Vec<SectionView>,
    memory: Option<MemoryView>,
    reopened: Vec<ReopeningRow>,
    environment: Vec<Fact>,
    complete: bool,
}

struct CellView {
    label: String,
    engine: String,
    options: String,
}

struct SectionView {
    id: String,
    title: String,
    description: String,
    table: Table,
    latency: &'static str,
    columns: usize,
    charts: Vec<ChartView>,
    more: Vec<ChartView>,
}

struct MemoryView {
    table: MemoryTable,
    charts: Vec<ChartView>,
}

struct ChartView {
    id: String,
    svg: String,
    file: String,
    csv: String,
    csv_file: String,
    title: String,
    summary: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A chart that is also to be a PNG file.
#[derive(Debug)]
pub struct Picture {
    /// Name of the file.
    pub file: String,
    /// The chart.
    pub chart: Chart,
    /// What was run, when and on what: the line below it.
    pub origin: String,
}

/// The page and the charts in it.
///
/// # Errors
/// When a chart cannot be drawn or the page not be put together; neither is known to happen.
pub fn page(studies: &[Study<'_>]) -> Result<(String, Vec<Picture>), Failure> {
    let mut pictures = Vec::new();
    let stems = stems(studies);
    let sweeps = studies.iter().zip(&stems).enumerate();
    let sweeps = sweeps.map(|(number, (study, stem))| sweep(study, number, stem, &mut pictures));
    let names: Vec<String> = studies.iter().map(|study| visible(&study.sweep.plan.name)).collect();
    let page = Page {
        title: names.join(", "),
        kicker: kicker(studies),
        version: env!("CARGO_PKG_VERSION"),
        dark_inks: dark_inks(),
        sweeps: sweeps.collect::<Result<_, _>>()?,
    };
    let text =
        page.render().map_err(|error| Failure::new(Exit::Io, format!("making the report: {error}")))?;
    Ok((text, pictures))
}

/// What the files of each workload begin with; a workload that appears again is numbered.
fn stems(studies: &[Study<'_>]) -> Vec<String> {
    let mut stems: Vec<String> = Vec::with_capacity(studies.len());
    for study in studies {
        let plain = file_stem(&study.sweep.plan.name);
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let free = [plain.clone()].into_iter().chain(numbered).find(|stem| !stems.contains(stem));
        stems.extend(free);
    }
    stems
}

/// When and on what it was measured, in a line. Results of several machines are not mixed up: the line names the first
/// and each workload has its own environment.
fn kicker(studies: &[Study<'_>]) -> String {
    studies.first().map_or_else(String::new, machine)
}

fn machine(study: &Study<'_>) -> String {
    let environment = &study.sweep.environment;
    let parts = [
        moment(study.sweep.started_unix_seconds),
        visible(&environment.cpu_model),
        if environment.cores == 0 { String::new() } else { format!("{} processors", environment.cores) },
        visible(&environment.hostname),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Whether a file that begins so is a report of ours.
pub fn is_ours(beginning: &[u8]) -> bool {
    String::from_utf8_lossy(beginning).contains(GENERATOR)
}

fn sweep(
    study: &Study<'_>,
    number: usize,
    stem: &str,
    pictures: &mut Vec<Picture>,
) -> Result<SweepView, Failure> {
    let plan = &study.sweep.plan;
    let id = format!("w{}", number + 1);
    let mut views = Vec::new();
    let mut headlines = Vec::new();
    let origin = format!("{} · {} records · {}", visible(&plan.name), whole(plan.records), machine(study));
    for (place, (phase, durability)) in sections(study).into_iter().enumerate() {
        let id = format!("{id}-{}", place + 1);
        let title = super::charts::place(study, phase, durability);
        let found = charts(study, phase, durability);
        if let Some(ranking) = found.first().filter(|_| phase != LOAD_PHASE) {
            headlines.push(format!("{title}: {}", ranking.summary));
        }
        let mut shown = Vec::new();
        for (place, chart) in found.into_iter().enumerate() {
            let file = format!("{stem}-{}.png", file_stem(&chart.name));
            shown.push((chart.secondary, view(&chart, &format!("{id}-c{}", place + 1), &file)?));
            pictures.push(Picture { file, chart, origin: origin.clone() });
        }
        let (more, charts): (Vec<_>, Vec<_>) = shown.into_iter().partition(|(secondary, _)| *secondary);
        let found = table(study, phase, durability);
        let run = plan.phases.iter().find(|run| run.name == phase).map(facts::phase);
        views.push(SectionView {
            id,
            title,
            description: run.unwrap_or_else(|| "every record inserted once".to_owned()),
            latency: super::charts::noun(found.dominant),
            columns: 10 + usize::from(found.records.is_some()) + usize::from(found.has_longest),
            table: found,
            charts: charts.into_iter().map(|(_, view)| view).collect(),
            more: more.into_iter().map(|(_, view)| view).collect(),
        });
    }
    let memory = memory::table(study)
        .map(|table| {
            let mut shown = Vec::new();
            if let Some(chart) = super::charts::memory::chart(study) {
                let file = format!("{stem}-{}.png", file_stem(&chart.name));
                shown.push(view(&chart, &format!("{id}-memory-c1"), &file)?);
                pictures.push(Picture { file, chart, origin: origin.clone() });
            }
            Ok(MemoryView { table, charts: shown })
        })
        .transpose()?;
    let cells =
        labels(plan).into_iter().filter_map(|label| plan.cells.iter().find(|cell| cell.label == label));
    Ok(SweepView {
        id,
        name: visible(&plan.name),
        description: visible(&plan.description),
        headlines,
        warnings: study.warnings.iter().map(|warning| visible(warning)).collect(),
        run: facts::run(study.sweep),
        cells: cells
            .map(|cell| CellView {
                label: visible(&cell.label),
                engine: visible(&cell.engine),
                options: options(&cell.options),
            })
            .collect(),
        left_out: plan.left_out.iter().map(|left| (visible(&left.engine), visible(&left.reason))).collect(),
        sections: views,
        memory,
        reopened: reopening::rows(study),
        environment: facts::environment(&study.sweep.environment),
        complete: study.sweep.complete,
    })
}

fn options(options: &serde_json::Value) -> String {
    match options {
        serde_json::Value::Null => "defaults".to_owned(),
        serde_json::Value::Object(fields) if fields.is_empty() => "defaults".to_owned(),
        serde_json::Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| match value {
                serde_json::Value::String(text) => format!("{name}: {text}"),
                other => format!("{name}: {other}"),
            });
            visible(&fields.collect::<Vec<_>>().join(", "))
        }
        other => visible(&other.to_string()),
    }
}

fn view(chart: &Chart, id: &str, file: &str) -> Result<ChartView, Failure> {
    let mut table = vec![chart.columns.clone()];
    table.extend(chart.rows.iter().cloned());
    let csv = STANDARD.encode(export::to_bytes(&table)?);
    Ok(ChartView {
        svg: accessible(&paint::svg(&chart.scene)?, id),
        id: id.to_owned(),
        file: file.to_owned(),
        csv,
        csv_file: format!("{}.csv", file.trim_end_matches(".png")),
        title: chart.title.clone(),
        summary: chart.summary.clone(),
        columns: chart.columns.iter().map(|name| name.replace('_', " ")).collect(),
        rows: chart.rows.clone(),
    })
}

/// The SVG scaled by the page, with the caption as its name and the sentence as its description, both written beside it.
fn accessible(svg: &str, id: &str) -> String {
    let Some((head, body)) = svg.split_once('>') else { return String::new() };
    let view_box =
        head.split("viewBox=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    format!(
        "<svg class=\"chart\" viewBox=\"{view_box}\" role=\"img\" aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-s\">{body}"
    )
}

/// Rules that give every ink its colour on a dark ground. Charts are drawn in colours for white; CSS outranks their attributes.
fn dark_inks() -> String {
    let inks = [Ink::Paper, Ink::Text, Ink::Muted, Ink::Axis, Ink::Grid, Ink::Shade, Ink::Other];
    let inks = inks.into_iter().chain((0..ENGINE_INKS).map(Ink::Engine));
    let mut rules = String::new();
    for ink in inks {
        let (light, dark) = (hex(ink.rgb()), hex(ink.dark_rgb()));
        let _ = writeln!(rules, "    .chart [fill=\"{light}\"] {{ fill: {dark}; }}");
        let _ = writeln!(rules, "    .chart [stroke=\"{light}\"] {{ stroke: {dark}; }}");
    }
    rules
}

/// As `plotters` writes colours.
fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests;
