//! The kept points of the number series of one resource that come together: a row of a table for each time.
//!
//! One row serves all series of an export, so a point costs eight bytes and a bit. Invariant: `incomplete` counts the rows in
//! which some series has no point; without them every column is read by row number alone. Kept of every series, whatever
//! their age: its newest 16 points up to now and the newest point outside its longest window. More may be kept; nothing that
//! is computed depends on it.

use super::table::{Mark, Table, TableSize};
use super::times::{INTERVAL_POINTS, points_until};
use crate::model::{Kind, MetricIdentity, Nanos, Sample, Temporality};
use crate::series::window::running::RunningSum;

/// How the values of a number series follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    /// A gauge, or a non-monotonic cumulative sum: values, no steps.
    Level,
    /// A monotonic cumulative sum: a step is the difference, or the value itself when it fell.
    Counter,
    /// A delta sum: a step is the value; the start times are kept.
    Delta {
        /// Whether the sum is declared monotonic.
        monotonic: bool,
    },
}

impl NumberKind {
    /// The kind of a metric's series.
    pub fn of(metric: &MetricIdentity) -> Self {
        match (metric.kind, metric.temporality, metric.monotonic) {
            (Kind::Sum, Temporality::Delta, monotonic) => NumberKind::Delta { monotonic },
            (Kind::Sum, Temporality::Cumulative, true) => NumberKind::Counter,
            _ => NumberKind::Level,
        }
    }

    /// Whether `--counters increase` reads the steps in place of the values.
    pub fn is_monotonic(self) -> bool {
        matches!(self, NumberKind::Counter | NumberKind::Delta { monotonic: true })
    }
}

/// Why a sample was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// The series has a point of that time.
    Duplicate,
    /// The series has as many points as are kept.
    TooDense,
}

/// A row that is open for samples of one time. It stands until a column or another row is added, and must be handed to
/// [`Block::close`] when its samples are in.
#[derive(Clone, Copy, Debug)]
pub struct OpenRow {
    pub time: Nanos,
    row: usize,
    /// Whether a sample needs no more than its cell: the row is the newest, the one before it is full, start times of points
    /// are not kept, and there is room.
    is_plain: bool,
    was_full: bool,
}

/// A table of samples, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The samples.
    pub table: Table,
    /// Longest window of a rule on one of the columns, and the shortest of the columns' longest windows.
    longest: Nanos,
    pub shortest: Nanos,
    /// Sums over windows that move on with them.
    pub running: Vec<RunningSum>,
    /// Number of the compiled rules that evaluate the columns; `None` when these have changed since.
    pub compiled: Option<u32>,
    /// Rows in which a column has no point.
    incomplete: u32,
    /// Rows removed so far: a row's number plus this stays the same.
    pub removed: u64,
}

impl Block {
    /// Time of the newest point of a column.
    pub fn newest_of(&self, column: usize) -> Option<Nanos> {
        let table = &self.table;
        (0..table.len()).rev().find(|&row| table.has(row, column)).map(|row| table.time(row))
    }

    /// How the values of the column follow each other.
    #[inline]
    pub fn kind(&self, column: usize) -> NumberKind {
        if self.table.is_marked(Mark::Delta, column) {
            NumberKind::Delta { monotonic: self.table.is_marked(Mark::Monotonic, column) }
        } else if self.table.is_marked(Mark::Counter, column) {
            NumberKind::Counter
        } else {
            NumberKind::Level
        }
    }

    /// Whether every series has a point in every row.
    #[inline]
    pub fn is_even(&self) -> bool {
        self.incomplete == 0
    }

    /// Adds a column without points. `longest` is the longest window of a rule on it.
    pub fn add_column(&mut self, series: u32, subscription: u32, kind: NumberKind, longest: Nanos) -> usize {
        self.shortest = if self.table.columns() == 0 { longest } else { self.shortest.min(longest) };
        self.longest = self.longest.max(longest);
        let mut size = self.table.size();
        size.keeps_masks |= self.table.len() > 1;
        size.keeps_starts |= matches!(kind, NumberKind::Delta { .. });
        if self.table.columns() == size.columns as usize {
            size.columns += 1 + size.columns / 2;
        }
        if size != self.table.size() {
            self.table.resize(size);
        }
        let column = self.table.add_column(series, subscription);
        self.compiled = None;
        self.running.clear();
        match kind {
            NumberKind::Level => {}
            NumberKind::Counter => self.table.mark(Mark::Counter, column),
            NumberKind::Delta { monotonic } => {
                self.table.mark(Mark::Delta, column);
                if monotonic {
                    self.table.mark(Mark::Monotonic, column);
                }
            }
        }
        self.incomplete = self.table.len() as u32;
        column
    }

    /// Opens the row of a time. `now` is the engine's time: rows that nobody needs by then make room.
    pub fn open(&mut self, time: Nanos, now: Nanos, limit: usize) -> OpenRow {
        let mut end = points_until(self.table.len(), time, |row| self.table.time(row));
        if end == 0 || self.table.time(end - 1) != time {
            if end == self.table.len() {
                self.remove_unneeded(now);
                self.push_empty_row(time);
                end = self.table.len();
            } else {
                self.insert_empty_row(end, time);
                end += 1;
            }
        }
        let (row, size) = (end - 1, self.table.size());
        let follows = row == 0 || self.is_even() || self.table.is_full(row - 1);
        let is_plain = end == self.table.len() && follows && !size.keeps_starts && self.table.len() <= limit;
        OpenRow { time, row, is_plain, was_full: self.table.is_full(row) }
    }

    /// The samples of a row are in.
    #[inline]
    pub fn close(&mut self, open: OpenRow) {
        if !open.was_full && self.table.is_full(open.row) {
            self.incomplete -= 1;
        }
    }

    /// Puts a sample into an open row.
    #[inline]
    pub fn put(&mut self, open: OpenRow, column: usize, sample: Sample, limit: usize) -> Result<(), NotKept> {
        let row = open.row;
        if self.table.has(row, column) {
            return Err(NotKept::Duplicate);
        }
        if !open.is_plain && self.table.len() > limit && self.points_of(column) >= limit {
            return Err(NotKept::TooDense);
        }
        self.table.set(row, column, sample.value);
        if !open.is_plain || self.table.newest_start(column) != sample.start {
            self.note_irregular(row, column, sample);
        } else if row > 0
            && self.table.is_marked(Mark::Counter, column)
            && sample.value < self.table.value(row - 1, column)
        {
            self.table.mark(Mark::Fell, column);
        }
        Ok(())
    }

    /// Whether a sample of this time for every column can be put at once, by [`Block::put_row`].
    #[inline]
    pub fn takes_row(&self, time: Nanos, now: Nanos, limit: usize) -> bool {
        let (len, size) = (self.table.len(), self.table.size());
        len > 0
            && self.is_even()
            && !size.keeps_masks
            && !size.keeps_starts
            && len < limit
            && time > self.table.time(len - 1)
            && time > now - self.shortest
    }

    /// Puts one sample for every column, all of the same time, as the newest row.
    #[inline]
    pub fn put_row(&mut self, time: Nanos, now: Nanos, samples: impl Iterator<Item = (usize, Sample)> + Clone) {
        self.remove_unneeded(now);
        self.push_row(time);
        let other_starts = self.table.fill_newest(samples.clone());
        self.table.mark_falls();
        if other_starts {
            for (column, sample) in samples {
                self.note_start(column, sample.start);
            }
        }
    }

    /// The columns that miss most rows, when rows cannot be removed because of them or hold little.
    pub fn sparse_columns(&self) -> Vec<usize> {
        let (len, columns) = (self.table.len(), self.table.columns());
        if self.is_even() || len <= 2 * INTERVAL_POINTS || columns == 1 {
            return Vec::new();
        }
        (0..columns).filter(|&column| self.points_of(column) * 2 < len).collect()
    }

    /// A block with only the wanted columns, in their order, and only the rows in which one of them has a point.
    pub fn extract(&self, wanted: &[usize]) -> Block {
        let (own, mut part) = (&self.table, Block::default());
        for &column in wanted {
            let new = part.add_column(own.series(column), own.subscription(column), self.kind(column), self.longest);
            for mark in [Mark::SeveralWriters, Mark::NegativeDelta, Mark::Fell] {
                if own.is_marked(mark, column) {
                    part.table.mark(mark, new);
                }
            }
            part.table.set_newest_start(new, own.newest_start(column));
        }
        part.shortest = self.shortest;
        let rows: Vec<usize> = (0..own.len()).filter(|&row| wanted.iter().any(|&c| own.has(row, c))).collect();
        part.table.resize(TableSize { rows: rows.len() as u32 + 1, keeps_masks: true, ..part.table.size() });
        for row in rows {
            part.push_empty_row(own.time(row));
            let to = part.table.len() - 1;
            for (new, &column) in wanted.iter().enumerate().filter(|&(_, &column)| own.has(row, column)) {
                part.table.set(to, new, own.value(row, column));
                if part.table.size().keeps_starts {
                    part.table.set_start(to, new, own.start(row, column));
                }
            }
            if part.table.is_full(to) {
                part.incomplete -= 1;
            }
        }
        if part.is_even() {
            part.table.resize(TableSize { keeps_masks: false, ..part.table.size() });
        }
        part
    }

    /// Adds a newest row, which has the points of the row before until it is cleared or filled.
    #[inline]
    fn push_row(&mut self, time: Nanos) {
        if self.table.len() == self.table.size().rows as usize {
            self.grow(time);
        }
        self.table.push_row(time);
    }

    fn push_empty_row(&mut self, time: Nanos) {
        let len = self.table.len();
        if len > 0 && !self.table.is_full(len - 1) {
            self.keep_masks();
        }
        self.push_row(time);
        self.table.clear_row(len);
        self.incomplete += 1;
    }

    /// Makes an empty row before others.
    #[inline(never)]
    fn insert_empty_row(&mut self, row: usize, time: Nanos) {
        self.running.clear();
        if self.table.len() == self.table.size().rows as usize {
            self.grow(self.table.time(self.table.len() - 1));
        }
        self.keep_masks();
        self.table.insert_row(row, time);
        self.incomplete += 1;
    }

    /// From now on it is kept which points every row has.
    fn keep_masks(&mut self) {
        let size = self.table.size();
        if !size.keeps_masks {
            self.table.resize(TableSize { keeps_masks: true, ..size });
        }
    }

    /// Room for more rows, the next of which has this time: from the second on at once for as many as the longest window will
    /// hold at the sampling interval seen so far, so that the blocks of a fleet do not leave outgrown memory behind.
    #[inline(never)]
    fn grow(&mut self, time: Nanos) {
        let (mut size, len) = (self.table.size(), self.table.len());
        let before = size.rows;
        size.rows += (before / 4).max(1);
        if len >= 1 {
            let gaps = (len as Nanos - Nanos::from(self.table.time(len - 1) == time)).max(1);
            let interval = (time - self.table.time(0)) / gaps;
            let expected = ((self.longest / interval.max(1)).min(8192) as u32 + 3).max(INTERVAL_POINTS as u32 + 2);
            size.rows = size.rows.max(expected.min(before * 64));
            // By now the columns are known: no room is kept for more.
            size.columns = self.table.columns() as u32;
            size.keeps_masks &= self.incomplete > 0;
        }
        self.table.resize(size);
    }

    /// What is rare about a sample already in its cell: another start time, samples not in the order of time, a missing point
    /// before it.
    #[inline(never)]
    fn note_irregular(&mut self, row: usize, column: usize, sample: Sample) {
        if self.table.size().keeps_starts {
            self.table.set_start(row, column, sample.start);
        }
        let later = (row + 1..self.table.len()).find(|&later| self.table.has(later, column));
        if later.is_none() {
            self.note_start(column, sample.start);
        }
        if row + 1 < self.table.len() {
            self.running.clear();
        }
        let kind = self.kind(column);
        if sample.value < 0.0 && kind == (NumberKind::Delta { monotonic: true }) {
            self.table.mark(Mark::NegativeDelta, column);
        }
        if kind == NumberKind::Counter {
            for row in [Some(row), later].into_iter().flatten() {
                let before = (0..row).rev().find(|&before| self.table.has(before, column));
                if before.is_some_and(|before| self.table.value(row, column) < self.table.value(before, column)) {
                    self.table.mark(Mark::Fell, column);
                }
            }
        }
    }

    /// The newest point of a column has this start time.
    fn note_start(&mut self, column: usize, start: Nanos) {
        if start != 0 && start < self.table.newest_start(column) && !self.table.is_marked(Mark::Delta, column) {
            self.table.mark(Mark::SeveralWriters, column);
        }
        self.table.set_newest_start(column, start);
    }

    /// Number of kept points of a column.
    fn points_of(&self, column: usize) -> usize {
        (0..self.table.len()).filter(|&row| self.table.has(row, column)).count()
    }

    /// Removes the oldest rows that no series needs any more.
    #[inline]
    fn remove_unneeded(&mut self, now: Nanos) {
        let table = &mut self.table;
        while table.len() > INTERVAL_POINTS
            && table.time(1) <= now - self.longest
            && table.time(INTERVAL_POINTS) <= now
            && (self.incomplete == 0 || is_oldest_row_unneeded(table, now, self.longest))
        {
            if self.incomplete > 0 && !table.is_full(0) {
                self.incomplete -= 1;
            }
            table.pop_oldest();
            self.removed += 1;
        }
    }
}

/// With missing points, every column that has one in the oldest row must have enough newer ones.
fn is_oldest_row_unneeded(table: &Table, now: Nanos, longest: Nanos) -> bool {
    (0..table.columns()).all(|column| {
        if !table.has(0, column) {
            return true;
        }
        let mut later = (1..table.len()).filter(|&row| table.has(row, column)).map(|row| table.time(row));
        later.next().is_some_and(|time| time <= now - longest)
            && later.take_while(|&time| time <= now).count() + 1 >= INTERVAL_POINTS
    })
}
