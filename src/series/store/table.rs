//! The memory of a block: rows are times, columns are series, and all of it is one vector.
//!
//! With many resources every separate piece of memory is a cache miss of its own, so what a row needs lies side by side.
//! The vector holds, in this order: the series and the subscription of each column; marks of columns; start times of their
//! newest points; the times of rows; which points each row has; values; start times of points. Rows form a ring in the
//! order of time. Which points a row has is kept for the newest row alone as long as all others are full.
//! Absent on purpose: which rows are needed, and what a value means.

use crate::model::{Nanos, Sample};

/// What is marked of columns, a bit for each column and mark.
#[derive(Clone, Copy)]
pub enum Mark {
    /// It exists: a row with these bits is full.
    Column,
    /// A monotonic cumulative sum.
    Counter,
    Delta,
    Monotonic,
    SeveralWriters,
    NegativeDelta,
    /// A counter that fell.
    Fell,
    /// It has a point in the newest row.
    InNewest,
}

const MARKS: usize = 8;

/// How much room a table has, and what it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TableSize {
    pub rows: u32,
    /// Cells of a row.
    pub columns: u32,
    /// Whether it is kept which points the rows before the newest have; if not, they are full.
    pub keeps_masks: bool,
    /// Whether the start times of points are kept.
    pub keeps_starts: bool,
}

/// Rows of times by columns of series.
#[derive(Clone, Debug, Default)]
pub struct Table {
    data: Vec<u64>,
    columns: u32,
    /// Words of a mark.
    words: u32,
    /// Where the times and the values begin.
    times_at: u32,
    values_at: u32,
    /// Physical row of the oldest time; rows in use.
    head: u32,
    len: u32,
    size: TableSize,
}

impl Table {
    /// Number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Number of columns.
    #[inline]
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// What there is room for.
    #[inline]
    pub fn size(&self) -> TableSize {
        self.size
    }

    /// Time of a row.
    #[inline]
    pub fn time(&self, row: usize) -> Nanos {
        self.data[self.times_at as usize + self.physical(row)] as Nanos
    }

    /// The value in a cell.
    #[inline]
    pub fn value(&self, row: usize, column: usize) -> f64 {
        f64::from_bits(self.data[self.values_at as usize + self.cell(row, column)])
    }

    /// Start time of a point, where those are kept.
    pub fn start(&self, row: usize, column: usize) -> Nanos {
        self.data[self.point_starts_at() + self.cell(row, column)] as Nanos
    }

    /// Whether a column has a point in a row.
    #[inline]
    pub fn has(&self, row: usize, column: usize) -> bool {
        self.mask_at(row).is_none_or(|mask| self.data[mask + column / 64] >> (column % 64) & 1 == 1)
    }

    /// Whether every column has a point in a row.
    #[inline]
    pub fn is_full(&self, row: usize) -> bool {
        let Some(mask) = self.mask_at(row) else { return true };
        let (words, full) = (self.words as usize, self.mark_at(Mark::Column, 0));
        self.data[mask..mask + words] == self.data[full..full + words]
    }

    /// The values of a column in the rows `first..end`, in the order of time.
    #[inline]
    pub fn column_values(&self, column: usize, first: usize, end: usize, out: &mut Vec<f64>) {
        out.clear();
        out.extend((first..end).map(|row| self.value(row, column)));
    }

    /// The values of a full row, as bits.
    #[inline]
    pub fn row_values(&self, row: usize) -> &[u64] {
        let from = self.values_at as usize + self.cell(row, 0);
        &self.data[from..from + self.columns()]
    }

    /// Number of the column's series.
    #[inline]
    pub fn series(&self, column: usize) -> u32 {
        self.data[column] as u32
    }

    /// Number of the column's subscription.
    #[inline]
    pub fn subscription(&self, column: usize) -> u32 {
        (self.data[column] >> 32) as u32
    }

    /// Gives the column's series another number.
    pub fn set_series(&mut self, column: usize, series: u32) {
        self.data[column] = u64::from(self.subscription(column)) << 32 | u64::from(series);
    }

    #[inline]
    pub fn is_marked(&self, mark: Mark, column: usize) -> bool {
        self.data[self.mark_at(mark, column)] >> (column % 64) & 1 == 1
    }

    /// Whether one of these columns, a bit for each, is marked.
    #[inline]
    pub fn is_any_marked(&self, mark: Mark, columns: &[u64]) -> bool {
        let marks = self.mark_at(mark, 0);
        self.data[marks..].iter().zip(columns).any(|(marks, columns)| marks & columns != 0)
    }

    #[inline]
    pub fn mark(&mut self, mark: Mark, column: usize) {
        let at = self.mark_at(mark, column);
        self.data[at] |= 1 << (column % 64);
    }

    /// Start time of the newest point of a column.
    #[inline]
    pub fn newest_start(&self, column: usize) -> Nanos {
        self.data[self.newest_starts_at() + column] as Nanos
    }

    pub fn set_newest_start(&mut self, column: usize, start: Nanos) {
        let at = self.newest_starts_at() + column;
        self.data[at] = start as u64;
    }

    /// Adds a column without points; there must be room.
    pub fn add_column(&mut self, series: u32, subscription: u32) -> usize {
        let column = self.columns();
        self.columns += 1;
        self.data[column] = u64::from(subscription) << 32 | u64::from(series);
        self.set_newest_start(column, 0);
        self.mark(Mark::Column, column);
        column
    }

    /// Adds a row after the newest; there must be room. Its points are those of the row before until it is cleared or filled.
    #[inline]
    pub fn push_row(&mut self, time: Nanos) {
        self.len += 1;
        let index = self.physical(self.len() - 1);
        self.data[self.times_at as usize + index] = time as u64;
    }

    /// Adds a row without points before others. There must be room, and masks must be kept.
    pub fn insert_row(&mut self, row: usize, time: Nanos) {
        self.len += 1;
        for later in (row + 1..self.len()).rev() {
            self.copy_row(later - 1, later);
        }
        let index = self.physical(row);
        self.data[self.times_at as usize + index] = time as u64;
        self.clear_row(row);
    }

    /// Takes all points out of a row.
    #[inline]
    pub fn clear_row(&mut self, row: usize) {
        if let Some(mask) = self.mask_at(row) {
            self.data[mask..mask + self.words as usize].fill(0);
        }
    }

    /// Removes the oldest row.
    #[inline]
    pub fn pop_oldest(&mut self) {
        self.head = self.physical(1) as u32;
        self.len -= 1;
    }

    /// Puts a point into an empty cell of a row that is not full; start times of points are apart.
    #[inline]
    pub fn set(&mut self, row: usize, column: usize, value: f64) {
        let (mask, values_at) = (self.mask_at(row), self.values_at as usize);
        if let Some(mask) = mask {
            self.data[mask + column / 64] |= 1 << (column % 64);
        }
        let cell = values_at + self.cell(row, column);
        self.data[cell] = value.to_bits();
    }

    /// Sets the start time of a point, where those are kept.
    pub fn set_start(&mut self, row: usize, column: usize, start: Nanos) {
        let cell = self.point_starts_at() + self.cell(row, column);
        self.data[cell] = start as u64;
    }

    /// Fills the newest row, which is full when the row before is. Tells whether a start time is another than that of the
    /// newest point before it.
    #[inline]
    pub fn fill_newest(&mut self, samples: impl Iterator<Item = (usize, Sample)>) -> bool {
        let columns = self.columns();
        let (starts, row) = (self.newest_starts_at(), self.cell(self.len() - 1, 0));
        let (head, values) = self.data.split_at_mut(self.values_at as usize);
        let (starts, row) = (&head[starts..starts + columns], &mut values[row..row + columns]);
        let mut other_starts = 0;
        for (column, sample) in samples {
            row[column] = sample.value.to_bits();
            other_starts |= starts[column] ^ sample.start as u64;
        }
        other_starts != 0
    }

    /// Marks the counters whose value in the newest row is smaller than in the row before. Both rows must be full.
    #[inline]
    pub fn mark_falls(&mut self) {
        let columns = self.columns();
        let (own, before) = (self.cell(self.len() - 1, 0), self.cell(self.len() - 2, 0));
        let (fell_at, counters_at) = (self.mark_at(Mark::Fell, 0), self.mark_at(Mark::Counter, 0));
        let (head, values) = self.data.split_at_mut(self.values_at as usize);
        let (own, before) = (&values[own..own + columns], &values[before..before + columns]);
        for (word, (own, before)) in own.chunks(64).zip(before.chunks(64)).enumerate() {
            let mut fell = 0;
            for (column, (own, before)) in own.iter().zip(before).enumerate() {
                fell |= u64::from(f64::from_bits(*own) < f64::from_bits(*before)) << column;
            }
            head[fell_at + word] |= fell & head[counters_at + word];
        }
    }

    /// Lays the memory out anew; `size` must hold the rows and columns there are.
    pub fn resize(&mut self, size: TableSize) {
        let (rows, room) = (size.rows as usize, size.columns as usize);
        let words = room.div_ceil(64);
        let mut new = Table { data: Vec::new(), words: words as u32, head: 0, size, ..*self };
        new.times_at = (MARKS * words + 2 * room) as u32;
        new.values_at = new.masks_at() as u32 + if size.keeps_masks { rows * words } else { 0 } as u32;
        new.data = vec![0; new.values_at as usize + rows * room * (1 + usize::from(size.keeps_starts))];
        let columns = self.columns();
        new.data[..columns].copy_from_slice(&self.data[..columns]);
        let used = columns.div_ceil(64);
        for mark in 0..MARKS {
            let (from, to) = (self.size.columns as usize + mark * self.words as usize, room + mark * words);
            new.data[to..to + used].copy_from_slice(&self.data[from..from + used]);
        }
        let (from, to) = (self.newest_starts_at(), new.newest_starts_at());
        new.data[to..to + columns].copy_from_slice(&self.data[from..from + columns]);
        for row in 0..self.len() {
            new.data[new.times_at as usize + row] = self.time(row) as u64;
            if let Some(to) = new.mask_at(row) {
                let from = self.mask_at(row).unwrap_or(self.mark_at(Mark::Column, 0));
                new.data[to..to + used].copy_from_slice(&self.data[from..from + used]);
            }
            let (from, to) = (self.cell(row, 0), new.cell(row, 0));
            let parts =
                [(self.values_at as usize, new.values_at as usize), (self.point_starts_at(), new.point_starts_at())];
            for (old, new_at) in &parts[..1 + usize::from(self.size.keeps_starts)] {
                new.data[new_at + to..][..columns].copy_from_slice(&self.data[old + from..][..columns]);
            }
        }
        *self = new;
    }

    /// Copies a row onto another one; masks must be kept.
    fn copy_row(&mut self, from: usize, to: usize) {
        let (from, to, room) = (self.physical(from), self.physical(to), self.size.columns as usize);
        let parts = [
            (self.times_at as usize, 1),
            (self.masks_at(), self.words as usize),
            (self.values_at as usize, room),
            (self.point_starts_at(), room),
        ];
        for (part, width) in &parts[..3 + usize::from(self.size.keeps_starts)] {
            self.data.copy_within(part + from * width..part + (from + 1) * width, part + to * width);
        }
    }

    #[inline]
    fn mark_at(&self, mark: Mark, column: usize) -> usize {
        self.size.columns as usize + mark as usize * self.words as usize + column / 64
    }

    #[inline]
    fn newest_starts_at(&self) -> usize {
        self.size.columns as usize + MARKS * self.words as usize
    }

    #[inline]
    fn masks_at(&self) -> usize {
        self.times_at as usize + self.size.rows as usize
    }

    #[inline]
    fn point_starts_at(&self) -> usize {
        self.values_at as usize + self.size.rows as usize * self.size.columns as usize
    }

    #[inline]
    fn physical(&self, row: usize) -> usize {
        let i = self.head as usize + row;
        if i >= self.size.rows as usize { i - self.size.rows as usize } else { i }
    }

    /// Number of a cell among the values.
    #[inline]
    fn cell(&self, row: usize, column: usize) -> usize {
        self.physical(row) * self.size.columns as usize + column
    }

    /// Where it is kept which points a row has; `None` for a row that is full because nothing is kept of it.
    #[inline]
    fn mask_at(&self, row: usize) -> Option<usize> {
        if self.size.keeps_masks {
            Some(self.masks_at() + self.physical(row) * self.words as usize)
        } else if row + 1 == self.len() {
            Some(self.mark_at(Mark::InNewest, 0))
        } else {
            None
        }
    }
}
