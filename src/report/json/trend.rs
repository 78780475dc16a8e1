//! The evidence of a trend: bytes, bytes a second, milliseconds for timestamps and windows, seconds for the time to a limit.

use crate::definition::{EventDefinition, TrendParameters};
use crate::engine::trend::{Evidence, LifeReport, TrendVerdict};
use crate::model::to_ms;
use crate::report::outcome::Detail;
use crate::report::phrase::trend;
use serde::Serialize;

/// What stands beside a series that grows, and in the list of lives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EvidenceJson {
    start: i64,
    at: i64,
    window: i64,
    points: usize,
    slope: f64,
    slope_low: f64,
    slope_high: f64,
    p: f64,
    z: f64,
    tau: f64,
    level: f64,
    last: f64,
    growth: f64,
    growth_share: f64,
    grown_since_start: f64,
    smallest_leak: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_limit_low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_limit_high: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_collections: Option<u64>,
    ignored_points: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl EvidenceJson {
    pub fn new(evidence: &Evidence) -> Self {
        let figures = &evidence.figures;
        let time = evidence.time_to_limit();
        EvidenceJson {
            start: to_ms(evidence.start),
            at: to_ms(figures.at),
            window: to_ms(figures.window),
            points: figures.points,
            slope: figures.slope,
            slope_low: figures.low,
            slope_high: figures.high,
            p: figures.p,
            z: figures.z,
            tau: figures.tau,
            level: figures.level,
            last: figures.last,
            growth: figures.growth(),
            growth_share: evidence.share(),
            grown_since_start: evidence.grown,
            smallest_leak: evidence.smallest,
            memory_limit: evidence.limit,
            time_to_limit: time.map(|time| time.expected),
            time_to_limit_low: time.map(|time| time.earliest),
            time_to_limit_high: time.and_then(|time| time.latest),
            full_collections: evidence.collections,
            ignored_points: evidence.ignored,
            note: trend::collections(evidence),
        }
    }
}

/// One life of a definition of trend rules.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LifeJson {
    rule: usize,
    entity_label: String,
    metric_name: String,
    attributes: serde_json::Value,
    start: i64,
    seen: i64,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    raised: Vec<i64>,
    text: String,
    ignored_points: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trend: Option<EvidenceJson>,
}

/// The lives of a definition; `None` when it is not about trends.
pub(super) fn lives(definition: &EventDefinition, lives: &[LifeReport]) -> Option<Vec<LifeJson>> {
    let parameters = |rule: usize| Some(&definition.rules.get(rule)?.trend()?.parameters);
    parameters(0)?;
    Some(lives.iter().filter_map(|life| Some(LifeJson::new(life, parameters(life.rule)?))).collect())
}

impl LifeJson {
    fn new(life: &LifeReport, parameters: &TrendParameters) -> Self {
        LifeJson {
            rule: life.rule,
            entity_label: life.series.entity.label.clone(),
            metric_name: life.series.metric.id(),
            attributes: life.series.attributes.to_json(),
            start: to_ms(life.start),
            seen: to_ms(life.seen),
            verdict: life.verdict.as_str(),
            reason: match life.verdict {
                TrendVerdict::Inconclusive(reason) => Some(match reason.as_str() {
                    "warming_up" => "too_short",
                    reason => reason,
                }),
                TrendVerdict::Leak | TrendVerdict::NoLeak => None,
            },
            raised: life.raised.iter().map(|&at| to_ms(at)).collect(),
            text: trend::life(life, parameters, Detail::Brief),
            ignored_points: life.ignored,
            trend: life.evidence.as_ref().map(EvidenceJson::new),
        }
    }
}
