//! Rules about the presence of entities: JSON to [`Presence`], with the defaults of the semantics.

use super::event_definition::{EntityMatch, Presence, Written};
use super::findings::{Findings, Reported};
use super::keys::{PresenceType, TAG_FILTER};
use super::nearest::did_you_mean;
use super::object::Object;
use super::problem::Severity;
use super::rule::{condition, label_operator};
use super::tag_filter::{TagFilter, TagOperator};
use serde_json::Value as Json;

/// An entity is present for this long after its newest point, when the rule does not say.
const OFFLINE_MS: i64 = 5 * 60 * 1000;

/// An absent entity is forgotten after this time, when the rule does not say; the format allows no longer one.
const CLOSE_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// The only system rule that can be judged from metrics.
const ENTITY_OFFLINE: &str = "entity.offline";

/// Reads a rule about the presence of entities.
pub(super) fn presence(
    rule_type: PresenceType,
    object: &Object<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> Result<Presence, Reported> {
    match rule_type {
        PresenceType::EntityCount => Ok(Presence::Count { condition: condition(object, written, findings)? }),
        PresenceType::EntityCountVerification => {
            let matching = matching(object, findings);
            let offline_ms = offline(object, findings);
            let condition = condition(object, written, findings);
            Ok(Presence::CountVerification { matching: matching?, offline_ms: offline_ms?, condition: condition? })
        }
        PresenceType::EntityVerification => {
            let matching = matching(object, findings);
            let offline_ms = offline(object, findings);
            Ok(Presence::Verification { matching: matching?, offline_ms: offline_ms? })
        }
        PresenceType::HostAvailability => availability(object, findings),
        PresenceType::System => system(object, findings),
    }
}

fn system(object: &Object<'_>, findings: &mut Findings) -> Result<Presence, Reported> {
    let id = object.required_text("systemRuleId", findings)?;
    if id == ENTITY_OFFLINE {
        return Ok(Presence::Offline);
    }
    let path = object.path_of("systemRuleId");
    let range = object.get("systemRuleId").and_then(|f| f.range());
    let message = format!("`{path}` is `{id}`; of the system rules only `{ENTITY_OFFLINE}` can be evaluated");
    Err(findings.add(Severity::Unjudgeable, "unknown-system-rule", (range, &path), message, None))
}

fn matching(object: &Object<'_>, findings: &mut Findings) -> Result<EntityMatch, Reported> {
    let entity_type = object.required_text("matchingEntityType", findings);
    let label = object.required_text("matchingEntityLabel", findings);
    let operator = label_operator(object, findings);
    Ok(EntityMatch { entity_type: entity_type?.to_string(), label: label?.to_string(), operator: operator? })
}

fn offline(object: &Object<'_>, findings: &mut Findings) -> Result<i64, Reported> {
    positive(object, "offlineDuration", OFFLINE_MS, findings)
}

/// Milliseconds above 0; an entity that is present for no time at all could never be seen.
fn positive(object: &Object<'_>, key: &str, default: i64, findings: &mut Findings) -> Result<i64, Reported> {
    let ms = object.milliseconds(key, findings)?.unwrap_or(default);
    if ms > 0 {
        return Ok(ms);
    }
    let path = object.path_of(key);
    let range = object.get(key).and_then(|f| f.range());
    Err(findings.add(Severity::Unjudgeable, "out-of-range", (range, &path), format!("`{path}` must be above 0"), None))
}

fn availability(object: &Object<'_>, findings: &mut Findings) -> Result<Presence, Reported> {
    let offline_ms = offline(object, findings);
    let close_after_ms = positive(object, "closeAfter", CLOSE_AFTER_MS, findings);
    let tag_filter = match object.object("tagFilter", findings) {
        Ok(Some(filter)) => tag_filter(&filter, findings).map(Some),
        Ok(None) => Ok(None),
        Err(reported) => Err(reported),
    };
    let (offline_ms, close_after_ms) = (offline_ms?, close_after_ms?);
    let path = object.path_of("closeAfter");
    let range = object.get("closeAfter").and_then(|f| f.range()).or(object.brace());
    if close_after_ms > CLOSE_AFTER_MS {
        let message = format!("`{path}` is longer than the 24 hours the format allows");
        findings.add(Severity::Warning, "too-long", (range, &path), message, None);
    }
    if close_after_ms <= offline_ms {
        let message = format!("`{path}` is not longer than `offlineDuration`: an absent entity is forgotten at once");
        findings.add(Severity::Warning, "never-fires", (range, &path), message, None);
    }
    Ok(Presence::Availability { offline_ms, close_after_ms, tag_filter: tag_filter? })
}

fn tag_filter(object: &Object<'_>, findings: &mut Findings) -> Result<TagFilter, Reported> {
    object.check_keys(&[TAG_FILTER], |_| None, findings);
    if let Some(name) = object.text("name", findings)?.filter(|name| *name != "tag") {
        let path = object.path_of("name");
        let range = object.get("name").and_then(|f| f.range());
        let message = format!("`{path}` is `{name}`; only filters on `tag` can be evaluated");
        return Err(findings.add(Severity::Unjudgeable, "unknown-tag-filter", (range, &path), message, None));
    }
    let key = object.required_text("key", findings);
    let operator = tag_operator(object, findings);
    let value = match object.get("value").map(|f| (f.json, f)) {
        None => Ok(String::new()),
        Some((Json::String(text), _)) => Ok(text.clone()),
        Some((scalar @ (Json::Bool(_) | Json::Number(_)), _)) => Ok(scalar.to_string()),
        Some((_, field)) => Err(field.wrong_type("a text, a number, true or false", findings)),
    };
    let (operator, written) = operator?;
    Ok(TagFilter { key: key?.to_string(), operator: written.to_string(), test: operator, value: value? })
}

fn tag_operator<'a>(object: &Object<'a>, findings: &mut Findings) -> Result<(TagOperator, &'a str), Reported> {
    let text = object.required_text("operator", findings)?;
    if let Some(operator) = TagOperator::from_name(text) {
        return Ok((operator, text));
    }
    let path = object.path_of("operator");
    let range = object.get("operator").and_then(|f| f.range());
    let message = format!("`{path}` has the operator `{text}`, which cannot be evaluated");
    let help = did_you_mean(text, TagOperator::names());
    Err(findings.add(Severity::Unjudgeable, "unknown-operator", (range, &path), message, help))
}
