//! Promises about the engine as a whole: how the input is cut does not matter, cumulative and delta exports agree,
//! nothing is dropped silently, and no data is never a pass.

use crate::generate::{Arrival, BASE, Point, PointValue, S, set, text};
use crate::oracle_engine::{Step, definitions, oracle, run};
use crate::oracle_worlds::{World, world};
use foreshock::engine::{EvaluationReport, Options, Transition, Verdict};
use foreshock::model::{Attributes, Buckets, Histogram, Kind, MetricIdentity, Temporality};
use foreshock::otlp::Encoding;
use proptest::prelude::*;
use proptest::sample::select;

/// Everything that is said, bit by bit.
fn said(world: &World, steps: &[Step]) -> (Vec<String>, String) {
    let (transitions, report) = run(definitions(world), &world.options, Encoding::Protobuf, steps);
    (transitions.iter().map(|t: &Transition| format!("{t:?}")).collect(), format!("{report:?}"))
}

/// The same arrivals in smaller bodies: the bits of `cuts` say where one is cut.
fn split(arrivals: &[Arrival], cuts: &[bool]) -> Vec<Arrival> {
    let mut bits = cuts.iter().cycle();
    let mut out: Vec<Arrival> = Vec::new();
    for arrival in arrivals {
        let mut rest: Vec<Point> = Vec::new();
        for point in &arrival.points {
            rest.push(point.clone());
            if *bits.next().expect("a cycle") {
                out.push(Arrival { at: arrival.at, points: std::mem::take(&mut rest) });
            }
        }
        if !rest.is_empty() {
            out.push(Arrival { at: arrival.at, points: rest });
        }
    }
    out
}

/// The same arrivals in larger bodies: neighbours of one instant become one.
fn joined(arrivals: &[Arrival]) -> Vec<Arrival> {
    let of_one_instant = arrivals.chunk_by(|a, b| a.at == b.at);
    of_one_instant
        .map(|some| Arrival { at: some[0].at, points: some.iter().flat_map(|a| a.points.clone()).collect() })
        .collect()
}

/// Ticks in between; none is later than the arrival behind it, or than an arrival before.
fn with_ticks(arrivals: &[Arrival], fractions: &[f64]) -> Vec<Step> {
    let mut out = Vec::new();
    let mut now: Option<i64> = None;
    for (i, arrival) in arrivals.iter().enumerate() {
        let fraction = fractions[i % fractions.len()];
        if let (Some(now), Some(at)) = (now, arrival.at)
            && fraction < 0.8
        {
            let between = now + ((at.max(now) - now) as f64 * fraction) as i64;
            out.push(Step { at: Some(between), body: None });
            out.push(Step { at: None, body: None });
        }
        now = now.max(arrival.at);
        out.push(Step::of(arrival));
    }
    out.push(Step { at: now, body: None });
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_the_input_is_cut_does_not_matter(
        world in world(),
        cuts in prop::collection::vec(any::<bool>(), 1..40),
        fractions in prop::collection::vec(0.0..1.0f64, 1..20),
    ) {
        let steps = |arrivals: &[Arrival]| arrivals.iter().map(Step::of).collect::<Vec<_>>();
        let whole = said(&world, &steps(&world.arrivals));
        prop_assert_eq!(&said(&world, &steps(&split(&world.arrivals, &cuts))), &whole, "split");
        prop_assert_eq!(&said(&world, &steps(&joined(&world.arrivals))), &whole, "joined");
        prop_assert_eq!(&said(&world, &with_ticks(&world.arrivals, &fractions)), &whole, "with ticks");
    }

    #[test]
    fn every_dropped_point_is_counted(world in world()) {
        let steps: Vec<Step> = world.arrivals.iter().map(Step::of).collect();
        let (_, report) = run(definitions(&world), &world.options, Encoding::Protobuf, &steps);
        let sent: usize = world.arrivals.iter().map(|arrival| arrival.points.len()).sum();
        let dropped: u64 = report.counts.dropped.iter().sum();
        prop_assert_eq!(report.counts.points, sent as u64);
        prop_assert_eq!(dropped + oracle(&world).kept, sent as u64);
    }

    #[test]
    fn no_data_is_never_a_pass(world in world(), keep in 0..3usize) {
        // A few points are left, or none, or only such as are dropped.
        let mut world = world;
        world.arrivals.truncate(keep);
        if keep == 2 {
            world.arrivals.iter_mut().flat_map(|a| &mut a.points).for_each(|p| p.value = PointValue::Flagged);
        }
        let steps: Vec<Step> = world.arrivals.iter().map(Step::of).collect();
        let definitions = definitions(&world);
        let (_, report) = run(definitions.clone(), &world.options, Encoding::Protobuf, &steps);
        prop_assert_eq!(report.definitions.len(), definitions.len());
        for (definition, said) in definitions.iter().zip(&report.definitions) {
            let judged = said.rules.iter().all(|rule| rule.evaluations > 0) && !said.rules.is_empty();
            match said.verdict {
                Verdict::Quiet => prop_assert!(judged, "{said:?}"),
                Verdict::Fired => prop_assert!(said.evaluations > 0, "{said:?}"),
                Verdict::Inconclusive(_) => prop_assert!(!judged, "{said:?}"),
                Verdict::Disabled => prop_assert!(!definition.enabled),
            }
            if keep == 2 {
                prop_assert!(matches!(said.verdict, Verdict::Inconclusive(_) | Verdict::Disabled), "{said:?}");
            }
        }
    }
}

/// What a process counts in one interval.
#[derive(Clone, Debug)]
struct Tick {
    gap: i64,
    sum: i64,
    counts: [u64; 3],
}

fn ticks() -> impl Strategy<Value = Vec<Tick>> {
    let gap = prop_oneof![6 => Just(10_000i64), 1 => 8_000..14_000i64, 1 => Just(60_000i64)];
    let tick = (gap, 0..40i64, [0..5u64, 0..5u64, 0..5u64]).prop_map(|(gap, sum, counts)| Tick { gap, sum, counts });
    prop::collection::vec(tick, 2..60)
}

/// A process that exports what it counts, with one temporality.
fn exports(ticks: &[Tick], temporality: Temporality) -> Vec<Arrival> {
    let delta = temporality == Temporality::Delta;
    let name = if delta { "del" } else { "cum" };
    let resource: Attributes = set(&[("service.name", text(name)), ("service.instance.id", text("1"))]);
    let metric = |name: &str, kind, monotonic| MetricIdentity {
        scope: "app".into(),
        name: name.into(),
        kind,
        temporality,
        monotonic,
    };
    let (mut time, begin) = (BASE, BASE - S);
    let mut start = begin;
    let (mut sum, mut counts) = (0i64, [0u64; 3]);
    let mut out = Vec::new();
    for tick in ticks {
        time += tick.gap * (S / 1_000);
        if delta {
            (sum, counts) = (0, [0; 3]);
        }
        sum += tick.sum;
        counts.iter_mut().zip(tick.counts).for_each(|(total, n)| *total += n);
        let histogram = Histogram {
            count: counts.iter().sum(),
            sum: Some(sum as f64),
            min: None,
            max: None,
            buckets: Buckets::Explicit { bounds: vec![1.0, 5.0], counts: counts.to_vec() },
        };
        let point = |metric, value| Point {
            resource: resource.clone(),
            metric,
            attributes: Attributes::default(),
            time,
            start,
            value,
        };
        let points = vec![
            point(metric("n", Kind::Sum, true), PointValue::Int(sum)),
            point(metric("h", Kind::Histogram, false), PointValue::Histogram(histogram)),
        ];
        out.push(Arrival { at: Some(time), points });
        if delta {
            start = time;
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cumulative_and_delta_agree(
        ticks in ticks(),
        window in select(vec![10_000i64, 30_000, 60_000, 120_000]),
        aggregation in select(vec!["rate", "delta", "count", "sum", "avg", "p50", "p90"]),
        operator in select(vec![">", "<", ">=", "!="]),
        threshold in 0..60i64,
    ) {
        let of_histograms = ["count", "sum", "avg", "p50", "p90"].contains(&aggregation);
        let mut rules = vec!["metrics.histograms.app/h"];
        if !of_histograms {
            rules.push("metrics.sums.app/n");
        }
        let definitions = rules.into_iter().enumerate().map(|(i, id)| {
            (format!("d{i}"), serde_json::json!({
                "name": "d", "entityType": "openTelemetry", "expirationTime": 20_000,
                "rules": [{
                    "ruleType": "threshold", "metricName": id, "aggregation": aggregation, "window": window,
                    "severity": 5, "conditionOperator": operator, "conditionValue": threshold as f64 / 4.0,
                }],
            }))
        });
        let definitions: Vec<_> = definitions.collect();
        let judged = |temporality| -> EvaluationReport {
            let arrivals = exports(&ticks, temporality);
            let world = World { options: Options::default(), definitions: definitions.clone(), arrivals };
            let steps: Vec<Step> = world.arrivals.iter().map(Step::of).collect();
            run(crate::oracle_engine::definitions(&world), &world.options, Encoding::Protobuf, &steps).1
        };
        let (cumulative, delta) = (judged(Temporality::Cumulative), judged(Temporality::Delta));
        let events = |report: &EvaluationReport| -> Vec<String> {
            let told = |e: &foreshock::engine::Event| {
                let series: Vec<_> = e.rules.iter().flat_map(|r| &r.series).map(|s| (s.value, s.points)).collect();
                format!("{} {} {:?} {} {series:?}", e.definition, e.start, e.state, e.last_violation)
            };
            report.events.iter().map(told).collect()
        };
        prop_assert_eq!(events(&cumulative), events(&delta));
        for (one, two) in cumulative.definitions.iter().zip(&delta.definitions) {
            prop_assert_eq!((one.verdict, one.evaluations, one.warming_up), (two.verdict, two.evaluations, two.warming_up));
            prop_assert_eq!(one.nearest.as_ref().map(|n| n.observation), two.nearest.as_ref().map(|n| n.observation));
        }
    }
}
