//! Steps of histograms: differences, totals, percentiles.

use super::window::exact_sum;
use foreshock::model::{Buckets, ExponentialBuckets, Histogram, Temporality};
use std::collections::BTreeMap;

/// What one point adds to the one before. A number is a step whose `sum` is that number.
#[derive(Clone, Debug)]
pub struct Step {
    pub count: f64,
    pub sum: Option<f64>,
    pub buckets: BucketStep,
}

#[derive(Clone, Debug, PartialEq)]
pub enum BucketStep {
    Nothing,
    Explicit { bounds: Vec<f64>, counts: Vec<f64> },
    Exponential { scale: i32, zero: f64, positive: BTreeMap<i64, f64>, negative: BTreeMap<i64, f64> },
}

impl Step {
    pub fn nothing() -> Step {
        Step::of_number(0.0)
    }

    pub fn of_number(value: f64) -> Step {
        Step { count: 0.0, sum: Some(value), buckets: BucketStep::Nothing }
    }

    pub fn number(&self) -> f64 {
        self.sum.expect("a number's step")
    }

    /// Both steps together; `None` when their bounds differ.
    pub fn plus(&self, other: &Step) -> Option<Step> {
        let sum = self.sum.zip(other.sum).map(|(a, b)| exact_sum(&[a, b]));
        Some(Step { count: self.count + other.count, sum, buckets: self.buckets.plus(&other.buckets)? })
    }
}

impl BucketStep {
    fn plus(&self, other: &BucketStep) -> Option<BucketStep> {
        use BucketStep::{Explicit, Exponential, Nothing};
        match (self, other) {
            (Nothing, any) | (any, Nothing) => Some(any.clone()),
            (Explicit { bounds, counts }, Explicit { bounds: bounds2, counts: counts2 }) => {
                let fit = bounds == bounds2 && counts.len() == counts2.len();
                let counts = counts.iter().zip(counts2).map(|(a, b)| a + b).collect();
                fit.then(|| Explicit { bounds: bounds.clone(), counts })
            }
            (Exponential { scale, .. }, Exponential { scale: scale2, .. }) => {
                let scale = *scale.min(scale2);
                let (one, two) = (self.at_scale(scale), other.at_scale(scale));
                let add = |a: &BTreeMap<i64, f64>, b: &BTreeMap<i64, f64>| {
                    let mut all = a.clone();
                    b.iter().for_each(|(index, count)| *all.entry(*index).or_default() += count);
                    all
                };
                match (one, two) {
                    (
                        Exponential { zero: z1, positive: p1, negative: n1, .. },
                        Exponential { zero: z2, positive: p2, negative: n2, .. },
                    ) => Some(Exponential { scale, zero: z1 + z2, positive: add(&p1, &p2), negative: add(&n1, &n2) }),
                    _ => unreachable!("both are exponential"),
                }
            }
            _ => unreachable!("one series has one kind"),
        }
    }

    /// The exponential buckets at a smaller scale: each step down joins neighbours.
    fn at_scale(&self, smaller: i32) -> BucketStep {
        let BucketStep::Exponential { scale, zero, positive, negative } = self else {
            unreachable!("exponential only")
        };
        let join = |buckets: &BTreeMap<i64, f64>| {
            let mut out: BTreeMap<i64, f64> = BTreeMap::new();
            for (index, count) in buckets {
                let width = 1i64.checked_shl((scale - smaller) as u32).unwrap_or(i64::MAX);
                *out.entry(index.div_euclid(width)).or_default() += count;
            }
            out
        };
        BucketStep::Exponential { scale: smaller, zero: *zero, positive: join(positive), negative: join(negative) }
    }
}

/// The whole of a histogram as a step.
pub fn whole(histogram: &Histogram) -> Step {
    let run = |buckets: &ExponentialBuckets| {
        let counts = buckets.counts.iter().enumerate();
        counts.map(|(k, count)| (i64::from(buckets.offset) + k as i64, *count as f64)).collect::<BTreeMap<_, _>>()
    };
    let buckets = match &histogram.buckets {
        Buckets::Explicit { bounds, counts } => {
            BucketStep::Explicit { bounds: bounds.clone(), counts: counts.iter().map(|c| *c as f64).collect() }
        }
        Buckets::Exponential { scale, zero_count, positive, negative } => BucketStep::Exponential {
            scale: *scale,
            zero: *zero_count as f64,
            positive: run(positive),
            negative: run(negative),
        },
    };
    Step { count: histogram.count as f64, sum: histogram.sum, buckets }
}

/// The step from one histogram point to the next.
pub fn step(
    temporality: Temporality,
    (before_time, before): (i64, &Histogram),
    before_start: i64,
    start: i64,
    now: &Histogram,
) -> Step {
    let new = whole(now);
    if temporality == Temporality::Delta {
        return new;
    }
    let old = whole(before);
    if start != before_start && start > before_time {
        return new;
    }
    let minus = |a: f64, b: f64| a - b;
    let negated = |step: &BucketStep| -> BucketStep {
        let flip = |buckets: &BTreeMap<i64, f64>| buckets.iter().map(|(i, c)| (*i, minus(0.0, *c))).collect();
        match step {
            BucketStep::Nothing => BucketStep::Nothing,
            BucketStep::Explicit { bounds, counts } => {
                BucketStep::Explicit { bounds: bounds.clone(), counts: counts.iter().map(|c| -c).collect() }
            }
            BucketStep::Exponential { scale, zero, positive, negative } => BucketStep::Exponential {
                scale: *scale,
                zero: -zero,
                positive: flip(positive),
                negative: flip(negative),
            },
        }
    };
    let Some(buckets) = new.buckets.plus(&negated(&old.buckets)) else { return new };
    let falls = match &buckets {
        BucketStep::Nothing => false,
        BucketStep::Explicit { counts, .. } => counts.iter().any(|c| *c < 0.0),
        BucketStep::Exponential { zero, positive, negative, .. } => {
            *zero < 0.0 || positive.values().chain(negative.values()).any(|c| *c < 0.0)
        }
    };
    if falls || new.count < old.count {
        return new;
    }
    let sum = new.sum.zip(old.sum).map(|(a, b)| a - b);
    Step { count: new.count - old.count, sum, buckets }
}

/// The percentile of the bucket increases, linear inside the bucket.
pub fn percentile(total: &Step, q: f64) -> Option<f64> {
    // (lower edge, upper edge, count), from the lowest.
    let mut buckets: Vec<(f64, f64, f64)> = Vec::new();
    match &total.buckets {
        BucketStep::Nothing => return None,
        BucketStep::Explicit { bounds, counts } => {
            let (first, last) = (*bounds.first()?, *bounds.last()?);
            for (i, count) in counts.iter().enumerate() {
                let lower = if i == 0 { first.min(0.0) } else { bounds[i - 1] };
                let upper = bounds.get(i).copied().unwrap_or(last);
                buckets.push((lower, upper, *count));
            }
        }
        BucketStep::Exponential { scale, zero, positive, negative } => {
            let edge = |index: i64| (index as f64 * (-f64::from(*scale)).exp2()).exp2();
            for (index, count) in negative.iter().rev() {
                buckets.push((-edge(index + 1), -edge(*index), *count));
            }
            buckets.push((0.0, 0.0, *zero));
            for (index, count) in positive {
                buckets.push((edge(*index), edge(index + 1), *count));
            }
        }
    }
    let count: f64 = buckets.iter().map(|bucket| bucket.2).sum();
    if count <= 0.0 {
        return None;
    }
    let rank = q * count;
    let mut below = 0.0;
    for (lower, upper, count) in buckets {
        if below + count >= rank && count > 0.0 {
            return Some(lower + (upper - lower) * ((rank - below) / count));
        }
        below += count;
    }
    None
}
