//! Time at a cost that can be paid twice an operation: the processor's time-stamp counter where it is invariant, the
//! operating system's monotonic clock elsewhere.
//!
//! Thread safety: a [`Clock`] is a copyable set of constants. On a machine with an invariant counter, ticks of all
//! cores are one time line. The counter is read without a fence, so an interval may be off by the few instructions
//! that the processor moves across the reading; a fence would double the cost.

#[cfg(any(test, target_arch = "x86_64"))]
use std::time::Duration;
use std::time::Instant;

/// A reading of a [`Clock`]; meaningful only as a difference.
pub type Ticks = u64;

/// A monotonic clock with nanosecond resolution. Calibrated once, then copied to whoever needs it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    source: Source,
    origin: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// Nanoseconds = ticks × `scale` / 2^32.
    #[cfg(target_arch = "x86_64")]
    Counter {
        scale: u64,
    },
    System,
}

/// How long the counter is compared with the system clock: two readings of at most 1 µs doubt in 40 ms are 50 ppm at worst.
#[cfg(target_arch = "x86_64")]
const CALIBRATION: Duration = Duration::from_millis(40);

impl Clock {
    /// A clock on the best source there is; takes 40 ms to calibrate a time-stamp counter.
    pub fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if counter::is_invariant()
            && let Some(scale) = counter::calibrate(CALIBRATION)
        {
            return Self { source: Source::Counter { scale }, origin: Instant::now() };
        }
        Self::system()
    }

    /// A clock on the operating system's monotonic clock.
    pub fn system() -> Self {
        Self { source: Source::System, origin: Instant::now() }
    }

    /// What the clock reads: `tsc` or `system`.
    pub const fn source_name(&self) -> &'static str {
        match self.source {
            #[cfg(target_arch = "x86_64")]
            Source::Counter { .. } => "tsc",
            Source::System => "system",
        }
    }

    /// A reading. About 10 ns on a time-stamp counter, 25 ns on the system clock.
    #[inline(always)]
    pub fn now(&self) -> Ticks {
        match self.source {
            #[cfg(target_arch = "x86_64")]
            Source::Counter { .. } => counter::read(),
            Source::System => u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Nanoseconds from one reading to a later one; 0 if they are the wrong way round.
    #[inline(always)]
    pub fn nanoseconds(&self, from: Ticks, to: Ticks) -> u64 {
        self.ticks_to_nanoseconds(to.saturating_sub(from))
    }

    /// A number of ticks in nanoseconds.
    #[inline(always)]
    pub fn ticks_to_nanoseconds(&self, ticks: Ticks) -> u64 {
        match self.source {
            #[cfg(target_arch = "x86_64")]
            Source::Counter { scale } => ((u128::from(ticks) * u128::from(scale)) >> 32) as u64,
            Source::System => ticks,
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Seconds since 1970-01-01 UTC by the wall clock, which may be set while it runs: for labels, never for intervals.
pub fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(target_arch = "x86_64")]
mod counter {
    #![expect(unsafe_code, reason = "the time-stamp counter has no safe reading")]

    use std::arch::x86_64::{__cpuid, _rdtsc};
    use std::time::{Duration, Instant};

    #[inline(always)]
    pub(super) fn read() -> u64 {
        // SAFETY: RDTSC exists on every x86_64 processor and reads no memory; a kernel that forbids it to user code
        // (CR4.TSD) would end the process by a signal, not by undefined behaviour.
        unsafe { _rdtsc() }
    }

    /// Whether the counter runs at one rate through all power states (CPUID 8000_0007h, EDX bit 8) and the kernel trusts
    /// it as its own clock source.
    pub(super) fn is_invariant() -> bool {
        let highest = __cpuid(0x8000_0000).eax;
        highest >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0
    }

    /// Nanoseconds a tick, times 2^32, or `None` if the counter does not advance.
    pub(super) fn calibrate(over: Duration) -> Option<u64> {
        let (ticks_start, start) = pair();
        std::thread::sleep(over);
        let (ticks_end, end) = pair();
        let ticks = u128::from(ticks_end.checked_sub(ticks_start)?);
        let nanoseconds = end.duration_since(start).as_nanos();
        u64::try_from((nanoseconds << 32).checked_div(ticks)?).ok().filter(|scale| *scale > 0)
    }

    /// A reading of both clocks as near to each other as nine tries get: an interruption between them would spoil the scale.
    fn pair() -> (u64, Instant) {
        let mut best = (u64::MAX, (0, Instant::now()));
        for _ in 0..9 {
            let before = read();
            let instant = Instant::now();
            let after = read();
            let width = after.saturating_sub(before);
            if width < best.0 {
                best = (width, (before + width / 2, instant));
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_agrees_with_the_system() {
        for clock in [Clock::new(), Clock::system()] {
            // Each reading of the clock lies between two of the system's, however long the thread is kept waiting.
            let (outer_start, from, inner_start) = (Instant::now(), clock.now(), Instant::now());
            std::thread::sleep(Duration::from_millis(20));
            let (inner_end, to, outer_end) = (Instant::now(), clock.now(), Instant::now());
            let nanoseconds = clock.nanoseconds(from, to) as f64;
            let least = inner_end.duration_since(inner_start).as_nanos() as f64;
            let most = outer_end.duration_since(outer_start).as_nanos() as f64;
            assert!(
                (0.999 * least..=1.001 * most).contains(&nanoseconds),
                "{}: {nanoseconds} is not within {least} to {most}",
                clock.source_name()
            );
        }
    }

    #[test]
    fn the_clock_does_not_run_backwards() {
        let clock = Clock::new();
        let mut last = clock.now();
        for _ in 0..100_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        assert_eq!(clock.nanoseconds(5, 3), 0);
    }
}
