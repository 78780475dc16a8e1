//! Aggregates over the points of one number series.
//!
//! Everything is a function of the kept points alone, in the order of time: the same points give the same bits.

use super::frame::{WindowFrame, frame};
use super::sum::{counter_increase, sum as sum_of};
use crate::model::{Aggregation, Nanos, SECOND};
use crate::series::store::block::{Block, NumberKind};
use crate::series::store::times::sampling_interval;

/// What a rule reads of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowRequest {
    /// How the points become one value.
    pub aggregation: Aggregation,
    /// Length of the window.
    pub length: Nanos,
    /// Length of the roll-up buckets; 0 means none.
    pub rollup: Nanos,
    /// Whether monotonic sums are read by their steps.
    pub increase: bool,
}

/// What a window over a series gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowResult {
    /// The result.
    pub outcome: WindowOutcome,
    /// How much of the window was covered.
    pub covered: Nanos,
    /// Until when (exclusive) it stays so, if no other point is received.
    pub valid_until: Nanos,
}

/// The result of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowOutcome {
    /// No point inside.
    Empty,
    /// Points, but they cover too little.
    WarmingUp,
    /// Covered, but the aggregate has no value.
    NoValue,
    /// A value.
    Value {
        /// The aggregate.
        value: f64,
        /// Points inside the window.
        points: usize,
    },
}

impl WindowResult {
    /// Evaluates `value` when the frame is covered.
    #[inline]
    pub fn of(frame: &WindowFrame, value: impl FnOnce() -> Option<f64>) -> Self {
        let outcome = if frame.points() == 0 {
            WindowOutcome::Empty
        } else if !frame.is_covered {
            WindowOutcome::WarmingUp
        } else {
            match value() {
                Some(value) if value.is_finite() => WindowOutcome::Value { value, points: frame.points() },
                _ => WindowOutcome::NoValue,
            }
        };
        WindowResult { outcome, covered: frame.covered, valid_until: frame.valid_until }
    }
}

/// The points of one series with a time up to the end of a window.
#[derive(Clone, Debug, Default)]
pub struct SeriesPoints {
    pub times: Vec<Nanos>,
    pub values: Vec<f64>,
    /// Step of each point from the one before it; empty for levels.
    pub steps: Vec<f64>,
    /// Time of the first point after the end of the window.
    pub next: Option<Nanos>,
}

impl SeriesPoints {
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.steps.clear();
        self.next = None;
    }

    /// The points of a column up to `at`, with their steps.
    pub fn gather(&mut self, block: &Block, column: usize, at: Nanos) {
        self.clear();
        let (kind, table) = (block.kind(column), &block.table);
        for row in (0..table.len()).filter(|&row| table.has(row, column)) {
            let (time, value) = (table.time(row), table.value(row, column));
            if time > at {
                self.next = Some(time);
                break;
            }
            match (kind, self.times.last().copied().zip(self.values.last().copied())) {
                (NumberKind::Level, _) => {}
                (_, None) => self.steps.push(0.0),
                (NumberKind::Counter, Some((_, before))) => {
                    self.steps.push(if value < before { value } else { value - before });
                }
                (NumberKind::Delta { .. }, Some((before, _))) => {
                    self.steps.push(delta_step(value, table.start(row, column), time, before));
                }
            }
            self.times.push(time);
            self.values.push(value);
        }
    }

    pub fn frame(&self, at: Nanos, length: Nanos, min_coverage: f64) -> WindowFrame {
        let n = self.times.len();
        let interval = sampling_interval(n, |i| self.times[i]);
        frame(n, |i| self.times[i], interval, self.next, at, length, min_coverage)
    }

    /// The aggregate over a frame of these points.
    pub fn aggregate(&self, frame: &WindowFrame, request: &WindowRequest, kind: NumberKind) -> Option<f64> {
        let WindowFrame { first, end, chain, .. } = *frame;
        let increase = || {
            if kind == NumberKind::Counter {
                counter_increase(&self.values[chain..end])
            } else if self.steps.is_empty() {
                self.values[end - 1] - self.values[chain]
            } else {
                sum_of(&self.steps[chain + 1..end])
            }
        };
        match request.aggregation {
            Aggregation::Rate => per_second(increase(), self.times[end - 1] - self.times[chain]),
            Aggregation::Delta => Some(increase()),
            aggregation => {
                let (times, values) = if request.increase && kind.is_monotonic() {
                    (&self.times[chain + 1..end], &self.steps[chain + 1..end])
                } else {
                    (&self.times[first..end], &self.values[first..end])
                };
                if request.rollup > 0 {
                    aggregate_values(&roll_up(times, values, request.rollup), aggregation)
                } else {
                    aggregate_values(values, aggregation)
                }
            }
        }
    }
}

/// The step of a delta point. One that starts after the previous point and covers less than a quarter of the gap is the
/// first observation of a new exporter: it holds the total since long ago, which is no increase within the window.
pub fn delta_step(value: f64, start: Nanos, time: Nanos, before: Nanos) -> f64 {
    let first_observation = start > before && (time - start).saturating_mul(4) < time - before;
    if first_observation { 0.0 } else { value }
}

#[inline]
fn per_second(increase: f64, elapsed: Nanos) -> Option<f64> {
    (elapsed > 0).then(|| increase / (elapsed as f64 / SECOND as f64))
}

/// Means of the points in the buckets `(k * length, (k + 1) * length]`.
fn roll_up(times: &[Nanos], values: &[f64], length: Nanos) -> Vec<f64> {
    let bucket = |i: usize| (times[i] - 1).div_euclid(length);
    let mut means = Vec::new();
    let mut first = 0;
    for i in 1..=times.len() {
        if i == times.len() || bucket(i) != bucket(first) {
            means.push(sum_of(&values[first..i]) / (i - first) as f64);
            first = i;
        }
    }
    means
}

pub fn aggregate_values(values: &[f64], aggregation: Aggregation) -> Option<f64> {
    let (first, last) = (*values.first()?, *values.last()?);
    Some(match aggregation {
        Aggregation::Avg => sum_of(values) / values.len() as f64,
        Aggregation::Sum => sum_of(values),
        Aggregation::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregation::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Aggregation::Count => values.len() as f64,
        Aggregation::AbsoluteDiff => last - first,
        Aggregation::RelativeDiff => {
            if first == 0.0 {
                return None;
            }
            (last - first) / first.abs()
        }
        Aggregation::Percentile(q) => percentile(values, q),
        // Both need the chain, not the values alone; the callers have handled them.
        Aggregation::Rate | Aggregation::Delta => return None,
    })
}

/// Rank q(n - 1), linear between neighbours.
fn percentile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = q * (sorted.len() - 1) as f64;
    let below = rank.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let share = rank - below as f64;
    sorted[below] * (1.0 - share) + sorted[above] * share
}
