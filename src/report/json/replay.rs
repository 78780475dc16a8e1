//! The document of `replay` and `run`, and one event. What a rule says is repeated as its definition spells it.

use super::trend::{EvidenceJson, LifeJson, lives};
use crate::definition::{EventDefinition, Rule};
use crate::engine::{
    CloseReason, EntityLabel, EvaluationReport, Event, EventState, Observation, SeriesLabel, Verdict, ViolatedRule,
};
use crate::model::{Attributes, MetricIdentity, to_ms};
use crate::report::outcome::{CommandRun, Replay};
use crate::report::phrase::event::identifying_first;
use crate::report::phrase::losses::dropped;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes one event as one line of JSON, without the line's end.
pub fn event(out: &mut dyn Write, definitions: &[EventDefinition], event: &Event) -> io::Result<()> {
    match definitions.get(event.definition) {
        Some(definition) => Ok(serde_json::to_writer(out, &EventJson::new(definition, event))?),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "the event names no definition of this run")),
    }
}

/// The document of `run`: that of `replay`, and what there is to say of the run.
#[derive(Serialize)]
pub(super) struct RunDocument<'a> {
    #[serde(flatten)]
    replay: ReplayDocument<'a>,
    run: RunJson<'a>,
}

impl<'a> RunDocument<'a> {
    pub fn new(replay: &Replay<'a>, run: &CommandRun<'a>) -> Self {
        RunDocument { replay: ReplayDocument::new(replay), run: RunJson::new(run) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunJson<'a> {
    command: &'a [String],
    exit_code: u8,
    export_interval: i64,
    window_scale: f64,
    depend_on_interval: &'a [String],
    too_short: Vec<TooShortJson<'a>>,
    #[serde(rename = "wouldHaveBeen", skip_serializing_if = "Option::is_none")]
    preview: Option<PreviewJson<'a>>,
}

#[derive(Serialize)]
struct TooShortJson<'a> {
    definition: &'a str,
    rule: usize,
    /// Absent from a rule about a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<i64>,
    needed: i64,
    covered: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PreviewJson<'a> {
    window_scale: f64,
    command: &'a str,
    events: Vec<EventJson<'a>>,
    definitions: Vec<DefinitionJson<'a>>,
}

impl<'a> RunJson<'a> {
    fn new(run: &CommandRun<'a>) -> Self {
        let too_short = run.too_short.iter().map(|short| TooShortJson {
            definition: &short.definition,
            rule: short.rule,
            window: short.window.map(to_ms),
            needed: to_ms(short.needed),
            covered: to_ms(short.covered),
        });
        RunJson {
            command: run.command,
            exit_code: run.exit_code,
            export_interval: to_ms(run.interval),
            window_scale: run.window_scale,
            depend_on_interval: run.depend_on_interval,
            too_short: too_short.collect(),
            preview: run.preview.map(|preview| PreviewJson {
                window_scale: preview.window_scale,
                command: preview.command,
                events: events(preview.definitions, preview.report),
                definitions: verdicts(preview.definitions, preview.report),
            }),
        }
    }
}

fn events<'a>(definitions: &'a [EventDefinition], report: &'a EvaluationReport) -> Vec<EventJson<'a>> {
    let known = |event: &'a Event| Some(EventJson::new(definitions.get(event.definition)?, event));
    report.events.iter().filter_map(known).collect()
}

fn verdicts<'a>(definitions: &'a [EventDefinition], report: &'a EvaluationReport) -> Vec<DefinitionJson<'a>> {
    definitions.iter().zip(&report.definitions).map(DefinitionJson::new).collect()
}

/// The document of `replay`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplayDocument<'a> {
    schema_version: u32,
    events: Vec<EventJson<'a>>,
    definitions: Vec<DefinitionJson<'a>>,
    dropped: BTreeMap<&'static str, u64>,
    points: u64,
    series: u64,
    entities: u64,
    from: Option<i64>,
    to: Option<i64>,
}

impl<'a> ReplayDocument<'a> {
    pub fn new(replay: &Replay<'a>) -> Self {
        let (definitions, report) = (replay.definitions, replay.report);
        ReplayDocument {
            schema_version: 1,
            events: events(definitions, report),
            definitions: verdicts(definitions, report),
            dropped: dropped(&report.counts.dropped).map(|(reason, n)| (reason.as_str(), n)).collect(),
            points: report.counts.points,
            series: report.counts.series,
            entities: report.counts.entities,
            from: report.coverage.from.map(to_ms),
            to: report.coverage.to.map(to_ms),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventJson<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
    start: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    severity: i64,
    text: &'a str,
    suggestion: &'a str,
    entity: &'a str,
    entity_label: &'a str,
    tags: String,
    foreshock: EventDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventDetails<'a> {
    definition: &'a str,
    at: i64,
    resource: ResourceJson<'a>,
    rules: Vec<RuleJson<'a>>,
    last_violation: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak: Option<ObservationJson<'a>>,
}

impl<'a> EventJson<'a> {
    fn new(definition: &'a EventDefinition, event: &'a Event) -> Self {
        let (at, state, end, closed_at, reason) = match event.state {
            EventState::Open => (event.start, "OPEN", None, None, None),
            EventState::Closed { end, closed_at, reason } => {
                (closed_at, "CLOSED", Some(end), Some(closed_at), Some(close_reason(reason)))
            }
        };
        let peak = event
            .peak
            .as_ref()
            .map(|peak| ObservationJson::new(peak.observation, peak.series.as_ref(), definition.rules.get(peak.rule)));
        EventJson {
            id: &event.id,
            kind: if definition.triggering { "incident" } else { "issue" },
            state,
            start: to_ms(event.start),
            end: end.map(to_ms),
            severity: event.severity,
            text: &definition.title,
            suggestion: &definition.description,
            entity: &definition.entity_type,
            entity_label: event.entity.as_ref().map_or("", |entity| &entity.label),
            tags: tags(event.entity.as_deref()),
            foreshock: EventDetails {
                definition: &definition.name,
                at: to_ms(at),
                resource: ResourceJson(event.entity.as_ref().map(|entity| &entity.resource)),
                rules: event.rules.iter().filter_map(|violated| RuleJson::new(definition, violated)).collect(),
                last_violation: to_ms(event.last_violation),
                closed_at: closed_at.map(to_ms),
                reason,
                peak,
            },
        }
    }
}

fn close_reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Recovered => "recovered",
        CloseReason::NoData => "no_data",
    }
}

fn tags(entity: Option<&EntityLabel>) -> String {
    let pairs = entity.map(|entity| identifying_first(&entity.resource)).unwrap_or_default();
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", value.to_text())).collect();
    pairs.join(",")
}

/// The attributes of an entity, the identifying ones first; empty for an event that is about no entity.
struct ResourceJson<'a>(Option<&'a Attributes>);

impl Serialize for ResourceJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.map(identifying_first).unwrap_or_default();
        let mut map = serializer.serialize_map(Some(pairs.len()))?;
        for (key, value) in pairs {
            map.serialize_entry(key, &value.to_json())?;
        }
        map.end()
    }
}

/// A violated rule, spelled as its definition spells it. `metricName` or `metricPattern` to `window` are a threshold
/// rule's; a presence rule says what it counted as `value`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleJson<'a> {
    index: usize,
    rule_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_pattern: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition_operator: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition_value: Option<&'a serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    series: Vec<SeriesJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeriesJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_name: Option<String>,
    attributes: serde_json::Value,
    value: f64,
    points: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    trend: Option<EvidenceJson>,
}

impl<'a> RuleJson<'a> {
    fn new(definition: &'a EventDefinition, violated: &'a ViolatedRule) -> Option<Self> {
        let rule = definition.rules.get(violated.index)?;
        let series = violated.series.iter().map(|series| SeriesJson {
            metric_name: metric_of_pattern(rule, &series.metric),
            attributes: series.attributes.to_json(),
            value: series.value,
            points: series.points,
            trend: series.trend.as_deref().map(EvidenceJson::new),
        });
        Some(RuleJson {
            index: violated.index,
            rule_type: &rule.rule_type,
            metric_name: only_id(rule),
            metric_pattern: rule.written.pattern.as_ref(),
            aggregation: rule.written.aggregation.as_deref(),
            window: rule.window_ms(),
            condition_operator: rule.written.operator.as_deref(),
            condition_value: rule.written.value.as_ref(),
            value: violated.observed,
            series: series.collect(),
        })
    }
}

/// The id of a rule that has no choice.
fn only_id(rule: &Rule) -> Option<&str> {
    match rule.metric_ids() {
        [id] => Some(&id.text),
        _ => None,
    }
}

/// The metric of a series, which only a pattern and a list of ids leave open.
fn metric_of_pattern(rule: &Rule, metric: &MetricIdentity) -> Option<String> {
    only_id(rule).is_none().then(|| metric.id())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObservationJson<'a> {
    value: f64,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<ObservedSeries<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObservedSeries<'a> {
    resource: ResourceJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_name: Option<String>,
    attributes: serde_json::Value,
}

impl<'a> ObservationJson<'a> {
    fn new(observation: Observation, series: Option<&'a SeriesLabel>, rule: Option<&Rule>) -> Self {
        ObservationJson {
            value: observation.value,
            at: to_ms(observation.at),
            series: series.map(|series| ObservedSeries {
                resource: ResourceJson(Some(&series.entity.resource)),
                metric_name: rule.and_then(|rule| metric_of_pattern(rule, &series.metric)),
                attributes: series.attributes.to_json(),
            }),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefinitionJson<'a> {
    definition: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    matched_series: u64,
    matched_entities: u64,
    evaluations: u64,
    warming_up: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<ObservationJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lives: Option<Vec<LifeJson>>,
}

impl<'a> DefinitionJson<'a> {
    fn new((definition, report): (&'a EventDefinition, &'a crate::engine::DefinitionReport)) -> Self {
        DefinitionJson {
            definition: &definition.name,
            verdict: report.verdict.as_str(),
            reason: match report.verdict {
                Verdict::Inconclusive(reason) => Some(reason.as_str()),
                Verdict::Fired | Verdict::Quiet | Verdict::Disabled => None,
            },
            problem: definition.problem.as_deref(),
            matched_series: report.matched_series,
            matched_entities: report.matched_entities,
            evaluations: report.evaluations,
            warming_up: report.warming_up,
            nearest: report.nearest.as_ref().map(|nearest| {
                ObservationJson::new(nearest.observation, nearest.series.as_ref(), definition.rules.get(nearest.rule))
            }),
            lives: lives(definition, &report.lives),
        }
    }
}
