//! The rules of a definition: their types, one JSON object to one [`Rule`], and what can be asked of a rule of any kind.
//!
//! A new type is a row in `RULE_TYPES` and a variant of [`RuleKind`]; everything it knows of itself stands in a file of its own in `rule/`.

mod presence;
mod threshold;
pub(in crate::definition) mod trend;

pub use presence::{EntityMatch, Presence, TagFilter};
pub use threshold::{Selector, Threshold};
pub use trend::{MemoryLimit, Trend, TrendParameters, WindowLevel};

use super::comparison::{Condition, RuleChange, of_condition};
use super::metric_id::MetricId;
use super::object::{Field, Keys, Object};
use super::problem::{Checked, did_you_mean};
use crate::model::{Attributes, MetricIdentity};

/// One entry of a definition's `rules`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The `ruleType` as written.
    pub rule_type: String,
    /// 5 is a warning, 10 critical.
    pub severity: i64,
    /// What the rule evaluates.
    pub kind: RuleKind,
    /// How the rule was spelled.
    pub written: Written,
}

/// The spellings of a rule that documents repeat as they stand in the definition (after overrides). Each is `None` when
/// the rule has no such key. The metric's name stands in [`MetricId::text`], the window in [`Threshold::window_ms`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// `aggregation`.
    pub aggregation: Option<String>,
    /// `conditionOperator`; `==` stays `==`.
    pub operator: Option<String>,
    /// `conditionValue`; an integer stays an integer.
    pub value: Option<serde_json::Number>,
    /// The `metricPattern` object with the keys it was written with.
    pub pattern: Option<serde_json::Value>,
}

/// What a rule evaluates.
#[derive(Clone, Debug)]
pub enum RuleKind {
    /// An aggregate of a metric over a window, compared with a value.
    Threshold(Threshold),
    /// The presence of entities.
    Presence(Presence),
    /// Growth that does not come back; not in the published format.
    Trend(Trend),
}

/// A rule type: its name, the keys of its own with those of objects inside it, and how it is read.
pub(super) struct RuleType {
    pub(super) name: &'static str,
    pub(super) keys: Keys,
    pub(super) inner: &'static [(&'static str, Keys)],
    read: ReadRule,
}

type ReadRule = fn(&Object<'_>) -> Checked<RuleKind>;

/// The rule types of the published format, and our own.
pub(super) static RULE_TYPES: [RuleType; 7] = [
    RuleType::new("threshold", threshold::KEYS, &[("metricPattern", threshold::PATTERN)], |object| {
        threshold::read(object).map(RuleKind::Threshold)
    }),
    RuleType::new("system", presence::SYSTEM, &[], |object| presence::system(object).map(RuleKind::Presence)),
    RuleType::new("entity_verification", presence::VERIFICATION, &[], |object| {
        presence::verification(object).map(RuleKind::Presence)
    }),
    RuleType::new("entity_count", presence::COUNT, &[], |object| presence::count(object).map(RuleKind::Presence)),
    RuleType::new("entity_count_verification", presence::COUNT_VERIFICATION, &[], |object| {
        presence::count_verification(object).map(RuleKind::Presence)
    }),
    RuleType::new("host_availability", presence::AVAILABILITY, &[("tagFilter", presence::TAG_FILTER)], |object| {
        presence::availability(object).map(RuleKind::Presence)
    }),
    RuleType::new("trend", trend::KEYS, &[], |object| trend::read(object).map(RuleKind::Trend)),
];

/// Keys every rule may have; the last two are what exports add.
pub(super) const EVERY_RULE: Keys = Keys::of("ruleType severity", "metricLabel metricFormat");

impl RuleType {
    const fn new(name: &'static str, keys: Keys, inner: &'static [(&'static str, Keys)], read: ReadRule) -> RuleType {
        RuleType { name, keys, inner, read }
    }

    /// The type of a name.
    pub(super) fn named(name: &str) -> Option<&'static RuleType> {
        RULE_TYPES.iter().find(|known| known.name == name)
    }

    /// The keys such a rule may have.
    pub(super) fn all_keys(&self) -> [Keys; 2] {
        [EVERY_RULE, self.keys]
    }
}

/// Whether a key belongs to rules of some type.
pub(super) fn is_rule_key(key: &str) -> bool {
    EVERY_RULE.knows(key) || RULE_TYPES.iter().any(|of| of.keys.knows(key))
}

/// Reads one rule.
pub(super) fn read(object: &Object<'_>) -> Checked<Rule> {
    let name = object.required_text("ruleType");
    let severity = severity(object);
    let known = name.ok().and_then(RuleType::named);
    let keys = known.map(RuleType::all_keys);
    let elsewhere = |key: &str| is_rule_key(key).then_some("other rule types");
    object.check_keys(keys.as_ref().map_or(&[], |keys| keys.as_slice()), elsewhere);
    let name = name?;
    let Some(known) = known else {
        let help = did_you_mean(name, RULE_TYPES.iter().map(|of| of.name));
        let what = format!("has the unknown rule type `{name}`");
        return Err(object.at("ruleType").refuse("unknown-rule-type", what, help));
    };
    let kind = (known.read)(object);
    let written = Written::of(object, known.keys);
    Ok(Rule { rule_type: name.to_string(), severity: severity?, kind: kind?, written })
}

fn severity(object: &Object<'_>) -> Checked<i64> {
    let severity = object.read("severity", Field::integer)?.unwrap_or(5);
    if !matches!(severity, 5 | 10 | -1) {
        let help = Some("5 is a warning, 10 critical, -1 a change".to_string());
        let what = format!("is {severity}, which is no severity of the format");
        object.at("severity").warn("unknown-severity", what, help);
    }
    Ok(severity)
}

impl Written {
    fn of(object: &Object<'_>, keys: Keys) -> Written {
        let get = |key: &str| object.map.get(key).filter(|json| keys.knows(key) && !json.is_null());
        let text = |key: &str| Some(get(key)?.as_str()?.to_string());
        Written {
            aggregation: text("aggregation"),
            operator: text("conditionOperator"),
            value: get("conditionValue").and_then(|json| json.as_number().cloned()),
            pattern: get("metricPattern").cloned(),
        }
    }
}

impl Rule {
    /// As a threshold rule, if it is one.
    pub fn threshold(&self) -> Option<&Threshold> {
        if let RuleKind::Threshold(threshold) = &self.kind { Some(threshold) } else { None }
    }

    /// As a threshold rule that can be changed, if it is one.
    pub fn threshold_mut(&mut self) -> Option<&mut Threshold> {
        if let RuleKind::Threshold(threshold) = &mut self.kind { Some(threshold) } else { None }
    }

    /// As a rule about the presence of entities, if it is one.
    pub fn presence(&self) -> Option<&Presence> {
        if let RuleKind::Presence(presence) = &self.kind { Some(presence) } else { None }
    }

    /// As a trend rule, if it is one.
    pub fn trend(&self) -> Option<&Trend> {
        if let RuleKind::Trend(trend) = &self.kind { Some(trend) } else { None }
    }

    /// The length of its window, in milliseconds, if it has one.
    pub fn window_ms(&self) -> Option<i64> {
        match &self.kind {
            RuleKind::Threshold(threshold) => Some(threshold.window_ms),
            RuleKind::Presence(_) | RuleKind::Trend(_) => None,
        }
    }

    /// The metrics it names by their ids.
    pub fn metric_ids(&self) -> &[MetricId] {
        match &self.kind {
            RuleKind::Threshold(threshold) => threshold.selector.ids(),
            RuleKind::Trend(trend) => &trend.metrics,
            RuleKind::Presence(_) => &[],
        }
    }

    /// Whether it looks at the series. A rule about entities looks at none.
    pub fn selects(&self, metric: &MetricIdentity, attributes: &Attributes) -> bool {
        let of_selector = |threshold: &Threshold| threshold.selector.selects(metric, attributes);
        self.threshold().is_some_and(of_selector) || self.metric_ids().iter().any(|id| id.selects(metric, attributes))
    }

    /// Whether it looks at series of the metric, whatever their attributes.
    pub fn selects_metric(&self, metric: &MetricIdentity) -> bool {
        let of_selector = |threshold: &Threshold| threshold.selector.selects_metric(metric);
        self.threshold().is_some_and(of_selector) || self.metric_ids().iter().any(|id| id.selects_metric(metric))
    }

    /// The comparison that is written in it, if there is one.
    pub fn condition_mut(&mut self) -> Option<&mut Condition> {
        match &mut self.kind {
            RuleKind::Threshold(threshold) => Some(&mut threshold.condition),
            RuleKind::Presence(presence) => presence.condition_mut(),
            RuleKind::Trend(_) => None,
        }
    }

    /// The rule with one parameter changed, in all ways that somebody may have meant.
    pub fn changes(&self) -> Vec<RuleChange<Rule>> {
        let with = |change: RuleChange<RuleKind>| change.map(|kind| Rule { kind, ..self.clone() });
        let severity = if self.severity == 10 { 5 } else { 10 };
        let change = format!("{} to {severity}", self.severity);
        let mut all = vec![RuleChange { field: "severity", change, to: Rule { severity, ..self.clone() } }];
        let condition = self.clone().condition_mut().map(|condition| *condition);
        for change in condition.into_iter().flat_map(of_condition) {
            let mut to = self.clone();
            to.condition_mut().into_iter().for_each(|own| *own = change.to);
            all.push(change.map(|_| to));
        }
        match &self.kind {
            RuleKind::Threshold(of) => {
                all.extend(of.changes().into_iter().map(|one| with(one.map(RuleKind::Threshold))))
            }
            RuleKind::Presence(of) => all.extend(of.changes().into_iter().map(|one| with(one.map(RuleKind::Presence)))),
            RuleKind::Trend(of) => all.extend(of.changes().into_iter().map(|one| with(one.map(RuleKind::Trend)))),
        }
        all
    }

    /// Its spans of time, for runs that are shorter than they are.
    pub(super) fn shrink(&mut self, shrink: impl Fn(i64) -> i64) {
        match &mut self.kind {
            RuleKind::Threshold(threshold) => {
                threshold.window_ms = shrink(threshold.window_ms);
                threshold.rollup_ms = shrink(threshold.rollup_ms).min(threshold.window_ms);
            }
            RuleKind::Presence(presence) => presence.spans_mut().into_iter().for_each(|ms| *ms = shrink(*ms)),
            // A trend cannot be shortened. The engine's options tell that windows are scaled, and the rule is
            // inconclusive.
            RuleKind::Trend(_) => {}
        }
    }
}
