//! Waiting for what other threads keep from happening for a while, such as the end of an epoch in which they are pinned.
//!
//! Thread safety: the condition runs on the calling thread.

use std::thread;
use std::time::{Duration, Instant};

/// So long is waited. No test keeps a thread pinned for nearly as long.
const WAIT_MOST: Duration = Duration::from_secs(30);
/// How long the thread sleeps between two looks, after the first ones.
const NAP: Duration = Duration::from_millis(1);
const LOOKS_AWAKE: u32 = 16;

/// Whether the condition holds at last, which may do what brings it nearer. It is asked for half a minute, and at least once.
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    for look in 0_u32.. {
        if condition() {
            return true;
        }
        if start.elapsed() > WAIT_MOST {
            return false;
        }
        if look < LOOKS_AWAKE { thread::yield_now() } else { thread::sleep(NAP) }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_until_the_answer_is_yes() {
        let mut left = 100;
        assert!(eventually(|| {
            left -= 1;
            left == 0
        }));
        assert_eq!(left, 0);
    }
}
