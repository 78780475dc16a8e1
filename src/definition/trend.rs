//! Trend rules: memory that grows and does not come back. A local extension that Instana does not have.
//!
//! Owns the parameters of the detector with their defaults and profiles. What they do is the engine's business, described
//! in `docs/leak-detection.md`.

use super::changes::{FAR, RuleChange, other_numbers, other_spans};
use super::comparison::malformed_metric;
use super::findings::{Findings, Reported, did_you_mean};
use super::metric_id::MetricId;
use super::object::{Field, Keys, Object};
use super::problem::Severity;
use crate::model::Kind;
use serde_json::Value as Json;

/// The keys of a trend rule.
pub(super) const KEYS: Keys = Keys {
    settable: &[
        "metricName",
        "profile",
        "memoryLimit",
        "zmin",
        "smin",
        "cover",
        "nmin",
        "rho",
        "rho2",
        "dec",
        "record",
        "skip",
        "hold",
        "tol",
        "clear",
    ],
    other: &["ladder"],
};

/// The keys of a window in the `ladder`.
const WINDOW_LEVEL: Keys = Keys { settable: &["window", "points", "growth"], other: &[] };

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
    /// The value of this metric of the same entity.
    Metric(MetricId),
}

/// One window of the detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowLevel {
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
    pub ladder: Vec<WindowLevel>,
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
        let level = |minutes: i64, points, growth| WindowLevel { window_ms: minutes * 60_000, points, growth };
        TrendParameters {
            ladder: vec![level(5, 10, 0.25), level(10, 20, 0.10), level(30, 20, 0.10), level(60, 20, 0.10)],
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
            ladder.into_iter().zip(growth).map(|(level, growth)| WindowLevel { growth, ..level }).collect()
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
                let level = |minutes: i64, points, growth| WindowLevel { window_ms: minutes * 60_000, points, growth };
                Some(TrendParameters {
                    ladder: vec![level(5, 10, 0.30), level(10, 20, 0.10), level(30, 15, 0.07), level(60, 10, 0.05)],
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
        let windows = self.ladder.iter().map(|level| (level.window_ms as f64 * self.cover).ceil() as i64);
        self.skip_ms + windows.min().unwrap_or(0) + self.hold_ms
    }
}

impl Trend {
    /// The rule with another growth, another ladder, other spans of time, or other metrics. The growth of a trend is its
    /// threshold, and its spans of time are its window.
    pub(super) fn changes(&self) -> Vec<RuleChange<Trend>> {
        let mut all = Vec::new();
        let mut add = |field: &'static str, change: String, edit: &dyn Fn(&mut Trend)| {
            let mut to = self.clone();
            edit(&mut to);
            all.push(RuleChange { field, change, to });
        };
        for (word, factor) in [("higher", 1.0 + FAR), ("lower", 1.0 - FAR)] {
            add("ladder", format!("growth {}% {word}", FAR * 100.0), &|to| {
                to.parameters.ladder.iter_mut().for_each(|level| level.growth *= factor);
            });
        }
        for WindowLevel { window_ms, .. } in &self.parameters.ladder {
            add("ladder", format!("window of {window_ms} removed"), &|to| {
                to.parameters.ladder.retain(|one| one.window_ms != *window_ms);
            });
        }
        for (change, smin) in other_numbers(self.parameters.smin) {
            add("smin", change, &|to| to.parameters.smin = smin);
        }
        type SpanOf = fn(&mut TrendParameters) -> &mut i64;
        let spans: [(&str, SpanOf); 3] =
            [("skip", |of| &mut of.skip_ms), ("hold", |of| &mut of.hold_ms), ("clear", |of| &mut of.clear_ms)];
        for (field, span) in spans {
            for (change, ms) in other_spans(*span(&mut self.parameters.clone())) {
                add(field, change, &|to| *span(&mut to.parameters) = ms);
            }
        }
        for (place, id) in self.metrics.iter().enumerate() {
            if self.metrics.len() > 1 {
                add("metricName", format!("{} removed", id.text), &|to| drop(to.metrics.remove(place)));
            }
            if let Some((change, wider)) = id.wider() {
                add("metricName", change, &|to| to.metrics[place] = wider.clone());
            }
        }
        all
    }
}

/// The detector looks at buckets of this length.
const BUCKET_MS: i64 = 30_000;

/// The grace period of trend rules, when the definition has none; one lost export is no silence.
pub(super) const EXPIRATION_MS: i64 = 600_000;

/// Longer windows would need more buckets than are kept (6 h).
const LONGEST_WINDOW_MS: i64 = 6 * 3_600_000;

/// More points make every evaluation slow: it compares each with each.
const MOST_POINTS: i64 = 60;

/// More windows than anybody needs.
const MOST_LEVELS: usize = 8;

/// Reads a trend rule. `source` is the text the ranges belong to.
pub(super) fn read(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<Trend, Reported> {
    let message = |path: &str| {
        format!("`{path}` is `trend`, which Instana does not have: the definition cannot be imported there")
    };
    object.report("ruleType", Severity::Warning, "not-importable", message, None, findings);
    let metrics = metrics(object, source, findings);
    let parameters = parameters(object, findings);
    let memory_limit = memory_limit(object, source, findings);
    Ok(Trend { metrics: metrics?, parameters: parameters?, memory_limit: memory_limit? })
}

/// `metricName`: one id, or a list of them.
fn metrics(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<Vec<MetricId>, Reported> {
    let no_metric = |findings: &mut Findings| {
        let message = |path: &str| format!("`{path}` is missing: the rule has no metric");
        object.report("metricName", Severity::Unevaluable, "no-metric", message, None, findings)
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
    let id = MetricId::parse(text).map_err(|error| malformed_metric(Some(field.clone()), source, &error, findings))?;
    if id.plural() == Some(Kind::Histogram.plural()) {
        let message = format!("`{}` is a histogram, which has no level that could grow", field.path);
        let help = Some("a trend needs a gauge or a sum, as metrics.sums.process.memory.usage".to_string());
        return Err(findings.add(Severity::Unevaluable, "no-metric", field.location(), message, help));
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
        let message = |path: &str| format!("`{path}` has the unknown profile `{name}`");
        let help = did_you_mean(name, PROFILES).unwrap_or_else(|| format!("known are {}", PROFILES.join(", ")));
        object.report("profile", Severity::Unevaluable, "unknown-profile", message, Some(help), findings)
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
    findings.add(Severity::Unevaluable, "out-of-range", field.location(), message, None)
}

fn ladder(object: &Object<'_>, base: &TrendParameters, findings: &mut Findings) -> Result<Vec<WindowLevel>, Reported> {
    let Some(field) = object.get("ladder") else { return Ok(base.ladder.clone()) };
    let Some(elements) = field.elements() else { return Err(field.wrong_type("a list", findings)) };
    let levels: Vec<_> = elements.map(|element| window_level(&element, findings)).collect();
    let levels = levels.into_iter().collect::<Result<Vec<_>, _>>()?;
    if levels.is_empty() || levels.len() > MOST_LEVELS {
        return Err(out_of_range(&field, &format!("a list of 1 to {MOST_LEVELS} windows"), findings));
    }
    if !levels.is_sorted_by(|a, b| a.window_ms < b.window_ms) {
        return Err(out_of_range(&field, "ordered by window, the shortest first, each once", findings));
    }
    Ok(levels)
}

fn window_level(field: &Field<'_>, findings: &mut Findings) -> Result<WindowLevel, Reported> {
    let Some(object) = field.object() else { return Err(field.wrong_type("an object", findings)) };
    object.check_keys(&[WINDOW_LEVEL], |_| None, findings);
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
    Ok(WindowLevel { window_ms: window_ms?, points: points?, growth: growth? })
}

/// A value of the object, or the object itself when the value is missing.
fn inner<'a>(object: &Object<'a>, key: &str, whole: &Field<'a>) -> Field<'a> {
    object.get(key).unwrap_or_else(|| whole.clone())
}

/// A window whose buckets are too few for `nmin` can never be covered.
fn never_fires(object: &Object<'_>, parameters: &TrendParameters, findings: &mut Findings) {
    let reachable = |level: &WindowLevel| level.points.min((level.window_ms / BUCKET_MS) as usize) >= parameters.nmin;
    if !parameters.ladder.iter().any(reachable) {
        let message =
            |path: &str| format!("`{path}` asks for {} points, which no window of the ladder has", parameters.nmin);
        object.report("nmin", Severity::Warning, "never-fires", message, None, findings);
    }
}
