//! Mutants: definitions with one change. A change that no scenario notices is one that somebody can make by mistake.
//!
//! Owns which changes of a definition there are, how a scenario notices one, and the score; those of a rule are the rule's own.
//! Absent on purpose: changes of texts, which no scenario can notice, and whether a surviving mutant is equivalent.

use super::case::{Case, FileLocation, Finding};
use crate::definition::{EventDefinition, LogicalOperator, Position, Query, RuleChange, other_spans};

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
    let mut mutants = Vec::new();
    if !definition.is_evaluated() {
        return mutants;
    }
    let mut add = |path: String, change: String, apply: &dyn Fn(&mut EventDefinition)| {
        let mut definition = definition.clone();
        apply(&mut definition);
        mutants.push(Mutant { definition, path, change });
    };
    for (change, ms) in other_spans(definition.expiration_ms) {
        add("expirationTime".into(), change, &|mutant| mutant.expiration_ms = ms);
    }
    if definition.query != Query::default() {
        add("query".into(), "removed".into(), &|mutant| mutant.query = Query::default());
    }
    let has_several = definition.rules.len() > 1;
    if has_several {
        let (other, change) = match definition.operator {
            LogicalOperator::And => (LogicalOperator::Or, "AND to OR"),
            LogicalOperator::Or => (LogicalOperator::And, "OR to AND"),
        };
        add("ruleLogicalOperator".into(), change.into(), &|mutant| mutant.operator = other);
    }
    for (index, rule) in definition.rules.iter().enumerate() {
        if has_several {
            add(format!("rules[{index}]"), "removed".into(), &|mutant| drop(mutant.rules.remove(index)));
        }
        for RuleChange { field, change, to } in rule.changes() {
            add(format!("rules[{index}].{field}"), change, &|mutant| mutant.rules[index] = to.clone());
        }
    }
    mutants
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
    let missing = tested.iter().filter(|one| one.noticed_by.is_none()).map(finding).collect();
    Case::of_share("mutation score", score(tested), least, "change", missing)
}

impl Tested {
    /// `high-cpu-utilization: no scenario notices rules[0].conditionValue 0.8 to 0.84`.
    pub fn sentence(&self) -> String {
        let Mutant { definition, path, change } = &self.mutant;
        format!("{}: no scenario notices {path} {change}", definition.name)
    }
}
