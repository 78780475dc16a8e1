//! The windows of a block at one time: what its columns have in common is computed once.
//!
//! When every row is full, the columns of a rule are read row by row and by sums that move on with their windows. Otherwise
//! the points of each column are gathered first; both give the same bits.

use super::aggregate::{SeriesPoints, WindowRequest, WindowResult, aggregate_values};
use super::frame::{WindowFrame, frame};
use super::rule_result::{ResultSeries, RuleOutcome, RuleResult, emit_one};
use super::running::RunningSums;
use crate::model::{Aggregation, Nanos, SECOND};
use crate::series::store::block::{Block, NumberKind};
use crate::series::store::table::Mark;
use crate::series::store::times::{points_until, sampling_interval};

/// The columns of a block that one rule reads.
#[derive(Clone, Debug)]
pub struct CompiledRule {
    pub rule: u32,
    pub request: WindowRequest,
    pub columns: Vec<u32>,
    /// The same, a bit for each.
    pub mask: Vec<u64>,
    /// Whether the rows can be read as they are: no roll-up, no steps in place of values, no steps of delta sums.
    pub is_plain: bool,
}

impl CompiledRule {
    /// Adds a column of the rule, which come in their order.
    pub fn add_column(&mut self, column: usize, kind: NumberKind) {
        self.columns.push(column as u32);
        self.mask.resize(column / 64 + 1, 0);
        self.mask[column / 64] |= 1 << (column % 64);
        let by_steps = matches!(self.request.aggregation, Aggregation::Rate | Aggregation::Delta);
        self.is_plain &= match kind {
            NumberKind::Level => true,
            NumberKind::Counter => by_steps || !self.request.increase,
            NumberKind::Delta { monotonic } => !(by_steps || (self.request.increase && monotonic)),
        };
    }
}

/// The windows of one block, and buffers that keep their room from block to block.
#[derive(Clone, Debug, Default)]
pub struct BlockWindows {
    at: Nanos,
    /// Rows with a time up to `at`, and the time of the row after them.
    end: usize,
    next: Option<Nanos>,
    interval: Option<Nanos>,
    frames: Vec<(Nanos, WindowFrame)>,
    /// Position among the running sums of the block.
    sums: usize,
    points: SeriesPoints,
    values: Vec<f64>,
    results: Vec<f64>,
}

impl BlockWindows {
    /// Evaluates the rules of a block at a time, in their order.
    #[inline]
    pub fn evaluate(
        &mut self,
        block: &mut Block,
        rules: &[CompiledRule],
        at: Nanos,
        min_coverage: f64,
        emit: &mut impl FnMut(RuleResult<'_>),
    ) {
        self.begin(block, at);
        for rule in rules {
            if rule.is_plain && block.is_even() {
                self.evaluate_rows(block, rule, min_coverage, emit);
                continue;
            }
            for &column in &rule.columns {
                let result = self.evaluate_column(block, column as usize, &rule.request, min_coverage);
                emit_one(rule.rule, block.table.series(column as usize), result, emit);
            }
        }
    }

    /// Evaluates a plain rule on full rows.
    #[inline]
    fn evaluate_rows(
        &mut self,
        block: &mut Block,
        rule: &CompiledRule,
        min_coverage: f64,
        emit: &mut impl FnMut(RuleResult<'_>),
    ) {
        let frame = self.frame(block, rule.request.length, min_coverage);
        let outcome = if frame.points() == 0 {
            RuleOutcome::Empty
        } else if !frame.is_covered {
            RuleOutcome::WarmingUp(rule.columns.len())
        } else {
            self.aggregate_rows(block, rule, &frame);
            let series = ResultSeries::Columns(&block.table, &rule.columns);
            RuleOutcome::Values { values: &self.results, series, points: frame.points() }
        };
        emit(RuleResult { rule: rule.rule, outcome, covered: frame.covered, valid_until: frame.valid_until });
    }

    /// The aggregates of a plain rule's columns over a frame, into `results`; not finite where there is none.
    #[inline]
    fn aggregate_rows(&mut self, block: &mut Block, rule: &CompiledRule, frame: &WindowFrame) {
        let BlockWindows { values, results, sums, .. } = self;
        results.clear();
        let WindowFrame { first, end, chain, .. } = *frame;
        let Block { table, running, removed, .. } = block;
        let table = &*table;
        let mut running =
            RunningSums { table, sums: running, removed: *removed, position: sums, rule: rule.rule, values };
        match rule.request.aggregation {
            Aggregation::Rate | Aggregation::Delta => {
                let (old, new) = (table.row_values(chain), table.row_values(end - 1));
                let difference =
                    |&column: &u32| f64::from_bits(new[column as usize]) - f64::from_bits(old[column as usize]);
                results.extend(rule.columns.iter().map(difference));
                let elapsed = table.time(end - 1) - table.time(chain);
                if table.is_any_marked(Mark::Fell, &rule.mask) {
                    for (increase, &column) in results.iter_mut().zip(&rule.columns) {
                        if table.is_marked(Mark::Fell, column as usize) {
                            *increase = running.increase(column, chain, end);
                        }
                    }
                }
                if rule.request.aggregation == Aggregation::Rate {
                    let seconds = if elapsed > 0 { elapsed as f64 / SECOND as f64 } else { f64::NAN };
                    results.iter_mut().for_each(|increase| *increase /= seconds);
                }
            }
            aggregation @ (Aggregation::Avg | Aggregation::Sum) => {
                let count = if aggregation == Aggregation::Avg { frame.points() as f64 } else { 1.0 };
                results.extend(rule.columns.iter().map(|&column| running.total(column, first, end) / count));
            }
            aggregation => results.extend(rule.columns.iter().map(|&column| {
                table.column_values(column as usize, first, end, running.values);
                aggregate_values(running.values, aggregation).unwrap_or(f64::NAN)
            })),
        }
    }

    #[inline]
    fn begin(&mut self, block: &Block, at: Nanos) {
        let time = |row| block.table.time(row);
        self.at = at;
        self.end = points_until(block.table.len(), at, time);
        self.next = (self.end < block.table.len()).then(|| time(self.end));
        self.interval = sampling_interval(self.end, time);
        self.frames.clear();
        self.sums = 0;
    }

    #[inline]
    fn frame(&mut self, block: &Block, length: Nanos, min_coverage: f64) -> WindowFrame {
        if let Some(&(_, frame)) = self.frames.iter().find(|(l, _)| *l == length) {
            return frame;
        }
        let (end, interval, next) = (self.end, self.interval, self.next);
        let frame = frame(end, |row| block.table.time(row), interval, next, self.at, length, min_coverage);
        self.frames.push((length, frame));
        frame
    }

    #[inline(never)]
    fn evaluate_column(
        &mut self,
        block: &Block,
        column: usize,
        request: &WindowRequest,
        min_coverage: f64,
    ) -> WindowResult {
        self.points.gather(block, column, self.at);
        let frame = self.points.frame(self.at, request.length, min_coverage);
        WindowResult::of(&frame, || self.points.aggregate(&frame, request, block.kind(column)))
    }
}
