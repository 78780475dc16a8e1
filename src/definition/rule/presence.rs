//! Rules about the presence of entities: JSON to [`Presence`], with the defaults of the semantics.

use crate::definition::comparison::{Condition, RuleChange, condition, label_operator, other_spans};
use crate::definition::entity::{entity_labels, has_entity_type, is_entity_type};
use crate::definition::object::{Field, Keys, Object};
use crate::definition::problem::Checked;
use crate::definition::wildcard::{MatchOperator, fold};
use crate::model::Attributes;
use serde_json::Value as Json;

/// The keys of a `system` rule.
pub(super) const SYSTEM: Keys = Keys::of("systemRuleId", "");

/// The keys of an `entity_verification`.
pub(super) const VERIFICATION: Keys =
    Keys::of("matchingEntityType matchingEntityLabel matchingOperator offlineDuration", "");

/// The keys of an `entity_count`.
pub(super) const COUNT: Keys = Keys::of("conditionOperator conditionValue", "");

/// The keys of an `entity_count_verification`.
pub(super) const COUNT_VERIFICATION: Keys = Keys::of(
    "matchingEntityType matchingEntityLabel matchingOperator offlineDuration conditionOperator \
     conditionValue",
    "",
);

/// The keys of a `host_availability`.
pub(super) const AVAILABILITY: Keys = Keys::of("offlineDuration closeAfter", "tagFilter");

/// The keys of a `tagFilter`.
pub(super) const TAG_FILTER: Keys =
    Keys::of("name key operator value entity type", "stringValue numberValue booleanValue tagDefinition");

/// An entity is present for this long after its newest point, when the rule does not say.
const OFFLINE_MS: i64 = 5 * 60 * 1000;

/// An absent entity is evicted after this time, when the rule does not say; the format allows no longer one.
const CLOSE_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// The only system rule that can be evaluated from metrics.
const ENTITY_OFFLINE: &str = "entity.offline";

/// A rule about the presence of entities. Text matching ignores case.
#[derive(Clone, Debug)]
pub enum Presence {
    /// `entity_count`: how many entities are present.
    Count {
        /// The comparison that violates.
        condition: Condition,
    },
    /// `entity_count_verification`: how many matching entities are present.
    CountVerification {
        /// Which entities count.
        matching: EntityMatch,
        /// An entity is present for this long after its newest point, in milliseconds.
        offline_ms: i64,
        /// The comparison that violates.
        condition: Condition,
    },
    /// `entity_verification`: a matching entity must be present.
    Verification {
        /// Which entities are meant.
        matching: EntityMatch,
        /// An entity is present for this long after its newest point, in milliseconds.
        offline_ms: i64,
    },
    /// `host_availability`: entities seen before must stay present.
    Availability {
        /// An entity is present for this long after its newest point, in milliseconds.
        offline_ms: i64,
        /// An absent entity is evicted this long after its newest point, in milliseconds.
        close_after_ms: i64,
        /// Only entities whose resource passes the filter are meant.
        tag_filter: Option<TagFilter>,
    },
    /// `system` with `entity.offline`: as availability, with the defaults.
    Offline,
}

/// Which entities a verification rule means.
#[derive(Clone, Debug)]
pub struct EntityMatch {
    /// The `matchingEntityType`.
    pub entity_type: String,
    /// The text to compare an entity's label with.
    pub label: String,
    /// How to compare.
    pub operator: MatchOperator,
}

impl EntityMatch {
    /// Whether a resource is meant: by its type, and by its label with or without the instance, whatever their case.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let wanted = fold(&self.label);
        has_entity_type(resource, &self.entity_type)
            && entity_labels(resource).iter().any(|label| self.operator.matches(&fold(label), &wanted))
    }

    /// Whether resources of OTLP can have the type at all.
    pub fn is_supported(&self) -> bool {
        is_entity_type(&self.entity_type)
    }
}

/// The `tagFilter` of a host availability rule: one comparison with a resource attribute. Text compares without regard to case.
/// Absent on purpose: order comparisons and regular expressions.
#[derive(Clone, Debug)]
pub struct TagFilter {
    /// The tag's key.
    pub key: String,
    /// The operator as written (`EQUALS`, `NOT_EQUAL`, `CONTAINS`, …).
    pub operator: String,
    /// The value to compare with.
    pub value: String,
    test: TagOperator,
}

/// An operator of a tag filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TagOperator {
    test: TagTest,
    negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TagTest {
    Text(MatchOperator),
    NotEmpty,
    NotBlank,
}

const fn text(operator: MatchOperator, negated: bool) -> TagOperator {
    TagOperator { test: TagTest::Text(operator), negated }
}

/// The operators with their names.
const TAG_OPERATORS: [(&str, TagOperator); 12] = [
    ("EQUALS", text(MatchOperator::Is, false)),
    ("NOT_EQUAL", text(MatchOperator::Is, true)),
    ("CONTAINS", text(MatchOperator::Contains, false)),
    ("NOT_CONTAIN", text(MatchOperator::Contains, true)),
    ("STARTS_WITH", text(MatchOperator::StartsWith, false)),
    ("NOT_STARTS_WITH", text(MatchOperator::StartsWith, true)),
    ("ENDS_WITH", text(MatchOperator::EndsWith, false)),
    ("NOT_ENDS_WITH", text(MatchOperator::EndsWith, true)),
    ("NOT_EMPTY", TagOperator { test: TagTest::NotEmpty, negated: false }),
    ("IS_EMPTY", TagOperator { test: TagTest::NotEmpty, negated: true }),
    ("NOT_BLANK", TagOperator { test: TagTest::NotBlank, negated: false }),
    ("IS_BLANK", TagOperator { test: TagTest::NotBlank, negated: true }),
];

impl TagFilter {
    /// Whether a resource passes. As in queries a comparison with an absent attribute is false, so its negation is true.
    pub fn selects(&self, resource: &Attributes) -> bool {
        let (key, wanted) = (fold(&self.key), fold(&self.value));
        let passes = resource.iter().filter(|(k, _)| fold(k) == key).any(|(_, value)| {
            let value = fold(&value.to_text());
            match self.test.test {
                TagTest::Text(operator) => operator.matches(&value, &wanted),
                TagTest::NotEmpty => !value.is_empty(),
                TagTest::NotBlank => !value.trim().is_empty(),
            }
        });
        passes != self.test.negated
    }
}

impl Presence {
    /// The comparison that is written in it, if there is one.
    pub(super) fn condition_mut(&mut self) -> Option<&mut Condition> {
        match self {
            Presence::Count { condition } | Presence::CountVerification { condition, .. } => Some(condition),
            Presence::Verification { .. } | Presence::Availability { .. } | Presence::Offline => None,
        }
    }

    /// Its spans of time in milliseconds, beginning with how long an entity is present after its newest point.
    pub(super) fn spans_mut(&mut self) -> Vec<&mut i64> {
        match self {
            Presence::CountVerification { offline_ms, .. } | Presence::Verification { offline_ms, .. } => {
                vec![offline_ms]
            }
            Presence::Availability { offline_ms, close_after_ms, .. } => vec![offline_ms, close_after_ms],
            Presence::Count { .. } | Presence::Offline => Vec::new(),
        }
    }

    /// The rule with entities present for another time.
    pub(super) fn changes(&self) -> Vec<RuleChange<Presence>> {
        let offline = self.clone().spans_mut().first().map(|ms| **ms);
        let others = offline.into_iter().flat_map(other_spans).map(|(change, ms)| {
            let mut to = self.clone();
            *to.spans_mut()[0] = ms;
            RuleChange { field: "offlineDuration", change, to }
        });
        others.collect()
    }
}

pub(super) fn count(object: &Object<'_>) -> Checked<Presence> {
    Ok(Presence::Count { condition: condition(object)? })
}

pub(super) fn count_verification(object: &Object<'_>) -> Checked<Presence> {
    let matching = matching(object);
    let offline_ms = offline(object);
    let condition = condition(object);
    Ok(Presence::CountVerification { matching: matching?, offline_ms: offline_ms?, condition: condition? })
}

pub(super) fn verification(object: &Object<'_>) -> Checked<Presence> {
    let matching = matching(object);
    let offline_ms = offline(object);
    Ok(Presence::Verification { matching: matching?, offline_ms: offline_ms? })
}

pub(super) fn system(object: &Object<'_>) -> Checked<Presence> {
    let id = object.required_text("systemRuleId")?;
    if id == ENTITY_OFFLINE {
        return Ok(Presence::Offline);
    }
    let what = format!("is `{id}`; of the system rules only `{ENTITY_OFFLINE}` can be evaluated");
    Err(object.at("systemRuleId").refuse("unknown-system-rule", what, None))
}

fn matching(object: &Object<'_>) -> Checked<EntityMatch> {
    let entity_type = object.required_text("matchingEntityType");
    let label = object.required_text("matchingEntityLabel");
    let operator = label_operator(object);
    Ok(EntityMatch { entity_type: entity_type?.to_string(), label: label?.to_string(), operator: operator? })
}

fn offline(object: &Object<'_>) -> Checked<i64> {
    positive(object, "offlineDuration", OFFLINE_MS)
}

/// Milliseconds above 0; an entity that is present for no time at all could never be seen.
fn positive(object: &Object<'_>, key: &str, default: i64) -> Checked<i64> {
    match object.read(key, Field::milliseconds)?.unwrap_or(default) {
        ..=0 => Err(object.at(key).refuse("out-of-range", "must be above 0", None)),
        ms => Ok(ms),
    }
}

pub(super) fn availability(object: &Object<'_>) -> Checked<Presence> {
    let offline_ms = offline(object);
    let close_after_ms = positive(object, "closeAfter", CLOSE_AFTER_MS);
    let tag_filter = object.read("tagFilter", |field| tag_filter(&field.object()?));
    let (offline_ms, close_after_ms) = (offline_ms?, close_after_ms?);
    if close_after_ms > CLOSE_AFTER_MS {
        object.at("closeAfter").warn("too-long", "is longer than the 24 hours the format allows", None);
    }
    if close_after_ms <= offline_ms {
        let what = "is not longer than `offlineDuration`: an absent entity is evicted at once";
        object.at("closeAfter").warn("never-fires", what, None);
    }
    Ok(Presence::Availability { offline_ms, close_after_ms, tag_filter: tag_filter? })
}

fn tag_filter(object: &Object<'_>) -> Checked<TagFilter> {
    object.check_keys(&[TAG_FILTER], |_| None);
    if let Some(name) = object.text("name")?.filter(|name| *name != "tag") {
        let what = format!("is `{name}`; only filters on `tag` can be evaluated");
        return Err(object.at("name").refuse("unknown-tag-filter", what, None));
    }
    let key = object.required_text("key");
    let test = object.one_of("operator", &TAG_OPERATORS, "unknown-operator");
    let operator = object.text("operator");
    let value = object.read("value", |field| match field.json {
        Json::String(text) => Ok(text.clone()),
        scalar @ (Json::Bool(_) | Json::Number(_)) => Ok(scalar.to_string()),
        _ => Err(field.wrong_type("a text, a number, true or false")),
    });
    let operator = operator?.unwrap_or_default().to_string();
    Ok(TagFilter { key: key?.to_string(), operator, test: test?, value: value?.unwrap_or_default() })
}
