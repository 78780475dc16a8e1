//! The kept points of the number series that report together: rows are times, columns are series.
//!
//! One row serves all series of a report, so a point costs eight bytes and a bit. Rows form a ring in the order of time, and
//! the values of a row lie side by side. All of a block is one piece of memory: with many resources every piece is a miss of
//! its own, and how many cache lines a report and its judgement touch decides what they cost.
//! Invariant: `ragged` counts the rows in which some series has no point; without them every column is read by row number
//! alone. Which points a row has is kept for its newest row, and for all of them from the first ragged row behind it on.
//! Kept of every series, whatever their age: its newest 16 points up to `at` and the newest point up to `at - W`. More may
//! be kept; nothing that is computed depends on it.

mod reshape;

use super::running::RunningSum;
use super::window::{INTERVAL_POINTS, Pace, points_until};
use crate::model::{Nanos, PointSpan, PointValue};
use prefetch_index::prefetch_index;
use std::slice::from_ref;

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
    /// Whether `--counters increase` reads the steps in place of the values.
    pub fn is_monotonic(self) -> bool {
        matches!(self, NumberKind::Counter | NumberKind::Delta { monotonic: true })
    }
}

/// What is marked of columns, a bit for each column and mark.
#[derive(Clone, Copy)]
enum Mark {
    /// It is there: what a row must have to be full.
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

/// A row found or made for the points of one report. It stands until a column or another row is added, and must be handed
/// to [`Block::complete`] when its points are in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub time: Nanos,
    /// Physical row.
    index: u32,
    /// Physical row of the time before; `NONE` when there is none.
    before: u32,
    /// Whether points need no more than their cell: the row is the newest, the one before it is full, start times of points
    /// are not kept, and there is room.
    plain: bool,
    /// Whether every column had a point when the row was found.
    was_full: bool,
}

const NONE: u32 = u32::MAX;

/// Words of a cache line.
const LINE: usize = 8;
/// A block with more rows is brought near only in part.
const FEW: usize = 128;

/// The program of a block that needs a new one.
pub(super) const STALE: u32 = u32::MAX;

/// See the module's own words.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// Longest window of a rule on one of the columns, and the shortest of the columns' longest windows.
    pub longest: Nanos,
    pub shortest: Nanos,
    /// Numbers and plans of columns; marks; start times of their newest points; times; which points rows have; values; start
    /// times of points.
    data: Vec<u64>,
    /// Sums over windows that move on with them.
    pub running: Vec<RunningSum>,
    /// The gaps between the newest rows.
    pace: Pace,
    /// Number of the program that judges the columns; `STALE` when they have changed since it was chosen.
    pub program: u32,
    columns: u32,
    /// Columns there is room for: cells of a row.
    room: u32,
    /// Words of a mark.
    words: u32,
    /// Where parts of the memory begin.
    times_at: u32,
    values_at: u32,
    /// Physical row of the oldest time; rows in use; rows reserved.
    head: u32,
    len: u32,
    capacity: u32,
    /// Rows given back so far: with it a row keeps its number.
    given_back: u64,
    /// Rows in which a column has no point.
    ragged: u32,
    /// Whether it is kept which points the rows behind the newest have; without, they are full.
    keeps_masks: bool,
    /// Whether the start times of points are kept.
    keeps_starts: bool,
}

/// The values of a block, to be read beside its running sums.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    values: &'a [u64],
    head: usize,
    capacity: usize,
    room: usize,
}

impl Rows<'_> {
    #[inline]
    pub fn value(&self, row: usize, column: usize) -> f64 {
        let index = self.head + row;
        let index = if index >= self.capacity { index - self.capacity } else { index };
        f64::from_bits(self.values[index * self.room + column])
    }
}

/// Why a point was not put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Duplicate,
    TooDense,
}

impl Block {
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

    /// Number of rows given back so far: a row's number among those that are kept, plus this, stays the same.
    #[inline]
    pub fn given_back(&self) -> u64 {
        self.given_back
    }

    #[inline]
    fn word_of(&self, mark: Mark, column: usize) -> usize {
        self.room as usize + mark as usize * self.words as usize + column / 64
    }

    #[inline]
    fn is_marked(&self, mark: Mark, column: usize) -> bool {
        self.data[self.word_of(mark, column)] >> (column % 64) & 1 == 1
    }

    #[inline]
    fn mark(&mut self, mark: Mark, column: usize) {
        let at = self.word_of(mark, column);
        self.data[at] |= 1 << (column % 64);
    }

    #[inline]
    fn newest_starts_at(&self) -> usize {
        self.room as usize + MARKS * self.words as usize
    }

    #[inline]
    fn masks_at(&self) -> usize {
        self.times_at as usize + self.capacity as usize
    }

    #[inline]
    fn point_starts_at(&self) -> usize {
        self.values_at as usize + self.capacity as usize * self.room as usize
    }

    /// Number of the column's series.
    #[inline]
    pub fn series(&self, column: usize) -> u32 {
        self.data[column] as u32
    }

    /// What the engine judges the column by.
    #[inline]
    pub fn plan(&self, column: usize) -> u32 {
        (self.data[column] >> 32) as u32
    }

    /// Gives the column's series a new number.
    pub fn set_series(&mut self, column: usize, series: u32) {
        self.data[column] = u64::from(self.plan(column)) << 32 | u64::from(series);
    }

    /// Time of the newest point of a column.
    pub fn newest_of(&self, column: usize) -> Option<Nanos> {
        (0..self.len()).rev().find(|&row| self.has(row, column)).map(|row| self.time(row))
    }

    /// How the values of the column follow each other.
    #[inline]
    pub fn kind(&self, column: usize) -> NumberKind {
        if self.is_marked(Mark::Delta, column) {
            NumberKind::Delta { monotonic: self.is_marked(Mark::Monotonic, column) }
        } else if self.is_marked(Mark::Counter, column) {
            NumberKind::Counter
        } else {
            NumberKind::Level
        }
    }

    /// Whether several processes write the column's series.
    pub fn has_several_writers(&self, column: usize) -> bool {
        self.is_marked(Mark::SeveralWriters, column)
    }

    /// Whether the column is a monotonic delta sum that sent a negative delta.
    pub fn has_negative_delta(&self, column: usize) -> bool {
        self.is_marked(Mark::NegativeDelta, column)
    }

    /// Whether one of these columns, a bit for each, is a counter that may have fallen between kept points.
    #[inline]
    pub fn has_any_fallen(&self, columns: &[u64]) -> bool {
        let fell = self.word_of(Mark::Fell, 0);
        self.data[fell..].iter().zip(columns).any(|(fell, columns)| fell & columns != 0)
    }

    /// Whether the column is a counter that may have fallen between kept points.
    #[inline]
    pub fn has_fallen(&self, column: usize) -> bool {
        self.is_marked(Mark::Fell, column)
    }

    #[inline]
    fn physical(&self, row: usize) -> usize {
        let i = self.head as usize + row;
        if i >= self.capacity as usize { i - self.capacity as usize } else { i }
    }

    #[inline]
    fn is_newest(&self, index: usize) -> bool {
        self.len > 0 && index == self.physical(self.len() - 1)
    }

    /// Number of a cell among the values, by the physical row.
    #[inline]
    fn cell_at(&self, index: usize, column: usize) -> usize {
        index * self.room as usize + column
    }

    /// Time of a row.
    #[inline]
    pub fn time(&self, row: usize) -> Nanos {
        self.data[self.times_at as usize + self.physical(row)] as Nanos
    }

    /// The sampling interval of a block whose series have all their points: that of its newest rows.
    #[inline]
    pub fn interval(&self) -> Option<Nanos> {
        self.pace.interval()
    }

    /// Whether every series has a point in every row.
    #[inline]
    pub fn is_even(&self) -> bool {
        self.ragged == 0
    }

    /// Whether every row has a point of the column.
    pub fn is_dense(&self, column: usize) -> bool {
        self.ragged == 0 || (0..self.len()).all(|row| self.has(row, column))
    }

    /// Where it is kept which points a row has; `None` for a full row of which nothing is kept.
    #[inline]
    fn mask_at(&self, index: usize) -> Option<usize> {
        if self.keeps_masks {
            Some(self.masks_at() + index * self.words as usize)
        } else if self.is_newest(index) {
            Some(self.word_of(Mark::InNewest, 0))
        } else {
            None
        }
    }

    #[inline]
    pub fn has(&self, row: usize, column: usize) -> bool {
        match self.mask_at(self.physical(row)) {
            Some(mask) => self.data[mask + column / 64] >> (column % 64) & 1 == 1,
            None => true,
        }
    }

    #[inline]
    pub fn value(&self, row: usize, column: usize) -> f64 {
        f64::from_bits(self.data[self.values_at as usize + self.cell_at(self.physical(row), column)])
    }

    /// Start time of a delta point.
    pub fn start(&self, row: usize, column: usize) -> Nanos {
        self.data[self.point_starts_at() + self.cell_at(self.physical(row), column)] as Nanos
    }

    /// The values of a dense column in the rows `first..end`, in the order of time.
    #[inline]
    pub fn column_values(&self, column: usize, first: usize, end: usize, out: &mut Vec<f64>) {
        out.clear();
        out.extend((first..end).map(|row| self.value(row, column)));
    }

    /// The values, and the running sums over them.
    #[inline]
    pub fn rows_and_sums(&mut self) -> (Rows<'_>, &mut Vec<RunningSum>) {
        let rows = Rows {
            values: &self.data[self.values_at as usize..],
            head: self.head as usize,
            capacity: self.capacity as usize,
            room: self.room as usize,
        };
        (rows, &mut self.running)
    }

    /// The values of a full row.
    #[inline]
    pub fn row_values(&self, row: usize) -> &[u64] {
        let from = self.values_at as usize + self.cell_at(self.physical(row), 0);
        &self.data[from..from + self.columns()]
    }

    /// Asks the processor to bring near what says where a block keeps its points.
    #[inline]
    pub fn prefetch_place(&self) {
        // It lies in three lines, and one of these fields in each.
        prefetch_index(from_ref(&self.pace), 0);
        prefetch_index(from_ref(&self.longest), 0);
        prefetch_index(from_ref(&self.keeps_masks), 0);
    }

    /// Asks the processor to bring near what the next report and its judgement will need. With many resources, waiting for
    /// memory is most of what a report costs.
    #[inline]
    pub fn prefetch(&self) {
        let lines = |from: usize, to: usize| {
            for word in (from..to).step_by(LINE) {
                prefetch_index(&self.data[..], word);
            }
            prefetch_index(&self.data[..], to.saturating_sub(1));
        };
        let (times, room, len) = (self.times_at as usize, self.room as usize, self.len());
        // The newest row and the one that is to come; and where windows of the length that is kept, or of half of it, will begin.
        // The oldest row makes room for the one that is to come.
        let mut rows = &[len.saturating_sub(1), len / 2 + 1, 1][..];
        if self.capacity as usize <= FEW {
            lines(0, times + self.capacity as usize);
        } else {
            // Reports are closer together than instants: most are kept and not judged.
            rows = &rows[..1];
            lines(0, times);
            let newest = times + self.physical(len.saturating_sub(1));
            lines(newest, newest + 2);
        }
        for row in rows {
            let row = self.values_at as usize + self.physical(*row) * room;
            lines(row, row + 2 * room);
        }
        for sum in 0..self.running.len() {
            prefetch_index(&self.running[..], sum);
        }
    }

    /// Adds a column without points. `longest` is the longest window of a rule on it.
    pub fn add_column(&mut self, series: u32, plan: u32, kind: NumberKind, longest: Nanos) -> usize {
        self.shortest = if self.columns == 0 { longest } else { self.shortest.min(longest) };
        self.longest = self.longest.max(longest);
        let mut shape = self.shape();
        shape.keeps_masks |= self.len > 1;
        shape.keeps_starts |= matches!(kind, NumberKind::Delta { .. });
        if self.columns == self.room {
            shape.columns = self.columns() + 1 + self.columns() / 2;
        }
        if shape != self.shape() {
            self.reshape(shape);
        }
        let column = self.columns();
        self.columns += 1;
        self.program = STALE;
        self.running.clear();
        let starts = self.newest_starts_at();
        self.data[column] = u64::from(plan) << 32 | u64::from(series);
        self.data[starts + column] = 0;
        self.mark(Mark::Column, column);
        match kind {
            NumberKind::Level => {}
            NumberKind::Counter => self.mark(Mark::Counter, column),
            NumberKind::Delta { monotonic } => {
                self.mark(Mark::Delta, column);
                if monotonic {
                    self.mark(Mark::Monotonic, column);
                }
            }
        }
        self.ragged = self.len;
        column
    }

    /// Finds or makes the row of a time. `at` is the engine's time: what is older than anybody needs makes room.
    pub fn row(&mut self, time: Nanos, at: Nanos, limit: usize) -> Row {
        let mut row = points_until(self.len(), time, |r| self.time(r));
        if row == 0 || self.time(row - 1) != time {
            if row == self.len() {
                row -= self.make_room(at);
                self.make_newest_row(time);
            } else {
                self.make_earlier_row(row, time);
            }
            row += 1;
        }
        let index = self.physical(row - 1);
        let before = if row > 1 { self.physical(row - 2) as u32 } else { NONE };
        let newest = row == self.len();
        let follows = before == NONE || self.ragged == 0 || self.is_full(before as usize);
        let plain = newest && follows && !self.keeps_starts && self.len() <= limit;
        Row { time, index: index as u32, before, plain, was_full: self.is_full(index) }
    }

    /// The points of a row are in.
    #[inline]
    pub fn complete(&mut self, row: Row) {
        if !row.was_full && self.is_full(row.index as usize) {
            self.ragged -= 1;
        }
    }

    /// Makes an empty newest row.
    fn make_newest_row(&mut self, time: Nanos) {
        if !self.keeps_masks && self.len > 0 && !self.is_full(self.physical(self.len() - 1)) {
            self.keep_masks();
        }
        let index = self.add_row(time);
        if let Some(mask) = self.mask_at(index) {
            self.data[mask..mask + self.words as usize].fill(0);
        }
        self.ragged += 1;
    }

    /// Adds a row behind the newest; its values are still to come.
    #[inline]
    fn add_row(&mut self, time: Nanos) -> usize {
        if self.len == self.capacity {
            self.grow(time);
        }
        self.len += 1;
        let index = self.physical(self.len() - 1);
        self.data[self.times_at as usize + index] = time as u64;
        let mut pace = self.pace;
        pace.advance(self.len(), |row| self.time(row));
        self.pace = pace;
        index
    }

    /// Makes an empty row before others.
    #[inline(never)]
    fn make_earlier_row(&mut self, row: usize, time: Nanos) {
        self.running.clear();
        if self.len == self.capacity {
            self.grow(self.time(self.len() - 1));
        }
        if !self.keeps_masks {
            self.keep_masks();
        }
        self.len += 1;
        for later in (row + 1..self.len()).rev() {
            self.copy_row(later - 1, later);
        }
        let index = self.physical(row);
        self.data[self.times_at as usize + index] = time as u64;
        let mask = self.masks_at() + index * self.words as usize;
        self.data[mask..mask + self.words as usize].fill(0);
        self.ragged += 1;
        self.pace = Pace::of(self.len(), |row| self.time(row));
    }

    /// Whether a report at this time that has a point for every column can be put at once, by [`Block::put_all`].
    #[inline]
    pub fn takes_all(&self, time: Nanos, limit: usize) -> bool {
        self.len > 0
            && self.ragged == 0
            && !self.keeps_masks
            && !self.keeps_starts
            && self.len() < limit
            && time > self.time(self.len() - 1)
    }

    /// Puts a report with a point for every column as the newest row; `lane` says each point's column, or
    /// `columns()` and above for those of which nothing is kept. All points must be finite numbers.
    pub fn put_all(&mut self, (time, at): (Nanos, Nanos), lane: &[u32], points: &[PointSpan]) {
        self.make_room(at);
        let index = self.add_row(time);
        let before = self.physical(self.len() - 2);
        let (room, columns, starts_at) = (self.room as usize, self.columns(), self.newest_starts_at());
        let (fell_at, counters_at) = (self.word_of(Mark::Fell, 0), self.word_of(Mark::Counter, 0));
        let (head, values) = self.data.split_at_mut(self.values_at as usize);
        let starts = &head[starts_at..starts_at + columns];
        let (own, before) = if index > before {
            let (low, high) = values.split_at_mut(index * room);
            (&mut high[..columns], &low[before * room..][..columns])
        } else {
            let (low, high) = values.split_at_mut(before * room);
            (&mut low[index * room..][..columns], &high[..columns])
        };
        let mut other_starts = 0;
        for (point, &column) in points.iter().zip(lane) {
            let column = column as usize;
            if column < columns
                && let PointValue::Number(value) = point.value
            {
                own[column] = value.to_bits();
                other_starts |= starts[column] ^ point.start as u64;
            }
        }
        for (word, (own, before)) in own.chunks(64).zip(before.chunks(64)).enumerate() {
            let mut fell = 0;
            for (column, (own, before)) in own.iter().zip(before).enumerate() {
                fell |= u64::from(f64::from_bits(*own) < f64::from_bits(*before)) << column;
            }
            head[fell_at + word] |= fell & head[counters_at + word];
        }
        if other_starts != 0 {
            for (point, &column) in points.iter().zip(lane) {
                if (column as usize) < columns {
                    self.note_start(column as usize, point.start);
                }
            }
        }
    }

    /// Puts a point into its cell.
    #[inline]
    pub fn put(&mut self, row: Row, column: usize, value: f64, start: Nanos, limit: usize) -> Result<(), Refused> {
        let index = row.index as usize;
        let Some(mask_at) = self.mask_at(index) else { return Err(Refused::Duplicate) };
        let (mask, bit) = (self.data[mask_at + column / 64], 1u64 << (column % 64));
        if mask & bit != 0 {
            return Err(Refused::Duplicate);
        }
        if !row.plain && self.len() > limit && self.points_of(column) >= limit {
            return Err(Refused::TooDense);
        }
        self.data[mask_at + column / 64] = mask | bit;
        let values = self.values_at as usize;
        let cell = values + self.cell_at(index, column);
        self.data[cell] = value.to_bits();
        if !row.plain || self.data[self.newest_starts_at() + column] != start as u64 {
            self.put_irregular(row, column, value, start);
        } else if row.before != NONE && self.is_marked(Mark::Counter, column) {
            let before = f64::from_bits(self.data[values + self.cell_at(row.before as usize, column)]);
            if value < before {
                self.mark(Mark::Fell, column);
            }
        }
        Ok(())
    }

    fn is_full(&self, index: usize) -> bool {
        let Some(mask) = self.mask_at(index) else { return true };
        let (words, full) = (self.words as usize, self.word_of(Mark::Column, 0));
        self.data[mask..mask + words] == self.data[full..full + words]
    }

    /// The newest point of a column has this start time.
    fn note_start(&mut self, column: usize, start: Nanos) {
        let at = self.newest_starts_at() + column;
        let newest = self.data[at] as Nanos;
        if start != 0 && start < newest && !self.is_marked(Mark::Delta, column) {
            self.mark(Mark::SeveralWriters, column);
        }
        self.data[at] = start as u64;
    }

    /// What is rare at a point already in its cell: another start time, an order of arrival that is not the order of time,
    /// a missing point before it.
    #[inline(never)]
    fn put_irregular(&mut self, row: Row, column: usize, value: f64, start: Nanos) {
        if self.keeps_starts {
            let cell = self.point_starts_at() + self.cell_at(row.index as usize, column);
            self.data[cell] = start as u64;
        }
        let own = points_until(self.len(), row.time, |r| self.time(r)) - 1;
        let later = (own + 1..self.len()).find(|&r| self.has(r, column));
        if later.is_none() {
            self.note_start(column, start);
        }
        if own + 1 < self.len() {
            self.running.clear();
        }
        let kind = self.kind(column);
        if value < 0.0 && kind == (NumberKind::Delta { monotonic: true }) {
            self.mark(Mark::NegativeDelta, column);
        }
        if kind == NumberKind::Counter {
            self.note_fall_at(own, column);
            if let Some(later) = later {
                self.note_fall_at(later, column);
            }
        }
    }

    fn note_fall_at(&mut self, row: usize, column: usize) {
        let Some(before) = (0..row).rev().find(|&r| self.has(r, column)) else { return };
        if self.value(row, column) < self.value(before, column) {
            self.mark(Mark::Fell, column);
        }
    }

    /// Number of kept points of a column.
    fn points_of(&self, column: usize) -> usize {
        (0..self.len()).filter(|&row| self.has(row, column)).count()
    }

    /// Removes the oldest rows that no series needs any more; returns how many.
    #[inline]
    fn make_room(&mut self, at: Nanos) -> usize {
        let mut removed = 0;
        while self.len() > INTERVAL_POINTS
            && self.time(1) <= at - self.longest
            && self.time(INTERVAL_POINTS) <= at
            && (self.ragged == 0 || self.oldest_row_is_unneeded(at))
        {
            if self.ragged > 0 && !self.is_full(self.physical(0)) {
                self.ragged -= 1;
            }
            self.head = self.physical(1) as u32;
            self.len -= 1;
            removed += 1;
        }
        self.given_back += removed as u64;
        removed
    }

    /// With missing points, every column that has one in the oldest row must have enough newer ones.
    fn oldest_row_is_unneeded(&self, at: Nanos) -> bool {
        (0..self.columns()).all(|column| {
            if !self.has(0, column) {
                return true;
            }
            let mut later = (1..self.len()).filter(|&r| self.has(r, column)).map(|r| self.time(r));
            later.next().is_some_and(|t| t <= at - self.longest)
                && later.take_while(|&t| t <= at).count() + 1 >= INTERVAL_POINTS
        })
    }
}
