//! What the engine says: transitions while it runs, a report at the end. Data only.

use super::evaluate::trend::{Evidence, LifeReport};
use crate::engine::ingest::drop_reason::DropReason;
use crate::model::{Attributes, MetricIdentity, Nanos};
use std::sync::Arc;

/// An event was opened or closed.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The instant of the transition.
    pub at: Nanos,
    /// The event as it stands after it.
    pub event: Event,
}

/// One event: a definition was violated on an entity.
#[derive(Clone, Debug)]
pub struct Event {
    /// Deterministic: the same input gives the same id.
    pub id: String,
    /// Index of the definition.
    pub definition: usize,
    /// The entity; `None` for rules that are not about one (counts, verification of a named label).
    pub entity: Option<Arc<EntityLabel>>,
    /// Open or closed.
    pub state: EventState,
    /// First violating instant.
    pub start: Nanos,
    /// Newest violating instant.
    pub last_violation: Nanos,
    /// Highest severity of a rule that violated so far.
    pub severity: i64,
    /// The rules violated at `start`, with all their violating series.
    pub rules: Vec<ViolatedRule>,
    /// The worst margin so far.
    pub peak: Option<Peak>,
}

/// Whether an event is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// Not closed yet.
    Open,
    /// Over.
    Closed {
        /// First judged instant after the last violation that did not violate.
        end: Nanos,
        /// When the grace period was over.
        closed_at: Nanos,
        /// Why it was closed.
        reason: CloseReason,
    },
}

/// Why an event was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// At least one instant after the last violation was clear.
    Recovered,
    /// Nothing could be judged after the last violation.
    NoData,
}

/// How an entity is named in outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityLabel {
    /// The identifying attributes, or the whole resource when it has no service name or instance id.
    pub resource: Attributes,
    /// `<service.name> (<service.instance.id>)`, as far as present.
    pub label: String,
}

/// A rule violated at the opening of an event.
#[derive(Clone, Debug)]
pub struct ViolatedRule {
    /// Index in the definition's rules.
    pub index: usize,
    /// Its violating series, ordered by metric, attributes, first arrival. Empty for presence rules.
    pub series: Vec<ViolatingSeries>,
    /// What a presence rule counted, when it counts.
    pub observed: Option<f64>,
}

/// A series that violated a rule.
#[derive(Clone, Debug)]
pub struct ViolatingSeries {
    /// Its metric.
    pub metric: Arc<MetricIdentity>,
    /// Its attributes; empty for a merged series.
    pub attributes: Arc<Attributes>,
    /// The aggregate.
    pub value: f64,
    /// Points inside the window.
    pub points: usize,
    /// Of a trend rule the evidence; the value is then the slope in bytes a second.
    pub trend: Option<Box<Evidence>>,
}

/// A value at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The aggregate.
    pub value: f64,
    /// When it was judged.
    pub at: Nanos,
}

/// The worst value of an event.
#[derive(Clone, Debug)]
pub struct Peak {
    /// Value and instant.
    pub observation: Observation,
    /// Index of the rule.
    pub rule: usize,
    /// The series; `None` for presence rules.
    pub series: Option<SeriesLabel>,
}

/// The nearest a definition came to being violated, or the worst it was.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// Value and instant.
    pub observation: Observation,
    /// Index of the rule.
    pub rule: usize,
    /// Distance to the threshold, negative on the violating side.
    pub margin: f64,
    /// Points inside the window.
    pub points: usize,
    /// The series; `None` for presence rules.
    pub series: Option<SeriesLabel>,
}

/// How a series is named in outputs.
#[derive(Clone, Debug)]
pub struct SeriesLabel {
    /// Its entity.
    pub entity: Arc<EntityLabel>,
    /// Its metric.
    pub metric: Arc<MetricIdentity>,
    /// Its attributes; empty for a merged series.
    pub attributes: Arc<Attributes>,
}

/// Everything that was judged.
#[derive(Clone, Debug, Default)]
pub struct EvaluationReport {
    /// Each event once, in its final state, by start, definition and entity; those that are closed only when they are kept.
    pub events: Vec<Event>,
    /// One per definition, in the order of the definitions.
    pub definitions: Vec<DefinitionReport>,
    /// What came in.
    pub counts: Counts,
    /// What the input covered.
    pub coverage: Coverage,
    /// Series that several processes write (alternating start times), first arrival first.
    pub several_writers: Vec<SeriesLabel>,
    /// Monotonic delta sums that sent a negative delta, first arrival first.
    pub negative_deltas: Vec<Arc<MetricIdentity>>,
    /// Every metric that arrived with its number of series, for "matches nothing" hints; by metric id.
    pub metrics: Vec<(Arc<MetricIdentity>, usize)>,
}

/// Points, series, entities, and what was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Decoded points, whatever became of them.
    pub points: u64,
    /// Series with at least one point that passed the checks up to `future`.
    pub series: u64,
    /// Entities with at least one such point.
    pub entities: u64,
    /// Series that are not forgotten.
    pub series_now: u64,
    /// Entities that are not forgotten.
    pub entities_now: u64,
    /// Dropped points by reason; indexed by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
}

/// First and last `at` with a point that had a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// First.
    pub from: Option<Nanos>,
    /// Last.
    pub to: Option<Nanos>,
}

/// What became of one definition.
#[derive(Clone, Debug)]
pub struct DefinitionReport {
    /// The verdict.
    pub verdict: Verdict,
    /// Series selected by any of its rules and its query.
    pub matched_series: u64,
    /// Entities with a series whose resource its query selects.
    pub matched_entities: u64,
    /// Number of (rule, series, instant) with a value.
    pub evaluations: u64,
    /// Number of (rule, series, instant) with points but not enough coverage.
    pub warming_up: u64,
    /// Events that were opened.
    pub opened: u64,
    /// Instants at which the definition was violated on an entity, summed over entities, in steps of its grid.
    pub violating: u64,
    /// The grid step.
    pub step: Nanos,
    /// The evaluation with the smallest margin.
    pub nearest: Option<Nearest>,
    /// Per rule: the series it selected and how often it was judged.
    pub rules: Vec<RuleReport>,
    /// Of trend rules every life they watched, by series and start.
    pub lives: Vec<LifeReport>,
    /// Lives that are left out of `lives` because they are too many.
    pub lives_left_out: u64,
}

/// What became of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleReport {
    /// Series it selected.
    pub matched_series: u64,
    /// Evaluations with a value.
    pub evaluations: u64,
    /// Evaluations without enough coverage.
    pub warming_up: u64,
    /// Highest number of seconds of its window that was covered at once, over all its series, in nanoseconds.
    pub best_covered: Nanos,
}

/// The verdict over one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least one event.
    Fired,
    /// No event, and every rule was judged at least once.
    Quiet,
    /// It could not be judged.
    Inconclusive(InconclusiveReason),
    /// Switched off.
    Disabled,
}

/// Why a definition could not be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InconclusiveReason {
    /// No series matches a rule.
    NoSeries,
    /// No entity matches the query.
    NoEntity,
    /// No window was covered well enough.
    WarmingUp,
    /// Windows were covered, but the aggregate had no value.
    NoValue,
    /// The definition itself has a problem.
    Problem,
    /// A trend: holes between the points kept every window from being covered.
    Gap,
    /// A trend: several processes write the series.
    SeveralWriters,
    /// A trend: the windows were scaled, and a trend cannot be.
    Scaled,
}

impl InconclusiveReason {
    /// All reasons.
    pub const ALL: [InconclusiveReason; 8] = [
        InconclusiveReason::NoSeries,
        InconclusiveReason::NoEntity,
        InconclusiveReason::WarmingUp,
        InconclusiveReason::NoValue,
        InconclusiveReason::Problem,
        InconclusiveReason::Gap,
        InconclusiveReason::SeveralWriters,
        InconclusiveReason::Scaled,
    ];

    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            InconclusiveReason::NoSeries => "no_series",
            InconclusiveReason::NoEntity => "no_entity",
            InconclusiveReason::WarmingUp => "warming_up",
            InconclusiveReason::NoValue => "no_value",
            InconclusiveReason::Problem => "problem",
            InconclusiveReason::Gap => "gap",
            InconclusiveReason::SeveralWriters => "several_writers",
            InconclusiveReason::Scaled => "scaled",
        }
    }
}

impl Verdict {
    /// The word used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Fired => "fired",
            Verdict::Quiet => "quiet",
            Verdict::Inconclusive(_) => "inconclusive",
            Verdict::Disabled => "disabled",
        }
    }
}
