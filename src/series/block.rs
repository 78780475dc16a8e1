//! The kept points of the number series that report together: rows are times, columns are series.
//!
//! One row serves all series of a report, so a point costs eight bytes and a bit. Rows form a ring in the order of time.
//! The values of a row lie side by side, except those of columns that are read whole at every instant (by an average, or
//! because the counter keeps falling): their values lie one after the other, a *run*. It is the same cell either way; the
//! split is about how many cache lines a judged instant touches. All of a block is one piece of memory for the same reason:
//! with many resources every piece is a miss of its own.
//! Invariant: a cell's bit in the row's mask says whether the series has a point at that time; `ragged` counts the rows in
//! which some series has none, so without them every column is read by row number alone.
//! Kept of every series, whatever their age: its newest 16 points up to `at` and the newest point up to `at - W`. More may
//! be kept; nothing that is computed depends on it.

use super::window::{INTERVAL_POINTS, points_until};
use crate::model::Nanos;

/// How the values of a number series follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Words of a column in the block's memory: its place and marks, its number and plan, the start time of its newest point,
/// and the time of its newest fall.
const COLUMN: usize = 4;
const PLACE: usize = 0;
const NUMBER: usize = 1;
const START: usize = 2;
const FALL: usize = 3;

/// Marks in the first word of a column, above the number of its cell or run.
const RUN: u64 = 1 << 32;
const COUNTER: u64 = 1 << 33;
const DELTA: u64 = 1 << 34;
const MONOTONIC: u64 = 1 << 35;
const SEVERAL_WRITERS: u64 = 1 << 36;
const NEGATIVE_DELTA: u64 = 1 << 37;
/// How often a counter fell, up to `RESTLESS`.
const FALLS: u64 = 1 << 40;
/// A counter that fell this often is read whole at every instant.
const RESTLESS: u64 = 4;

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

/// The program of a block that needs a new one.
pub(super) const STALE: u32 = u32::MAX;

/// See the module's own words.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    /// Longest window of a rule on one of the columns, and the shortest of the columns' longest windows.
    pub longest: Nanos,
    pub shortest: Nanos,
    /// Columns; one bit for each of them; times; masks; values; start times of points.
    data: Vec<u64>,
    columns: u32,
    /// Number of the program that judges the columns; `STALE` when they have changed since it was chosen.
    pub program: u32,
    /// Where the parts of the memory begin; the columns begin at 0.
    full_at: u32,
    times_at: u32,
    masks_at: u32,
    values_at: u32,
    point_starts_at: u32,
    /// Columns there is room for.
    room: u32,
    /// Cells of a row, and runs, that are reserved and used.
    stride: u32,
    row_cells: u32,
    run_room: u32,
    runs: u32,
    /// Mask words of a row.
    words: u32,
    /// Physical row of the oldest time; rows in use; rows reserved.
    head: u32,
    len: u32,
    capacity: u32,
    /// Rows in which a column has no point.
    ragged: u32,
    /// Whether the start times of points are kept.
    keeps_starts: bool,
    /// Whether a column shall become a run.
    restless: bool,
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

    #[inline]
    fn place(&self, column: usize) -> u64 {
        self.data[column * COLUMN + PLACE]
    }

    /// Number of the column's series.
    #[inline]
    pub fn series(&self, column: usize) -> u32 {
        self.data[column * COLUMN + NUMBER] as u32
    }

    /// What the engine judges the column by.
    #[inline]
    pub fn plan(&self, column: usize) -> u32 {
        (self.data[column * COLUMN + NUMBER] >> 32) as u32
    }

    /// How the values of the column follow each other.
    #[inline]
    pub fn kind(&self, column: usize) -> NumberKind {
        let place = self.place(column);
        if place & DELTA != 0 {
            NumberKind::Delta { monotonic: place & MONOTONIC != 0 }
        } else if place & COUNTER != 0 {
            NumberKind::Counter
        } else {
            NumberKind::Level
        }
    }

    /// Whether several processes write the column's series.
    pub fn has_several_writers(&self, column: usize) -> bool {
        self.place(column) & SEVERAL_WRITERS != 0
    }

    /// Whether the column is a monotonic delta sum that sent a negative delta.
    pub fn has_negative_delta(&self, column: usize) -> bool {
        self.place(column) & NEGATIVE_DELTA != 0
    }

    #[inline]
    fn physical(&self, row: usize) -> usize {
        let i = self.head as usize + row;
        if i >= self.capacity as usize { i - self.capacity as usize } else { i }
    }

    /// Number of a cell among the values, by the physical row.
    #[inline]
    fn cell_at(&self, index: usize, column: usize) -> usize {
        let place = self.place(column);
        let (number, stride, capacity) = (place as u32 as usize, self.stride as usize, self.capacity as usize);
        if place & RUN == 0 { index * stride + number } else { (stride + number) * capacity + index }
    }

    /// Time of a row.
    #[inline]
    pub fn time(&self, row: usize) -> Nanos {
        self.data[self.times_at as usize + self.physical(row)] as Nanos
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

    #[inline]
    fn mask_at(&self, index: usize, column: usize) -> usize {
        self.masks_at as usize + index * self.words as usize + column / 64
    }

    #[inline]
    pub fn has(&self, row: usize, column: usize) -> bool {
        self.data[self.mask_at(self.physical(row), column)] >> (column % 64) & 1 == 1
    }

    #[inline]
    pub fn value(&self, row: usize, column: usize) -> f64 {
        f64::from_bits(self.data[self.values_at as usize + self.cell_at(self.physical(row), column)])
    }

    /// Start time of a delta point.
    pub fn start(&self, row: usize, column: usize) -> Nanos {
        self.data[self.point_starts_at as usize + self.cell_at(self.physical(row), column)] as Nanos
    }

    /// The values of a dense column in the rows `first..end`, in the order of time.
    #[inline]
    pub fn column_values(&self, column: usize, first: usize, end: usize, out: &mut Vec<f64>) {
        out.clear();
        let from = self.physical(first);
        let until_wrap = (self.capacity as usize - from).min(end - first);
        let step = if self.place(column) & RUN == 0 { self.stride as usize } else { 1 };
        for (from, rows) in [(from, until_wrap), (0, end - first - until_wrap)] {
            let cells = &self.data[self.values_at as usize + self.cell_at(from, column)..];
            if step == 1 {
                out.extend(cells[..rows].iter().map(|&bits| f64::from_bits(bits)));
            } else {
                out.extend(cells.iter().step_by(step).take(rows).map(|&bits| f64::from_bits(bits)));
            }
        }
    }

    /// Whether a counter may have fallen at a point later than `after`.
    #[inline]
    pub fn may_fall_after(&self, column: usize, after: Nanos) -> bool {
        self.place(column) & COUNTER != 0 && self.data[column * COLUMN + FALL] as Nanos > after
    }

    /// Last minus first of a dense column between two rows.
    #[inline]
    pub fn differences(&self, columns: &[u32], first: usize, last: usize, mut each: impl FnMut(usize, f64)) {
        let (first, last) = (self.physical(first), self.physical(last));
        let values = &self.data[self.values_at as usize..];
        for &column in columns {
            let column = column as usize;
            let value = |index| f64::from_bits(values[self.cell_at(index, column)]);
            each(column, value(last) - value(first));
        }
    }

    /// Reads a word of every cache line that a report and its evaluation are about to need. The reads do not wait for each
    /// other, as those of the work itself do: with many resources this is most of the time a report takes.
    #[inline]
    pub fn touch(&self) {
        let mut seen = 0;
        let mut lines = |from: usize, to: usize| {
            for line in self.data[from..to].chunks(8) {
                seen ^= line[0];
            }
        };
        let (values, stride, capacity) = (self.values_at as usize, self.stride as usize, self.capacity as usize);
        lines(0, values);
        for run in 0..self.runs as usize {
            let run = values + (stride + run) * capacity;
            lines(run, run + capacity);
        }
        if self.len > 0 {
            for row in [self.len() - 1, self.len() / 2, 0] {
                let row = values + self.physical(row) * stride;
                lines(row, row + stride);
            }
        }
        std::hint::black_box(seen);
    }

    /// Adds a column without points. `longest` is the longest window of a rule on it; `whole` says that a rule reads all
    /// values of its window at every instant.
    pub fn add_column(&mut self, series: u32, plan: u32, kind: NumberKind, longest: Nanos, whole: bool) -> usize {
        self.shortest = if self.columns == 0 { longest } else { self.shortest.min(longest) };
        self.longest = self.longest.max(longest);
        let marks = match kind {
            NumberKind::Level => 0,
            NumberKind::Counter => COUNTER,
            NumberKind::Delta { monotonic: false } => DELTA,
            NumberKind::Delta { monotonic: true } => DELTA | MONOTONIC,
        };
        let keeps_starts = self.keeps_starts || marks & DELTA != 0;
        let (in_use, reserved) = if whole { (self.runs, self.run_room) } else { (self.row_cells, self.stride) };
        if self.columns == self.room || in_use == reserved || keeps_starts != self.keeps_starts {
            let mut shape = self.shape();
            shape.columns = shape.columns.max(self.columns() + 1 + self.columns() / 2);
            let cells = if whole { &mut shape.runs } else { &mut shape.stride };
            *cells = (*cells).max(in_use as usize + 1 + in_use as usize / 2);
            shape.keeps_starts = keeps_starts;
            self.reshape(shape);
        }
        let column = self.columns();
        self.columns += 1;
        self.program = STALE;
        let number = if whole { &mut self.runs } else { &mut self.row_cells };
        let place = u64::from(*number) | marks | if whole { RUN } else { 0 };
        *number += 1;
        self.data[column * COLUMN..][..COLUMN].copy_from_slice(&[
            place,
            u64::from(plan) << 32 | u64::from(series),
            0,
            Nanos::MIN as u64,
        ]);
        let bit = 1 << (column % 64);
        self.data[self.full_at as usize + column / 64] |= bit;
        self.ragged = self.len;
        column
    }

    /// Finds or makes the row of a time. `at` is the engine's time: what is older than anybody needs makes room.
    pub fn row(&mut self, time: Nanos, at: Nanos, limit: usize) -> Row {
        let mut row = points_until(self.len(), time, |r| self.time(r));
        if row == 0 || self.time(row - 1) != time {
            if row == self.len() {
                row -= self.make_room(at);
            }
            self.make_row(row, time);
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

    /// Makes an empty row at a place in the order of time.
    fn make_row(&mut self, row: usize, time: Nanos) {
        if self.len == self.capacity {
            self.grow();
        }
        self.len += 1;
        for later in (row + 1..self.len()).rev() {
            self.copy_row(later - 1, later);
        }
        let index = self.physical(row);
        self.data[self.times_at as usize + index] = time as u64;
        let mask = self.mask_at(index, 0);
        self.data[mask..mask + self.words as usize].fill(0);
        self.ragged += 1;
    }

    /// Puts a point into its cell.
    #[inline]
    pub fn put(&mut self, row: Row, column: usize, value: f64, start: Nanos, limit: usize) -> Result<(), Refused> {
        let index = row.index as usize;
        let mask_at = self.mask_at(index, column);
        let (mask, bit) = (self.data[mask_at], 1u64 << (column % 64));
        if mask & bit != 0 {
            return Err(Refused::Duplicate);
        }
        if !row.plain && self.len() > limit && self.points_of(column) >= limit {
            return Err(Refused::TooDense);
        }
        self.data[mask_at] = mask | bit;
        let values = self.values_at as usize;
        let cell = values + self.cell_at(index, column);
        self.data[cell] = value.to_bits();
        if !row.plain || self.data[column * COLUMN + START] != start as u64 {
            self.put_irregular(row, column, value, start);
        } else if self.place(column) & COUNTER != 0 && row.before != NONE {
            let before = f64::from_bits(self.data[values + self.cell_at(row.before as usize, column)]);
            if value < before {
                self.fell(column, row.time);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn fell(&mut self, column: usize, time: Nanos) {
        let fall = &mut self.data[column * COLUMN + FALL];
        *fall = (*fall as Nanos).max(time) as u64;
        let place = &mut self.data[column * COLUMN + PLACE];
        if *place / FALLS < RESTLESS {
            *place += FALLS;
            self.restless |= *place / FALLS == RESTLESS && *place & RUN == 0;
        }
    }

    /// Gives the counters that keep falling a run.
    #[inline]
    pub fn settle(&mut self) {
        if self.restless {
            self.restless = false;
            for column in 0..self.columns() {
                let place = &mut self.data[column * COLUMN + PLACE];
                if *place / FALLS == RESTLESS && *place & RUN == 0 {
                    self.move_to_run(column);
                }
            }
        }
    }

    #[inline(never)]
    fn move_to_run(&mut self, column: usize) {
        let mut shape = self.shape();
        shape.runs = shape.runs.max(self.runs as usize + 1);
        // Cells beyond those in use were reserved for columns to come; the one that is left is not.
        shape.stride -= 1;
        shape.to_run = Some(column);
        self.reshape(shape);
    }

    fn is_full(&self, index: usize) -> bool {
        let (mask, words) = (self.mask_at(index, 0), self.words as usize);
        self.data[mask..mask + words] == self.data[self.full_at as usize..][..words]
    }

    /// What is rare at a point already in its cell: another start time, an order of arrival that is not the order of time,
    /// a missing point before it.
    #[inline(never)]
    fn put_irregular(&mut self, row: Row, column: usize, value: f64, start: Nanos) {
        if self.keeps_starts {
            let cell = self.point_starts_at as usize + self.cell_at(row.index as usize, column);
            self.data[cell] = start as u64;
        }
        let own = points_until(self.len(), row.time, |r| self.time(r)) - 1;
        let later = (own + 1..self.len()).find(|&r| self.has(r, column));
        let kind = self.kind(column);
        let newest_start = self.data[column * COLUMN + START] as Nanos;
        if later.is_none() && newest_start != start {
            if start != 0 && start < newest_start && !matches!(kind, NumberKind::Delta { .. }) {
                self.data[column * COLUMN + PLACE] |= SEVERAL_WRITERS;
            }
            self.data[column * COLUMN + START] = start as u64;
        }
        if value < 0.0 && kind == (NumberKind::Delta { monotonic: true }) {
            self.data[column * COLUMN + PLACE] |= NEGATIVE_DELTA;
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
            self.fell(column, self.time(row));
        }
    }

    /// Number of kept points of a column.
    fn points_of(&self, column: usize) -> usize {
        (0..self.len()).filter(|&row| self.has(row, column)).count()
    }

    /// Removes the oldest rows that no series needs any more; returns how many.
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

    /// The columns that miss most rows, when rows cannot be given back because of them or hold little.
    pub fn laggards(&self) -> Vec<usize> {
        if self.ragged == 0 || self.len() <= 2 * INTERVAL_POINTS || self.columns == 1 {
            return Vec::new();
        }
        (0..self.columns()).filter(|&column| self.points_of(column) * 2 < self.len()).collect()
    }

    /// A block with only the wanted columns, in their order, and only the rows in which one of them has a point.
    pub fn extract(&self, wanted: &[usize]) -> Block {
        let mut part = Block { program: STALE, ..Block::default() };
        for &column in wanted {
            let run = self.place(column) & RUN != 0;
            let new = part.add_column(self.series(column), self.plan(column), self.kind(column), self.longest, run);
            let marks = self.place(column) & !u64::from(u32::MAX);
            part.data[new * COLUMN + PLACE] |= marks;
            for word in [START, FALL] {
                part.data[new * COLUMN + word] = self.data[column * COLUMN + word];
            }
        }
        part.shortest = self.shortest;
        let rows: Vec<usize> = (0..self.len()).filter(|&r| wanted.iter().any(|&c| self.has(r, c))).collect();
        part.reshape(Shape { rows: rows.len() + 1, ..part.shape() });
        for (to, &row) in rows.iter().enumerate() {
            part.make_row(to, self.time(row));
            for (new, &column) in wanted.iter().enumerate().filter(|&(_, &c)| self.has(row, c)) {
                let (mask, cell) = (part.mask_at(to, new), part.cell_at(to, new));
                part.data[mask] |= 1 << (new % 64);
                part.data[part.values_at as usize + cell] = self.value(row, column).to_bits();
                if part.keeps_starts {
                    part.data[part.point_starts_at as usize + cell] = self.start(row, column) as u64;
                }
            }
            if part.is_full(to) {
                part.ragged -= 1;
            }
        }
        part
    }

    fn copy_row(&mut self, from: usize, to: usize) {
        let (from, to) = (self.physical(from), self.physical(to));
        self.data[self.times_at as usize + to] = self.data[self.times_at as usize + from];
        for word in 0..self.words as usize {
            self.data[self.masks_at as usize + to * self.words as usize + word] =
                self.data[self.masks_at as usize + from * self.words as usize + word];
        }
        for column in 0..self.columns() {
            let (from, to) = (self.cell_at(from, column), self.cell_at(to, column));
            self.data[self.values_at as usize + to] = self.data[self.values_at as usize + from];
            if self.keeps_starts {
                self.data[self.point_starts_at as usize + to] = self.data[self.point_starts_at as usize + from];
            }
        }
    }

    /// More rows: after the first two at once as many as the longest window will hold at the pace seen so far, so that
    /// blocks of a fleet do not leave a trail of outgrown memory behind.
    fn grow(&mut self) {
        let mut shape = self.shape();
        let few = self.capacity as usize;
        shape.rows = few + (few / 4).max(1);
        if self.len >= 2 {
            let pace = (self.time(self.len() - 1) - self.time(0)) / (self.len() as Nanos - 1);
            let expected = ((self.longest / pace.max(1)).min(8192) as usize + 3).max(INTERVAL_POINTS + 2);
            shape.rows = shape.rows.max(expected.min(few * 64));
            // By now the columns are known: no room is kept for more.
            (shape.columns, shape.stride, shape.runs) = (self.columns(), self.row_cells as usize, self.runs as usize);
        }
        self.reshape(shape);
    }

    fn shape(&self) -> Shape {
        Shape {
            rows: self.capacity as usize,
            columns: self.room as usize,
            stride: self.stride as usize,
            runs: self.run_room as usize,
            keeps_starts: self.keeps_starts,
            to_run: None,
        }
    }

    /// Lays the block out anew.
    fn reshape(&mut self, shape: Shape) {
        let words = shape.columns.div_ceil(64);
        let mut new = Block { columns: self.columns, room: shape.columns as u32, ..Block::default() };
        (new.longest, new.shortest, new.restless) = (self.longest, self.shortest, self.restless);
        (new.len, new.ragged, new.words) = (self.len, self.ragged, words as u32);
        (new.capacity, new.keeps_starts, new.program) = (shape.rows as u32, shape.keeps_starts, self.program);
        let columns: Vec<u64> = (0..self.columns())
            .map(|column| {
                let marks =
                    self.place(column) & !u64::from(u32::MAX) | if shape.to_run == Some(column) { RUN } else { 0 };
                let number = if marks & RUN == 0 { &mut new.row_cells } else { &mut new.runs };
                *number += 1;
                marks | u64::from(*number - 1)
            })
            .collect();
        new.stride = (shape.stride as u32).max(new.row_cells);
        new.run_room = (shape.runs as u32).max(new.runs);
        let cells = shape.rows * (new.stride + new.run_room) as usize;
        new.full_at = (shape.columns * COLUMN) as u32;
        new.times_at = new.full_at + words as u32;
        new.masks_at = new.times_at + shape.rows as u32;
        new.values_at = new.masks_at + (shape.rows * words) as u32;
        new.point_starts_at = new.values_at + cells as u32;
        new.data = vec![0; new.point_starts_at as usize + if shape.keeps_starts { cells } else { 0 }];
        for (column, place) in columns.into_iter().enumerate() {
            new.data[column * COLUMN..][..COLUMN].copy_from_slice(&self.data[column * COLUMN..][..COLUMN]);
            new.data[column * COLUMN + PLACE] = place;
        }
        for word in 0..self.words as usize {
            new.data[new.full_at as usize + word] = self.data[self.full_at as usize + word];
        }
        for row in 0..self.len() {
            let from = self.physical(row);
            new.data[new.times_at as usize + row] = self.time(row) as u64;
            for word in 0..self.words as usize {
                new.data[new.masks_at as usize + row * words + word] =
                    self.data[self.masks_at as usize + from * self.words as usize + word];
            }
            for column in 0..self.columns() {
                let (from, to) = (self.cell_at(from, column), new.cell_at(row, column));
                new.data[new.values_at as usize + to] = self.data[self.values_at as usize + from];
                if self.keeps_starts {
                    new.data[new.point_starts_at as usize + to] = self.data[self.point_starts_at as usize + from];
                }
            }
        }
        *self = new;
    }
}

/// How much room a block has.
struct Shape {
    rows: usize,
    columns: usize,
    stride: usize,
    runs: usize,
    keeps_starts: bool,
    /// A column that becomes a run.
    to_run: Option<usize>,
}
