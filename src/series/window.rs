//! One window over the times of a series: which points are inside, how well they cover it, and where the chain starts.
//!
//! Works on times alone, so that a block of series with common times asks once for all of them.

use crate::model::Nanos;

/// Points looked back at for the sampling interval.
pub const INTERVAL_POINTS: usize = 16;

/// A window `(at - length, at]` laid over the times of a series. Indices count from the oldest kept point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// First point inside.
    pub first: usize,
    /// Behind the last point inside.
    pub end: usize,
    /// The point that starts the chain of steps: the baseline, or the first point inside.
    pub chain: usize,
    /// How much of the window is covered, sampling interval included.
    pub covered: Nanos,
    /// Whether that is enough to judge.
    pub judged: bool,
    /// Until when (exclusive) the same points give the same frame, if no point arrives.
    pub valid_until: Nanos,
}

impl Frame {
    /// Number of points inside.
    #[inline]
    pub fn points(&self) -> usize {
        self.end - self.first
    }
}

/// The lower median of the gaps between the newest 16 of the first `n` points; `None` when there are fewer than two.
pub fn sampling_interval(n: usize, time: impl Fn(usize) -> Nanos) -> Option<Nanos> {
    let points = n.min(INTERVAL_POINTS);
    if points < 2 {
        return None;
    }
    let mut gaps = [0; INTERVAL_POINTS - 1];
    let gaps = &mut gaps[..points - 1];
    let mut newer = time(n - 1);
    for (k, gap) in gaps.iter_mut().enumerate() {
        let older = time(n - 2 - k);
        *gap = newer - older;
        newer = older;
    }
    let middle = (gaps.len() - 1) / 2;
    Some(*gaps.select_nth_unstable(middle).1)
}

/// The gaps between the newest points of a series that are told one by one, and the lower median of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    median: Option<Nanos>,
    /// How many of the gaps are smaller, and how many are equal.
    smaller: u8,
    equal: u8,
}

/// Place of the lower median among the sorted gaps between 16 points.
const MIDDLE: u8 = ((INTERVAL_POINTS - 2) / 2) as u8;

impl Pace {
    /// Of `n` points.
    pub fn of(n: usize, time: impl Fn(usize) -> Nanos) -> Self {
        let median = sampling_interval(n, &time);
        let mut pace = Pace { median, ..Pace::default() };
        if let Some(median) = median {
            for newer in n.saturating_sub(INTERVAL_POINTS) + 1..n {
                let gap = time(newer) - time(newer - 1);
                pace.smaller += u8::from(gap < median);
                pace.equal += u8::from(gap == median);
            }
        }
        pace
    }

    /// The lower median.
    #[inline]
    pub fn interval(&self) -> Option<Nanos> {
        self.median
    }

    /// A point has come behind the others; there are `n` now. The oldest gap goes and a new one comes, so the median stays
    /// or moves to a neighbour.
    #[inline]
    pub fn advance(&mut self, n: usize, time: impl Fn(usize) -> Nanos) {
        let (Some(median), true) = (self.median, n > INTERVAL_POINTS) else {
            *self = Pace::of(n, time);
            return;
        };
        let oldest = n - INTERVAL_POINTS;
        let (gone, new) = (time(oldest) - time(oldest - 1), time(n - 1) - time(n - 2));
        self.smaller = self.smaller + u8::from(new < median) - u8::from(gone < median);
        self.equal = self.equal + u8::from(new == median) - u8::from(gone == median);
        if self.smaller <= MIDDLE && MIDDLE < self.smaller + self.equal {
            return;
        }
        let falls = self.smaller > MIDDLE;
        let (mut neighbour, mut equal) = (if falls { Nanos::MIN } else { Nanos::MAX }, 0);
        let mut older = time(n - INTERVAL_POINTS);
        for newer in n - INTERVAL_POINTS + 1..n {
            let newer = time(newer);
            let gap = newer - older;
            older = newer;
            let nearer = if falls { gap < median && gap > neighbour } else { gap > median && gap < neighbour };
            if nearer {
                (neighbour, equal) = (gap, 1);
            } else if gap == neighbour {
                equal += 1;
            }
        }
        self.smaller = if falls { self.smaller - equal } else { self.smaller + self.equal };
        (self.median, self.equal) = (Some(neighbour), equal);
    }
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

/// Number of points at or before the edge of a window, of which there are `end`. Points that come at a steady pace are
/// where one expects them; else they are searched.
#[inline]
fn points_before_window(end: usize, edge: Nanos, interval: Option<Nanos>, time: impl Fn(usize) -> Nanos) -> usize {
    if let Some(interval) = interval
        && end > 0
        && interval > 0
    {
        let inside = (time(end - 1) - edge).saturating_add(interval - 1) / interval;
        if let Ok(inside) = usize::try_from(inside)
            && inside < end
        {
            // Clocks tremble: a neighbour of the expected point may be the one.
            let first = (end - inside).saturating_sub(1);
            for first in first..(first + 3).min(end) {
                if time(first) > edge {
                    if first == 0 || time(first - 1) <= edge {
                        return first;
                    }
                    break;
                }
            }
        }
    }
    points_until(end, edge, time)
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
) -> Frame {
    let edge = at - length;
    let first = points_before_window(end, edge, interval, &time);
    let next = next.unwrap_or(Nanos::MAX);
    if first == end {
        return Frame { first, end, chain: first, covered: 0, judged: false, valid_until: next };
    }
    let (oldest, newest) = (time(first), time(end - 1));
    let mut valid_until = next.min(oldest.saturating_add(length));
    let Some(interval) = interval else {
        return Frame { first, end, chain: first, covered: 0, judged: false, valid_until };
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
    let judged = covered as f64 >= needed;
    if judged && begin == edge {
        // The covered part shrinks with every instant that passes until it is too short.
        let spare = (covered as f64 - needed) as Nanos;
        valid_until = valid_until.min(at.saturating_add(spare).max(at + 1));
    }
    Frame { first, end, chain, covered, judged, valid_until }
}
