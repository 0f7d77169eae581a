//! Progress of a sweep on standard error: a bar on a terminal, a line a trial elsewhere.

use super::faults;
use super::summary::count;
use crate::analysis::summary::operations_per_second;
use crate::results::model::{LoadWay, MemoryTrial, Trial};
use crate::runner::event::Progress;
use crate::runner::sweep::Observer;
use crate::workload::plan::{CellPlan, Plan};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Steps of the bar a trial.
const STEPS: f64 = 1_000.0;

/// Tells how far a sweep is.
pub struct Display {
    way: Way,
    name: String,
    started: Instant,
    number: usize,
    total: usize,
    cell: String,
}

enum Way {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Display {
    /// A display for a plan.
    pub fn new(plan: &Plan, quiet: bool) -> Self {
        let way = if quiet {
            Way::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is constant; were it wrong, the default one shows.
            let style = ProgressStyle::with_template("{prefix} [{bar:24}] {percent}% ETA {eta}  {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            bar.enable_steady_tick(Duration::from_millis(500));
            Way::Bar(bar)
        } else {
            Way::Lines
        };
        let mut display = Self {
            way,
            name: plan.name.clone(),
            started: Instant::now(),
            number: 0,
            total: 0,
            cell: String::new(),
        };
        for left_out in &plan.left_out {
            display.line(&format!("{}: {} is left out: {}", plan.name, left_out.engine, left_out.reason));
        }
        display
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }

    /// Names what begins, as its line and its bar do.
    fn place(&mut self, number: usize, total: usize, cell: String) {
        self.number = number;
        self.total = total;
        self.cell = cell;
        if let Way::Bar(bar) = &self.way {
            bar.set_length((total as f64 * STEPS) as u64);
            bar.set_prefix(self.name.clone());
            bar.set_position((number as f64 * STEPS) as u64);
            bar.set_message(self.cell.clone());
        }
    }

    /// The line of what has ended.
    fn tell(&mut self, figures: &str, fault: Option<&str>) {
        let fault = fault.map_or_else(String::new, |fault| format!("  FAULT: {fault}"));
        let (number, seconds) = (self.number + 1, self.started.elapsed().as_secs_f64());
        self.line(&format!(
            "{} {number}/{} {}:{figures}{fault}  ({seconds:.0} s)",
            self.name, self.total, self.cell
        ));
    }

    fn line(&mut self, text: &str) {
        match &self.way {
            Way::Bar(bar) => bar.println(text),
            // A reader that went away must not cost the measurement.
            Way::Lines => drop(writeln!(std::io::stderr(), "{text}")),
            Way::Quiet => {}
        }
    }
}

impl Observer for Display {
    fn begin(&mut self, number: usize, total: usize, cell: &CellPlan, trial: u32) {
        self.place(number, total, format!("{} ×{} #{trial}", cell.label, cell.threads));
    }

    fn progress(&mut self, progress: &Progress) {
        if let Way::Bar(bar) = &self.way {
            bar.set_position(((self.number as f64 + progress.done.clamp(0.0, 1.0)) * STEPS) as u64);
            let (phase, rate) = (&progress.phase, count(progress.rate.max(0.0) as u64));
            bar.set_message(format!("{} {phase} {rate}/s", self.cell));
        }
    }

    fn end(&mut self, _: &Plan, trial: &Trial) {
        let rates = trial.phases.iter().map(|phase| {
            format!(" {} {}/s", phase.name, count(operations_per_second(&phase.workers) as u64))
        });
        self.tell(&rates.collect::<String>(), faults::of(trial).as_deref());
    }

    fn begin_memory(&mut self, number: usize, total: usize, cell: &CellPlan, way: LoadWay) {
        let bulk = if way == LoadWay::Bulk { " in bulk" } else { "" };
        self.place(number, total, format!("{} memory{bulk}", cell.label));
    }

    fn end_memory(&mut self, _: &Plan, trial: &MemoryTrial) {
        let loaded = trial.stages.first().map(|stage| {
            let beyond = stage.heap_bytes as f64 - stage.live_bytes as f64;
            format!(" {:.1} B a record beyond key and value", beyond / stage.records.max(1) as f64)
        });
        self.tell(&loaded.unwrap_or_default(), trial.error.as_deref());
    }
}
