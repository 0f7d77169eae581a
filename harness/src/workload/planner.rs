//! From a workload file as written to the plan: every default filled in, every limit kept, every cell spelled out.
//!
//! Nothing is created and nothing measured; engines are opened only where the file gives them options, to hear whether
//! they take them.

use super::cells::{self, Needs};
use super::diagnostic::{Diagnostic, grouped, is_printable, quote};
use super::limits::{
    DEFAULT_CHECK_ONE_IN, DEFAULT_PREFIX, DEFAULT_RECORDS, DEFAULT_SEED, DEFAULT_TRIALS, DEFAULT_VALUE_BYTES,
    DEFAULT_WARMUP, DEFAULT_ZERO_PADDING, MAX_DESCRIPTION_CHARS, MAX_DURATION, MAX_LOAD_BYTES,
    MAX_NAME_CHARS, MAX_ONE_IN, MAX_PREFIX_BYTES, MAX_RECORDS, MAX_TRIALS, MAX_VALUE_BYTES, MAX_ZERO_PADDING,
};
use super::literal::{Count, Number, TimeSpan};
use super::located::{Given, Located, Place};
use super::memory;
use super::phases;
use super::plan::{KeyOrder, KeyPlan, LatencyMode, Plan, ValuePlan};
use super::size;
use super::spec::{KeyOrderSpec, KeySpec, LatencySpec, NAME_PATTERN, Spec, ValueSpec};
use engines::entry::Entry;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Makes the plan. `engines` are those that can be asked for, in the order they are listed.
///
/// # Errors
/// The first fault, with its place.
pub fn plan(spec: &Spec, engines: &[&Entry]) -> Result<Plan, Diagnostic> {
    identifier(&spec.name, "workload")?;
    let description = description(&spec.description)?;
    let records = count("records", &spec.records, DEFAULT_RECORDS, 1..=MAX_RECORDS)?;
    let key = key(&spec.key)?;
    let value = value(&spec.value)?;
    check_load(spec, records, &key, &value)?;
    let trials = count("trials", &spec.trials, DEFAULT_TRIALS, 1..=MAX_TRIALS)?;
    let warmup = time("warmup", &spec.warmup, DEFAULT_WARMUP, Duration::ZERO..=MAX_DURATION)?;
    let latency = latency(&spec.latency)?;
    let check_one_in = count("check_one_in", &spec.check_one_in, DEFAULT_CHECK_ONE_IN, 0..=MAX_ONE_IN)?;
    let phases = phases::plan(&spec.phases)?;
    let memory = memory::plan(&spec.memory, &value)?;
    let needs = Needs::of(&key, &value, memory.as_ref(), &phases);
    let (cells, left_out) = cells::plan(spec, engines, &needs)?;
    Ok(Plan {
        name: spec.name.value.clone(),
        description,
        seed: spec.seed.or(Count(DEFAULT_SEED)).value.0,
        records,
        key,
        value,
        trials: narrow(trials),
        warmup,
        latency,
        check_one_in: narrow(check_one_in),
        memory,
        phases,
        cells,
        left_out,
    })
}

/// A number whose limit has been checked to lie below 2^32.
pub fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Checks a name that is also a file name.
pub fn identifier(name: &Located<String>, what: &str) -> Result<(), Diagnostic> {
    let text = &name.value;
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    if !(first && rest) {
        let message = format!("{} is not a name for a {what}; it must match {NAME_PATTERN}", quote(text));
        return Err(Diagnostic::new(name.place, message));
    }
    if text.len() > MAX_NAME_CHARS {
        let message =
            format!("the name of the {what} has {} characters, more than {MAX_NAME_CHARS}", text.len());
        return Err(Diagnostic::new(name.place, message));
    }
    Ok(())
}

/// A whole number within its limits.
pub fn count(
    field: &str,
    given: &Given<Count>,
    default: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, Diagnostic> {
    let Located { value: Count(value), place } = given.or(Count(default));
    if !range.contains(&value) {
        let (least, most) = (grouped(*range.start()), grouped(*range.end()));
        let message = format!("'{field}' must be {least} to {most}, not {}", grouped(value));
        return Err(Diagnostic::new(place, message));
    }
    Ok(value)
}

/// A time within its limits.
pub fn time(
    field: &str,
    given: &Given<TimeSpan>,
    default: Duration,
    range: RangeInclusive<Duration>,
) -> Result<Duration, Diagnostic> {
    let Located { value: TimeSpan(value), place } = given.or(TimeSpan(default));
    if !range.contains(&value) {
        let hours = range.end().as_secs() / 3_600;
        let message = format!("'{field}' must be {:?} to {hours}h, not {value:?}", range.start());
        return Err(Diagnostic::new(place, message));
    }
    Ok(value)
}

/// A number from 0 to 1; 0 unless given.
pub fn share(field: &str, given: &Given<Number>) -> Result<f64, Diagnostic> {
    let Located { value: Number(value), place } = given.or(Number(0.0));
    if !(0.0..=1.0).contains(&value) {
        return Err(Diagnostic::new(place, format!("'{field}' must be 0 to 1, not {value}")));
    }
    Ok(value)
}

/// The description on one line.
pub fn description(given: &Given<String>) -> Result<String, Diagnostic> {
    let Located { value: text, place } = given.or(String::new());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(hidden) = text.chars().find(|c| !is_printable(*c)) {
        let message =
            format!("'description' holds a character that does not show, {}", hidden.escape_unicode());
        return Err(Diagnostic::new(place, message));
    }
    let length = text.chars().count();
    if length > MAX_DESCRIPTION_CHARS {
        let message = format!("'description' has {length} characters, more than {MAX_DESCRIPTION_CHARS}");
        return Err(Diagnostic::new(place, message));
    }
    Ok(text)
}

fn key(given: &Given<KeySpec>) -> Result<KeyPlan, Diagnostic> {
    let KeySpec { order, prefix, zero_padding } = given.or(KeySpec::default()).value;
    let Located { value: prefix, place } = prefix.or(DEFAULT_PREFIX.to_owned());
    if prefix.len() > MAX_PREFIX_BYTES || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!(
            "'prefix' must be at most {MAX_PREFIX_BYTES} printable ASCII characters, not {}",
            quote(&prefix)
        );
        return Err(Diagnostic::new(place, message));
    }
    Ok(KeyPlan {
        order: match order.or(KeyOrderSpec::Hashed).value {
            KeyOrderSpec::Hashed => KeyOrder::Hashed,
            KeyOrderSpec::Ordered => KeyOrder::Ordered,
        },
        prefix,
        zero_padding: narrow(count(
            "zero_padding",
            &zero_padding,
            DEFAULT_ZERO_PADDING,
            1..=MAX_ZERO_PADDING,
        )?),
    })
}

fn value(given: &Given<ValueSpec>) -> Result<ValuePlan, Diagnostic> {
    let Located { value: spec, place } = given.or(ValueSpec::default());
    Ok(ValuePlan {
        size: size::value_sizes(&spec, place, DEFAULT_VALUE_BYTES, MAX_VALUE_BYTES)?,
        compressibility: share("compressibility", &spec.compressibility)?,
    })
}

fn latency(given: &Given<LatencySpec>) -> Result<LatencyMode, Diagnostic> {
    match given.or(LatencySpec::All).value {
        LatencySpec::All => Ok(LatencyMode::All),
        LatencySpec::Sampled(Located { value: Count(one_in), place }) => {
            if !(1..=MAX_ONE_IN).contains(&one_in) {
                let message =
                    format!("'sampled' must be 1 to {}, not {}", grouped(MAX_ONE_IN), grouped(one_in));
                return Err(Diagnostic::new(place, message));
            }
            Ok(LatencyMode::Sampled(narrow(one_in)))
        }
    }
}

/// Refuses a load that no machine holds.
#[expect(clippy::cast_precision_loss, reason = "an estimate against a limit")]
fn check_load(spec: &Spec, records: u64, key: &KeyPlan, value: &ValuePlan) -> Result<(), Diagnostic> {
    let bytes = records as f64 * (cells::key_bytes(key) as f64 + size::middle(&value.size));
    if bytes > MAX_LOAD_BYTES as f64 {
        let place = spec.records.get().map_or(Place::Nowhere, |given| given.place);
        let message = format!(
            "{} records are about {:.0} TiB, over the limit of {} TiB",
            grouped(records),
            bytes / (1_u64 << 40) as f64,
            MAX_LOAD_BYTES >> 40
        );
        return Err(Diagnostic::new(place, message).hint("lower 'records' or the size of the values"));
    }
    Ok(())
}
