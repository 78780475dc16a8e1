//! Section 5: the aggregate of one series over one window, from the whole list of its points, every time anew.

use super::definition::Rule;
use super::histogram::{Step, percentile as bucket_percentile};
use foreshock::engine::{Counters, Options};
use foreshock::model::{Histogram, Kind, MetricIdentity, Temporality};

/// One point of a series (or of a merged one) with its step.
#[derive(Clone, Debug)]
pub struct Observation {
    pub time: i64,
    /// The number of a gauge or sum.
    pub value: f64,
    /// Its histograms: one, or one per member of a merged series.
    pub histograms: Vec<Histogram>,
    /// The step from the previous point; `None` for the first one, and for gauges and non-monotonic cumulative sums.
    pub step: Option<Step>,
    /// Members of a merged series have different bounds here.
    pub clash: bool,
}

/// What a window holds.
#[derive(Debug, PartialEq)]
pub enum Found {
    Nothing,
    WarmingUp,
    NoValue,
    Value { value: f64, points: usize },
}

/// Judges the window that ends at `at`. `observations` are all points known by then, in the order of time.
pub fn judge(rule: &Rule, metric: &MetricIdentity, observations: &[Observation], at: i64, options: &Options) -> Found {
    let edge = at - rule.window;
    let inside: Vec<&Observation> = observations.iter().filter(|o| o.time > edge && o.time <= at).collect();
    let older = observations.iter().rfind(|o| o.time <= edge);
    let (Some(first), Some(last)) = (inside.first(), inside.last()) else { return Found::Nothing };
    let Some(interval) = sampling_interval(observations, at) else { return Found::WarmingUp };

    let bridged = older.is_some_and(|older| 2 * (first.time - older.time) <= rule.window);
    let begin = if bridged { edge } else { first.time };
    let covered = last.time - begin + interval;
    if (covered as f64) < options.min_coverage * rule.window as f64 {
        return Found::WarmingUp;
    }

    let baseline = older.filter(|older| edge - older.time <= 2 * interval);
    let value = if metric.kind.is_histogram() {
        histogram_value(rule, &inside, baseline)
    } else {
        number_value(rule, metric, &inside, baseline, options)
    };
    match value.filter(|value| value.is_finite()) {
        Some(value) => Found::Value { value, points: inside.len() },
        None => Found::NoValue,
    }
}

/// Lower median of the gaps between the newest 16 points up to `at`.
fn sampling_interval(observations: &[Observation], at: i64) -> Option<i64> {
    let times: Vec<i64> = observations.iter().map(|o| o.time).filter(|time| *time <= at).collect();
    let newest = &times[times.len().saturating_sub(16)..];
    let mut gaps: Vec<i64> = newest.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    let middle = gaps.len().checked_sub(1)? / 2;
    Some(gaps[middle])
}

/// The points whose steps count: all inside, but for the first of the chain when there is no baseline.
fn counted<'a>(inside: &[&'a Observation], baseline: Option<&Observation>) -> Vec<&'a Observation> {
    inside[usize::from(baseline.is_none())..].to_vec()
}

fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

fn number_value(
    rule: &Rule,
    metric: &MetricIdentity,
    inside: &[&Observation],
    baseline: Option<&Observation>,
    options: &Options,
) -> Option<f64> {
    let has_steps = metric.kind == Kind::Sum && (metric.monotonic || metric.temporality == Temporality::Delta);
    let steps: Vec<f64> = match has_steps {
        true => counted(inside, baseline).iter().filter_map(|o| o.step.as_ref()).map(Step::number).collect(),
        false => Vec::new(),
    };
    let start = baseline.unwrap_or(inside[0]);
    let last = inside[inside.len() - 1];
    let increase = if has_steps { exact_sum(&steps) } else { last.value - start.value };
    match rule.aggregation.as_str() {
        "delta" => return Some(increase),
        "rate" if last.time == start.time => return None,
        "rate" => return Some(increase / seconds(last.time - start.time)),
        _ => {}
    }
    let stored: Vec<(i64, f64)> = if options.counters == Counters::Increase && metric.monotonic {
        counted(inside, baseline).iter().filter_map(|o| Some((o.time, o.step.as_ref()?.number()))).collect()
    } else {
        inside.iter().map(|o| (o.time, o.value)).collect()
    };
    let values = rolled_up(&stored, rule.rollup);
    match rule.aggregation.as_str() {
        "sum" => Some(exact_sum(&values)),
        "count" => Some(values.len() as f64),
        "avg" => (!values.is_empty()).then(|| exact_sum(&values) / values.len() as f64),
        "min" => values.iter().copied().reduce(f64::min),
        "max" => values.iter().copied().reduce(f64::max),
        "absolute_diff" => Some(values.last()? - values.first()?),
        "relative_diff" => {
            let (first, last) = (values.first()?, values.last()?);
            (*first != 0.0).then(|| (last - first) / first.abs())
        }
        percentile => number_percentile(values, quantile(percentile)),
    }
}

fn quantile(aggregation: &str) -> f64 {
    aggregation[1..].parse::<f64>().expect("a percentile") / 100.0
}

fn rolled_up(stored: &[(i64, f64)], rollup: i64) -> Vec<f64> {
    if rollup == 0 {
        return stored.iter().map(|(_, value)| *value).collect();
    }
    let bucket = |time: i64| (time - 1).div_euclid(rollup);
    let buckets = stored.chunk_by(|a, b| bucket(a.0) == bucket(b.0));
    buckets
        .map(|points| {
            let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
            exact_sum(&values) / values.len() as f64
        })
        .collect()
}

fn number_percentile(mut values: Vec<f64>, q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = q * (values.len().checked_sub(1)?) as f64;
    let below = rank.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    Some(values[below] + (values[above] - values[below]) * (rank - rank.floor()))
}

fn histogram_value(rule: &Rule, inside: &[&Observation], baseline: Option<&Observation>) -> Option<f64> {
    if inside.iter().any(|o| o.clash) {
        return None;
    }
    let histograms = inside.iter().flat_map(|o| &o.histograms);
    match rule.aggregation.as_str() {
        "min" => return histograms.filter_map(|h| h.min).reduce(f64::min),
        "max" => return histograms.filter_map(|h| h.max).reduce(f64::max),
        "absolute_diff" | "relative_diff" => return None,
        _ => {}
    }
    let mut total = Step::nothing();
    for step in counted(inside, baseline).iter().filter_map(|o| o.step.as_ref()) {
        total = total.plus(step)?;
    }
    let start = baseline.unwrap_or(inside[0]);
    let elapsed = inside[inside.len() - 1].time - start.time;
    match rule.aggregation.as_str() {
        "count" | "delta" => Some(total.count),
        "sum" => total.sum,
        "avg" => (total.count != 0.0).then_some(total.sum? / total.count),
        "rate" => (elapsed != 0).then(|| total.count / seconds(elapsed)),
        percentile => bucket_percentile(&total, quantile(percentile)),
    }
}

/// The sum without rounding on the way: the partial sums never overlap, so nothing is lost.
pub fn exact_sum(values: &[f64]) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for value in values {
        let mut x = *value;
        let mut kept = Vec::new();
        for mut y in partials {
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                kept.push(low);
            }
            x = high;
        }
        kept.push(x);
        partials = kept;
    }
    partials.iter().rev().sum()
}
