//! Flags of the command line that replace what a workload file says.

use super::literal::{Count, DurabilityClass, Many, TimeSpan};
use super::located::{Given, Located, Place};
use super::spec::{EngineList, EngineSpec, MemorySpec, Spec};

/// Replaces parts of the workload file.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Instead of what the file says")]
pub struct Overrides {
    /// Engines, by name or by a label of the file, whose options are kept; or 'all'
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub engines: Option<Vec<String>>,
    /// Numbers of worker threads, each 1 to 1024
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub threads: Option<Vec<Count>>,
    /// Measured runs of each cell
    #[arg(long, value_name = "N")]
    pub trials: Option<Count>,
    /// Seed of every random draw
    #[arg(long, value_name = "N")]
    pub seed: Option<Count>,
    /// Duration of every phase, also of those bounded by operations, as 10s or 500ms
    #[arg(long, value_name = "TIME")]
    pub duration: Option<TimeSpan>,
    /// Durability classes: none, buffered, sync
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',')]
    pub durability: Option<Vec<DurabilityClass>>,
    /// Records loaded before the first phase, as 100000 or 1_000_000
    #[arg(long, value_name = "N")]
    pub records: Option<Count>,
    /// Time each phase runs before it is counted, as 1s
    #[arg(long, value_name = "TIME")]
    pub warmup: Option<TimeSpan>,
    /// No memory trials
    #[arg(long)]
    pub no_memory: bool,
}

impl Overrides {
    /// Replaces what is given.
    pub fn apply(&self, spec: &mut Spec) {
        if let Some(names) = &self.engines {
            let engines = listed(names, spec.engines.get().map(|given| &given.value));
            spec.engines.replace("--engines", Some(engines));
        }
        spec.threads
            .replace("--threads", self.threads.as_ref().map(|threads| Many::flag("--threads", threads)));
        let durability = self.durability.as_ref().map(|classes| Many::flag("--durability", classes));
        spec.durability.replace("--durability", durability);
        spec.trials.replace("--trials", self.trials);
        spec.seed.replace("--seed", self.seed);
        spec.records.replace("--records", self.records);
        spec.warmup.replace("--warmup", self.warmup);
        spec.memory.replace("--no-memory", self.no_memory.then_some(MemorySpec::None));
        if self.duration.is_some() {
            for Located { value: phase, .. } in &mut spec.phases.value {
                phase.duration.replace("--duration", self.duration);
                phase.operations = Given::default();
            }
        }
    }
}

/// The engines of the flag: `all`, the file's entries with this label or name, or else the engine alone.
fn listed(names: &[String], file: Option<&EngineList>) -> EngineList {
    const PLACE: Place = Place::Flag("--engines");
    if let [name] = names
        && name == "all"
    {
        return EngineList::All;
    }
    let written = match file {
        Some(EngineList::Listed(entries)) => entries.as_slice(),
        Some(EngineList::All) | None => &[],
    };
    let mut engines = Vec::new();
    for name in names {
        let by_label =
            written.iter().filter(|entry| entry.value.label.get().is_some_and(|l| l.value == *name));
        let by_name = written.iter().filter(|entry| entry.value.engine.value == *name);
        let before = engines.len();
        engines.extend(by_label.cloned());
        if engines.len() == before {
            engines.extend(by_name.cloned());
        }
        if engines.len() == before {
            engines.push(Located { value: EngineSpec::named(name, PLACE), place: PLACE });
        }
    }
    EngineList::Listed(engines)
}
