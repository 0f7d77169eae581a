//! What instruments around another engine share.

use crate::engine::Engine;
use crate::entry::{OpenOptions, invalid};
use crate::error::Result;

/// Opens an engine by name; the registry's `open`.
pub type Opener = fn(&str, &OpenOptions) -> Result<Box<dyn Engine>>;

/// The engine that is wrapped when nothing else is asked for.
pub(super) const DEFAULT_INNER: &str = "btree";

/// Opens the inner engine with its default options, and with the durability class and directory of the wrapper.
pub(super) fn open_inner(
    wrapper: &str,
    inner: &str,
    options: &OpenOptions,
    open: Opener,
) -> Result<Box<dyn Engine>> {
    if inner == wrapper {
        return Err(invalid(wrapper, "it cannot wrap itself; name another engine as inner"));
    }
    open(inner, &OpenOptions { options: serde_json::Value::Null, ..options.clone() })
}

/// An error unless the value lies in the range.
pub(super) fn check_range(engine: &str, name: &str, value: u64, least: u64, greatest: u64) -> Result<()> {
    if (least..=greatest).contains(&value) {
        return Ok(());
    }
    Err(invalid(engine, &format!("{name} must be {least}–{greatest}, not {value}")))
}
