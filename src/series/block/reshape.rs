//! How a block is laid out anew: more rows, more columns, other things kept, parts with a life of their own.

use super::super::window::INTERVAL_POINTS;
use super::{Block, MARKS, Mark, STALE};
use crate::model::Nanos;

/// How much room a block has, and what it keeps.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub rows: usize,
    pub columns: usize,
    pub keeps_masks: bool,
    pub keeps_starts: bool,
}

impl Block {
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
            let new = part.add_column(self.series(column), self.plan(column), self.kind(column), self.longest);
            for mark in [Mark::SeveralWriters, Mark::NegativeDelta, Mark::Fell] {
                if self.is_marked(mark, column) {
                    part.mark(mark, new);
                }
            }
            let (from, to) = (self.newest_starts_at() + column, part.newest_starts_at() + new);
            part.data[to] = self.data[from];
        }
        part.shortest = self.shortest;
        let rows: Vec<usize> = (0..self.len()).filter(|&r| wanted.iter().any(|&c| self.has(r, c))).collect();
        let shape = Shape { rows: rows.len() + 1, keeps_masks: true, ..part.shape() };
        part.reshape(shape);
        for &row in &rows {
            part.make_newest_row(self.time(row));
            let to = part.physical(part.len() - 1);
            for (new, &column) in wanted.iter().enumerate().filter(|&(_, &c)| self.has(row, c)) {
                let (mask, cell) = (part.masks_at() + to * part.words as usize + new / 64, part.cell_at(to, new));
                part.data[mask] |= 1 << (new % 64);
                let values_at = part.values_at as usize;
                part.data[values_at + cell] = self.value(row, column).to_bits();
                if part.keeps_starts {
                    let starts_at = part.point_starts_at();
                    part.data[starts_at + cell] = self.start(row, column) as u64;
                }
            }
            if part.is_full(to) {
                part.ragged -= 1;
            }
        }
        if part.ragged == 0 {
            part.reshape(Shape { keeps_masks: false, ..part.shape() });
        }
        part
    }

    /// More rows, for one that ends at `time`: from the second on at once as many as the longest window will hold at the
    /// pace seen so far, so that blocks of a fleet do not leave a trail of outgrown memory behind.
    #[inline(never)]
    pub(super) fn grow(&mut self, time: Nanos) {
        let mut shape = self.shape();
        let few = self.capacity as usize;
        shape.rows = few + (few / 4).max(1);
        if self.len >= 1 {
            let gaps = (self.len as Nanos - Nanos::from(self.time(self.len() - 1) == time)).max(1);
            let pace = (time - self.time(0)) / gaps;
            let expected = ((self.longest / pace.max(1)).min(8192) as usize + 3).max(INTERVAL_POINTS + 2);
            shape.rows = shape.rows.max(expected.min(few * 64));
            // By now the columns are known: no room is kept for more.
            shape.columns = self.columns();
            shape.keeps_masks &= self.ragged > 0;
        }
        self.reshape(shape);
    }

    /// From now on it is kept which points every row has.
    #[inline(never)]
    pub(super) fn keep_masks(&mut self) {
        self.reshape(Shape { keeps_masks: true, ..self.shape() });
    }

    /// Copies a row onto another one, when it is kept which points rows have.
    pub(super) fn copy_row(&mut self, from: usize, to: usize) {
        let (from, to, words) = (self.physical(from), self.physical(to), self.words as usize);
        let (times, masks, room) = (self.times_at as usize, self.masks_at(), self.room as usize);
        self.data[times + to] = self.data[times + from];
        self.data.copy_within(masks + from * words..masks + (from + 1) * words, masks + to * words);
        let values = [self.values_at as usize, self.point_starts_at()];
        for values in &values[..1 + usize::from(self.keeps_starts)] {
            self.data.copy_within(values + from * room..values + (from + 1) * room, values + to * room);
        }
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            rows: self.capacity as usize,
            columns: self.room as usize,
            keeps_masks: self.keeps_masks,
            keeps_starts: self.keeps_starts,
        }
    }

    /// Lays the block out anew.
    pub(super) fn reshape(&mut self, shape: Shape) {
        let words = shape.columns.div_ceil(64);
        let cells = shape.rows * shape.columns;
        let mut new = Block {
            data: Vec::new(),
            running: std::mem::take(&mut self.running),
            room: shape.columns as u32,
            words: words as u32,
            head: 0,
            capacity: shape.rows as u32,
            keeps_masks: shape.keeps_masks,
            keeps_starts: shape.keeps_starts,
            ..*self
        };
        new.times_at = (MARKS * words + 2 * shape.columns) as u32;
        new.values_at = new.masks_at() as u32 + if shape.keeps_masks { shape.rows * words } else { 0 } as u32;
        new.data = vec![0; new.values_at as usize + cells * if shape.keeps_starts { 2 } else { 1 }];
        let columns = self.columns();
        new.data[..columns].copy_from_slice(&self.data[..columns]);
        for mark in 0..MARKS {
            for word in 0..self.words as usize {
                new.data[shape.columns + mark * words + word] =
                    self.data[self.room as usize + mark * self.words as usize + word];
            }
        }
        let (from, to) = (self.newest_starts_at(), new.newest_starts_at());
        new.data[to..to + columns].copy_from_slice(&self.data[from..from + columns]);
        for row in 0..self.len() {
            let from = self.physical(row);
            new.data[new.times_at as usize + row] = self.time(row) as u64;
            if let Some(to) = new.mask_at(row) {
                let own = self.mask_at(from).unwrap_or(self.word_of(Mark::Column, 0));
                for word in 0..self.words as usize {
                    new.data[to + word] = self.data[own + word];
                }
            }
            let parts =
                [(self.values_at as usize, new.values_at as usize), (self.point_starts_at(), new.point_starts_at())];
            for (old, to) in &parts[..1 + usize::from(self.keeps_starts)] {
                let (old, to) = (old + self.cell_at(from, 0), to + new.cell_at(row, 0));
                new.data[to..to + columns].copy_from_slice(&self.data[old..old + columns]);
            }
        }
        *self = new;
    }
}
