//! What the points of one series give away: how many, between which values, resets, changes of the start time.

use crate::model::{Attributes, MetricSpan, Nanos, Sample, SampleValue, Temporality};
use crate::series::NotKept;

/// A repeated time is looked for among this many of the newest points; a retry comes sooner.
const RECENT: usize = 64;
/// Start times remembered, to recognise one that comes back.
const STARTS: usize = 16;

#[derive(Debug)]
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
    recent: Vec<Nanos>,
    next_recent: usize,
}

impl SeriesFacts {
    pub(super) fn new(key: (usize, usize), attributes: Attributes) -> Self {
        SeriesFacts {
            key,
            attributes,
            points: 0,
            range: None,
            resets: 0,
            start_changes: 0,
            start_returns: 0,
            negative_deltas: 0,
            newest: None,
            starts: Vec::new(),
            recent: Vec::new(),
            next_recent: 0,
        }
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
        if self.recent.len() < RECENT {
            self.recent.push(time);
        } else if let Some(oldest) = self.recent.get_mut(self.next_recent) {
            *oldest = time;
            self.next_recent = (self.next_recent + 1) % RECENT;
        }
    }
}
