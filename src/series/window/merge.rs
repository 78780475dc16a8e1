//! Several series of one metric read as one: the members' values and steps added up at the times they have.

use super::aggregate::{SeriesPoints, WindowRequest, WindowResult};
use super::histogram::{HistogramChain, HistogramLink, StepBuckets};
use super::sum::sum as sum_of;
use crate::model::Nanos;
use crate::series::store::block::{Block, NumberKind};
use crate::series::store::histograms::HistogramSeries;
use std::collections::BTreeMap;

/// Evaluates the number series `members` (block and column each) as one.
pub fn evaluate_numbers(
    members: &[(&Block, usize)],
    gauge: bool,
    at: Nanos,
    request: &WindowRequest,
    min_coverage: f64,
) -> WindowResult {
    #[derive(Default)]
    struct Cell {
        values: Vec<f64>,
        steps: Vec<f64>,
    }
    let kinds: Vec<NumberKind> = members.iter().map(|(block, column)| block.kind(*column)).collect();
    let has_steps = kinds.iter().all(|kind| *kind != NumberKind::Level);
    let mut cells: BTreeMap<Nanos, Cell> = BTreeMap::new();
    let mut merged = SeriesPoints::default();
    let mut points = SeriesPoints::default();
    for &(block, column) in members {
        points.gather(block, column, at);
        merged.next = merged.next.into_iter().chain(points.next).min();
        for (i, &time) in points.times.iter().enumerate() {
            let cell = cells.entry(time).or_default();
            cell.values.push(points.values[i]);
            // A member's first point has no step of its own.
            cell.steps.push(if i == 0 { 0.0 } else { points.steps.get(i).copied().unwrap_or(0.0) });
        }
    }
    for (time, Cell { values, steps }) in cells {
        let total = sum_of(&values);
        merged.times.push(time);
        merged.values.push(if gauge { total / values.len() as f64 } else { total });
        if has_steps {
            merged.steps.push(sum_of(&steps));
        }
    }
    // Steps have been added up; where there are none, the values have.
    let kind = match has_steps {
        true => NumberKind::Delta { monotonic: kinds.iter().all(|kind| kind.is_monotonic()) },
        false => NumberKind::Level,
    };
    let frame = merged.frame(at, request.length, min_coverage);
    WindowResult::of(&frame, || merged.aggregate(&frame, request, kind))
}

/// Evaluates the histogram series `members` as one.
pub fn evaluate_histograms(
    members: &[&HistogramSeries],
    at: Nanos,
    request: &WindowRequest,
    min_coverage: f64,
) -> WindowResult {
    let mut links: BTreeMap<Nanos, HistogramLink> = BTreeMap::new();
    let mut bounds: BTreeMap<Nanos, StepBuckets> = BTreeMap::new();
    let mut merged = HistogramChain::default();
    for series in members {
        let chain = HistogramChain::of_series(series, at);
        merged.next = merged.next.into_iter().chain(chain.next).min();
        for (link, point) in chain.links.into_iter().zip(&series.points) {
            let own = StepBuckets::of(&point.value.buckets);
            let mixed = bounds.get(&link.time).is_some_and(|other| !other.fits(&own));
            bounds.entry(link.time).or_insert(own);
            let link = HistogramLink { mixed, ..link };
            match links.remove(&link.time) {
                None => links.insert(link.time, link),
                Some(other) => links.insert(link.time, add(other, link)),
            };
        }
    }
    merged.links = links.into_values().collect();
    merged.evaluate(at, request, min_coverage)
}

fn add(a: HistogramLink, b: HistogramLink) -> HistogramLink {
    let both = |a: Option<f64>, b: Option<f64>, worse: fn(f64, f64) -> f64| a.into_iter().chain(b).reduce(worse);
    let (min, max) = (both(a.min, b.min, f64::min), both(a.max, b.max, f64::max));
    let step = match (a.step, b.step) {
        (Some(mut a), Some(b)) => {
            a.count = a.count.saturating_add(b.count);
            a.sum = a.sum.zip(b.sum).map(|(a, b)| a + b);
            a.buckets = a.buckets.plus(&b.buckets);
            Some(a)
        }
        (a, b) => a.or(b),
    };
    HistogramLink { time: a.time, step, min, max, mixed: a.mixed || b.mixed }
}
