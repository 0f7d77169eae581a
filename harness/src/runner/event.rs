//! What the process of a trial tells its parent: one JSON object a line on standard output.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// How far the trial is.
    Progress(Progress),
    /// The trial, encoded by [`crate::results::wire`]; the last line.
    Trial {
        /// The encoded trial.
        trial: String,
    },
    /// The memory trial, encoded likewise; the last line.
    Memory {
        /// The encoded memory trial.
        trial: String,
    },
}

/// How far a trial is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The phase that runs.
    pub phase: String,
    /// Share of the whole trial that is done, 0 to 1; a phase weighs as much as another.
    pub done: f64,
    /// Operations finished in this phase.
    pub operations: u64,
    /// Operations a second since the last event.
    pub rate: f64,
}

impl Event {
    /// The line, its end included.
    ///
    /// # Errors
    /// None for these types in practice; the serializer's otherwise.
    pub fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self).map(|line| line + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_comes_back() {
        let progress = Progress { phase: "a\nb".to_owned(), done: 0.25, operations: 7, rate: 3.5 };
        for event in [Event::Progress(progress), Event::Trial { trial: "{\n}".to_owned() }] {
            let line = event.to_line().expect("serializes");
            assert_eq!(line.find('\n'), Some(line.len() - 1));
            assert_eq!(serde_json::from_str::<Event>(&line).expect("parses"), event);
        }
    }
}
