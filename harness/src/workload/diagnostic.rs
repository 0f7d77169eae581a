//! A fault of a workload file: where it is, what it is, and what to do about it.

use super::limits::{MAX_ALIASED_NODES, MAX_ALIASES, MAX_DEPTH, MAX_NODES};
use super::located::Place;
use crate::exit::Failure;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, UserMessageFormatter};

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it was written.
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A fault without a hint.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), hint: None }
    }

    /// The same fault with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The failure that names the file: `workloads/x.yaml:12:3: unknown field 'recrods'; did you mean 'records'?`.
    pub fn into_failure(self, file: &str) -> Failure {
        let failure = Failure::usage(match self.place {
            Place::File { line, column } => format!("{file}:{line}:{column}: {}", self.message),
            Place::Flag(flag) => format!("{flag}: {} ({file})", self.message),
            Place::Nowhere => format!("{file}: {}", self.message),
        });
        match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    fn unknown(place: Place, what: &str, name: &str, expected: &[&'static str]) -> Self {
        let message = format!("unknown {what} {}{}", quote(name), suggestion(name, expected.iter().copied()));
        Self::new(place, message).hint(format!("known here: {}", expected.join(", ")))
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let place = error.location().map_or(Place::START, Place::from).or(Place::START);
        describe(place, &error)
    }
}

/// Words for the faults that people make; whatever else is wrong with the YAML is told in the reader's words.
fn describe(place: Place, error: &Error) -> Diagnostic {
    let plain = |message: String| Diagnostic::new(place, message);
    match error.without_snippet() {
        Error::AliasError { error, .. } => describe(place, error),
        Error::Message { msg, .. } => plain(msg.clone()),
        Error::SerdeUnknownField { field, expected, .. } => {
            Diagnostic::unknown(place, "field", field, expected)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            Diagnostic::unknown(place, "value", variant, expected)
        }
        Error::SerdeMissingField { field, .. } => plain(format!("missing field '{field}'")),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            plain(format!("expected {expected}, not {}", escape(unexpected)))
        }
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => plain(format!("duplicate key {}", quote(key))),
            None => plain("duplicate key".to_owned()),
        },
        Error::MultipleDocuments { .. } => several_documents(place),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => {
            plain(format!("the aliases stand for more than {MAX_ALIASED_NODES} nodes"))
        }
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Documents { .. } => several_documents(place),
            BudgetBreach::Depth { .. } => too_deep(place),
            BudgetBreach::Aliases { .. } | BudgetBreach::Anchors { .. } => {
                plain(format!("more than {MAX_ALIASES} anchors or aliases"))
            }
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
                plain(format!("more than {MAX_NODES} nodes"))
            }
            _ => plain(first_line(error)),
        },
        _ => match first_line(error) {
            message if message.contains("recursion limit") => too_deep(place),
            message => plain(message),
        },
    }
}

fn several_documents(place: Place) -> Diagnostic {
    Diagnostic::new(place, "a second document begins here; a file holds one workload")
}

fn too_deep(place: Place) -> Diagnostic {
    Diagnostic::new(place, format!("nested more than {MAX_DEPTH} deep"))
}

/// The reader's own message without its place, which we give in front.
fn first_line(error: &Error) -> String {
    let rendered = error.without_snippet().render_with_formatter(&UserMessageFormatter);
    let line = rendered.lines().next().unwrap_or_default();
    let cut = line.find(" at line ").and_then(|end| line.get(..end)).unwrap_or(line);
    escape(cut)
}

/// `; did you mean 'x'?` with the nearest of the known names, or nothing if none is near.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!("; did you mean '{candidate}'?"))
        .unwrap_or_default()
}

/// A text from the file between quotes, cut to 60 characters, without anything a terminal would act on.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("'{}{more}'", escape(&cut))
}

/// The text with control characters, and those that reorder or hide text, written out.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        if is_printable(c) {
            escaped.push(c)
        } else {
            escaped.extend(c.escape_unicode())
        }
        escaped
    })
}

/// Whether a character shows as what it is: no control character, none without width, none that changes the direction.
pub fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// A count with commas between thousands, for people.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_cannot_act_on_the_terminal() {
        assert_eq!(quote("a\u{1b}[2Jb\u{202e}c"), "'a\\u{1b}[2Jb\\u{202e}c'");
        assert_eq!(quote(&"x".repeat(100)), format!("'{}…'", "x".repeat(60)));
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(suggestion("recrods", ["records", "threads"]), "; did you mean 'records'?");
        assert_eq!(suggestion("zzz", ["records", "threads"]), "");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
