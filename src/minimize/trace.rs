//! The points of a recording series by series, as far as they can have to do with one event.
//!
//! What is taken in is bounded, and what is left out is known: a search among half of the points would find the wrong thing.
//! Absent on purpose: judging, and what the points look like as a text.

use crate::model::{Attributes, Export, Histogram, Kind, MetricIdentity, Nanos, PointValue};
use crate::otlp;
use std::collections::HashMap;

/// As many points are looked at.
const MAX_POINTS: usize = 1_000_000;

/// Points by series, in the order in which the series were first seen.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub(super) lines: Vec<Line>,
    by_identity: HashMap<(Attributes, MetricIdentity, Attributes), usize>,
    /// Only resources with all of these attributes are meant.
    only: Attributes,
    /// Nothing later is.
    until: Nanos,
    at: Nanos,
    points: usize,
}

/// The points of one series as they arrived.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub resource: Attributes,
    pub metric: MetricIdentity,
    pub attributes: Attributes,
    pub points: Vec<Point>,
}

#[derive(Clone, Debug)]
pub(super) struct Point {
    pub at: Nanos,
    pub time: Nanos,
    pub start: Nanos,
    pub value: Said,
}

/// What a point says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Nothing,
    Number(f64),
    Histogram(Box<Histogram>),
}

/// More points than are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are more than {MAX_POINTS} points before the event; cut the recording first (`foreshock convert --from`)"
)]
pub struct TooMany;

impl Trace {
    /// A trace of the resources that have all of these attributes, up to an instant.
    pub fn new(only: Attributes, until: Nanos) -> Self {
        Trace { only, until, ..Trace::default() }
    }

    /// Takes an arrival in. Points without a time are none that an engine would keep.
    pub fn add(&mut self, at: Option<Nanos>, export: &Export) -> Result<(), TooMany> {
        self.at = self.at.max(at.unwrap_or(self.at));
        if self.at > self.until {
            return Ok(());
        }
        let mut metrics = export.metrics.iter().enumerate();
        let (mut metric_at, mut point_at) = (0, 0);
        for resource in &export.resources {
            let attributes = otlp::resource(export.bytes(resource.raw)).unwrap_or_default();
            let is_meant = self.only.iter().all(|(key, value)| attributes.get(key) == Some(value));
            while metric_at < resource.metrics_end as usize {
                let Some((index, metric)) = metrics.next() else { break };
                metric_at = index + 1;
                let points = export.points.get(point_at..metric.points_end as usize).unwrap_or_default();
                point_at = metric.points_end as usize;
                if !is_meant || metric.kind == Kind::Summary {
                    continue;
                }
                let identity = otlp::metric(export, metric);
                for point in points.iter().filter(|point| point.time != 0) {
                    let own = otlp::attributes(export.bytes(point.attributes)).unwrap_or_default();
                    let said = match point.value {
                        PointValue::None | PointValue::Summary => Said::Nothing,
                        PointValue::Number(value) => Said::Number(value),
                        PointValue::Histogram(raw) => {
                            let exponential = metric.kind == Kind::ExponentialHistogram;
                            otlp::histogram(export.bytes(raw), exponential)
                                .map_or(Said::Nothing, |histogram| Said::Histogram(Box::new(histogram)))
                        }
                    };
                    let point = Point { at: self.at, time: point.time, start: point.start, value: said };
                    self.push((attributes.clone(), identity.clone(), own), point)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, identity: (Attributes, MetricIdentity, Attributes), point: Point) -> Result<(), TooMany> {
        if self.points == MAX_POINTS {
            return Err(TooMany);
        }
        self.points += 1;
        let lines = &mut self.lines;
        let index = *self.by_identity.entry(identity).or_insert_with_key(|(resource, metric, attributes)| {
            let (resource, metric, attributes) = (resource.clone(), metric.clone(), attributes.clone());
            lines.push(Line { resource, metric, attributes, points: Vec::new() });
            lines.len() - 1
        });
        if let Some(line) = lines.get_mut(index) {
            line.points.push(point);
        }
        Ok(())
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        self.points
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.lines.len()
    }
}
