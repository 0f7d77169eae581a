//! Durability classes: when a write counts as written.

use serde::{Deserialize, Serialize};
use std::fmt;

/// When a write is acknowledged. Figures are compared only within one class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Memory only: lost with the process.
    #[default]
    None,
    /// Survives the end of the process, not of the machine.
    Buffered,
    /// Survives a power cut.
    Sync,
}

impl Durability {
    /// All classes, from the weakest to the strongest.
    pub const ALL: &[Self] = &[Self::None, Self::Buffered, Self::Sync];

    /// The name used in workload files and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Buffered => "buffered",
            Self::Sync => "sync",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
