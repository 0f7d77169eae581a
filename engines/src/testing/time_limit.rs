//! A time limit for tests: a deadlock or an endless loop fails by name instead of hanging the run.
//!
//! Thread safety: the closure runs on one thread of its own and hands its result over a channel.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs `f` on a thread of its own and returns what it returns; a panic in `f` goes on in the caller.
///
/// A thread cannot be killed: when the limit is over the caller panics with `name` and the limit, and the thread is
/// left behind until the process ends. The limit is wall time, so choose it several times longer than the test takes
/// on a busy machine.
///
/// # Panics
/// When `f` panics, and when it has not ended within `limit`.
#[track_caller]
pub fn within<T: Send + 'static>(limit: Duration, name: &str, f: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody listens any more when the limit is over: then there is nobody to tell.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(f)));
    });
    if let Err(error) = spawned {
        panic!("'{name}': no thread to run on: {error}");
    }
    match receiver.recv_timeout(limit) {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(RecvTimeoutError::Timeout) => {
            panic!("'{name}' has not ended within {limit:?}: deadlock or endless loop")
        }
        Err(RecvTimeoutError::Disconnected) => panic!("'{name}' ended without a result"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: thread::Result<()>) -> String {
        let payload = result.expect_err("a panic");
        payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .expect("a text")
    }

    #[test]
    fn results_and_panics_pass_through() {
        assert_eq!(within(Duration::from_secs(60), "sum", || 1 + 1), 2);
        let panicked = catch_unwind(|| within(Duration::from_secs(60), "boom", || panic!("boom 7")));
        assert_eq!(message(panicked), "boom 7");
    }

    #[test]
    fn a_hang_is_reported_by_name() {
        let hung = catch_unwind(|| {
            within(Duration::from_millis(20), "the hang", || {
                loop {
                    thread::park();
                }
            })
        });
        let message = message(hung);
        assert!(message.contains("'the hang'") && message.contains("20ms"), "{message}");
    }
}
