//! Trend rules: memory that grows and does not come back. A local extension that Instana does not have.
//!
//! Owns the parameters of the detector with their defaults and profiles. What they do is the engine's business, described
//! in `docs/leak-detection.md`.

use super::threshold::metric_id;
use crate::definition::comparison::{FAR, RuleChange, other_numbers, other_spans};
use crate::definition::metric_id::MetricId;
use crate::definition::object::{Field, Keys, Object};
use crate::definition::problem::{Checked, Reported, did_you_mean};
use crate::model::Kind;
use serde_json::Value as Json;

/// The keys of a trend rule.
pub(super) const KEYS: Keys =
    Keys::of("metricName profile memoryLimit zmin smin cover nmin rho rho2 dec record skip hold tol clear", "ladder");

/// The keys of a window in the `ladder`.
const WINDOW_LEVEL: Keys = Keys::of("window points growth", "");

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
        TrendParameters {
            ladder: ladder_of([(5, 10, 0.25), (10, 20, 0.10), (30, 20, 0.10), (60, 20, 0.10)]),
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

/// Windows by their minutes, points and growth.
fn ladder_of(levels: [(i64, usize, f64); 4]) -> Vec<WindowLevel> {
    let level = |(minutes, points, growth)| WindowLevel { window_ms: minutes * 60_000, points, growth };
    levels.map(level).to_vec()
}

/// Names of the sets of parameters a rule can begin with.
const PROFILES: [&str; 4] = ["default", "strict", "early", "patient"];

impl TrendParameters {
    /// The parameters of a profile: `default`, `strict` (fewer false alerts, later), `early` (the other way round), or
    /// `patient` (later, in exchange for some more leaks and some fewer false alerts).
    pub fn profile(name: &str) -> Option<TrendParameters> {
        let usual = TrendParameters::default();
        let with_growth = |growth: [f64; 4]| {
            usual.ladder.iter().zip(growth).map(|(level, growth)| WindowLevel { growth, ..*level }).collect()
        };
        Some(match name {
            "default" => usual,
            "strict" => TrendParameters { ladder: with_growth([0.30, 0.15, 0.12, 0.12]), hold_ms: 300_000, ..usual },
            "early" => TrendParameters {
                ladder: with_growth([0.25, 0.08, 0.06, 0.06]),
                hold_ms: 120_000,
                smin: 4096.0,
                dec: 0.8,
                rho2: 0.25,
                ..usual
            },
            "patient" => TrendParameters {
                ladder: ladder_of([(5, 10, 0.30), (10, 20, 0.10), (30, 15, 0.07), (60, 10, 0.05)]),
                zmin: 2.6,
                rho: 0.85,
                rho2: 0.2,
                dec: 0.8,
                record: 1.01,
                hold_ms: 300_000,
                tol_ms: 120_000,
                ..usual
            },
            _ => return None,
        })
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
pub(in crate::definition) const EXPIRATION_MS: i64 = 600_000;

/// Longer windows would need more buckets than are kept (6 h).
const LONGEST_WINDOW_MS: i64 = 6 * 3_600_000;

/// More points make every evaluation slow: it compares each with each.
const MOST_POINTS: i64 = 60;

/// More windows than anybody needs.
const MOST_LEVELS: usize = 8;

/// Reads a trend rule.
pub(super) fn read(object: &Object<'_>) -> Checked<Trend> {
    let what = "is `trend`, which Instana does not have: the definition cannot be imported there";
    object.at("ruleType").warn("not-importable", what, None);
    let metrics = metrics(object);
    let parameters = parameters(object);
    let memory_limit = object.read("memoryLimit", memory_limit);
    Ok(Trend { metrics: metrics?, parameters: parameters?, memory_limit: memory_limit? })
}

/// `metricName`: one id, or a list of them.
fn metrics(object: &Object<'_>) -> Checked<Vec<MetricId>> {
    let field = object.get("metricName").filter(|field| match field.json {
        Json::String(text) => !text.trim().is_empty(),
        Json::Array(list) => !list.is_empty(),
        _ => true,
    });
    let Some(field) = field else {
        return Err(object.at("metricName").refuse("no-metric", "is missing: the rule has no metric", None));
    };
    if !field.json.is_array() {
        object.text("metricName")?;
        return Ok(vec![level(&field)?]);
    }
    let read: Vec<_> = field.elements()?.map(|element| level(&element)).collect();
    read.into_iter().collect()
}

/// A metric id whose values can be a level.
fn level(field: &Field<'_>) -> Checked<MetricId> {
    let id = metric_id(field)?;
    if id.plural() == Some(Kind::Histogram.plural()) {
        let help = Some("a trend needs a gauge or a sum, as metrics.sums.process.memory.usage".to_string());
        return Err(field.at().refuse("no-metric", "is a histogram, which has no level that could grow", help));
    }
    Ok(id)
}

fn memory_limit(field: &Field<'_>) -> Checked<MemoryLimit> {
    match field.json {
        Json::Number(number) => {
            let bytes = number.as_f64().filter(|bytes| *bytes > 0.0);
            bytes.map(MemoryLimit::Bytes).ok_or_else(|| out_of_range(field, "above 0"))
        }
        Json::String(_) => level(field).map(MemoryLimit::Metric),
        _ => Err(field.wrong_type("a number of bytes or a metric id")),
    }
}

fn parameters(object: &Object<'_>) -> Checked<TrendParameters> {
    let mut read = profile(object)?;
    let ladder = object.read("ladder", ladder);
    let mut nmin = read.nmin as f64;
    let numbers = [
        ("zmin", &mut read.zmin, 0.0, 100.0),
        ("smin", &mut read.smin, 0.0, f64::MAX),
        ("cover", &mut read.cover, 0.1, 1.0),
        ("nmin", &mut nmin, 6.0, MOST_POINTS as f64),
        ("rho", &mut read.rho, 0.0, 10.0),
        ("rho2", &mut read.rho2, 0.0, 10.0),
        ("dec", &mut read.dec, 0.0, 10.0),
        ("record", &mut read.record, 0.0, 10.0),
    ];
    // Everything is read before anything is refused.
    let mut all = Ok(());
    for (key, to, least, most) in numbers {
        let value = object.read(key, |field| number(field, least, most));
        all = all.and(value.map(|value| *to = value.unwrap_or(*to)));
    }
    let spans = [
        ("skip", &mut read.skip_ms),
        ("hold", &mut read.hold_ms),
        ("tol", &mut read.tol_ms),
        ("clear", &mut read.clear_ms),
    ];
    for (key, to) in spans {
        all = all.and(object.read(key, span).map(|ms| *to = ms.unwrap_or(*to)));
    }
    read.nmin = nmin as usize;
    read.ladder = ladder?.unwrap_or(read.ladder);
    all?;
    // A window whose buckets are too few for `nmin` can never be covered.
    let reachable = |level: &WindowLevel| level.points.min((level.window_ms / BUCKET_MS) as usize) >= read.nmin;
    if !read.ladder.iter().any(reachable) {
        let what = format!("asks for {} points, which no window of the ladder has", read.nmin);
        object.at("nmin").warn("never-fires", what, None);
    }
    Ok(read)
}

fn profile(object: &Object<'_>) -> Checked<TrendParameters> {
    let Some(name) = object.text("profile")? else { return Ok(TrendParameters::default()) };
    TrendParameters::profile(name).ok_or_else(|| {
        let help = did_you_mean(name, PROFILES).unwrap_or_else(|| format!("known are {}", PROFILES.join(", ")));
        object.at("profile").refuse("unknown-profile", format!("has the unknown profile `{name}`"), Some(help))
    })
}

fn number(field: &Field<'_>, least: f64, most: f64) -> Checked<f64> {
    let number = field.json.as_f64().ok_or_else(|| field.wrong_type("a number"))?;
    match number {
        _ if (least..=most).contains(&number) => Ok(number),
        _ if most == f64::MAX => Err(out_of_range(field, &format!("at least {least}"))),
        _ => Err(out_of_range(field, &format!("from {least} to {most}"))),
    }
}

/// A span in milliseconds, at most as long as what is remembered.
fn span(field: &Field<'_>) -> Checked<i64> {
    match field.milliseconds()? {
        ms @ ..=LONGEST_WINDOW_MS => Ok(ms),
        _ => Err(out_of_range(field, "at most 21600000 (6 h)")),
    }
}

fn out_of_range(field: &Field<'_>, wanted: &str) -> Reported {
    field.at().refuse("out-of-range", format!("must be {wanted}"), None)
}

fn ladder(field: &Field<'_>) -> Checked<Vec<WindowLevel>> {
    let levels: Vec<_> = field.elements()?.map(|element| window_level(&element.object()?)).collect();
    let levels = levels.into_iter().collect::<Result<Vec<_>, _>>()?;
    if levels.is_empty() || levels.len() > MOST_LEVELS {
        return Err(out_of_range(field, &format!("a list of 1 to {MOST_LEVELS} windows")));
    }
    if !levels.is_sorted_by(|a, b| a.window_ms < b.window_ms) {
        return Err(out_of_range(field, "ordered by window, the shortest first, each once"));
    }
    Ok(levels)
}

fn window_level(object: &Object<'_>) -> Checked<WindowLevel> {
    object.check_keys(&[WINDOW_LEVEL], |_| None);
    let growth = object.required("growth", |field| number(field, 0.0, 1000.0));
    let window_ms = object.required("window", |field| match field.milliseconds()? {
        ms @ BUCKET_MS..=LONGEST_WINDOW_MS => Ok(ms),
        _ => Err(out_of_range(field, "from 30000 (30 s) to 21600000 (6 h)")),
    });
    let points = object.required("points", |field| match field.integer()? {
        points @ 6..=MOST_POINTS => Ok(points as usize),
        _ => Err(out_of_range(field, &format!("from 6 to {MOST_POINTS}"))),
    });
    Ok(WindowLevel { window_ms: window_ms?, points: points?, growth: growth? })
}
