//! One window laid over the times of a series: which points are inside, how much of it they cover, and from which point on
//! steps are counted.
//!
//! Works on times alone, so that all series of a block share one frame.

use crate::model::Nanos;
use crate::series::store::times::points_until;

/// A window `(at - length, at]` laid over the times of a series. Indices count from the oldest kept point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowFrame {
    /// First point inside.
    pub first: usize,
    /// Behind the last point inside.
    pub end: usize,
    /// The point that starts the chain of steps: the baseline, or the first point inside.
    pub chain: usize,
    /// How much of the window is covered, sampling interval included.
    pub covered: Nanos,
    /// Whether that is enough to evaluate it.
    pub is_covered: bool,
    /// Until when (exclusive) the same points give the same frame, if no other is received.
    pub valid_until: Nanos,
}

impl WindowFrame {
    /// Number of points inside.
    #[inline]
    pub fn points(&self) -> usize {
        self.end - self.first
    }
}

/// Lays a window of `length` that ends at `at` over the first `end` of the points; those are the ones with a time up to
/// `at`. `next` is the time of the point after them, if there is one.
pub fn frame(
    end: usize,
    time: impl Fn(usize) -> Nanos,
    interval: Option<Nanos>,
    next: Option<Nanos>,
    at: Nanos,
    length: Nanos,
    min_coverage: f64,
) -> WindowFrame {
    let edge = at - length;
    let first = points_until(end, edge, &time);
    let next = next.unwrap_or(Nanos::MAX);
    if first == end {
        return WindowFrame { first, end, chain: first, covered: 0, is_covered: false, valid_until: next };
    }
    let (oldest, newest) = (time(first), time(end - 1));
    let mut valid_until = next.min(oldest.saturating_add(length));
    let Some(interval) = interval else {
        return WindowFrame { first, end, chain: first, covered: 0, is_covered: false, valid_until };
    };
    let mut chain = first;
    let mut begin = oldest;
    if first > 0 {
        let before = time(first - 1);
        if oldest - before <= length / 2 {
            begin = edge;
        }
        let reach = interval.saturating_mul(2);
        if edge - before <= reach {
            chain = first - 1;
            valid_until = valid_until.min(before.saturating_add(reach).saturating_add(length).saturating_add(1));
        }
    }
    let covered = (newest - begin).saturating_add(interval);
    let needed = min_coverage * length as f64;
    let is_covered = covered as f64 >= needed;
    if is_covered && begin == edge {
        // The covered part shrinks as time passes, until it is too short.
        let spare = (covered as f64 - needed) as Nanos;
        valid_until = valid_until.min(at.saturating_add(spare).max(at + 1));
    }
    WindowFrame { first, end, chain, covered, is_covered, valid_until }
}
