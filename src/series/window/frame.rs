//! One window: what is asked of it, what it is when it is laid over the times of a series (which points are inside, how much
//! of it they cover, and from which point on steps are counted), and what a rule gets of it.
//!
//! A frame is made of times alone, so that all series of a block share it.

use crate::model::{Aggregation, Nanos};
use crate::series::index::location::SeriesId;
use crate::series::store::table::Table;
use crate::series::store::times::{points_until, sampling_interval};

/// What a rule reads of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowRequest {
    /// How the points become one value.
    pub aggregation: Aggregation,
    /// Length of the window.
    pub length: Nanos,
    /// Fraction of the window that must be covered by points.
    pub min_coverage: f64,
    /// Length of the roll-up buckets; 0 means none.
    pub rollup: Nanos,
    /// Whether monotonic sums are read by their steps.
    pub increase: bool,
}

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

    /// The value, when the window is covered and has one; else not a number.
    pub fn value(&self, value: impl FnOnce() -> Option<f64>) -> f64 {
        if self.is_covered { value().unwrap_or(f64::NAN) } else { f64::NAN }
    }
}

/// What all windows over the points of a series that end at one time have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct WindowEnd {
    at: Nanos,
    /// Points up to `at`.
    points: usize,
    /// Time of the point after them.
    next: Option<Nanos>,
    interval: Option<Nanos>,
}

impl WindowEnd {
    /// Over so many points with these times.
    #[inline]
    pub fn new(at: Nanos, len: usize, time: impl Fn(usize) -> Nanos) -> Self {
        let points = points_until(len, at, &time);
        let next = (points < len).then(|| time(points));
        WindowEnd { at, points, next, interval: sampling_interval(points, time) }
    }

    /// A window that ends here.
    pub fn frame(&self, request: &WindowRequest, time: impl Fn(usize) -> Nanos) -> WindowFrame {
        let WindowEnd { at, points: end, next, interval } = *self;
        let (length, edge) = (request.length, at - request.length);
        let first = points_until(end, edge, &time);
        let next = next.unwrap_or(Nanos::MAX);
        let empty = WindowFrame { first, end, chain: first, covered: 0, is_covered: false, valid_until: next };
        if first == end {
            return empty;
        }
        let (oldest, newest) = (time(first), time(end - 1));
        let mut valid_until = next.min(oldest.saturating_add(length));
        let Some(interval) = interval else { return WindowFrame { valid_until, ..empty } };
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
        let needed = request.min_coverage * length as f64;
        let is_covered = covered as f64 >= needed;
        if is_covered && begin == edge {
            // The covered part shrinks as time passes, until it is too short.
            let spare = (covered as f64 - needed) as Nanos;
            valid_until = valid_until.min(at.saturating_add(spare).max(at + 1));
        }
        WindowFrame { first, end, chain, covered, is_covered, valid_until }
    }
}

/// The result of a rule for one or several series with a window in common.
#[derive(Debug)]
pub struct RuleResult<'a> {
    /// Number of the rule among all rules.
    pub rule: u32,
    /// The window.
    pub frame: WindowFrame,
    /// Per series the aggregate; not finite where it has no value, and for all of them when the window is not covered.
    pub values: &'a [f64],
    /// The series.
    pub series: ResultSeries<'a>,
}

/// The series of a result, by their position in it.
#[derive(Debug)]
pub enum ResultSeries<'a> {
    /// One series.
    One(SeriesId),
    /// Columns of a table.
    Columns(&'a Table, &'a [u32]),
}

impl ResultSeries<'_> {
    /// The series at a position.
    #[inline]
    pub fn get(&self, position: usize) -> SeriesId {
        match self {
            ResultSeries::One(series) => *series,
            ResultSeries::Columns(table, columns) => table.series(columns[position] as usize),
        }
    }
}

/// Emits the result of one series: its window, and the value.
pub fn emit_one(
    rule: u32,
    series: SeriesId,
    (frame, value): (WindowFrame, f64),
    emit: &mut impl FnMut(&RuleResult<'_>),
) {
    emit(&RuleResult { rule, frame, values: &[value], series: ResultSeries::One(series) });
}
