//! The kept points of the number series that report together: rows are times, columns are series.
//!
//! One row serves all series of a report, so a point costs eight bytes and a bit. Rows form a ring in the order of time.
//! Invariant: a cell's bit in the row's mask says whether the series has a point at that time; `holes` of a column counts
//! the rows without one, so a column with no holes is read by row number alone.
//! Kept of every series, whatever their age: its newest 16 points up to `at` and the newest point up to `at - W`. More may
//! be kept; nothing that is computed depends on it.

use super::window::INTERVAL_POINTS;
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
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Number of the series.
    pub series: u32,
    /// What the engine judges it by.
    pub plan: u32,
    /// First cell of the column in a row; a delta series has a second one for its start times.
    slot: u32,
    /// Rows without a point of the series.
    holes: u32,
    pub kind: NumberKind,
    /// Two start times alternate: several processes write this series.
    pub several_writers: bool,
    /// No kept point later than this is lower than the one before it (of counters).
    newest_fall: Nanos,
    /// Start time of the newest point.
    start: Nanos,
}

/// A row found or made for the points of one report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    time: Nanos,
    index: usize,
}

/// See the module's own words.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub columns: Vec<Column>,
    /// Longest window of a rule on one of the columns.
    pub longest: Nanos,
    times: Vec<Nanos>,
    masks: Vec<u64>,
    values: Vec<f64>,
    /// Cells of a row that are in use, and that are reserved.
    width: usize,
    stride: usize,
    /// Mask words of a row.
    words: usize,
    /// Physical row of the oldest time; rows in use; rows reserved.
    head: usize,
    len: usize,
    capacity: usize,
    /// Sum of the columns' holes.
    holes: u64,
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
        self.len
    }

    #[inline]
    fn physical(&self, row: usize) -> usize {
        let i = self.head + row;
        if i >= self.capacity { i - self.capacity } else { i }
    }

    /// Time of a row.
    #[inline]
    pub fn time(&self, row: usize) -> Nanos {
        self.times[self.physical(row)]
    }

    /// Whether every row has a point of the column.
    #[inline]
    pub fn is_dense(&self, column: usize) -> bool {
        self.columns[column].holes == 0
    }

    #[inline]
    pub fn has(&self, row: usize, column: usize) -> bool {
        self.masks[self.physical(row) * self.words + column / 64] >> (column % 64) & 1 == 1
    }

    #[inline]
    pub fn value(&self, row: usize, column: usize) -> f64 {
        self.values[self.physical(row) * self.stride + self.columns[column].slot as usize]
    }

    /// Start time of a delta point.
    pub fn start(&self, row: usize, column: usize) -> Nanos {
        let cell = self.physical(row) * self.stride + self.columns[column].slot as usize + 1;
        self.values[cell].to_bits() as Nanos
    }

    /// Whether a counter may have fallen at a point later than `after`.
    #[inline]
    pub fn may_fall_after(&self, column: usize, after: Nanos) -> bool {
        self.columns[column].newest_fall > after
    }

    /// Adds a column without points.
    pub fn add_column(&mut self, series: u32, plan: u32, kind: NumberKind) -> usize {
        let cells = 1 + usize::from(kind.keeps_starts());
        let column = self.columns.len();
        let slot = self.width;
        self.width += cells;
        let words = (column + 1).div_ceil(64);
        if self.width > self.stride || words > self.words {
            let stride = if self.capacity == 0 { self.width } else { self.width + self.width / 8 };
            self.reshape(self.capacity, stride.max(self.stride), words);
        }
        self.holes += self.len as u64;
        self.columns.push(Column {
            series,
            plan,
            slot: slot as u32,
            holes: self.len as u32,
            kind,
            several_writers: false,
            newest_fall: Nanos::MIN,
            start: 0,
        });
        column
    }

    /// Finds or makes the row of a time. `at` is the engine's time: what is older than anybody needs makes room.
    #[inline]
    pub fn row(&mut self, time: Nanos, at: Nanos) -> Row {
        if self.len > 0 {
            let index = self.physical(self.len - 1);
            if self.times[index] == time {
                return Row { time, index };
            }
        }
        self.other_row(time, at)
    }

    fn other_row(&mut self, time: Nanos, at: Nanos) -> Row {
        let row = super::window::points_until(self.len, time, |r| self.time(r));
        if row > 0 && self.time(row - 1) == time {
            return Row { time, index: self.physical(row - 1) };
        }
        let removed = if row == self.len { self.make_room(at) } else { 0 };
        let row = row - removed;
        if self.len == self.capacity {
            self.grow();
        }
        self.len += 1;
        for later in (row + 1..self.len).rev() {
            self.copy_row(later - 1, later);
        }
        let index = self.physical(row);
        self.times[index] = time;
        self.masks[index * self.words..(index + 1) * self.words].fill(0);
        for column in &mut self.columns {
            column.holes += 1;
        }
        self.holes += self.columns.len() as u64;
        Row { time, index }
    }

    /// Puts a point into its cell.
    #[inline]
    pub fn put(&mut self, row: Row, column: usize, value: f64, start: Nanos, limit: usize) -> Result<(), Refused> {
        let word = row.index * self.words + column / 64;
        let bit = 1 << (column % 64);
        if self.masks[word] & bit != 0 {
            return Err(Refused::Duplicate);
        }
        if self.len > limit && self.points_of(column) >= limit {
            return Err(Refused::TooDense);
        }
        let c = &mut self.columns[column];
        let slot = c.slot as usize;
        self.masks[word] |= bit;
        c.holes -= 1;
        self.holes -= 1;
        self.values[row.index * self.stride + slot] = value;
        let newest = self.len > 0 && self.times[self.physical(self.len - 1)] == row.time;
        if !newest {
            self.put_between(row, column, value);
        } else {
            let before = if row.index == 0 { self.capacity - 1 } else { row.index - 1 };
            let c = &mut self.columns[column];
            if start != c.start {
                c.several_writers |= start < c.start && start != 0;
                c.start = start;
            }
            if c.kind == NumberKind::Counter && self.len > 1 {
                if c.holes == 0 {
                    if value < self.values[before * self.stride + slot] {
                        c.newest_fall = row.time;
                    }
                } else {
                    self.note_fall_at(self.len - 1, column);
                }
            }
        }
        if self.columns[column].kind.keeps_starts() {
            self.values[row.index * self.stride + slot + 1] = f64::from_bits(start as u64);
        }
        Ok(())
    }

    /// A point came out of order: whether it fell, and whether the one after it now does, is looked up.
    fn put_between(&mut self, row: Row, column: usize, _value: f64) {
        if self.columns[column].kind != NumberKind::Counter {
            return;
        }
        let at = super::window::points_until(self.len, row.time, |r| self.time(r)) - 1;
        self.note_fall_at(at, column);
        if let Some(next) = (at + 1..self.len).find(|&r| self.has(r, column)) {
            self.note_fall_at(next, column);
        }
    }

    fn note_fall_at(&mut self, row: usize, column: usize) {
        let Some(before) = (0..row).rev().find(|&r| self.has(r, column)) else { return };
        if self.value(row, column) < self.value(before, column) {
            let fall = self.time(row);
            let c = &mut self.columns[column];
            c.newest_fall = c.newest_fall.max(fall);
        }
    }

    /// Number of kept points of a column.
    pub fn points_of(&self, column: usize) -> usize {
        self.len - self.columns[column].holes as usize
    }

    /// Removes the oldest rows that no series needs any more; returns how many.
    fn make_room(&mut self, at: Nanos) -> usize {
        let mut removed = 0;
        while self.len > INTERVAL_POINTS
            && self.time(1) <= at - self.longest
            && self.time(INTERVAL_POINTS) <= at
            && (self.holes == 0 || self.oldest_row_is_unneeded(at))
        {
            self.drop_oldest();
            removed += 1;
        }
        removed
    }

    /// With holes, every column that has a point in the oldest row must have enough newer ones.
    fn oldest_row_is_unneeded(&self, at: Nanos) -> bool {
        (0..self.columns.len()).all(|column| {
            if !self.has(0, column) {
                return true;
            }
            let mut later = (1..self.len).filter(|&r| self.has(r, column)).map(|r| self.time(r));
            later.next().is_some_and(|t| t <= at - self.longest)
                && later.take_while(|&t| t <= at).count() + 1 >= INTERVAL_POINTS
        })
    }

    fn drop_oldest(&mut self) {
        if self.holes > 0 {
            for column in 0..self.columns.len() {
                if !self.has(0, column) {
                    self.columns[column].holes -= 1;
                    self.holes -= 1;
                }
            }
        }
        self.head = self.physical(1);
        self.len -= 1;
    }

    /// The columns whose holes are why rows cannot be given back, when that has become a waste.
    pub fn laggards(&self) -> Vec<usize> {
        if self.holes == 0 || self.len <= 2 * INTERVAL_POINTS || self.columns.len() == 1 {
            return Vec::new();
        }
        (0..self.columns.len()).filter(|&c| self.columns[c].holes as usize * 2 > self.len).collect()
    }

    /// A block with only the wanted columns, in their order, and only the rows in which one of them has a point.
    pub fn extract(&self, wanted: &[usize]) -> Block {
        let mut part = Block { longest: self.longest, ..Block::default() };
        for &column in wanted {
            let old = &self.columns[column];
            part.add_column(old.series, old.plan, old.kind);
        }
        let rows: Vec<usize> = (0..self.len).filter(|&r| wanted.iter().any(|&c| self.has(r, c))).collect();
        part.reshape(rows.len() + 1, part.width, part.words);
        part.len = rows.len();
        for (to, &row) in rows.iter().enumerate() {
            part.times[to] = self.time(row);
            for (new, &column) in wanted.iter().enumerate().filter(|&(_, &c)| self.has(row, c)) {
                let cell = to * part.stride + part.columns[new].slot as usize;
                part.masks[to * part.words + new / 64] |= 1 << (new % 64);
                part.values[cell] = self.value(row, column);
                if part.columns[new].kind.keeps_starts() {
                    part.values[cell + 1] = f64::from_bits(self.start(row, column) as u64);
                }
            }
        }
        for (new, &column) in wanted.iter().enumerate() {
            let holes = rows.iter().filter(|&&r| !self.has(r, column)).count();
            let slot = part.columns[new].slot;
            part.columns[new] = Column { slot, holes: holes as u32, ..self.columns[column].clone() };
            part.holes += holes as u64;
        }
        part
    }

    fn copy_row(&mut self, from: usize, to: usize) {
        let (from, to) = (self.physical(from), self.physical(to));
        self.times[to] = self.times[from];
        self.masks.copy_within(from * self.words..(from + 1) * self.words, to * self.words);
        self.values.copy_within(from * self.stride..(from + 1) * self.stride, to * self.stride);
    }

    /// More rows: after the first few at once as many as the longest window will hold at the pace seen so far, so that
    /// blocks of a fleet do not leave a trail of outgrown memory behind.
    fn grow(&mut self) {
        let mut rows = self.capacity + (self.capacity / 4).max(4);
        if self.len >= 4 {
            let pace = (self.time(self.len - 1) - self.time(self.len - 4)).max(1) / 3;
            let expected = (self.longest / pace.max(1)) as usize + 3;
            rows = rows.max(expected.min(self.capacity * 32).min(8192));
        }
        self.reshape(rows, self.stride, self.words);
    }

    fn reshape(&mut self, rows: usize, stride: usize, words: usize) {
        let mut times = vec![0; rows];
        let mut masks = vec![0; rows * words];
        let mut values = vec![0.0; rows * stride];
        for row in 0..self.len {
            let from = self.physical(row);
            times[row] = self.times[from];
            masks[row * words..row * words + self.words]
                .copy_from_slice(&self.masks[from * self.words..(from + 1) * self.words]);
            values[row * stride..row * stride + self.stride]
                .copy_from_slice(&self.values[from * self.stride..(from + 1) * self.stride]);
        }
        (self.times, self.masks, self.values) = (times, masks, values);
        (self.stride, self.words, self.capacity, self.head) = (stride, words, rows, 0);
    }
}
