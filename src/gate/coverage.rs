//! What scenarios and recordings have shown of the rules: which definitions ever matched a series, were ever judged, ever
//! fired; and which metrics arrived that no rule looks at.
//!
//! Adding is the same in every order, so runs may be added as they end. Absent on purpose: definitions that a scenario brings
//! itself, which are a part of the test, and those that are switched off.

use super::case::{Case, CaseResult, Finding, Place};
use super::run::Outcome;
use crate::definition::{EventDefinition, RuleKind, Selector};
use crate::engine::{DefinitionReport, Report, Verdict};
use crate::model::MetricIdentity;
use std::collections::BTreeMap;

/// What was reached so far.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    definitions: BTreeMap<(String, Option<usize>), (String, Reached)>,
    /// Metrics by id, and whether a rule looks at them.
    metrics: BTreeMap<String, bool>,
}

/// How far a definition ever came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// No series was selected.
    Nothing,
    /// Series were selected, but no window was ever covered.
    Matched,
    /// It was judged, and never violated.
    Judged,
    /// An event was raised.
    Fired,
}

impl Reached {
    /// In words, as the end of a sentence about a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Reached::Nothing => "matched no series",
            Reached::Matched => "never left warm-up",
            Reached::Judged => "evaluated, never fired",
            Reached::Fired => "fired",
        }
    }

    fn of(report: &DefinitionReport) -> Reached {
        if report.verdict == Verdict::Fired {
            Reached::Fired
        } else if report.evaluations > 0 || report.verdict == Verdict::Quiet {
            Reached::Judged
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

impl Coverage {
    /// Adds what a scenario has shown.
    pub fn add_outcome(&mut self, outcome: &Outcome) {
        self.add(&outcome.definitions, outcome.from_rules, &outcome.report);
    }

    /// Adds a run. Only the first `from_rules` definitions count.
    pub fn add(&mut self, definitions: &[EventDefinition], from_rules: usize, report: &Report) {
        for (definition, report) in definitions.iter().zip(&report.definitions).take(from_rules) {
            if !definition.enabled {
                continue;
            }
            let key = (definition.file.clone(), definition.index);
            let entry = self.definitions.entry(key).or_insert_with(|| (definition.name.clone(), Reached::Nothing));
            entry.1 = entry.1.max(Reached::of(report));
        }
        for (metric, _) in &report.metrics {
            let looked_at = definitions.iter().any(|definition| looks_at(definition, metric));
            *self.metrics.entry(metric.id()).or_default() |= looked_at;
        }
    }

    /// The definitions by file.
    pub fn definitions(&self) -> impl Iterator<Item = Covered<'_>> {
        self.definitions.iter().map(|((file, _), (name, reached))| Covered { name, file, reached: *reached })
    }

    /// The metrics that arrived and that no rule looks at, by id.
    pub fn ignored_metrics(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().filter(|(_, looked_at)| !**looked_at).map(|(id, _)| id.as_str())
    }

    /// Part of the definitions that fired; `None` when there are no definitions.
    pub fn share(&self) -> Option<f64> {
        let fired = self.definitions().filter(|one| one.reached == Reached::Fired).count();
        (!self.definitions.is_empty()).then(|| fired as f64 / self.definitions.len() as f64)
    }

    /// Whether enough definitions fired, as a case: every one that never did is a finding.
    pub fn case(&self, least: f64) -> Case {
        let percent = |share: f64| format!("{}%", (share * 1000.0).round() / 10.0);
        let name = format!("rule coverage of at least {}", percent(least));
        let result = match self.share() {
            Some(share) if share >= least => CaseResult::Passed,
            Some(_) => CaseResult::Failed(self.findings()),
            None => CaseResult::Inconclusive(vec![Finding {
                code: "no-rules-covered",
                message: "no scenario names rules: there is nothing to cover".into(),
                details: String::new(),
                place: None,
            }]),
        };
        Case { name, place: None, seconds: None, result }
    }

    fn findings(&self) -> Vec<Finding> {
        let missed = self.definitions().filter(|one| one.reached != Reached::Fired);
        missed
            .map(|one| Finding {
                code: "never-fired",
                message: format!("{} {}: no scenario shows that it can fire", one.name, one.reached.as_str()),
                details: String::new(),
                place: Place::of_rules(one.file, None),
            })
            .collect()
    }
}

/// Whether a rule of the definition selects series of the metric, whatever their attributes.
fn looks_at(definition: &EventDefinition, metric: &MetricIdentity) -> bool {
    definition.is_judged()
        && definition.rules.iter().any(|rule| match &rule.kind {
            RuleKind::Threshold(threshold) => match &threshold.selector {
                Selector::Id(id) => id.selects_metric(metric),
                Selector::Pattern(pattern) => pattern.selects_metric(metric),
            },
            RuleKind::Trend(trend) => trend.metrics.iter().any(|id| id.selects_metric(metric)),
            RuleKind::Presence(_) => false,
        })
}
