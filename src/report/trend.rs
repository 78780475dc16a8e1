//! Trends in words: what a window shows, what it could have shown, and why it cannot tell.
//!
//! The wording is "potential leak": resident memory alone cannot tell a leak from a cache without a bound. Limits of a slope
//! are called nominal, because they assume what memory does not do.

use super::quantity::{Measure, percent};
use super::words::{counted, duration, span_ms};
use crate::catalog::Quantity;
use crate::definition::TrendParameters;
use crate::engine::InconclusiveReason;
use crate::engine::trend::{Evidence, LifeReport, TimeToLimit, TrendVerdict};
use crate::model::{MS, Nanos, SECOND, to_ms};

/// Spans longer than this are not told to the second.
const FAR: f64 = 365.0 * 86_400.0;

/// `100 KiB/s`.
pub(super) fn slope(bytes_per_second: f64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

fn bytes(bytes: f64) -> String {
    Measure::of(Quantity::Bytes).text(bytes)
}

/// The evidence of a raised leak in one sentence.
pub(super) fn leak(evidence: &Evidence) -> String {
    let figures = &evidence.figures;
    let window = span_ms(to_ms(figures.window));
    let mut text = format!(
        "potential leak: {} (nominal 95 % limits {} and {}) over {window}, {} or {} of its level of {}, {} since the start; \
         p {}, tau {}; a leak of {} would have shown",
        slope(figures.slope),
        slope(figures.low),
        slope(figures.high),
        bytes(figures.growth()),
        percent(evidence.share()),
        bytes(figures.level),
        bytes(evidence.grown),
        chance(figures.p),
        Measure::plain().text(figures.tau),
        slope(evidence.smallest),
    );
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
    format!("at this pace it reaches {limit} in {} ({} to {latest})", span(time.expected), span(time.earliest))
}

fn span(seconds: f64) -> String {
    if seconds > FAR { "more than a year".to_string() } else { duration((seconds as Nanos).max(1) * SECOND) }
}

/// What the garbage collector says about the growth.
pub(super) fn collections(evidence: &Evidence) -> Option<String> {
    Some(match evidence.collections? {
        0 => "no full garbage collection in the window: may be uncollected cycles".to_string(),
        1 => "a full garbage collection ran and the floor kept rising".to_string(),
        n => format!("{n} full garbage collections ran and the floor kept rising"),
    })
}

/// Points that came too late for their bucket, with the remedy.
pub(super) fn ignored(n: u64) -> String {
    format!(
        "{} came after their 30 s were over and were left out (`--timestamps arrival` counts them)",
        counted(n, "point", "points")
    )
}

/// What is said of a life without a leak.
pub(super) fn no_leak(life: &LifeReport) -> String {
    let Some(evidence) = &life.evidence else { return "no leak".to_string() };
    let window = span_ms(to_ms(evidence.figures.window));
    format!(
        "no leak; {} over the last {window}, and a steady leak of {} or more would have shown",
        slope(evidence.figures.slope),
        slope(evidence.smallest)
    )
}

/// Why it cannot be told whether a life leaks.
pub(super) fn undecided(reason: InconclusiveReason, seen: Option<Nanos>, parameters: &TrendParameters) -> String {
    let needed = duration(parameters.shortest_ms() * MS);
    match (reason, seen) {
        (InconclusiveReason::Gap, _) => {
            "holes between the points kept every window from being covered for long enough (gap)".to_string()
        }
        (InconclusiveReason::SeveralWriters, _) => {
            "several processes write the same series, so its memory may be that of \
                                                    another; give each its own service.instance.id"
                .to_string()
        }
        (InconclusiveReason::Scaled, _) => {
            "the windows were scaled, and a trend cannot be: it takes the time it takes".to_string()
        }
        (_, Some(seen)) if seen > 0 => {
            let skipped = span_ms(parameters.skip_ms);
            let seen = duration(seen);
            format!(
                "too short: {seen} after the first {skipped}; it takes {needed} from the start of a process at least"
            )
        }
        _ => format!("too short: it takes {needed} from the start of a process at least"),
    }
}

/// One life in a sentence.
pub(super) fn life(life: &LifeReport, parameters: &TrendParameters) -> String {
    let mut text = match (life.verdict, &life.evidence) {
        (TrendVerdict::Leak, Some(evidence)) => return leak(evidence),
        (TrendVerdict::Leak, None) => "potential leak".to_string(),
        (TrendVerdict::NoLeak, _) => no_leak(life),
        (TrendVerdict::Inconclusive(reason), _) => undecided(reason, Some(life.seen), parameters),
    };
    if life.ignored > 0 {
        text += &format!("; {}", ignored(life.ignored));
    }
    text
}
