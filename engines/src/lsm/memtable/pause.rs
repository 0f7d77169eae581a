//! Pauses: in unit tests that ask for it, the places where a protocol is most exposed let other threads run now and then, so that
//! races which take a preemption at the worst moment happen often. Elsewhere nothing.

#[cfg(test)]
thread_local! {
    /// Every how many calls, and how many there were.
    static PAUSES: std::cell::Cell<(u32, u32)> = const { std::cell::Cell::new((0, 0)) };
}

/// Makes one in `every` pauses of this thread a real one.
#[cfg(test)]
pub(super) fn one_in(every: u32) {
    PAUSES.set((every, 0));
}

/// Lets others run, now and then.
#[cfg(test)]
pub(super) fn pause() {
    let (every, calls) = PAUSES.get();
    if every > 0 {
        PAUSES.set((every, (calls + 1) % every));
        if calls == 0 {
            std::thread::yield_now();
        }
    }
}

/// Nothing.
#[cfg(not(test))]
#[inline(always)]
pub(super) const fn pause() {}
