//! Event definitions as the engine evaluates them: compiled once, shared by all rooms, never changed afterwards.
//!
//! The rules of all definitions that are evaluated are numbered in one row, and each definition owns a range of it. A
//! definition that is switched off or has a problem owns none. What is different about each type of rule is
//! said by its [`Evaluator`].

use super::evaluate::evaluator::{Evaluator, Target};
use super::evaluate::trend::minima::BUCKET;
use super::options::Options;
use crate::definition::{Condition, EventDefinition, LogicalOperator, Trend};
use crate::model::{MS, Nanos, SECOND};
use std::ops::Range;

/// All definitions and their compiled rules.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rules {
    pub definitions: Vec<EventDefinition>,
    /// One for each of the definitions.
    pub compiled: Vec<CompiledDefinition>,
    pub rules: Vec<CompiledRule>,
    /// Of each rule what violates it: looked up for every series, so it lies apart from the rest.
    pub conditions: Vec<Condition>,
}

/// How a definition is evaluated.
#[derive(Debug)]
pub(in crate::engine) struct CompiledDefinition {
    /// The numbers of its rules; empty when it is not evaluated.
    pub rules: Range<usize>,
    /// Between two evaluations.
    pub step: Nanos,
    /// The grace period: how long an event stays open without a violation.
    pub grace: Nanos,
    pub operator: LogicalOperator,
    pub target: Target,
}

/// One rule.
#[derive(Debug)]
pub(in crate::engine) struct CompiledRule {
    /// Index in the definition's rules.
    pub index: usize,
    pub severity: i64,
    pub evaluator: Evaluator,
}

impl Rules {
    pub fn compile(definitions: Vec<EventDefinition>, options: &Options) -> Self {
        let mut all = Rules::default();
        for definition in &definitions {
            let first = all.rules.len();
            if definition.is_evaluated() {
                for (index, rule) in definition.rules.iter().enumerate() {
                    let evaluator = Evaluator::new(&rule.kind, options);
                    all.conditions.push(evaluator.condition());
                    all.rules.push(CompiledRule { index, severity: rule.severity, evaluator });
                }
            }
            let rules = &all.rules[first..];
            let target = target_of(rules);
            let step = if target == Target::Trend { BUCKET } else { options.step.unwrap_or_else(|| step_of(rules)) };
            all.compiled.push(CompiledDefinition {
                rules: first..all.rules.len(),
                step,
                grace: definition.expiration_ms.saturating_mul(MS),
                operator: definition.operator,
                target,
            });
        }
        all.definitions = definitions;
        all
    }

    /// The definition of a rule.
    pub fn definition_of(&self, rule: usize) -> usize {
        self.compiled.partition_point(|definition| definition.rules.end <= rule)
    }

    /// The definitions that are evaluated.
    pub fn evaluated(&self) -> impl Iterator<Item = &CompiledDefinition> {
        self.compiled.iter().filter(|definition| !definition.rules.is_empty())
    }

    /// The parameters of a trend rule.
    pub fn trend(&self, rule: u32) -> Option<&Trend> {
        self.rules[rule as usize].evaluator.trend()
    }
}

/// What the rules of a definition are about together: as soon as two differ, each entity.
fn target_of(rules: &[CompiledRule]) -> Target {
    let mut targets = rules.iter().map(|rule| rule.evaluator.target());
    let first = targets.next().unwrap_or(Target::Entity);
    if targets.all(|other| other == first) { first } else { Target::Entity }
}

/// max(1 s, min(10 s, the shortest window)).
fn step_of(rules: &[CompiledRule]) -> Nanos {
    let windows = rules.iter().filter_map(|rule| rule.evaluator.window());
    windows.map(|request| request.length).min().unwrap_or(10 * SECOND).clamp(SECOND, 10 * SECOND)
}
