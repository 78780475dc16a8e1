//! Forgetting and limits: a service that runs for ever keeps what somebody may still ask for, and says no to what is too much.

use crate::generate::{Arrival, BASE, Point, PointValue, S, set, text};
use crate::oracle_engine::{Step, definitions, run};
use crate::oracle_worlds::{World, world};
use foreshock::definition::{self, EventDefinition};
use foreshock::engine::{DropReason, EvaluationReport, Options, Retention, Transition};
use foreshock::model::{Attributes, Kind, MetricIdentity, Temporality, Value};
use foreshock::otlp::Encoding;
use proptest::prelude::*;

const HOUR: i64 = 3600 * S;

/// The arrivals once more, so much later, with their resources as `rename` makes them.
fn later(arrivals: &[Arrival], by: i64, rename: impl Fn(&Attributes) -> Attributes) -> Vec<Arrival> {
    let shifted = |time: i64| if time == 0 { 0 } else { time + by };
    let point = |point: &Point| Point {
        resource: rename(&point.resource),
        time: shifted(point.time),
        start: shifted(point.start),
        ..point.clone()
    };
    arrivals
        .iter()
        .map(|arrival| Arrival { at: arrival.at.map(|at| at + by), points: arrival.points.iter().map(point).collect() })
        .collect()
}

fn with(resource: &Attributes, key: &str, value: &str) -> Attributes {
    let mut pairs: Vec<(String, Value)> =
        resource.iter().filter(|(known, _)| *known != key).map(|(k, v)| (k.to_string(), v.clone())).collect();
    pairs.push((key.to_string(), text(value)));
    Attributes::new(pairs)
}

fn steps(arrivals: &[Arrival]) -> Vec<Step> {
    arrivals.iter().map(Step::of).collect()
}

fn forgetful(options: &Options) -> Options {
    Options { retention: Retention { forget_after: Some(24 * HOUR), ..Retention::default() }, ..options.clone() }
}

fn judged(world: &World, options: &Options, arrivals: &[Arrival]) -> (Vec<Transition>, EvaluationReport) {
    run(definitions(world), options, Encoding::Protobuf, &steps(arrivals))
}

/// Everything a report says but how much is held at the moment.
fn said(mut report: EvaluationReport) -> String {
    (report.counts.series_now, report.counts.entities_now) = (0, 0);
    format!("{report:#?}")
}

/// A world whose bodies all have an instant.
fn timed_world() -> impl Strategy<Value = World> {
    world().prop_map(|mut world| {
        world.arrivals.retain(|arrival| arrival.at.is_some());
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Three generations of processes, days apart, each with names of its own.
    #[test]
    fn what_never_comes_back_is_forgotten_without_a_trace(world in timed_world()) {
        let mut arrivals = world.arrivals.clone();
        for generation in 1..3 {
            let renamed = |resource: &Attributes| with(resource, "service.instance.id", &format!("g{generation}"));
            arrivals.extend(later(&world.arrivals, generation * 60 * HOUR, renamed));
        }
        let (events, report) = judged(&world, &forgetful(&world.options), &arrivals);
        let (all_events, whole) = judged(&world, &world.options, &arrivals);
        prop_assert_eq!(format!("{events:?}"), format!("{all_events:?}"));
        prop_assert!(report.counts.series_now <= whole.counts.series_now);
        if whole.counts.series > 0 {
            prop_assert!(report.counts.series_now < whole.counts.series_now, "something is forgotten");
        }
        prop_assert_eq!(said(report), said(whole));
    }

    /// What comes back after it was forgotten is judged as if it had never been there.
    #[test]
    fn what_comes_back_is_new(world in timed_world()) {
        let again = later(&world.arrivals, 60 * HOUR, Attributes::clone);
        let (fresh, alone) = judged(&world, &world.options, &again);
        let both: Vec<Arrival> = world.arrivals.iter().chain(&again).cloned().collect();
        let (events, report) = judged(&world, &forgetful(&world.options), &both);
        let from = again.first().and_then(|arrival| arrival.at).unwrap_or(0);
        let of_second: Vec<&Transition> = events.iter().filter(|transition| transition.event.start >= from).collect();
        prop_assert_eq!(format!("{of_second:?}"), format!("{:?}", fresh.iter().collect::<Vec<_>>()));
        prop_assert_eq!(report.counts.series_now, alone.counts.series_now);
        prop_assert_eq!(report.counts.series, 2 * alone.counts.series);
    }
}

fn gauge(name: &str) -> MetricIdentity {
    MetricIdentity {
        scope: "app".into(),
        name: name.into(),
        kind: Kind::Gauge,
        temporality: Temporality::Cumulative,
        monotonic: false,
    }
}

fn instance(id: &str) -> Attributes {
    set(&[("service.name", text("shop")), ("service.instance.id", text(id))])
}

fn point(resource: Attributes, metric: &str, attributes: Attributes, time: i64, value: f64) -> Point {
    Point { resource, metric: gauge(metric), attributes, time, start: 0, value: PointValue::Double(value) }
}

fn rule(metric: &str) -> Vec<EventDefinition> {
    let json = serde_json::json!({
        "name": "high", "entityType": "openTelemetry", "query": "", "expirationTime": 0, "enabled": true,
        "rules": [{ "ruleType": "threshold", "metricName": format!("metrics.gauges.{metric}"), "aggregation": "avg",
            "window": 60_000, "conditionOperator": ">", "conditionValue": 10, "severity": 5 }],
    });
    definition::parse("high.json", &json.to_string()).0
}

fn limited(retention: Retention, arrivals: &[Arrival]) -> EvaluationReport {
    let options = Options { retention, ..Options::default() };
    run(rule("load"), &options, Encoding::Protobuf, &steps(arrivals)).1
}

fn dropped(report: &EvaluationReport, reason: DropReason) -> u64 {
    report.counts.dropped[reason as usize]
}

#[test]
fn entities_beyond_the_limit_are_dropped_and_counted_and_known_ones_go_on() {
    let report = |seconds: i64, instances: std::ops::Range<usize>| {
        let time = BASE + seconds * S;
        let points = instances.map(|i| point(instance(&format!("i-{i}")), "load", set(&[]), time, 20.0));
        Arrival { at: Some(time), points: points.collect() }
    };
    let mut arrivals = vec![report(0, 0..3), report(10, 0..5)];
    arrivals.extend((2..30).map(|i| report(i * 10, 0..5)));
    let report = limited(Retention { entities: 3, ..Retention::default() }, &arrivals);
    assert_eq!((report.counts.entities, report.counts.series), (3, 3));
    assert_eq!(dropped(&report, DropReason::TooManyEntities), 2 * 29);
    assert_eq!(report.events.len(), 3, "those that are known are judged to the end");
}

#[test]
fn series_beyond_the_limits_are_dropped_and_counted_whatever_they_are_called() {
    let body = |seconds: i64| {
        let time = BASE + seconds * S;
        let mut points = vec![point(instance("a"), "load", set(&[]), time, 20.0)];
        for i in 0..20 {
            let id = format!("{seconds}-{i}");
            points.push(point(instance("a"), "load", set(&[("request", text(&id))]), time, 1.0));
            points.push(point(instance("a"), &format!("other.{id}"), set(&[]), time, 1.0));
        }
        points.push(point(instance("b"), "load", set(&[]), time, 20.0));
        Arrival { at: Some(time), points }
    };
    let arrivals: Vec<Arrival> = (0..30).map(|i| body(i * 10)).collect();
    let all = 30 * 42;
    let of_entity = limited(Retention { series_of_entity: 10, ..Retention::default() }, &arrivals);
    assert_eq!(of_entity.counts.series, 11, "ten of a, one of b");
    assert_eq!(dropped(&of_entity, DropReason::TooManySeries), all - 30 - 30 - 9);
    assert_eq!(of_entity.events.len(), 2);
    let in_all = limited(Retention { series: 10, ..Retention::default() }, &arrivals);
    assert_eq!((in_all.counts.series, in_all.counts.entities), (10, 1), "b comes too late");
    assert_eq!(dropped(&in_all, DropReason::TooManySeries), all - 30 - 9);
    assert_eq!(in_all.events.len(), 1);
}

/// A label that never repeats on an entity that lives: its series go, one after the other, and make room.
#[test]
fn series_of_a_living_entity_are_forgotten_and_make_room() {
    let arrivals: Vec<Arrival> = (0..20 * 360)
        .map(|i| {
            let time = BASE + i * 10 * S;
            let shard = set(&[("shard", text(&format!("{}", i / 360)))]);
            let points = vec![
                point(instance("a"), "load", set(&[]), time, 20.0),
                point(instance("a"), "load", shard.clone(), time, 20.0),
                point(instance("a"), "unwatched", shard, time, 1.0),
            ];
            Arrival { at: Some(time), points }
        })
        .collect();
    let retention = Retention { forget_after: Some(2 * HOUR), series_of_entity: 12, ..Retention::default() };
    let report = limited(retention, &arrivals);
    assert_eq!(report.counts.dropped.iter().sum::<u64>(), 0);
    assert_eq!((report.counts.series, report.counts.entities), (41, 1));
    assert!(report.counts.series_now <= 9, "{} series are held", report.counts.series_now);
    assert_eq!(report.metrics.iter().map(|(_, n)| n).sum::<usize>(), 41, "what was forgotten is still told");
}
