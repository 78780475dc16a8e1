//! The document of `diff`.

use crate::engine::{Event, EventState};
use crate::model::to_ms;
use crate::report::outcome::Diff;
use crate::report::phrase::diff::{per_week, word};
use crate::tune::{Behaviour, Compared, EventChange};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiffDocument<'a> {
    schema_version: u8,
    old: &'a str,
    new: &'a str,
    sources: &'a [String],
    from: Option<i64>,
    to: Option<i64>,
    definitions: Vec<DiffDefinitionJson<'a>>,
}

#[derive(Serialize)]
struct DiffDefinitionJson<'a> {
    definition: &'a str,
    old: Option<SideJson>,
    new: Option<SideJson>,
    unchanged: usize,
    changes: Vec<ChangeJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SideJson {
    verdict: &'static str,
    events: usize,
    per_week: f64,
    instances: usize,
    firing: i64,
    flaps: usize,
}

#[derive(Serialize)]
struct ChangeJson<'a> {
    change: &'static str,
    entity: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<DiffEventJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<DiffEventJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiffEventJson<'a> {
    id: &'a str,
    state: &'static str,
    start: i64,
    severity: i64,
    last_violation: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<i64>,
}

impl<'a> DiffDocument<'a> {
    pub fn new(diff: &Diff<'a>) -> Self {
        DiffDocument {
            schema_version: 1,
            old: diff.old,
            new: diff.new,
            sources: diff.sources,
            from: diff.coverage.0.map(to_ms),
            to: diff.coverage.1.map(to_ms),
            definitions: diff.comparison.definitions.iter().map(|of| definition(diff, of)).collect(),
        }
    }
}

fn definition<'a>(diff: &Diff<'_>, of: &'a Compared) -> DiffDefinitionJson<'a> {
    let side = |of: &Behaviour| SideJson {
        verdict: of.verdict.as_str(),
        events: of.events,
        per_week: per_week(diff.comparison, of),
        instances: of.entities,
        firing: to_ms(of.firing),
        flaps: of.flaps,
    };
    DiffDefinitionJson {
        definition: &of.name,
        old: of.old.as_ref().map(side),
        new: of.new.as_ref().map(side),
        unchanged: of.unchanged,
        changes: of.changes.iter().map(change).collect(),
    }
}

fn change(change: &EventChange) -> ChangeJson<'_> {
    ChangeJson {
        change: word(change.kind()),
        entity: &change.entity,
        old: change.old.as_ref().map(event),
        new: change.new.as_ref().map(event),
    }
}

fn event(event: &Event) -> DiffEventJson<'_> {
    let (state, end, closed_at) = match event.state {
        EventState::Open => ("OPEN", None, None),
        EventState::Closed { end, closed_at, .. } => ("CLOSED", Some(to_ms(end)), Some(to_ms(closed_at))),
    };
    DiffEventJson {
        id: &event.id,
        state,
        start: to_ms(event.start),
        severity: event.severity,
        last_violation: to_ms(event.last_violation),
        end,
        closed_at,
    }
}
