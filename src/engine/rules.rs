//! Event definitions as the engine evaluates them: compiled once, shared by all rooms, never changed afterwards.
//!
//! The rules of all definitions that are evaluated are numbered in one row, and each definition owns a range of it. A
//! definition that is switched off or has a problem owns none. What is different about each type of rule is said by the
//! methods of [`Evaluator`], one property each, and nowhere else in the engine.

use super::evaluate::presence;
use super::evaluate::state::RuleState;
use super::evaluate::trend::minima::{BUCKET, KEPT_FOR};
use super::ingest::entity::Entity;
use super::options::{Counters, Options};
use crate::definition::{CompareOp, Condition, EventDefinition, LogicalOperator, Presence, RuleKind, Selector, Trend};
use crate::model::{Attributes, MS, MetricIdentity, Nanos, SECOND};
use crate::series::WindowRequest;
use std::ops::Range;

/// Windows longer than this (36 years) hold everything there is.
const LONGEST_WINDOW: Nanos = 1 << 60;

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

/// What a definition has events about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Target {
    /// Each entity: its windows and its presence.
    Entity,
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
    Threshold { selector: Selector, request: WindowRequest, condition: Condition },
    /// How long an entity is silent, or how many there are.
    Presence(Presence),
    /// Growth of memory, point by point.
    Trend(Box<Trend>),
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
        match &self.rules[rule as usize].evaluator {
            Evaluator::Trend(trend) => Some(trend),
            Evaluator::Threshold { .. } | Evaluator::Presence(_) => None,
        }
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

impl Evaluator {
    fn new(kind: &RuleKind, options: &Options) -> Self {
        match kind {
            RuleKind::Threshold(threshold) => Evaluator::Threshold {
                selector: threshold.selector.clone(),
                request: WindowRequest {
                    aggregation: threshold.aggregation,
                    length: threshold.window_ms.saturating_mul(MS).min(LONGEST_WINDOW),
                    min_coverage: options.min_coverage,
                    rollup: threshold.rollup_ms.saturating_mul(MS),
                    increase: options.counters == Counters::Increase,
                },
                condition: threshold.condition,
            },
            RuleKind::Presence(presence) => Evaluator::Presence(presence.clone()),
            RuleKind::Trend(trend) => Evaluator::Trend(Box::new(trend.clone())),
        }
    }

    /// What violates it.
    fn condition(&self) -> Condition {
        match self {
            Evaluator::Threshold { condition, .. } => *condition,
            Evaluator::Presence(presence) => presence::condition_of(presence),
            // Never compared: a trend gives no value.
            Evaluator::Trend(_) => Condition { operator: CompareOp::Greater, value: f64::INFINITY },
        }
    }

    /// What it has events about. A definition of trend rules has no others.
    fn target(&self) -> Target {
        match self {
            Evaluator::Presence(presence) if presence::counts(presence) => Target::Fleet,
            Evaluator::Threshold { .. } | Evaluator::Presence(_) => Target::Entity,
            Evaluator::Trend(_) => Target::Trend,
        }
    }

    /// How long what is silent is still of interest to it.
    pub fn interest(&self) -> Nanos {
        match self {
            // A window and the sample before it.
            Evaluator::Threshold { request, .. } => request.length.saturating_mul(2),
            Evaluator::Presence(presence) => presence::interest(presence),
            Evaluator::Trend(_) => KEPT_FOR,
        }
    }

    /// The window over each of its series, when it has one.
    pub fn window(&self) -> Option<&WindowRequest> {
        match self {
            Evaluator::Threshold { request, .. } => Some(request),
            Evaluator::Presence(_) | Evaluator::Trend(_) => None,
        }
    }

    /// The window over a series, when it selects it.
    pub fn window_over(&self, metric: &MetricIdentity, attributes: &Attributes) -> Option<&WindowRequest> {
        let Evaluator::Threshold { selector, .. } = self else { return None };
        self.window().filter(|_| selector.selects(metric, attributes))
    }

    /// Whether it is about the presence of an entity with this resource.
    pub fn means(&self, resource: &Attributes) -> bool {
        matches!(self, Evaluator::Presence(presence) if presence::means(presence, resource))
    }

    /// What the rule with this number says of an entity without its windows, and whether the next evaluation may say something
    /// else although no sample comes. `None` when it looks at windows alone.
    pub fn evaluate(
        &self,
        number: usize,
        entities: &[Entity],
        entity: usize,
        evaluation_time: Nanos,
    ) -> Option<(RuleState, bool)> {
        match self {
            Evaluator::Presence(of) => Some(presence::evaluate(of, number, entities, entity, evaluation_time)),
            Evaluator::Threshold { .. } | Evaluator::Trend(_) => None,
        }
    }

    /// What the rule with this number says of all entities together, and until when (exclusive) that holds if no sample comes.
    pub fn evaluate_fleet(&self, number: usize, entities: &[Entity], evaluation_time: Nanos) -> (RuleState, Nanos) {
        match self {
            Evaluator::Presence(of) => presence::count(of, number, entities, evaluation_time),
            Evaluator::Threshold { .. } | Evaluator::Trend(_) => (RuleState::EMPTY, Nanos::MAX),
        }
    }
}
