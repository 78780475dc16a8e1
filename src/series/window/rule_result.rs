//! What a rule gets of the series it reads, several of them at once where they have a window in common.

use super::frame::WindowFrame;
use crate::series::index::location::SeriesId;
use crate::series::store::table::Table;

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
