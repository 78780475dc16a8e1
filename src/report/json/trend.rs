//! The evidence of a trend: bytes, bytes a second, milliseconds for timestamps and windows, seconds for the time to a limit.

use crate::definition::{EventDefinition, TrendParameters};
use crate::engine::trend::{Evidence, LifeReport, TrendVerdict};
use crate::model::to_ms;
use crate::report::document::{Node, list, maybe, object};
use crate::report::outcome::Detail;
use crate::report::phrase::trend;

/// What stands beside a series that grows, and in the list of lives.
pub(super) fn evidence(evidence: &Evidence) -> Node {
    let figures = &evidence.figures;
    let time = evidence.time_to_limit();
    object! {
        "start": to_ms(evidence.start),
        "at": to_ms(figures.at),
        "window": to_ms(figures.window),
        "points": figures.points,
        "slope": figures.slope,
        "slopeLow": figures.low,
        "slopeHigh": figures.high,
        "p": figures.p,
        "z": figures.z,
        "tau": figures.tau,
        "level": figures.level,
        "last": figures.last,
        "growth": figures.growth(),
        "growthShare": evidence.share(),
        "grownSinceStart": evidence.grown,
        "smallestLeak": evidence.smallest,
        "memoryLimit": maybe(evidence.limit),
        "timeToLimit": maybe(time.map(|time| time.expected)),
        "timeToLimitLow": maybe(time.map(|time| time.earliest)),
        "timeToLimitHigh": maybe(time.and_then(|time| time.latest)),
        "fullCollections": maybe(evidence.collections),
        "ignoredPoints": evidence.ignored,
        "note": maybe(trend::collections(evidence)),
    }
}

/// The lives of a definition; absent when it is not about trends.
pub(super) fn lives(definition: &EventDefinition, lives: &[LifeReport]) -> Node {
    let parameters = |rule: usize| Some(&definition.rules.get(rule)?.trend()?.parameters);
    let nodes = || list(lives.iter().filter_map(|of| Some(life(of, parameters(of.rule)?))));
    maybe(parameters(0).map(|_| nodes()))
}

fn life(life: &LifeReport, parameters: &TrendParameters) -> Node {
    let reason = match life.verdict {
        TrendVerdict::Inconclusive(reason) => Some(match reason.as_str() {
            "warming_up" => "too_short",
            reason => reason,
        }),
        TrendVerdict::Leak | TrendVerdict::NoLeak => None,
    };
    object! {
        "rule": life.rule,
        "entityLabel": life.series.entity.label.as_str(),
        "metricName": life.series.metric.id(),
        "attributes": life.series.attributes.to_json(),
        "start": to_ms(life.start),
        "seen": to_ms(life.seen),
        "verdict": life.verdict.as_str(),
        "reason": maybe(reason),
        "raised": list(life.raised.iter().map(|&at| to_ms(at))),
        "text": trend::life(life, parameters, Detail::Brief),
        "ignoredPoints": life.ignored,
        "trend": maybe(life.evidence.as_ref().map(evidence)),
    }
}
