//! The engine under test: how it is opened, and what it may be expected to do.

use super::random::Random;
use super::record::Record;
use super::tally::{Counted, Tally};
use crate::engine::{Capabilities, Engine};
use std::fmt;
use std::sync::Arc;

/// Random sequences a check of that kind runs unless [`Subject::with_cases`] says otherwise.
const CASES: u32 = 2_000;

/// An engine under test with one set of options.
#[derive(Clone)]
pub struct Subject {
    name: String,
    open: Arc<dyn Fn() -> Box<dyn Engine> + Send + Sync>,
    capabilities: Capabilities,
    in_memory: bool,
    cases: u32,
    tally: Arc<Tally>,
}

impl Subject {
    /// A subject that `open` gives a new, empty engine each time. Opens one to learn its capabilities.
    pub fn new(name: impl Into<String>, open: impl Fn() -> Box<dyn Engine> + Send + Sync + 'static) -> Self {
        let capabilities = open().capabilities();
        Self {
            name: name.into(),
            open: Arc::new(open),
            capabilities,
            in_memory: true,
            cases: CASES,
            tally: Arc::default(),
        }
    }

    /// The same subject, whose data may lie elsewhere than in memory: memory figures are not compared with live bytes.
    #[must_use]
    pub fn on_storage(mut self) -> Self {
        self.in_memory = false;
        self
    }

    /// The same subject with another number of random cases.
    #[must_use]
    pub fn with_cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it can do.
    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// What has been tried on it.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// A new, empty engine.
    pub fn open(&self) -> Box<dyn Engine> {
        Box::new(Counted::new((self.open)(), Arc::clone(&self.tally)))
    }

    pub(super) const fn is_in_memory(&self) -> bool {
        self.in_memory
    }

    pub(super) const fn cases(&self) -> u32 {
        self.cases
    }

    /// An engine with these records: set in a shuffled order, or bulk-loaded if it takes no writes.
    pub(super) fn holding(&self, records: &[Record]) -> Box<dyn Engine> {
        let engine = self.open();
        if self.capabilities.writes {
            let mut session = engine.session().expect("a session");
            for (key, value) in Random::new(7).shuffled(records) {
                session.set(&key, &value).expect("set");
            }
        } else {
            let mut records = records.to_vec();
            records.sort();
            let mut records = records.iter().map(|(key, value)| (&key[..], &value[..]));
            engine.bulk_load(&mut records).expect("bulk load");
        }
        engine
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).field("capabilities", &self.capabilities).finish()
    }
}
