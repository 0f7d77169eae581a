//! Which of the changes that no sync has covered are there after a power cut.

use super::random::SimRandom;

/// What a cut leaves of unsynced changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// None of them: the least that a machine may leave.
    Nothing,
    /// All of them: what a process that is killed leaves.
    Everything,
    /// Lengths and names, but no bytes: files have grown and hold zeros.
    Sizes,
    /// A random choice: each sector and each file's length as of some moment, names as of some moment of their directory or a choice among them.
    Some,
    /// As [`Persistence::Some`], and sectors may end in the middle of a write, at any byte.
    Torn,
}

impl Persistence {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Everything, Self::Sizes, Self::Some, Self::Torn];
}

/// How many of so many changes are there: often none, often all, otherwise any number.
pub(super) fn choose_states(changes: usize, random: &mut SimRandom) -> usize {
    match random.below(4) {
        0 => 0,
        1 => changes,
        _ => random.below(changes + 1),
    }
}
