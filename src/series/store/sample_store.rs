//! All kept samples, by the location of their series.

use super::block::{Block, NotKept, NumberKind, OpenRow};
use super::histograms::HistogramSeries;
use crate::model::{MetricIdentity, Nanos, Sample};
use crate::series::index::location::{Location, SeriesId};
use crate::series::index::renumbering::Renumbering;
use crate::series::index::series_index::StoredResource;

/// Blocks and histogram series by their numbers.
#[derive(Debug, Default)]
pub struct SampleStore {
    pub blocks: Vec<Block>,
    pub histograms: Vec<HistogramSeries>,
    /// At most so many points are kept of a series.
    pub limit: usize,
}

impl SampleStore {
    /// Makes room for the samples of a new series of a resource.
    pub fn add_series(
        &mut self,
        id: SeriesId,
        of: &mut StoredResource,
        metric: &MetricIdentity,
        (subscription, longest): (u32, Nanos),
    ) -> Location {
        if metric.kind.is_histogram() {
            let number = self.histograms.len() as u32;
            self.histograms.push(HistogramSeries::new(id, subscription, metric.temporality, longest));
            of.histograms.push(number);
            return Location::Histogram(number);
        }
        let block = *of.block.get_or_insert_with(|| {
            self.blocks.push(Block::default());
            self.blocks.len() as u32 - 1
        });
        let kind = NumberKind::of(metric);
        let column = self.blocks[block as usize].add_column(id, subscription, kind, longest) as u32;
        Location::Column { block, column }
    }

    /// Keeps a sample of a number series. `row` is the open row of the export, which is closed when another one is needed.
    #[inline]
    pub fn put_number(
        &mut self,
        row: &mut Option<(u32, OpenRow)>,
        (block, column): (u32, u32),
        sample: Sample,
        now: Nanos,
    ) -> Result<(), NotKept> {
        let open = match *row {
            Some((number, open)) if number == block && open.time == sample.time => open,
            _ => {
                self.close(row);
                let open = self.blocks[block as usize].open(sample.time, now, self.limit);
                *row = Some((block, open));
                open
            }
        };
        self.blocks[block as usize].put(open, column as usize, sample, self.limit)
    }

    /// The samples of a row are in, or the rows of its block are about to change.
    #[inline]
    pub fn close(&mut self, row: &mut Option<(u32, OpenRow)>) {
        if let Some((block, open)) = row.take() {
            self.blocks[block as usize].close(open);
        }
    }

    /// Gives the series of a resource that do not come with the others of its block blocks of their own. Tells the blocks
    /// whose columns are others now; mostly there are none.
    pub fn split_sparse(&mut self, of: &mut StoredResource) -> Vec<u32> {
        let Some(number) = of.block else { return Vec::new() };
        let block = &mut self.blocks[number as usize];
        if block.is_even() || !block.table.len().is_multiple_of(16) {
            return Vec::new();
        }
        let sparse = block.sparse_columns();
        if sparse.is_empty() {
            return Vec::new();
        }
        let old = std::mem::take(block);
        let others: Vec<usize> = (0..old.table.columns()).filter(|column| !sparse.contains(column)).collect();
        self.blocks[number as usize] = old.extract(&others);
        let first = self.blocks.len() as u32;
        self.blocks.extend(sparse.iter().map(|&column| old.extract(&[column])));
        let new = first..self.blocks.len() as u32;
        of.sparse_blocks.extend(new.clone());
        std::iter::once(number).chain(new).collect()
    }

    /// Time of the newest point at a location.
    pub fn newest(&self, location: Location) -> Option<Nanos> {
        match location {
            Location::Nowhere | Location::Forwarded { .. } => None,
            Location::Column { block, column } => self.blocks[block as usize].newest_of(column as usize),
            Location::Histogram(number) => self.histograms[number as usize].points.back().map(|point| point.time),
        }
    }

    /// Keeps the samples of the series that stay: those of a resource, whose blocks and histogram series it moves to `kept`.
    /// Tells where each of them is now, and whether its block has all the columns it had.
    pub fn keep(
        &mut self,
        of: &mut StoredResource,
        series: &Renumbering,
        kept: &mut SampleStore,
        mut moved: impl FnMut(SeriesId, Location),
    ) -> bool {
        let mut is_whole = true;
        let mut keep_block = |number: u32| {
            let mut block = std::mem::take(&mut self.blocks[number as usize]);
            let columns = block.table.columns();
            let stay: Vec<usize> = (0..columns).filter(|&c| series.get(block.table.series(c)).is_some()).collect();
            is_whole &= stay.len() == columns || Some(number) != of.block;
            match stay.len() {
                0 => return None,
                n if n < columns => block = block.extract(&stay),
                _ => {}
            }
            block.compiled = None;
            let number = kept.blocks.len() as u32;
            for column in 0..stay.len() {
                let Some(id) = series.get(block.table.series(column)) else { continue };
                block.table.set_series(column, id);
                moved(id, Location::Column { block: number, column: column as u32 });
            }
            kept.blocks.push(block);
            Some(number)
        };
        let own = of.block.and_then(&mut keep_block);
        of.sparse_blocks = std::mem::take(&mut of.sparse_blocks).into_iter().filter_map(keep_block).collect();
        of.block = own;
        let keep_histogram = |number: u32| {
            let of = &mut self.histograms[number as usize];
            let id = series.get(of.series)?;
            let number = kept.histograms.len() as u32;
            kept.histograms.push(of.take(id));
            moved(id, Location::Histogram(number));
            Some(number)
        };
        of.histograms = std::mem::take(&mut of.histograms).into_iter().filter_map(keep_histogram).collect();
        is_whole
    }
}
