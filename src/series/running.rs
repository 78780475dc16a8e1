//! Sums over windows that move on: what enters is added, what leaves is taken away.
//!
//! Additions are exact (see `sum`), so what a sum says depends on the terms in the window alone, not on how it got there.

use super::sum::{Fixed, fixed};

/// The sum of a column's terms in a stretch of rows, for one group of requests.
#[derive(Clone, Debug, Default)]
pub(super) struct RunningSum {
    group: u32,
    column: u32,
    /// The stretch: its first row, in row numbers that last, and how many.
    first: u64,
    rows: u32,
    /// Terms in it that are not exact in fixed point.
    odd: u32,
    total: [u64; 2],
}

impl RunningSum {
    fn new(group: u32, column: u32) -> Self {
        RunningSum { group, column, ..RunningSum::default() }
    }

    /// The sum of the terms in the rows `first..end`; `None` when some of them are not exact in fixed point. `oldest` is the
    /// first row there is: what left the window before that can no longer be taken away.
    #[inline]
    pub fn advance(&mut self, (first, end): (u64, u64), oldest: u64, term: impl Fn(u64) -> f64) -> Option<Fixed> {
        let mut total = i128::from(self.total[1] as i64) << 64 | i128::from(self.total[0]);
        let mut until = self.first + u64::from(self.rows);
        if first < self.first || self.first < oldest || first >= until || end < until {
            (self.first, until, self.odd, total) = (first, first, 0, 0);
        }
        for row in self.first..first {
            match fixed(term(row)) {
                Some(term) => total -= term,
                None => self.odd -= 1,
            }
        }
        for row in until..end {
            match fixed(term(row)) {
                Some(term) => total += term,
                None => self.odd += 1,
            }
        }
        (self.first, self.rows, self.total) = (first, (end - first) as u32, [total as u64, (total >> 64) as u64]);
        (self.odd == 0).then_some(Fixed(total))
    }
}

/// The sum for a group's column in a list that is gone through in the same order every time.
#[inline]
pub(super) fn next<'a>(
    sums: &'a mut Vec<RunningSum>,
    place: &mut usize,
    group: u32,
    column: u32,
) -> &'a mut RunningSum {
    let is_it = |sum: &RunningSum| (sum.group, sum.column) == (group, column);
    if !sums.get(*place).is_some_and(is_it) {
        match sums.iter().position(is_it) {
            Some(other) => *place = other,
            None => {
                *place = (*place).min(sums.len());
                if sums.len() == sums.capacity() {
                    sums.reserve_exact(4);
                }
                sums.insert(*place, RunningSum::new(group, column));
            }
        }
    }
    *place += 1;
    &mut sums[*place - 1]
}
