//! Traces of resident memory with their labels, and the detector driven by them point by point.
//!
//! A trace is what the generator of the kept set wrote: one JSON line with the times, the values, and where the start time
//! changes. `Driven` feeds a detector as its reference implementation is fed: a bucket closes when a point of another bucket
//! comes, and a new start time begins anew.

use flate2::read::GzDecoder;
use foreshock::definition::TrendParameters;
use foreshock::engine::trend::minima::{BUCKET, bucket_of};
use foreshock::engine::trend::windows::{Figures, WindowEvaluator};
use foreshock::engine::trend::{Detector, LeakChange};
use foreshock::model::{Nanos, SECOND};
use serde::Deserialize;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// One labelled trace; times are seconds.
#[derive(Debug, Deserialize)]
pub struct Trace {
    pub id: String,
    pub duration_s: i64,
    pub t: Vec<i64>,
    pub rss: Vec<i64>,
    pub start_changes: Vec<(usize, i64)>,
}

impl Trace {
    /// Time, start time and value of each point; times from 1 on, because 0 is no time.
    pub fn points(&self) -> impl Iterator<Item = (i64, i64, f64)> {
        let start =
            |i: usize| self.start_changes.iter().rev().find(|(from, _)| *from <= i).map_or(0, |(_, start)| *start);
        self.t.iter().zip(&self.rss).enumerate().map(move |(i, (&t, &rss))| (t, start(i), rss as f64))
    }
}

/// The traces of a file, gzipped.
pub fn traces(path: &Path) -> Vec<Trace> {
    let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("a trace")).collect()
}

/// A detector with the way of its reference implementation around it.
pub struct Driven {
    parameters: TrendParameters,
    windows: WindowEvaluator,
    detector: Option<(i64, Detector)>,
    bucket: i64,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub struct Happened {
    /// The second of the point that told it.
    pub told: i64,
    /// The second it is about: the end of a bucket, or of a life.
    pub at: i64,
    /// The figures of a raise; none is a clearing.
    pub raise: Option<Figures>,
}

impl Driven {
    pub fn new(parameters: TrendParameters) -> Self {
        Driven { parameters, windows: WindowEvaluator::default(), detector: None, bucket: 0 }
    }

    /// Takes a point in.
    pub fn push(&mut self, t: i64, start: i64, value: f64) -> Vec<Happened> {
        let mut happened = Vec::new();
        let bucket = bucket_of(t * SECOND);
        if let Some((of, detector)) = &mut self.detector {
            if *of != start {
                happened.extend(detector.is_leaking().then_some(Happened { told: t, at: t, raise: None }));
                self.detector = None;
            } else if bucket != self.bucket {
                happened.extend(self.close(t));
            }
        }
        let (_, detector) = self.detector.get_or_insert_with(|| (start, Detector::new(start * SECOND)));
        detector.add(t * SECOND, value);
        self.bucket = bucket;
        happened
    }

    /// Closes the open bucket.
    pub fn close(&mut self, told: i64) -> Option<Happened> {
        let (_, detector) = self.detector.as_mut()?;
        let at: Nanos = (self.bucket + 1) * BUCKET;
        let change = detector.close(at, &self.parameters, &mut self.windows)?.change?;
        let raise = match change {
            LeakChange::Begins(figures) => Some(figures),
            LeakChange::Ends => None,
        };
        Some(Happened { told, at: at / SECOND, raise })
    }
}
