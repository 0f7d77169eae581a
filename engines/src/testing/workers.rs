//! Threads that write and read one engine.
//!
//! Thread safety: writers run once, readers run again and again until the last writer has ended, also when it ended
//! by a panic; so a check ends whatever fails, and the first panic goes on in the caller.

use crate::engine::{Engine, Session};
use std::panic::resume_unwind;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::thread;

/// Counts the writers down, on a panic too.
struct Writing<'a>(&'a AtomicUsize);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

/// Runs `write(worker, session)` once on each of `writers` threads and meanwhile `read(worker, round, session)` in rounds,
/// at least one, on each of `readers` threads.
pub(super) fn race(
    engine: &dyn Engine,
    writers: usize,
    write: impl Fn(usize, &mut dyn Session) + Sync,
    readers: usize,
    read: impl Fn(usize, usize, &mut dyn Session) + Sync,
) {
    let writing = AtomicUsize::new(writers);
    let start = Barrier::new(writers + readers);
    let (start, writing, write, read) = (&start, &writing, &write, &read);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for worker in 0..writers {
            threads.push(scope.spawn(move || {
                let _writing = Writing(writing);
                start.wait();
                write(worker, &mut *engine.session().expect("a session"));
            }));
        }
        for worker in 0..readers {
            threads.push(scope.spawn(move || {
                start.wait();
                let mut session = engine.session().expect("a session");
                let mut round = 0;
                loop {
                    let last = writing.load(Acquire) == 0;
                    read(worker, round, &mut *session);
                    round += 1;
                    if last {
                        break;
                    }
                }
            }));
        }
        let results: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        if let Some(panic) = results.into_iter().find_map(Result::err) {
            resume_unwind(panic);
        }
    });
}

/// Runs `write(worker, session)` on each of `writers` threads.
pub(super) fn together(engine: &dyn Engine, writers: usize, write: impl Fn(usize, &mut dyn Session) + Sync) {
    race(engine, writers, write, 0, |_, _, _| ());
}
