//! The public face of the room: samples in, windows out.
//!
//! An export is read with an [`ExportCursor`]: [`SeriesIndex::begin`], then for each metric [`SeriesIndex::metric`] and for
//! each point [`SeriesIndex::find`] and [`SeriesStore::put`], at last [`SeriesStore::end`]. An export of the same shape as the
//! resource's last one goes in whole by [`SeriesStore::put_row`].

use super::index::location::{KeyId, Location, ResourceId, SeriesId};
use super::index::renumbering::Renumbering;
use super::index::series_index::{
    ExportCursor, ExportedPoint, LastExport, NO_COLUMN, SeriesIndex, StoredResource, UNREADABLE,
};
use super::store::block::NotKept;
use super::store::sample_store::SampleStore;
use super::store::table::Mark;
use super::window::aggregate::SeriesPoints;
use super::window::block_windows::BlockWindows;
use super::window::frame::{RuleResult, emit_one};
use super::window::histogram::HistogramChain;
use super::window::subscription::{SubscribedRequest, Subscription, Subscriptions};
use crate::model::{Attributes, Kind, MetricIdentity, Nanos, PointSpan, PointValue, Sample, SampleValue};
use std::sync::Arc;

/// All series and their kept samples.
#[derive(Debug, Default)]
pub struct SeriesStore {
    index: SeriesIndex,
    samples: SampleStore,
    subscriptions: Subscriptions,
    windows: BlockWindows,
}

/// What is older than this is silent.
#[derive(Clone, Copy, Debug)]
pub struct EvictionHorizon {
    /// Points up to here are old.
    pub before: Nanos,
    /// So are exports of eviction periods up to here.
    pub period: u32,
}

/// The new numbers of what stays.
#[derive(Debug)]
pub struct Renumbered {
    /// Of series.
    pub series: Renumbering,
    /// Of resources.
    pub resources: Renumbering,
    /// Of pairs of metric and attributes.
    pub keys: Renumbering,
}

impl SeriesStore {
    /// An empty store that keeps at most `limit` points of a series.
    pub fn new(limit: usize) -> Self {
        SeriesStore { samples: SampleStore { limit, ..SampleStore::default() }, ..SeriesStore::default() }
    }

    /// Adds a resource.
    pub fn add_resource(&mut self) -> ResourceId {
        self.index.resources.push(StoredResource::default());
        self.index.resources.len() as u32 - 1
    }

    /// Adds a subscription.
    pub fn add_subscription(&mut self, subscription: Subscription) -> u32 {
        self.subscriptions.all.push(subscription);
        self.subscriptions.all.len() as u32 - 1
    }

    /// Puts a whole export that has the shape of the resource's last one, when each kept series of the resource has a sample in
    /// it. All values must be finite numbers, and `time` is the time of all of them. Tells whether it was put; if not, nothing
    /// has changed.
    #[inline]
    pub fn put_row(&mut self, resource: ResourceId, shape: u64, points: &[PointSpan], time: Nanos, now: Nanos) -> bool {
        let StoredResource { last, block: Some(block), .. } = &self.index.resources[resource as usize] else {
            return false;
        };
        let block = &mut self.samples.blocks[*block as usize];
        let fits = shape != 0 && last.shape == shape && last.fills_row == Some(block.table.columns() as u32);
        if !fits || points.len() != last.points.len() || !block.takes_row(time, now, self.samples.limit) {
            return false;
        }
        let samples = points.iter().zip(&last.points).filter_map(|(point, &ExportedPoint { column, .. })| {
            let PointValue::Number(value) = point.value else { return None };
            (column != NO_COLUMN).then_some((column as usize, Sample { time, start: point.start, value }))
        });
        block.put_row(time, now, samples);
        self.index.note_export(resource);
        true
    }

    /// Of an export put by [`SeriesStore::put_row`] the `n`th point whose sample is forwarded: its position and series.
    #[inline]
    pub fn forwarded(&self, resource: ResourceId, n: usize) -> Option<(usize, SeriesId)> {
        let last = &self.index.resources[resource as usize].last;
        last.forwarded.get(n).map(|&position| (position as usize, last.points[position as usize].series))
    }

    /// The index, to read an export with.
    #[inline]
    pub fn index(&mut self) -> &mut SeriesIndex {
        &mut self.index
    }

    /// Adds the series that [`SeriesIndex::find`] has just called new. Without a subscription nothing of it is kept.
    pub fn add_series(&mut self, cursor: &mut ExportCursor, key: KeyId, subscription: Option<u32>) -> SeriesId {
        let id = self.index.series.len() as u32;
        self.samples.close(&mut cursor.row);
        let location = match subscription.map(|number| (number, &self.subscriptions.all[number as usize])) {
            None => Location::Nowhere,
            Some((subscription, wanted)) if wanted.requests.is_empty() => Location::Forwarded { subscription },
            Some((subscription, wanted)) => {
                let of = &mut self.index.resources[cursor.resource as usize];
                let metric = self.index.keys.metric_of(key);
                self.samples.add_series(id, of, metric, (subscription, wanted.longest()))
            }
        };
        self.index.add_series(cursor.resource, key, location)
    }

    /// Keeps a sample.
    #[inline]
    pub fn put(
        &mut self,
        cursor: &mut ExportCursor,
        series: SeriesId,
        Sample { time, start, value }: Sample<SampleValue>,
        now: Nanos,
    ) -> Result<(), NotKept> {
        match (self.index.series[series as usize].location(), value) {
            (Location::Column { block, column }, SampleValue::Number(value)) => {
                self.samples.put_number(&mut cursor.row, (block, column), Sample { time, start, value }, now)
            }
            (Location::Histogram(number), SampleValue::Histogram(value)) => {
                let (series, limit) = (&mut self.samples.histograms[number as usize], self.samples.limit);
                series.put(Sample { time, start, value: *value }, now, limit)
            }
            _ => Ok(()),
        }
    }

    /// Ends the reading of an export. `shape` is its shape when every point of it was read, 0 when not.
    #[inline]
    pub fn end(&mut self, mut cursor: ExportCursor, shape: u64) {
        self.samples.close(&mut cursor.row);
        let ExportCursor { resource, mut last, position, .. } = cursor;
        let is_new = last.shape != shape;
        last.shape = shape;
        if shape != 0 {
            last.points.truncate(position);
        }
        self.index.resources[resource as usize].last = last;
        if is_new {
            self.find_columns(resource);
        }
        self.split_sparse(resource);
    }

    /// Finds out where the points of exports like the last one go.
    #[inline(never)]
    fn find_columns(&mut self, resource: ResourceId) {
        let of = &mut self.index.resources[resource as usize];
        let LastExport { shape, fills_row, points, forwarded } = &mut of.last;
        (*fills_row, *forwarded) = (None, Vec::new());
        // Most resources send the same from now on.
        points.shrink_to_fit();
        of.series.shrink_to_fit();
        let columns = of.block.map_or(0, |block| self.samples.blocks[block as usize].table.columns());
        let mut is_filled = vec![false; columns];
        for (point, position) in points.iter_mut().zip(0..) {
            let Some(series) = self.index.series.get(point.series as usize) else { return };
            let (subscription, own) = match series.location() {
                Location::Nowhere => (None, None),
                Location::Forwarded { subscription } => (Some(subscription), None),
                Location::Column { block, column } if of.block == Some(block) => {
                    let table = &self.samples.blocks[block as usize].table;
                    (Some(table.subscription(column as usize)), Some(column))
                }
                Location::Column { .. } | Location::Histogram(_) => return,
            };
            point.column = own.unwrap_or(NO_COLUMN);
            if subscription.is_some_and(|number| self.subscriptions.all[number as usize].forwards) {
                forwarded.push(position);
            }
            if own.is_some_and(|column| std::mem::replace(&mut is_filled[column as usize], true)) {
                return;
            }
        }
        if *shape != 0 && is_filled.iter().all(|filled| *filled) {
            *fills_row = Some(columns as u32);
        }
    }

    /// Gives series that do not come with the others of their block blocks of their own.
    #[inline]
    fn split_sparse(&mut self, resource: ResourceId) {
        let of = &mut self.index.resources[resource as usize];
        let changed = self.samples.split_sparse(of);
        if !changed.is_empty() {
            // What it says of columns no longer holds; it is learned anew.
            of.last = LastExport::default();
        }
        for number in changed {
            let table = &self.samples.blocks[number as usize].table;
            for column in 0..table.columns() {
                let location = Location::Column { block: number, column: column as u32 };
                self.index.series[table.series(column) as usize].move_to(location);
            }
        }
    }

    /// Evaluates the subscriptions of all series of a resource. `emit` gets the results, several series at once where they have
    /// a window in common.
    #[inline]
    pub fn evaluate_resource(&mut self, resource: ResourceId, at: Nanos, emit: &mut impl FnMut(&RuleResult<'_>)) {
        let of = &self.index.resources[resource as usize];
        for &number in of.block.iter().chain(&of.sparse_blocks) {
            let block = &mut self.samples.blocks[number as usize];
            let rules = self.subscriptions.rules_of(block);
            self.windows.evaluate(block, rules, at, emit);
        }
        for &number in &of.histograms {
            let series = &self.samples.histograms[number as usize];
            let chain = HistogramChain::of_series(series);
            for SubscribedRequest { rule, request } in &self.subscriptions.all[series.subscription as usize].requests {
                emit_one(*rule, series.series, chain.evaluate(at, request), emit);
            }
        }
    }

    /// Evaluates several series of one metric as one, for a rule; the first of them stands for all.
    pub fn evaluate_merged(
        &self,
        members: &[SeriesId],
        at: Nanos,
        SubscribedRequest { rule, request }: &SubscribedRequest,
        emit: &mut impl FnMut(&RuleResult<'_>),
    ) {
        let (mut numbers, mut histograms) = (Vec::new(), Vec::new());
        for &member in members {
            match self.index.series[member as usize].location() {
                Location::Nowhere | Location::Forwarded { .. } => {}
                Location::Column { block, column } => {
                    numbers.push((&self.samples.blocks[block as usize], column as usize));
                }
                Location::Histogram(number) => histograms.push(&self.samples.histograms[number as usize]),
            }
        }
        let result = if histograms.is_empty() {
            let (points, kind) = SeriesPoints::merged(&numbers, self.metric_of(members[0]).kind == Kind::Gauge);
            points.evaluate(at, request, kind)
        } else {
            HistogramChain::merged(&histograms).evaluate(at, request)
        };
        emit_one(*rule, members[0], result, emit);
    }

    /// A new eviction period begins.
    pub fn begin_period(&mut self, period: u32) {
        self.index.begin_period(period);
    }

    /// Of every series whether it was silent since the horizon.
    pub fn silent(&self, horizon: EvictionHorizon) -> Vec<bool> {
        let is_silent = |series: SeriesId| {
            let of = &self.index.series[series as usize];
            if of.location() == Location::Nowhere {
                return of.seen_in() <= horizon.period;
            }
            let exported_in = self.index.resources[of.resource as usize].exported_in;
            let newest = self.samples.newest(of.location());
            newest.map_or(exported_in <= horizon.period, |newest| newest <= horizon.before)
        };
        self.series_ids().map(is_silent).collect()
    }

    /// Evicts these series, and resources of which no series is left. What stays is numbered anew in its old order, so that
    /// "first seen first" holds, and nothing is left behind: no rows of a block, no names that only they had.
    pub fn evict(&mut self, gone: &[bool]) -> Renumbered {
        let series = Renumbering::of(gone.iter().map(|gone| !gone));
        let has_series = |of: &StoredResource| of.series.iter().any(|&id| !gone[id as usize]);
        let resources = Renumbering::of(self.index.resources.iter().map(has_series));
        let keys = self.index.evict(gone, &series, &resources);
        self.subscriptions.clear_compiled();
        let mut kept = SampleStore { limit: self.samples.limit, ..SampleStore::default() };
        let SeriesIndex { resources: all, series: indexed, .. } = &mut self.index;
        for of in all {
            let is_whole =
                self.samples.keep(of, &series, &mut kept, |id, location| indexed[id as usize].move_to(location));
            keep_last_export(&mut of.last, &series, is_whole);
        }
        self.samples = kept;
        Renumbered { series, resources, keys }
    }

    /// How many series there are.
    pub fn count(&self) -> usize {
        self.index.series.len()
    }

    /// How many series a resource has.
    pub fn series_of(&self, resource: ResourceId) -> usize {
        self.index.resources[resource as usize].series.len()
    }

    /// All series in the order in which they were first seen.
    pub fn series_ids(&self) -> impl Iterator<Item = SeriesId> {
        0..self.index.series.len() as u32
    }

    /// The metric of a pair.
    pub fn key_metric(&self, key: KeyId) -> &Arc<MetricIdentity> {
        self.index.keys.metric_of(key)
    }

    /// The attributes of a pair.
    pub fn key_attributes(&self, key: KeyId) -> &Arc<Attributes> {
        self.index.keys.attributes_of(key)
    }

    /// The metric of a series.
    pub fn metric_of(&self, series: SeriesId) -> &Arc<MetricIdentity> {
        self.key_metric(self.index.series[series as usize].key)
    }

    /// The data-point attributes of a series.
    pub fn attributes_of(&self, series: SeriesId) -> &Arc<Attributes> {
        self.key_attributes(self.index.series[series as usize].key)
    }

    /// The resource of a series.
    pub fn resource_of(&self, series: SeriesId) -> ResourceId {
        self.index.series[series as usize].resource
    }

    /// A subscription.
    #[inline]
    pub fn subscription(&self, number: u32) -> &Subscription {
        &self.subscriptions.all[number as usize]
    }

    /// The subscription of a series; `None` when no rule selects it.
    #[inline]
    pub fn subscription_of(&self, series: SeriesId) -> Option<u32> {
        Some(match self.index.series[series as usize].location() {
            Location::Nowhere => return None,
            Location::Forwarded { subscription } => subscription,
            Location::Column { block, column } => {
                self.samples.blocks[block as usize].table.subscription(column as usize)
            }
            Location::Histogram(number) => self.samples.histograms[number as usize].subscription,
        })
    }

    /// Whether a monotonic delta sum sent a negative delta.
    pub fn has_negative_delta(&self, series: SeriesId) -> bool {
        let Location::Column { block, column } = self.index.series[series as usize].location() else { return false };
        self.samples.blocks[block as usize].table.is_marked(Mark::NegativeDelta, column as usize)
    }

    /// Whether several processes write a series: its start times go back and forth.
    pub fn has_several_writers(&self, series: SeriesId) -> bool {
        match self.index.series[series as usize].location() {
            Location::Nowhere | Location::Forwarded { .. } => false,
            Location::Histogram(number) => self.samples.histograms[number as usize].has_several_writers,
            Location::Column { block, column } => {
                self.samples.blocks[block as usize].table.is_marked(Mark::SeveralWriters, column as usize)
            }
        }
    }
}

/// The last export stays known when all of its series stay, and stay in their columns.
fn keep_last_export(last: &mut LastExport, series: &Renumbering, mut stays: bool) {
    for point in last.points.iter_mut().filter(|point| point.series != UNREADABLE) {
        match series.get(point.series) {
            Some(id) => point.series = id,
            None => stays = false,
        }
    }
    if !stays {
        *last = LastExport::default();
    }
}
