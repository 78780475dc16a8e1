//! How well leaks are found on labelled traces: the trend rule in its profiles beside the shipped threshold rule.
//!
//! `cargo run --release --example leak_score -- fixtures/leak/traces.jsonl.gz [EXPECTED]`. Each trace goes through the engine
//! as bodies of an exporter, all rules side by side; an event counts at its start. A detection is an event at or after the
//! onset of a leak (one per trace), a false alert any event before it or on a healthy trace. With EXPECTED, a JSON object of
//! raise times by trace, the default profile is compared with it, and a difference makes the exit code 1.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its table")]

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use foreshock::definition::{self, EventDefinition, Settings, Source};
use foreshock::engine::{Engine, Input, Options};
use foreshock::model::{Export, Nanos, SECOND};
use foreshock::otlp::{self, Encoding};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::process::ExitCode;

/// Where the traces' second 0 lies: a multiple of every step.
const ORIGIN: Nanos = 1_800_000_000 * SECOND;

const PROFILES: [&str; 4] = ["default", "early", "patient", "strict"];

/// One line of a file of traces.
#[derive(Deserialize)]
struct Trace {
    id: String,
    duration_s: i64,
    leak: bool,
    onset_s: Option<i64>,
    t: Vec<i64>,
    rss: Vec<i64>,
    start_changes: Vec<(usize, i64)>,
}

/// What became of one rule over all traces.
#[derive(Default)]
struct Score {
    found: usize,
    false_alerts: usize,
    delays: Vec<i64>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(traces), expected) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: leak_score TRACES.jsonl[.gz] [EXPECTED.json]");
        return ExitCode::from(2);
    };
    match score(&traces, expected.as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn score(path: &str, expected: Option<&str>) -> io::Result<bool> {
    let definitions = definitions();
    let mut scores: Vec<Score> = definitions.iter().map(|_| Score::default()).collect();
    let (mut traces, mut leaks, mut days) = (0, 0, 0.0);
    let mut raises: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in lines(path)? {
        let trace: Trace = serde_json::from_str(&line?)?;
        let onset = if trace.leak { trace.onset_s.unwrap_or(0) } else { i64::MAX };
        traces += 1;
        leaks += usize::from(trace.leak);
        days += onset.min(trace.duration_s) as f64 / 86_400.0;
        let starts = starts(&trace, &definitions);
        for ((definition, score), starts) in definitions.iter().zip(&mut scores).zip(&starts) {
            score.false_alerts += starts.iter().filter(|&&t| t < onset).count();
            if let Some(first) = starts.iter().find(|&&t| t >= onset) {
                score.found += 1;
                score.delays.push(first - onset);
            }
            if definition.name == "default" {
                raises.insert(trace.id.clone(), starts.iter().map(|&t| t as f64).collect());
            }
        }
    }
    println!("{traces} traces, {leaks} with a leak, {days:.1} service-days without one\n");
    println!("rule                    precision  recall     F1  false alerts/day  delay median     p95");
    for (definition, score) in definitions.iter().zip(&mut scores) {
        score.print(&definition.name, leaks, days);
    }
    let Some(expected) = expected else { return Ok(true) };
    let expected: BTreeMap<String, Vec<f64>> = serde_json::from_reader(File::open(expected)?)?;
    let differing: Vec<&String> =
        expected.iter().filter(|(id, t)| raises.get(*id) != Some(*t)).map(|(id, _)| id).collect();
    println!(
        "\n{} of {} traces raise as expected{}",
        expected.len() - differing.len(),
        expected.len(),
        list(&differing)
    );
    Ok(differing.is_empty())
}

fn list(ids: &[&String]) -> String {
    if ids.is_empty() { String::new() } else { format!(", not {ids:?}") }
}

impl Score {
    fn print(&mut self, name: &str, leaks: usize, days: f64) {
        self.delays.sort_unstable();
        let precision = self.found as f64 / (self.found + self.false_alerts).max(1) as f64;
        let recall = self.found as f64 / leaks.max(1) as f64;
        let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
        let n = self.delays.len();
        let median = if n == 0 { 0 } else { (self.delays[(n - 1) / 2] + self.delays[n / 2]) / 2 };
        let late = (0.95 * n as f64) as usize;
        let late = self.delays.get(late.saturating_sub(1)).copied().unwrap_or(0);
        let rate = self.false_alerts as f64 / days;
        println!("{name:<24}    {precision:.4}  {recall:.4} {f1:.4} {rate:>17.3} {median:>11} s {late:>5} s");
    }
}

fn lines(path: &str) -> io::Result<impl Iterator<Item = io::Result<String>>> {
    let file = File::open(path)?;
    let reader: Box<dyn Read> =
        if path.ends_with(".gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(reader).lines())
}

/// The trend rule with each profile, and the shipped threshold rule.
fn definitions() -> Vec<EventDefinition> {
    let text = |ending: &str| definition::builtin().into_iter().find(|s| s.path.ends_with(ending)).map(|s| s.text);
    let trend = text("local/memory-leak-trend.json").unwrap_or_default();
    let threshold = text("python/events/memory-leak-detection.json").unwrap_or_default();
    let source = |name: &str, text: &str| Source { path: format!("{name}.json"), text: text.to_string() };
    let mut sources: Vec<Source> = PROFILES.map(|name| source(name, &trend)).into();
    sources.push(source("threshold", &threshold));
    let overrides = PROFILES.map(|name| format!("{name}.profile={name}")).into();
    definition::load(&sources, &Settings { overrides, ..Settings::default() }).definitions
}

/// Of each definition the seconds at which its events start.
fn starts(trace: &Trace, definitions: &[EventDefinition]) -> Vec<Vec<i64>> {
    let mut engine = Engine::new(definitions.to_vec(), Options::default());
    let mut export = Export::default();
    let mut starts = trace.start_changes.iter().peekable();
    let mut start = 0;
    for (i, (&t, &rss)) in trace.t.iter().zip(&trace.rss).enumerate() {
        if let Some((_, next)) = starts.next_if(|(from, _)| *from <= i) {
            start = *next;
        }
        let at = ORIGIN + t * SECOND;
        let body = Bytes::from(body(at, ORIGIN + start * SECOND, rss));
        if otlp::decode(Encoding::Protobuf, body, &mut export).is_ok() {
            engine.step(Input { received_at: Some(at), export: Some(&export) }, &mut |_| {});
        }
    }
    engine.step(Input { received_at: Some(ORIGIN + trace.duration_s * SECOND), export: None }, &mut |_| {});
    engine.finish(&mut |_| {});
    let report = engine.report();
    let of = |d: usize| report.events.iter().filter(move |event| event.definition == d);
    (0..definitions.len()).map(|d| of(d).map(|event| (event.start - ORIGIN) / SECOND).collect()).collect()
}

fn body(time: Nanos, start: Nanos, rss: i64) -> Vec<u8> {
    let text = |key: &str, value: &str| {
        let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_string())) });
        KeyValue { key: key.to_string(), value, ..Default::default() }
    };
    let point = NumberDataPoint {
        attributes: vec![text("type", "rss")],
        start_time_unix_nano: start as u64,
        time_unix_nano: time as u64,
        value: Some(number_data_point::Value::AsInt(rss)),
        ..Default::default()
    };
    let sum = Sum {
        data_points: vec![point],
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
        is_monotonic: false,
    };
    let name = "process.runtime.cpython.memory".to_string();
    let scope =
        InstrumentationScope { name: "opentelemetry.instrumentation.system_metrics".to_string(), ..Default::default() };
    let metrics = vec![Metric { name, data: Some(metric::Data::Sum(sum)), ..Default::default() }];
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }];
    let attributes = vec![
        text("service.name", "shop"),
        text("service.instance.id", "i-1"),
        text("telemetry.sdk.language", "python"),
    ];
    let resource = Some(Resource { attributes, ..Default::default() });
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}
