//! Trends in words: what a window shows, what it could have shown, and why it is inconclusive.
//!
//! The wording is "potential leak": resident memory alone cannot tell a leak from a cache without a bound. Limits of a slope
//! are called nominal, because they assume what memory does not do.

use crate::catalog::Quantity;
use crate::definition::{EventDefinition, Rule, Trend, TrendParameters};
use crate::engine::trend::{Evidence, LifeReport, TimeToLimit, TrendVerdict};
use crate::engine::{DefinitionReport, InconclusiveReason};
use crate::model::{MS, Nanos, SECOND, to_ms};
use crate::report::outcome::Detail;
use crate::report::quantity::{Measure, counted, percent};
use crate::report::time::{duration, span_ms};

/// Spans longer than this are not written to the second.
const FAR: f64 = 365.0 * 86_400.0;

/// `100 KiB/s`.
pub(in crate::report) fn slope(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

fn bytes(bytes: f64) -> String {
    Measure::of(Quantity::Bytes).text(bytes)
}

/// The evidence of a raised leak in one sentence.
pub(in crate::report) fn leak(evidence: &Evidence, detail: Detail) -> String {
    let figures = &evidence.figures;
    let window = span_ms(to_ms(figures.window));
    let mut text = format!(
        "potential leak: {} (95% CI {} to {}) over {window}, {} or {} of its level of {}, {} since the start; \
         detection limit {}",
        slope(figures.slope),
        slope(figures.low),
        slope(figures.high),
        bytes(figures.growth()),
        percent(evidence.share()),
        bytes(figures.level),
        bytes(evidence.grown),
        slope(evidence.smallest),
    );
    if detail == Detail::Full {
        text += &format!("; p {}, tau {}", chance(figures.p), Measure::plain().text(figures.tau));
    }
    if let (Some(limit), Some(time)) = (evidence.limit, evidence.time_to_limit()) {
        text += &format!("; {}", until_limit(limit, time));
    }
    if let Some(note) = collections(evidence) {
        text += &format!("; {note}");
    }
    if evidence.ignored > 0 {
        text += &format!("; {}", ignored(evidence.ignored));
    }
    text
}

fn chance(p: f64) -> String {
    if p < 0.001 { "below 0.001".to_string() } else { Measure::plain().text(p) }
}

fn until_limit(limit: f64, time: TimeToLimit) -> String {
    let limit = bytes(limit);
    if time.expected == 0.0 {
        return format!("it is at its limit of {limit}");
    }
    let latest = time.latest.map_or_else(|| "never".to_string(), span);
    format!("at this rate it reaches {limit} in {} ({} to {latest})", span(time.expected), span(time.earliest))
}

fn span(seconds: f64) -> String {
    if seconds > FAR { "more than a year".to_string() } else { duration((seconds as Nanos).max(1) * SECOND) }
}

/// What the garbage collector says about the growth.
pub(in crate::report) fn collections(evidence: &Evidence) -> Option<String> {
    Some(match evidence.collections? {
        0 => "no full garbage collection in the window: may be uncollected cycles".to_string(),
        1 => "a full garbage collection ran and memory kept rising".to_string(),
        n => format!("{n} full garbage collections ran and memory kept rising"),
    })
}

/// Points that came too late for their bucket, with the remedy.
pub(in crate::report) fn ignored(n: u64) -> String {
    format!(
        "{} received too late for their 30s bucket and left out (`--timestamps arrival` counts them)",
        counted(n, "data point", "data points")
    )
}

/// A life without a leak in words.
pub(in crate::report) fn no_leak(life: &LifeReport) -> String {
    let Some(evidence) = &life.evidence else { return "no leak".to_string() };
    let window = span_ms(to_ms(evidence.figures.window));
    format!(
        "no leak; {} over the last {window}, detection limit {}",
        slope(evidence.figures.slope),
        slope(evidence.smallest)
    )
}

/// Why a life is inconclusive.
pub(in crate::report) fn undecided(
    reason: InconclusiveReason,
    seen: Option<Nanos>,
    parameters: &TrendParameters,
) -> String {
    let needed = duration(parameters.shortest_ms() * MS);
    match (reason, seen) {
        (InconclusiveReason::Gap, _) => "gaps in the data: no window was covered for long enough".to_string(),
        (InconclusiveReason::SeveralWriters, _) => {
            "several processes write the same series, so its memory may be that of \
                                                    another; give each its own service.instance.id"
                .to_string()
        }
        (InconclusiveReason::Scaled, _) => {
            "windows were scaled, and a trend cannot be evaluated in a shorter one".to_string()
        }
        (_, Some(seen)) if seen > 0 => {
            let skipped = span_ms(parameters.skip_ms);
            let seen = duration(seen);
            format!("needs {needed} of data from process start, got {seen} after the first {skipped}")
        }
        _ => format!("needs {needed} of data from process start"),
    }
}

/// One life in a sentence.
pub(in crate::report) fn life(life: &LifeReport, parameters: &TrendParameters, detail: Detail) -> String {
    let mut text = match (life.verdict, &life.evidence) {
        (TrendVerdict::Leak, Some(evidence)) => return leak(evidence, detail),
        (TrendVerdict::Leak, None) => "potential leak".to_string(),
        (TrendVerdict::NoLeak, _) => no_leak(life),
        (TrendVerdict::Inconclusive(reason), _) => undecided(reason, Some(life.seen), parameters),
    };
    if life.ignored > 0 {
        text += &format!("; {}", ignored(life.ignored));
    }
    text
}

/// Its first trend rule, if it has one.
fn trend_rule(definition: &EventDefinition) -> Option<&Trend> {
    definition.rules.iter().find_map(Rule::trend)
}

/// The steepest leak that was raised; `None` when the definition is not about trends.
pub(in crate::report) fn worst(definition: &EventDefinition, report: &DefinitionReport) -> Option<String> {
    trend_rule(definition)?;
    let leaks = report.lives.iter().filter(|life| life.verdict == TrendVerdict::Leak);
    let slopes = leaks.filter_map(|life| life.evidence.as_ref().map(|evidence| evidence.figures.slope));
    Some(match slopes.max_by(f64::total_cmp) {
        Some(steepest) => format!("potential leak of {}{}", slope(steepest), others(report)),
        None => "potential leak".to_string(),
    })
}

/// Inconclusive lives stand beside the verdict on the others.
fn others(report: &DefinitionReport) -> String {
    let undecided = |life: &&LifeReport| matches!(life.verdict, TrendVerdict::Inconclusive(_));
    match report.lives.iter().filter(undecided).count() as u64 {
        0 => String::new(),
        n => format!("; {} inconclusive (details with -v)", counted(n, "other life", "other lives")),
    }
}

/// Why no event was opened; `None` when the definition is not about trends.
pub(in crate::report) fn quiet(definition: &EventDefinition, report: &DefinitionReport) -> Option<String> {
    trend_rule(definition)?;
    let evaluated = report.lives.iter().filter(|life| life.verdict == TrendVerdict::NoLeak);
    let steepest = evaluated.max_by(|a, b| {
        let slope = |life: &LifeReport| life.evidence.as_ref().map_or(f64::NEG_INFINITY, |e| e.figures.slope);
        slope(a).total_cmp(&slope(b))
    });
    let text = steepest.map_or_else(|| "no leak".to_string(), no_leak);
    Some(format!("{text}{}", others(report)))
}

/// Why it is inconclusive; `None` when that is for a reason that is not about trends.
pub(in crate::report) fn inconclusive(
    definition: &EventDefinition,
    report: &DefinitionReport,
    reason: InconclusiveReason,
) -> Option<String> {
    let parameters = &trend_rule(definition)?.parameters;
    match reason {
        InconclusiveReason::WarmingUp | InconclusiveReason::Gap => {
            let why = TrendVerdict::Inconclusive(reason);
            let seen = report.lives.iter().filter(|life| life.verdict == why).map(|life| life.seen).max();
            Some(undecided(reason, seen, parameters))
        }
        InconclusiveReason::SeveralWriters | InconclusiveReason::Scaled => Some(undecided(reason, None, parameters)),
        InconclusiveReason::NoValue => {
            Some("the series have no level that could grow: they are delta sums or histograms".to_string())
        }
        InconclusiveReason::NoSeries | InconclusiveReason::NoEntity | InconclusiveReason::Problem => None,
    }
}
