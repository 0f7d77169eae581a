//! What the program says and how it ends when an engine refuses or fails.

use crate::exit::{Exit, Failure};
use engines::Error;

/// The failure that an engine's error is, with what to do about it.
pub fn failure(error: Error) -> Failure {
    let failure = Failure::new(exit(&error), error.to_string());
    match hint(&error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The exit status that an error stands for. What the caller asked for is wrong unless the error says otherwise.
const fn exit(error: &Error) -> Exit {
    match error {
        Error::Damaged { .. } | Error::InvariantBroken { .. } => Exit::Damaged,
        Error::Io { .. } | Error::Poisoned { .. } => Exit::Io,
        Error::InUse { .. } => Exit::InUse,
        _ => Exit::Usage,
    }
}

fn hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::UnknownEngine { .. } => "`harness engines` lists them all".to_owned(),
        Error::NotBuiltIn { engine, feature } => {
            format!("build with it, as in `cargo run --release --features {feature} -- engines {engine}`")
        }
        Error::InvalidOption { engine, .. } => format!("`harness engines {engine}` lists its options"),
        Error::UnsupportedDurability { engine, .. } => {
            format!("leave --durability out to get the strongest class that {engine} offers")
        }
        Error::NoDirectory { .. } => "name one with --dir".to_owned(),
        Error::NotAStore { .. } => {
            "name a directory that is empty, or not there yet, for a new store".to_owned()
        }
        Error::OtherEngine { found, .. } => format!("--engine {found} opens it"),
        Error::InUse { .. } => {
            "end the process that has it open, perhaps another `harness db`; the lock ends with it, and no \
            file has to be removed"
                .to_owned()
        }
        Error::UnknownVersion { .. } => "use the program that wrote it, or a newer one".to_owned(),
        Error::Damaged { .. } => {
            "nothing was changed; `harness db salvage` copies what can be read into a new store".to_owned()
        }
        Error::Poisoned { .. } => {
            "what was acknowledged is kept; look at the disk's space and health".to_owned()
        }
        Error::Unsupported { .. } => "`harness engines NAME` shows what an engine can do".to_owned(),
        _ => return None,
    };
    Some(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::Durability;
    use std::io;
    use std::path::PathBuf;

    #[test]
    fn every_kind_of_error_has_its_status() {
        let path = PathBuf::from("d");
        let source = io::Error::other("no");
        let damaged = Error::Damaged { path: path.clone(), position: 3, message: "torn".to_owned() };
        let cases = [
            (damaged, Exit::Damaged, "db salvage"),
            (Error::InvariantBroken { engine: "e", message: "m".to_owned() }, Exit::Damaged, ""),
            (Error::Io { operation: "sync", path: path.clone(), source }, Exit::Io, ""),
            (Error::Poisoned { reason: "sync d".to_owned() }, Exit::Io, "space"),
            (Error::InUse { directory: path.clone() }, Exit::InUse, "end the process"),
            (Error::UnknownVersion { path: path.clone(), version: 9 }, Exit::Usage, "newer"),
            (
                Error::OtherEngine { directory: path.clone(), found: "hash".to_owned(), asked: "btree" },
                Exit::Usage,
                "--engine hash",
            ),
            (Error::NotAStore { directory: path, message: "m".to_owned() }, Exit::Usage, "empty"),
            (Error::NoDirectory { engine: "e", asked: Durability::Sync }, Exit::Usage, "--dir"),
            (Error::KeyTooLong { len: 9, limit: 8 }, Exit::Usage, ""),
        ];
        for (error, exit, words) in cases {
            let failure = failure(error);
            assert_eq!(failure.exit, exit, "{failure}");
            let hint = failure.hint.unwrap_or_default();
            assert!(hint.contains(words) && hint.is_empty() == words.is_empty(), "{hint}");
        }
    }
}
