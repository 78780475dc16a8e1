//! Rules about the presence of entities: JSON to [`Presence`], with the defaults of the semantics.

use super::comparison::{condition, label_operator};
use super::event_definition::{EntityMatch, Presence, Written};
use super::findings::{Findings, Reported};
use super::keys::{PresenceType, TAG_FILTER};
use super::object::Object;
use super::problem::Severity;
use super::tag_filter::{TAG_OPERATORS, TagFilter};
use serde_json::Value as Json;

/// An entity is present for this long after its newest point, when the rule does not say.
const OFFLINE_MS: i64 = 5 * 60 * 1000;

/// An absent entity is evicted after this time, when the rule does not say; the format allows no longer one.
const CLOSE_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// The only system rule that can be evaluated from metrics.
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
    let message =
        |path: &str| format!("`{path}` is `{id}`; of the system rules only `{ENTITY_OFFLINE}` can be evaluated");
    Err(object.report("systemRuleId", Severity::Unevaluable, "unknown-system-rule", message, None, findings))
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
    let message = |path: &str| format!("`{path}` must be above 0");
    Err(object.report(key, Severity::Unevaluable, "out-of-range", message, None, findings))
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
    if close_after_ms > CLOSE_AFTER_MS {
        let message = |path: &str| format!("`{path}` is longer than the 24 hours the format allows");
        object.report("closeAfter", Severity::Warning, "too-long", message, None, findings);
    }
    if close_after_ms <= offline_ms {
        let message =
            |path: &str| format!("`{path}` is not longer than `offlineDuration`: an absent entity is evicted at once");
        object.report("closeAfter", Severity::Warning, "never-fires", message, None, findings);
    }
    Ok(Presence::Availability { offline_ms, close_after_ms, tag_filter: tag_filter? })
}

fn tag_filter(object: &Object<'_>, findings: &mut Findings) -> Result<TagFilter, Reported> {
    object.check_keys(&[TAG_FILTER], |_| None, findings);
    if let Some(name) = object.text("name", findings)?.filter(|name| *name != "tag") {
        let message = |path: &str| format!("`{path}` is `{name}`; only filters on `tag` can be evaluated");
        return Err(object.report("name", Severity::Unevaluable, "unknown-tag-filter", message, None, findings));
    }
    let key = object.required_text("key", findings);
    let test = object.one_of("operator", &TAG_OPERATORS, ("unknown-operator", "operator"), findings);
    let operator = object.text("operator", findings);
    let value = match object.get("value").map(|f| (f.json, f)) {
        None => Ok(String::new()),
        Some((Json::String(text), _)) => Ok(text.clone()),
        Some((scalar @ (Json::Bool(_) | Json::Number(_)), _)) => Ok(scalar.to_string()),
        Some((_, field)) => Err(field.wrong_type("a text, a number, true or false", findings)),
    };
    let operator = operator?.unwrap_or_default().to_string();
    Ok(TagFilter { key: key?.to_string(), operator, test: test?, value: value? })
}
