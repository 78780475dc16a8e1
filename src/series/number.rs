//! Aggregates of number series: gauges and sums.
//!
//! Everything is a function of the kept points alone, in the order of time: the same points give the same bits.

use super::block::{Block, NumberKind};
use super::running;
use super::sum::{Fixed, fixed, sum as sum_of};
use super::window::{Frame, points_until, sampling_interval};
use crate::model::{Aggregation, Nanos, SECOND};

/// What a rule wants to know of a series.
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

/// What a window says of a series at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowResult {
    /// The result.
    pub outcome: WindowOutcome,
    /// How much of the window was covered.
    pub covered: Nanos,
    /// Until when (exclusive) it stays true, if no point arrives.
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
    pub(super) fn of(frame: &Frame, value: impl FnOnce() -> Option<f64>) -> Self {
        let outcome = if frame.points() == 0 {
            WindowOutcome::Empty
        } else if !frame.judged {
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

/// The points of one series with a time up to the judged instant, gathered.
#[derive(Clone, Debug, Default)]
pub(super) struct Points {
    pub times: Vec<Nanos>,
    pub values: Vec<f64>,
    /// Step of each point from the one before it; empty for levels.
    pub steps: Vec<f64>,
    /// Time of the first point after the judged instant.
    pub next: Option<Nanos>,
}

impl Points {
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.steps.clear();
        self.next = None;
    }

    /// The points of a column up to `at`, with their steps.
    pub fn gather(&mut self, block: &Block, column: usize, at: Nanos) {
        self.clear();
        let kind = block.kind(column);
        for row in 0..block.len() {
            if !block.has(row, column) {
                continue;
            }
            let (time, value) = (block.time(row), block.value(row, column));
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
                    self.steps.push(delta_step(value, block.start(row, column), time, before));
                }
            }
            self.times.push(time);
            self.values.push(value);
        }
    }

    pub fn frame(&self, at: Nanos, length: Nanos, min_coverage: f64) -> Frame {
        let n = self.times.len();
        let interval = sampling_interval(n, |i| self.times[i]);
        super::window::frame(n, |i| self.times[i], interval, self.next, at, length, min_coverage)
    }

    /// The aggregate over a frame of these points.
    pub fn aggregate(&self, frame: &Frame, request: &WindowRequest, monotonic: bool, counter: bool) -> Option<f64> {
        let Frame { first, end, chain, .. } = *frame;
        let increase = || {
            if counter {
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
                let (times, values) = if request.increase && monotonic {
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
/// first observation of a new exporter: it holds the total since long ago, which is nobody's increase.
pub(super) fn delta_step(value: f64, start: Nanos, time: Nanos, before: Nanos) -> f64 {
    let first_observation = start > before && (time - start).saturating_mul(4) < time - before;
    if first_observation { 0.0 } else { value }
}

/// The increase of a counter: the difference of the ends, and for every fall the value before it, because the counter
/// went on from zero.
fn counter_increase(values: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return 0.0 };
    let mut terms = vec![*last, -first];
    terms.extend(values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]));
    sum_of(&terms)
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

fn aggregate_values(values: &[f64], aggregation: Aggregation) -> Option<f64> {
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
        // Both need the chain, not the values alone; the callers have answered them.
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

/// The windows of a block at one instant: what all its dense columns have in common is found once.
#[derive(Clone, Debug, Default)]
pub struct BlockFrames {
    at: Nanos,
    /// Rows with a time up to `at`.
    end: usize,
    next: Option<Nanos>,
    interval: Option<Nanos>,
    frames: Vec<(Nanos, Frame)>,
    /// Place among the running sums of the block.
    sums: usize,
    points: Points,
    values: Vec<f64>,
    results: Vec<f64>,
}

/// The columns of a block that one rule looks at in one way.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub rule: u32,
    pub request: WindowRequest,
    pub columns: Vec<u32>,
    /// The same, a bit for each.
    pub mask: Vec<u64>,
    /// Whether the rows can be read as they are: no roll-up, no steps in place of values, no delta sums by their chain.
    pub plain: bool,
}

/// What a window says of the columns of a group.
pub(super) enum RuleWindow<'a> {
    /// No point inside.
    Empty,
    /// Points, but they cover too little.
    WarmingUp,
    /// Per column a value, not finite where there is none.
    Values(&'a [f64]),
}

impl BlockFrames {
    /// What the request of a plain group says of the columns of an even block.
    #[inline]
    pub(super) fn judge_group(
        &mut self,
        block: &mut Block,
        group: &Group,
        min_coverage: f64,
    ) -> (Frame, RuleWindow<'_>) {
        let frame = self.frame(block, group.request.length, min_coverage);
        if frame.points() == 0 {
            return (frame, RuleWindow::Empty);
        }
        if !frame.judged {
            return (frame, RuleWindow::WarmingUp);
        }
        let BlockFrames { values, results, sums, .. } = self;
        results.clear();
        let Frame { first, end, chain, .. } = frame;
        match group.request.aggregation {
            Aggregation::Rate | Aggregation::Delta => {
                let (old, new) = (block.row_values(chain), block.row_values(end - 1));
                let difference =
                    |&column: &u32| f64::from_bits(new[column as usize]) - f64::from_bits(old[column as usize]);
                results.extend(group.columns.iter().map(difference));
                if block.has_any_fallen(&group.mask) {
                    for (increase, &column) in results.iter_mut().zip(&group.columns) {
                        if block.has_fallen(column as usize) {
                            *increase = running_increase(block, sums, (group.rule, column), (chain, end), values);
                        }
                    }
                }
                if group.request.aggregation == Aggregation::Rate {
                    let elapsed = block.time(end - 1) - block.time(chain);
                    let seconds = if elapsed > 0 { elapsed as f64 / SECOND as f64 } else { f64::NAN };
                    results.iter_mut().for_each(|increase| *increase /= seconds);
                }
            }
            aggregation @ (Aggregation::Avg | Aggregation::Sum) => {
                let count = if aggregation == Aggregation::Avg { frame.points() as f64 } else { 1.0 };
                for &column in &group.columns {
                    let total = running_total(block, sums, (group.rule, column), (first, end), values);
                    results.push(total / count);
                }
            }
            aggregation => results.extend(group.columns.iter().map(|&column| {
                block.column_values(column as usize, first, end, values);
                aggregate_values(values, aggregation).unwrap_or(f64::NAN)
            })),
        }
        (frame, RuleWindow::Values(results))
    }

    /// Turns to a block and an instant.
    pub(super) fn begin(&mut self, block: &Block, at: Nanos) {
        self.at = at;
        self.end = points_until(block.len(), at, |r| block.time(r));
        self.next = (self.end < block.len()).then(|| block.time(self.end));
        self.interval = match self.next {
            None => block.interval(),
            Some(_) => sampling_interval(self.end, |r| block.time(r)),
        };
        self.frames.clear();
        self.sums = 0;
    }

    #[inline]
    fn frame(&mut self, block: &Block, length: Nanos, min_coverage: f64) -> Frame {
        if let Some(&(_, frame)) = self.frames.iter().find(|(l, _)| *l == length) {
            return frame;
        }
        let (end, interval, next) = (self.end, self.interval, self.next);
        let frame = super::window::frame(end, |r| block.time(r), interval, next, self.at, length, min_coverage);
        self.frames.push((length, frame));
        frame
    }

    /// What a request says of a column.
    #[inline]
    pub(super) fn judge(
        &mut self,
        block: &Block,
        column: usize,
        request: &WindowRequest,
        min_coverage: f64,
    ) -> WindowResult {
        if block.is_even() || block.is_dense(column) {
            let frame = self.frame(block, request.length, min_coverage);
            if let Some(judgement) = judge_dense(block, column, &frame, request, &mut self.values) {
                return judgement;
            }
        }
        self.judge_gathered(block, column, request, min_coverage)
    }

    #[inline(never)]
    fn judge_gathered(
        &mut self,
        block: &Block,
        column: usize,
        request: &WindowRequest,
        min_coverage: f64,
    ) -> WindowResult {
        self.points.gather(block, column, self.at);
        let frame = self.points.frame(self.at, request.length, min_coverage);
        let kind = block.kind(column);
        let counter = kind == NumberKind::Counter;
        WindowResult::of(&frame, || self.points.aggregate(&frame, request, kind.is_monotonic(), counter))
    }
}

/// The sum of a column's values in the rows `first..end` of an even block.
#[inline]
fn running_total(
    block: &mut Block,
    place: &mut usize,
    (group, column): (u32, u32),
    (first, end): (usize, usize),
    values: &mut Vec<f64>,
) -> f64 {
    let base = block.given_back();
    let (rows, sums) = block.rows_and_sums();
    let sum = running::next(sums, place, group, column);
    let stretch = (first as u64 + base, end as u64 + base);
    let total = sum.advance(stretch, base, |row| rows.value((row - base) as usize, column as usize));
    total.map(Fixed::rounded).unwrap_or_else(|| {
        block.column_values(column as usize, first, end, values);
        sum_of(values)
    })
}

/// The increase of a counter that has fallen, between the rows `chain` and `end - 1` of an even block.
#[inline]
fn running_increase(
    block: &mut Block,
    place: &mut usize,
    (group, column): (u32, u32),
    (chain, end): (usize, usize),
    values: &mut Vec<f64>,
) -> f64 {
    let base = block.given_back();
    let (rows, sums) = block.rows_and_sums();
    let sum = running::next(sums, place, group, column);
    let stretch = (chain as u64 + base, (end - 1) as u64 + base);
    let column = column as usize;
    let falls = sum.advance(stretch, base, |row| {
        let row = (row - base) as usize;
        let (before, after) = (rows.value(row, column), rows.value(row + 1, column));
        if after < before { before } else { 0.0 }
    });
    let ends = (fixed(rows.value(end - 1, column)), fixed(rows.value(chain, column)));
    if let (Some(Fixed(falls)), (Some(last), Some(first))) = (falls, ends) {
        return Fixed(falls + last - first).rounded();
    }
    block.column_values(column, chain, end, values);
    counter_increase(values)
}

/// The aggregates that are read straight from the rows; `None` for those that need the points gathered.
#[inline]
fn judge_dense(
    block: &Block,
    column: usize,
    frame: &Frame,
    request: &WindowRequest,
    values: &mut Vec<f64>,
) -> Option<WindowResult> {
    let kind = block.kind(column);
    let Frame { first, end, chain, judged, .. } = *frame;
    if !judged {
        return Some(WindowResult::of(frame, || None));
    }
    if matches!(request.aggregation, Aggregation::Rate | Aggregation::Delta) {
        if matches!(kind, NumberKind::Delta { .. }) {
            return None;
        }
        let increase = if block.has_fallen(column) {
            block.column_values(column, chain, end, values);
            counter_increase(values)
        } else {
            block.value(end - 1, column) - block.value(chain, column)
        };
        return Some(WindowResult::of(frame, || match request.aggregation {
            Aggregation::Delta => Some(increase),
            _ => per_second(increase, block.time(end - 1) - block.time(chain)),
        }));
    }
    if request.rollup > 0 || (request.increase && kind.is_monotonic()) {
        return None;
    }
    block.column_values(column, first, end, values);
    Some(WindowResult::of(frame, || aggregate_values(values, request.aggregation)))
}
