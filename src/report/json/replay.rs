//! The document of `replay` and `run`, and one event. What a rule says is repeated as its definition spells it.

use crate::definition::{EventDefinition, Rule, TrendParameters};
use crate::engine::trend::{Evidence, LifeReport, TrendVerdict};
use crate::engine::{
    DefinitionReport, EvaluationReport, Event, EventState, Observation, SeriesLabel, Verdict, ViolatedRule,
    ViolatingSeries,
};
use crate::gate::TooShort;
use crate::model::{Attributes, MetricIdentity, to_ms};
use crate::report::document::{JsonNode, list, maybe, object};
use crate::report::outcome::{CommandRun, Detail, Preview, ReplayOutcome};
use crate::report::phrase::event::{definition_of, identifying_first};
use crate::report::phrase::losses::dropped_by_name;
use crate::report::phrase::trend;
use std::io::{self, Write};

/// Writes one event as one line of JSON, without the line's end.
pub fn event(out: &mut dyn Write, definitions: &[EventDefinition], event: &Event) -> io::Result<()> {
    Ok(serde_json::to_writer(out, &event_node(definition_of(definitions, event)?, event))?)
}

/// The document of `replay`; that of `run` also has what there is to say of the run.
pub(super) fn document(outcome: &ReplayOutcome<'_>) -> JsonNode {
    let (definitions, report) = (outcome.replay.definitions, outcome.replay.report);
    object! {
        "schemaVersion": 1,
        "events": events(definitions, report),
        "definitions": verdicts(definitions, report),
        "dropped": dropped_by_name(&report.counts.dropped),
        "points": report.counts.points,
        "series": report.counts.series,
        "entities": report.counts.entities,
        "from": report.coverage.from.map(to_ms),
        "to": report.coverage.to.map(to_ms),
        "run": maybe(outcome.run.map(run)),
    }
}

fn run(run: &CommandRun<'_>) -> JsonNode {
    // A rule about a trend has no window.
    let too_short = |short: &TooShort| {
        object! {
            "definition": short.definition.as_str(),
            "rule": short.rule,
            "window": maybe(short.window.map(to_ms)),
            "needed": to_ms(short.needed),
            "covered": to_ms(short.covered),
        }
    };
    let preview = |of: &Preview<'_>| {
        object! {
            "windowScale": of.window_scale,
            "command": of.command,
            "events": events(of.definitions, of.report),
            "definitions": verdicts(of.definitions, of.report),
        }
    };
    object! {
        "command": run.command,
        "exitCode": run.exit_code,
        "exportInterval": to_ms(run.interval),
        "windowScale": run.window_scale,
        "dependOnInterval": run.depend_on_interval,
        "tooShort": list(run.too_short.iter().map(too_short)),
        "wouldHaveBeen": maybe(run.preview.as_ref().map(preview)),
    }
}

fn events(definitions: &[EventDefinition], report: &EvaluationReport) -> JsonNode {
    let known = |event: &Event| Some(event_node(definitions.get(event.definition)?, event));
    list(report.events.iter().filter_map(known))
}

fn verdicts(definitions: &[EventDefinition], report: &EvaluationReport) -> JsonNode {
    list(definitions.iter().zip(&report.definitions).map(|(definition, report)| verdict(definition, report)))
}

fn event_node(definition: &EventDefinition, event: &Event) -> JsonNode {
    let (at, state, end, closed_at, reason) = match event.state {
        EventState::Open => (event.start, "OPEN", None, None, None),
        EventState::Closed { end, closed_at, reason } => {
            (closed_at, "CLOSED", Some(end), Some(closed_at), Some(reason.as_str()))
        }
    };
    let peak = event.peak.as_ref();
    let peak = peak.map(|peak| observation(peak.observation, peak.series.as_ref(), definition.rules.get(peak.rule)));
    let resource = event.entity.as_ref().map(|entity| &entity.resource);
    let details = object! {
        "definition": definition.name.as_str(),
        "at": to_ms(at),
        "resource": resource_node(resource),
        "rules": list(event.rules.iter().filter_map(|violated| rule(definition, violated))),
        "lastViolation": to_ms(event.last_violation),
        "closedAt": maybe(closed_at.map(to_ms)),
        "reason": maybe(reason),
        "peak": maybe(peak),
    };
    object! {
        "id": event.id.as_str(),
        "type": if definition.triggering { "incident" } else { "issue" },
        "state": state,
        "start": to_ms(event.start),
        "end": maybe(end.map(to_ms)),
        "severity": event.severity,
        "text": definition.title.as_str(),
        "suggestion": definition.description.as_str(),
        "entity": definition.entity_type.as_str(),
        "entityLabel": event.entity.as_ref().map_or("", |entity| &entity.label),
        "tags": tags(resource),
        "foreshock": details,
    }
}

fn tags(resource: Option<&Attributes>) -> String {
    let pairs = resource.map(identifying_first).unwrap_or_default();
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={}", value.to_text())).collect();
    pairs.join(",")
}

/// The attributes of an entity, the identifying ones first; empty for an event that is about no entity.
fn resource_node(resource: Option<&Attributes>) -> JsonNode {
    let pairs = resource.map(identifying_first).unwrap_or_default();
    JsonNode::Object(pairs.into_iter().map(|(key, value)| (key.to_string().into(), value.to_json().into())).collect())
}

/// A violated rule, spelled as its definition spells it. `metricName` or `metricPattern` to `window` are a threshold
/// rule's; a presence rule says what it counted as `value`.
fn rule(definition: &EventDefinition, violated: &ViolatedRule) -> Option<JsonNode> {
    let rule = definition.rules.get(violated.index)?;
    let written = &rule.written;
    let series = |of: &ViolatingSeries| {
        object! {
            "metricName": maybe(open_metric(rule, &of.metric)),
            "attributes": of.attributes.to_json(),
            "value": of.value,
            "points": of.points,
            "trend": maybe(of.trend.as_deref().map(evidence_node)),
        }
    };
    Some(object! {
        "index": violated.index,
        "ruleType": rule.rule_type.as_str(),
        "metricName": maybe(only_id(rule)),
        "metricPattern": maybe(written.pattern.clone()),
        "aggregation": maybe(written.aggregation.as_deref()),
        "window": maybe(rule.window_ms()),
        "conditionOperator": maybe(written.operator.as_deref()),
        "conditionValue": maybe(written.value.clone()),
        "value": maybe(violated.observed),
        "series": list(violated.series.iter().map(series)),
    })
}

/// The id of a rule that has no choice.
fn only_id(rule: &Rule) -> Option<&str> {
    match rule.metric_ids() {
        [id] => Some(&id.text),
        _ => None,
    }
}

/// The metric of a series, which only a pattern and a list of ids leave open.
fn open_metric(rule: &Rule, metric: &MetricIdentity) -> Option<String> {
    only_id(rule).is_none().then(|| metric.id())
}

fn observation(observation: Observation, series: Option<&SeriesLabel>, rule: Option<&Rule>) -> JsonNode {
    let series = series.map(|series| {
        object! {
            "resource": resource_node(Some(&series.entity.resource)),
            "metricName": maybe(rule.and_then(|rule| open_metric(rule, &series.metric))),
            "attributes": series.attributes.to_json(),
        }
    });
    object! { "value": observation.value, "at": to_ms(observation.evaluation_time), "series": maybe(series) }
}

fn verdict(definition: &EventDefinition, report: &DefinitionReport) -> JsonNode {
    let reason = match report.verdict {
        Verdict::Inconclusive(reason) => Some(reason.as_str()),
        Verdict::Fired | Verdict::Quiet | Verdict::Disabled => None,
    };
    let nearest = report.nearest.as_ref();
    let nearest = nearest.map(|of| observation(of.observation, of.series.as_ref(), definition.rules.get(of.rule)));
    object! {
        "definition": definition.name.as_str(),
        "verdict": report.verdict.as_str(),
        "reason": maybe(reason),
        "problem": maybe(definition.problem.as_deref()),
        "matchedSeries": report.matched_series,
        "matchedEntities": report.matched_entities,
        "evaluations": report.evaluations,
        "warmingUp": report.warming_up,
        "nearest": maybe(nearest),
        "lives": lives(definition, &report.lives),
    }
}

/// The evidence of a trend: bytes, bytes a second, seconds for the time to a limit. It stands beside a series that grows, and in
/// the list of lives.
fn evidence_node(evidence: &Evidence) -> JsonNode {
    let figures = &evidence.figures;
    let time = evidence.time_to_limit();
    object! {
        "start": to_ms(evidence.start),
        "at": to_ms(figures.evaluation_time),
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
fn lives(definition: &EventDefinition, lives: &[LifeReport]) -> JsonNode {
    let parameters = |rule: usize| Some(&definition.rules.get(rule)?.trend()?.parameters);
    let nodes = || list(lives.iter().filter_map(|of| Some(life(of, parameters(of.rule)?))));
    maybe(parameters(0).map(|_| nodes()))
}

fn life(life: &LifeReport, parameters: &TrendParameters) -> JsonNode {
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
        "raised": list(life.leaks_began.iter().map(|&at| to_ms(at))),
        "text": trend::life(life, parameters, Detail::Brief),
        "ignoredPoints": life.ignored,
        "trend": maybe(life.evidence.as_ref().map(evidence_node)),
    }
}
