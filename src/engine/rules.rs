//! Event definitions as the engine evaluates them: compiled once, shared by all rooms, never changed afterwards.
//!
//! The rules of all definitions that are evaluated are numbered in one row, and each definition owns a range of it. A
//! definition that is switched off or has a problem owns none.

use super::evaluate::trend::minima::BUCKET;
use super::options::{Counters, Options};
use super::presence_rule;
use crate::definition::{CompareOp, Condition, EventDefinition, LogicalOperator, Presence, RuleKind, Selector, Trend};
use crate::model::{MS, Nanos, SECOND};
use crate::series::WindowRequest;
use std::ops::Range;

/// Windows longer than this (36 years) hold everything there is.
const LONGEST_WINDOW: Nanos = 1 << 60;

/// All definitions and their compiled rules.
#[derive(Debug)]
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

/// What a definition has events about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Target {
    /// Each entity: its windows, and its presence when there is such a rule.
    Entity { presence: bool },
    /// How many entities there are: one event at a time, about all of them.
    Fleet,
    /// The memory of each entity, process by process.
    Trend,
}

/// One rule.
#[derive(Debug)]
pub(in crate::engine) struct CompiledRule {
    /// Index in the definition's rules.
    pub index: usize,
    pub severity: i64,
    pub evaluator: Evaluator,
}

/// What a rule looks at.
#[derive(Debug)]
pub(in crate::engine) enum Evaluator {
    /// An aggregate over a window of each series.
    Threshold { selector: Selector, request: WindowRequest },
    /// How long an entity is silent, or how many there are.
    Presence(Presence),
    /// Growth of memory, point by point.
    Trend(Box<Trend>),
}

impl Rules {
    pub fn compile(definitions: Vec<EventDefinition>, options: &Options) -> Self {
        let mut all =
            Rules { definitions: Vec::new(), compiled: Vec::new(), rules: Vec::new(), conditions: Vec::new() };
        for definition in &definitions {
            let first = all.rules.len();
            if definition.is_evaluated() {
                for (index, rule) in definition.rules.iter().enumerate() {
                    all.conditions.push(condition_of(&rule.kind));
                    let evaluator = evaluator_of(&rule.kind, options);
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
        match &self.rules[rule as usize].evaluator {
            Evaluator::Trend(trend) => Some(trend),
            Evaluator::Threshold { .. } | Evaluator::Presence(_) => None,
        }
    }
}

fn evaluator_of(kind: &RuleKind, options: &Options) -> Evaluator {
    match kind {
        RuleKind::Threshold(threshold) => Evaluator::Threshold {
            selector: threshold.selector.clone(),
            request: WindowRequest {
                aggregation: threshold.aggregation,
                length: threshold.window_ms.saturating_mul(MS).min(LONGEST_WINDOW),
                rollup: threshold.rollup_ms.saturating_mul(MS),
                increase: options.counters == Counters::Increase,
            },
        },
        RuleKind::Presence(presence) => Evaluator::Presence(presence.clone()),
        RuleKind::Trend(trend) => Evaluator::Trend(Box::new(trend.clone())),
    }
}

fn condition_of(kind: &RuleKind) -> Condition {
    match kind {
        RuleKind::Threshold(threshold) => threshold.condition,
        RuleKind::Presence(presence) => presence_rule::condition_of(presence),
        // Never compared: a trend gives no value.
        RuleKind::Trend(_) => Condition { operator: CompareOp::Greater, value: f64::INFINITY },
    }
}

/// A definition of trend rules has no others.
fn target_of(rules: &[CompiledRule]) -> Target {
    let mut presence = false;
    let mut counts = !rules.is_empty();
    for rule in rules {
        match &rule.evaluator {
            Evaluator::Trend(_) => return Target::Trend,
            Evaluator::Presence(of) => {
                presence = true;
                counts &= presence_rule::counts(of);
            }
            Evaluator::Threshold { .. } => counts = false,
        }
    }
    if counts { Target::Fleet } else { Target::Entity { presence } }
}

/// max(1 s, min(10 s, the shortest window)).
fn step_of(rules: &[CompiledRule]) -> Nanos {
    let windows = rules.iter().filter_map(|rule| match rule.evaluator {
        Evaluator::Threshold { request, .. } => Some(request.length),
        Evaluator::Presence(_) | Evaluator::Trend(_) => None,
    });
    windows.min().unwrap_or(10 * SECOND).clamp(SECOND, 10 * SECOND)
}
