//! Trend rules in the engine: labelled traces as OTLP bodies, and the promise that chunks, splits and ticks change nothing.

use crate::leak_traces::{Trace, traces};
use crate::trend_recordings::shipped;
use bytes::Bytes;
use foreshock::definition::{self, EventDefinition};
use foreshock::engine::trend::{Evidence, TrendVerdict};
use foreshock::engine::{Engine, EvaluationReport, InconclusiveReason, Input, Options, Verdict};
use foreshock::model::{Export, Nanos, SECOND};
use foreshock::otlp::{self, Encoding};
use foreshock::report::{self, Format, Outcome, Replay, ReplayOutcome, Style};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::collections::BTreeMap;
use std::path::Path;

/// A multiple of 30 s.
const ORIGIN: Nanos = 1_800_000_000 * SECOND;

fn key_value(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_string())) });
    KeyValue { key: key.to_string(), value, ..Default::default() }
}

/// A point: time, start time, value.
type Point = (Nanos, Nanos, f64);

fn sum(name: &str, attribute: (&str, &str), is_monotonic: bool, (time, start, value): Point) -> Metric {
    let point = NumberDataPoint {
        attributes: vec![key_value(attribute.0, attribute.1)],
        start_time_unix_nano: start as u64,
        time_unix_nano: time as u64,
        value: Some(number_data_point::Value::AsInt(value as i64)),
        ..Default::default()
    };
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    let data = metric::Data::Sum(Sum { data_points: vec![point], aggregation_temporality, is_monotonic });
    Metric { name: name.to_string(), data: Some(data), ..Default::default() }
}

/// Resident memory.
fn rss(point: Point) -> Metric {
    sum("process.runtime.cpython.memory", ("type", "rss"), false, point)
}

/// A body of one process.
fn body(instance: &str, metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics =
        vec![ScopeMetrics { scope: Some(InstrumentationScope::default()), metrics, ..Default::default() }];
    let attributes = vec![
        key_value("service.name", "shop"),
        key_value("service.instance.id", instance),
        key_value("telemetry.sdk.language", "python"),
    ];
    let resource = Some(Resource { attributes, ..Default::default() });
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

struct Fed {
    engine: Engine,
    export: Export,
    told: Vec<String>,
}

impl Fed {
    fn new(definitions: Vec<EventDefinition>, options: Options) -> Self {
        Fed { engine: Engine::new(definitions, options), export: Export::default(), told: Vec::new() }
    }

    fn body(&mut self, at: Nanos, body: Vec<u8>) {
        otlp::decode(Encoding::Protobuf, Bytes::from(body), &mut self.export).expect("a body");
        let told = &mut self.told;
        self.engine
            .step(Input { received_at: Some(at), export: Some(&self.export) }, &mut |t| told.push(format!("{t:?}")));
    }

    fn tick(&mut self, at: Nanos) {
        let told = &mut self.told;
        self.engine.step(Input { received_at: Some(at), export: None }, &mut |t| told.push(format!("{t:?}")));
    }

    fn end(&mut self) -> EvaluationReport {
        let told = &mut self.told;
        self.engine.finish(&mut |t| told.push(format!("{t:?}")));
        self.engine.report()
    }
}

fn kept_traces() -> Vec<Trace> {
    traces(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/leak/traces.jsonl.gz"))
}

fn seconds(at: Nanos) -> f64 {
    ((at - ORIGIN) / SECOND) as f64
}

fn play(trace: &Trace, tick_every: Option<i64>) -> (EvaluationReport, Vec<String>) {
    let mut fed = Fed::new(shipped(), Options::default());
    let mut ticked = 0;
    for (t, start, value) in trace.points() {
        while let Some(every) = tick_every
            && ticked + every <= t
        {
            ticked += every;
            fed.tick(ORIGIN + ticked * SECOND);
        }
        let at = ORIGIN + t * SECOND;
        fed.body(at, body("i-1", vec![rss((at, ORIGIN + start * SECOND, value))]));
    }
    fed.tick(ORIGIN + trace.duration_s * SECOND);
    (fed.end(), fed.told)
}

#[test]
fn traces_as_bodies_open_their_events_where_the_reference_raises() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/leak/expected_raises.json");
    let text = std::fs::read_to_string(path).expect("the expected raises");
    let expected: BTreeMap<String, Vec<f64>> = serde_json::from_str(&text).expect("times by trace");
    let mut wrong = Vec::new();
    let mut opened = 0;
    // Unoptimised, all of them take as long as all other tests together.
    let every = if cfg!(debug_assertions) { 4 } else { 1 };
    for trace in kept_traces().into_iter().step_by(every) {
        let (report, _) = play(&trace, None);
        let raises: Vec<f64> = report.events.iter().map(|event| seconds(event.start)).collect();
        opened += raises.len();
        if raises != expected[&trace.id] {
            wrong.push(format!("{}: {raises:?} instead of {:?}", trace.id, expected[&trace.id]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(opened > 40, "{opened}");
}

#[test]
fn ticks_and_splits_change_nothing() {
    for trace in kept_traces().iter().step_by(40) {
        let (report, told) = play(trace, None);
        let plain = format!("{report:?}");
        for every in [7, 30, 600] {
            let (report, ticked) = play(trace, Some(every));
            assert_eq!((&told, &plain), (&ticked, &format!("{report:?}")), "{} every {every} s", trace.id);
        }
        // Two processes in one body, in two bodies, and with a tick in between.
        let play_two = |split: bool| {
            let mut fed = Fed::new(shipped(), Options::default());
            for (t, start, value) in trace.points() {
                let (at, start) = (ORIGIN + t * SECOND, ORIGIN + start * SECOND);
                let (a, b) =
                    (body("i-1", vec![rss((at, start, value))]), body("i-2", vec![rss((at, start, 2.0 * value))]));
                if split {
                    fed.body(at, a);
                    fed.tick(at);
                    fed.body(at, b);
                } else {
                    fed.body(at, [a, b].concat());
                }
            }
            let report = fed.end();
            (fed.told, format!("{report:?}"))
        };
        assert_eq!(play_two(false), play_two(true), "{}", trace.id);
    }
}

fn definition(rule: &str) -> Vec<EventDefinition> {
    let text = format!("{{\"name\": \"n\", \"entityType\": \"e\", \"rules\": [{rule}]}}");
    let (definitions, _) = definition::parse("leak.json", &text);
    assert_eq!(definitions[0].problem, None);
    definitions
}

const OF_RSS: &str = r#""ruleType": "trend", "metricName": "metrics.sums.process.runtime.cpython.memory""#;

/// A leak of 100 KiB/s from 100 MiB for half an hour, every ten seconds; `beside` adds to each body.
fn leak(
    definitions: Vec<EventDefinition>,
    options: Options,
    beside: impl Fn(i64) -> Vec<Metric>,
) -> (EvaluationReport, String) {
    let mut fed = Fed::new(definitions, options);
    for t in 0..=180 {
        let at = ORIGIN + t * 10 * SECOND;
        let mut metrics = vec![rss((at, ORIGIN - SECOND, (100.0 * 1024.0 + 1000.0 * t as f64) * 1024.0))];
        metrics.extend(beside(t));
        fed.body(at, body("i-1", metrics));
    }
    let report = fed.end();
    let mut text = Vec::new();
    let outcome = ReplayOutcome::new(Replay::new(fed.engine.definitions(), &report));
    report::write(Format::Json, &Outcome::Replay(&outcome), Style::plain(), &mut text).expect("memory can be written");
    (report, String::from_utf8(text).expect("a document is text"))
}

fn evidence(report: &EvaluationReport) -> Evidence {
    *report.events[0].rules[0].series[0].trend.clone().expect("evidence")
}

#[test]
fn a_limit_gives_the_time_that_is_left() {
    let rule = format!("{{{OF_RSS}, \"memoryLimit\": 1073741824}}");
    let (report, document) = leak(definition(&rule), Options::default(), |_| Vec::new());
    let found = evidence(&report);
    let left = found.time_to_limit().expect("a limit is known");
    let wanted = (1_073_741_824.0 - found.figures.last) / 102_400.0;
    assert!((left.expected - wanted).abs() < 1e-6, "{left:?} instead of {wanted}");
    assert!((left.earliest, left.latest) == (wanted, Some(wanted)), "{left:?}");
    assert!(document.contains("\"timeToLimit\"") && document.contains("\"memoryLimit\": 1073741824.0"), "{document}");
    // The limit of a metric, of which the smallest series counts.
    let rule = format!("{{{OF_RSS}, \"memoryLimit\": \"metrics.sums.container.memory.limit\"}}");
    let limit = |t: i64| {
        let of = |name, value| sum("container.memory.limit", ("of", name), false, (ORIGIN + t * 10 * SECOND, 0, value));
        vec![of("pod", 2e9), of("container", 1e9)]
    };
    let (report, _) = leak(definition(&rule), Options::default(), limit);
    assert_eq!(evidence(&report).limit, Some(1e9));
    assert_eq!(report.definitions[0].matched_series, 1, "the limit is not what is judged");
    let (report, _) = leak(definition(&rule), Options::default(), |_| Vec::new());
    assert_eq!(evidence(&report).time_to_limit(), None);
}

#[test]
fn full_collections_are_told_and_decide_nothing() {
    let rule = format!("{{{OF_RSS}}}");
    let collections = |t: i64, generation: &'static str, count: i64| {
        let point = (ORIGIN + t * 10 * SECOND, ORIGIN - SECOND, count as f64);
        vec![sum("cpython.gc.collections", ("generation", generation), true, point)]
    };
    let told = |beside: &dyn Fn(i64) -> Vec<Metric>| {
        let (report, document) = leak(definition(&rule), Options::default(), beside);
        assert_eq!(seconds(report.events[0].start), 780.0);
        (evidence(&report).collections, document)
    };
    assert_eq!(told(&|_| Vec::new()).0, None);
    assert_eq!(told(&|t| collections(t, "0", t)).0, None, "other generations say nothing");
    let (none, document) = told(&|t| collections(t, "2", 5));
    assert_eq!(none, Some(0));
    assert!(document.contains("may be uncollected cycles"), "{document}");
    // One each five minutes; the window is [180 s, 780 s), and what its first bucket had is before it.
    let (some, document) = told(&|t| collections(t, "2", t / 30));
    assert_eq!(some, Some(2));
    assert!(document.contains("2 full garbage collections ran"), "{document}");
}

#[test]
fn late_points_are_counted_in_the_verdict() {
    let mut fed = Fed::new(shipped(), Options::default());
    for t in 0..=90 {
        let at = ORIGIN + t * 10 * SECOND;
        let point = |time: Nanos| rss((time, ORIGIN - SECOND, 1e8 + 2e6 * seconds(time)));
        fed.body(at, body("i-1", vec![point(at)]));
        if t % 10 == 9 {
            fed.body(at, body("i-1", vec![point(at - 65 * SECOND)]));
        }
    }
    let report = fed.end();
    assert_eq!(seconds(report.events[0].start), 510.0);
    assert_eq!(report.definitions[0].lives[0].ignored, 9);
    assert_eq!(report.counts.dropped.iter().sum::<u64>(), 0);
}

#[test]
fn a_trend_is_never_scaled() {
    let options = Options { scaled_windows: true, ..Options::default() };
    let (report, document) = leak(shipped(), options, |_| Vec::new());
    assert_eq!(report.definitions[0].verdict, Verdict::Inconclusive(InconclusiveReason::Scaled));
    assert!(report.events.is_empty() && document.contains("\"reason\": \"scaled\""), "{document}");
}

#[test]
fn what_a_window_would_have_shown_is_what_it_shows() {
    // Flat memory of 200 MiB: a tenth of it in an hour, but at least 8 KiB/s, is the least that counts.
    let mut fed = Fed::new(shipped(), Options::default());
    for t in 0..=1440 {
        let at = ORIGIN + t * 10 * SECOND;
        fed.body(at, body("i-1", vec![rss((at, ORIGIN - SECOND, 200.0 * 1_048_576.0))]));
    }
    let report = fed.end();
    let life = &report.definitions[0].lives[0];
    assert_eq!((life.verdict, report.definitions[0].verdict), (TrendVerdict::NoLeak, Verdict::Quiet));
    let smallest = life.evidence.as_ref().expect("evidence").smallest;
    assert!((smallest - 8192.0).abs() < 1e-9, "{smallest}");
    for (factor, raises) in [(1.05, true), (0.95, false)] {
        let mut fed = Fed::new(shipped(), Options::default());
        for t in 0..=1440 {
            let at = ORIGIN + t * 10 * SECOND;
            let value = 200.0 * 1_048_576.0 + factor * smallest * (t * 10) as f64;
            fed.body(at, body("i-1", vec![rss((at, ORIGIN - SECOND, value))]));
        }
        assert_eq!(!fed.end().events.is_empty(), raises, "{factor}");
    }
}

#[test]
fn after_six_hours_of_silence_a_life_begins_anew() {
    let mut fed = Fed::new(shipped(), Options::default());
    let feed = |fed: &mut Fed, from: i64| {
        for t in 0..=60 {
            let at = ORIGIN + (from + t * 10) * SECOND;
            fed.body(at, body("i-1", vec![rss((at, ORIGIN - SECOND, 1e8 + 2e7 * t as f64))]));
        }
    };
    feed(&mut fed, 0);
    feed(&mut fed, 8 * 3600);
    let report = fed.end();
    let lives = &report.definitions[0].lives;
    assert_eq!(lives.iter().map(|life| life.verdict).collect::<Vec<_>>(), [TrendVerdict::Leak, TrendVerdict::Leak]);
    assert_eq!(
        lives.iter().map(|life| seconds(life.leaks_began[0])).collect::<Vec<_>>(),
        [510.0, 8.0 * 3600.0 + 450.0]
    );
}
