//! The windows of a block at one time: what its columns have in common is computed once.
//!
//! When every row is full, the columns of a rule are read row by row and by sums that move on with their windows. Otherwise
//! the points of each column are gathered first; both give the same bits.

use super::aggregate::{SeriesPoints, aggregate_values};
use super::frame::{ResultSeries, RuleResult, WindowEnd, WindowFrame, WindowRequest, emit_one};
use super::running::RunningSums;
use crate::model::{Aggregation, Nanos, SECOND};
use crate::series::store::block::{Block, NumberKind};
use crate::series::store::table::Mark;

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
    end: WindowEnd,
    /// By length: all requests want the same coverage.
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
        emit: &mut impl FnMut(&RuleResult<'_>),
    ) {
        self.end = WindowEnd::new(at, block.table.len(), |row| block.table.time(row));
        self.frames.clear();
        self.sums = 0;
        for rule in rules {
            if rule.is_plain && block.is_even() {
                self.evaluate_rows(block, rule, emit);
                continue;
            }
            for &column in &rule.columns {
                let result = self.evaluate_column(block, column as usize, at, &rule.request);
                emit_one(rule.rule, block.table.series(column as usize), result, emit);
            }
        }
    }

    /// Evaluates a plain rule on full rows.
    #[inline]
    fn evaluate_rows(&mut self, block: &mut Block, rule: &CompiledRule, emit: &mut impl FnMut(&RuleResult<'_>)) {
        let frame = self.frame(block, &rule.request);
        self.results.clear();
        if frame.is_covered {
            self.aggregate_rows(block, rule, &frame);
        } else {
            self.results.resize(rule.columns.len(), f64::NAN);
        }
        let series = ResultSeries::Columns(&block.table, &rule.columns);
        emit(&RuleResult { rule: rule.rule, frame, values: &self.results, series });
    }

    /// The aggregates of a plain rule's columns over a frame, into the empty `results`; not finite where there is none.
    #[inline]
    fn aggregate_rows(&mut self, block: &mut Block, rule: &CompiledRule, frame: &WindowFrame) {
        let BlockWindows { values, results, sums, .. } = self;
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
    fn frame(&mut self, block: &Block, request: &WindowRequest) -> WindowFrame {
        if let Some(&(_, frame)) = self.frames.iter().find(|(length, _)| *length == request.length) {
            return frame;
        }
        let frame = self.end.frame(request, |row| block.table.time(row));
        self.frames.push((request.length, frame));
        frame
    }

    #[inline(never)]
    fn evaluate_column(
        &mut self,
        block: &Block,
        column: usize,
        at: Nanos,
        request: &WindowRequest,
    ) -> (WindowFrame, f64) {
        self.points.gather(block, column);
        self.points.evaluate(at, request, block.kind(column))
    }
}
