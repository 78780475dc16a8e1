//! When there is no room for another series: what is known is found, and nothing new is remembered.

use super::intern::Meaning;
use super::resource::LayoutEntry;
use super::{Found, NO_METRIC, Report, SeriesStore};
use crate::model::Attributes;

impl SeriesStore {
    /// Finds the series of a point among those that are known.
    #[inline(never)]
    pub(super) fn known_point(
        &mut self,
        report: &mut Report,
        bytes: &[u8],
        parse: impl FnOnce() -> Option<Attributes>,
    ) -> Found {
        let word = self.words.find_attributes(bytes);
        let set = match word.map(|word| self.words.meaning(word)) {
            Some(Meaning::Attributes(Some(set))) => Some(set),
            Some(_) => return Found::Unreadable,
            None => match parse() {
                Some(attributes) => self.identities.attributes.find(&attributes),
                None => return Found::Unreadable,
            },
        };
        let Some(series) = set.and_then(|set| self.known_series(report, set)) else { return Found::NoRoom };
        self.series[series as usize].was_seen_in(self.round);
        if let Some(word) = word {
            let column = self.column_in(report.resource, series);
            report.learn(LayoutEntry { word, series, column });
        }
        self.found(series)
    }

    fn known_series(&self, report: &Report, set: u32) -> Option<u32> {
        if report.metric == NO_METRIC {
            return None;
        }
        let Meaning::Metric { metric, .. } = self.words.meaning(report.metric) else { return None };
        self.find_series(report.resource, self.identities.find_key(metric, set)?)
    }
}
