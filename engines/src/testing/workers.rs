//! Threads that write and read one engine.
//!
//! Thread safety: writers and readers work in rounds. Writers go on until each of them has done its rounds and each reader has
//! done its own while they wrote, so that reads and writes overlap however the machine runs the threads; readers go on until the
//! last writer has ended. A thread that panics counts as done, so a check ends whatever fails, and the first panic goes on
//! in the caller.

use crate::engine::{Engine, Session};
use std::panic::resume_unwind;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::thread;

/// How many threads do at least how many rounds of something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crew {
    pub(super) threads: usize,
    pub(super) rounds: usize,
}

/// Writers do not wait for starved readers beyond so many times their own rounds.
const PATIENCE: usize = 1_000;

/// Counts down when it is dropped, on a panic too.
struct CountDown<'a>(&'a AtomicUsize);

impl Drop for CountDown<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

/// Runs `write(thread, round, session)` on the writers and meanwhile `read(thread, round, session)` on the readers.
pub(super) fn race(
    engine: &dyn Engine,
    writers: Crew,
    write: impl Fn(usize, usize, &mut dyn Session) + Sync,
    readers: Crew,
    read: impl Fn(usize, usize, &mut dyn Session) + Sync,
) {
    let writing = &AtomicUsize::new(writers.threads);
    let waiting_readers = &AtomicUsize::new(readers.threads);
    let start = &Barrier::new(writers.threads + readers.threads);
    let (write, read) = (&write, &read);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for worker in 0..writers.threads {
            threads.push(scope.spawn(move || {
                let _writing = CountDown(writing);
                start.wait();
                let mut session = engine.session().expect("a session");
                for round in 0..writers.rounds * PATIENCE {
                    if round >= writers.rounds && waiting_readers.load(Acquire) == 0 {
                        break;
                    }
                    write(worker, round, &mut *session);
                }
            }));
        }
        for worker in 0..readers.threads {
            threads.push(scope.spawn(move || {
                let mut waiting = Some(CountDown(waiting_readers));
                start.wait();
                let mut session = engine.session().expect("a session");
                let mut round = 0;
                loop {
                    let last = writing.load(Acquire) == 0;
                    read(worker, round, &mut *session);
                    round += 1;
                    if round >= readers.rounds {
                        waiting = None;
                    }
                    if last {
                        break;
                    }
                }
                drop(waiting);
            }));
        }
        let results: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        if let Some(panic) = results.into_iter().find_map(Result::err) {
            resume_unwind(panic);
        }
    });
}

/// Runs `write(thread, session)` once on each of `threads` threads.
pub(super) fn together(engine: &dyn Engine, threads: usize, write: impl Fn(usize, &mut dyn Session) + Sync) {
    let writers = Crew { threads, rounds: 1 };
    let nobody = Crew { threads: 0, rounds: 0 };
    race(engine, writers, |worker, _, session| write(worker, session), nobody, |_, _, _| ());
}
