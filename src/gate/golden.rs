//! Golden events: the stored events of a recording, so that a change shows as what, when, and by how much.
//!
//! Owns the stored form and the comparison. Times count from the first whole second of the recording, and an event of another
//! instance of the same service is the same event, so that a recording can be made again and compared. Absent on purpose:
//! files.

use super::case::{Case, Difference, FileLocation};
use crate::definition::EventDefinition;
use crate::engine::{EvaluationReport, Event, EventState, Verdict};
use crate::model::{Nanos, SECOND};
use crate::scenario::span;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The form that is written.
const SCHEMA_VERSION: u32 = 1;

/// The events of a recording, and the verdict over every definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Golden {
    schema_version: u32,
    definitions: BTreeMap<String, String>,
    events: Vec<GoldenEvent>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GoldenEvent {
    definition: String,
    entity: String,
    #[serde(with = "span_text")]
    opens: Nanos,
    #[serde(with = "span_text")]
    last_violation: Nanos,
    /// Absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    closes: Option<Closed>,
    severity: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    peak: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Closed {
    #[serde(with = "span_text")]
    at: Nanos,
    reason: String,
}

/// How far things may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of times.
    pub time: Nanos,
    /// Of values, relatively.
    pub value: f64,
}

impl Golden {
    /// The events of a report.
    pub fn of(definitions: &[EventDefinition], report: &EvaluationReport) -> Golden {
        let from = report.coverage.from.unwrap_or_default();
        let from = from - from.rem_euclid(SECOND);
        let verdicts = definitions.iter().zip(&report.definitions);
        Golden {
            schema_version: SCHEMA_VERSION,
            definitions: verdicts.map(|(d, report)| (d.name.clone(), verdict_text(report.verdict))).collect(),
            events: report.events.iter().map(|event| GoldenEvent::of(definitions, event, from)).collect(),
        }
    }

    /// Number of events.
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// The text that is stored.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads a stored text.
    pub fn from_text(text: &str) -> Result<Golden, String> {
        let golden: Golden = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if golden.schema_version != SCHEMA_VERSION {
            return Err(format!(
                "schemaVersion {} is not supported; --bless writes the file anew",
                golden.schema_version
            ));
        }
        Ok(golden)
    }

    /// What is different now: a case for every definition of either. `file` is where this is stored.
    pub fn compare(&self, now: &Golden, tolerance: Tolerance, file: &str) -> Vec<Case> {
        let names: BTreeSet<&String> = self.definitions.keys().chain(now.definitions.keys()).collect();
        let place = Some(FileLocation::file(file));
        let case = |name: &String| {
            let mut differences = Vec::new();
            verdicts(self.definitions.get(name), now.definitions.get(name), &mut differences);
            let of = |golden: &'_ Golden| -> Vec<GoldenEvent> {
                golden.events.iter().filter(|event| event.definition == *name).cloned().collect()
            };
            events(&of(self), &of(now), tolerance, &mut differences);
            Case::of_differences(name.clone(), place.clone(), differences)
        };
        names.into_iter().map(case).collect()
    }
}

impl GoldenEvent {
    fn of(definitions: &[EventDefinition], event: &Event, from: Nanos) -> GoldenEvent {
        let closes = match event.state {
            EventState::Open => None,
            EventState::Closed { closed_at, reason, .. } => {
                Some(Closed { at: closed_at - from, reason: reason.as_str().to_string() })
            }
        };
        GoldenEvent {
            definition: definitions.get(event.definition).map(|d| d.name.clone()).unwrap_or_default(),
            entity: event.entity.as_ref().map(|entity| entity.label.clone()).unwrap_or_default(),
            opens: event.start - from,
            last_violation: event.last_violation - from,
            closes,
            severity: event.severity,
            peak: event.peak.as_ref().map(|peak| peak.observation.value),
        }
    }

    /// The entity without its instance: `shop` of `shop (i-1)`.
    fn service(&self) -> &str {
        self.entity.split(" (").next().unwrap_or_default()
    }
}

/// A verdict in words, with the reason why there is none.
pub(super) fn verdict_text(verdict: Verdict) -> String {
    match verdict {
        Verdict::Inconclusive(reason) => format!("inconclusive ({})", reason.as_str()),
        Verdict::Fired | Verdict::Quiet | Verdict::Disabled => verdict.as_str().to_string(),
    }
}

fn verdicts(then: Option<&String>, now: Option<&String>, differences: &mut Vec<Difference>) {
    let message = match (then, now) {
        (Some(then), Some(now)) if then != now => format!("the verdict is {now}, it was {then}"),
        (Some(_), Some(_)) | (None, None) => return,
        (None, Some(now)) => format!("the definition is new; its verdict is {now}"),
        (Some(then), None) => format!("the definition is gone; its verdict was {then}"),
    };
    differences.push(("different-verdict", message));
}

/// Events that belong together: of the same entity first, then of the same service, each in their order.
fn events(then: &[GoldenEvent], now: &[GoldenEvent], tolerance: Tolerance, differences: &mut Vec<Difference>) {
    let mut left: Vec<&GoldenEvent> = now.iter().collect();
    let mut pairs: Vec<(&GoldenEvent, Option<&GoldenEvent>)> = then.iter().map(|event| (event, None)).collect();
    let same: [fn(&GoldenEvent, &GoldenEvent) -> bool; 3] = [
        |a, b| a.entity == b.entity && a.opens == b.opens,
        |a, b| a.entity == b.entity,
        |a, b| a.service() == b.service(),
    ];
    for same in same {
        for (then, now) in pairs.iter_mut().filter(|(_, now)| now.is_none()) {
            *now = left.iter().position(|now| same(then, now)).map(|place| left.remove(place));
        }
    }
    for (then, now) in pairs {
        match now {
            Some(now) => event(then, now, tolerance, differences),
            None => differences.push((
                "missing-event",
                format!("{}the event that opened at {} is gone", on(&then.entity), span(then.opens)),
            )),
        }
    }
    for event in left {
        let peak = event.peak.map(|peak| format!(" (peak {peak})")).unwrap_or_default();
        let message = format!("{}an event opens at {}{peak} that was not there", on(&event.entity), span(event.opens));
        differences.push(("new-event", message));
    }
}

fn event(then: &GoldenEvent, now: &GoldenEvent, tolerance: Tolerance, differences: &mut Vec<Difference>) {
    let on = on(&now.entity);
    let mut differ = |message: String| differences.push(("different-event", format!("{on}{message}")));
    let shifted = |what: &str, then: Nanos, now: Nanos| {
        let by = now.saturating_sub(then).saturating_abs();
        let word = if now > then { "later" } else { "earlier" };
        let (now, then) = (span(now), span(then));
        (by > tolerance.time).then(|| format!("{what} at {now}, {} {word} than {then}", span(by)))
    };
    shifted("opens", then.opens, now.opens).map(&mut differ);
    shifted("was last violated", then.last_violation, now.last_violation).map(&mut differ);
    match (&then.closes, &now.closes) {
        (Some(then), Some(now)) => {
            shifted("closes", then.at, now.at).map(&mut differ);
            if then.reason != now.reason {
                differ(format!("closes as {}, it was {}", now.reason, then.reason));
            }
        }
        (Some(then), None) => differ(format!("stays open, it closed at {}", span(then.at))),
        (None, Some(now)) => differ(format!("closes at {}, it stayed open", span(now.at))),
        (None, None) => {}
    }
    if then.severity != now.severity {
        differ(format!("has severity {}, it was {}", now.severity, then.severity));
    }
    match (then.peak, now.peak) {
        (Some(then), Some(now)) if !near(then, now, tolerance.value) => {
            differ(format!("peak is {now}, {}", by(then, now)))
        }
        (Some(then), None) => differ(format!("has no peak, it was {then}")),
        (None, Some(now)) => differ(format!("peak is {now}, there was none")),
        (Some(_), Some(_)) | (None, None) => {}
    }
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}

/// `4.2% more than 1.3`, or only the old value when there is no sensible share.
fn by(then: f64, now: f64) -> String {
    let share = (now - then) / then.abs();
    if !share.is_finite() {
        return format!("it was {then}");
    }
    let digits = if share.abs() < 0.01 { 4 } else { 1 };
    format!("{:.digits$}% {} than {then}", share.abs() * 100.0, if share > 0.0 { "more" } else { "less" })
}

fn on(entity: &str) -> String {
    if entity.is_empty() { String::new() } else { format!("{entity}: ") }
}

/// Spans of time in the stored form.
mod span_text {
    use super::{Nanos, span};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(nanos: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&span(*nanos))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nanos, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (sign, rest) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
        let span = humantime::parse_duration(rest).ok().and_then(|span| Nanos::try_from(span.as_nanos()).ok());
        span.map(|span| sign * span).ok_or_else(|| D::Error::custom(format!("`{text}` is no time such as 8m30s")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(opens: Nanos) -> GoldenEvent {
        GoldenEvent {
            definition: "d".into(),
            entity: "shop (i-1)".into(),
            opens,
            last_violation: 90 * SECOND,
            closes: Some(Closed { at: 3_600 * SECOND, reason: "recovered".into() }),
            severity: 5,
            peak: Some(1e-7),
        }
    }

    #[test]
    fn stored_texts_are_read_back_and_others_are_refused() {
        let events = vec![event(90 * SECOND), event(-1_500_000_000), event(0)];
        let golden = Golden { schema_version: 1, definitions: [("d".into(), "fired".into())].into(), events };
        let text = golden.to_text().expect("a text");
        assert!(text.contains("\"opens\": \"1m30s\"") && text.contains("\"-1s500ms\""), "{text}");
        assert_eq!(Golden::from_text(&text), Ok(golden));
        for wrong in [
            "",
            "{}",
            &text.replace("1m30s", "soon"),
            &text.replace("Version\": 1", "Version\": 2"),
            &text.replace("peak", "peek"),
        ] {
            assert!(Golden::from_text(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_far_apart_are_far_apart() {
        let mut found = Vec::new();
        events(&[event(Nanos::MIN)], &[event(Nanos::MAX)], Tolerance { time: 0, value: 0.0 }, &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
