//! Random small worlds: a few series with gaps, resets, duplicates, late and odd points, and definitions that look at
//! them. Values are halves of small integers, so that sums are exact whatever their order; thresholds of aggregates that
//! round lie off every value that can come out.

use crate::generate::{Arrival, BASE, Point, PointValue, S, set, text};
use foreshock::engine::{Counters, Options, SeriesMode, Timestamps};
use foreshock::model::{Attributes, Buckets, ExponentialBuckets, Histogram, Kind, MetricIdentity, Temporality, Value};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

/// Everything one run needs.
#[derive(Clone, Debug)]
pub struct World {
    pub options: Options,
    /// Name and JSON of each definition.
    pub definitions: Vec<(String, serde_json::Value)>,
    pub arrivals: Vec<Arrival>,
}

/// A series as it is generated.
#[derive(Clone, Debug)]
struct Plan {
    resource: usize,
    metric: usize,
    attributes: usize,
    interval: i64,
    phase: i64,
    slots: Vec<Slot>,
    second_bounds: bool,
}

/// One export of a series.
#[derive(Clone, Debug)]
struct Slot {
    kind: SlotKind,
    /// What it adds, or for gauges its value, in halves.
    amount: i64,
    jitter: i64,
    late: i64,
    twice: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum SlotKind {
    Point,
    Gap,
    /// The process starts anew: a new start time, counters from zero.
    Restart,
    /// A new start time and no fall.
    NewStart,
    NotFinite,
    Flagged,
    Missing,
    Malformed,
    NoTime,
    Future,
    /// Later than its arrival, but not too much.
    Ahead,
    Summary,
    /// A start time that makes no sense.
    OddStart,
    /// Nothing is exported for twenty minutes.
    Silence,
}

pub fn resources() -> [Attributes; 5] {
    [
        set(&[("service.name", text("a")), ("service.instance.id", text("1"))]),
        set(&[("service.name", text("a")), ("service.instance.id", text("1")), ("extra", text("x"))]),
        set(&[
            ("service.name", text("b")),
            ("service.instance.id", Value::Int(1)),
            ("service.namespace", text("n")),
            ("telemetry.sdk.language", text("python")),
        ]),
        set(&[("service.name", text("c"))]),
        set(&[("service.name", text("b")), ("service.instance.id", text("1"))]),
    ]
}

pub fn metrics() -> Vec<MetricIdentity> {
    use Kind::{ExponentialHistogram, Gauge, Histogram, Sum};
    use Temporality::{Cumulative, Delta};
    let one = |scope: &str, name: &str, kind, temporality, monotonic| MetricIdentity {
        scope: scope.into(),
        name: name.into(),
        kind,
        temporality,
        monotonic,
    };
    vec![
        one("app", "g", Gauge, Cumulative, false),
        one("lib/x", "g", Gauge, Cumulative, false),
        one("app", "c", Sum, Cumulative, true),
        one("", "c", Sum, Cumulative, true),
        one("app", "c", Sum, Delta, true),
        one("app", "u", Sum, Cumulative, false),
        one("app", "e", Sum, Delta, false),
        one("app", "h", Histogram, Cumulative, false),
        one("app", "h", Histogram, Delta, false),
        one("app", "x", ExponentialHistogram, Cumulative, false),
        one("app", "x", ExponentialHistogram, Delta, false),
        one("app", "fs.a.free", Gauge, Cumulative, false),
    ]
}

fn attribute_sets() -> [Attributes; 4] {
    [
        Attributes::default(),
        set(&[("k", text("v"))]),
        set(&[("k", text("w")), ("n", Value::Int(1))]),
        set(&[("k", text("w")), ("n", text("1"))]),
    ]
}

fn slot() -> impl Strategy<Value = Slot> {
    use SlotKind::*;
    let kind = prop_oneof![
        40 => Just(Point),
        5 => Just(Gap),
        2 => Just(Restart),
        1 => Just(NewStart),
        1 => select(vec![NotFinite, Flagged, Missing, Malformed, NoTime, Future, Ahead, Summary, OddStart, OddStart, Silence]),
    ];
    let late = prop_oneof![20 => Just(0i64), 2 => 1..15i64, 1 => 15..200i64];
    (kind, -3..12i64, prop_oneof![3 => Just(0i64), 1 => -400..400i64], late, prop::bool::weighted(0.05))
        .prop_map(|(kind, amount, jitter, late, twice)| Slot { kind, amount, jitter, late, twice })
}

/// Series of one family look alike to some rule, so that a world is about something.
struct Family {
    metrics: &'static [usize],
    ids: &'static [&'static str],
}

const FAMILIES: [Family; 6] = [
    Family {
        metrics: &[0, 0, 1, 11],
        ids: &[
            "metrics.gauges.app/g",
            "metrics.gauges.g",
            "metrics.gauges.g",
            "metrics.gauges.g{}",
            "metrics.gauges.app/g{k=\"v\"}",
            "metrics.gauges.lib/x/g",
            "metrics.gauges.g{n=\"1\",k=\"w\"}",
            "pattern",
        ],
    },
    Family {
        metrics: &[2, 2, 3, 4],
        ids: &["metrics.sums.app/c", "metrics.sums.c", "metrics.sums.c", "metrics.sums.c{}"],
    },
    Family { metrics: &[5, 5, 6], ids: &["metrics.sums.app/u", "metrics.sums.u", "metrics.sums.e"] },
    Family {
        metrics: &[7, 7, 8],
        ids: &["metrics.histograms.app/h", "metrics.histograms.h", "metrics.histograms.h{}"],
    },
    Family { metrics: &[9, 9, 10], ids: &["metrics.histograms.x", "metrics.histograms.app/x"] },
    Family {
        metrics: &[0, 2, 4, 5, 7, 9],
        ids: &["metrics.gauges.g", "metrics.sums.c", "metrics.sums.u", "metrics.histograms.h", "metrics.histograms.x"],
    },
];

fn plan(family: usize, interval: i64) -> impl Strategy<Value = Plan> {
    (
        prop_oneof![3 => Just(0usize), 2 => 0..resources().len()],
        select(FAMILIES[family].metrics),
        prop_oneof![2 => Just(0usize), 1 => 1..4usize],
        prop_oneof![4 => Just(interval), 1 => select(vec![1i64, 5, 10, 60])],
        prop_oneof![3 => Just(0i64), 1 => 1..9_999i64],
        prop_oneof![
            3 => prop::collection::vec(slot(), 1..12),
            12 => prop::collection::vec(slot(), 12..50),
            1 => prop::collection::vec(slot(), 150..300),
        ],
        prop::bool::weighted(0.1),
        prop_oneof![2 => Just(0i64), 1 => 0..60i64],
    )
        .prop_map(|(resource, metric, attributes, interval, phase, mut slots, second_bounds, begin)| {
            slots.truncate((900 / interval) as usize);
            let phase = phase * (S / 1_000) + begin * S;
            Plan { resource, metric, attributes, interval: interval * S, phase, slots, second_bounds }
        })
}

/// What a histogram series has counted so far.
#[derive(Clone, Default)]
struct Tally {
    explicit: Vec<u64>,
    exponential: BTreeMap<i32, u64>,
    zero: u64,
    negative: BTreeMap<i32, u64>,
    sum: f64,
}

impl Plan {
    /// The points with the instants they arrive at.
    fn points(&self) -> Vec<(i64, Point)> {
        let metric = metrics()[self.metric].clone();
        let delta = metric.temporality == Temporality::Delta;
        let mut out = Vec::new();
        let (mut total, mut tally, mut start) = (0i64, Tally::default(), BASE + self.phase - 1);
        let mut previous = start;
        let mut silent = 0;
        for (i, slot) in self.slots.iter().enumerate() {
            if slot.kind == SlotKind::Silence {
                silent += 1_200 * S;
            }
            let clean = BASE + self.phase + i as i64 * self.interval + silent;
            let mut time = clean + slot.jitter * (self.interval / 1_600);
            let restarts = matches!(slot.kind, SlotKind::Restart | SlotKind::NewStart);
            if slot.kind == SlotKind::Restart {
                (total, tally) = (0, Tally::default());
            }
            let gains = if metric.monotonic && !delta { slot.amount.max(0) } else { slot.amount };
            total += gains;
            tally.observe(slot.amount, self.second_bounds && i.is_multiple_of(3), delta);
            if slot.kind == SlotKind::Gap {
                continue;
            }
            if restarts {
                start = time - 2_000_000;
            }
            let start = match (delta, metric.kind) {
                (_, Kind::Gauge) => 0,
                _ if slot.kind == SlotKind::OddStart => time + (slot.amount - 3) * S,
                (true, _) if restarts => time - 2_000_000,
                (true, _) => previous,
                (false, _) => start,
            };
            previous = time;
            let number = match (metric.kind, delta) {
                (Kind::Gauge, _) | (_, true) => slot.amount,
                _ => total,
            };
            let value = self.value(slot, number, &tally, metric.kind, i);
            match slot.kind {
                SlotKind::NoTime => time = 0,
                SlotKind::Future => time += 400 * S,
                SlotKind::Ahead => time += 20 * S,
                _ => {}
            }
            let at = clean.max(if slot.kind == SlotKind::Point { time } else { clean }) + slot.late * S;
            let point = Point {
                resource: resources()[self.resource].clone(),
                metric: metric.clone(),
                attributes: attribute_sets()[self.attributes].clone(),
                time,
                start,
                value,
            };
            if slot.twice {
                out.push((at + 3 * S, point.clone()));
            }
            out.push((at, point));
        }
        out
    }

    fn value(&self, slot: &Slot, number: i64, tally: &Tally, kind: Kind, i: usize) -> PointValue {
        let histogram = kind.is_histogram();
        match slot.kind {
            SlotKind::Flagged => PointValue::Flagged,
            SlotKind::Missing if !histogram => PointValue::Missing,
            SlotKind::Summary => PointValue::Summary,
            SlotKind::NotFinite if !histogram => {
                PointValue::Double([f64::NAN, f64::INFINITY, f64::NEG_INFINITY][i % 3])
            }
            _ if !histogram && number % 2 == 0 => PointValue::Int(number / 2),
            _ if !histogram => PointValue::Double(number as f64 / 2.0),
            _ => {
                let mut histogram = tally.histogram(kind, self.second_bounds && i.is_multiple_of(3), slot.amount);
                match slot.kind {
                    SlotKind::NotFinite => histogram.sum = Some(f64::NAN),
                    SlotKind::Malformed if kind == Kind::Histogram => {
                        histogram.buckets = Buckets::Explicit { bounds: vec![1.0], counts: vec![1] };
                    }
                    SlotKind::Missing => histogram.sum = None,
                    _ => {}
                }
                PointValue::Histogram(histogram)
            }
        }
    }
}

impl Tally {
    fn observe(&mut self, amount: i64, second: bool, delta: bool) {
        if delta {
            *self = Tally::default();
        }
        let n = amount.max(0) as u64;
        let length = if second { 3 } else { 4 };
        if self.explicit.len() != length {
            self.explicit = vec![0; length];
        }
        for k in 0..n as usize {
            self.explicit[(k * 2 + n as usize) % length] += 1;
            *self.exponential.entry((k as i32 * 3 + n as i32) % 9 - 4).or_default() += 1;
        }
        self.zero += n / 4;
        if n > 6 {
            *self.negative.entry(n as i32 % 3).or_default() += 1;
        }
        self.sum += amount as f64 / 2.0;
    }

    fn histogram(&self, kind: Kind, second: bool, amount: i64) -> Histogram {
        let total = |buckets: &BTreeMap<i32, u64>| buckets.values().sum::<u64>();
        let extremes = if amount > 0 { Some((amount as f64 / 2.0, amount as f64 * 2.0)) } else { None };
        let run = |buckets: &BTreeMap<i32, u64>, halved: bool| {
            let mut joined: BTreeMap<i32, u64> = BTreeMap::new();
            for (index, count) in buckets {
                *joined.entry(if halved { index.div_euclid(2) } else { *index }).or_default() += count;
            }
            let offset = joined.keys().next().copied().unwrap_or(0);
            let last = joined.keys().next_back().map_or(offset - 1, |last| *last);
            let counts = (offset..=last).map(|index| joined.get(&index).copied().unwrap_or(0)).collect();
            ExponentialBuckets { offset, counts }
        };
        let (count, buckets) = if kind == Kind::Histogram {
            let bounds = if second { vec![2.0, 8.0] } else { vec![-1.0, 5.0, 10.0] };
            let counts = self.explicit.clone();
            (counts.iter().sum(), Buckets::Explicit { bounds, counts })
        } else {
            let halved = amount % 5 == 0;
            let buckets = Buckets::Exponential {
                scale: if halved { 0 } else { 1 },
                zero_count: self.zero,
                positive: run(&self.exponential, halved),
                negative: run(&self.negative, halved),
            };
            (total(&self.exponential) + total(&self.negative) + self.zero, buckets)
        };
        Histogram { count, sum: Some(self.sum), min: extremes.map(|e| e.0), max: extremes.map(|e| e.1), buckets }
    }
}

/// Points as arrivals: what arrives at one instant comes in one body, or now and then in two.
fn arrivals(plans: &[Plan], split: u64, backwards: bool) -> Vec<Arrival> {
    let mut placed: Vec<(i64, Point)> = plans.iter().flat_map(Plan::points).collect();
    placed.sort_by_key(|(at, _)| *at);
    let bodies = placed.chunk_by(|a, b| a.0 == b.0);
    let mut out: Vec<Arrival> = Vec::new();
    for (i, body) in bodies.enumerate() {
        let points: Vec<Point> = body.iter().map(|(_, point)| point.clone()).collect();
        let cut = if (split >> (i % 60)) & 1 == 1 { points.len() / 2 } else { 0 };
        let at = body[0].0 - if backwards && i % 7 == 6 { 5 * S } else { 0 };
        for part in [&points[..cut], &points[cut..]].into_iter().filter(|part| !part.is_empty()) {
            out.push(Arrival { at: Some(at), points: part.to_vec() });
        }
    }
    out
}

fn rule(family: usize, interval: i64) -> impl Strategy<Value = serde_json::Value> {
    let ids = FAMILIES[family].ids;
    let aggregation = select(vec![
        "avg",
        "sum",
        "min",
        "max",
        "p50",
        "p90",
        "p99",
        "p25",
        "rate",
        "delta",
        "count",
        "absolute_diff",
        "relative_diff",
        "rate",
        "delta",
        "avg",
    ]);
    let windows = [1, 2, 3, 4, 6, 6, 9, 12].map(|n| (n * interval * 1_000).clamp(1_000, 300_000));
    let window = prop_oneof![6 => select(windows.to_vec()), 1 => select(vec![1_000i64, 15_000, 45_000, 300_000])];
    let rollup = prop_oneof![4 => Just(0i64), 1 => select(vec![5_000i64, 7_000, 10_000, 30_000, 60_000])];
    let operator = select(vec![">", ">=", "<", "<=", "=", "!=", "==", ">", "<"]);
    (select(ids.to_vec()), aggregation, window, rollup, operator, -4..24i64, select(vec![5i64, 10])).prop_map(
        |(id, aggregation, window, rollup, operator, threshold, severity)| {
            let exact =
                ["min", "max", "count"].contains(&aggregation) || (aggregation == "absolute_diff" && rollup == 0);
            let equality = ["=", "!=", "=="].contains(&operator);
            let aggregation = if equality && !exact { "max" } else { aggregation };
            let rounds = !exact || (rollup != 0 && aggregation != "count");
            let value = threshold as f64 / 2.0 + if rounds && !equality { 0.012_34 } else { 0.0 };
            let rollup = if equality && aggregation != "count" { 0 } else { rollup };
            let mut rule = serde_json::json!({
                "ruleType": "threshold", "aggregation": aggregation, "window": window, "rollup": rollup,
                "conditionOperator": operator, "conditionValue": value, "severity": severity,
            });
            if id == "pattern" {
                rule["metricPattern"] = serde_json::json!({
                    "prefix": "metrics.gauges.app/fs", "operator": "startsWith", "placeholder": "a", "postfix": "free",
                });
            } else {
                rule["metricName"] = id.into();
            }
            rule
        },
    )
}

fn definition(family: usize, interval: i64) -> impl Strategy<Value = serde_json::Value> {
    let query = prop_oneof![
        5 => Just(""),
        1 => Just("entity.service.name:a"),
        1 => Just("NOT otel.attribute.extra:x"),
        1 => Just("entity.type:pythonRuntime OR entity.label:\"a (1)\""),
    ];
    let expiration = select(vec![0i64, 10_000, 30_000, 60_000, 5_000]);
    (prop::collection::vec(rule(family, interval), 1..3), query, expiration, any::<bool>(), prop::bool::weighted(0.05))
        .prop_map(|(rules, query, expiration, or, disabled)| {
            serde_json::json!({
                "name": "d", "entityType": "openTelemetry", "query": query, "expirationTime": expiration,
                "enabled": !disabled, "ruleLogicalOperator": if or { "OR" } else { "AND" }, "rules": rules,
            })
        })
}

pub fn options() -> impl Strategy<Value = Options> {
    let step = prop_oneof![6 => Just(None), 1 => select(vec![Some(S), Some(7 * S), Some(10 * S), Some(30 * S)])];
    let coverage = prop_oneof![4 => Just(0.9), 1 => select(vec![0.0, 0.5, 0.75, 1.0])];
    (step, any::<bool>(), any::<bool>(), prop::bool::weighted(0.1), coverage).prop_map(
        |(step, merge, increase, arrival, min_coverage)| Options {
            step,
            series: if merge { SeriesMode::Merge } else { SeriesMode::Each },
            counters: if increase { Counters::Increase } else { Counters::Raw },
            timestamps: if arrival { Timestamps::Arrival } else { Timestamps::Event },
            min_coverage,
            ..Options::default()
        },
    )
}

pub fn world() -> impl Strategy<Value = World> {
    let about = (0..FAMILIES.len(), select(vec![1i64, 5, 7, 10, 10, 30, 60]));
    about
        .prop_flat_map(|(family, interval)| {
            (
                options(),
                prop::collection::vec(definition(family, interval), 1..4),
                prop::collection::vec(plan(family, interval), 1..6),
                any::<u64>(),
                prop::bool::weighted(0.1),
                prop::bool::weighted(0.05),
            )
        })
        .prop_map(|(options, definitions, plans, split, backwards, timeless)| {
            let mut arrivals = arrivals(&plans, split, backwards);
            if timeless && options.timestamps == Timestamps::Event {
                arrivals.splice(0..0, arrivals.first().map(without_times));
            }
            let named = definitions.into_iter().enumerate().map(|(i, d)| (format!("d{i}"), d));
            World { options, definitions: named.collect(), arrivals }
        })
}

/// The body as a client without a clock would send it: it says nothing about when it arrived.
fn without_times(arrival: &Arrival) -> Arrival {
    let points = arrival.points.iter().map(|point| Point { time: 0, ..point.clone() });
    Arrival { at: None, points: points.collect() }
}
