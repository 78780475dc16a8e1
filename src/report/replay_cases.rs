//! The cases of a replay or a run: one for every definition, in their order.
//!
//! A definition fails when the gate says so of one of its events; an event below the gate lets it pass. What could not be
//! evaluated is neither. What is wrong with the input is a case of its own, in front.

use super::outcome::Replay;
use super::phrase::definition::DefinitionResult;
use super::phrase::event::{entity_name, extreme_value, extreme_word, over, severity, why};
use super::quantity::counted;
use super::time::date_time;
use crate::definition::EventDefinition;
use crate::engine::{Event, EventState, InconclusiveReason, Verdict};
use crate::gate::{Case, CaseResult, FileLocation, Finding, Suite};

/// A definition's events beyond these are only counted.
const MOST_EVENTS: usize = 20;

/// What a replay says, and what the gate makes of it.
#[derive(Clone, Copy)]
pub struct Verdicts<'a> {
    /// What came out.
    pub replay: &'a Replay<'a>,
    /// Whether an event fails the gate.
    pub fails: &'a dyn Fn(&Event) -> bool,
    /// Where a definition, or the value at a path in it, is fixed; `None` when it is built in.
    pub place: &'a dyn Fn(&EventDefinition, &str) -> Option<FileLocation>,
    /// What is wrong with the input.
    pub input_findings: &'a [Finding],
}

/// The suite of a replay; its name are the recordings.
pub fn suite(verdicts: &Verdicts<'_>) -> Suite {
    let replay = verdicts.replay;
    let mut cases = Vec::new();
    if !verdicts.input_findings.is_empty() {
        let result = CaseResult::Inconclusive(verdicts.input_findings.to_vec());
        cases.push(Case::new("the input", None, result));
    }
    for of in DefinitionResult::all(replay) {
        let place = (verdicts.place)(of.definition, "");
        cases.push(Case::new(&of.definition.name, place, result(verdicts, &of)));
    }
    Suite { name: replay.sources.join(", "), cases }
}

fn result(verdicts: &Verdicts<'_>, of: &DefinitionResult<'_>) -> CaseResult {
    let failing: Vec<&Event> = of.events().filter(|event| (verdicts.fails)(event)).collect();
    if !failing.is_empty() {
        return CaseResult::Failed(fired(verdicts, of.definition, &failing));
    }
    let code = match of.report.verdict {
        Verdict::Fired | Verdict::Quiet => return CaseResult::Passed,
        Verdict::Inconclusive(reason) => code(reason),
        Verdict::Disabled => "disabled",
    };
    CaseResult::Inconclusive(vec![Finding::new(code, of.outcome(), None)])
}

fn code(reason: InconclusiveReason) -> &'static str {
    match reason {
        InconclusiveReason::NoSeries => "no-series",
        InconclusiveReason::NoEntity => "no-entity",
        InconclusiveReason::WarmingUp => "warming-up",
        InconclusiveReason::NoValue => "no-value",
        InconclusiveReason::Problem => "problem",
        InconclusiveReason::Gap => "gap",
        InconclusiveReason::SeveralWriters => "several-writers",
        InconclusiveReason::Scaled => "scaled",
    }
}

fn fired(verdicts: &Verdicts<'_>, definition: &EventDefinition, events: &[&Event]) -> Vec<Finding> {
    let shown = events.iter().take(MOST_EVENTS);
    let mut findings: Vec<Finding> = shown.map(|event| finding(verdicts, definition, event)).collect();
    if events.len() > MOST_EVENTS {
        let rest = counted((events.len() - MOST_EVENTS) as u64, "more event", "more events");
        let message = format!("and {rest} of {}", definition.title);
        findings.push(Finding::new("event", message, None));
    }
    findings
}

fn finding(verdicts: &Verdicts<'_>, definition: &EventDefinition, event: &Event) -> Finding {
    let severity = severity(event.severity).to_lowercase();
    let whose = entity_name(event.entity.as_deref());
    let message = format!("{}, {severity}, {whose}: {}", definition.title, why(definition, event));
    let mut details = format!("opened {} UTC", date_time(event.start));
    if let Some(peak) = event.peak.as_ref().filter(|peak| peak.observation.evaluation_time != event.start) {
        let (word, value) = (extreme_word(definition, peak), extreme_value(definition, event, peak));
        details += &format!("\n{word} {} UTC: {value}", date_time(peak.observation.evaluation_time));
    }
    match event.state {
        EventState::Open => details += "\nstill open at the end",
        EventState::Closed { end, closed_at, reason } => {
            let over = over(definition, event, end, reason);
            details += &format!("\nended {} UTC, closed {} UTC: {over}", date_time(end), date_time(closed_at));
        }
    }
    let rule = event.rules.first().map(|violated| format!("rules[{}]", violated.index));
    let place = rule.and_then(|path| (verdicts.place)(definition, &path));
    Finding { code: "event", message, details, place }
}
