//! What scenarios and recordings cover of the rules: which definitions ever matched a series, were ever evaluated, ever fired;
//! and which received metrics no rule selects.
//!
//! Invariant: runs can be added in any order. Absent on purpose: definitions of a scenario itself, which are a part of the
//! test, and disabled ones.

use super::case::{Case, FileLocation, Finding};
use super::run::ScenarioOutcome;
use crate::definition::EventDefinition;
use crate::engine::{DefinitionReport, EvaluationReport, Verdict};
use std::collections::BTreeMap;

/// What was reached so far.
#[derive(Clone, Debug, Default)]
pub struct RuleCoverage {
    definitions: BTreeMap<(String, Option<usize>), (String, Reached)>,
    /// Metrics by id, and whether a rule selects them.
    metrics: BTreeMap<String, bool>,
}

/// How far a definition ever came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// No series was selected.
    Nothing,
    /// Series were selected, but no window was ever covered.
    Matched,
    /// It was evaluated, and never violated.
    Evaluated,
    /// An event was raised.
    Fired,
}

impl Reached {
    /// In words, as the end of a sentence about a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Reached::Nothing => "matched no series",
            Reached::Matched => "never left warm-up",
            Reached::Evaluated => "evaluated, never fired",
            Reached::Fired => "fired",
        }
    }

    fn of(report: &DefinitionReport) -> Reached {
        if report.verdict == Verdict::Fired {
            Reached::Fired
        } else if report.evaluations > 0 || report.verdict == Verdict::Quiet {
            Reached::Evaluated
        } else if report.matched_series > 0 {
            Reached::Matched
        } else {
            Reached::Nothing
        }
    }
}

/// One definition and how far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered<'a> {
    /// The definition's name.
    pub name: &'a str,
    /// Its file.
    pub file: &'a str,
    /// How far it came.
    pub reached: Reached,
}

impl RuleCoverage {
    /// Adds what a scenario has shown.
    pub fn add_outcome(&mut self, outcome: &ScenarioOutcome) {
        self.add(&outcome.definitions, outcome.from_rules, &outcome.report);
    }

    /// Adds a run. Only the first `from_rules` definitions count.
    pub fn add(&mut self, definitions: &[EventDefinition], from_rules: usize, report: &EvaluationReport) {
        for (definition, report) in definitions.iter().zip(&report.definitions).take(from_rules) {
            if !definition.enabled {
                continue;
            }
            let key = (definition.file.clone(), definition.index);
            let entry = self.definitions.entry(key).or_insert_with(|| (definition.name.clone(), Reached::Nothing));
            entry.1 = entry.1.max(Reached::of(report));
        }
        for (metric, _) in &report.metrics {
            let is_selected = definitions.iter().any(|definition| {
                definition.is_evaluated() && definition.rules.iter().any(|rule| rule.selects_metric(metric))
            });
            *self.metrics.entry(metric.id()).or_default() |= is_selected;
        }
    }

    /// The definitions by file.
    pub fn definitions(&self) -> impl Iterator<Item = Covered<'_>> {
        self.definitions.iter().map(|((file, _), (name, reached))| Covered { name, file, reached: *reached })
    }

    /// The received metrics that no rule selects, by id.
    pub fn ignored_metrics(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().filter(|(_, is_selected)| !**is_selected).map(|(id, _)| id.as_str())
    }

    /// Part of the definitions that fired; `None` when there are no definitions.
    pub fn share(&self) -> Option<f64> {
        let fired = self.definitions().filter(|one| one.reached == Reached::Fired).count();
        (!self.definitions.is_empty()).then(|| fired as f64 / self.definitions.len() as f64)
    }

    /// Whether enough definitions fired, as a case: every one that never did is a finding.
    pub fn case(&self, least: f64) -> Case {
        let finding = |one: Covered<'_>| {
            let message = format!("{} {}: no scenario shows that it can fire", one.name, one.reached.as_str());
            Finding::new("never-fired", message, FileLocation::of_rules(one.file, None))
        };
        let missing = self.definitions().filter(|one| one.reached != Reached::Fired).map(finding).collect();
        Case::of_share("rule coverage", self.share(), least, "cover", missing)
    }
}
