//! Mutants: definitions with one change. A change that no scenario notices is one that somebody can make by mistake.
//!
//! Owns which changes there are, how a scenario notices one, and the score. Values move by a twentieth and spans of time by a
//! factor of two, because scenarios should have values just below and just above a threshold, and check when an event opens.
//! Absent on purpose: changes of texts, which no scenario can notice, and whether a surviving mutant is equivalent.

use super::case::{Case, CaseResult, FileLocation, Finding};
use super::run::Prepared;
use crate::definition::{
    Aggregation, CompareOp, Condition, EventDefinition, LogicalOperator, MetricId, Position, Presence, Query, Rule,
    RuleKind, Selector, Threshold, Trend, TrendParameters,
};
use crate::engine::Inputs;

/// How far a value is moved.
const FAR: f64 = 0.05;

/// A definition with one thing changed.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The changed definition.
    pub definition: EventDefinition,
    /// The changed field, as in problems: `rules[0].conditionValue`.
    pub path: String,
    /// From what to what: `0.8 to 0.84`.
    pub change: String,
}

/// A mutant, and whether it was noticed.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The mutant.
    pub mutant: Mutant,
    /// The position of the changed field, if it has one.
    pub position: Option<Position>,
    /// The scenario that noticed, if one did.
    pub noticed_by: Option<String>,
}

/// The changes of a definition. One that is not evaluated has none.
pub fn mutants(definition: &EventDefinition) -> Vec<Mutant> {
    let mut made = Made { of: definition, mutants: Vec::new() };
    if !definition.is_evaluated() {
        return made.mutants;
    }
    made.span("expirationTime", definition.expiration_ms, |mutant, ms| mutant.expiration_ms = ms);
    if definition.query != Query::default() {
        made.add("query", "removed".into(), |mutant| mutant.query = Query::default());
    }
    if definition.rules.len() > 1 {
        let (other, change) = match definition.operator {
            LogicalOperator::And => (LogicalOperator::Or, "AND to OR"),
            LogicalOperator::Or => (LogicalOperator::And, "OR to AND"),
        };
        made.add("ruleLogicalOperator", change.into(), |mutant| mutant.operator = other);
    }
    for (index, rule) in definition.rules.iter().enumerate() {
        if definition.rules.len() > 1 {
            made.add(&format!("rules[{index}]"), "removed".into(), |mutant| drop(mutant.rules.remove(index)));
        }
        made.rule(index, rule);
    }
    made.mutants
}

struct Made<'a> {
    of: &'a EventDefinition,
    mutants: Vec<Mutant>,
}

impl Made<'_> {
    fn add(&mut self, path: &str, change: String, apply: impl FnOnce(&mut EventDefinition)) {
        let mut definition = self.of.clone();
        apply(&mut definition);
        self.mutants.push(Mutant { definition, path: path.to_string(), change });
    }

    /// A span of time, twice and half as long; one of no length becomes five minutes.
    fn span(&mut self, path: &str, ms: i64, apply: impl Fn(&mut EventDefinition, i64)) {
        let others = if ms > 0 { vec![ms.saturating_mul(2), ms / 2] } else { vec![300_000] };
        for other in others {
            self.add(path, format!("{ms} to {other}"), |mutant| apply(mutant, other));
        }
    }

    /// A number, a twentieth higher and lower.
    fn number(&mut self, path: &str, value: f64, apply: impl Fn(&mut EventDefinition, f64)) {
        let by = if value == 0.0 { 1.0 } else { value.abs() * FAR };
        for other in [value + by, value - by] {
            self.add(path, format!("{value} to {other}"), |mutant| apply(mutant, other));
        }
    }

    fn rule(&mut self, index: usize, rule: &Rule) {
        let severity = if rule.severity == 10 { 5 } else { 10 };
        let change = format!("{} to {severity}", rule.severity);
        self.add(&format!("rules[{index}].severity"), change, |mutant| mutant.rules[index].severity = severity);
        match &rule.kind {
            RuleKind::Threshold(threshold) => self.threshold(index, threshold),
            RuleKind::Trend(trend) => self.trend(index, trend),
            RuleKind::Presence(presence) => self.presence(index, presence),
        }
    }

    fn condition(&mut self, index: usize, condition: Condition) {
        for other in other_operators(condition.operator) {
            let change = format!("{} to {}", condition.operator.as_str(), other.as_str());
            self.add(&format!("rules[{index}].conditionOperator"), change, |mutant| {
                edit_condition(mutant, index, |condition| condition.operator = *other);
            });
        }
        self.number(&format!("rules[{index}].conditionValue"), condition.value, |mutant, value| {
            edit_condition(mutant, index, |condition| condition.value = value);
        });
    }

    fn threshold(&mut self, index: usize, threshold: &Threshold) {
        let path = |field: &str| format!("rules[{index}].{field}");
        let edit = |mutant: &mut EventDefinition, change: &dyn Fn(&mut Threshold)| {
            if let RuleKind::Threshold(threshold) = &mut mutant.rules[index].kind {
                change(threshold);
            }
        };
        self.condition(index, threshold.condition);
        self.span(&path("window"), threshold.window_ms, |mutant, ms| edit(mutant, &|to| to.window_ms = ms));
        if threshold.rollup_ms > 0 && threshold.rollup_ms != threshold.window_ms {
            let change = format!("{} to 0", threshold.rollup_ms);
            self.add(&path("rollup"), change, |mutant| edit(mutant, &|to| to.rollup_ms = 0));
        }
        for other in other_aggregations(threshold.aggregation) {
            let change = format!("{} to {}", threshold.aggregation.name(), other.name());
            self.add(&path("aggregation"), change, |mutant| edit(mutant, &|to| to.aggregation = *other));
        }
        if let Selector::Id(id) = &threshold.selector
            && let Some(wider) = without_attributes(id)
        {
            let change = format!("{} to {}", id.text, wider.text);
            self.add(&path("metricName"), change, |mutant| {
                edit(mutant, &|to| to.selector = Selector::Id(wider.clone()));
            });
        }
    }

    fn presence(&mut self, index: usize, presence: &Presence) {
        if let Presence::Count { condition } | Presence::CountVerification { condition, .. } = presence {
            self.condition(index, *condition);
        }
        if let Some(ms) = offline_ms(&mut presence.clone()) {
            self.span(&format!("rules[{index}].offlineDuration"), *ms, |mutant, ms| {
                if let RuleKind::Presence(presence) = &mut mutant.rules[index].kind
                    && let Some(offline_ms) = offline_ms(presence)
                {
                    *offline_ms = ms;
                }
            });
        }
    }

    /// The growth of a trend is its threshold, and its spans of time are its window.
    fn trend(&mut self, index: usize, trend: &Trend) {
        let path = |field: &str| format!("rules[{index}].{field}");
        let edit = |mutant: &mut EventDefinition, change: &dyn Fn(&mut Trend)| {
            if let RuleKind::Trend(trend) = &mut mutant.rules[index].kind {
                change(trend);
            }
        };
        for (word, factor) in [("higher", 1.0 + FAR), ("lower", 1.0 - FAR)] {
            self.add(&path("ladder"), format!("growth {}% {word}", FAR * 100.0), |mutant| {
                edit(mutant, &|to| to.parameters.ladder.iter_mut().for_each(|level| level.growth *= factor));
            });
        }
        for level in &trend.parameters.ladder {
            let window = level.window_ms;
            self.add(&path("ladder"), format!("window of {window} removed"), |mutant| {
                edit(mutant, &|to| to.parameters.ladder.retain(|one| one.window_ms != window));
            });
        }
        let TrendParameters { smin, skip_ms, hold_ms, clear_ms, .. } = trend.parameters;
        self.number(&path("smin"), smin, |mutant, value| edit(mutant, &|to| to.parameters.smin = value));
        self.span(&path("skip"), skip_ms, |mutant, ms| edit(mutant, &|to| to.parameters.skip_ms = ms));
        self.span(&path("hold"), hold_ms, |mutant, ms| edit(mutant, &|to| to.parameters.hold_ms = ms));
        self.span(&path("clear"), clear_ms, |mutant, ms| edit(mutant, &|to| to.parameters.clear_ms = ms));
        for (place, id) in trend.metrics.iter().enumerate() {
            if trend.metrics.len() > 1 {
                self.add(&path("metricName"), format!("{} removed", id.text), |mutant| {
                    edit(mutant, &|to| drop(to.metrics.remove(place)));
                });
            }
            if let Some(wider) = without_attributes(id) {
                self.add(&path("metricName"), format!("{} to {}", id.text, wider.text), |mutant| {
                    edit(mutant, &|to| to.metrics[place] = wider.clone());
                });
            }
        }
    }
}

fn edit_condition(mutant: &mut EventDefinition, index: usize, change: impl FnOnce(&mut Condition)) {
    match &mut mutant.rules[index].kind {
        RuleKind::Threshold(threshold) => change(&mut threshold.condition),
        RuleKind::Presence(Presence::Count { condition } | Presence::CountVerification { condition, .. }) => {
            change(condition);
        }
        RuleKind::Presence(_) | RuleKind::Trend(_) => {}
    }
}

fn offline_ms(presence: &mut Presence) -> Option<&mut i64> {
    match presence {
        Presence::CountVerification { offline_ms, .. }
        | Presence::Verification { offline_ms, .. }
        | Presence::Availability { offline_ms, .. } => Some(offline_ms),
        Presence::Count { .. } | Presence::Offline => None,
    }
}

fn without_attributes(id: &MetricId) -> Option<MetricId> {
    let (wider, _) = id.text.split_once('{')?;
    MetricId::parse(wider).ok()
}

/// At the limit, and the other way round.
fn other_operators(operator: CompareOp) -> &'static [CompareOp] {
    match operator {
        CompareOp::Greater => &[CompareOp::GreaterOrEqual, CompareOp::Less],
        CompareOp::GreaterOrEqual => &[CompareOp::Greater, CompareOp::Less],
        CompareOp::Less => &[CompareOp::LessOrEqual, CompareOp::Greater],
        CompareOp::LessOrEqual => &[CompareOp::Less, CompareOp::Greater],
        CompareOp::Equal => &[CompareOp::NotEqual],
        CompareOp::NotEqual => &[CompareOp::Equal],
    }
}

/// Those somebody may have meant.
fn other_aggregations(aggregation: Aggregation) -> &'static [Aggregation] {
    use Aggregation::{AbsoluteDiff, Avg, Count, Delta, Max, Min, Percentile, Rate, RelativeDiff, Sum};
    match aggregation {
        Avg => &[Max, Min, Sum],
        Sum => &[Avg, Max],
        Min | Max | Percentile(_) => &[Avg],
        Rate => &[Delta, Avg],
        Delta => &[Rate, Sum],
        Count => &[Sum, Avg],
        AbsoluteDiff => &[RelativeDiff, Delta],
        RelativeDiff => &[AbsoluteDiff, Delta],
    }
}

impl Prepared {
    /// Whether the scenario fails when a definition of its rules is another one.
    pub fn notices(&self, other: &EventDefinition, recording: Option<&mut dyn Inputs>) -> bool {
        !self.run_alone(other, recording).is_empty()
    }
}

/// Part of the mutants that were noticed; `None` when there are none.
pub fn score(tested: &[Tested]) -> Option<f64> {
    let noticed = tested.iter().filter(|one| one.noticed_by.is_some()).count();
    (!tested.is_empty()).then(|| noticed as f64 / tested.len() as f64)
}

/// Whether enough mutants were noticed, as a case: every one that was not is a finding.
pub fn score_case(tested: &[Tested], least: f64) -> Case {
    let finding = |one: &Tested| {
        let place = FileLocation::of_rules(&one.mutant.definition.file, one.position);
        Finding::new("unnoticed-change", one.sentence(), place)
    };
    let result = match score(tested) {
        Some(score) if score >= least => CaseResult::Passed,
        Some(_) => CaseResult::Failed(tested.iter().filter(|one| one.noticed_by.is_none()).map(finding).collect()),
        None => {
            let message = "no scenario names rules: there is nothing to change";
            CaseResult::Inconclusive(vec![Finding::new("no-rules-covered", message, None)])
        }
    };
    Case::new(format!("mutation score of at least {}%", (least * 1000.0).round() / 10.0), None, result)
}

impl Tested {
    /// `high-cpu-utilization: no scenario notices rules[0].conditionValue 0.8 to 0.84`.
    pub fn sentence(&self) -> String {
        let Mutant { definition, path, change } = &self.mutant;
        format!("{}: no scenario notices {path} {change}", definition.name)
    }
}
