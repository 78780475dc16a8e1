//! The kept recordings of real programs under the shipped trend rule: it raises on the lives the reference raises on, at the
//! same instants, and where it stays silent on a leak it says why.

use foreshock::definition::{self, EventDefinition, Settings, Source};
use foreshock::engine::trend::{LifeReport, TrendVerdict};
use foreshock::engine::{Engine, EvaluationReport, Input, Options};
use foreshock::model::{Export, MS, Nanos, SECOND, to_ms};
use foreshock::recording::{self, Reader};
use serde_json::Value as Json;
use std::fs::File;
use std::path::{Path, PathBuf};

fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// The shipped trend rule.
pub fn shipped() -> Vec<EventDefinition> {
    let sources: Vec<Source> =
        definition::builtin().into_iter().filter(|source| source.path.starts_with("builtin:local/")).collect();
    definition::load(&sources, &Settings::default()).definitions
}

fn judged(name: &str) -> EvaluationReport {
    judged_with(name, shipped())
}

fn judged_with(name: &str, definitions: Vec<EventDefinition>) -> EvaluationReport {
    let path = fixtures("recordings/").join(format!("{name}.jsonl.gz"));
    let file = File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let source = recording::Source { name: name.to_string(), size: None, reader: Box::new(file) };
    let mut reader = Reader::open(vec![source]).expect("a known form");
    let mut engine = Engine::new(definitions, Options::default());
    let mut export = Export::default();
    while let Some(arrival) = reader.next(&mut export) {
        engine.step(Input { received_at: arrival.at, export: (!arrival.is_tick).then_some(&export) }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
    engine.report()
}

fn attribute(life: &LifeReport, key: &str) -> String {
    life.series.entity.resource.get(key).map_or("-".to_string(), |value| value.to_text())
}

/// `<service> <instance> <start in ms>`, and the instants of the raises with window and slope.
type Told = (String, Vec<(Nanos, Nanos, f64)>);

fn told(report: &EvaluationReport) -> Vec<Told> {
    let lives = report.definitions.iter().flat_map(|definition| &definition.lives);
    let mut told: Vec<Told> = lives
        .map(|life| {
            let (name, instance) = (attribute(life, "service.name"), attribute(life, "service.instance.id"));
            let figures = life.evidence.as_ref().map(|evidence| evidence.figures);
            let raises = life.leaks_began.iter().map(|&at| {
                let figures = figures.expect("a raise has figures");
                (at / SECOND, figures.window / SECOND, figures.slope)
            });
            (format!("{name} {instance} {}", to_ms(life.start + MS / 2)), raises.collect())
        })
        .collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

#[test]
fn real_programs_raise_where_the_reference_does() {
    let text = std::fs::read_to_string(fixtures("leak/expected_recordings.json")).expect("the expected raises");
    let expected: Json = serde_json::from_str(&text).expect("JSON");
    let expected = expected.as_object().expect("recordings");
    assert_eq!(expected.len(), 21);
    let mut wrong = Vec::new();
    for (name, lives) in expected {
        let mut wanted: Vec<Told> = lives
            .as_array()
            .expect("lives")
            .iter()
            .map(|life| {
                let text = |key: &str| life[key].as_str().expect("a text").to_string();
                let start = (life["start"].as_f64().expect("a start") * 1000.0).round() as i64;
                let raises = life["raises"].as_array().expect("raises").iter().map(|raise| {
                    let whole = |key: &str| raise[key].as_i64().expect("a whole number");
                    (whole("at"), whole("window_s"), raise["slope_bytes_per_s"].as_f64().expect("a slope"))
                });
                (format!("{} {} {start}", text("service.name"), text("service.instance.id")), raises.collect())
            })
            .collect();
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        let got = told(&judged(name));
        // The reference counted time in floating-point seconds since the epoch, so its slopes differ in the ninth digit.
        let near = |a: &(Nanos, Nanos, f64), b: &(Nanos, Nanos, f64)| {
            (a.0, a.1) == (b.0, b.1) && (a.2 / b.2 - 1.0).abs() < 1e-8
        };
        let same = |(a, b): (&Told, &Told)| {
            a.0 == b.0 && a.1.len() == b.1.len() && a.1.iter().zip(&b.1).all(|(a, b)| near(a, b))
        };
        if got.len() != wanted.len() || !got.iter().zip(&wanted).all(same) {
            wrong.push(format!("{name}: {got:?} instead of {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn silence_on_a_leak_has_a_reason() {
    let reasons = |name: &str| -> Vec<String> {
        let report = judged(name);
        let lives = report.definitions.iter().flat_map(|definition| definition.lives.clone());
        let mut reasons: Vec<(Nanos, String)> = lives
            .map(|life| match life.verdict {
                TrendVerdict::Inconclusive(reason) => (life.start, reason.as_str().to_string()),
                told => (life.start, told.as_str().to_string()),
            })
            .collect();
        reasons.sort();
        reasons.into_iter().map(|(_, reason)| reason).collect()
    };
    assert_eq!(reasons("leak_outage_old"), ["gap"]);
    assert_eq!(reasons("fork_workers_old"), ["several_writers", "several_writers", "several_writers"]);
    assert_eq!(reasons("leak_restart_sameid"), ["warming_up", "leak"]);
    assert_eq!(reasons("leak_restart_newid"), ["warming_up", "leak"]);
    assert_eq!(reasons("cpu_burn_percent_old"), ["warming_up"]);
    assert_eq!(reasons("healthy_web"), ["no_leak"]);
    assert_eq!(reasons("cache_warmup"), ["no_leak"]);
    assert_eq!(reasons("sawtooth_batch"), ["no_leak"]);
    assert_eq!(reasons("two_services"), ["leak", "no_leak"]);
}

#[test]
fn beside_other_rules_a_trend_says_the_same() {
    let all = definition::load(&definition::builtin(), &Settings::default()).definitions;
    assert_eq!(all.len(), 9);
    for name in ["two_services", "slow_leak", "leak_restart_sameid", "fork_workers_old", "delta_web"] {
        assert_eq!(told(&judged(name)), told(&judged_with(name, all.clone())), "{name}");
    }
}
