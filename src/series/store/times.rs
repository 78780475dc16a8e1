//! The times of kept points: how to search them, and the sampling interval they show.
//!
//! Works on times alone, so that a block of series with common times computes the interval once for all of them.

use crate::model::Nanos;

/// The sampling interval is read from so many of the newest points.
pub const INTERVAL_POINTS: usize = 16;

/// The lower median of the gaps between the newest 16 of the first `n` points; `None` when there are fewer than two.
#[inline]
pub fn sampling_interval(n: usize, time: impl Fn(usize) -> Nanos) -> Option<Nanos> {
    let count = n.min(INTERVAL_POINTS).checked_sub(1).filter(|&count| count > 0)?;
    let mut gaps = [0; INTERVAL_POINTS - 1];
    let mut newer = time(n - 1);
    let (newest, mut equal) = (newer - time(n - 2), 0);
    for (k, gap) in gaps[..count].iter_mut().enumerate() {
        let older = time(n - 2 - k);
        *gap = newer - older;
        newer = older;
        // Most series have a steady interval: when most gaps are equal, nothing needs to be sorted.
        equal += usize::from(*gap == newest);
        if equal * 2 > count {
            return Some(newest);
        }
    }
    Some(*gaps[..count].select_nth_unstable((count - 1) / 2).1)
}

/// Number of points at or before `at`.
#[inline]
pub fn points_until(n: usize, at: Nanos, time: impl Fn(usize) -> Nanos) -> usize {
    let (mut low, mut high) = (0, n);
    if n > 0 && time(n - 1) <= at {
        return n;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if time(middle) <= at {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
