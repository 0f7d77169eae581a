//! Which reads are compared with what was written: of each window of `check_one_in` reads one, drawn anew.
//!
//! Checks at even distances would never meet a fault that comes at even distances itself, if the two are out of step.

use super::random::{Aspect, Random, below, generator};

/// Picks the reads of one worker in one phase.
#[derive(Debug)]
pub struct Checks {
    one_in: u32,
    random: Random,
    /// Reads of the window after the one that is checked.
    rest: u32,
    /// Reads up to and with the next that is checked.
    reads: u32,
}

impl Checks {
    /// For a worker in a stage (as [`generator`] counts them); `one_in` 0 checks nothing.
    pub fn new(seed: u64, stage: u64, worker: u32, one_in: u32) -> Self {
        let random = generator(seed, stage, worker, Aspect::Check);
        let mut checks = Self { one_in, random, rest: 0, reads: 0 };
        checks.draw();
        checks
    }

    /// Whether the next operation is checked; only if it reads.
    #[inline]
    pub fn next(&mut self, reads: bool) -> bool {
        if self.one_in == 0 {
            return false;
        }
        self.reads -= u32::from(reads);
        let due = self.reads == 0;
        if due {
            self.draw();
        }
        due
    }

    #[cold]
    fn draw(&mut self) {
        let before = below(&mut self.random, u64::from(self.one_in)) as u32;
        self.reads = self.rest + before + 1;
        self.rest = self.one_in.saturating_sub(before + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_has_one_check() {
        for one_in in [1, 2, 64, 256] {
            let mut checks = Checks::new(1, 1, 0, one_in);
            for window in 0..1_000 {
                let checked = (0..one_in).filter(|_| checks.next(true)).count();
                assert_eq!(checked, 1, "window {window} of {one_in}");
                assert!(one_in == 1 || !checks.next(false));
            }
        }
        let mut none = Checks::new(1, 1, 0, 0);
        assert!((0..1_000).all(|_| !none.next(true)));
    }

    #[test]
    fn a_fault_at_even_distances_is_met() {
        for (first, every) in [(0, 64), (5, 64), (63, 64), (1, 1_000), (2, 1_000), (7, 1_000), (9, 4_096)] {
            let mut checks = Checks::new(42, 1, 0, 64);
            let (mut faults, mut met) = (0_u32, 0_u32);
            for read in 0..512_000 {
                let check = checks.next(true);
                if read % every == first {
                    faults += 1;
                    met += u32::from(check);
                }
            }
            let expected = f64::from(faults) / 64.0;
            let far = (f64::from(met) - expected).abs() > 5.0 * expected.sqrt();
            assert!(!far, "{met} of {faults} faults at {first} mod {every}, not about {expected}");
            assert!(met > 0 || expected < 5.0, "{first} mod {every}");
        }
    }
}
