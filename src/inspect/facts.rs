//! What one resource and one series give away: when exports came and where some are missing; how many points, between which
//! values, resets, changes of the start time.

use crate::model::{Attributes, MetricSpan, Nanos, Sample, SampleValue, Temporality, Value};
use crate::series::NotKept;
use std::collections::VecDeque;

/// A repeated time is looked for among this many of the newest points; a retry comes sooner.
const RECENT: usize = 64;
/// Start times remembered, to recognise one that comes back.
const STARTS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct SeriesFacts {
    /// Resource and metric.
    pub(super) key: (usize, usize),
    pub(super) attributes: Attributes,
    pub(super) points: u64,
    /// Smallest and largest value of a number.
    pub(super) range: Option<(f64, f64)>,
    /// Falls of a monotonic cumulative sum, or of the count of a cumulative histogram.
    pub(super) resets: u64,
    /// Changes to a start time not seen before.
    pub(super) start_changes: u64,
    /// Changes back to a start time seen before: several processes write the series.
    pub(super) start_returns: u64,
    pub(super) negative_deltas: u64,
    newest: Option<(Nanos, Nanos, f64)>,
    starts: Vec<Nanos>,
    recent: VecDeque<Nanos>,
}

impl SeriesFacts {
    pub(super) fn new(key: (usize, usize), attributes: Attributes) -> Self {
        SeriesFacts { key, attributes, ..SeriesFacts::default() }
    }

    /// Adds a sample; tells whether it came in the order of time.
    pub(super) fn add(&mut self, metric: &MetricSpan, sample: Sample<SampleValue>) -> Result<bool, NotKept> {
        let Sample { time, start, value } = sample;
        if self.recent.contains(&time) {
            return Err(NotKept::Duplicate);
        }
        self.remember(time);
        self.points += 1;
        let is_histogram = matches!(value, SampleValue::Histogram(_));
        let number = match value {
            SampleValue::Number(number) => {
                let (low, high) = self.range.unwrap_or((number, number));
                self.range = Some((low.min(number), high.max(number)));
                number
            }
            SampleValue::Histogram(histogram) => histogram.count as f64,
        };
        let counts_up = metric.monotonic || is_histogram;
        if metric.temporality == Temporality::Delta && metric.monotonic && number < 0.0 {
            self.negative_deltas += 1;
        }
        let Some((newest, last_start, last)) = self.newest else {
            self.newest = Some((time, start, number));
            self.starts.push(start);
            return Ok(true);
        };
        if time < newest {
            return Ok(false);
        }
        if metric.temporality == Temporality::Cumulative {
            if counts_up && number < last {
                self.resets += 1;
            }
            if start != last_start {
                self.changed_start(start);
            }
        }
        self.newest = Some((time, start, number));
        Ok(true)
    }

    fn changed_start(&mut self, start: Nanos) {
        if self.starts.contains(&start) {
            self.start_returns += 1;
            return;
        }
        self.start_changes += 1;
        if self.starts.len() == STARTS {
            self.starts.remove(0);
        }
        self.starts.push(start);
    }

    fn remember(&mut self, time: Nanos) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(time);
    }
}

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
