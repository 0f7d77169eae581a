//! An engine that does nothing, to measure what the harness itself costs.
//!
//! Every get finds an empty value, every write succeeds, a scan visits nothing and returns 0. Only the lengths of keys and
//! values are checked, as every engine must: one comparison each.
//!
//! Thread safety: there is no state.

use crate::engine::{
    Capabilities, Engine, Existence, GetBuffer, ScanRange, Session, Stats, Visitor, WriteBatch,
};
use crate::entry::{Entry, Kind, OpenOptions, Storage, default_json, parse_options};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

const NAME: &str = "null";

const CAPABILITIES: Capabilities =
    Capabilities { delete_reports: false, retains_data: false, ..Capabilities::IN_MEMORY_ORDERED };

/// How the registry knows it.
pub static ENTRY: Entry = Entry {
    name: NAME,
    summary: "does nothing: what it seems to cost is the cost of the harness",
    kind: Kind::Instrument,
    storage: Storage::Memory,
    capabilities: CAPABILITIES,
    options: &[],
    open,
    default_options: default_json::<NullOptions>,
};

/// There is nothing to set.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NullOptions {}

fn open(options: &OpenOptions) -> Result<Box<dyn Engine>> {
    let NullOptions {} = parse_options(NAME, &options.options)?;
    Ok(Box::new(Null))
}

/// The engine that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Engine for Null {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn session(&self) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(NullSession))
    }

    fn for_each(&self, _: Visitor<'_>) -> Result<()> {
        Err(Error::Unsupported { engine: NAME, operation: "for_each" })
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

/// A session has nothing to hold; a box of it takes no memory.
struct NullSession;

impl Session for NullSession {
    #[inline]
    fn get(&mut self, key: &[u8], value: &mut Vec<u8>) -> Result<bool> {
        value.clear();
        CAPABILITIES.check_key(key)?;
        Ok(true)
    }

    #[inline]
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        CAPABILITIES.check_record(key, value)
    }

    #[inline]
    fn update(&mut self, key: &[u8], value: &[u8]) -> Result<bool> {
        CAPABILITIES.check_record(key, value)?;
        Ok(true)
    }

    #[inline]
    fn delete(&mut self, key: &[u8]) -> Result<Existence> {
        CAPABILITIES.check_key(key)?;
        Ok(Existence::Unknown)
    }

    #[inline]
    fn batch(&mut self, batch: &WriteBatch) -> Result<()> {
        CAPABILITIES.check_batch(batch)
    }

    #[inline]
    fn get_many(&mut self, keys: &[&[u8]], values: &mut GetBuffer) -> Result<()> {
        values.reset(keys.len());
        for (index, key) in keys.iter().enumerate() {
            CAPABILITIES.check_key(key)?;
            values.put(index, &[]);
        }
        Ok(())
    }

    #[inline]
    fn scan(&mut self, _: &ScanRange<'_>, _: Visitor<'_>) -> Result<u64> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::MAX_BATCH_OPERATIONS;
    use crate::testing::{Subject, checks};
    use std::time::Duration;

    #[test]
    fn nothing_happens() {
        let engine = open(&OpenOptions::default()).expect("opens");
        let mut session = engine.session().expect("a session");
        let mut value = b"left over".to_vec();
        session.set(b"key", b"value").expect("set");
        assert!(session.get(b"key", &mut value).expect("get") && value.is_empty());
        assert!(session.update(b"other", b"value").expect("update"));
        assert_eq!(session.delete(b"key").expect("delete"), Existence::Unknown);
        let mut values = GetBuffer::new();
        session.get_many(&[b"a", b"b"], &mut values).expect("get_many");
        assert_eq!((values.get(0), values.get(1), values.len()), (Some(&[][..]), Some(&[][..]), 2));
        let visited = session.scan(&ScanRange::all(), &mut |_, _| panic!("a visit"));
        assert_eq!(visited.expect("scan"), 0);
        assert_eq!(engine.stats(), Stats::default());
        let mut batch = WriteBatch::new();
        (0..=MAX_BATCH_OPERATIONS).for_each(|_| batch.delete(b"key"));
        assert!(matches!(session.batch(&batch), Err(Error::BatchTooLarge { .. })));
    }

    #[test]
    fn it_refuses_what_engines_refuse() {
        let subject = Subject::new(NAME, || Box::new(Null));
        let ran = checks().filter(|check| check.verify(&subject, Duration::from_secs(60))).count();
        assert!(ran >= 3, "{ran} checks apply to an engine that retains nothing");
    }
}
