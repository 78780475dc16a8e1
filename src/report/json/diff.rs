//! The document of `diff`.

use crate::engine::{Event, EventState};
use crate::model::to_ms;
use crate::report::document::{JsonNode, list, maybe, object, or_null};
use crate::report::outcome::Diff;
use crate::report::phrase::diff::{per_week, word};
use crate::tune::{Behaviour, Compared, EventChange};

pub(super) fn document(diff: &Diff<'_>) -> JsonNode {
    object! {
        "schemaVersion": 1,
        "old": diff.old,
        "new": diff.new,
        "sources": diff.sources,
        "from": diff.coverage.0.map(to_ms),
        "to": diff.coverage.1.map(to_ms),
        "definitions": list(diff.comparison.definitions.iter().map(|of| definition(diff, of))),
    }
}

fn definition(diff: &Diff<'_>, of: &Compared) -> JsonNode {
    let side = |of: &Behaviour| {
        object! {
            "verdict": of.verdict.as_str(),
            "events": of.events,
            "perWeek": per_week(diff.comparison, of),
            "instances": of.entities,
            "firing": to_ms(of.firing),
            "flaps": of.flaps,
        }
    };
    let change = |of: &EventChange| {
        object! {
            "change": word(of.kind()),
            "entity": of.entity.as_str(),
            "old": maybe(of.old.as_ref().map(event)),
            "new": maybe(of.new.as_ref().map(event)),
        }
    };
    object! {
        "definition": of.name.as_str(),
        "old": or_null(of.old.as_ref().map(side)),
        "new": or_null(of.new.as_ref().map(side)),
        "unchanged": of.unchanged,
        "changes": list(of.changes.iter().map(change)),
    }
}

fn event(event: &Event) -> JsonNode {
    let (state, end, closed_at) = match event.state {
        EventState::Open => ("OPEN", None, None),
        EventState::Closed { end, closed_at, .. } => ("CLOSED", Some(end), Some(closed_at)),
    };
    object! {
        "id": event.id.as_str(),
        "state": state,
        "start": to_ms(event.start),
        "severity": event.severity,
        "lastViolation": to_ms(event.last_violation),
        "end": maybe(end.map(to_ms)),
        "closedAt": maybe(closed_at.map(to_ms)),
    }
}
