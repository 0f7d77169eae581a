//! Ctrl-C: the first ends the running trial and keeps what is complete, the second ends the program at once.
//!
//! Thread safety: the signal is handled on a thread of its own (by the `ctrlc` crate), which sets `requested` before it takes
//! the child's lock; who starts a child puts it behind the lock and looks at `requested` afterwards. So either the
//! handler finds the child, or the starter sees the request: no child outlives an interruption unnoticed.

use crate::exit::{Exit, Failure};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether the user wants to stop, and the process to be ended then.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requested: AtomicBool,
    child: Mutex<Option<Child>>,
}

impl Interrupt {
    /// One that listens to SIGINT, SIGTERM and SIGHUP, and calls `at_once` from the second on. At most one in a process.
    ///
    /// # Errors
    /// If the handler cannot be installed.
    pub fn listening(at_once: impl Fn() + Send + 'static) -> Result<Self, Failure> {
        let interrupt = Self::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || if handler.requested() { at_once() } else { handler.request() })
            .map_err(|error| Failure::new(Exit::Io, format!("cannot listen for interruptions: {error}")))?;
        Ok(interrupt)
    }

    /// Whether the user wants to stop.
    pub fn requested(&self) -> bool {
        self.shared.requested.load(Ordering::SeqCst)
    }

    /// Asks to stop and kills the running child.
    pub fn request(&self) {
        self.shared.requested.store(true, Ordering::SeqCst);
        kill(&mut self.child());
    }

    /// Guards a child; killed at once if a stop was asked for meanwhile.
    pub fn guard(&self, child: Child) {
        let mut guarded = self.child();
        *guarded = Some(child);
        if self.requested() {
            kill(&mut guarded);
        }
    }

    /// Gives the child back, to be waited for.
    pub fn release(&self) -> Option<Child> {
        self.child().take()
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.shared.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(child) = child {
        // An error means that it has ended already.
        let _ = child.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_is_killed_whichever_comes_first() {
        for request_first in [false, true] {
            let interrupt = Interrupt::default();
            let child = Command::new("sleep").arg("60").spawn().expect("sleep exists");
            if request_first {
                interrupt.request();
                interrupt.guard(child);
            } else {
                interrupt.guard(child);
                assert!(!interrupt.requested());
                interrupt.request();
            }
            let status = interrupt.release().expect("guarded").wait().expect("waits");
            assert!(!status.success());
            assert!(interrupt.requested() && interrupt.release().is_none());
        }
    }
}
