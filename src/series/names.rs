//! What a series is called, whose it is, and what is remarkable about it.

use super::place::Place;
use super::{KeyId, ResourceId, SeriesId, SeriesStore, UNSELECTED};
use crate::model::{Attributes, MetricIdentity};
use std::sync::Arc;

impl SeriesStore {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// How many series a resource has.
    pub fn series_of(&self, resource: ResourceId) -> usize {
        self.resources[resource as usize].rest.series.len()
    }

    /// All series in the order of first arrival.
    pub fn series_ids(&self) -> impl Iterator<Item = SeriesId> {
        0..self.series.len() as u32
    }

    /// The metric of a pair.
    pub fn key_metric(&self, key: KeyId) -> &Arc<MetricIdentity> {
        self.identities.metric_of(key)
    }

    /// The attributes of a pair.
    pub fn key_attributes(&self, key: KeyId) -> &Arc<Attributes> {
        self.identities.attributes_of(key)
    }

    /// The metric of a series.
    pub fn metric_of(&self, series: SeriesId) -> &Arc<MetricIdentity> {
        self.identities.metric_of(self.series[series as usize].key)
    }

    /// The data-point attributes of a series.
    pub fn attributes_of(&self, series: SeriesId) -> &Arc<Attributes> {
        self.identities.attributes_of(self.series[series as usize].key)
    }

    /// The resource of a series.
    pub fn resource_of(&self, series: SeriesId) -> ResourceId {
        self.series[series as usize].resource
    }

    /// The plan of a series.
    pub fn subscription_of(&self, series: SeriesId) -> u32 {
        match self.series[series as usize].place() {
            Place::Nowhere => UNSELECTED,
            Place::Watched { plan } => plan,
            Place::Column { block, column } => self.blocks[block as usize].plan(column as usize),
            Place::Histogram(place) => self.histograms[place as usize].plan,
        }
    }

    /// Whether a monotonic delta sum sent a negative delta.
    pub fn has_negative_delta(&self, series: SeriesId) -> bool {
        match self.series[series as usize].place() {
            Place::Column { block, column } => self.blocks[block as usize].has_negative_delta(column as usize),
            Place::Nowhere | Place::Watched { .. } | Place::Histogram(_) => false,
        }
    }

    /// Whether several processes write a series: its start times go back and forth.
    pub fn has_several_writers(&self, series: SeriesId) -> bool {
        match self.series[series as usize].place() {
            Place::Nowhere | Place::Watched { .. } => false,
            Place::Column { block, column } => self.blocks[block as usize].has_several_writers(column as usize),
            Place::Histogram(place) => self.histograms[place as usize].several_writers,
        }
    }
}
