//! Request distributions as they are written: one table of names and parameters that the reader, the schema and the messages
//! share. Another distribution is another row here and another variant of [`RequestDistribution`].

use super::diagnostic::{Diagnostic, quote, suggestion};
use super::literal::Number;
use super::located::{Located, Place};
use super::plan::RequestDistribution;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A distribution by its name, with the parameters that were written.
#[derive(Clone, Debug)]
pub struct RequestSpec {
    /// Its name.
    pub name: Located<String>,
    /// Its parameters.
    pub parameters: Vec<(String, Located<Number>)>,
}

/// One row of the table.
struct Form {
    name: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    /// Makes the distribution from the parameters in the order of the row.
    make: fn(&[f64]) -> Option<RequestDistribution>,
}

/// One parameter of a distribution.
struct Parameter {
    name: &'static str,
    summary: &'static str,
    default: f64,
    low: End,
    high: End,
}

/// One end of a range.
#[derive(Clone, Copy)]
enum End {
    Included(f64),
    Excluded(f64),
}

impl Parameter {
    fn holds(&self, value: f64) -> bool {
        let above = match self.low {
            End::Included(low) => value >= low,
            End::Excluded(low) => value > low,
        };
        let below = match self.high {
            End::Included(high) => value <= high,
            End::Excluded(high) => value < high,
        };
        above && below
    }

    fn range(&self) -> String {
        let low = match self.low {
            End::Included(low) => format!("at least {low}"),
            End::Excluded(low) => format!("above {low}"),
        };
        match self.high {
            End::Included(high) => format!("{low} and at most {high}"),
            End::Excluded(high) => format!("{low} and below {high}"),
        }
    }

    fn schema(&self) -> serde_json::Value {
        let (low, minimum) = match self.low {
            End::Included(low) => ("minimum", low),
            End::Excluded(low) => ("exclusiveMinimum", low),
        };
        let (high, maximum) = match self.high {
            End::Included(high) => ("maximum", high),
            End::Excluded(high) => ("exclusiveMaximum", high),
        };
        serde_json::json!({
            "description": self.summary, "type": "number", low: minimum, high: maximum, "default": self.default,
        })
    }
}

const THETA: Parameter = Parameter {
    name: "theta",
    summary: "Skew: the record of rank r is asked for in proportion to r to the power of -theta.",
    default: 0.99,
    low: End::Excluded(0.0),
    high: End::Included(10.0),
};

/// Every distribution there is.
const FORMS: [Form; 7] = [
    Form {
        name: "uniform",
        summary: "Every record as likely as the other.",
        parameters: &[],
        make: |_| Some(RequestDistribution::Uniform),
    },
    Form {
        name: "zipfian",
        summary: "Exactly Zipf over the records, the ranks scattered over them.",
        parameters: &[THETA],
        make: |given| Some(RequestDistribution::Zipfian { theta: *given.first()? }),
    },
    Form {
        name: "ycsb_zipfian",
        summary: "YCSB's scrambled zipfian, bit for bit: flatter than its name says.",
        parameters: &[Parameter { high: End::Excluded(1.0), ..THETA }],
        make: |given| Some(RequestDistribution::YcsbZipfian { theta: *given.first()? }),
    },
    Form {
        name: "latest",
        summary: "The newest records are the most likely, zipfian by age.",
        parameters: &[THETA],
        make: |given| Some(RequestDistribution::Latest { theta: *given.first()? }),
    },
    Form {
        name: "hotspot",
        summary: "A share of the operations goes to a share of the records, evenly within and without.",
        parameters: &[
            Parameter {
                name: "data_fraction",
                summary: "Share of the records that is hot.",
                default: 0.2,
                low: End::Excluded(0.0),
                high: End::Included(1.0),
            },
            Parameter {
                name: "operation_fraction",
                summary: "Share of the operations that go to the hot records.",
                default: 0.8,
                low: End::Included(0.0),
                high: End::Included(1.0),
            },
        ],
        make: |given| match given {
            [data_fraction, operation_fraction] => Some(RequestDistribution::Hotspot {
                data_fraction: *data_fraction,
                operation_fraction: *operation_fraction,
            }),
            _ => None,
        },
    },
    Form {
        name: "exponential",
        summary: "YCSB's exponential by age.",
        parameters: &[
            Parameter {
                name: "percentile",
                summary: "Percentage of the operations that fall into the fraction.",
                default: 95.0,
                low: End::Excluded(0.0),
                high: End::Excluded(100.0),
            },
            Parameter {
                name: "fraction",
                summary: "Share of the records, the newest, that the percentile falls into.",
                default: 0.857_142_857_1,
                low: End::Excluded(0.0),
                high: End::Included(1.0),
            },
        ],
        make: |given| match given {
            [percentile, fraction] => {
                Some(RequestDistribution::Exponential { percentile: *percentile, fraction: *fraction })
            }
            _ => None,
        },
    },
    Form {
        name: "sequential",
        summary: "One after the other, each worker from a place of its own.",
        parameters: &[],
        make: |_| Some(RequestDistribution::Sequential),
    },
];

impl RequestSpec {
    /// A distribution with its defaults.
    pub fn named(name: &str) -> Self {
        Self { name: Located { value: name.to_owned(), place: Place::Nowhere }, parameters: Vec::new() }
    }

    /// The distribution that is meant. `place` is where the whole was written.
    ///
    /// # Errors
    /// An unknown name, a parameter that the distribution does not have, or one out of its range.
    pub fn resolve(&self, place: Place) -> Result<RequestDistribution, Diagnostic> {
        let name = self.name.value.as_str();
        let named = self.name.place.or(place);
        let form = FORMS.iter().find(|form| form.name == name).ok_or_else(|| {
            let names = FORMS.map(|form| form.name);
            let near = suggestion(name, names);
            Diagnostic::new(named, format!("unknown request distribution {}{near}", quote(name)))
                .hint(format!("there are {}", names.join(", ")))
        })?;
        for (parameter, number) in &self.parameters {
            let known = || form.parameters.iter().map(|known| known.name);
            if !known().any(|known| known == parameter) {
                let near = suggestion(parameter, known());
                let message = format!("'{name}' has no parameter {}{near}", quote(parameter));
                let names: Vec<_> = known().collect();
                let hint = match names.as_slice() {
                    [] => format!("'{name}' takes no parameters"),
                    names => format!("'{name}' takes {}", names.join(", ")),
                };
                return Err(Diagnostic::new(number.place, message).hint(hint));
            }
        }
        let values = form
            .parameters
            .iter()
            .map(|parameter| self.value_of(parameter))
            .collect::<Result<Vec<_>, _>>()?;
        (form.make)(&values).ok_or_else(|| Diagnostic::new(named, format!("'{name}' lacks a parameter")))
    }

    fn value_of(&self, parameter: &Parameter) -> Result<f64, Diagnostic> {
        let Some((_, number)) = self.parameters.iter().find(|(name, _)| name == parameter.name) else {
            return Ok(parameter.default);
        };
        let Number(value) = number.value;
        if !parameter.holds(value) {
            let message = format!("'{}' must be {}, not {value}", parameter.name, parameter.range());
            return Err(Diagnostic::new(number.place, message));
        }
        Ok(value)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = RequestSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a distribution or a mapping of name and parameters")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<RequestSpec, E> {
        Ok(RequestSpec::named(value))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RequestSpec, A::Error> {
        let mut name = None;
        let mut parameters = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "name" {
                name = Some(map.next_value()?);
            } else {
                parameters.push((key, map.next_value()?));
            }
        }
        let name = name.ok_or_else(|| {
            de::Error::custom("the distribution has no name; write { name: hotspot, data_fraction: 0.2 }")
        })?;
        Ok(RequestSpec { name, parameters })
    }
}

impl<'de> Deserialize<'de> for RequestSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RequestVisitor)
    }
}

impl JsonSchema for RequestSpec {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RequestSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut forms = vec![serde_json::json!({ "enum": FORMS.map(|form| form.name) })];
        forms.extend(FORMS.iter().map(|form| {
            let mut properties = serde_json::Map::new();
            properties.insert("name".to_owned(), serde_json::json!({ "const": form.name }));
            for parameter in form.parameters {
                properties.insert(parameter.name.to_owned(), parameter.schema());
            }
            serde_json::json!({
                "description": form.summary, "type": "object", "properties": properties,
                "required": ["name"], "additionalProperties": false,
            })
        }));
        json_schema!({ "anyOf": forms })
    }
}
