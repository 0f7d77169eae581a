//! Between phases: buffered writes go where they finally live, and background work comes to its end, so that the next phase
//! does not pay for the one before.

use engines::Engine;
use std::time::{Duration, Instant};

/// The longest time that is waited for an engine.
const LIMIT: Duration = Duration::from_secs(60);

/// Flushes and waits until the engine is idle. Returns the time it took, in seconds; an engine that is still busy after a
/// minute is measured as it is, and the time says so.
///
/// # Errors
/// Of the engine's storage or its background work.
pub fn settle(engine: &dyn Engine) -> engines::Result<f64> {
    let started = Instant::now();
    engine.flush()?;
    engine.wait_idle(LIMIT)?;
    Ok(started.elapsed().as_secs_f64())
}
