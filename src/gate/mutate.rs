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
    if !definition.is_judged() {
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
        let path = |field: &str| format!("rules[{index}].{field}");
        let severity = if rule.severity == 10 { 5 } else { 10 };
        let change = format!("{} to {severity}", rule.severity);
        self.add(&path("severity"), change, |mutant| mutant.rules[index].severity = severity);
        match &rule.kind {
            RuleKind::Threshold(threshold) => self.threshold(index, threshold),
            RuleKind::Trend(trend) => self.trend(index, trend),
            RuleKind::Presence(presence) => self.presence(index, presence),
        }
    }

    fn condition(&mut self, index: usize, condition: Condition) {
        let path = |field: &str| format!("rules[{index}].{field}");
        let operator = path("conditionOperator");
        for other in other_operators(condition.operator) {
            let change = format!("{} to {}", condition.operator.as_str(), other.as_str());
            self.add(&operator, change, |mutant| {
                with_condition(mutant, index, |condition| condition.operator = *other)
            });
        }
        self.number(&path("conditionValue"), condition.value, |mutant, value| {
            with_condition(mutant, index, |condition| condition.value = value);
        });
    }

    fn threshold(&mut self, index: usize, threshold: &Threshold) {
        let path = |field: &str| format!("rules[{index}].{field}");
        self.condition(index, threshold.condition);
        self.span(&path("window"), threshold.window_ms, |mutant, ms| {
            with_threshold(mutant, index, |threshold| threshold.window_ms = ms);
        });
        if threshold.rollup_ms > 0 && threshold.rollup_ms != threshold.window_ms {
            self.add(&path("rollup"), format!("{} to 0", threshold.rollup_ms), |mutant| {
                with_threshold(mutant, index, |threshold| threshold.rollup_ms = 0);
            });
        }
        for other in other_aggregations(threshold.aggregation) {
            let change = format!("{} to {}", threshold.aggregation.name(), other.name());
            self.add(&path("aggregation"), change, |mutant| {
                with_threshold(mutant, index, |threshold| threshold.aggregation = *other);
            });
        }
        if let Selector::Id(id) = &threshold.selector
            && let Some(wider) = without_attributes(id)
        {
            let change = format!("{} to {}", id.text, wider.text);
            self.add(&path("metricName"), change, |mutant| {
                with_threshold(mutant, index, |threshold| threshold.selector = Selector::Id(wider));
            });
        }
    }

    fn presence(&mut self, index: usize, presence: &Presence) {
        match presence {
            Presence::Count { condition } => self.condition(index, *condition),
            Presence::CountVerification { condition, offline_ms, .. } => {
                self.condition(index, *condition);
                self.offline(index, *offline_ms);
            }
            Presence::Verification { offline_ms, .. } | Presence::Availability { offline_ms, .. } => {
                self.offline(index, *offline_ms);
            }
            Presence::Offline => {}
        }
    }

    fn offline(&mut self, index: usize, ms: i64) {
        self.span(&format!("rules[{index}].offlineDuration"), ms, |mutant, ms| {
            let Some(RuleKind::Presence(presence)) = mutant.rules.get_mut(index).map(|rule| &mut rule.kind) else {
                return;
            };
            match presence {
                Presence::CountVerification { offline_ms, .. }
                | Presence::Verification { offline_ms, .. }
                | Presence::Availability { offline_ms, .. } => *offline_ms = ms,
                Presence::Count { .. } | Presence::Offline => {}
            }
        });
    }

    /// Of a trend the growth is its threshold, and the times it takes are its window.
    fn trend(&mut self, index: usize, trend: &Trend) {
        let path = |field: &str| format!("rules[{index}].{field}");
        let with = |mutant: &mut EventDefinition, change: &dyn Fn(&mut TrendParameters)| {
            if let Some(RuleKind::Trend(trend)) = mutant.rules.get_mut(index).map(|rule| &mut rule.kind) {
                change(&mut trend.parameters);
            }
        };
        for (word, factor) in [("higher", 1.0 + FAR), ("lower", 1.0 - FAR)] {
            self.add(&path("ladder"), format!("growth {}% {word}", FAR * 100.0), |mutant| {
                with(mutant, &|to| to.ladder.iter_mut().for_each(|rung| rung.growth *= factor));
            });
        }
        for rung in 0..trend.parameters.ladder.len() {
            let window = trend.parameters.ladder[rung].window_ms;
            self.add(&path("ladder"), format!("window of {window} removed"), |mutant| {
                with(mutant, &|to| to.ladder.retain(|one| one.window_ms != window));
            });
        }
        let parameters = &trend.parameters;
        self.number(&path("smin"), parameters.smin, |mutant, value| with(mutant, &|to| to.smin = value));
        self.span(&path("skip"), parameters.skip_ms, |mutant, ms| with(mutant, &|to| to.skip_ms = ms));
        self.span(&path("hold"), parameters.hold_ms, |mutant, ms| with(mutant, &|to| to.hold_ms = ms));
        self.span(&path("clear"), parameters.clear_ms, |mutant, ms| with(mutant, &|to| to.clear_ms = ms));
        self.metrics(index, trend);
    }

    fn metrics(&mut self, index: usize, trend: &Trend) {
        let path = format!("rules[{index}].metricName");
        let with = |mutant: &mut EventDefinition, change: &dyn Fn(&mut Vec<MetricId>)| {
            if let Some(RuleKind::Trend(trend)) = mutant.rules.get_mut(index).map(|rule| &mut rule.kind) {
                change(&mut trend.metrics);
            }
        };
        for (place, id) in trend.metrics.iter().enumerate() {
            if trend.metrics.len() > 1 {
                let change = format!("{} removed", id.text);
                self.add(&path, change, |mutant| with(mutant, &|metrics| drop(metrics.remove(place))));
            }
            if let Some(wider) = without_attributes(id) {
                let change = format!("{} to {}", id.text, wider.text);
                self.add(&path, change, |mutant| with(mutant, &|metrics| metrics[place] = wider.clone()));
            }
        }
    }
}

fn with_threshold(mutant: &mut EventDefinition, index: usize, change: impl FnOnce(&mut Threshold)) {
    if let Some(RuleKind::Threshold(threshold)) = mutant.rules.get_mut(index).map(|rule| &mut rule.kind) {
        change(threshold);
    }
}

fn with_condition(mutant: &mut EventDefinition, index: usize, change: impl FnOnce(&mut Condition)) {
    match mutant.rules.get_mut(index).map(|rule| &mut rule.kind) {
        Some(RuleKind::Threshold(threshold)) => change(&mut threshold.condition),
        Some(RuleKind::Presence(Presence::Count { condition } | Presence::CountVerification { condition, .. })) => {
            change(condition);
        }
        Some(RuleKind::Presence(_) | RuleKind::Trend(_)) | None => {}
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
