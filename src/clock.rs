//! The one place of the crate that reads the clocks.

use crate::model::Nanos;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What gives an arrival its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The wall clock. Time also passes while nothing arrives.
    Wall,
    /// The times of the points, as for recordings of others: for back-fills and demonstrations.
    Data,
}

/// The wall clock.
pub fn now() -> Nanos {
    #[allow(clippy::disallowed_methods, reason = "this is the one `now()` of the crate")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos::try_from(since.as_nanos()).unwrap_or(Nanos::MAX)
}

/// The clock that is never set: for time-outs and for how old something is.
pub fn monotonic() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "how long something takes here is no part of the evaluation")]
    Instant::now()
}
