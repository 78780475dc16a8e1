//! Measuring on a machine that is not ours alone: CPU time of the thread, the least of several interleaved rounds.
//!
//! Absolute figures vary with the neighbours; the ratio of two contenders that took turns in one run is what counts.

use rustix::time::{ClockId, clock_gettime};

/// CPU time this thread has used, in nanoseconds.
pub fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Memory of this process that is resident, in bytes; 0 where `/proc` is not.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// One of several ways to treat the same points.
pub struct Contender<'a> {
    /// What it is called in the output.
    pub name: &'static str,
    /// One round; returns the points it saw.
    pub round: Box<dyn FnMut() -> u64 + 'a>,
    /// Nanoseconds a point in the best round so far.
    pub best: f64,
    /// Points of the last round.
    pub points: u64,
}

impl<'a> Contender<'a> {
    /// A contender that has not run yet.
    pub fn new(name: &'static str, round: impl FnMut() -> u64 + 'a) -> Self {
        Contender { name, round: Box::new(round), best: f64::INFINITY, points: 0 }
    }
}

/// Lets the contenders take turns and keeps the best round of each.
pub fn interleave(contenders: &mut [Contender<'_>], rounds: usize) {
    for _ in 0..rounds {
        for contender in contenders.iter_mut() {
            let before = cpu_ns();
            contender.points = (contender.round)();
            let spent = cpu_ns() - before;
            contender.best = contender.best.min(spent as f64 / contender.points.max(1) as f64);
        }
    }
}
