//! Values that know where they were written, so that a fault found long after reading still names its line.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};
use std::borrow::Cow;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Line and column in the file, both from 1, the column in characters.
    File {
        /// The line.
        line: u64,
        /// The column.
        column: u64,
    },
    /// A flag of the command line that replaces what the file says.
    Flag(&'static str),
    /// A default, or unknown.
    #[default]
    Nowhere,
}

impl Place {
    /// The beginning of the file.
    pub const START: Self = Self::File { line: 1, column: 1 };

    /// This place, or the other if this one is unknown.
    pub const fn or(self, other: Self) -> Self {
        match self {
            Self::Nowhere => other,
            known => known,
        }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        if location.line() == 0 {
            return Self::Nowhere;
        }
        Self::File { line: location.line(), column: location.column() }
    }
}

/// A value and its place. What an alias stands for is placed where the alias is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

impl<T> Located<T> {
    /// A value from a flag of the command line.
    pub const fn flag(flag: &'static str, value: T) -> Self {
        Self { value, place: Place::Flag(flag) }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::deserialize(deserializer)?;
        Ok(Self { value, place: referenced.into() })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A field that may be left out. Unlike `Option` it refuses `null`, so that `records:` with nothing behind it is a fault
/// and not the default.
#[derive(Clone, Copy, Debug)]
pub struct Given<T>(Option<Located<T>>);

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Given<T> {
    /// A value whose place only what holds it knows.
    pub const fn of(value: T) -> Self {
        Self(Some(Located { value, place: Place::Nowhere }))
    }

    /// What was written.
    pub const fn get(&self) -> Option<&Located<T>> {
        self.0.as_ref()
    }

    /// What was written, or the default, which lies nowhere.
    pub fn or(&self, default: T) -> Located<T>
    where
        T: Clone,
    {
        self.0.clone().unwrap_or(Located { value: default, place: Place::Nowhere })
    }

    /// Whether it was written.
    pub const fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Replaces what was written, if a flag says so.
    pub fn replace(&mut self, flag: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.0 = Some(Located::flag(flag, value));
        }
    }

    /// The same place with another value.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Given<U> {
        Given(self.0.as_ref().map(|given| Located { value: f(&given.value), place: given.place }))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Located::deserialize(deserializer).map(|located| Self(Some(located)))
    }
}

impl<T: JsonSchema> JsonSchema for Given<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
