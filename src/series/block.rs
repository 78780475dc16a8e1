//! The kept points of the number series that report together: rows are times, columns are series.
//!
//! One row serves all series of a report, so a point costs eight bytes and a bit. Rows form a ring in the order of time.
//! The values of a row lie side by side, except those of columns that are read whole at every instant (by an average, or
//! because the counter keeps falling): their values lie one after the other, a *run*. It is the same cell either way; the
//! split is about how many cache lines a judged instant touches.
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

    fn keeps_starts(self) -> bool {
        matches!(self, NumberKind::Delta { .. })
    }
}

/// One series of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Number of the series.
    pub series: u32,
    /// What the engine judges it by.
    pub plan: u32,
    pub kind: NumberKind,
    /// Two start times alternate: several processes write this series.
    pub several_writers: bool,
    /// A monotonic delta sum sent a negative delta.
    pub negative_delta: bool,
    /// Whether the values lie in a run.
    run: bool,
    /// How often a counter fell, up to `RESTLESS`.
    falls: u8,
}

/// A counter that fell this often is read whole at every instant.
const RESTLESS: u8 = 4;
/// Marks the place of a run.
const RUN: u32 = 1 << 31;

/// A row found or made for the points of one report. It stands until a column or another row is added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub time: Nanos,
    /// Physical row.
    index: u32,
    /// Physical row of the time before; `NONE` when there is none.
    before: u32,
    /// Whether no kept time is later.
    newest: bool,
}

const NONE: u32 = u32::MAX;

/// See the module's own words.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub columns: Vec<Column>,
    /// Longest window of a rule on one of the columns, and the shortest of the columns' longest windows.
    pub longest: Nanos,
    pub shortest: Nanos,
    /// Per column the start time of its newest point.
    starts: Vec<Nanos>,
    /// Per column: no kept point later than this is lower than the one before it (of counters).
    falls: Vec<Nanos>,
    /// One bit per column: whether it is a counter; and whether there is a column at all.
    counters: Vec<u64>,
    full: Vec<u64>,
    times: Vec<Nanos>,
    masks: Vec<u64>,
    values: Vec<f64>,
    /// Start times of the points, where a column needs them; same places as the values.
    point_starts: Vec<Nanos>,
    /// Per column the cell in its row, or the number of its run marked with `RUN`.
    slots: Vec<u32>,
    /// Cells of a row that are reserved and used; runs.
    stride: u32,
    row_cells: u32,
    runs: u32,
    /// Whether a column shall become a run.
    restless: bool,
    /// Mask words of a row.
    words: u32,
    /// Physical row of the oldest time; rows in use; rows reserved.
    head: u32,
    len: u32,
    capacity: u32,
    ragged: u32,
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

    #[inline]
    fn physical(&self, row: usize) -> usize {
        let i = self.head as usize + row;
        if i >= self.capacity as usize { i - self.capacity as usize } else { i }
    }

    #[inline]
    fn cell(&self, row: usize, column: usize) -> usize {
        self.cell_at(self.physical(row), column)
    }

    #[inline]
    fn cell_at(&self, index: usize, column: usize) -> usize {
        let slot = self.slots[column];
        let (stride, capacity) = (self.stride as usize, self.capacity as usize);
        if slot & RUN == 0 {
            index * stride + slot as usize
        } else {
            (stride + (slot & !RUN) as usize) * capacity + index
        }
    }

    /// Time of a row.
    #[inline]
    pub fn time(&self, row: usize) -> Nanos {
        self.times[self.physical(row)]
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
    pub fn has(&self, row: usize, column: usize) -> bool {
        self.masks[self.physical(row) * self.words as usize + column / 64] >> (column % 64) & 1 == 1
    }

    #[inline]
    pub fn value(&self, row: usize, column: usize) -> f64 {
        self.values[self.cell(row, column)]
    }

    /// Start time of a delta point.
    pub fn start(&self, row: usize, column: usize) -> Nanos {
        self.point_starts[self.cell(row, column)]
    }

    /// The values of a dense column in the rows `first..end`, in the order of time.
    #[inline]
    pub fn column_values(&self, column: usize, first: usize, end: usize, out: &mut Vec<f64>) {
        out.clear();
        let from = self.physical(first);
        let until_wrap = (self.capacity as usize - from).min(end - first);
        let step = if self.slots[column] & RUN == 0 { self.stride as usize } else { 1 };
        let parts = [(from, until_wrap), (0, end - first - until_wrap)];
        for (from, rows) in parts {
            let cells = &self.values[self.cell_at(from, column)..];
            if step == 1 {
                out.extend_from_slice(&cells[..rows]);
            } else {
                out.extend(cells.iter().step_by(step).take(rows));
            }
        }
    }

    /// Whether a counter may have fallen at a point later than `after`.
    #[inline]
    pub fn may_fall_after(&self, column: usize, after: Nanos) -> bool {
        self.falls[column] > after
    }

    /// Adds a column without points. `longest` is the longest window of a rule on it; `whole` says that a rule reads all
    /// values of its window at every instant.
    pub fn add_column(&mut self, series: u32, plan: u32, kind: NumberKind, longest: Nanos, whole: bool) -> usize {
        self.shortest = if self.columns.is_empty() { longest } else { self.shortest.min(longest) };
        self.longest = self.longest.max(longest);
        let column = self.columns.len();
        self.columns.push(Column {
            series,
            plan,
            kind,
            several_writers: false,
            negative_delta: false,
            run: whole,
            falls: 0,
        });
        self.starts.push(0);
        self.falls.push(Nanos::MIN);
        let words = self.columns.len().div_ceil(64);
        self.counters.resize(words, 0);
        self.full.resize(words, 0);
        self.full[column / 64] |= 1 << (column % 64);
        self.counters[column / 64] |= u64::from(kind == NumberKind::Counter) << (column % 64);
        if kind.keeps_starts() && self.point_starts.is_empty() {
            self.point_starts = vec![0; self.values.len().max(1)];
        }
        let slot = if whole { RUN | self.runs } else { self.row_cells };
        self.slots.push(slot);
        if whole {
            self.runs += 1;
        } else {
            self.row_cells += 1;
        }
        if whole || self.row_cells > self.stride || words > self.words as usize {
            // A resource that keeps growing gets room for more at once; one that is new gets what it needs.
            let room = if self.capacity == 0 { 0 } else { self.row_cells as usize / 4 };
            self.reshape(self.capacity as usize, (self.row_cells as usize + room).max(self.stride as usize), words);
        }
        self.ragged = self.len;
        column
    }

    /// Finds or makes the row of a time. `at` is the engine's time: what is older than anybody needs makes room.
    pub fn row(&mut self, time: Nanos, at: Nanos) -> Row {
        let mut row = points_until(self.len(), time, |r| self.time(r));
        if row == 0 || self.time(row - 1) != time {
            if row == self.len() {
                row -= self.make_room(at);
            }
            self.make_row(row, time);
            row += 1;
        }
        let before = if row > 1 { self.physical(row - 2) as u32 } else { NONE };
        Row { time, index: self.physical(row - 1) as u32, before, newest: row == self.len() }
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
        let words = self.words as usize;
        self.times[index] = time;
        self.masks[index * words..(index + 1) * words].fill(0);
        self.ragged += 1;
    }

    /// Puts a point into its cell.
    #[inline]
    pub fn put(&mut self, row: Row, column: usize, value: f64, start: Nanos, limit: usize) -> Result<(), Refused> {
        let (index, words) = (row.index as usize, self.words as usize);
        let (word, bit) = (column / 64, 1u64 << (column % 64));
        let mask = self.masks[index * words + word];
        if mask & bit != 0 {
            return Err(Refused::Duplicate);
        }
        if self.len() > limit && self.points_of(column) >= limit {
            return Err(Refused::TooDense);
        }
        let cell = self.cell_at(index, column);
        self.masks[index * words + word] = mask | bit;
        self.values[cell] = value;
        if mask | bit == self.full[word] && (words == 1 || self.is_full(index)) {
            self.ragged -= 1;
        }
        let counter = self.counters[word] & bit != 0;
        let regular = row.newest
            && self.starts[column] == start
            && self.point_starts.is_empty()
            && (!counter || row.before == NONE || self.masks[row.before as usize * words + word] & bit != 0);
        if !regular {
            self.put_irregular(row, column, value, start);
        } else if counter && row.before != NONE && value < self.values[self.cell_at(row.before as usize, column)] {
            self.fell(column, row.time);
        }
        Ok(())
    }

    fn fell(&mut self, column: usize, time: Nanos) {
        self.falls[column] = self.falls[column].max(time);
        let c = &mut self.columns[column];
        c.falls = (c.falls + 1).min(RESTLESS);
        self.restless |= c.falls == RESTLESS && !c.run;
    }

    /// Gives the counters that keep falling a run.
    #[inline]
    pub fn settle(&mut self) {
        if self.restless {
            self.settle_restless();
        }
    }

    #[inline(never)]
    fn settle_restless(&mut self) {
        self.restless = false;
        for c in &mut self.columns {
            c.run |= c.falls == RESTLESS;
        }
        self.reshape(self.capacity as usize, 0, self.words as usize);
    }

    fn is_full(&self, index: usize) -> bool {
        let words = self.words as usize;
        self.masks[index * words..(index + 1) * words] == self.full[..]
    }

    /// What is rare at a point already in its cell: another start time, an order of arrival that is not the order of time,
    /// a missing point before it.
    #[inline(never)]
    fn put_irregular(&mut self, row: Row, column: usize, value: f64, start: Nanos) {
        if !self.point_starts.is_empty() {
            let cell = self.cell_at(row.index as usize, column);
            self.point_starts[cell] = start;
        }
        let own = points_until(self.len(), row.time, |r| self.time(r)) - 1;
        let later = (own + 1..self.len()).find(|&r| self.has(r, column));
        if later.is_none() && self.starts[column] != start {
            let delta = self.columns[column].kind.keeps_starts();
            self.columns[column].several_writers |= start != 0 && start < self.starts[column] && !delta;
            self.starts[column] = start;
        }
        self.columns[column].negative_delta |=
            value < 0.0 && self.columns[column].kind == NumberKind::Delta { monotonic: true };
        if self.columns[column].kind == NumberKind::Counter {
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
        (0..self.columns.len()).all(|column| {
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
        if self.ragged == 0 || self.len() <= 2 * INTERVAL_POINTS || self.columns.len() == 1 {
            return Vec::new();
        }
        (0..self.columns.len()).filter(|&column| self.points_of(column) * 2 < self.len()).collect()
    }

    /// A block with only the wanted columns, in their order, and only the rows in which one of them has a point.
    pub fn extract(&self, wanted: &[usize]) -> Block {
        let mut part = Block::default();
        for &column in wanted {
            let old = self.columns[column];
            let new = part.add_column(old.series, old.plan, old.kind, self.longest, old.run);
            part.columns[new] = old;
            (part.starts[new], part.falls[new]) = (self.starts[column], self.falls[column]);
        }
        part.shortest = self.shortest;
        let rows: Vec<usize> = (0..self.len()).filter(|&r| wanted.iter().any(|&c| self.has(r, c))).collect();
        part.reshape(rows.len() + 1, part.stride as usize, part.words as usize);
        for (to, &row) in rows.iter().enumerate() {
            part.make_row(to, self.time(row));
            for (new, &column) in wanted.iter().enumerate().filter(|&(_, &c)| self.has(row, c)) {
                let cell = part.cell(to, new);
                part.masks[to * part.words as usize + new / 64] |= 1 << (new % 64);
                part.values[cell] = self.value(row, column);
                if !part.point_starts.is_empty() && !self.point_starts.is_empty() {
                    part.point_starts[cell] = self.start(row, column);
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
        let words = self.words as usize;
        self.times[to] = self.times[from];
        self.masks.copy_within(from * words..(from + 1) * words, to * words);
        for column in 0..self.columns.len() {
            let (from, to) = (self.cell_at(from, column), self.cell_at(to, column));
            self.values[to] = self.values[from];
            if !self.point_starts.is_empty() {
                self.point_starts[to] = self.point_starts[from];
            }
        }
    }

    /// More rows: after the first few at once as many as the longest window will hold at the pace seen so far, so that
    /// blocks of a fleet do not leave a trail of outgrown memory behind.
    fn grow(&mut self) {
        let mut rows = self.capacity as usize + (self.capacity as usize / 4).max(4);
        if self.len >= 4 {
            let pace = (self.time(self.len() - 1) - self.time(self.len() - 4)) / 3;
            let expected = ((self.longest / pace.max(1)).min(8192) as usize + 3).max(INTERVAL_POINTS + 2);
            rows = rows.max(expected.min(self.capacity as usize * 32));
        }
        self.reshape(rows, self.stride as usize, self.words as usize);
    }

    /// Lays the block out anew: this many rows, at least this many cells in a row, every column where it belongs.
    fn reshape(&mut self, rows: usize, stride: usize, words: usize) {
        let mut new = Block { columns: std::mem::take(&mut self.columns), ..Block::default() };
        for c in &new.columns {
            let number = if c.run { &mut new.runs } else { &mut new.row_cells };
            new.slots.push(*number | if c.run { RUN } else { 0 });
            *number += 1;
        }
        new.stride = (stride as u32).max(new.row_cells);
        (new.words, new.capacity, new.len) = (words as u32, rows as u32, self.len);
        let cells = rows * (new.stride + new.runs) as usize;
        new.values = vec![0.0; cells];
        new.point_starts = vec![0; if self.point_starts.is_empty() { 0 } else { cells.max(1) }];
        (new.times, new.masks) = (vec![0; rows], vec![0; rows * words]);
        let old_words = self.words as usize;
        for row in 0..self.len() {
            let from = self.physical(row);
            new.times[row] = self.times[from];
            new.masks[row * words..][..old_words].copy_from_slice(&self.masks[from * old_words..][..old_words]);
            for column in (0..new.columns.len()).filter(|&c| self.words > 0 && self.has(row, c)) {
                let (from, to) = (self.cell_at(from, column), new.cell_at(row, column));
                new.values[to] = self.values[from];
                if !new.point_starts.is_empty() {
                    new.point_starts[to] = self.point_starts[from];
                }
            }
        }
        (new.starts, new.falls) = (std::mem::take(&mut self.starts), std::mem::take(&mut self.falls));
        (new.counters, new.full) = (std::mem::take(&mut self.counters), std::mem::take(&mut self.full));
        (new.longest, new.shortest, new.ragged) = (self.longest, self.shortest, self.ragged);
        *self = new;
    }
}
