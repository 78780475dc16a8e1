//! Sums over windows that move on: what enters is added, what leaves is subtracted.
//!
//! Additions are exact (see `sum`), so a sum depends on the terms in the window alone, not on how it came about.

use super::sum::{Fixed, counter_increase, fixed, sum as sum_of};
use crate::series::store::table::Table;

/// The sum of a column's terms in a range of rows, for one rule.
#[derive(Clone, Debug, Default)]
pub struct RunningSum {
    rule: u32,
    column: u32,
    /// The first row, counted from the first row there ever was, and how many.
    first: u64,
    rows: u32,
    /// Terms in it that are not exact in fixed point.
    inexact: u32,
    total: [u64; 2],
}

impl RunningSum {
    /// The sum of the terms in the rows `first..end`; `None` when some of them are not exact in fixed point. `oldest` is the
    /// first row there is: what left the window before that can no longer be subtracted.
    #[inline]
    fn advance(&mut self, first: u64, end: u64, oldest: u64, term: impl Fn(u64) -> f64) -> Option<i128> {
        let mut total = i128::from(self.total[1] as i64) << 64 | i128::from(self.total[0]);
        let mut until = self.first + u64::from(self.rows);
        if first < self.first || self.first < oldest || first >= until || end < until {
            (self.first, until, self.inexact, total) = (first, first, 0, 0);
        }
        for row in self.first..first {
            match fixed(term(row)) {
                Some(term) => total -= term,
                None => self.inexact -= 1,
            }
        }
        for row in until..end {
            match fixed(term(row)) {
                Some(term) => total += term,
                None => self.inexact += 1,
            }
        }
        (self.first, self.rows, self.total) = (first, (end - first) as u32, [total as u64, (total >> 64) as u64]);
        (self.inexact == 0).then_some(total)
    }
}

/// The running sums of a full table while one rule reads them. They are read in the same order every time.
pub struct RunningSums<'a> {
    pub table: &'a Table,
    pub sums: &'a mut Vec<RunningSum>,
    /// Rows removed from the table so far.
    pub removed: u64,
    /// Position of the next sum.
    pub position: &'a mut usize,
    pub rule: u32,
    /// A buffer for the values of a column.
    pub values: &'a mut Vec<f64>,
}

impl RunningSums<'_> {
    /// The sum of a column's values in the rows `first..end`.
    #[inline]
    pub fn total(&mut self, column: u32, first: usize, end: usize) -> f64 {
        let (removed, table, cells) = (self.removed, self.table, column as usize);
        let sum = self.next(column);
        let total = sum.advance(first as u64 + removed, end as u64 + removed, removed, |row| {
            table.value((row - removed) as usize, cells)
        });
        total.map(|total| Fixed(total).rounded()).unwrap_or_else(|| {
            table.column_values(cells, first, end, self.values);
            sum_of(self.values)
        })
    }

    /// The increase of a counter that has fallen, between the rows `chain` and `end - 1`.
    #[inline]
    pub fn increase(&mut self, column: u32, chain: usize, end: usize) -> f64 {
        let (removed, table, cells) = (self.removed, self.table, column as usize);
        let sum = self.next(column);
        let falls = sum.advance(chain as u64 + removed, (end - 1) as u64 + removed, removed, |row| {
            let row = (row - removed) as usize;
            let (before, after) = (table.value(row, cells), table.value(row + 1, cells));
            if after < before { before } else { 0.0 }
        });
        let ends = (fixed(table.value(end - 1, cells)), fixed(table.value(chain, cells)));
        if let (Some(falls), (Some(last), Some(first))) = (falls, ends) {
            return Fixed(falls + last - first).rounded();
        }
        table.column_values(cells, chain, end, self.values);
        counter_increase(self.values)
    }

    /// The sum for a column.
    #[inline]
    fn next(&mut self, column: u32) -> &mut RunningSum {
        let (rule, sums) = (self.rule, &mut *self.sums);
        let is_it = |sum: &RunningSum| (sum.rule, sum.column) == (rule, column);
        if !sums.get(*self.position).is_some_and(is_it) {
            match sums.iter().position(is_it) {
                Some(other) => *self.position = other,
                None => {
                    *self.position = (*self.position).min(sums.len());
                    if sums.len() == sums.capacity() {
                        sums.reserve_exact(4);
                    }
                    sums.insert(*self.position, RunningSum { rule, column, ..RunningSum::default() });
                }
            }
        }
        *self.position += 1;
        &mut sums[*self.position - 1]
    }
}
