//! CPU time of the calling thread: what a promise about cost is measured in, because a busy machine does not change it much.

use rustix::time::{ClockId, clock_gettime};

/// Seconds of CPU time that this thread has used.
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
