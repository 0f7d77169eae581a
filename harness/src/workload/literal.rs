//! Scalars of a workload file: counts, sizes, time spans, plain numbers and durability classes, each with a message that
//! says what would be right. The same texts are read from flags of the command line.

use super::diagnostic::{quote, suggestion};
use super::located::{Located, Place};
use engines::Durability;
use engines::options::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

/// A node as YAML sees it.
#[derive(Clone, Copy, Debug)]
pub enum Literal<'a> {
    /// A whole number.
    Integer(i128),
    /// A number with a point or an exponent, or a whole number beyond 128 bits.
    Float(f64),
    /// Anything else that is a scalar.
    Text(&'a str),
    /// `true` or `false`.
    Boolean(bool),
    /// Nothing.
    Null,
    /// A sequence.
    Sequence,
    /// A mapping.
    Mapping,
}

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Null => f.write_str("nothing"),
            Self::Sequence => f.write_str("a sequence"),
            Self::Mapping => f.write_str("a mapping"),
        }
    }
}

/// What can be made from a scalar.
pub trait FromLiteral: Sized {
    /// Makes it, or says what would be right.
    fn from_literal(literal: Literal<'_>) -> Result<Self, String>;
}

/// Visits a scalar, whatever its type, so that the message is ours and the place is the scalar's.
struct LiteralVisitor<T>(PhantomData<T>);

macro_rules! visit {
    ($($method:ident($type:ty) => $literal:expr;)+) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<T, E> {
            T::from_literal($literal(value)).map_err(E::custom)
        })+
    };
}

impl<'de, T: FromLiteral> Visitor<'de> for LiteralVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    visit! {
        visit_i64(i64) => |value| Literal::Integer(i128::from(value));
        visit_i128(i128) => Literal::Integer;
        visit_u64(u64) => |value| Literal::Integer(i128::from(value));
        visit_u128(u128) => |value| i128::try_from(value).map_or(Literal::Float(f64::INFINITY), Literal::Integer);
        visit_f64(f64) => Literal::Float;
        visit_str(&str) => Literal::Text;
        visit_bool(bool) => Literal::Boolean;
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        T::from_literal(Literal::Null).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _sequence: A) -> Result<T, A::Error> {
        T::from_literal(Literal::Sequence).map_err(de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, _map: A) -> Result<T, A::Error> {
        T::from_literal(Literal::Mapping).map_err(de::Error::custom)
    }
}

/// One scalar or a sequence of them.
#[derive(Clone, Debug)]
pub struct Many<T>(pub Vec<Located<T>>);

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: FromLiteral + Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar or a sequence of scalars")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Many<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Many(items))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Many<T>, E> {
        LiteralVisitor(PhantomData).visit_i64(value).map(Many::one)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Many<T>, E> {
        LiteralVisitor(PhantomData).visit_u64(value).map(Many::one)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Many<T>, E> {
        LiteralVisitor(PhantomData).visit_f64(value).map(Many::one)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Many<T>, E> {
        LiteralVisitor(PhantomData).visit_str(value).map(Many::one)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Many<T>, E> {
        LiteralVisitor(PhantomData).visit_bool(value).map(Many::one)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Many<T>, E> {
        LiteralVisitor(PhantomData).visit_unit().map(Many::one)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many<T>, A::Error> {
        LiteralVisitor(PhantomData).visit_map(map).map(Many::one)
    }
}

impl<T> Many<T> {
    /// One value, at a place that only the whole knows.
    pub fn one(value: T) -> Self {
        Self(vec![Located { value, place: Place::Nowhere }])
    }

    /// Values from a flag of the command line.
    pub fn flag(flag: &'static str, values: &[T]) -> Self
    where
        T: Clone,
    {
        Self(values.iter().map(|value| Located::flag(flag, value.clone())).collect())
    }
}

impl<'de, T: FromLiteral + Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

impl<T: JsonSchema> Many<T> {
    /// The schema of one item or a list of them.
    pub fn schema_of(item: Schema, generator: &mut SchemaGenerator) -> Schema {
        let mut list = generator.subschema_for::<Vec<T>>();
        list.insert("items".to_owned(), item.clone().into());
        list.insert("minItems".to_owned(), 1.into());
        list.insert("uniqueItems".to_owned(), true.into());
        json_schema!({ "anyOf": [item, list] })
    }
}

impl<T: JsonSchema> JsonSchema for Many<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Many{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        Self::schema_of(item, generator)
    }
}

macro_rules! literal {
    ($type:ty, $name:literal, $schema:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(LiteralVisitor(PhantomData))
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::from_literal(Literal::Text(text))
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

/// A whole number from 0, with underscores between digits if that reads better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

const COUNT_EXAMPLE: &str = "write a whole number such as 1000000 or 1_000_000";

impl FromLiteral for Count {
    fn from_literal(literal: Literal<'_>) -> Result<Self, String> {
        match literal {
            Literal::Integer(value) if value < 0 => Err(format!("{value} is negative; {COUNT_EXAMPLE}")),
            Literal::Integer(value) => {
                u64::try_from(value).map(Self).map_err(|_| format!("{value} is too large for a count"))
            }
            Literal::Float(value) if value.fract() == 0.0 && value.abs() >= 1e18 => {
                Err(format!("{value:e} is too large for a count"))
            }
            Literal::Text(text) => whole(text).map(Self),
            other => Err(format!("{other} is not a count; {COUNT_EXAMPLE}")),
        }
    }
}

/// Reads digits with single underscores between them.
fn whole(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let shaped = !digits.is_empty()
        && digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !shaped {
        return Err(format!("{} is not a count; {COUNT_EXAMPLE}", quote(text)));
    }
    if text.starts_with('-') {
        return Err(format!("{} is negative; {COUNT_EXAMPLE}", quote(text)));
    }
    digits.replace('_', "").parse().map_err(|_| format!("{} is too large for a count", quote(text)))
}

literal!(
    Count,
    "Count",
    json_schema!({ "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+(_[0-9]+)*$" })
);

/// A number of bytes: a count, or a count with a unit as `4KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl FromLiteral for Bytes {
    fn from_literal(literal: Literal<'_>) -> Result<Self, String> {
        match literal {
            Literal::Text(text) => text.parse::<ByteSize>().map(|size| Self(size.bytes())).map_err(|_| {
                format!("{} is not a size; write bytes as 4096, or with a unit as 4KiB or 1MiB", quote(text))
            }),
            Literal::Integer(_) | Literal::Float(_) => {
                Count::from_literal(literal).map(|count| Self(count.0))
            }
            other => {
                Err(format!("{other} is not a size; write bytes as 4096, or with a unit as 4KiB or 1MiB"))
            }
        }
    }
}

literal!(
    Bytes,
    "Bytes",
    json_schema!({
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": "^[0-9]+(_[0-9]+)* ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$"
    })
);

/// A span of time with its unit: `10s`, `500ms`, `2m`, `1.5h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan(pub Duration);

/// The units of a time span in seconds; a unit that ends another one comes after it.
const TIME_UNITS: [(&str, f64); 6] =
    [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
const HOUR_SECONDS: f64 = 3_600.0;
const TIME_EXAMPLE: &str = "write it with a unit, as 10s, 500ms, 2m or 1h";

impl FromLiteral for TimeSpan {
    fn from_literal(literal: Literal<'_>) -> Result<Self, String> {
        let text = match literal {
            Literal::Text(text) => text.trim(),
            Literal::Integer(value) => return Err(format!("time {value} has no unit; {TIME_EXAMPLE}")),
            Literal::Float(value) => return Err(format!("time {value} has no unit; {TIME_EXAMPLE}")),
            other => return Err(format!("{other} is not a time; {TIME_EXAMPLE}")),
        };
        let wrong = || format!("{} is not a time; {TIME_EXAMPLE}", quote(text));
        let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '_')).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end).ok_or_else(wrong)?;
        let seconds = TIME_UNITS
            .iter()
            .chain(&[("h", HOUR_SECONDS)])
            .find(|(name, _)| *name == unit.trim())
            .map(|(_, seconds)| *seconds)
            .ok_or_else(wrong)?;
        let number: f64 = number.replace('_', "").parse().map_err(|_| wrong())?;
        Duration::try_from_secs_f64(number * seconds)
            .map(Self)
            .map_err(|_| format!("{} is too long a time", quote(text)))
    }
}

literal!(
    TimeSpan,
    "TimeSpan",
    json_schema!({ "type": "string", "pattern": "^[0-9][0-9_]*(\\.[0-9]+)? ?(ns|us|µs|ms|s|m|h)$" })
);

/// A finite number: a proportion, a fraction, a skew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl FromLiteral for Number {
    fn from_literal(literal: Literal<'_>) -> Result<Self, String> {
        let value = match literal {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a whole number where a fraction is due is small or refused"
            )]
            Literal::Integer(value) => value as f64,
            Literal::Float(value) => value,
            other => return Err(format!("{other} is not a number; write it as 0.5")),
        };
        if value.is_finite() { Ok(Self(value)) } else { Err(format!("{value} is not a finite number")) }
    }
}

literal!(Number, "Number", json_schema!({ "type": "number" }));

/// A durability class by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurabilityClass(pub Durability);

impl DurabilityClass {
    const ALL: [Durability; 3] = [Durability::None, Durability::Buffered, Durability::Sync];
}

impl FromLiteral for DurabilityClass {
    fn from_literal(literal: Literal<'_>) -> Result<Self, String> {
        let names = Self::ALL.map(Durability::name);
        let Literal::Text(text) = literal else {
            return Err(format!("{literal} is not a durability class; write one of {}", names.join(", ")));
        };
        Self::ALL.into_iter().find(|class| class.name() == text).map(Self).ok_or_else(|| {
            let near = suggestion(text, names);
            format!("unknown durability class {}{near}; there are {}", quote(text), names.join(", "))
        })
    }
}

literal!(
    DurabilityClass,
    "DurabilityClass",
    json_schema!({ "enum": DurabilityClass::ALL.map(Durability::name) })
);
