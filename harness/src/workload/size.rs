//! Distributions of value sizes and scan lengths: which fields belong to which, and what they may be.

use super::diagnostic::{Diagnostic, grouped};
use super::limits::{MAX_BUCKETS, MAX_WEIGHT};
use super::located::{Given, Place};
use super::plan::SizeDistribution;
use super::spec::{ScanLengthMapping, SizeKind, ValueSpec, Weights};

/// The fields of a distribution, with plain numbers.
struct Fields<'a> {
    /// What is distributed, for messages.
    what: &'static str,
    place: Place,
    limit: u64,
    kind: &'a Given<SizeKind>,
    size: Given<u64>,
    min: Given<u64>,
    max: Given<u64>,
    block_size: Given<u64>,
    weights: &'a Given<Weights>,
}

/// The sizes of values; `default` where nothing is written.
///
/// # Errors
/// A field that is missing, of another distribution, or out of its range.
pub fn value_sizes(
    spec: &ValueSpec,
    place: Place,
    default: u64,
    limit: u64,
) -> Result<SizeDistribution, Diagnostic> {
    let fields = Fields {
        what: "value",
        place,
        limit,
        kind: &spec.distribution,
        size: spec.size.map(|bytes| bytes.0),
        min: spec.min.map(|bytes| bytes.0),
        max: spec.max.map(|bytes| bytes.0),
        block_size: spec.block_size.map(|bytes| bytes.0),
        weights: &spec.weights,
    };
    if fields.names().next().is_none() && !spec.distribution.is_given() {
        return Ok(SizeDistribution::Constant { value: default });
    }
    fields.resolve()
}

/// The lengths of scans.
///
/// # Errors
/// A field that is missing, of another distribution, or out of its range.
pub fn scan_lengths(
    spec: &ScanLengthMapping,
    place: Place,
    limit: u64,
) -> Result<SizeDistribution, Diagnostic> {
    Fields {
        what: "scan_length",
        place,
        limit,
        kind: &spec.distribution,
        size: spec.size.map(|count| count.0),
        min: spec.min.map(|count| count.0),
        max: spec.max.map(|count| count.0),
        block_size: spec.block_size.map(|count| count.0),
        weights: &spec.weights,
    }
    .resolve()
}

impl Fields<'_> {
    /// The fields that were written, by name.
    fn names(&self) -> impl Iterator<Item = (&'static str, Place)> {
        [
            ("size", self.size.get().map(|given| given.place)),
            ("min", self.min.get().map(|given| given.place)),
            ("max", self.max.get().map(|given| given.place)),
            ("block_size", self.block_size.get().map(|given| given.place)),
            ("weights", self.weights.get().map(|given| given.place)),
        ]
        .into_iter()
        .filter_map(|(name, place)| place.map(|place| (name, place)))
    }

    fn resolve(&self) -> Result<SizeDistribution, Diagnostic> {
        let kind = self.kind.or(SizeKind::Constant).value;
        let (kind_name, own): (_, &[&str]) = match kind {
            SizeKind::Constant => ("constant", &["size"]),
            SizeKind::Uniform => ("uniform", &["min", "max"]),
            SizeKind::Zipfian => ("zipfian", &["min", "max"]),
            SizeKind::Histogram => ("histogram", &["block_size", "weights"]),
        };
        if let Some((name, place)) = self.names().find(|(name, _)| !own.contains(name)) {
            let message =
                format!("'{name}' does not belong to the {kind_name} distribution of '{}'", self.what);
            let hint = format!("{kind_name} takes {}; set 'distribution' for another one", own.join(" and "));
            return Err(Diagnostic::new(place.or(self.place), message).hint(hint));
        }
        match kind {
            SizeKind::Constant => Ok(SizeDistribution::Constant { value: self.one("size", &self.size)? }),
            SizeKind::Uniform => {
                let (min, max) = self.ends()?;
                Ok(SizeDistribution::Uniform { min, max })
            }
            SizeKind::Zipfian => {
                let (min, max) = self.ends()?;
                Ok(SizeDistribution::Zipfian { min, max })
            }
            SizeKind::Histogram => self.histogram(),
        }
    }

    /// A required field from 1 to the limit.
    fn one(&self, name: &str, given: &Given<u64>) -> Result<u64, Diagnostic> {
        let given = given.get().ok_or_else(|| self.missing(name))?;
        if !(1..=self.limit).contains(&given.value) {
            let limit = grouped(self.limit);
            let message =
                format!("'{name}' of '{}' must be 1 to {limit}, not {}", self.what, grouped(given.value));
            return Err(Diagnostic::new(given.place.or(self.place), message));
        }
        Ok(given.value)
    }

    fn ends(&self) -> Result<(u64, u64), Diagnostic> {
        let (min, max) = (self.one("min", &self.min)?, self.one("max", &self.max)?);
        if min > max {
            let place = self.max.get().map_or(self.place, |given| given.place);
            let message =
                format!("'max' of '{}' is {}, less than 'min', {}", self.what, grouped(max), grouped(min));
            return Err(Diagnostic::new(place, message));
        }
        Ok((min, max))
    }

    fn histogram(&self) -> Result<SizeDistribution, Diagnostic> {
        let block_size = self.one("block_size", &self.block_size)?;
        let given = self.weights.get().ok_or_else(|| self.missing("weights"))?;
        let buckets = given.value.len();
        if !(1..=MAX_BUCKETS).contains(&buckets) {
            let message = format!("'weights' must have 1 to {MAX_BUCKETS} buckets, not {buckets}");
            return Err(Diagnostic::new(given.place, message));
        }
        let weights: Vec<u64> = given.value.iter().map(|weight| weight.value.0).collect();
        let sum = weights.iter().fold(0, |sum: u64, weight| sum.saturating_add(*weight));
        if !(1..=MAX_WEIGHT).contains(&sum) {
            let message = format!("'weights' must sum to 1 to {}, not {}", grouped(MAX_WEIGHT), grouped(sum));
            return Err(Diagnostic::new(given.place, message));
        }
        let distribution = SizeDistribution::Histogram { block_size, weights };
        let longest = greatest(&distribution);
        if longest > self.limit {
            let message = format!(
                "the last bucket of '{}' is {} long, over the limit of {}",
                self.what,
                grouped(longest),
                grouped(self.limit)
            );
            return Err(Diagnostic::new(given.place, message));
        }
        Ok(distribution)
    }

    fn missing(&self, name: &str) -> Diagnostic {
        Diagnostic::new(self.place, format!("'{}' lacks '{name}'", self.what))
    }
}

/// The greatest number a distribution can give.
pub fn greatest(distribution: &SizeDistribution) -> u64 {
    match distribution {
        SizeDistribution::Constant { value } => *value,
        SizeDistribution::Uniform { max, .. } | SizeDistribution::Zipfian { max, .. } => *max,
        SizeDistribution::Histogram { block_size, weights } => {
            let buckets = weights.iter().rposition(|weight| *weight > 0).map_or(0, |last| last + 1);
            block_size.saturating_mul(buckets as u64)
        }
    }
}

/// About how great a number is in the mean; for `zipfian`, whose mean lies far below, the middle.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub fn middle(distribution: &SizeDistribution) -> f64 {
    match distribution {
        SizeDistribution::Constant { value } => *value as f64,
        SizeDistribution::Uniform { min, max } | SizeDistribution::Zipfian { min, max } => {
            f64::midpoint(*min as f64, *max as f64)
        }
        SizeDistribution::Histogram { block_size, weights } => {
            let total: f64 = weights.iter().map(|weight| *weight as f64).sum();
            let sum: f64 =
                (1_u32..).zip(weights).map(|(bucket, weight)| f64::from(bucket) * *weight as f64).sum();
            sum / total * *block_size as f64
        }
    }
}
