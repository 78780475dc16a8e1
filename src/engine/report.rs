//! The report of what was evaluated. Data only; `summary` fills it in.

use super::alert::event::{Event, Observation};
use super::evaluate::trend::LifeReport;
use super::ingest::drop_reason::DropReason;
use super::ingest::entity::SeriesLabel;
use super::verdict::Verdict;
use crate::model::{MetricIdentity, Nanos};
use std::sync::Arc;

/// The nearest a definition came to being violated, or the worst it was.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// Value and time.
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

/// Everything that was evaluated.
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
    /// Series that several processes write (alternating start times), first seen first.
    pub several_writers: Vec<SeriesLabel>,
    /// Monotonic delta sums that sent a negative delta, first seen first.
    pub negative_deltas: Vec<Arc<MetricIdentity>>,
    /// Every metric that was received with its number of series, for "matches nothing" hints; by metric id.
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
    /// Series that are not evicted.
    pub series_now: u64,
    /// Entities that are not evicted.
    pub entities_now: u64,
    /// Dropped points by reason; indexed by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
}

/// First and last receive time with a point that had a time.
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
    /// Number of (rule, series, time) with a value.
    pub evaluations: u64,
    /// Number of (rule, series, time) with points but not enough coverage.
    pub warming_up: u64,
    /// Events that were opened.
    pub opened: u64,
    /// Times at which the definition was violated on an entity, summed over entities, in its steps.
    pub violating: u64,
    /// Between two evaluations.
    pub step: Nanos,
    /// The evaluation with the smallest margin.
    pub nearest: Option<Nearest>,
    /// Per rule: the series it selected and how often it was evaluated.
    pub rules: Vec<RuleReport>,
    /// Of trend rules every life they looked at, by series and start.
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
    /// A window was covered, but the aggregate had no value.
    pub no_value: bool,
    /// Highest number of seconds of its window that was covered at once, over all its series, in nanoseconds.
    pub best_covered: Nanos,
}
