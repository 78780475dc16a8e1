//! What a rule gets of the series it reads, several of them at once where they have a window in common.

use super::aggregate::{WindowOutcome, WindowResult};
use crate::model::Nanos;
use crate::series::index::location::SeriesId;
use crate::series::store::table::Table;

/// The result of a rule for one or several series.
#[derive(Debug)]
pub struct RuleResult<'a> {
    /// Number of the rule among all rules.
    pub rule: u32,
    /// The result.
    pub outcome: RuleOutcome<'a>,
    /// How much of the window was covered.
    pub covered: Nanos,
    /// Until when (exclusive) it stays so, if no other point is received.
    pub valid_until: Nanos,
}

/// The result for one or several series with a window in common.
#[derive(Debug)]
pub enum RuleOutcome<'a> {
    /// No point inside.
    Empty,
    /// So many series have points that cover too little.
    WarmingUp(usize),
    /// Covered.
    Values {
        /// Per series the aggregate; not finite where it has no value.
        values: &'a [f64],
        /// The series.
        series: ResultSeries<'a>,
        /// Points inside the window.
        points: usize,
    },
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

/// Emits the result of one series.
pub fn emit_one(rule: u32, series: SeriesId, result: WindowResult, emit: &mut impl FnMut(RuleResult<'_>)) {
    let WindowResult { outcome, covered, valid_until } = result;
    let mut emit_outcome = |outcome| emit(RuleResult { rule, outcome, covered, valid_until });
    match outcome {
        WindowOutcome::Empty => emit_outcome(RuleOutcome::Empty),
        WindowOutcome::WarmingUp => emit_outcome(RuleOutcome::WarmingUp(1)),
        WindowOutcome::NoValue => {
            emit_outcome(RuleOutcome::Values { values: &[f64::NAN], series: ResultSeries::One(series), points: 0 })
        }
        WindowOutcome::Value { value, points } => {
            emit_outcome(RuleOutcome::Values { values: &[value], series: ResultSeries::One(series), points });
        }
    }
}
