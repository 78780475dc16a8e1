//! Comparing a report with what a scenario expects: one sentence for every difference.
//!
//! Times are given as scenarios write them, since the scenario's start. Absent on purpose: colours, counts, exit codes.

use super::golden::verdict_text;
use crate::definition::{EventDefinition, Position, Problem};
use crate::engine::{CloseReason, DropReason, EvaluationReport, Event, EventState, Verdict};
use crate::model::Nanos;
use crate::scenario::{ExpectedClose, ExpectedEvent, ExpectedTime, Scenario, span};
use std::fmt::{Display, Write as _};

/// One thing that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The expectation that was not met, or the scenario when something unexpected happened.
    pub position: Position,
    /// What was expected and the result, as one sentence.
    pub message: String,
    /// A stable name of the kind of failure, in kebab case.
    pub code: &'static str,
}

/// A timestamp as the time since the scenario's start.
pub(super) fn since(scenario: &Scenario, at: Nanos) -> String {
    span(at - scenario.start)
}

/// Problems for every expected name that no definition has.
pub(super) fn unknown_names(scenario: &Scenario, definitions: &[EventDefinition]) -> Vec<Problem> {
    let events = scenario.events.iter().map(|e| (e.position, &e.definition));
    let verdicts = scenario.verdicts.iter().map(|v| (v.position, &v.definition));
    let mut problems = Vec::new();
    for (at, name) in events.chain(verdicts) {
        if definitions.iter().all(|definition| definition.name != *name) {
            let known: Vec<&str> = definitions.iter().map(|definition| definition.name.as_str()).collect();
            let mut one =
                scenario.problem(at, "unknown-definition", "expect", format!("no definition is called `{name}`"));
            one.help = Some(format!("there is {}", known.join(", ")));
            problems.push(one);
        }
    }
    problems
}

/// Everything that is not as expected.
pub(super) fn failures(
    scenario: &Scenario,
    definitions: &[EventDefinition],
    report: &EvaluationReport,
) -> Vec<Failure> {
    let mut out = Vec::new();
    let (pairs, others) = pair(scenario, definitions, report);
    for (expected, got) in pairs {
        match got {
            Some(event) => event_failures(scenario, expected, event, &mut out),
            None => out.push(Failure {
                position: expected.position,
                message: format!(
                    "{}{}: expected to open at {}, it did not open",
                    expected.definition,
                    expected.entity.as_ref().map(|e| format!(" on {e}")).unwrap_or_default(),
                    since(scenario, expected.opens.resolve(scenario.start))
                ),
                code: "missing-event",
            }),
        }
    }
    if !scenario.others_allowed {
        for event in others {
            let name = definitions.get(event.definition).map_or("?", |d| d.name.as_str());
            let (title, at) = (title(name, event), since(scenario, event.start));
            let message = format!("{title} opened at {at}{}, which nothing expects", values(event));
            out.push(Failure { position: scenario.position, message, code: "unexpected-event" });
        }
    }
    verdict_failures(scenario, definitions, report, &mut out);
    dropped_failures(scenario, report, &mut out);
    out
}

/// Expected events with the events they match, and the events that nothing expects. An event that opens at the expected time
/// matches; the rest is paired in order, so that a shifted event is reported as shifted.
fn pair<'a>(
    scenario: &'a Scenario,
    definitions: &[EventDefinition],
    report: &'a EvaluationReport,
) -> (Vec<(&'a ExpectedEvent, Option<&'a Event>)>, Vec<&'a Event>) {
    let mut left: Vec<&Event> = report.events.iter().collect();
    let mut pairs: Vec<(&ExpectedEvent, Option<&Event>)> = scenario.events.iter().map(|e| (e, None)).collect();
    for exact in [true, false] {
        for (expected, got) in pairs.iter_mut().filter(|(_, got)| got.is_none()) {
            let meant = left.iter().position(|event| {
                definitions.get(event.definition).is_some_and(|d| d.name == expected.definition)
                    && expected.entity.as_ref().is_none_or(|label| *label == entity(event))
                    && (!exact || event.start == expected.opens.resolve(scenario.start))
            });
            *got = meant.map(|i| left.remove(i));
        }
    }
    (pairs, left)
}

fn entity(event: &Event) -> &str {
    event.entity.as_ref().map_or("", |entity| entity.label.as_str())
}

fn title(definition: &str, event: &Event) -> String {
    match entity(event) {
        "" => definition.to_string(),
        label => format!("{definition} on {label}"),
    }
}

/// The violating values, for the reader who looks for the reason.
fn values(event: &Event) -> String {
    let mut text = String::new();
    for series in event.rules.iter().flat_map(|rule| &rule.series).take(5) {
        let lead = if text.is_empty() { " with " } else { ", " };
        let _ =
            write!(text, "{lead}{} ({}){}", series.value, points(series.points as i64), series.attributes.to_suffix());
    }
    text
}

fn points(count: i64) -> String {
    format!("{count} point{}", if count == 1 { "" } else { "s" })
}

fn event_failures(scenario: &Scenario, expected: &ExpectedEvent, event: &Event, out: &mut Vec<Failure>) {
    let name = title(&expected.definition, event);
    let mut differ = |what: &str, wanted: &dyn Display, got: &dyn Display| {
        let message = format!("{name}: {what} expected {wanted}, got {got}");
        out.push(Failure { position: expected.position, message, code: "different-event" });
    };
    let mut time = |what: &str, wanted: Option<ExpectedTime>, got: Option<Nanos>| {
        let Some(wanted) = wanted.map(|wanted| wanted.resolve(scenario.start)) else { return };
        if got.is_none_or(|got| (got - wanted).abs() > expected.within) {
            differ(what, &since(scenario, wanted), &got.map_or("never".to_string(), |at| since(scenario, at)));
        }
    };
    let (end, closed_at, reason) = match event.state {
        EventState::Open => (None, None, None),
        EventState::Closed { end, closed_at, reason } => (Some(end), Some(closed_at), Some(reason)),
    };
    time("opens", Some(expected.opens), Some(event.start));
    time("ends", expected.ends, end);
    time("last violation", expected.last_violation, Some(event.last_violation));
    match expected.closes {
        Some(ExpectedClose::At(at)) => time("closes", Some(at), closed_at),
        Some(ExpectedClose::Never) => {
            if let Some(at) = closed_at {
                differ("closes", &"never", &since(scenario, at));
            }
        }
        None => {}
    }
    let word = |reason| match reason {
        Some(CloseReason::Recovered) => "recovered",
        Some(CloseReason::NoData) => "no_data",
        None => "none",
    };
    if expected.reason.is_some() && expected.reason != reason {
        differ("reason", &word(expected.reason), &word(reason));
    }
    if let Some(severity) = expected.severity.filter(|severity| *severity != event.severity) {
        differ("severity", &severity, &event.severity);
    }
    let peak = event.peak.as_ref().map(|peak| peak.observation.value);
    if let Some(wanted) = expected.peak.filter(|wanted| !peak.is_some_and(|got| near(*wanted, got, expected.tolerance)))
    {
        differ("peak", &wanted, &peak.map_or("none".to_string(), |v| v.to_string()));
    }
    series_failures(expected, event, &mut differ);
}

/// One violating series must have all of the attributes, the value and the points that are expected.
fn series_failures(expected: &ExpectedEvent, event: &Event, differ: &mut dyn FnMut(&str, &dyn Display, &dyn Display)) {
    if expected.attributes.is_none() && expected.value.is_none() && expected.points.is_none() {
        return;
    }
    let met = event.rules.iter().flat_map(|rule| &rule.series).any(|series| {
        expected.attributes.as_ref().is_none_or(|attributes| *attributes == *series.attributes)
            && expected.value.is_none_or(|value| near(value, series.value, expected.tolerance))
            && expected.points.is_none_or(|points| points == series.points as i64)
    });
    if met {
        return;
    }
    let mut wanted = String::from("a series");
    if let Some(value) = expected.value {
        let _ = write!(wanted, " with {value}");
    }
    if let Some(count) = expected.points {
        let _ = write!(wanted, " ({})", points(count));
    }
    if let Some(attributes) = &expected.attributes {
        let _ = write!(wanted, " {}", attributes.to_suffix());
    }
    let got = values(event);
    differ("at the opening", &wanted, &if got.is_empty() { " none".to_string() } else { format!("one{got}") });
}

fn near(wanted: f64, got: f64, tolerance: f64) -> bool {
    (wanted - got).abs() <= tolerance * wanted.abs().max(got.abs()).max(1e-3)
}

fn verdict_failures(
    scenario: &Scenario,
    definitions: &[EventDefinition],
    report: &EvaluationReport,
    out: &mut Vec<Failure>,
) {
    for expected in &scenario.verdicts {
        let index = definitions.iter().position(|definition| definition.name == expected.definition);
        let Some(got) = index.and_then(|i| report.definitions.get(i)) else {
            let message = format!("{}: it has no verdict", expected.definition);
            out.push(Failure { position: expected.position, message, code: "different-verdict" });
            continue;
        };
        let met = match expected.verdict {
            Some(wanted) => wanted == got.verdict,
            None => matches!(got.verdict, Verdict::Inconclusive(_)),
        };
        if met {
            continue;
        }
        let wanted = expected.verdict.map_or("inconclusive".to_string(), verdict_text);
        let mut word = verdict_text(got.verdict);
        if let Some(nearest) = &got.nearest {
            let at = since(scenario, nearest.observation.at);
            let _ = write!(word, "; closest to the threshold was {} at {at}", nearest.observation.value);
        }
        let message = format!("{}: expected {wanted}, got {word}", expected.definition);
        out.push(Failure { position: expected.position, message, code: "different-verdict" });
    }
}

fn dropped_failures(scenario: &Scenario, report: &EvaluationReport, out: &mut Vec<Failure>) {
    let Some((position, wanted)) = &scenario.dropped else { return };
    for reason in DropReason::ALL {
        let wanted = wanted.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n);
        let got = report.counts.dropped[reason as usize];
        if wanted != got {
            let message = format!("dropped as {}: expected {wanted}, got {got}", reason.as_str());
            out.push(Failure { position: *position, message, code: "different-drops" });
        }
    }
}
