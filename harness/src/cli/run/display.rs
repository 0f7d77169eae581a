//! Progress of a sweep on standard error: a bar on a terminal, a line a trial elsewhere.

use super::faults;
use super::summary::count;
use crate::analysis::summary::operations_per_second;
use crate::results::model::Trial;
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
        self.number = number;
        self.total = total;
        self.cell = format!("{} ×{} #{trial}", cell.label, cell.threads);
        if let Way::Bar(bar) = &self.way {
            bar.set_length((total as f64 * STEPS) as u64);
            bar.set_prefix(self.name.clone());
            bar.set_position((number as f64 * STEPS) as u64);
            bar.set_message(self.cell.clone());
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if let Way::Bar(bar) = &self.way {
            bar.set_position(((self.number as f64 + progress.done.clamp(0.0, 1.0)) * STEPS) as u64);
            let (phase, rate) = (&progress.phase, count(progress.rate.max(0.0) as u64));
            bar.set_message(format!("{} {phase} {rate}/s", self.cell));
        }
    }

    fn end(&mut self, plan: &Plan, trial: &Trial) {
        let number = self.number + 1;
        let mut text = format!("{} {number}/{} {}:", plan.name, self.total, self.cell);
        for phase in &trial.phases {
            text += &format!(" {} {}/s", phase.name, count(operations_per_second(&phase.workers) as u64));
        }
        if let Some(fault) = faults::of(trial) {
            text += &format!("  FAULT: {fault}");
        }
        text += &format!("  ({:.0} s)", self.started.elapsed().as_secs_f64());
        self.line(&text);
    }
}
