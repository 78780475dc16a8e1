//! Aggregates over the points of one number series.
//!
//! Everything is a function of the kept points alone, in the order of time: the same points give the same bits.

use super::frame::{WindowEnd, WindowFrame, WindowRequest};
use super::sum::{counter_increase, sum as sum_of};
use crate::model::{Aggregation, Nanos, SECOND};
use crate::series::store::block::{Block, NumberKind};
use std::collections::BTreeMap;

/// The points of one series, or of several that are read as one.
#[derive(Clone, Debug, Default)]
pub struct SeriesPoints {
    pub times: Vec<Nanos>,
    pub values: Vec<f64>,
    /// Step of each point from the one before it; empty for levels.
    pub steps: Vec<f64>,
}

impl SeriesPoints {
    /// Takes the points of a column, with their steps, in place of those it has.
    pub fn gather(&mut self, block: &Block, column: usize) {
        self.times.clear();
        self.values.clear();
        self.steps.clear();
        let (kind, table) = (block.kind(column), &block.table);
        for row in (0..table.len()).filter(|&row| table.has(row, column)) {
            let (time, value) = (table.time(row), table.value(row, column));
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

    /// The points of several columns of one metric, added up at the times they have (of gauges the mean is taken); with it how
    /// they follow each other.
    pub fn merged(members: &[(&Block, usize)], is_gauge: bool) -> (Self, NumberKind) {
        let kinds: Vec<NumberKind> = members.iter().map(|(block, column)| block.kind(*column)).collect();
        let has_steps = kinds.iter().all(|kind| *kind != NumberKind::Level);
        // By time the values and the steps of the members.
        let mut cells: BTreeMap<Nanos, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        let (mut merged, mut points) = (SeriesPoints::default(), SeriesPoints::default());
        for &(block, column) in members {
            points.gather(block, column);
            for (i, &time) in points.times.iter().enumerate() {
                let (values, steps) = cells.entry(time).or_default();
                values.push(points.values[i]);
                // A member's first point has a step of zero.
                steps.push(points.steps.get(i).copied().unwrap_or(0.0));
            }
        }
        for (time, (values, steps)) in cells {
            let total = sum_of(&values);
            merged.times.push(time);
            merged.values.push(if is_gauge { total / values.len() as f64 } else { total });
            if has_steps {
                merged.steps.push(sum_of(&steps));
            }
        }
        // Steps have been added up; where there are none, the values have.
        let monotonic = kinds.iter().all(|kind| kind.is_monotonic());
        (merged, if has_steps { NumberKind::Delta { monotonic } } else { NumberKind::Level })
    }

    /// The window that ends at a time, and its value.
    pub fn evaluate(&self, at: Nanos, request: &WindowRequest, kind: NumberKind) -> (WindowFrame, f64) {
        let time = |i: usize| self.times[i];
        let frame = WindowEnd::new(at, self.times.len(), time).frame(request, time);
        (frame, frame.value(|| self.aggregate(&frame, request, kind)))
    }

    /// The aggregate over a frame of these points.
    fn aggregate(&self, frame: &WindowFrame, request: &WindowRequest, kind: NumberKind) -> Option<f64> {
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
pub fn per_second(increase: f64, elapsed: Nanos) -> Option<f64> {
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
