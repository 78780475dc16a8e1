//! Comparing a report with what a scenario expects: one sentence for every difference.
//!
//! Times are given as scenarios write them, since the scenario's start. Absent on purpose: colours, counts, exit codes.

use super::golden::verdict_text;
use crate::definition::{EventDefinition, Position, Problem};
use crate::engine::{CloseReason, DropReason, EvaluationReport, Event, EventState, Verdict};
use crate::model::Nanos;
use crate::scenario::{ExpectedClose, ExpectedEvent, ExpectedTime, ExpectedVerdict, Scenario, span};
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

/// What a scenario expects, and what came out.
pub(super) struct Expectations<'a> {
    pub scenario: &'a Scenario,
    pub definitions: &'a [EventDefinition],
    pub report: &'a EvaluationReport,
}

impl<'a> Expectations<'a> {
    /// Everything that is not as expected.
    pub fn failures(&self) -> Vec<Failure> {
        let scenario = self.scenario;
        let mut out = Vec::new();
        let (pairs, others) = self.pair();
        for (expected, got) in pairs {
            if let Some(event) = got {
                event_failures(scenario, expected, event, &mut out);
                continue;
            }
            let on = expected.entity.as_ref().map(|e| format!(" on {e}")).unwrap_or_default();
            let at = since(scenario, expected.opens.resolve(scenario.start));
            let message = format!("{}{on}: expected to open at {at}, it did not open", expected.definition);
            out.push(Failure { position: expected.position, message, code: "missing-event" });
        }
        for event in others.into_iter().filter(|_| !scenario.others_allowed) {
            let name = self.definitions.get(event.definition).map_or("?", |d| d.name.as_str());
            let (title, at) = (title(name, event), since(scenario, event.start));
            let message = format!("{title} opened at {at}{}, which nothing expects", values(event));
            out.push(Failure { position: scenario.position, message, code: "unexpected-event" });
        }
        out.extend(scenario.verdicts.iter().filter_map(|expected| self.verdict_failure(expected)));
        out.extend(self.dropped_failures());
        out
    }

    /// Expected events with the events they match, and the events that nothing expects. An event that opens at the expected
    /// time matches; the rest is paired in order, so that a shifted event is reported as shifted.
    fn pair(&self) -> (Vec<(&'a ExpectedEvent, Option<&'a Event>)>, Vec<&'a Event>) {
        let Expectations { scenario, definitions, report } = self;
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

    fn verdict_failure(&self, expected: &ExpectedVerdict) -> Option<Failure> {
        let name = &expected.definition;
        let failure = |message| Some(Failure { position: expected.position, message, code: "different-verdict" });
        let index = self.definitions.iter().position(|definition| definition.name == *name);
        let Some(got) = index.and_then(|i| self.report.definitions.get(i)) else {
            return failure(format!("{name}: it has no verdict"));
        };
        let is_met = match expected.verdict {
            Some(wanted) => wanted == got.verdict,
            None => matches!(got.verdict, Verdict::Inconclusive(_)),
        };
        if is_met {
            return None;
        }
        let wanted = expected.verdict.map_or("inconclusive".to_string(), verdict_text);
        let nearest = got.nearest.as_ref().map(|nearest| {
            let (value, at) = (nearest.observation.value, since(self.scenario, nearest.observation.evaluation_time));
            format!("; closest to the threshold was {value} at {at}")
        });
        let word = verdict_text(got.verdict) + &nearest.unwrap_or_default();
        failure(format!("{name}: expected {wanted}, got {word}"))
    }

    fn dropped_failures(&self) -> Vec<Failure> {
        let Some((position, wanted)) = &self.scenario.dropped else { return Vec::new() };
        let failure = |reason: DropReason| {
            let wanted = wanted.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n);
            let got = self.report.counts.dropped[reason as usize];
            let message = format!("dropped as {}: expected {wanted}, got {got}", reason.as_str());
            (wanted != got).then_some(Failure { position: *position, message, code: "different-drops" })
        };
        DropReason::ALL.into_iter().filter_map(failure).collect()
    }
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
    let word = |reason: Option<CloseReason>| reason.map_or("none", CloseReason::as_str);
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
