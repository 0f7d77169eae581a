//! A starting line for workers, which one of them may fail to reach.
//!
//! Thread safety: all state lies behind one mutex that is held for a few instructions, outside every timed section. A
//! standard barrier waits for ever for a worker that panicked; here each worker holds a [`Place`], and dropping it (also by
//! unwinding) lets the others go on without it. Invariant: `arrived <= places`, and whoever makes them equal opens the line.

use engines::clock::{Clock, Ticks};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A line that opens when everybody who is still there has arrived; it can be used again.
#[derive(Debug)]
pub struct Rendezvous {
    state: Mutex<State>,
    opened: Condvar,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    places: u32,
    arrived: u32,
    /// How often the line was opened.
    openings: u64,
    /// When it was opened last.
    start: Ticks,
}

impl Rendezvous {
    /// A line for this many workers, each of whom must take a [`Place`].
    pub fn new(workers: u32, clock: Clock) -> Self {
        let state = State { places: workers, arrived: 0, openings: 0, start: 0 };
        Self { state: Mutex::new(state), opened: Condvar::new(), clock }
    }

    /// The place of one worker.
    pub const fn place(&self) -> Place<'_> {
        Place { rendezvous: self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_if_complete(&self, state: &mut State) {
        if state.arrived == state.places {
            state.arrived = 0;
            state.openings += 1;
            state.start = self.clock.now();
            self.opened.notify_all();
        }
    }
}

/// One worker's place at the line; dropped, the others no longer wait for it.
#[derive(Debug)]
pub struct Place<'a> {
    rendezvous: &'a Rendezvous,
}

impl Place<'_> {
    /// Waits until everybody has arrived or left. Returns the moment of the opening, the same for all.
    pub fn wait(&self) -> Ticks {
        let mut state = self.rendezvous.lock();
        let opening = state.openings + 1;
        state.arrived += 1;
        self.rendezvous.open_if_complete(&mut state);
        while state.openings < opening {
            state = self.rendezvous.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.start
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.rendezvous.lock();
        state.places -= 1;
        if state.places > 0 {
            self.rendezvous.open_if_complete(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_start_at_the_same_moment_again_and_again() {
        let rendezvous = Rendezvous::new(4, Clock::system());
        let starts: Vec<Vec<Ticks>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let place = rendezvous.place();
                        (0..100).map(|_| place.wait()).collect()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
        });
        for start in &starts {
            assert_eq!(start, &starts[0]);
        }
        assert!(starts[0].is_sorted());
    }

    #[test]
    fn a_worker_that_panics_holds_up_nobody() {
        let rendezvous = Rendezvous::new(3, Clock::system());
        std::thread::scope(|scope| {
            let lost = scope.spawn(|| {
                let _place = rendezvous.place();
                panic!("lost on the way");
            });
            let others: Vec<_> = (0..2).map(|_| scope.spawn(|| rendezvous.place().wait())).collect();
            for other in others {
                other.join().expect("the others start");
            }
            assert!(lost.join().is_err());
        });
    }
}
