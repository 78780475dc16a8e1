//! How each type of rule is evaluated: every property of a type is a method of [`Evaluator`], and nothing else in the engine tells
//! types apart. What a type says of an entity stands in a file of its own in `evaluator/`.

pub(in crate::engine) mod presence;

use super::state::RuleState;
use super::trend::minima::KEPT_FOR;
use crate::definition::{CompareOp, Condition, Presence, RuleKind, Selector, Trend};
use crate::engine::ingest::entity::Entity;
use crate::engine::options::{Counters, Options};
use crate::model::{Attributes, MS, MetricIdentity, Nanos};
use crate::series::WindowRequest;

/// Windows longer than this (36 years) hold everything there is.
const LONGEST_WINDOW: Nanos = 1 << 60;

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

impl Evaluator {
    pub fn new(kind: &RuleKind, options: &Options) -> Self {
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
    pub fn condition(&self) -> Condition {
        match self {
            Evaluator::Threshold { condition, .. } => *condition,
            Evaluator::Presence(presence) => presence::condition_of(presence),
            // Never compared: a trend gives no value.
            Evaluator::Trend(_) => Condition { operator: CompareOp::Greater, value: f64::INFINITY },
        }
    }

    /// What it has events about. A definition of trend rules has no others.
    pub fn target(&self) -> Target {
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

    /// The parameters of a trend rule.
    pub fn trend(&self) -> Option<&Trend> {
        match self {
            Evaluator::Trend(trend) => Some(trend),
            Evaluator::Threshold { .. } | Evaluator::Presence(_) => None,
        }
    }
}
