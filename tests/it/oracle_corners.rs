//! Corners of the semantics that random worlds reach too rarely: windows of one point after an outage, histograms that
//! lack something, members of a merged series that do not fit. Engine and oracle must agree on each.

use crate::generate::{Arrival, BASE, Point, PointValue, S, set, text};
use crate::oracle::document;
use crate::oracle_engine::{Step, definitions, oracle, run};
use crate::oracle_worlds::{World, metrics};
use foreshock::engine::{Counters, Options, SeriesMode};
use foreshock::model::{Attributes, Buckets, Histogram, Kind, MetricIdentity, Temporality};
use foreshock::otlp::Encoding;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Corner {
    Plain,
    /// The second member has other bounds.
    Clash,
    /// The second member gets other bounds on the way.
    LateClash,
    NoCounts,
    NoBounds,
    SumMissing,
    MinMissing,
    /// The second member's points lie ahead of their arrival.
    Ahead,
    /// The second member exports with the other temporality.
    Mixed,
    /// The second member exports now and then.
    Sparse,
}

const CORNERS: [Corner; 10] = [
    Corner::Plain,
    Corner::Clash,
    Corner::LateClash,
    Corner::NoCounts,
    Corner::NoBounds,
    Corner::SumMissing,
    Corner::MinMissing,
    Corner::Ahead,
    Corner::Mixed,
    Corner::Sparse,
];

impl Corner {
    fn is_of_histograms(self) -> bool {
        !matches!(self, Corner::Plain | Corner::Ahead | Corner::Mixed | Corner::Sparse)
    }
}

/// Regular exports, an outage of a minute, two of them, regular exports.
const TIMES: [i64; 16] = [0, 10, 20, 30, 40, 100, 110, 120, 180, 240, 250, 260, 270, 280, 290, 300];

fn histogram(corner: Corner, t: i64, second: bool) -> Histogram {
    let n = (t / 10) as u64;
    let bound = match corner {
        Corner::Clash if second => 2.0,
        Corner::LateClash if second && t >= 240 => 3.0,
        _ => 1.0,
    };
    let (bounds, counts) = match corner {
        Corner::NoCounts => (vec![bound], vec![]),
        Corner::NoBounds => (vec![], vec![2 * n]),
        _ => (vec![bound], vec![n, n]),
    };
    let lacks = t % 20 == 0;
    Histogram {
        count: 2 * n,
        sum: if corner == Corner::SumMissing && lacks { None } else { Some(t as f64) },
        min: if corner == Corner::MinMissing && lacks { None } else { Some(1.0) },
        max: Some(t as f64),
        buckets: Buckets::Explicit { bounds, counts },
    }
}

/// One member's point at `t` seconds, if it has one.
fn point(corner: Corner, metric: &MetricIdentity, t: i64, second: bool) -> Option<Point> {
    let mut metric = metric.clone();
    let mut time = BASE + t * S;
    match corner {
        Corner::Ahead if second && t < 100 => return None,
        Corner::Ahead if second => time += 250 * S,
        Corner::Sparse if second && t % 40 != 0 => return None,
        Corner::Mixed if second => {
            metric.temporality = match metric.temporality {
                Temporality::Cumulative => Temporality::Delta,
                Temporality::Delta => Temporality::Cumulative,
            };
        }
        _ => {}
    }
    let value = if metric.kind.is_histogram() {
        PointValue::Histogram(histogram(corner, t, second))
    } else {
        PointValue::Int(if second { 2 * t } else { t })
    };
    Some(Point {
        resource: set(&[("service.name", text("a")), ("service.instance.id", text("1"))]),
        metric,
        attributes: if second { set(&[("k", text("v"))]) } else { Attributes::default() },
        time,
        start: BASE - S,
        value,
    })
}

fn arrivals(corner: Corner, metric: &MetricIdentity) -> Vec<Arrival> {
    TIMES
        .iter()
        .map(|t| Arrival {
            at: Some(BASE + t * S),
            points: [false, true].iter().filter_map(|second| point(corner, metric, *t, *second)).collect(),
        })
        .collect()
}

/// One definition per aggregation and window.
fn all_aggregations(metric: &MetricIdentity, rollup: i64) -> Vec<(String, serde_json::Value)> {
    let mut out = Vec::new();
    for aggregation in ["avg", "sum", "min", "max", "p50", "rate", "delta", "count", "absolute_diff", "relative_diff"] {
        for window in [10_000, 50_000] {
            let json = serde_json::json!({
                "name": "d", "entityType": "openTelemetry",
                "rules": [{
                    "ruleType": "threshold", "metricName": metric.id(), "aggregation": aggregation, "window": window,
                    "rollup": rollup, "severity": 5, "conditionOperator": ">", "conditionValue": 100,
                }],
            });
            out.push((format!("{aggregation}-{window}"), json));
        }
    }
    out
}

#[test]
fn corners() {
    let mut wrong = Vec::new();
    for corner in CORNERS {
        // What rate and delta mean is open where a merged level is cumulative and delta at once.
        let open =
            |metric: &MetricIdentity| corner == Corner::Mixed && !metric.monotonic && !metric.kind.is_histogram();
        let wanted = |metric: &&MetricIdentity| match metric.kind {
            Kind::Histogram => true,
            Kind::Gauge | Kind::Sum => metric.scope == "app" && !corner.is_of_histograms() && !open(metric),
            Kind::ExponentialHistogram | Kind::Summary => false,
        };
        for metric in metrics().iter().filter(wanted) {
            for (counters, series, rollup) in [
                (Counters::Raw, SeriesMode::Each, 0),
                (Counters::Raw, SeriesMode::Merge, 0),
                (Counters::Increase, SeriesMode::Each, 5_000),
                (Counters::Increase, SeriesMode::Merge, 0),
            ] {
                let options = Options { counters, series, ..Options::default() };
                let arrivals = arrivals(corner, metric);
                let world = World { options, definitions: all_aggregations(metric, rollup), arrivals };
                let steps: Vec<Step> = world.arrivals.iter().map(Step::of).collect();
                let (_, report) = run(definitions(&world), &world.options, Encoding::Protobuf, &steps);
                let got = document::of_report(&definitions(&world), &report);
                let differences = document::differences(&oracle(&world), &got);
                let name = format!("{corner:?} {} {:?} {counters:?} {series:?}", metric.id(), metric.temporality);
                wrong.extend(differences.into_iter().map(|difference| format!("{name}: {difference}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
