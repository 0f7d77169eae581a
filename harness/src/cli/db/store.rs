//! Which store, and how it is opened.

use crate::cli::engine_error::failure;
use crate::exit::Failure;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engines::entry::{Entry, OpenOptions, Storage};
use engines::{Durability, Engine, registry};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Flags that every verb takes.
#[derive(Debug, clap::Args)]
pub struct StoreArguments {
    /// The engine, as `harness engines` lists it
    #[arg(long, short, value_name = "NAME")]
    engine: String,
    /// Directory of the store
    #[arg(long, short, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// When a write counts as written [default: the strongest class that the engine offers]
    #[arg(long, value_name = "CLASS", value_parser = classes())]
    durability: Option<Durability>,
    /// The engine's options, a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    options: Option<serde_json::Value>,
}

/// What happens where there is no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It is made.
    Made,
    /// It is refused, and nothing is made.
    Refused,
}

fn classes() -> impl TypedValueParser<Value = Durability> {
    PossibleValuesParser::new(Durability::ALL.iter().map(|class| class.name())).try_map(|name| {
        let class = Durability::ALL.iter().find(|class| class.name() == name);
        class.copied().ok_or_else(|| format!("no class is named {name}"))
    })
}

fn object(text: &str) -> Result<serde_json::Value, String> {
    match serde_json::from_str(text) {
        Ok(object @ serde_json::Value::Object(_)) => Ok(object),
        Ok(other) => Err(format!("must be an object as {{\"name\": value}}, not {other}")),
        Err(error) => Err(error.to_string()),
    }
}

impl StoreArguments {
    /// Opens the store.
    ///
    /// # Errors
    /// Flags that do not go together, a store that is not there where it must be, and whatever the engine says.
    pub fn open(&self, absent: Absent) -> Result<Box<dyn Engine>, Failure> {
        let options = self.checked(absent)?;
        registry::open(&self.engine, &options).map_err(failure)
    }

    /// What it is opened with, after all that can be known without opening it was checked.
    ///
    /// # Errors
    /// As [`StoreArguments::open`], but for the engine's.
    pub fn checked(&self, absent: Absent) -> Result<OpenOptions, Failure> {
        let entry = self.entry()?;
        let durability = self.durability(entry)?;
        let is_kept = durability != Durability::None || entry.storage == Storage::Files;
        match (&self.dir, absent) {
            (Some(directory), Absent::Made) if is_kept => there(directory).map(drop)?,
            (Some(directory), Absent::Refused) if is_kept => must_be_there(directory)?,
            (None, _) if is_kept => {
                return Err(Failure::usage("no directory is named")
                    .hint("--dir DIR says where the store lies; `harness db kv` makes a new one"));
            }
            (_, Absent::Made) => {
                // Whoever cannot read it loses nothing that was not lost anyway.
                let _ = writeln!(io::stderr(), "note: with durability none nothing is kept when this ends");
            }
            (_, Absent::Refused) => {
                return Err(Failure::usage(format!("{} keeps nothing with durability none", entry.name))
                    .hint("only `harness db kv` can do something with it"));
            }
        }
        let options = self.options.clone().unwrap_or_default();
        Ok(OpenOptions { options, durability, directory: self.dir.clone() })
    }

    /// The engine's entry.
    ///
    /// # Errors
    /// An unknown engine.
    pub fn entry(&self) -> Result<&'static Entry, Failure> {
        registry::find(&self.engine).map_err(failure)
    }

    /// Where the store lies, for people.
    pub fn name(&self) -> String {
        self.dir.as_ref().map_or_else(|| self.engine.clone(), |directory| directory.display().to_string())
    }

    /// The class that was asked for, or the strongest. That in memory only must be asked for.
    fn durability(&self, entry: &Entry) -> Result<Durability, Failure> {
        let strongest = entry.capabilities.durability.iter().copied().max().unwrap_or_default();
        match self.durability {
            Some(class) => Ok(class),
            None if strongest == Durability::None && entry.storage == Storage::Memory => Err(Failure::usage(
                format!("engine '{}' keeps nothing when it is closed: it has no store in a directory", entry.name),
            )
            .hint("`harness db kv --durability none` tries it in memory; `harness engines NAME` shows the classes that an engine offers")),
            None => Ok(strongest),
        }
    }
}

/// Whether there is a directory of this name, and anything in it.
///
/// # Errors
/// A name that is no directory's, or a directory that cannot be read.
pub fn there(directory: &Path) -> Result<bool, Failure> {
    let failed = |error| Failure::io(format!("cannot read {}", directory.display()), &error);
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().transpose().map_err(failed)?.is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(Failure::usage(format!("{} is not a directory", directory.display())))
        }
        Err(error) => Err(failed(error)),
    }
}

fn must_be_there(directory: &Path) -> Result<(), Failure> {
    if there(directory)? {
        return Ok(());
    }
    let what = if directory.is_dir() { "is empty" } else { "is not there" };
    Err(Failure::usage(format!("there is no store: {} {what}", directory.display()))
        .hint("`harness db kv` makes a new store; this verb only opens one that is there"))
}
