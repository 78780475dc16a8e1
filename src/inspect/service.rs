//! What the exports of one resource give away: when they came, how often, and where some are missing.

use super::findings::{Gap, Held, Instance};
use crate::model::{Attributes, Nanos, Value};

#[derive(Debug)]
pub(super) struct ResourceFacts {
    pub(super) attributes: Attributes,
    exports: Vec<Nanos>,
}

impl ResourceFacts {
    pub(super) fn new(attributes: Attributes) -> Self {
        ResourceFacts { attributes, exports: Vec::new() }
    }

    /// An export whose newest point has this time.
    pub(super) fn exported(&mut self, newest: Nanos) {
        if self.exports.last() != Some(&newest) {
            self.exports.push(newest);
        }
    }

    /// An attribute as text.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.attributes.get(key).map(Value::to_text)
    }

    fn times(&self) -> Vec<Nanos> {
        let mut times = self.exports.clone();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// The spans between successive exports, in order of time.
    pub(super) fn steps(&self) -> Vec<Nanos> {
        self.times().windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect()
    }

    pub(super) fn instance(&self, held: Held) -> Instance {
        let times = self.times();
        let interval = lower_median(self.steps());
        // An export that is late by half an interval is late; one that is missing leaves a hole of two.
        let is_gap = |step: Nanos| interval.is_some_and(|interval| step > interval.saturating_add(interval / 2));
        let gaps = times.windows(2).filter_map(|pair| match pair {
            [from, to] if is_gap(to - from) => Some(Gap { from: *from, to: *to }),
            _ => None,
        });
        Instance {
            resource: self.attributes.clone(),
            from: times.first().copied(),
            to: times.last().copied(),
            exports: times.len() as u64,
            points: held.points,
            series: held.series,
            interval,
            gaps: gaps.collect(),
            several_writers: held.several_writers,
        }
    }
}

/// The lower median of spans.
pub(super) fn lower_median(mut spans: Vec<Nanos>) -> Option<Nanos> {
    spans.sort_unstable();
    spans.get(spans.len().checked_sub(1)? / 2).copied()
}
