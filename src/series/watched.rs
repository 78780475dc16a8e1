//! Points at which the engine looks itself, one by one, beside the windows or instead of them.
//!
//! They are kept out of the short way a point takes to its column; when a report is taken whole, their places in it are known.

use super::resource::{ELSEWHERE, METRIC, NOWHERE};
use super::{Place, ResourceId, SeriesId, SeriesStore, UNSELECTED};

impl SeriesStore {
    /// The columns of the points of a resource's last report, and the places of those that the engine looks at.
    pub(super) fn places_of_last_report(&self, resource: ResourceId) -> (Vec<u32>, Vec<(u32, SeriesId)>) {
        let of = &self.resources[resource as usize];
        let (mut columns, mut watched) = (Vec::new(), Vec::new());
        for entry in of.rest.layout.iter().filter(|entry| entry.column != METRIC) {
            let is_watched = entry.column == ELSEWHERE && self.is_watched(entry.series);
            columns.push(match self.series.get(entry.series as usize).map(|series| series.place()) {
                Some(Place::Watched { .. }) => NOWHERE,
                Some(Place::Column { block, column }) if is_watched && of.block == Some(block) => column,
                _ => entry.column,
            });
            if is_watched {
                watched.push((columns.len() as u32 - 1, entry.series));
            }
        }
        (columns, watched)
    }

    fn is_watched(&self, series: SeriesId) -> bool {
        let known = (series as usize) < self.series.len();
        known && self.subscription_of(series) != UNSELECTED && self.plans[self.subscription_of(series) as usize].watched
    }

    /// The points at which the engine looks itself, of a report that was taken whole: their places in it, with their series.
    #[inline]
    pub fn watched_points(&self, resource: ResourceId) -> &[(u32, SeriesId)] {
        let of = &self.resources[resource as usize];
        if of.is_watched { &of.rest.watched } else { &[] }
    }
}
