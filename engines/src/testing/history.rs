//! Histories: what several threads asked of one key, what they were told, and in what order calls and returns came.
//!
//! Thread safety: each thread records for itself; only the [`Clock`] is shared. A return takes a ticket, a call looks at
//! the last ticket taken, so that an operation precedes another exactly if its ticket was there when the other was called.

use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire};

/// Orders returns before calls.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// The time of a call, taken before it.
    pub fn called(&self) -> u64 {
        self.0.load(Acquire)
    }

    /// The time of a return, taken after it; no two are the same.
    pub fn returned(&self) -> u64 {
        self.0.fetch_add(1, AcqRel) + 1
    }
}

/// A number that no other write of the key has: the value as the checker sees it.
pub type Mark = u64;

/// What was asked, and answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The value was read; none: the key was not there.
    Read(Option<Mark>),
    /// The key was seen, its value was not.
    Seen,
    /// The value was set.
    Set(Mark),
    /// The value was replaced if the key was there, and whether it was.
    Update(Mark, bool),
    /// The key was deleted, and whether it was there, if the engine knows.
    Delete(Option<bool>),
}

/// An operation on one key, of one thread that did nothing else to this key meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// When it was called.
    pub called: u64,
    /// When it returned.
    pub returned: u64,
    /// What it did.
    pub action: Action,
}

/// Events by the number of their key.
#[derive(Clone, Debug)]
pub struct History {
    keys: Vec<Vec<Event>>,
}

impl History {
    /// A history of so many keys, in which nothing happened.
    pub fn new(keys: usize) -> Self {
        Self { keys: vec![Vec::new(); keys] }
    }

    /// Adds an operation on a key.
    pub fn record(&mut self, key: usize, called: u64, returned: u64, action: Action) {
        self.keys[key].push(Event { called, returned, action });
    }

    /// Adds what another thread did.
    pub fn merge(&mut self, other: Self) {
        for (events, others) in self.keys.iter_mut().zip(other.keys) {
            events.extend(others);
        }
    }

    /// The events of each key, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &[Event]> {
        self.keys.iter().map(Vec::as_slice)
    }
}
