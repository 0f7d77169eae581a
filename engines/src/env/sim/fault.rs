//! Calls that are to fail.

use std::io::ErrorKind;

/// How a call fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// With this error, and nothing is done. What a sync that fails was to make durable, no later sync does either.
    Error(ErrorKind),
    /// A read or write stops after half of its bytes, without an error. Other calls do what they should.
    Short,
}

/// A call that is to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Which call: they are counted from 0.
    pub call: u64,
    /// How.
    pub kind: FaultKind,
    /// Whether all later calls fail as well.
    pub for_good: bool,
}

/// All of them.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn at(&self, call: u64) -> Option<FaultKind> {
        let hit = |fault: &&Fault| fault.call == call || fault.for_good && fault.call < call;
        self.0.iter().find(hit).map(|fault| fault.kind)
    }
}
