//! What the exports of one resource give away: when they came, how often, and where some are missing.

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

    /// When its exports came, in order.
    pub(super) fn times(&self) -> Vec<Nanos> {
        let mut times = self.exports.clone();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// The spans between successive exports, in order of time.
    pub(super) fn steps(&self) -> Vec<Nanos> {
        self.times().windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect()
    }
}

/// The lower median of spans.
pub(super) fn lower_median(mut spans: Vec<Nanos>) -> Option<Nanos> {
    spans.sort_unstable();
    spans.get(spans.len().checked_sub(1)? / 2).copied()
}
