//! A series as one rule looks at it: lives of processes, kept apart by their start times.
//!
//! A younger start time ends the life before it. When the older one speaks again several processes write the series: their
//! lives are then looked at side by side. Without start times (gauges never have one) a life ends when the value falls back to
//! where it began. Bounded: so many lives, and the times of the points in open buckets.

use super::detector::BucketEvaluation;
use super::process::ProcessLife;
use super::windows::WindowEvaluator;
use crate::definition::TrendParameters;
use crate::model::{Nanos, Sample};
use crate::series::{NotKept, SeriesId};

/// Lives kept of a series; the one that was silent the longest gives way.
const MOST_LIVES: usize = 16;

/// A series that a trend rule looks at.
#[derive(Debug, Default)]
pub(super) struct TrendSeries {
    /// Number of the rule among all rules.
    pub rule: u32,
    pub series: SeriesId,
    /// Whether start times tell lives apart.
    pub has_starts: bool,
    pub lives: Vec<ProcessLife>,
    /// Lives that are over, until they are collected.
    pub over: Vec<ProcessLife>,
    pub several_writers: bool,
    /// Points that came after their bucket had closed.
    pub ignored: u64,
    /// Times of the points in open buckets, in order.
    times: Vec<Nanos>,
}

impl TrendSeries {
    pub fn new(rule: u32, series: SeriesId, has_starts: bool) -> Self {
        TrendSeries { rule, series, has_starts, ..TrendSeries::default() }
    }

    /// Takes a point in. `open` is where the oldest open bucket begins; at most `limit` points of open buckets are taken.
    pub fn add(&mut self, sample: Sample, open: Nanos, limit: usize) -> Result<(), NotKept> {
        let Sample { time, value, .. } = sample;
        if time < open {
            self.ignored += 1;
            return Ok(());
        }
        let place = self.times.partition_point(|&known| known < time);
        if self.times.get(place) == Some(&time) {
            return Err(NotKept::Duplicate);
        }
        if self.times.len() >= limit {
            return Err(NotKept::TooDense);
        }
        self.times.insert(place, time);
        let life =
            if self.has_starts && sample.start != 0 { self.life_of(sample) } else { self.life_without_start(sample) };
        self.lives[life].add(time, value);
        Ok(())
    }

    /// The life with the start time of a point.
    fn life_of(&mut self, Sample { time, start, .. }: Sample) -> usize {
        if let Some(known) = self.lives.iter().position(|life| life.key == start) {
            if self.lives[known].is_evicted_by(time) {
                return self.begin_again(known, start, time);
            }
            self.several_writers |= self.lives[known].ended;
            self.lives[known].ended = false;
            return known;
        }
        let newest = self.lives.iter().map(|life| life.key).max();
        if newest.is_some_and(|newest| start < newest) {
            self.several_writers = true;
        } else if !self.several_writers {
            self.lives.iter_mut().for_each(|life| life.ended = true);
        }
        self.begin(start, time)
    }

    fn life_without_start(&mut self, Sample { time, value, .. }: Sample) -> usize {
        match self.lives.iter().position(|life| life.key == 0 && !life.ended) {
            Some(known) if self.lives[known].is_evicted_by(time) => self.begin_again(known, 0, time),
            Some(known) if self.lives[known].is_over_with(value) => {
                self.lives[known].ended = true;
                self.begin(0, time)
            }
            Some(known) => known,
            None => self.begin(0, time),
        }
    }

    fn begin(&mut self, key: Nanos, time: Nanos) -> usize {
        if self.lives.len() == MOST_LIVES {
            let silent = (0..self.lives.len()).min_by_key(|&i| self.lives[i].newest_end()).unwrap_or(0);
            self.over.push(self.lives.remove(silent));
        }
        self.lives.push(ProcessLife::new(key, time));
        self.lives.len() - 1
    }

    fn begin_again(&mut self, life: usize, key: Nanos, time: Nanos) -> usize {
        self.over.push(std::mem::replace(&mut self.lives[life], ProcessLife::new(key, time)));
        life
    }

    /// Closes the bucket that ends at `at` in every life; `each` gets those that had a point.
    pub fn close(
        &mut self,
        at: Nanos,
        parameters: &TrendParameters,
        windows: &mut WindowEvaluator,
        mut each: impl FnMut(&ProcessLife, &BucketEvaluation),
    ) {
        for life in &mut self.lives {
            if life.ended {
                life.detector.end();
            } else if let Some(evaluation) = life.close(at, parameters, windows) {
                each(life, &evaluation);
            }
        }
        let closed = self.times.partition_point(|&time| time < at);
        self.times.drain(..closed);
    }

    /// Takes out the lives of which no point can come that they could be compared with.
    pub fn evict(&mut self, at: Nanos) -> impl Iterator<Item = ProcessLife> {
        let gone = |life: &mut ProcessLife| life.is_evicted_by(at);
        self.over.extend(self.lives.extract_if(.., gone));
        self.over.drain(..)
    }

    /// When the next bucket closes.
    pub fn next_close(&self) -> Option<Nanos> {
        self.lives.iter().filter_map(|life| life.detector.minima().next_close()).min()
    }

    /// Whether a leak is active in a life that goes on.
    pub fn is_leaking(&self) -> bool {
        self.lives.iter().any(|life| !life.ended && life.detector.is_leaking())
    }
}
