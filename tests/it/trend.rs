//! The leak detector against its reference: statistics, hand-made runs, and the labelled traces.

use crate::leak_traces::{Driven, Happened, traces};
use foreshock::definition::TrendParameters;
use foreshock::engine::trend::statistics::{Point, Scratch, median};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MIB: f64 = 1_048_576.0;
const KIB: f64 = 1024.0;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/leak").join(name)
}

fn json(name: &str) -> Json {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).expect("a fixture")).expect("JSON")
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn assert_near(got: f64, wanted: f64, what: &str) {
    let scale = wanted.abs().max(1.0);
    assert!((got - wanted).abs() <= 1e-9 * scale, "{what}: {got} instead of {wanted}");
}

#[test]
fn the_statistics_agree_with_scipy() {
    let vectors = json("reference_vectors.json");
    let vectors = vectors.as_object().expect("vectors");
    assert!(vectors.len() >= 10);
    let mut scratch = Scratch::default();
    for (name, vector) in vectors {
        let (t, x) = (numbers(&vector["t"]), numbers(&vector["x"]));
        let points: Vec<Point> = t.into_iter().zip(x).collect();
        let trend = scratch.mann_kendall(&points);
        let sen = scratch.theil_sen(&points, trend.variance);
        let near = |got: f64, key: &str| assert_near(got, vector[key].as_f64().expect(key), &format!("{name} {key}"));
        near(trend.s as f64, "S");
        near(trend.variance, "var_S");
        near(trend.z(), "Z");
        near(trend.p(), "p_one_up");
        near(trend.tau(), "tau_a");
        near(sen.slope, "slope");
        near(sen.low, "lo95");
        near(sen.high, "hi95");
        near(scratch.slope(&points), "slope");
        let middle = |values: &mut [f64]| median(values);
        let mut times: Vec<f64> = points.iter().map(|(t, _)| *t).collect();
        near(scratch.level(&points) - sen.slope * middle(&mut times), "intercept");
        // Far from the middle a chance is tiny, and only its ratio says something.
        let p = vector["p_one_up"].as_f64().expect("p");
        assert!((trend.p() / p - 1.0).abs() < 1e-9, "{name}: {} instead of {p}", trend.p());
    }
}

/// The value at a second, rounded down to pages as a system reports it.
fn paged(value: f64) -> f64 {
    (value / 4096.0).floor() * 4096.0
}

/// Runs a hand-made trace: points from 0 to the end.
fn run(every: i64, end: i64, start: impl Fn(i64) -> i64, value: impl Fn(i64) -> f64) -> Vec<Happened> {
    let mut driven = Driven::new(TrendParameters::default());
    (0..=end / every).flat_map(|i| driven.push(i * every, start(i * every), paged(value(i * every)))).collect()
}

fn sawtooth(t: i64) -> f64 {
    60.0 * MIB * (t % 120) as f64 / 120.0
}

#[test]
fn hand_made_runs_raise_and_clear_at_the_stated_times() {
    let golden = json("golden_traces.json");
    let base = 100.0 * MIB;
    let first = |_| 0;
    let runs = [
        run(10, 3600, first, |t| base + 100.0 * KIB * t as f64),
        run(10, 3600, first, |_| base),
        run(10, 3600, first, |t| base + if t >= 1200 { 80.0 * MIB } else { 0.0 }),
        run(10, 3600, first, |t| base + 100.0 * MIB * (1.0 - (-t as f64 / 300.0).exp())),
        run(10, 7200, first, |t| base + sawtooth(t)),
        run(10, 7200, first, |t| base + sawtooth(t) + 50.0 * KIB * (t - 1800).max(0) as f64),
        run(10, 1800, |t| if t < 900 { 0 } else { 900 }, |t| base + 2.0 * MIB * (t % 900) as f64),
        run(60, 4 * 3600, first, |t| 200.0 * MIB + 20.0 * KIB * t as f64),
        run(10, 7200, first, |t| base + 200.0 * KIB * t.min(1800) as f64),
    ];
    let golden = golden.as_object().expect("runs");
    assert_eq!(golden.len(), runs.len());
    for ((name, wanted), got) in golden.iter().zip(runs) {
        let wanted = wanted.as_array().expect("a list");
        // The reference tells the end of a bucket with the first point behind it.
        let times = |happened: &Happened| (happened.told, if happened.raise.is_some() { "raise" } else { "clear" });
        let told: Vec<(i64, &str)> =
            wanted.iter().map(|w| (w[0].as_i64().expect("a time"), w[1].as_str().expect("a word"))).collect();
        assert_eq!(got.iter().map(times).collect::<Vec<_>>(), told, "{name}");
        for (wanted, happened) in wanted.iter().zip(&got) {
            let (Some(figures), wanted) = (&happened.raise, &wanted[2]) else { continue };
            let near =
                |got: f64, key: &str| assert_near(got, wanted[key].as_f64().expect(key), &format!("{name} {key}"));
            near((figures.window / 1_000_000_000) as f64, "W");
            near(figures.points as f64, "n");
            near(figures.z, "z");
            near(figures.p, "p");
            near(figures.tau, "tau");
            near(figures.slope, "slope");
            near(figures.low, "lo");
            near(figures.high, "hi");
            near(figures.first_half, "h1");
            near(figures.last_half, "h2");
            if let Some(seconds) = wanted["tte"].as_f64() {
                assert_near((1024.0 * MIB - figures.last) / figures.slope, seconds, name);
            }
        }
    }
}

#[test]
fn labelled_traces_raise_where_the_reference_does() {
    let expected: BTreeMap<String, Vec<f64>> =
        serde_json::from_value(json("expected_raises.json")).expect("times by trace");
    let traces = traces(&fixture("traces.jsonl.gz"));
    assert_eq!((traces.len(), expected.len()), (316, 316));
    let mut wrong = Vec::new();
    for trace in &traces {
        let mut driven = Driven::new(TrendParameters::default());
        let mut happened: Vec<Happened> =
            trace.points().flat_map(|(t, start, value)| driven.push(t, start, value)).collect();
        happened.extend(driven.close(trace.duration_s).filter(|last| last.at <= trace.duration_s));
        let raises: Vec<f64> = happened.iter().filter(|h| h.raise.is_some()).map(|h| h.at as f64).collect();
        if raises != expected[&trace.id] {
            wrong.push(format!("{}: {raises:?} instead of {:?}", trace.id, expected[&trace.id]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
