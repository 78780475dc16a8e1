//! The kept points of histogram series, in the order of time.

use super::block::NotKept;
use super::times::{INTERVAL_POINTS, points_until};
use crate::model::{Histogram, Nanos, Sample, Temporality};
use std::collections::VecDeque;

/// One histogram series.
#[derive(Clone, Debug)]
pub struct HistogramSeries {
    pub series: u32,
    pub subscription: u32,
    pub temporality: Temporality,
    longest: Nanos,
    pub has_several_writers: bool,
    pub points: VecDeque<Sample<Histogram>>,
}

impl HistogramSeries {
    /// A series without points. `longest` is the longest window of a rule on it.
    pub fn new(series: u32, subscription: u32, temporality: Temporality, longest: Nanos) -> Self {
        let points = VecDeque::new();
        HistogramSeries { series, subscription, temporality, longest, has_several_writers: false, points }
    }

    /// Takes the series out, with another number.
    pub fn take(&mut self, series: u32) -> Self {
        let mut points = std::mem::take(&mut self.points);
        points.shrink_to_fit();
        HistogramSeries { series, points, ..*self }
    }

    /// Puts a sample; a newest one removes those that nobody needs at `now`.
    pub fn put(&mut self, sample: Sample<Histogram>, now: Nanos, limit: usize) -> Result<(), NotKept> {
        let place = points_until(self.points.len(), sample.time, |i| self.points[i].time);
        if place > 0 && self.points[place - 1].time == sample.time {
            return Err(NotKept::Duplicate);
        }
        if self.points.len() >= limit {
            return Err(NotKept::TooDense);
        }
        if place < self.points.len() {
            self.points.insert(place, sample);
            return Ok(());
        }
        if let Some(newest) = self.points.back() {
            self.has_several_writers |=
                sample.start != 0 && sample.start < newest.start && self.temporality == Temporality::Cumulative;
        }
        while self.points.len() > INTERVAL_POINTS
            && self.points[1].time <= now - self.longest
            && self.points[INTERVAL_POINTS].time <= now
        {
            self.points.pop_front();
        }
        self.points.push_back(sample);
        Ok(())
    }
}
