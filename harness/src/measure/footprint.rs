//! What a process holds in memory at rest: live bytes by the counting allocator, and resident bytes.

use super::allocator;
use super::resources;
use std::time::{Duration, Instant};

/// The longest time that is waited for memory to come to rest.
const LIMIT: Duration = Duration::from_secs(5);
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// Looks in a row that must be alike.
const LOOKS: u32 = 3;
/// Resident bytes that may come and go between two looks that count as alike.
const RSS_SLACK: u64 = 64 << 10;

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Live bytes since counting began, as they were asked for.
    pub heap_bytes: i64,
    /// Live allocations since counting began.
    pub heap_blocks: i64,
    /// Resident bytes.
    pub rss_bytes: u64,
}

impl Footprint {
    /// Now, with free memory given back to the system.
    pub fn now() -> Self {
        allocator::collect();
        let counted = allocator::counted();
        Self { heap_bytes: counted.bytes, heap_blocks: counted.blocks, rss_bytes: resources::rss_bytes() }
    }

    /// Once it does not change any more, or after five seconds. `stir` is called before each look: engines that defer
    /// frees to later operations need some.
    pub fn at_rest(mut stir: impl FnMut()) -> Self {
        let started = Instant::now();
        let mut alike = 0;
        stir();
        let mut last = Self::now();
        while alike < LOOKS && started.elapsed() < LIMIT {
            std::thread::sleep(PAUSE);
            stir();
            let now = Self::now();
            alike = if now.is_like(last) { alike + 1 } else { 0 };
            last = now;
        }
        last
    }

    const fn is_like(self, other: Self) -> bool {
        self.heap_bytes == other.heap_bytes
            && self.heap_blocks == other.heap_blocks
            && self.rss_bytes.abs_diff(other.rss_bytes) <= RSS_SLACK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_counts_and_near_resident_sizes_are_alike() {
        let one = Footprint { heap_bytes: 10, heap_blocks: 1, rss_bytes: 1 << 30 };
        assert!(one.is_like(Footprint { rss_bytes: (1 << 30) + RSS_SLACK, ..one }));
        assert!(!one.is_like(Footprint { rss_bytes: (1 << 30) - RSS_SLACK - 1, ..one }));
        assert!(!one.is_like(Footprint { heap_bytes: 11, ..one }));
        assert!(!one.is_like(Footprint { heap_blocks: 0, ..one }));
    }

    #[test]
    fn rest_is_waited_for_while_memory_is_freed() {
        // Other tests of this process may keep it from rest; then the limit ends it.
        let mut held: Vec<Vec<u8>> = (0..4).map(|_| vec![1; 8 << 20]).collect();
        let started = Instant::now();
        let footprint = Footprint::at_rest(|| drop(held.pop()));
        assert!(held.is_empty() && footprint.rss_bytes > 0);
        assert!(started.elapsed() < LIMIT * 4);
    }
}
