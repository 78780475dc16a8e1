//! The index of resources and series: from the bytes of an export to the series of its points.
//!
//! Each point of a resource's last export is remembered in order, with its series. A point of the next one is compared, byte
//! for byte, with the one at its position; only bytes that differ are looked up, and only bytes never seen are parsed. An
//! export of the same shape (see [`crate::model::ResourceSpan`]) is equal byte for byte and needs no comparison at all. When
//! there is no room for another series, known ones are found and nothing new is remembered.

use super::location::{KeyId, Location, ResourceId, SeriesId, StoredSeries};
use super::names::{NameBytes, Names, SeriesKeys};
use super::renumbering::Renumbering;
use crate::model::{Attributes, MetricIdentity};
use crate::series::store::block::OpenRow;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// A resource with more series than this has them in a hash map.
const LARGE: usize = 64;

/// What is known of a resource: its last export, and where its series are.
#[derive(Debug, Default)]
pub struct StoredResource {
    pub last: LastExport,
    /// The eviction period of its newest export.
    pub exported_in: u32,
    pub series: Vec<SeriesId>,
    /// The block of its number series, and those of sparse ones.
    pub block: Option<u32>,
    pub sparse_blocks: Vec<u32>,
    pub histograms: Vec<u32>,
}

/// A point of an export.
#[derive(Clone, Copy, Debug)]
pub struct ExportedPoint {
    /// Names of the metric and of the attribute set.
    pub metric: u32,
    pub attributes: u32,
    /// Its series; `UNREADABLE` when the attributes cannot be read.
    pub series: SeriesId,
    /// Column in the resource's block, or `NO_COLUMN`; holds while `LastExport::fills_row` does.
    pub column: u32,
}

/// The series of a point whose attributes cannot be read.
pub const UNREADABLE: SeriesId = SeriesId::MAX;
/// Nothing of the point is kept.
pub const NO_COLUMN: u32 = u32::MAX;

/// The last export of a resource.
#[derive(Debug, Default)]
pub struct LastExport {
    /// Its shape; 0 when it has none or was not read whole.
    pub shape: u64,
    /// How many columns of the resource's block it fills, when each of its points has a column of its own there or is not kept.
    pub fills_row: Option<u32>,
    pub points: Vec<ExportedPoint>,
    /// The positions of points that are forwarded, when it fills a row.
    pub forwarded: Vec<u32>,
}

/// An export while it is read.
#[derive(Debug)]
pub struct ExportCursor {
    pub resource: ResourceId,
    pub last: LastExport,
    /// Position in the last export.
    pub position: usize,
    /// Name of the metric; `None` when it was never seen and there is no room for its series.
    pub metric: Option<u32>,
    /// The row that is being filled, with its block.
    pub row: Option<(u32, OpenRow)>,
}

impl ExportCursor {
    /// The resource that sent the export.
    pub fn resource(&self) -> ResourceId {
        self.resource
    }

    /// How many points were recognised or learned.
    pub fn points(&self) -> usize {
        self.position
    }

    /// The series of the next point, when it is the one that stood at its position last time.
    #[inline(always)]
    pub fn next_as_before(&mut self, names: &Names, attributes: &[u8]) -> Option<SeriesId> {
        let point = self.last.points.get(self.position)?;
        if self.metric != Some(point.metric) || !names.is(point.attributes, &NameBytes::attributes(attributes)) {
            return None;
        }
        self.position += 1;
        Some(point.series)
    }

    /// Remembers a point: bytes differ, so all behind them may stand elsewhere now.
    pub fn learn(&mut self, metric: u32, attributes: u32, series: SeriesId) {
        self.last.points.truncate(self.position);
        self.last.points.push(ExportedPoint { metric, attributes, series, column: NO_COLUMN });
        self.position += 1;
    }
}

/// What a data point's bytes say about its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A known series.
    Known(SeriesId),
    /// A series seen for the first time.
    New(KeyId),
    /// Attributes that cannot be read.
    Unreadable,
    /// A series seen for the first time, and there is no room for it.
    NoRoom,
}

/// All names, resources and series.
#[derive(Debug, Default)]
pub struct SeriesIndex {
    pub(in crate::series) keys: SeriesKeys,
    pub(in crate::series) resources: Vec<StoredResource>,
    pub(in crate::series) series: Vec<StoredSeries>,
    names: Names,
    /// The series of large resources; those of the others are searched one by one.
    by_key: HashMap<(ResourceId, KeyId), SeriesId, RandomState>,
    /// The current eviction period.
    period: u32,
}

impl SeriesIndex {
    /// Notes that a resource sends an export.
    #[inline]
    pub fn note_export(&mut self, resource: ResourceId) {
        self.resources[resource as usize].exported_in = self.period;
    }

    /// Starts to read an export of a resource. Hand it back with `SeriesStore::end`.
    #[inline]
    pub fn begin(&mut self, resource: ResourceId) -> ExportCursor {
        self.note_export(resource);
        let last = std::mem::take(&mut self.resources[resource as usize].last);
        ExportCursor { resource, last, position: 0, metric: None, row: None }
    }

    /// Turns to the next metric of an export. `identity` is called only for bytes never seen. Without room for another series a
    /// metric never seen is passed over.
    #[inline]
    pub fn metric(
        &mut self,
        cursor: &mut ExportCursor,
        bytes: &NameBytes<'_>,
        has_room: bool,
        identity: impl FnOnce() -> MetricIdentity,
    ) {
        let as_before = cursor.last.points.get(cursor.position).map(|point| point.metric);
        let known = as_before.filter(|&name| self.names.is(name, bytes)).or_else(|| self.names.find(bytes));
        cursor.metric = known.or_else(|| {
            let metric = has_room.then(|| self.keys.metrics.number(Arc::new(identity())));
            metric.map(|metric| self.names.add(bytes, Some(metric)))
        });
    }

    /// Finds the series of the next data point. `parse` is called only for bytes never seen. Without room for another series
    /// nothing new is remembered.
    #[inline]
    pub fn find(
        &mut self,
        cursor: &mut ExportCursor,
        bytes: &[u8],
        has_room: bool,
        parse: impl FnOnce() -> Option<Attributes>,
    ) -> Lookup {
        match cursor.next_as_before(&self.names, bytes) {
            Some(UNREADABLE) => Lookup::Unreadable,
            Some(series) => Lookup::Known(series),
            None => self.look_up(cursor, bytes, has_room, parse),
        }
    }

    #[inline(never)]
    fn look_up(
        &mut self,
        cursor: &mut ExportCursor,
        bytes: &[u8],
        has_room: bool,
        parse: impl FnOnce() -> Option<Attributes>,
    ) -> Lookup {
        let bytes = NameBytes::attributes(bytes);
        let (name, set) = match self.names.find(&bytes) {
            Some(name) => (Some(name), self.names.meaning(name).1),
            None => match parse() {
                attributes if has_room => {
                    let set = attributes.map(|attributes| self.keys.attributes.number(Arc::new(attributes)));
                    (Some(self.names.add(&bytes, set)), set)
                }
                Some(attributes) => match self.keys.attributes.find(&attributes) {
                    Some(set) => (None, Some(set)),
                    None => return Lookup::NoRoom,
                },
                None => (None, None),
            },
        };
        let Some(set) = set else {
            if let (Some(metric), Some(name)) = (cursor.metric, name) {
                cursor.learn(metric, name, UNREADABLE);
            }
            return Lookup::Unreadable;
        };
        let Some((metric, number)) = cursor.metric.and_then(|m| Some((m, self.names.meaning(m).1?))) else {
            return Lookup::NoRoom;
        };
        let key =
            if has_room { Some(self.keys.pairs.number((number, set))) } else { self.keys.pairs.find(&(number, set)) };
        match key.map(|key| (key, self.find_series(cursor.resource, key))) {
            Some((_, Some(series))) => {
                self.series[series as usize].was_seen_in(self.period);
                if let Some(name) = name {
                    cursor.learn(metric, name, series);
                }
                Lookup::Known(series)
            }
            Some((key, None)) if has_room => {
                // The caller adds the series next; its number is known.
                if let Some(name) = name {
                    cursor.learn(metric, name, self.series.len() as u32);
                }
                Lookup::New(key)
            }
            _ => Lookup::NoRoom,
        }
    }

    fn find_series(&self, resource: ResourceId, key: KeyId) -> Option<SeriesId> {
        let own = &self.resources[resource as usize].series;
        if own.len() > LARGE {
            return self.by_key.get(&(resource, key)).copied();
        }
        own.iter().copied().find(|&series| self.series[series as usize].key == key)
    }

    /// Adds the series that [`SeriesIndex::find`] has just called new.
    pub fn add_series(&mut self, resource: ResourceId, key: KeyId, location: Location) -> SeriesId {
        let id = self.series.len() as u32;
        let mut series = StoredSeries::new(key, resource, location);
        series.was_seen_in(self.period);
        self.series.push(series);
        let own = &mut self.resources[resource as usize].series;
        own.push(id);
        if own.len() == LARGE + 1 {
            self.by_key.extend(own.iter().map(|&series| ((resource, self.series[series as usize].key), series)));
        } else if own.len() > LARGE {
            self.by_key.insert((resource, key), id);
        }
        id
    }

    /// A new eviction period begins: the series of the exports of the last one were seen in it.
    pub fn begin_period(&mut self, period: u32) {
        let last = std::mem::replace(&mut self.period, period);
        for resource in self.resources.iter().filter(|resource| resource.exported_in >= last) {
            for point in &resource.last.points {
                if let Some(series) = self.series.get_mut(point.series as usize) {
                    series.was_seen_in(last);
                }
            }
        }
    }

    /// Takes out series, and resources and names that only they had. Gives the new numbers of pairs.
    pub fn evict(&mut self, gone: &[bool], series: &Renumbering, resources: &Renumbering) -> Renumbering {
        self.resources = resources.keep(std::mem::take(&mut self.resources));
        let keys = self.evict_names(gone);
        self.series = series.keep(std::mem::take(&mut self.series));
        for of in &mut self.series {
            // What a series has stays with it.
            of.resource = resources.get(of.resource).unwrap_or(of.resource);
            of.key = keys.get(of.key).unwrap_or(of.key);
        }
        self.by_key.clear();
        for (resource, number) in self.resources.iter_mut().zip(0..) {
            resource.series = resource.series.iter().filter_map(|&id| series.get(id)).collect();
            if resource.series.len() > LARGE {
                let own = resource.series.iter();
                self.by_key.extend(own.map(|&id| ((number, self.series[id as usize].key), id)));
            }
        }
        self.by_key.shrink_to_fit();
        keys
    }

    fn evict_names(&mut self, gone: &[bool]) -> Renumbering {
        let mut names = vec![false; self.names.len()];
        for point in self.resources.iter().flat_map(|resource| &resource.last.points) {
            (names[point.metric as usize], names[point.attributes as usize]) = (true, true);
        }
        let mut keys = vec![false; self.keys.pairs.len()];
        for (series, _) in self.series.iter().zip(gone).filter(|(_, gone)| !**gone) {
            keys[series.key as usize] = true;
        }
        let mut metrics = vec![false; self.keys.metrics.len()];
        let mut attributes = vec![false; self.keys.attributes.len()];
        for (number, _) in names.iter().enumerate().filter(|(_, used)| **used) {
            let (is_metric, meaning) = self.names.meaning(number as u32);
            let used = if is_metric { &mut metrics } else { &mut attributes };
            meaning.into_iter().for_each(|number| used[number as usize] = true);
        }
        for (number, _) in keys.iter().enumerate().filter(|(_, used)| **used) {
            let (metric, set) = *self.keys.pairs.get(number as u32);
            (metrics[metric as usize], attributes[set as usize]) = (true, true);
        }
        let metrics = self.keys.metrics.keep(&metrics, |metric| metric);
        let attributes = self.keys.attributes.keep(&attributes, |set| set);
        let names = self.names.keep(&names, &metrics, &attributes);
        for point in self.resources.iter_mut().flat_map(|resource| &mut resource.last.points) {
            // A name that an export has is used.
            point.metric = names.get(point.metric).unwrap_or(point.metric);
            point.attributes = names.get(point.attributes).unwrap_or(point.attributes);
        }
        let renumbered = |(metric, set)| (metrics.get(metric).unwrap_or(metric), attributes.get(set).unwrap_or(set));
        self.keys.pairs.keep(&keys, renumbered)
    }
}
