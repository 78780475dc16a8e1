//! Trend rules: memory that grows and does not come back. A local extension that Instana does not have.
//!
//! Owns the parameters of the detector with their defaults and profiles, and how a rule is read. What they do is the
//! engine's; `docs/leak-detection.md` tells it to people.

use super::findings::{Findings, Reported};
use super::keys::RUNG;
use super::metric_id::MetricId;
use super::nearest::did_you_mean;
use super::object::{Field, Object};
use super::problem::Severity;
use super::rule::malformed;
use crate::model::Kind;
use serde_json::Value as Json;

/// The detector looks at buckets of this length.
pub(super) const BUCKET_MS: i64 = 30_000;

/// A trend rule judges silence after this time, when its definition does not say; one lost export is no silence.
pub(super) const EXPIRATION_MS: i64 = 600_000;

/// Longer windows would need more buckets than are kept (6 h).
const LONGEST_WINDOW_MS: i64 = 6 * 3_600_000;

/// More points make every evaluation slow: it compares each with each.
const MOST_POINTS: i64 = 60;

/// More windows than anybody has asked for.
const MOST_RUNGS: usize = 8;

/// A trend rule.
#[derive(Clone, Debug)]
pub struct Trend {
    /// Which series it looks at: the first of these that a resource sends.
    pub metrics: Vec<MetricId>,
    /// What counts as a leak.
    pub parameters: TrendParameters,
    /// How much memory there is, when that is known.
    pub memory_limit: Option<MemoryLimit>,
}

/// How much memory a process may take.
#[derive(Clone, Debug)]
pub enum MemoryLimit {
    /// So many bytes.
    Bytes(f64),
    /// What this metric of the same entity says.
    Metric(MetricId),
}

/// One window of the detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// Its length, in milliseconds.
    pub window_ms: i64,
    /// Into how many points its buckets are merged.
    pub points: usize,
    /// Least growth over the window in relation to the level.
    pub growth: f64,
}

/// What the detector counts as a leak; see `docs/leak-detection.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendParameters {
    /// The windows, the shortest first.
    pub ladder: Vec<Rung>,
    /// Least Z of the Mann-Kendall test.
    pub zmin: f64,
    /// Least lower limit of the slope, in bytes a second.
    pub smin: f64,
    /// Part of a window that must lie between its first and last point.
    pub cover: f64,
    /// Least number of points.
    pub nmin: usize,
    /// The second half must grow at least this much as fast as the first.
    pub rho: f64,
    /// The first half must grow at least this much as fast as the second.
    pub rho2: f64,
    /// The same as `rho` in every longer window: a warm-up slows down.
    pub dec: f64,
    /// The end of the window must be this many times as high as every floor before the window; 0 switches the test off.
    pub record: f64,
    /// Ignored after the start of the process, in milliseconds.
    pub skip_ms: i64,
    /// How long the conditions must hold until a leak is raised, in milliseconds.
    pub hold_ms: i64,
    /// How long they may fail meanwhile, in milliseconds.
    pub tol_ms: i64,
    /// After so long without growth the leak is cleared, in milliseconds.
    pub clear_ms: i64,
}

impl Default for TrendParameters {
    fn default() -> Self {
        let rung = |minutes: i64, points, growth| Rung { window_ms: minutes * 60_000, points, growth };
        TrendParameters {
            ladder: vec![rung(5, 10, 0.25), rung(10, 20, 0.10), rung(30, 20, 0.10), rung(60, 20, 0.10)],
            zmin: 3.090_232_306_167_813,
            smin: 8192.0,
            cover: 0.9,
            nmin: 8,
            rho: 0.8,
            rho2: 0.4,
            dec: 0.9,
            record: 1.0,
            skip_ms: 60_000,
            hold_ms: 180_000,
            tol_ms: 60_000,
            clear_ms: 600_000,
        }
    }
}

/// Names of the sets of parameters a rule can begin with.
const PROFILES: [&str; 4] = ["default", "strict", "early", "patient"];

impl TrendParameters {
    /// The parameters of a profile: `default`, `strict` (fewer false alerts, later), `early` (the other way round), or
    /// `patient` (later, in exchange for some more leaks and some fewer false alerts).
    pub fn profile(name: &str) -> Option<TrendParameters> {
        let with_growth = |growth: [f64; 4]| {
            let ladder = TrendParameters::default().ladder;
            ladder.into_iter().zip(growth).map(|(rung, growth)| Rung { growth, ..rung }).collect()
        };
        match name {
            "default" => Some(TrendParameters::default()),
            "strict" => Some(TrendParameters {
                ladder: with_growth([0.30, 0.15, 0.12, 0.12]),
                hold_ms: 300_000,
                ..TrendParameters::default()
            }),
            "early" => Some(TrendParameters {
                ladder: with_growth([0.25, 0.08, 0.06, 0.06]),
                hold_ms: 120_000,
                smin: 4096.0,
                dec: 0.8,
                rho2: 0.25,
                ..TrendParameters::default()
            }),
            "patient" => {
                let rung = |minutes: i64, points, growth| Rung { window_ms: minutes * 60_000, points, growth };
                Some(TrendParameters {
                    ladder: vec![rung(5, 10, 0.30), rung(10, 20, 0.10), rung(30, 15, 0.07), rung(60, 10, 0.05)],
                    zmin: 2.6,
                    rho: 0.85,
                    rho2: 0.2,
                    dec: 0.8,
                    record: 1.01,
                    hold_ms: 300_000,
                    tol_ms: 120_000,
                    ..TrendParameters::default()
                })
            }
            _ => None,
        }
    }

    /// The shortest time, in milliseconds, from the start of a process to a raise.
    pub fn shortest_ms(&self) -> i64 {
        let windows = self.ladder.iter().map(|rung| (rung.window_ms as f64 * self.cover).ceil() as i64);
        self.skip_ms + windows.min().unwrap_or(0) + self.hold_ms
    }
}

/// Reads a trend rule. `source` is the text the places belong to.
pub(super) fn trend(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<Trend, Reported> {
    let path = object.path_of("ruleType");
    let range = object.get("ruleType").and_then(|f| f.range());
    let message = format!("`{path}` is `trend`, which Instana does not have: the definition cannot be imported there");
    findings.add(Severity::Warning, "not-importable", (range, &path), message, None);
    let metrics = metrics(object, source, findings);
    let parameters = parameters(object, findings);
    let memory_limit = memory_limit(object, source, findings);
    Ok(Trend { metrics: metrics?, parameters: parameters?, memory_limit: memory_limit? })
}

/// `metricName`: one id, or a list of them.
fn metrics(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<Vec<MetricId>, Reported> {
    let no_metric = |findings: &mut Findings| {
        let path = object.path_of("metricName");
        let range = object.get("metricName").and_then(|f| f.range()).or(object.brace());
        let message = format!("`{path}` is missing: the rule has no metric");
        findings.add(Severity::Unjudgeable, "no-metric", (range, &path), message, None)
    };
    let Some(field) = object.get("metricName") else { return Err(no_metric(findings)) };
    let Some(elements) = field.elements() else {
        let text = object.text("metricName", findings)?.unwrap_or("");
        return if text.trim().is_empty() {
            Err(no_metric(findings))
        } else {
            Ok(vec![level(&field, source, findings)?])
        };
    };
    let read: Vec<_> = elements.map(|element| level(&element, source, findings)).collect();
    let ids = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() { Err(no_metric(findings)) } else { Ok(ids) }
}

/// A metric id whose values can be a level.
fn level(field: &Field<'_>, source: &str, findings: &mut Findings) -> Result<MetricId, Reported> {
    let Json::String(text) = field.json else { return Err(field.wrong_type("a text", findings)) };
    let id = MetricId::parse(text).map_err(|error| malformed(Some(field.clone()), source, &error, findings))?;
    if id.plural() == Some(Kind::Histogram.plural()) {
        let message = format!("`{}` is a histogram, which has no level that could grow", field.path);
        let help = Some("a trend needs a gauge or a sum, as metrics.sums.process.memory.usage".to_string());
        return Err(findings.add(Severity::Unjudgeable, "no-metric", field.place(), message, help));
    }
    Ok(id)
}

fn memory_limit(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<Option<MemoryLimit>, Reported> {
    let Some(field) = object.get("memoryLimit") else { return Ok(None) };
    match field.json {
        Json::Number(number) => {
            let bytes = number.as_f64().filter(|bytes| *bytes > 0.0);
            let bytes = bytes.ok_or_else(|| out_of_range(&field, "above 0", findings))?;
            Ok(Some(MemoryLimit::Bytes(bytes)))
        }
        Json::String(_) => Ok(Some(MemoryLimit::Metric(level(&field, source, findings)?))),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => {
            Err(field.wrong_type("a number of bytes or a metric id", findings))
        }
    }
}

fn parameters(object: &Object<'_>, findings: &mut Findings) -> Result<TrendParameters, Reported> {
    let base = profile(object, findings)?;
    let ladder = ladder(object, &base, findings);
    let mut number = |key, default, range| number(object, key, default, range, findings);
    let zmin = number("zmin", base.zmin, (0.0, 100.0));
    let smin = number("smin", base.smin, (0.0, f64::MAX));
    let cover = number("cover", base.cover, (0.1, 1.0));
    let nmin = number("nmin", base.nmin as f64, (6.0, MOST_POINTS as f64));
    let rho = number("rho", base.rho, (0.0, 10.0));
    let rho2 = number("rho2", base.rho2, (0.0, 10.0));
    let dec = number("dec", base.dec, (0.0, 10.0));
    let record = number("record", base.record, (0.0, 10.0));
    let mut span = |key, default| span(object, key, default, findings);
    let (skip_ms, hold_ms) = (span("skip", base.skip_ms), span("hold", base.hold_ms));
    let (tol_ms, clear_ms) = (span("tol", base.tol_ms), span("clear", base.clear_ms));
    let parameters = TrendParameters {
        ladder: ladder?,
        zmin: zmin?,
        smin: smin?,
        cover: cover?,
        nmin: nmin? as usize,
        rho: rho?,
        rho2: rho2?,
        dec: dec?,
        record: record?,
        skip_ms: skip_ms?,
        hold_ms: hold_ms?,
        tol_ms: tol_ms?,
        clear_ms: clear_ms?,
    };
    never_fires(object, &parameters, findings);
    Ok(parameters)
}

fn profile(object: &Object<'_>, findings: &mut Findings) -> Result<TrendParameters, Reported> {
    let Some(name) = object.text("profile", findings)? else { return Ok(TrendParameters::default()) };
    TrendParameters::profile(name).ok_or_else(|| {
        let path = object.path_of("profile");
        let range = object.get("profile").and_then(|f| f.range());
        let message = format!("`{path}` has the unknown profile `{name}`");
        let help = did_you_mean(name, PROFILES).unwrap_or_else(|| format!("known are {}", PROFILES.join(", ")));
        findings.add(Severity::Unjudgeable, "unknown-profile", (range, &path), message, Some(help))
    })
}

fn number(
    object: &Object<'_>,
    key: &str,
    default: f64,
    (least, most): (f64, f64),
    findings: &mut Findings,
) -> Result<f64, Reported> {
    let Some(field) = object.get(key) else { return Ok(default) };
    let Json::Number(number) = field.json else { return Err(field.wrong_type("a number", findings)) };
    match number.as_f64().filter(|value| (least..=most).contains(value)) {
        Some(value) => Ok(value),
        None if most == f64::MAX => Err(out_of_range(&field, &format!("at least {least}"), findings)),
        None => Err(out_of_range(&field, &format!("from {least} to {most}"), findings)),
    }
}

/// A span in milliseconds, at most as long as what is remembered.
fn span(object: &Object<'_>, key: &str, default: i64, findings: &mut Findings) -> Result<i64, Reported> {
    let ms = object.milliseconds(key, findings)?.unwrap_or(default);
    match object.get(key) {
        Some(field) if ms > LONGEST_WINDOW_MS => Err(out_of_range(&field, "at most 21600000 (6 h)", findings)),
        Some(_) | None => Ok(ms),
    }
}

fn out_of_range(field: &Field<'_>, wanted: &str, findings: &mut Findings) -> Reported {
    let message = format!("`{}` must be {wanted}", field.path);
    findings.add(Severity::Unjudgeable, "out-of-range", field.place(), message, None)
}

fn ladder(object: &Object<'_>, base: &TrendParameters, findings: &mut Findings) -> Result<Vec<Rung>, Reported> {
    let Some(field) = object.get("ladder") else { return Ok(base.ladder.clone()) };
    let Some(elements) = field.elements() else { return Err(field.wrong_type("a list", findings)) };
    let rungs: Vec<_> = elements.map(|element| rung(&element, findings)).collect();
    let rungs = rungs.into_iter().collect::<Result<Vec<_>, _>>()?;
    if rungs.is_empty() || rungs.len() > MOST_RUNGS {
        return Err(out_of_range(&field, &format!("a list of 1 to {MOST_RUNGS} windows"), findings));
    }
    if !rungs.is_sorted_by(|a, b| a.window_ms < b.window_ms) {
        return Err(out_of_range(&field, "ordered by window, the shortest first, each once", findings));
    }
    Ok(rungs)
}

fn rung(field: &Field<'_>, findings: &mut Findings) -> Result<Rung, Reported> {
    let Some(object) = field.object() else { return Err(field.wrong_type("an object", findings)) };
    object.check_keys(&[RUNG], |_| None, findings);
    let window = object.milliseconds("window", findings);
    let points = object.integer("points", findings);
    let growth = match object.get("growth") {
        Some(_) => number(&object, "growth", 0.0, (0.0, 1000.0), findings),
        None => Err(object.missing("growth", findings)),
    };
    let window_ms = match window? {
        Some(ms) if (BUCKET_MS..=LONGEST_WINDOW_MS).contains(&ms) => Ok(ms),
        Some(_) => Err(out_of_range(&inner(&object, "window", field), "from 30000 (30 s) to 21600000 (6 h)", findings)),
        None => Err(object.missing("window", findings)),
    };
    let points = match points? {
        Some(points) if (6..=MOST_POINTS).contains(&points) => Ok(points as usize),
        Some(_) => Err(out_of_range(&inner(&object, "points", field), &format!("from 6 to {MOST_POINTS}"), findings)),
        None => Err(object.missing("points", findings)),
    };
    Ok(Rung { window_ms: window_ms?, points: points?, growth: growth? })
}

/// A value of the object, or the object itself when the value has no place of its own.
fn inner<'a>(object: &Object<'a>, key: &str, whole: &Field<'a>) -> Field<'a> {
    object.get(key).unwrap_or_else(|| whole.clone())
}

/// A window whose buckets are too few for `nmin` can never be covered.
fn never_fires(object: &Object<'_>, parameters: &TrendParameters, findings: &mut Findings) {
    let reachable = |rung: &Rung| rung.points.min((rung.window_ms / BUCKET_MS) as usize) >= parameters.nmin;
    if !parameters.ladder.iter().any(reachable) {
        let path = object.path_of("nmin");
        let range = object.get("nmin").and_then(|f| f.range()).or(object.brace());
        let message = format!("`{path}` asks for {} points, which no window of the ladder has", parameters.nmin);
        findings.add(Severity::Warning, "never-fires", (range, &path), message, None);
    }
}
