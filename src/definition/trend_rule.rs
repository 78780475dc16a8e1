//! Reading a trend rule: JSON to [`Trend`], with every parameter checked.

use super::comparison::malformed_metric;
use super::findings::{Findings, Reported, did_you_mean};
use super::keys::WINDOW_LEVEL;
use super::metric_id::MetricId;
use super::object::{Field, Object};
use super::problem::Severity;
use super::trend::{MemoryLimit, PROFILES, Trend, TrendParameters, WindowLevel};
use crate::model::Kind;
use serde_json::Value as Json;

/// The detector looks at buckets of this length.
pub(super) const BUCKET_MS: i64 = 30_000;

/// The grace period of trend rules, when the definition has none; one lost export is no silence.
pub(super) const EXPIRATION_MS: i64 = 600_000;

/// Longer windows would need more buckets than are kept (6 h).
const LONGEST_WINDOW_MS: i64 = 6 * 3_600_000;

/// More points make every evaluation slow: it compares each with each.
const MOST_POINTS: i64 = 60;

/// More windows than anybody needs.
const MOST_LEVELS: usize = 8;

/// Reads a trend rule. `source` is the text the ranges belong to.
pub(super) fn trend(object: &Object<'_>, source: &str, findings: &mut Findings) -> Result<Trend, Reported> {
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
