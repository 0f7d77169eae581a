//! The JSON Schema of a workload file, for editors: made from the types that the file is read into.

use super::spec::Spec;
use schemars::generate::SchemaSettings;

/// The schema as text, as it is committed in `workloads/schema.json`.
///
/// # Errors
/// None in practice: a schema is always text.
pub fn text() -> Result<String, serde_json::Error> {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Spec>();
    let mut text = serde_json::to_string_pretty(&schema)?;
    text.push('\n');
    Ok(text)
}
