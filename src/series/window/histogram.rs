//! Histogram series: the steps between their points, and aggregates over a window.
//!
//! A step is again a histogram: what was observed since the point before. Explicit and exponential buckets are two forms of
//! one thing; exponential ones are brought to the smaller scale before they are compared or added.

use super::aggregate::per_second;
use super::frame::{WindowEnd, WindowFrame, WindowRequest};
use super::sum::sum as sum_of;
use crate::model::{Aggregation, Buckets, ExponentialBuckets, Histogram, Nanos, Sample, Temporality};
use crate::series::store::histograms::HistogramSeries;
use std::collections::BTreeMap;

/// What was observed between a point and the one before it.
#[derive(Clone, Debug)]
struct HistogramStep {
    count: u64,
    sum: Option<f64>,
    buckets: StepBuckets,
}

/// A point of a chain: its step (none for the first point of a series), and the extremes it reports.
#[derive(Clone, Debug)]
struct HistogramLink {
    time: Nanos,
    step: Option<HistogramStep>,
    min: Option<f64>,
    max: Option<f64>,
    /// Merged series with different bounds at this time: a window with it has no value.
    mixed: bool,
}

impl HistogramLink {
    fn plus(self, more: HistogramLink) -> HistogramLink {
        let both = |a: Option<f64>, b: Option<f64>, worse: fn(f64, f64) -> f64| a.into_iter().chain(b).reduce(worse);
        let (min, max) = (both(self.min, more.min, f64::min), both(self.max, more.max, f64::max));
        let step = match (self.step, more.step) {
            (Some(mut a), Some(b)) => {
                a.count = a.count.saturating_add(b.count);
                a.sum = a.sum.zip(b.sum).map(|(a, b)| a + b);
                a.buckets = a.buckets.plus(&b.buckets);
                Some(a)
            }
            (a, b) => a.or(b),
        };
        HistogramLink { time: self.time, step, min, max, mixed: self.mixed || more.mixed }
    }
}

/// The points of a histogram series, or of several merged ones.
#[derive(Clone, Debug, Default)]
pub struct HistogramChain {
    links: Vec<HistogramLink>,
}

impl HistogramChain {
    pub fn of_series(series: &HistogramSeries) -> Self {
        let mut before: Option<&Sample<Histogram>> = None;
        let links = series.points.iter().map(|point| {
            let step = before.replace(point).map(|before| match series.temporality {
                Temporality::Delta => whole(&point.value),
                Temporality::Cumulative => difference(before, point),
            });
            let Histogram { min, max, .. } = point.value;
            HistogramLink { time: point.time, step, min, max, mixed: false }
        });
        HistogramChain { links: links.collect() }
    }

    /// The points of several series of one metric, added up at the times they have.
    pub fn merged(members: &[&HistogramSeries]) -> Self {
        let mut links: BTreeMap<Nanos, HistogramLink> = BTreeMap::new();
        let mut bounds: BTreeMap<Nanos, StepBuckets> = BTreeMap::new();
        for series in members {
            for (mut link, point) in HistogramChain::of_series(series).links.into_iter().zip(&series.points) {
                let own = StepBuckets::of(&point.value.buckets);
                link.mixed = bounds.get(&link.time).is_some_and(|other| !other.fits(&own));
                bounds.entry(link.time).or_insert(own);
                if let Some(other) = links.remove(&link.time) {
                    link = other.plus(link);
                }
                links.insert(link.time, link);
            }
        }
        HistogramChain { links: links.into_values().collect() }
    }

    /// The window that ends at a time, and its value.
    pub fn evaluate(&self, at: Nanos, request: &WindowRequest) -> (WindowFrame, f64) {
        let time = |i: usize| self.links[i].time;
        let frame = WindowEnd::new(at, self.links.len(), time).frame(request, time);
        (frame, frame.value(|| self.aggregate(&frame, request.aggregation)))
    }

    fn aggregate(&self, frame: &WindowFrame, aggregation: Aggregation) -> Option<f64> {
        let inside = &self.links[frame.first..frame.end];
        if inside.iter().any(|link| link.mixed) {
            return None;
        }
        let extreme = |value: fn(&HistogramLink) -> Option<f64>, worse: fn(f64, f64) -> f64| {
            inside.iter().filter_map(value).reduce(worse)
        };
        match aggregation {
            Aggregation::Min => return extreme(|link| link.min, f64::min),
            Aggregation::Max => return extreme(|link| link.max, f64::max),
            Aggregation::AbsoluteDiff | Aggregation::RelativeDiff => return None,
            _ => {}
        }
        let chained = &self.links[frame.chain + 1..frame.end];
        let steps: Vec<&HistogramStep> = chained.iter().filter_map(|link| link.step.as_ref()).collect();
        if steps.windows(2).any(|pair| !pair[0].buckets.fits(&pair[1].buckets)) {
            return None;
        }
        let count = steps.iter().map(|step| step.count as f64).sum::<f64>();
        let sum = || {
            let sums: Option<Vec<f64>> = steps.iter().map(|step| step.sum).collect();
            sums.map(|sums| sum_of(&sums))
        };
        match aggregation {
            Aggregation::Count | Aggregation::Delta => Some(count),
            Aggregation::Sum => sum(),
            Aggregation::Avg => (count > 0.0).then(sum).flatten().map(|sum| sum / count),
            Aggregation::Rate => per_second(count, self.links[frame.end - 1].time - self.links[frame.chain].time),
            Aggregation::Percentile(q) => percentile(&steps, q),
            Aggregation::Min | Aggregation::Max | Aggregation::AbsoluteDiff | Aggregation::RelativeDiff => None,
        }
    }
}

/// The buckets of a step. Exponential ones are sparse, so that far apart indices cost nothing.
#[derive(Clone, Debug)]
enum StepBuckets {
    Explicit { bounds: Vec<f64>, counts: Vec<u64> },
    Exponential { scale: i32, zero_count: u64, positive: BucketCounts, negative: BucketCounts },
}

/// The non-empty buckets of one side, by index.
type BucketCounts = BTreeMap<i64, u64>;

impl StepBuckets {
    fn of(buckets: &Buckets) -> Self {
        match buckets {
            Buckets::Explicit { bounds, counts } => {
                StepBuckets::Explicit { bounds: bounds.clone(), counts: counts.clone() }
            }
            Buckets::Exponential { scale, zero_count, positive, negative } => StepBuckets::Exponential {
                scale: *scale,
                zero_count: *zero_count,
                positive: sparse(positive),
                negative: sparse(negative),
            },
        }
    }

    /// Explicit buckets fit together when bounds and number of buckets agree; exponential ones always do.
    fn fits(&self, other: &StepBuckets) -> bool {
        match (self, other) {
            (StepBuckets::Explicit { bounds: a, counts: ca }, StepBuckets::Explicit { bounds: b, counts: cb }) => {
                a == b && ca.len() == cb.len()
            }
            (StepBuckets::Exponential { .. }, StepBuckets::Exponential { .. }) => true,
            _ => false,
        }
    }

    /// `self - old` per bucket; `None` when a bucket fell or the bounds differ.
    fn minus(&self, old: &StepBuckets) -> Option<StepBuckets> {
        if !self.fits(old) {
            return None;
        }
        self.combine(old, u64::checked_sub)
    }

    /// `self + more` per bucket; buckets that do not fit stay as they are.
    fn plus(&self, more: &StepBuckets) -> StepBuckets {
        self.combine(more, |a, b| Some(a.saturating_add(b))).unwrap_or_else(|| self.clone())
    }

    fn combine(&self, other: &StepBuckets, op: fn(u64, u64) -> Option<u64>) -> Option<StepBuckets> {
        match (self, other) {
            (StepBuckets::Explicit { bounds, counts }, StepBuckets::Explicit { counts: others, .. }) => {
                let counts: Option<Vec<u64>> = counts.iter().zip(others).map(|(&a, &b)| op(a, b)).collect();
                Some(StepBuckets::Explicit { bounds: bounds.clone(), counts: counts? })
            }
            (
                StepBuckets::Exponential { scale, zero_count, positive, negative },
                StepBuckets::Exponential { scale: other_scale, zero_count: zeros, positive: above, negative: below },
            ) => {
                let common = *scale.min(other_scale);
                let side = |own: &BucketCounts, other: &BucketCounts| {
                    let mut result = rescaled(own, *scale, common);
                    for (index, count) in rescaled(other, *other_scale, common) {
                        let bucket = result.entry(index).or_insert(0);
                        *bucket = op(*bucket, count)?;
                    }
                    Some(result)
                };
                Some(StepBuckets::Exponential {
                    scale: common,
                    zero_count: op(*zero_count, *zeros)?,
                    positive: side(positive, above)?,
                    negative: side(negative, below)?,
                })
            }
            _ => None,
        }
    }
}

fn sparse(side: &ExponentialBuckets) -> BucketCounts {
    let counts = side.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
    counts.map(|(k, &count)| (i64::from(side.offset) + k as i64, count)).collect()
}

/// One side at a smaller scale.
fn rescaled(side: &BucketCounts, from: i32, to: i32) -> BucketCounts {
    let shift = (i64::from(from) - i64::from(to)).clamp(0, 63);
    let mut result = BucketCounts::new();
    for (&index, &count) in side {
        let bucket = result.entry(index >> shift).or_insert(0u64);
        *bucket = bucket.saturating_add(count);
    }
    result
}

fn whole(histogram: &Histogram) -> HistogramStep {
    HistogramStep { count: histogram.count, sum: histogram.sum, buckets: StepBuckets::of(&histogram.buckets) }
}

/// What was observed between two points of a cumulative series: the difference, or the whole new histogram after a restart.
fn difference(before: &Sample<Histogram>, point: &Sample<Histogram>) -> HistogramStep {
    let (old, new) = (&before.value, &point.value);
    let restarted = point.start != before.start && point.start > before.time;
    if restarted || new.count < old.count {
        return whole(new);
    }
    let Some(buckets) = StepBuckets::of(&new.buckets).minus(&StepBuckets::of(&old.buckets)) else { return whole(new) };
    HistogramStep { count: new.count - old.count, sum: new.sum.zip(old.sum).map(|(new, old)| new - old), buckets }
}

fn percentile(steps: &[&HistogramStep], q: f64) -> Option<f64> {
    let (first, rest) = steps.split_first()?;
    let total = rest.iter().fold(first.buckets.clone(), |total, step| total.plus(&step.buckets));
    match total {
        StepBuckets::Explicit { bounds, counts } => {
            let (&lowest, &highest) = (bounds.first()?, bounds.last()?);
            let edges = counts.iter().enumerate().map(|(i, &count)| {
                let lower = if i == 0 { lowest.min(0.0) } else { bounds[i - 1] };
                (lower, bounds.get(i).copied().unwrap_or(highest), count as f64)
            });
            rank(&edges.collect::<Vec<_>>(), q)
        }
        StepBuckets::Exponential { scale, zero_count, positive, negative } => {
            let edge = |index: i64| (index as f64 * (-f64::from(scale)).exp2()).exp2();
            let mut edges: Vec<(f64, f64, f64)> =
                negative.iter().rev().map(|(&i, &count)| (-edge(i + 1), -edge(i), count as f64)).collect();
            edges.push((0.0, 0.0, zero_count as f64));
            edges.extend(positive.iter().map(|(&i, &count)| (edge(i), edge(i + 1), count as f64)));
            rank(&edges, q)
        }
    }
}

/// The value at quantile `q` of buckets `(lower, upper, count)` in rising order: the first bucket whose cumulative count
/// reaches `q * total`, linear inside.
fn rank(buckets: &[(f64, f64, f64)], q: f64) -> Option<f64> {
    let total: f64 = buckets.iter().map(|b| b.2).sum();
    if total <= 0.0 {
        return None;
    }
    let wanted = q * total;
    let mut below = 0.0;
    for &(lower, upper, count) in buckets {
        if count > 0.0 && below + count >= wanted {
            return Some(lower + (upper - lower) * ((wanted - below) / count));
        }
        below += count;
    }
    buckets.iter().rev().find(|b| b.2 > 0.0).map(|b| b.1)
}
