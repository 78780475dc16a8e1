//! The one place of the room that reads a clock: retries and waiting events have an age. Events carry the engine's time.

use std::time::Instant;

#[allow(clippy::disallowed_methods, reason = "how long a delivery is tried is about this machine, not about events")]
pub(super) fn now() -> Instant {
    Instant::now()
}
