//! Auxiliary signals beside the memory of a process: its full garbage collections, and the limit of its memory.
//!
//! Both explain and never decide. A number of collections is read from `cpython.gc.collections` of generation 2 alone:
//! `gc_count` is no number of collections. Series are known here by their own names, whatever rules select.

use super::minima::{KEPT, bucket_of};
use crate::model::{Attributes, MetricIdentity, Nanos, Sample, Temporality, Value};
use crate::series::{Renumbering, SeriesId};
use std::collections::VecDeque;

/// Series of a limit metric that are looked at on one entity.
const MOST_LIMITS: usize = 64;

/// Whether a series counts full garbage collections.
pub(in crate::engine) fn counts_full_collections(metric: &MetricIdentity, attributes: &Attributes) -> bool {
    let second = |key| attributes.get(key).map(Value::to_text).as_deref() == Some("2");
    metric.name == "cpython.gc.collections" && (second("cpython.gc.generation") || second("generation"))
}

/// The full garbage collections of a process, by bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Collections {
    start: Nanos,
    newest: Nanos,
    /// How many there had been at the end of a bucket; the first entry, and one for each bucket that had one.
    counts: VecDeque<(i64, f64)>,
}

impl Collections {
    pub fn add(&mut self, temporality: Temporality, Sample { time, start, value }: Sample) {
        if time <= self.newest {
            return;
        }
        self.newest = time;
        let before = self.counts.back().map(|(_, count)| *count);
        let count = match (temporality, before) {
            (Temporality::Delta, Some(before)) => before + value,
            (Temporality::Cumulative, Some(before)) if start != self.start || value < before => {
                self.counts.clear();
                value
            }
            (Temporality::Delta | Temporality::Cumulative, _) => value,
        };
        self.start = start;
        let bucket = bucket_of(time);
        let is_first = self.counts.len() < 2;
        match self.counts.back_mut() {
            Some((_, known)) if *known == count => {}
            Some((last, known)) if *last == bucket && !is_first => *known = count,
            _ => {
                if self.counts.len() == KEPT {
                    self.counts.pop_front();
                }
                self.counts.push_back((bucket, count));
            }
        }
    }

    /// How many there were between the ends of two buckets; `None` when nothing was known by the second.
    pub fn between(&self, first: i64, last: i64) -> Option<u64> {
        let until = |bucket: i64| self.counts.iter().rev().find(|(of, _)| *of <= bucket).map(|(_, count)| *count);
        let end = until(last)?;
        let begin = until(first).or(self.counts.front().map(|(_, count)| *count))?;
        Some((end - begin).max(0.0) as u64)
    }
}

/// The newest values of the series of a limit metric on one entity.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits(Vec<(SeriesId, f64)>);

impl Limits {
    pub fn add(&mut self, series: SeriesId, value: f64) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == series) {
            *known = value;
        } else if self.0.len() < MOST_LIMITS {
            self.0.push((series, value));
        }
    }

    /// Series have new numbers.
    pub fn renumber(&mut self, series: &Renumbering) {
        self.0.retain_mut(|(known, _)| series.get(*known).map(|new| *known = new).is_some());
    }

    /// The least that is above 0: which of several limits strikes first.
    pub fn least(&self) -> Option<f64> {
        self.0.iter().map(|(_, value)| *value).filter(|value| *value > 0.0).min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SECOND;

    fn sample(time: Nanos, start: Nanos, value: f64) -> Sample {
        Sample { time, start, value }
    }

    #[test]
    fn collections_are_counted_between_buckets() {
        let mut counted = Collections::default();
        for (second, count) in [(10, 3.0), (40, 3.0), (70, 4.0), (80, 5.0), (130, 5.0), (160, 7.0)] {
            counted.add(Temporality::Cumulative, sample(second * SECOND, 1, count));
        }
        assert_eq!(counted.between(0, 5), Some(4));
        assert_eq!(counted.between(2, 4), Some(0));
        assert_eq!(counted.between(1, 2), Some(2));
        assert_eq!(Collections::default().between(0, 5), None);
    }

    #[test]
    fn a_restart_begins_anew_and_deltas_are_summed() {
        let mut counted = Collections::default();
        counted.add(Temporality::Cumulative, sample(10 * SECOND, 1, 9.0));
        counted.add(Temporality::Cumulative, sample(70 * SECOND, 2, 1.0));
        counted.add(Temporality::Cumulative, sample(100 * SECOND, 2, 2.0));
        assert_eq!((counted.between(0, 1), counted.between(0, 3)), (None, Some(1)));
        let mut deltas = Collections::default();
        for second in [10, 40, 70, 70, 60] {
            deltas.add(Temporality::Delta, sample(second * SECOND, 0, 2.0));
        }
        assert_eq!(deltas.between(0, 2), Some(4));
    }
}
