//! One event definition: its typed form, and one JSON object to it with every mistake of it.

use super::object::{Field, Keys, Object, type_name};
use super::problem::Severity;
use super::query::Query;
use super::rule::trend::EXPIRATION_MS;
use super::rule::{self, Rule, is_rule_key};
use serde_json::Value as Json;

/// An event definition; the second list begins with what it is made of, the rest is what exports add.
pub(super) const EVENT: Keys = Keys::of(
    "name entityType query description enabled triggering expirationTime ruleLogicalOperator \
     transientEventEnabled transientEventThreshold transientEventAlertMuted",
    "rules actions id lastUpdated validVersion migrated deleted applicationAlertConfigId \
     infraAlertConfigId displayUrl",
);

/// One event definition, ready to be evaluated or with the reason why it cannot be.
#[derive(Clone, Debug)]
pub struct EventDefinition {
    /// The definition's name in outputs and options: the file name without `.json`, made unique among loaded files.
    pub name: String,
    /// The file it came from, as the caller named it.
    pub file: String,
    /// Its index in a file that holds a list.
    pub index: Option<usize>,
    /// The `name` field: the title people see.
    pub title: String,
    /// The `description` field.
    pub description: String,
    /// The `entityType` field; shown, never a condition.
    pub entity_type: String,
    /// The dynamic focus query; an absent or blank one selects every resource.
    pub query: Query,
    /// False when the definition is switched off.
    pub enabled: bool,
    /// True when an incident is raised instead of an issue.
    pub triggering: bool,
    /// Grace period until the event is closed, in milliseconds.
    pub expiration_ms: i64,
    /// How several rules combine.
    pub operator: LogicalOperator,
    /// The rules; empty only when there is a `problem`.
    pub rules: Vec<Rule>,
    /// Why the definition cannot be evaluated, when it cannot.
    pub problem: Option<String>,
}

impl EventDefinition {
    /// True when the engine evaluates it: enabled and without a problem.
    pub fn is_evaluated(&self) -> bool {
        self.enabled && self.problem.is_none()
    }

    /// The definition for runs that are shorter than its windows: windows, roll-ups and grace period at `scale` (above 0, at
    /// most 1) of their length, none longer than before and none shorter than the minimum. Thresholds stay.
    pub fn shrunk(&self, scale: f64, minimum_ms: i64) -> EventDefinition {
        let shrink = |ms: i64| if ms <= 0 { ms } else { ((ms as f64 * scale) as i64).max(minimum_ms).clamp(1, ms) };
        let mut definition = self.clone();
        definition.expiration_ms = shrink(definition.expiration_ms);
        definition.rules.iter_mut().for_each(|rule| rule.shrink(shrink));
        definition
    }

    /// A path inside the definition as a path inside its file: with the index in front when the file holds a list.
    pub fn path_in_file(&self, path: &str) -> String {
        path_in_file(self.index, path)
    }
}

pub(super) fn path_in_file(index: Option<usize>, path: &str) -> String {
    match index {
        Some(i) if path.is_empty() => format!("[{i}]"),
        Some(i) => format!("[{i}].{path}"),
        None => path.to_string(),
    }
}

/// How the rules of a definition combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogicalOperator {
    /// All rules must be violated.
    And,
    /// One violated rule is enough.
    Or,
}

/// More rules than this are not in the published format.
const MOST_RULES: usize = 5;

/// Keys of smart alerts, which are no custom events although they have rules as well.
const SMART_ALERT: [&str; 7] =
    ["rule", "threshold", "granularity", "timeThreshold", "tagFilterExpression", "alertChannelIds", "evaluationType"];

/// Whether a JSON value has the shape of a custom event, or else what it looks like.
pub(super) fn shape(json: &Json) -> Result<(), &'static str> {
    let Some(map) = json.as_object() else {
        return Err(type_name(json));
    };
    let rules = map.get("rules");
    let typed = rules.and_then(Json::as_array).is_some_and(|list| list.iter().any(|r| r.get("ruleType").is_some()));
    let smart = SMART_ALERT.iter().any(|key| map.contains_key(*key));
    match (typed, smart) {
        (true, _) => Ok(()),
        (false, true) => Err("a smart alert"),
        (false, false) if rules.is_some() || map.contains_key("entityType") => Ok(()),
        (false, false) => Err("an object with neither `entityType` nor `rules`"),
    }
}

/// Reads a definition that has the shape of one. `None` when it cannot be loaded; the findings say why. Its `index`
/// and `problem` are left to the caller, who knows where the object stood and which values came from elsewhere.
pub(super) fn definition(object: &Object<'_>, name: &str, file: &str) -> Option<EventDefinition> {
    object.check_keys(&[EVENT], |key| is_rule_key(key).then_some("a rule"));
    let title = advised_text(object, "name");
    let entity_type = advised_text(object, "entityType");
    let description = object.text("description").ok().flatten();
    let query = query(object);
    let enabled = object.read("enabled", Field::bool).ok().flatten();
    let triggering = object.read("triggering", Field::bool).ok().flatten();
    let expiration = object.read("expirationTime", Field::milliseconds).ok().flatten();
    let operator = object.get("ruleLogicalOperator").and_then(|_| {
        let known = [("AND", LogicalOperator::And), ("OR", LogicalOperator::Or)];
        object.one_of("ruleLogicalOperator", &known, "unknown-operator").ok()
    });
    let rules = rules(object);
    if object.findings.has(Severity::Error) {
        return None;
    }
    // Only definitions of trend rules have a default of their own: they are silent between two exports.
    let all_trends = !rules.is_empty() && rules.iter().all(is_trend);
    Some(EventDefinition {
        name: name.to_string(),
        file: file.to_string(),
        index: None,
        title: title.unwrap_or(name).to_string(),
        description: description.unwrap_or("").to_string(),
        entity_type: entity_type.unwrap_or("").to_string(),
        query,
        enabled: enabled.unwrap_or(true),
        triggering: triggering.unwrap_or(false),
        expiration_ms: expiration.unwrap_or(if all_trends { EXPIRATION_MS } else { 0 }),
        operator: operator.unwrap_or(LogicalOperator::And),
        rules,
        problem: None,
    })
}

fn is_trend(rule: &Rule) -> bool {
    rule.trend().is_some()
}

/// A text that Instana demands and that nothing here depends on.
fn advised_text<'a>(object: &Object<'a>, key: &str) -> Option<&'a str> {
    let text = object.text(key).ok()?.filter(|text| !text.trim().is_empty());
    if text.is_none() {
        object.at(key).warn("missing-key", "is missing; Instana refuses a definition without it", None);
    }
    text
}

fn query(object: &Object<'_>) -> Query {
    let Some((text, field)) = object.text("query").ok().flatten().zip(object.get("query")) else {
        return Query::default();
    };
    Query::parse(text).unwrap_or_else(|error| {
        let help = error.help.map(str::to_string);
        field.part(error.range).refuse_whole("unanswerable-query", error.message, help);
        Query::unanswerable(text)
    })
}

fn rules(object: &Object<'_>) -> Vec<Rule> {
    let Some(field) = object.get("rules") else {
        object.at("rules").refuse("no-rules", "is missing", None);
        return Vec::new();
    };
    let Ok(elements) = field.elements() else { return Vec::new() };
    let count = elements.len();
    let rules: Vec<Rule> = elements.filter_map(|element| rule::read(&element.object().ok()?).ok()).collect();
    if rules.iter().any(is_trend) && !rules.iter().all(is_trend) {
        let what = "mixes trend rules with others, which are evaluated at other times";
        field.at().refuse("mixed-rules", what, Some("write two definitions".to_string()));
    }
    if count == 0 {
        field.at().refuse("no-rules", "is empty", None);
    } else if count > MOST_RULES {
        let what = format!("has {count} rules; the format allows {MOST_RULES}");
        field.at().warn("too-many-rules", what, None);
    }
    rules
}
